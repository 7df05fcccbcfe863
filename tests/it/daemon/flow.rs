//! A signed callback becomes an order that only moves forward.

use pawl::order::report::Content;

use super::form::{Form, on_both_forms};
use super::{Pawl, withdrawal};

on_both_forms!(
    a_callback_sent_twice_and_an_older_one_end_in_one_truth,
    what_cannot_be_read_is_kept_with_its_bytes,
    money_waits_for_the_registration_and_moves_with_it,
    a_cheaper_payment_than_agreed_moves_no_money_and_asks_for_a_person,
    two_orders_that_turn_out_to_be_one_are_merged,
    a_failure_leaves_when_it_has_stood_long_enough,
    callbacks_of_one_batch_are_folded_in_their_order,
    everything_is_still_there_after_a_restart,
);

fn counters(order: &serde_json::Value) -> Vec<String> {
    let effects = order["effects"].as_array().unwrap().iter();
    effects
        .map(|effect| {
            format!(
                "{} {}",
                effect["counter"].as_str().unwrap(),
                effect["amount"].as_str().unwrap()
            )
        })
        .collect()
}

async fn a_callback_sent_twice_and_an_older_one_end_in_one_truth(form: Form) {
    let pawl = Pawl::start_on(form, "").await;
    let (completed, processing) =
        (withdrawal("wd-1", "completed"), withdrawal("wd-1", "processing"));
    for body in [&completed, &completed, &processing] {
        let answer = pawl.send(body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.header("pawl-callback-id").is_some());
        pawl.wait_until_drained().await;
    }
    let order = pawl.order("wd-1").await;
    assert_eq!((&order["status"], &order["final"]), (&"completed".into(), &true.into()));
    // The hold was known only from the older one; it is released at once.
    assert_eq!(counters(&order), ["debited 101", "held 101", "released 101"]);
    assert_eq!(order, pawl.order("uuid-wd-1").await, "any id of it finds it");
    let events = pawl.events("wd-1").await;
    let verdicts: Vec<_> = events.iter().map(|event| event["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["applied", "applied"]);
    let deliveries = events[0]["deliveries"].as_array().unwrap().iter();
    let deliveries: Vec<_> = deliveries.map(|d| d["verdict"].as_str().unwrap()).collect();
    assert_eq!((deliveries, &events[0]["repeats"]), (vec!["duplicate", "applied"], &1.into()));
}

async fn what_cannot_be_read_is_kept_with_its_bytes(form: Form) {
    let pawl = Pawl::start_on(form, "").await;
    let odd = ["not json", "[]", r#"{"status":"new"}"#, "\u{feff}{}", r#"{"amount":1,"amount":2}"#];
    for body in odd {
        assert_eq!(pawl.send(body).await.status, 200, "{body}");
    }
    let list = pawl
        .wait_for("/api/v1/dead-letters", |list| {
            list["items"].as_array().unwrap().len() == odd.len()
        })
        .await;
    let mut bodies = Vec::new();
    for item in list["items"].as_array().unwrap() {
        let letter =
            pawl.get(&format!("/api/v1/dead-letters/{}", item["id"].as_str().unwrap())).await;
        bodies.push(letter.json()["body"].as_str().unwrap().to_owned());
    }
    bodies.reverse();
    assert_eq!(bodies, odd, "the newest first, each as it came");
    pawl.wait_until_drained().await;
}

async fn money_waits_for_the_registration_and_moves_with_it(form: Form) {
    let pawl =
        Pawl::start_on(form, "unregistered = \"wait\"\namount = { withdraw = \"exact\" }\n").await;
    pawl.send(&withdrawal("wd-2", "completed")).await;
    let waiting =
        pawl.wait_for("/api/v1/orders/shop/wd-2", |order| order["status"] == "completed").await;
    assert_eq!(waiting["held_back"][0]["text"], "the order is not registered");
    assert!(counters(&waiting).is_empty());
    let order = r#"{"source":"shop","order_id":"wd-2","kind":"withdraw","amount":"100","currency":"USDT","booked":{"held":"101"}}"#;
    let created = pawl.post("/api/v1/orders", order).await;
    assert_eq!((created.status, &created.json()["result"]), (201, &"created".into()));
    let known = pawl.order("wd-2").await;
    assert_eq!(counters(&known), ["debited 101", "released 101"], "the hold is its own");
    let again = pawl.post("/api/v1/orders", order).await;
    assert_eq!((again.status, &again.json()["result"]), (200, &"unchanged".into()));
    let known = pawl.order("wd-2").await;
    let other = pawl.post("/api/v1/orders", &order.replace("\"100\"", "\"99\"")).await;
    assert_eq!(other.status, 409);
    assert_eq!(pawl.order("wd-2").await, known, "a conflicting registration changes nothing");
}

async fn a_cheaper_payment_than_agreed_moves_no_money_and_asks_for_a_person(form: Form) {
    let pawl =
        Pawl::start_on(form, "unregistered = \"wait\"\namount = { withdraw = \"exact\" }\n").await;
    let order = r#"{"source":"shop","order_id":"wd-3","kind":"withdraw","amount":"2000","currency":"USDT"}"#;
    pawl.post("/api/v1/orders", order).await;
    pawl.send(&withdrawal("wd-3", "completed")).await;
    let path = "/api/v1/orders?attention=true";
    pawl.wait_for(path, |list| list["items"].as_array().unwrap().len() == 1).await;
    let order = pawl.order("wd-3").await;
    assert_eq!(order["attention"][0]["code"], "mismatch");
    assert!(counters(&order).is_empty());
    assert!(pawl.get("/metrics").await.body.contains("pawl_attention{code=\"mismatch\"} 1"));
}

async fn two_orders_that_turn_out_to_be_one_are_merged(form: Form) {
    let pawl = Pawl::start_on(form, "").await;
    let only = |id: &str, name: &str| {
        withdrawal(id, "processing").replace(&format!("\"{name}\":"), &format!("\"x{name}\":"))
    };
    // One report knows the merchant's id, one the provider's, and a third knows both.
    pawl.send(&only("wd-4", "order_uuid")).await;
    pawl.wait_until_drained().await;
    pawl.send(&only("wd-4", "user_order_id").replace("processing", "new")).await;
    pawl.wait_until_drained().await;
    let (one, other) = (pawl.order("wd-4").await, pawl.order("uuid-wd-4").await);
    assert_ne!(one["key"], other["key"]);
    pawl.send(&withdrawal("wd-4", "completed")).await;
    pawl.wait_until_drained().await;
    let merged = pawl.order("wd-4").await;
    assert_eq!(merged["key"], one["key"], "the older one stays");
    assert_eq!(merged, pawl.order("uuid-wd-4").await);
    assert_eq!(pawl.events("wd-4").await.len(), 3);
    // Both had issued their hold: a person must look.
    assert_eq!(merged["attention"][0]["code"], "identity");
    assert_eq!(pawl.get("/api/v1/orders").await.json()["items"].as_array().unwrap().len(), 1);
    // Later news finds it by either id.
    pawl.send(&only("wd-4", "order_uuid").replace("processing", "new")).await;
    pawl.wait_until_drained().await;
    assert_eq!(pawl.events("uuid-wd-4").await.len(), 3);
}

async fn a_failure_leaves_when_it_has_stood_long_enough(form: Form) {
    // FlyPay's failures are final, so nothing can follow them; `new` can be followed.
    let pawl = Pawl::start_on(form, "settle_after = { new = 600 }\n").await;
    pawl.send(&withdrawal("wd-5", "new")).await;
    let held = pawl.wait_for("/api/v1/orders/shop/wd-5", |order| order["status"] == "new").await;
    assert!(counters(&held).is_empty());
    assert!(!held["held_back"][0]["until"].is_null());
    pawl.clock.step_secs(601);
    let path = "/api/v1/orders/shop/wd-5";
    let left = pawl.wait_for(path, |order| !order["effects"].as_array().unwrap().is_empty()).await;
    assert_eq!(counters(&left), ["held 101"]);
}

async fn callbacks_of_one_batch_are_folded_in_their_order(form: Form) {
    let pawl = Pawl::start_on(form, "[work]\nlinger_ms = 50\n").await;
    let bodies: Vec<String> = ["new", "processing", "completed", "new", "completed"]
        .iter()
        .flat_map(|status| (0..8).map(move |n| withdrawal(&format!("b-{n}"), status)))
        .collect();
    let sent = bodies.iter().map(|body| pawl.send(body));
    for answer in futures(sent).await {
        assert_eq!(answer.status, 200);
    }
    pawl.wait_until_drained().await;
    for n in 0..8 {
        let order = pawl.order(&format!("b-{n}")).await;
        assert_eq!(order["status"], "completed");
        let mut totals = counters(&order);
        totals.sort();
        assert_eq!(totals, ["debited 101", "held 101", "released 101"]);
        let repeats: i64 = pawl
            .events(&format!("b-{n}"))
            .await
            .iter()
            .map(|e| e["repeats"].as_i64().unwrap())
            .sum();
        assert_eq!(repeats, 2);
    }
}

/// Runs them all at once.
async fn futures<F: Future<Output = super::Answer>>(
    all: impl Iterator<Item = F>,
) -> Vec<super::Answer> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        running.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers
}

async fn everything_is_still_there_after_a_restart(form: Form) {
    let mut pawl = Pawl::start_on(form, "").await;
    pawl.send(&withdrawal("wd-6", "completed")).await;
    pawl.wait_until_drained().await;
    let (order, events) = (pawl.order("wd-6").await, pawl.events("wd-6").await);
    pawl.restart().await;
    assert_eq!((pawl.order("wd-6").await, pawl.events("wd-6").await), (order, events));
    // The stored report can be read again as what it was.
    let report = serde_json::json!({ "said": { "status": "x" } });
    assert!(matches!(serde_json::from_value::<Content>(report), Ok(Content::Said(_))));
}
