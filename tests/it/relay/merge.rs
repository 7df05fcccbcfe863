//! Two orders that turn out to be one: what is left of the one is told before what follows.

use serde_json::json;

use super::{Answer, FAST, Receiver, start};
use crate::daemon::form::{Form, on_both_forms};
use crate::poll::wait_until;

on_both_forms!(what_is_left_of_an_order_is_told_before_what_follows_of_the_one_that_it_is);

async fn what_is_left_of_an_order_is_told_before_what_follows_of_the_one_that_it_is(form: Form) {
    let receiver = Receiver::start(|_, _| Answer::Status(503)).await;
    let pawl = start(form, &receiver, FAST).await;
    // By the provider's id alone, and by the integrator's alone.
    let callback = |ids: &str, status: &str| {
        format!(
            r#"{{"order_uuid":{ids},"order_type":"withdraw","currency_to":"usdt","expected_amount_to":"100","amount_to_fee":"1","status":"{status}","updated_at":"2025-11-20 09:00:01","amount_to":"100"}}"#
        )
    };
    let register = json!({ "source": "shop", "order_id": "mine", "kind": "withdraw", "amount": "100", "currency": "usdt" });
    for body in [callback("\"theirs\"", "processing")] {
        assert_eq!(pawl.send(&body).await.status, 200);
    }
    let answer = pawl.post("/api/v1/orders", &register.to_string()).await;
    assert!(answer.status < 300, "{}", answer.body);
    pawl.wait_for("/api/v1/orders/shop/theirs", |order| order["status"] == "processing").await;
    let keys = [pawl.order("theirs").await["key"].clone(), pawl.order("mine").await["key"].clone()];
    assert_ne!(keys[0], keys[1]);
    let both = r#""theirs","user_order_id":"mine""#;
    assert_eq!(pawl.send(&callback(both, "completed")).await.status, 200);
    pawl.wait_for("/api/v1/orders/shop/mine", |order| order["status"] == "completed").await;
    let order = pawl.order("theirs").await;
    let stays = order["key"].as_str().unwrap().to_owned();
    receiver.answer(|_, _| Answer::Status(200));
    wait_until(
        || receiver.taken().iter().any(|heard| heard.kind() == "pawl.effect.released"),
        || format!("{:?}", receiver.taken().len()),
    )
    .await;
    receiver.check_order();
    let taken = receiver.taken();
    let of = |heard: &super::Heard| heard.body["data"]["order_key"].as_str().unwrap().to_owned();
    let held = taken.iter().position(|heard| heard.kind() == "pawl.effect.held").unwrap();
    let debited = taken.iter().position(|heard| heard.kind() == "pawl.effect.debited").unwrap();
    assert!(held < debited, "the hold was there first, under whichever key");
    assert_eq!(of(&taken[debited]), stays);
    assert!(taken.iter().filter(|heard| heard.kind() == "pawl.effect.held").count() == 1);
}
