//! What is given up, what is disabled, and how a person takes it up again.

use serde_json::{Value, json};

use super::{Answer, FAST, Receiver, gauge, send, start, wait_for_gauge};
use crate::daemon::Pawl;
use crate::daemon::form::{Form, on_both_forms};
use crate::poll::wait_until;

on_both_forms!(
    what_is_refused_for_the_horizon_stops_and_a_person_is_asked,
    what_a_person_passes_over_is_never_delivered_and_the_rest_is,
    a_sink_that_is_gone_is_disabled_until_a_person_says_otherwise,
    a_sink_that_was_taken_out_collects_until_it_is_removed,
);

const HORIZON: &str = "[sink.books.retry]\nfirst_secs = 1\ncap_secs = 1\nhorizon_secs = 3600\n";

async fn attention(pawl: &Pawl, id: &str) -> Vec<Value> {
    pawl.order(id).await["attention"].as_array().unwrap().clone()
}

/// An order whose first notice is refused for longer than the horizon.
async fn give_up(form: Form) -> (Receiver, Pawl) {
    let receiver = Receiver::start(|body, _| match body["subject"].as_str().unwrap() {
        "bad" => Answer::Status(422),
        _ => Answer::Status(200),
    })
    .await;
    let pawl = start(form, &receiver, HORIZON).await;
    send(&pawl, "bad", "processing").await;
    wait_until(|| receiver.heard().len() >= 2, || "never tried twice".to_owned()).await;
    assert!(attention(&pawl, "bad").await.is_empty(), "it is tried for an hour");
    pawl.clock.step_secs(3601);
    wait_for_gauge(&pawl, "pawl_outbox_stopped_orders", |count| count == 1.0).await;
    (receiver, pawl)
}

async fn what_is_refused_for_the_horizon_stops_and_a_person_is_asked(form: Form) {
    let (receiver, pawl) = give_up(form).await;
    let waiting = attention(&pawl, "bad").await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (&waiting[0]["code"], &waiting[0]["key"]),
        (&"sink_stopped".into(), &"sink=books".into())
    );
    let text = waiting[0]["text"].as_str().unwrap();
    assert!(text.contains("422") && text.contains("pawl sink resume books"), "{text}");
    let listed = pawl.get("/api/v1/attention?code=sink_stopped").await.json();
    assert_eq!(listed["items"][0]["order_id"], "bad");
    assert_eq!(listed["items"][0]["actions"][0]["resume"], "books", "{listed}");
    let dismiss = json!({ "by": "ann", "why": "?", "dismiss": ["sink=books"] });
    let answer = pawl.post("/api/v1/orders/shop/bad/resolve", &dismiss.to_string()).await;
    assert!(matches!(answer.status, 409 | 422), "it is no matter of the order: {}", answer.body);
    // News is decided all the same; it waits behind what is given up, and keeps the question open.
    send(&pawl, "bad", "completed").await;
    send(&pawl, "good", "completed").await;
    receiver.wait_for("good", 2).await;
    let heard = receiver.heard().iter().filter(|heard| heard.order() == "bad").count();
    assert_eq!(attention(&pawl, "bad").await.len(), 1);
    let list = pawl.get("/api/v1/orders?attention=true").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let sinks = pawl.get("/api/v1/sinks").await.json();
    assert_eq!(sinks["items"][0]["orders_given_up"], 1);
    assert_eq!(sinks["items"][0]["given_up"][0]["seq"], 1);
    assert_eq!(receiver.heard().iter().filter(|h| h.order() == "bad").count(), heard);
    receiver.answer(|_, _| Answer::Status(200));
    let body = json!({ "by": "ann", "why": "the receiver is mended" });
    let answer = pawl.post("/api/v1/sinks/books/resume", &body.to_string()).await;
    assert_eq!(
        (answer.status, answer.json()["orders_resumed"].clone()),
        (200, 1.into()),
        "{}",
        answer.body
    );
    receiver.wait_for("bad", 5).await;
    receiver.check_order();
    assert!(attention(&pawl, "bad").await.is_empty());
    assert_eq!(gauge(&pawl, "pawl_outbox_stopped_orders").await, 0.0);
    let list = pawl.get("/api/v1/orders?attention=true").await.json();
    assert_eq!(list["items"], json!([]));
}

async fn what_a_person_passes_over_is_never_delivered_and_the_rest_is(form: Form) {
    let (receiver, pawl) = give_up(form).await;
    let skip = |order: Value| json!({ "by": "ann", "why": "booked by hand", "order": order, "skip": true });
    let path = "/api/v1/sinks/books/resume";
    let answer = pawl.post(path, &skip(Value::Null).to_string()).await;
    assert_eq!(answer.status, 400, "not of all orders: {}", answer.body);
    receiver.answer(|body, _| match body["sequence"].as_str().unwrap() {
        "0000000001" => Answer::Status(422),
        _ => Answer::Status(200),
    });
    let order = json!({ "source": "shop", "order_id": "bad" });
    let answer = pawl.post(path, &skip(order.clone()).to_string()).await;
    assert_eq!(
        (answer.status, answer.json()["orders_resumed"].clone()),
        (200, 1.into()),
        "{}",
        answer.body
    );
    receiver.wait_for("bad", 1).await;
    assert_eq!(receiver.taken_of("bad"), ["pawl.effect.held"], "what was refused is passed over");
    assert!(attention(&pawl, "bad").await.is_empty());
    // Once is enough: nothing is given up any more, so nothing is passed over.
    let answer = pawl.post(path, &skip(order).to_string()).await;
    assert_eq!((answer.status, answer.json()["orders_resumed"].clone()), (200, 0.into()));
    let answer = pawl.post("/api/v1/sinks/other/resume", r#"{"by":"ann","why":"?"}"#).await;
    assert_eq!(answer.status, 404);
}

async fn a_sink_that_is_gone_is_disabled_until_a_person_says_otherwise(form: Form) {
    let receiver = Receiver::start(|_, _| Answer::Status(410)).await;
    let mut pawl = start(form, &receiver, FAST).await;
    send(&pawl, "w-1", "completed").await;
    wait_for_gauge(&pawl, "pawl_sink_disabled", |disabled| disabled == 1.0).await;
    receiver.answer(|_, _| Answer::Status(200));
    send(&pawl, "w-2", "completed").await;
    pawl.restart().await;
    wait_for_gauge(&pawl, "pawl_outbox_orders", |waiting| waiting == 2.0).await;
    assert_eq!(receiver.heard().len(), 1, "nothing is told to a sink that said that it is gone");
    let sinks = pawl.get("/api/v1/sinks").await.json();
    assert!(sinks["items"][0]["disabled"]["reason"].as_str().unwrap().contains("410"), "{sinks}");
    let answer =
        pawl.post("/api/v1/sinks/books/resume", r#"{"by":"ann","why":"it is back"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for id in ["w-1", "w-2"] {
        receiver.wait_for(id, 2).await;
    }
}

async fn a_sink_that_was_taken_out_collects_until_it_is_removed(form: Form) {
    let receiver = Receiver::willing().await;
    let own = crate::daemon::form::Own::new(form).await;
    let (without, with) = (own.config(""), own.config(&receiver.sink("books", "")));
    let mut pawl = Pawl::start_by(own, with).await;
    send(&pawl, "w-1", "new").await;
    receiver.wait_for("w-1", 1).await;
    let remove = r#"{"by":"ann","why":"it moved"}"#;
    let answer = pawl.post("/api/v1/sinks/books/remove", remove).await;
    assert_eq!(answer.status, 409, "it is in the configuration: {}", answer.body);
    pawl.restart_with(without).await;
    send(&pawl, "w-2", "new").await;
    wait_for_gauge(&pawl, "pawl_outbox_orders", |waiting| waiting == 1.0).await;
    let answer = pawl.post("/api/v1/sinks/books/remove", remove).await;
    assert_eq!(answer.status, 409, "another process may have it: {}", answer.body);
    pawl.clock.step_secs(61);
    let answer = pawl.post("/api/v1/sinks/books/remove", remove).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(pawl.get("/api/v1/sinks").await.json()["items"], json!([]));
    assert!(receiver.taken_of("w-2").is_empty());
}
