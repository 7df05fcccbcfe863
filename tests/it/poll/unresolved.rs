//! Orders that stay open although the provider answers, or that it does not know.

use super::{Provider, Say, start};
use crate::daemon::form::{Form, on_both_forms};
use crate::daemon::{Pawl, withdrawal};

on_both_forms!(
    an_order_that_stays_open_asks_for_a_person_and_is_never_invented_closed,
    an_order_that_the_provider_never_heard_of_is_found_once_it_has,
    an_outage_of_any_length_leaves_no_order_unresolved,
);

/// Four answers fill the horizon; and the provider may be asked as often as the clock is put forward.
const SHORT: &str = "[source.shop.ask]\nfirst_secs = 10\ncap_secs = 10\nhorizon_secs = 40\n\
                     [source.shop.limits]\nrequests_per_second = 1000\nburst = 1000\n";

/// Puts the clock forward until it was asked about an order so often.
async fn pass(pawl: &Pawl, provider: &Provider, id: &str, asks: usize) {
    for _ in 0..asks {
        let before = provider.asked(id);
        pawl.clock.step_secs(12);
        provider.wait_until_asked(id, before + 1).await;
        pawl.wait_for_order(id, |order| order["asking"]["under_way"] == false).await;
    }
}

async fn an_order_that_stays_open_asks_for_a_person_and_is_never_invented_closed(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("processing")).await;
    let pawl = start(form, &provider, SHORT).await;
    pawl.register(&["wd-1".to_owned()]).await;
    // The first answer is news, and the horizon begins with it.
    pass(&pawl, &provider, "wd-1", 1).await;
    pawl.wait_for_order("wd-1", |order| order["status"] == "processing").await;
    for answers in 1..4 {
        pass(&pawl, &provider, "wd-1", 1).await;
        let order = pawl
            .wait_for_order("wd-1", |order| order["asking"]["answers_since_move"] == answers)
            .await;
        assert_eq!(order["attention"], serde_json::json!([]));
    }
    pass(&pawl, &provider, "wd-1", 1).await;
    let order = pawl.wait_for_order("wd-1", |order| order["asking"]["phase"] == "unresolved").await;
    assert_eq!((&order["status"], &order["final"]), (&"processing".into(), &false.into()));
    assert_eq!(order["attention"][0]["code"], "unresolved");
    let metrics = pawl.get("/metrics").await.body;
    assert!(metrics.contains("pawl_attention{code=\"unresolved\"} 1"), "{metrics}");
    // A day later it is asked about again; the same answer changes nothing.
    let asked = provider.asked("wd-1");
    pawl.clock.step_secs(86_400 + 10_000);
    provider.wait_until_asked("wd-1", asked + 1).await;
    let order =
        pawl.wait_for_order("wd-1", |order| order["asking"]["answers_since_move"] == 1).await;
    assert_eq!(order["attention"][0]["code"], "unresolved");
    // Any word ends it.
    assert_eq!(pawl.send(&withdrawal("wd-1", "completed")).await.status, 200);
    let order = pawl.wait_for_order("wd-1", |order| order["final"] == true).await;
    assert_eq!(
        (&order["attention"], &order["asking"]["phase"]),
        (&serde_json::json!([]), &"closed".into())
    );
}

async fn an_order_that_the_provider_never_heard_of_is_found_once_it_has(form: Form) {
    let provider = Provider::start(|_, _| Say::status(404)).await;
    let pawl = start(form, &provider, SHORT).await;
    pawl.register(&["wd-1".to_owned()]).await;
    pass(&pawl, &provider, "wd-1", 3).await;
    let order = pawl.order("wd-1").await;
    assert_eq!((&order["status"], &order["final"]), (&serde_json::Value::Null, &false.into()));
    assert_eq!(order["asking"]["outcome"], "the provider knows no such order");
    assert_eq!(order["attention"], serde_json::json!([]));
    pass(&pawl, &provider, "wd-1", 1).await;
    let order = pawl.wait_for_order("wd-1", |order| order["asking"]["phase"] == "unresolved").await;
    assert_eq!(order["attention"][0]["code"], "unresolved");
    assert_eq!(order["effects"], serde_json::json!([]));
    // It was created after all.
    provider.say(|_, _| Say::Status("processing"));
    pawl.clock.step_secs(86_400 + 10_000);
    let order = pawl.wait_for_order("wd-1", |order| order["status"] == "processing").await;
    assert_eq!(
        (&order["attention"], &order["asking"]["phase"]),
        (&serde_json::json!([]), &"open".into())
    );
}

async fn an_outage_of_any_length_leaves_no_order_unresolved(form: Form) {
    let provider = Provider::start(|_, _| Say::status(500)).await;
    let pawl = start(form, &provider, SHORT).await;
    pawl.register(&["wd-1".to_owned()]).await;
    for _ in 0..12 {
        // Long enough for any pause of the source.
        let before = provider.asked("wd-1");
        pawl.clock.step_secs(400);
        provider.wait_until_asked("wd-1", before + 1).await;
        pawl.wait_for_order("wd-1", |order| order["asking"]["under_way"] == false).await;
    }
    let order = pawl.order("wd-1").await;
    assert_eq!(order["asking"]["phase"], "open");
    assert_eq!(order["asking"]["answers_since_move"], 0);
    assert_eq!(order["attention"], serde_json::json!([]));
    provider.say(|_, _| Say::Status("completed"));
    pawl.clock.step_secs(400);
    pawl.wait_for_order("wd-1", |order| order["status"] == "completed").await;
}
