//! What a notice says, and how it is signed.

use axum::http::HeaderMap;

use super::{Answer, FAST, Receiver, send, start};
use crate::daemon::form::{Form, on_both_forms};
use crate::daemon::{Pawl, SINK_SECRET, SINK_SECRET_2};

on_both_forms!(
    what_moves_an_order_is_told_with_its_effects,
    an_attempt_that_comes_again_has_the_same_identity,
    while_secrets_change_either_verifies,
    a_sink_gets_what_it_wants_and_nothing_else,
    what_waits_for_a_person_is_told_and_that_it_does_no_more,
);

async fn what_moves_an_order_is_told_with_its_effects(form: Form) {
    let receiver = Receiver::willing().await;
    let pawl = start(form, &receiver, "").await;
    send(&pawl, "w-1", "processing").await;
    receiver.wait_for("w-1", 2).await;
    send(&pawl, "w-1", "completed").await;
    receiver.wait_for("w-1", 5).await;
    assert_eq!(
        receiver.taken_of("w-1"),
        [
            "pawl.order.changed",
            "pawl.effect.held",
            "pawl.order.changed",
            "pawl.effect.debited",
            "pawl.effect.released"
        ],
        "a debit leaves before the release that makes the held money available again"
    );
    let taken = receiver.taken();
    let seqs: Vec<u64> = taken.iter().map(super::Heard::seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let order = pawl.order("w-1").await;
    let debited = &taken[3].body;
    assert_eq!(debited["specversion"], "1.0");
    assert_eq!(debited["datacontenttype"], "application/json");
    assert_eq!(debited["source"], "/pawl/shop");
    let data = &debited["data"];
    assert_eq!((&data["order_key"], &data["order_id"]), (&order["key"], &order["order_id"]));
    assert_eq!((&data["kind"], &data["status"]), (&order["kind"], &order["status"]));
    assert_eq!((&data["leg"], &data["counter"]), (&"to".into(), &"debited".into()));
    assert_eq!(
        (&data["from"], &data["to"], &data["amount"]),
        (&"0".into(), &"101".into(), &"101".into())
    );
    assert_eq!(data["currency"], "USDT");
    // The effect's identity is that of the store, and never another.
    let effects = order["effects"].as_array().unwrap();
    let told: Vec<&str> = [1, 3, 4].iter().map(|at| taken[*at].id()).collect();
    let kept: Vec<&str> = effects.iter().map(|effect| effect["id"].as_str().unwrap()).collect();
    assert_eq!(told, kept);
    let changed = &taken[2].body["data"];
    assert_eq!(changed["final"], true);
    assert_eq!(changed["moves"][0]["from"][0], "processing");
    assert_eq!(changed["moves"][0]["to"][0], "completed");
    let path = "/api/v1/orders/shop/w-1";
    pawl.wait_for(path, |order| order["undelivered"] == serde_json::json!([])).await;
    for heard in receiver.heard() {
        verify(SINK_SECRET, &heard.raw, &heard.headers).unwrap();
        assert_eq!(heard.headers["content-type"], "application/cloudevents+json; charset=utf-8");
    }
}

/// Verifies with the library of those who wrote the specification.
fn verify(secret: &str, body: &[u8], headers: &HeaderMap) -> Result<(), String> {
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    webhook.verify(body, headers).map_err(|error| error.to_string())
}

async fn an_attempt_that_comes_again_has_the_same_identity(form: Form) {
    let receiver =
        Receiver::start(|_, before| Answer::Status([500, 404, 200][before.min(2)])).await;
    let pawl = start(form, &receiver, FAST).await;
    send(&pawl, "w-1", "new").await;
    receiver.wait_for("w-1", 1).await;
    let heard: Vec<_> = receiver.heard().into_iter().filter(|heard| heard.seq() == 1).collect();
    assert_eq!(heard.len(), 3);
    for again in &heard {
        assert_eq!(again.raw, heard[0].raw, "byte for byte");
        assert_eq!(again.headers["webhook-id"], heard[0].id());
        verify(SINK_SECRET, &again.raw, &again.headers).unwrap();
    }
    assert_ne!(
        heard[0].headers["webhook-timestamp"], heard[2].headers["webhook-timestamp"],
        "each attempt has its own time"
    );
}

async fn while_secrets_change_either_verifies(form: Form) {
    let receiver = Receiver::willing().await;
    let more = receiver.sink("books", "").replace(
        "[{ env = \"SINK_SECRET\" }]",
        "[{ env = \"SINK_SECRET\" }, { env = \"SINK_SECRET_2\" }, \
         { env = \"SINK_SECRET\", not_after = \"2020-01-01T00:00:00Z\" }]",
    );
    let pawl = Pawl::start_on(form, &more).await;
    send(&pawl, "w-1", "new").await;
    receiver.wait_for("w-1", 1).await;
    let heard = &receiver.heard()[0];
    let signatures = heard.headers["webhook-signature"].to_str().unwrap();
    assert_eq!(signatures.split(' ').count(), 2, "one for each that is good now: {signatures}");
    for secret in [SINK_SECRET, SINK_SECRET_2] {
        verify(secret, &heard.raw, &heard.headers).unwrap();
    }
    let mut forged = heard.raw.clone();
    let at = forged.len() / 2;
    forged[at] ^= 1;
    assert!(verify(SINK_SECRET, &forged, &heard.headers).is_err());
}

async fn a_sink_gets_what_it_wants_and_nothing_else(form: Form) {
    let [money, changes, none] =
        [Receiver::willing().await, Receiver::willing().await, Receiver::willing().await];
    let more = [
        money.sink("money", "types = [\"pawl.effect.*\"]"),
        changes.sink("changes", "types = [\"pawl.order.changed\"]\nsources = [\"shop\"]"),
        none.sink("none", "types = []"),
    ];
    let pawl = Pawl::start_on(form, &more.concat()).await;
    for status in ["processing", "completed"] {
        send(&pawl, "w-1", status).await;
    }
    money.wait_for("w-1", 3).await;
    changes.wait_for("w-1", 1).await;
    let kinds = ["pawl.effect.held", "pawl.effect.debited", "pawl.effect.released"];
    assert_eq!(money.taken_of("w-1"), kinds);
    assert!(changes.taken_of("w-1").iter().all(|kind| kind == "pawl.order.changed"));
    assert!(none.heard().is_empty());
    pawl.wait_for("/api/v1/sinks", |sinks| {
        sinks["items"].as_array().unwrap().iter().all(|sink| sink["orders_waiting"] == 0)
    })
    .await;
}

async fn what_waits_for_a_person_is_told_and_that_it_does_no_more(form: Form) {
    let receiver = Receiver::willing().await;
    let pawl = start(form, &receiver, "types = [\"pawl.order.attention\"]").await;
    send(&pawl, "w-1", "strange").await;
    receiver.wait_for("w-1", 1).await;
    send(&pawl, "w-1", "completed").await;
    send(&pawl, "w-2", "completed").await;
    send(&pawl, "w-2", "canceled").await;
    receiver.wait_for("w-2", 1).await;
    let heard = receiver.heard();
    let begun = |at: usize| heard[at].body["data"]["begun"].clone();
    assert_eq!(begun(0)[0]["code"], "unknown_status");
    assert_eq!(heard[0].body["data"]["waiting"], 1);
    let conflict = heard.iter().find(|heard| heard.order() == "w-2").unwrap();
    assert_eq!(conflict.body["data"]["begun"][0]["code"], "conflict");
    assert_eq!(receiver.taken_of("w-1").len(), 1, "nothing new waits");
}
