//! Asking about many orders in one request.

use std::collections::BTreeSet;

use super::desk::{Desk, Heard, Reply, payment, reply, start_at};
use crate::daemon::form::{Form, on_both_forms};

const DEFINITION: &str = r#"
[ask]
method = "POST"
path = "/transactions/view"
body = { pageNumber = 0, filter = { requestIdentifiers = ["{order_id:number}"] } }
answer = { at = "/records/0" }

[ask.batch]
method = "POST"
path = "/transactions/view"
body = { pageNumber = 0, pageSize = 25, deep = { yes = true, part = 0.5 }, filter = { requestIdentifiers = "{order_ids:number}" } }
max = 25
items = "/records"
"#;

/// The numbers that a question asks about.
fn asked(heard: &Heard) -> Vec<u64> {
    let ids = heard.json()["filter"]["requestIdentifiers"].clone();
    ids.as_array().unwrap().iter().map(|id| id.as_u64().expect("a bare number")).collect()
}

/// Every order that is asked about, as a number, but some as something else.
fn answer(heard: &Heard, other: impl Fn(u64) -> Option<String>) -> Reply {
    let record = |id: &u64| {
        let usual = payment(&id.to_string(), "paid").replace(&format!("\"{id}\""), &id.to_string());
        other(*id).unwrap_or(usual)
    };
    let records: Vec<String> = asked(heard).iter().map(record).filter(|r| !r.is_empty()).collect();
    reply(200, format!(r#"{{"pageNumber":0,"records":[{}]}}"#, records.join(",")))
}

fn ids(from: u64, to: u64) -> Vec<String> {
    (from..to).map(|id| id.to_string()).collect()
}

/// Nothing is due before the clock is put forward; then all is, at once.
const LATE: &str = "[source.shop.ask]\nfirst_secs = 60\n";

on_both_forms!(
    many_orders_are_asked_about_in_few_requests,
    what_is_wrong_with_one_order_is_nothing_to_the_others,
    one_error_is_one_failure_of_all_of_them,
);

async fn many_orders_are_asked_about_in_few_requests(form: Form) {
    let desk = Desk::start(|heard| answer(heard, |_| None)).await;
    let pawl = start_at(form, &desk, DEFINITION, LATE).await;
    pawl.register_payments(&ids(1000, 1060)).await;
    assert_eq!(desk.heard("/transactions/view").len(), 0, "nothing is due yet");
    pawl.clock.step_secs(100);
    for id in ids(1000, 1060) {
        let order = pawl.wait_for_order(&id, |order| order["final"] == true).await;
        assert_eq!(order["effects"].as_array().unwrap().len(), 1, "{order:#}");
        let order = pawl.wait_until_asked_about(&id).await;
        assert_eq!(order["asking"]["outcome"], "answered");
        let events = pawl.events(&id).await;
        assert_eq!(events[1]["origin"], "answer", "{events:#?}");
    }
    let heard = desk.heard("/transactions/view");
    let counts: Vec<usize> = heard.iter().map(|heard| asked(heard).len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 60, "each order once: {counts:?}");
    assert_eq!(counts.len(), 3, "no more requests than are needed: {counts:?}");
    let all: BTreeSet<u64> = heard.iter().flat_map(asked).collect();
    assert_eq!(all.len(), 60);
    let body = heard[0].json();
    assert_eq!(body["deep"], serde_json::json!({ "yes": true, "part": 0.5 }));
    assert_eq!((&body["pageNumber"], &body["pageSize"]), (&0.into(), &25.into()));
    let metrics = pawl.get("/metrics").await.body;
    let counted = "pawl_asks_total{outcome=\"answered\",source=\"shop\"} 60";
    assert!(metrics.contains(counted), "{metrics}");
}

async fn what_is_wrong_with_one_order_is_nothing_to_the_others(form: Form) {
    let desk = Desk::start(|heard| {
        answer(heard, |id| match id {
            // It means two things; it says no status; it is missing; and one that nobody asked about.
            1001 => Some(payment("1001", "paid").replace("\"amount\"", "\"amount\":9,\"amount\"")),
            1002 => Some(r#"{"id":1002}"#.to_owned()),
            1003 => Some(String::new()),
            1004 => Some(format!("{},{}", payment("1004", "paid"), payment("9999", "paid"))),
            // Twice, and both count.
            1005 => Some(format!("{},{}", payment("1005", "pending"), payment("1005", "paid"))),
            _ => None,
        })
    })
    .await;
    let pawl = start_at(form, &desk, DEFINITION, LATE).await;
    let mut all = ids(1000, 1010);
    // It has no number: it is asked about alone, and cannot be.
    all.push("p-1".to_owned());
    pawl.register_payments(&all).await;
    pawl.clock.step_secs(100);
    for id in &all {
        let order = pawl.wait_until_asked_about(id).await;
        let outcome = order["asking"]["outcome"].as_str().unwrap();
        let (what, is_paid) = match id.as_str() {
            // Its own name cannot be told either; so it, and what is not mentioned, is not known.
            "1001" | "1003" => ("stands twice", false),
            "1002" => ("there is no status", false),
            "p-1" => ("no id is known", false),
            _ => ("answered", true),
        };
        assert!(outcome.contains(what), "{id}: {outcome}");
        if is_paid {
            pawl.wait_for_order(id, |order| order["status"] == "paid").await;
        } else {
            assert_eq!(order["status"], serde_json::Value::Null);
        }
    }
    assert_eq!(pawl.get("/api/v1/orders/shop/9999").await.status, 404, "nobody asked about it");
    assert_eq!(pawl.get("/api/v1/dead-letters").await.json()["items"], serde_json::json!([]));
}

async fn one_error_is_one_failure_of_all_of_them(form: Form) {
    let desk = Desk::start(|_| reply(500, "")).await;
    let pawl = start_at(form, &desk, DEFINITION, LATE).await;
    pawl.register_payments(&ids(1000, 1010)).await;
    pawl.clock.step_secs(100);
    for id in ids(1000, 1010) {
        let order = pawl.wait_until_asked_about(&id).await;
        let outcome = order["asking"]["outcome"].as_str().unwrap();
        assert!(outcome.contains("it answered 500"), "{outcome}");
    }
    desk.say(|heard| answer(heard, |_| None));
    pawl.clock.step_secs(1500);
    for id in ids(1000, 1010) {
        pawl.wait_for_order(&id, |order| order["final"] == true).await;
    }
}

#[tokio::test]
async fn who_is_not_mentioned_is_not_known_where_the_definition_says_so() {
    let missing = |id| (id == 1003).then(String::new);
    let desk = Desk::start(move |heard| answer(heard, missing)).await;
    for (definition, what) in [
        (DEFINITION.to_owned(), "the answer does not mention the order"),
        (format!("{DEFINITION}missing = \"not_found\"\n"), "the provider knows no such order"),
    ] {
        let pawl = start_at(Form::Embedded, &desk, &definition, LATE).await;
        pawl.register_payments(&ids(1000, 1005)).await;
        pawl.clock.step_secs(100);
        let order = pawl.wait_until_asked_about("1003").await;
        let outcome = order["asking"]["outcome"].as_str().unwrap();
        assert!(outcome.contains(what), "{outcome}");
    }
}
