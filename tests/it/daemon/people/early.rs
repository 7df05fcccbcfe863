//! What is not known yet, what does not fit, and how long that may take.

use serde_json::json;

use super::super::form::{Form, on_both_forms};
use super::*;
use crate::poll::{Provider, Say};

on_both_forms!(
    a_registration_that_never_comes_is_told_and_comes_after_all,
    a_claim_that_the_answers_deny_is_told,
    an_order_that_is_unresolved_can_be_dismissed_and_asked_about,
    a_success_after_a_failure_is_booked_once_in_grace_and_after_it,
    an_amount_that_does_not_fit_is_accepted,
    a_currency_that_does_not_fit_is_chosen,
    an_account_that_is_not_ours_is_accepted,
);

const WAIT: &str = "unregistered = \"wait\"\namount = { withdraw = \"exact\" }\n";

fn registration(id: &str, amount: &str, currency: &str) -> String {
    format!(
        r#"{{"source":"shop","order_id":"{id}","kind":"withdraw","amount":"{amount}","currency":"{currency}"}}"#
    )
}

async fn a_registration_that_never_comes_is_told_and_comes_after_all(form: Form) {
    let pawl = Pawl::start_on(form, WAIT).await;
    tell(&pawl, &[withdrawal("e-1", "completed")]).await;
    let order = pawl.order("e-1").await;
    assert_eq!((codes(&order), &order["effects"]), (vec![], &json!([])));
    assert_eq!(order["waits"][0]["key"], "registration");
    pawl.clock.step_secs(3590);
    // Something else is judged meanwhile, by a callback of its own; this order has no news.
    tell(&pawl, &[withdrawal("e-2", "completed")]).await;
    assert_eq!(codes(&pawl.order("e-1").await), [""; 0]);
    pawl.clock.step_secs(60);
    let path = "/api/v1/attention?code=early_overdue";
    let list = pawl.wait_for(path, |list| !list["items"].as_array().unwrap().is_empty()).await;
    let [item] = &list["items"].as_array().unwrap()[..] else { panic!("{list}") };
    assert_eq!(
        (&item["order_id"], &item["key"]),
        (&json!("e-1"), &json!("early_overdue:registration"))
    );
    let text = item["text"].as_str().unwrap();
    assert!(
        text.starts_with("waiting since ") && text.ends_with("the order is not registered"),
        "{text}"
    );
    let register = &item["actions"][0]["register"];
    assert_eq!(register, &json!({ "source": "shop", "order_id": "e-1", "kind": "withdraw" }));
    assert!(pawl.get("/metrics").await.body.contains("pawl_attention{code=\"early_overdue\"} 1"));
    // It is judged once, and stays as it is.
    let told = pawl.order("e-1").await;
    pawl.clock.step_secs(60);
    tell(&pawl, &[withdrawal("e-3", "completed")]).await;
    assert_eq!(pawl.order("e-1").await["updated_at"], told["updated_at"]);
    assert_eq!(pawl.post("/api/v1/orders", &registration("e-1", "100", "USDT")).await.status, 201);
    let order = pawl.order("e-1").await;
    assert_eq!((codes(&order), &order["waits"]), (vec![], &json!([])));
    assert_eq!(moved(&order["effects"]), ["debited 101"]);
}

/// Where money waits for the provider's answer, and the answers never say what a signed callback said.
async fn a_claim_that_the_answers_deny_is_told(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("processing")).await;
    let more = "confirm = \"always\"\nearly_secs = 60\n";
    let pawl = crate::poll::start(form, &provider, more).await;
    tell(&pawl, &[withdrawal("e-4", "completed")]).await;
    provider.wait_until_asked("e-4", 1).await;
    let denied = |order: &Value| {
        let claims = order["claims"].as_array().unwrap().iter();
        claims
            .into_iter()
            .any(|claim| claim["status"] == "processing" && claim["confirmed"] == true)
    };
    let order = pawl.wait_for_order("e-4", denied).await;
    assert_eq!((codes(&order), &order["effects"]), (vec![], &json!([])));
    assert_eq!(order["held_back"][0]["keys"], json!(["unconfirmed:completed=101"]));
    pawl.clock.step_secs(61);
    let order = pawl.wait_for_order("e-4", |order| order["attention"] != json!([])).await;
    assert_eq!(codes(&order), ["early_overdue"]);
    assert!(
        order["attention"][0]["text"]
            .as_str()
            .unwrap()
            .contains("waits for the provider's own answer")
    );
    let item = &waiting(&pawl, "e-4").await[0];
    action(item, |proposal| proposal["ask"] == true);
    action(item, |proposal| proposal["accept"] == json!(["unconfirmed:completed=101"]));
    let dismiss = action(item, |proposal| proposal.get("dismiss").is_some());
    let answer = resolved(&pawl, "e-4", &dismiss).await;
    assert_eq!((codes(&answer["order"]), &answer["effects"]), (vec![], &json!([])));
    assert_eq!(answer["order"]["held_back"][0]["cause"], "early", "the money still waits");
    provider.say(|_, _| Say::Status("completed"));
    pawl.clock.step_secs(1000);
    let order = pawl.wait_for_order("e-4", |order| order["effects"] != json!([])).await;
    assert_eq!(moved(&order["effects"]), ["held 101", "debited 101", "released 101"]);
}

async fn an_order_that_is_unresolved_can_be_dismissed_and_asked_about(form: Form) {
    let short = "[source.shop.ask]\nfirst_secs = 10\ncap_secs = 10\nhorizon_secs = 20\n\
                 [source.shop.limits]\nrequests_per_second = 1000\nburst = 1000\n";
    let provider = Provider::start(|_, _| Say::Status("processing")).await;
    let pawl = crate::poll::start(form, &provider, short).await;
    pawl.register(&["e-5".to_owned()]).await;
    for asks in 1..=3 {
        pawl.clock.step_secs(12);
        provider.wait_until_asked("e-5", asks).await;
        pawl.wait_for_order("e-5", |order| {
            order["asking"]["under_way"] == false && order["status"] == "processing"
        })
        .await;
    }
    let order = pawl.wait_for_order("e-5", |order| order["asking"]["phase"] == "unresolved").await;
    assert_eq!(codes(&order), ["unresolved"]);
    let item = &waiting(&pawl, "e-5").await[0];
    let dismiss = action(item, |proposal| proposal["dismiss"] == json!(["unresolved=processing"]));
    let order = resolved(&pawl, "e-5", &dismiss).await["order"].clone();
    assert_eq!((codes(&order), &order["asking"]["phase"]), (vec![], &json!("unresolved")));
    assert_eq!((&order["status"], &order["final"]), (&json!("processing"), &json!(false)));
    let asked = provider.asked("e-5");
    let answer = resolved(&pawl, "e-5", &json!({ "ask": true })).await;
    assert_eq!(answer["order"]["asking"]["wanted"], json!(true));
    provider.wait_until_asked("e-5", asked + 1).await;
}

async fn a_success_after_a_failure_is_booked_once_in_grace_and_after_it(form: Form) {
    let pawl = start_payouts(form, "settle_after = { failed = 600 }\n").await;
    tell(&pawl, &[payout("e-6", "new"), payout("e-6", "failed")]).await;
    tell(&pawl, &[payout("e-7", "new"), payout("e-7", "failed")]).await;
    let held = pawl.order("e-6").await;
    assert_eq!(
        (&held["status"], moved(&held["effects"])),
        (&json!("failed"), vec!["held 100".to_owned()])
    );
    let text = held["held_back"][0]["text"].as_str().unwrap();
    assert_eq!(text, "`failed` must stand 600 seconds before its effects leave");
    tell(&pawl, &[payout("e-6", "paid"), payout("e-6", "failed")]).await;
    let paid = pawl.order("e-6").await;
    assert_eq!(moved(&paid["effects"]), ["held 100", "debited 100", "released 100"]);
    pawl.clock.step_secs(601);
    let left = |order: &Value| order["effects"].as_array().unwrap().len() == 2;
    let failed = pawl.wait_for("/api/v1/orders/shop/e-7", left).await;
    assert_eq!(moved(&failed["effects"]), ["held 100", "released 100"]);
    tell(&pawl, &[payout("e-7", "paid"), payout("e-7", "failed")]).await;
    let paid = pawl.order("e-7").await;
    assert_eq!((&paid["status"], &paid["final"]), (&json!("paid"), &json!(true)));
    assert_eq!(moved(&paid["effects"]), ["held 100", "released 100", "debited 100"]);
}

async fn an_amount_that_does_not_fit_is_accepted(form: Form) {
    let pawl = Pawl::start_on(form, WAIT).await;
    pawl.post("/api/v1/orders", &registration("e-8", "2000", "USDT")).await;
    tell(&pawl, &[withdrawal("e-8", "completed")]).await;
    let [item] = &waiting(&pawl, "e-8").await[..] else { panic!() };
    assert_eq!(item["text"], "100 moved on leg to, registered was exactly 2000");
    let dismissed = resolve(&pawl, "e-8", &json!({ "dismiss": [item["key"]] })).await;
    assert_eq!(dismissed.status, 422, "to dismiss it would let the money leave");
    let accept = action(item, |proposal| proposal["accept"] == json!(["amount:to=100"]));
    let answer = resolved(&pawl, "e-8", &accept).await;
    assert_eq!(moved(&answer["effects"]), ["debited 101"]);
    assert_eq!((codes(&answer["order"]), &answer["order"]["held_back"]), (vec![], &json!([])));
    // Another amount is another question.
    let other =
        withdrawal("e-8", "completed").replace(r#""amount_to":"100""#, r#""amount_to":"150""#);
    tell(&pawl, &[other]).await;
    let order = pawl.order("e-8").await;
    assert_eq!(order["attention"][0]["key"], "amount:to=150");
    assert_eq!(moved(&order["effects"]), ["debited 101"]);
}

async fn a_currency_that_does_not_fit_is_chosen(form: Form) {
    let pawl = Pawl::start_on(form, WAIT).await;
    pawl.post("/api/v1/orders", &registration("e-9", "100", "BTC")).await;
    tell(&pawl, &[withdrawal("e-9", "completed")]).await;
    let [item] = &waiting(&pawl, "e-9").await[..] else { panic!() };
    assert_eq!(
        (&item["code"], &item["held_back"][0]["cause"]),
        (&json!("mismatch"), &json!("mismatch"))
    );
    let choose = action(item, |proposal| proposal["accept"] == json!(["currency of leg to=USDT"]));
    let answer = resolved(&pawl, "e-9", &choose).await;
    assert_eq!(moved(&answer["effects"]), ["debited 101"]);
    assert_eq!(answer["effects"][0]["currency"], "USDT");
}

async fn an_account_that_is_not_ours_is_accepted(form: Form) {
    let pawl = start_payouts(form, "account = \"mine\"\n").await;
    tell(&pawl, &[payout("e-10", "new"), payout("e-10", "paid")]).await;
    let order = pawl.order("e-10").await;
    assert_eq!((&order["status"], &order["effects"]), (&json!("paid"), &json!([])));
    let [item] = &waiting(&pawl, "e-10").await[..] else { panic!() };
    assert_eq!(item["text"], "it was said to belong to the account `ours`, not to `mine`");
    let accept = action(item, |proposal| proposal["accept"] == json!(["account=ours"]));
    let answer = resolved(&pawl, "e-10", &accept).await;
    assert_eq!(moved(&answer["effects"]), ["held 100", "debited 100", "released 100"]);
}
