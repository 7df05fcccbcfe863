//! Callbacks as other providers send them, by a definition of the user's own: forms, lists, and what is
//! answered to them.

use super::form::{self, Form, on_both_forms};
use super::{Pawl, exchange, sign};

const CALLBACK: &str = r#"
[callback]
format = "form"
reply = { status = 202, body = "success" }
challenge = { query = "hub.challenge", token = "hub.verify_token" }
ignore = [{ at = "/type", is = "ping" }]
"#;

const LIST: &str = r#"
[callback]
items = "/events"
challenge = { at = "/challenge" }
"#;

const REST: &str = r#"
[callback.signature]
scheme = "hmac"
hash = "sha256"
header = "Signature"
encoding = "hex"
[event]
order_id = "/id"
status = "/status"
currency = "/currency"
[status.open]
edges = ["paid"]
[status.paid]
final = true
outcome = "succeeded"
[kind.payment]
[[kind.payment.money]]
at = ["paid"]
to.credited = "amount"
[[sample]]
name = "none"
body = '{"events":[]}'
status = "nothing"
"#;

async fn start(form: Form, callback: &str) -> Pawl {
    let own = form::Own::new(form).await;
    let folder = own.folder.path().join("providers");
    std::fs::create_dir(&folder).unwrap();
    let definition = format!("name = \"own\"\ntitle = \"Own\"\n{callback}{REST}");
    std::fs::write(folder.join("own.toml"), definition).unwrap();
    let more = format!("[providers]\ndir = \"{}\"\n", folder.display());
    let text = own.config(&more).replace("provider = \"flypay\"", "provider = \"own\"");
    Pawl::start_by(own, text).await
}

async fn post(pawl: &Pawl, body: &str, content_type: &str) -> super::Answer {
    let request = format!(
        "POST /callbacks/shop HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nsignature: {}\r\n\
         content-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        sign(body),
        body.len()
    );
    exchange(pawl.receive, &request).await
}

async fn get(pawl: &Pawl, query: &str) -> super::Answer {
    let request = format!(
        "GET /callbacks/shop{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    );
    exchange(pawl.receive, &request).await
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn a_form_is_accepted_and_answered_as_its_provider_wants(form: Form) {
    let mut pawl = start(form, CALLBACK).await;
    let answer = post(&pawl, "id=o-1&status=paid&amount=1.50&currency=EUR", FORM).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, "success"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(post(&pawl, "id=o-1&status=open", "application/json").await.status, 415);
    // A ping is accepted, kept, and is about no order; it is not lost either.
    assert_eq!(post(&pawl, "type=ping", FORM).await.status, 202);
    assert_eq!(post(&pawl, "type=ping", FORM).await.status, 202);
    let metrics = pawl.wait_until_drained().await;
    assert!(metrics.contains(r#"verdict="unchanged"} 2"#), "{metrics}");
    assert_eq!(pawl.order("o-1").await["status"], "paid");
    let orders = pawl.get("/api/v1/orders").await.json();
    assert_eq!(orders["items"].as_array().map(Vec::len), Some(1), "{orders}");
    let letters = pawl.get("/api/v1/dead-letters").await.json();
    assert_eq!(letters["items"].as_array().map(Vec::len), Some(0), "{letters}");
    pawl.stop().await;
}

async fn one_body_with_several_reports_moves_several_orders(form: Form) {
    let mut pawl = start(form, LIST).await;
    let body = r#"{"events":[{"id":"o-1","status":"paid","amount":"1","currency":"EUR"},
        {"id":"o-2","status":"open"},{"id":"o-1","status":"open"}]}"#;
    assert_eq!(post(&pawl, body, "application/json").await.status, 200);
    // The same again, and one that is half good: nothing of that one is applied.
    assert_eq!(post(&pawl, body, "application/json").await.status, 200);
    let half = r#"{"events":[{"id":"o-3","status":"paid"},{"status":"paid"}]}"#;
    assert_eq!(post(&pawl, half, "application/json").await.status, 200);
    let letters = pawl
        .wait_for("/api/v1/dead-letters", |letters| {
            letters["items"].as_array().is_some_and(|items| items.len() == 1)
        })
        .await;
    let reason = letters["items"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("report 2 of 2: "), "{reason}");
    pawl.wait_for("/api/v1/orders/shop/o-1/events", |events| {
        let repeats = events["items"].as_array().into_iter().flatten();
        repeats.map(|event| event["repeats"].as_u64().unwrap_or_default()).sum::<u64>() == 2
    })
    .await;
    assert_eq!(pawl.order("o-1").await["status"], "paid");
    assert_eq!(pawl.order("o-2").await["status"], "open");
    assert_eq!(pawl.get("/api/v1/orders/shop/o-3").await.status, 404);
    pawl.stop().await;
}

on_both_forms!(
    a_form_is_accepted_and_answered_as_its_provider_wants,
    one_body_with_several_reports_moves_several_orders,
);

#[tokio::test]
async fn a_challenge_is_answered_with_what_it_carries_and_is_not_kept() {
    let mut pawl = start(Form::Embedded, CALLBACK).await;
    let good = format!("?hub.verify_token={}&hub.challenge=11-58.x", super::SECRET);
    let answer = get(&pawl, &good).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "11-58.x"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    for (query, status) in [
        ("?hub.challenge=1158", 401),
        ("?hub.verify_token=&hub.challenge=1158", 401),
        ("?hub.verify_token=wrong&hub.challenge=1158", 401),
        (&*format!("?hub.verify_token={}", super::SECRET), 400),
        (&*format!("?hub.verify_token={}&hub.challenge=<b>", super::SECRET), 400),
        (&*format!("{good}&hub.challenge=2"), 400),
        ("", 401),
    ] {
        assert_eq!(get(&pawl, query).await.status, status, "{query}");
    }
    pawl.stop().await;

    let mut pawl = start(Form::Embedded, LIST).await;
    assert_eq!(get(&pawl, &good).await.status, 405);
    let answer = post(&pawl, r#"{"challenge":"abc"}"#, "application/json").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "abc"));
    let unsigned = "POST /callbacks/shop HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                    content-length: 19\r\n\r\n{\"challenge\":\"abc\"}";
    assert_eq!(exchange(pawl.receive, unsigned).await.status, 401);
    let metrics = pawl.get("/metrics").await.body;
    assert!(metrics.contains(r#"pawl_callbacks_total{outcome="challenge",source="shop"} 1"#));
    assert!(!metrics.contains(r#"outcome="accepted""#), "{metrics}");
    pawl.stop().await;
}
