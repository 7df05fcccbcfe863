//! Money after the payment: refunds, disputes, captures; and bodies that come again when nobody remembers.

use serde_json::json;

use super::super::form::{Form, on_both_forms};
use super::conflict::card;
use super::*;

on_both_forms!(
    partial_refunds_add_up_in_any_order,
    a_refund_that_fails_moves_nothing_and_the_next_one_does,
    a_chargeback_waits_for_a_person_and_moves_nothing,
    a_capture_below_the_hold_releases_all_of_it,
    an_operation_with_two_amounts_is_the_one_that_a_person_says,
    what_is_replayed_after_it_was_forgotten_moves_nothing,
);

fn refunded(id: &str, sum: &str, secs: u32) -> String {
    let body = card(id, "refunded", secs);
    body.replace("\"currency\"", &format!("\"amount_refunded\":{sum},\"currency\""))
}

async fn partial_refunds_add_up_in_any_order(form: Form) {
    let pawl = start_signed(form, "cardaq").await;
    let refunds = [("10", 100), ("30.5", 200), ("45", 300)];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut bodies = Vec::new();
    for (n, order) in orders.iter().enumerate() {
        let id = format!("m-{n}");
        bodies.push(card(&id, "paid", 1));
        // Each twice at once, and all of them once more.
        for which in order.iter().flat_map(|which| [which, which]).chain(order) {
            let (sum, secs) = refunds[*which];
            bodies.push(refunded(&id, sum, secs));
        }
    }
    for body in &bodies {
        assert_eq!(pawl.send(body).await.status, 200);
    }
    pawl.wait_until_drained().await;
    for n in 0..orders.len() {
        let order = pawl.order(&format!("m-{n}")).await;
        assert_eq!(
            order["on_the_books"],
            json!({ "to.credited": "100", "to.credit_reversed": "45" })
        );
        assert_eq!(order["tracks"], json!({ "refund": ["refunded"] }));
        let effects = moved(&order["effects"]);
        let reversed = effects.iter().filter_map(|effect| effect.strip_prefix("credit_reversed "));
        let sum: f64 = reversed.map(|amount| amount.parse::<f64>().unwrap()).sum();
        assert!((sum - 45.0).abs() < 1e-9, "{effects:?}");
        assert_eq!(codes(&order), [""; 0]);
    }
}

async fn a_refund_that_fails_moves_nothing_and_the_next_one_does(form: Form) {
    let pawl = start_signed(form, "cardaq").await;
    tell(&pawl, &[card("m-6", "paid", 1), card("m-6", "refund_initiated", 10)]).await;
    tell(&pawl, &[card("m-6", "refund_failed", 20), card("m-6", "refund_initiated", 10)]).await;
    let order = pawl.order("m-6").await;
    assert_eq!(
        (&order["status"], moved(&order["effects"])),
        (&json!("paid"), vec!["credited 100".to_owned()])
    );
    assert_eq!(order["tracks"]["refund"], json!(["refund_failed"]));
    tell(&pawl, &[card("m-6", "refund_initiated", 30), refunded("m-6", "20", 40)]).await;
    tell(&pawl, &[card("m-6", "refund_failed", 20)]).await;
    let order = pawl.order("m-6").await;
    assert_eq!(moved(&order["effects"]), ["credited 100", "credit_reversed 20"]);
    assert_eq!(order["tracks"]["refund"], json!(["refunded"]));
}

async fn a_chargeback_waits_for_a_person_and_moves_nothing(form: Form) {
    let pawl = start_signed(form, "cardaq").await;
    tell(&pawl, &[card("m-7", "chargeback", 50), card("m-7", "paid", 1)]).await;
    let order = pawl.order("m-7").await;
    assert_eq!(
        (codes(&order), moved(&order["effects"])),
        (vec!["judgement"], vec!["credited 100".to_owned()])
    );
    let item = &waiting(&pawl, "m-7").await[0];
    let accept = json!({ "accept": [item["key"]] });
    assert_eq!(resolve(&pawl, "m-7", &accept).await.status, 422);
    let dismiss = action(item, |proposal| proposal["dismiss"] == json!(["judgement:chargeback"]));
    let answer = resolved(&pawl, "m-7", &dismiss).await;
    assert_eq!((codes(&answer["order"]), &answer["effects"]), (vec![], &json!([])));
    assert_eq!(answer["reason"], "taken note of: nothing moves by it");
    tell(&pawl, &[card("m-7", "chargeback", 50)]).await;
    assert_eq!(codes(&pawl.order("m-7").await), [""; 0], "it is known");
    tell(&pawl, &[card("m-7", "arbitration", 90)]).await;
    assert_eq!(codes(&pawl.order("m-7").await), ["judgement"], "this is another thing");
}

async fn a_capture_below_the_hold_releases_all_of_it(form: Form) {
    let pawl = Pawl::start_on(form, "").await;
    let part = withdrawal("m-8", "completed_partially")
        .replace(r#""amount_to":"100""#, r#""amount_to":"60""#);
    tell(&pawl, &[withdrawal("m-8", "new"), part.clone(), withdrawal("m-8", "new"), part]).await;
    let order = pawl.order("m-8").await;
    assert_eq!((&order["status"], &order["final"]), (&json!("completed_partially"), &json!(true)));
    assert_eq!(moved(&order["effects"]), ["held 101", "debited 61", "released 101"]);
}

fn settled(order: &str, value: &str) -> String {
    format!(
        r#"{{"operation":"SETTLE","authorisationId":"a-{order}","transactionId":"t-{order}","amount":{{"value":{value},"currencyCode":"GBP"}}}}"#
    )
}

async fn an_operation_with_two_amounts_is_the_one_that_a_person_says(form: Form) {
    let pawl = start_signed(form, "newday").await;
    for (order, stays, leaves) in
        [("o-1", "40", &[][..]), ("o-2", "41", &["debited 1", "released 1"])]
    {
        let authorised = format!(
            r#"{{"operation":"AUTHORISE","orderReference":"{order}","authorisationId":"a-{order}","result":"Authorised","amount":{{"value":100,"currencyCode":"GBP"}}}}"#
        );
        tell(&pawl, &[authorised, settled(order, "40"), settled(order, "41")]).await;
        let items = waiting(&pawl, order).await;
        let [item] = &items[..] else { panic!("{items:?}") };
        assert_eq!(item["code"], "conflict");
        let claims = item["claims"].as_array().unwrap();
        let amounts: Vec<_> = claims.iter().map(|claim| claim["amounts"].to_string()).collect();
        assert_eq!(amounts.len(), 2, "{item}");
        let lost = if stays == "40" { "41" } else { "40" };
        let choose = action(item, |proposal| {
            let versions = proposal["overrule_operations"].as_array();
            versions.is_some_and(|all| all.iter().any(|v| v["amounts"].to_string().contains(lost)))
        });
        let answer = resolved(&pawl, order, &choose).await;
        assert_eq!(moved(&answer["effects"]), leaves);
        let overruled = &answer["order"]["overruled"][0];
        assert_eq!(
            (&overruled["id"], &overruled["by"]),
            (&json!(format!("t-{order}")), &json!("ada"))
        );
        tell(&pawl, &[settled(order, lost)]).await;
        let after = pawl.order(order).await;
        assert_eq!((codes(&after), &after["held_back"]), (vec![], &json!([])));
        assert_eq!(after["on_the_books"]["to.debited"], stays);
    }
}

/// Every event row is gone, as it will be one day; the joined state still knows better.
async fn what_is_replayed_after_it_was_forgotten_moves_nothing(form: Form) {
    let pawl = Pawl::start_on(form, "").await;
    let plain = ["new", "processing", "completed"].map(|status| withdrawal("m-9", status));
    let odd = ["new", "completed", "canceled"].map(|status| withdrawal("m-10", status));
    tell(&pawl, &[&plain[..], &odd].concat()).await;
    let overruled =
        json!({ "overrule": ["completed"], "compensate": { "to.debit_reversed": "101" } });
    resolved(&pawl, "m-10", &overruled).await;
    let stands = |order: &Value| {
        let keys =
            ["status", "final", "effects", "on_the_books", "attention", "held_back", "claims"];
        keys.map(|key| order[key].clone())
    };
    let before = [stands(&pawl.order("m-9").await), stands(&pawl.order("m-10").await)];
    assert_eq!(moved(&before[0][2]), ["held 101", "debited 101", "released 101"]);
    forget_events(&pawl.own).await;
    assert!(pawl.events("m-9").await.is_empty());
    for _ in 0..2 {
        tell(&pawl, &[&odd[..], &plain].concat()).await;
        let after = [stands(&pawl.order("m-9").await), stands(&pawl.order("m-10").await)];
        assert_eq!(after, before);
    }
    let verdicts: Vec<_> =
        pawl.events("m-9").await.iter().map(|event| event["verdict"].clone()).collect();
    assert!(
        verdicts.iter().all(|verdict| verdict == "stale" || verdict == "unchanged"),
        "{verdicts:?}"
    );
    // Nor is what a person had made up for made up for once more.
    let again = resolve(&pawl, "m-10", &overruled).await;
    assert_eq!(again.json()["result"], "unchanged", "{}", again.body);
    assert_eq!(again.json()["effects"], json!([]));
    assert_eq!(stands(&pawl.order("m-10").await), before[1]);
}
