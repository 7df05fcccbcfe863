//! Statuses that contradict each other, and which of them a person lets stand.

use serde_json::{Value, json};

use super::super::form::{Form, on_both_forms};
use super::*;

on_both_forms!(
    either_side_of_a_conflict_may_stand_and_the_loser_stays_overruled,
    a_report_ahead_of_the_loser_is_a_conflict_again,
    a_status_that_may_come_again_is_overruled_as_far_as_it_was_claimed,
);

/// Both orders of arrival, and both ends. The books follow the status that stands.
async fn either_side_of_a_conflict_may_stand_and_the_loser_stays_overruled(form: Form) {
    let pawl = Pawl::start_on(form, "").await;
    for (first, second, stays, left, leaves) in [
        (
            "completed",
            "canceled",
            "completed",
            &["held 101", "debited 101", "released 101"][..],
            &[][..],
        ),
        (
            "completed",
            "canceled",
            "canceled",
            &["held 101", "debited 101", "released 101"],
            &["debit_reversed 101"],
        ),
        ("canceled", "completed", "completed", &["held 101", "released 101"], &["debited 101"]),
        ("canceled", "completed", "canceled", &["held 101", "released 101"], &[]),
    ] {
        let id = format!("{first}-{stays}");
        let bodies = ["new", first, second].map(|status| withdrawal(&id, status));
        tell(&pawl, &bodies).await;
        let before = pawl.order(&id).await;
        assert_eq!(before["conflict"], json!(["canceled", "completed"]));
        assert_eq!(moved(&before["effects"]), left, "{id}: a conflict moves nothing");
        let [item] = &waiting(&pawl, &id).await[..] else { panic!() };
        assert_eq!((&item["code"], &item["kind"]), (&json!("conflict"), &json!("withdraw")));
        let claims: Vec<_> = item["claims"].as_array().unwrap().iter().collect();
        assert_eq!([&claims[0]["status"], &claims[1]["status"]], ["canceled", "completed"]);
        for claim in &claims {
            assert_eq!(claim["time"], "2025-11-20T09:00:01.000000Z");
            assert_eq!((&claim["confirmed"], &claim["overruled"]), (&json!(false), &json!(false)));
            assert!(claim["received_at"].is_string());
        }
        let lost = if stays == first { second } else { first };
        let proposal = action(item, |proposal| proposal["overrule"] == json!([lost]));
        let answer = resolved(&pawl, &id, &proposal).await;
        assert_eq!(moved(&answer["effects"]), leaves, "{id}");
        check(&answer["order"], stays, &[left, leaves].concat(), lost);
        assert_eq!(pawl.order(&id).await, answer["order"], "{id}");
        // It comes again as it was, and once more with another time.
        let again = withdrawal(&id, lost);
        tell(&pawl, &[again.clone(), again.replace("09:00:01", "09:30:00")]).await;
        check(&pawl.order(&id).await, stays, &[left, leaves].concat(), lost);
        assert!(waiting(&pawl, &id).await.is_empty());
    }
    assert_eq!(pawl.get("/api/v1/attention").await.json()["items"], json!([]));
}

fn check(order: &Value, status: &str, effects: &[&str], lost: &str) {
    assert_eq!((&order["status"], &order["final"]), (&json!(status), &json!(true)), "{order}");
    assert_eq!(moved(&order["effects"]), effects);
    assert_eq!((&order["attention"], &order["held_back"]), (&json!([]), &json!([])));
    let [overruled] = &order["overruled"].as_array().unwrap()[..] else { panic!("{order}") };
    assert_eq!((&overruled["status"], &overruled["for_good"]), (&json!(lost), &json!(true)));
    assert_eq!((&overruled["by"], &overruled["why"]), (&json!("ada"), &json!("the bank says so")));
    assert!(overruled["at"].is_string());
}

pub(super) fn card(id: &str, status: &str, secs: u32) -> String {
    format!(
        r#"{{"id":"c-{id}","number":"{id}","type":"order","is_test":false,"skip_capture":false,"status":"{status}",
        "currency":"EUR","total":100.00,"modified":{}}}"#,
        1_763_640_000 + secs
    )
}

async fn a_report_ahead_of_the_loser_is_a_conflict_again(form: Form) {
    let pawl = start_signed(form, "cardaq").await;
    tell(&pawl, &[card("o-1", "paid", 1), card("o-1", "cancelled", 2)]).await;
    let [item] = &waiting(&pawl, "o-1").await[..] else { panic!() };
    let proposal = action(item, |proposal| proposal["overrule"] == json!(["paid"]));
    assert_eq!(proposal["compensate"], json!({ "to.credit_reversed": "100" }));
    let answer = resolved(&pawl, "o-1", &proposal).await;
    assert_eq!(answer["order"]["status"], "cancelled");
    assert_eq!(moved(&answer["order"]["effects"]), ["credited 100", "credit_reversed 100"]);
    tell(&pawl, &[card("o-1", "paid", 1)]).await;
    assert_eq!(pawl.order("o-1").await["status"], "cancelled", "the loser stays overruled");
    // `paid` leads to it, and it was not overruled.
    tell(&pawl, &[card("o-1", "reversed", 3)]).await;
    let order = pawl.order("o-1").await;
    assert_eq!(order["conflict"], json!(["cancelled", "reversed"]));
    assert_eq!(codes(&order), ["conflict"]);
    assert_eq!(moved(&order["effects"]), ["credited 100", "credit_reversed 100"]);
    let item = &waiting(&pawl, "o-1").await[0];
    let proposal = action(item, |proposal| proposal["overrule"] == json!(["reversed"]));
    assert_eq!(resolved(&pawl, "o-1", &proposal).await["order"]["status"], "cancelled");
}

async fn a_status_that_may_come_again_is_overruled_as_far_as_it_was_claimed(form: Form) {
    let pawl = start_signed(form, "cardaq").await;
    tell(&pawl, &[card("o-2", "in_progress", 10), card("o-2", "failed", 20)]).await;
    assert_eq!(pawl.order("o-2").await["status"], "failed");
    let overrule = json!({ "overrule": ["failed"] });
    let answer = resolved(&pawl, "o-2", &overrule).await;
    assert_eq!(answer["order"]["status"], "in_progress");
    let overruled = &answer["order"]["overruled"][0];
    assert_eq!(
        (&overruled["for_good"], &overruled["until"]),
        (&json!(false), &json!("2025-11-20T12:00:20.000000Z"))
    );
    tell(&pawl, &[card("o-2", "failed", 20)]).await;
    assert_eq!(pawl.order("o-2").await["status"], "in_progress");
    tell(&pawl, &[card("o-2", "failed", 30)]).await;
    assert_eq!(pawl.order("o-2").await["status"], "failed", "this one is another failure");
    // The same resolution again is the one that was made: it does not overrule what came after it.
    let again = resolve(&pawl, "o-2", &overrule).await.json();
    assert_eq!(
        (&again["result"], &again["order"]["status"]),
        (&json!("unchanged"), &json!("failed"))
    );
    let other = json!({ "overrule": ["failed"], "why": "it failed at their side only, once more" });
    assert_eq!(resolved(&pawl, "o-2", &other).await["order"]["status"], "in_progress");
}
