//! What a resolution needs, when it is refused, and that nothing is made twice.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::dead::audit_log;
use super::super::form::{Form, on_both_forms};
use super::*;

on_both_forms!(
    what_is_refused_says_why_and_writes_nothing,
    the_same_again_changes_nothing,
    of_many_at_once_one_is_made,
    a_dry_run_shows_what_it_would_come_to,
    what_a_person_decides_is_kept_with_who_and_why,
    attention_is_listed_in_pages,
);

async fn start_with_conflict(form: Form, id: &str) -> Pawl {
    let pawl = Pawl::start_on(form, "").await;
    tell(&pawl, &["new", "completed", "canceled"].map(|status| withdrawal(id, status))).await;
    pawl
}

async fn what_is_refused_says_why_and_writes_nothing(form: Form) {
    let pawl = start_with_conflict(form, "r-1").await;
    let before = (pawl.order("r-1").await, pawl.events("r-1").await);
    let conflict = "conflict:payment=canceled,completed";
    for (proposal, status, says) in [
        (json!({}), 422, "decides nothing"),
        (json!({ "compensate": { "to.debited": "0" } }), 422, "decides nothing"),
        (json!({ "overrule": ["processing"] }), 422, "`processing` was never reported"),
        (json!({ "overrule": ["nonsense"] }), 422, "`nonsense` was never reported"),
        (json!({ "overrule": ["new", "completed", "canceled"] }), 409, "no status would be left"),
        (json!({ "overrule": ["completed"] }), 409, "compensate 101 in to.debit_reversed"),
        (
            json!({ "overrule": ["completed", "canceled"] }),
            409,
            "behind `completed` at which money was issued",
        ),
        (json!({ "accept": ["nonsense"] }), 422, conflict),
        (json!({ "accept": [conflict] }), 422, "can be dismissed, not accepted"),
        (
            json!({ "overrule_operations": [{ "name": "settle", "id": "1" }] }),
            422,
            "`settle` with the id `1` was never reported",
        ),
        (json!({ "ask": true }), 409, "has no base_url and credentials"),
        (
            json!({ "compensate": { "from.debited": "1" } }),
            422,
            "currency of leg from is not known",
        ),
        (json!({ "overrule": ["canceled"], "why": " " }), 400, "`why` is empty"),
        (json!({ "overrule": ["canceled"], "by": "" }), 400, "`by` is empty"),
        (json!({ "overrule": ["canceled"], "by": "a\nb" }), 400, "control character"),
        (json!({ "overrule": ["canceled"], "id": "" }), 400, "`id`"),
        (json!({ "overrul": ["canceled"] }), 400, "unknown field `overrul`"),
        (json!({ "overrule": "canceled" }), 400, "invalid type"),
        (json!({ "compensate": { "to.debited": 5 } }), 400, "invalid type"),
        (json!({ "compensate": { "to.nothing": "5" } }), 400, "is not a counter"),
    ] {
        let answer = resolve(&pawl, "r-1", &proposal).await;
        assert_eq!(answer.status, status, "{proposal} {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says), "{proposal}: {detail}");
    }
    let bare = pawl.post("/api/v1/orders/shop/r-1/resolve", r#"{"overrule":["canceled"]}"#).await;
    assert_eq!(bare.status, 400, "who and why are required");
    assert_eq!(resolve(&pawl, "none", &json!({ "overrule": ["canceled"] })).await.status, 404);
    assert_eq!(pawl.get("/api/v1/orders/shop/none").await.status, 404, "it makes no order");
    assert_eq!((pawl.order("r-1").await, pawl.events("r-1").await), before);
    assert!(audit_log(&pawl.own).await.is_empty());
}

async fn the_same_again_changes_nothing(form: Form) {
    let pawl = start_with_conflict(form, "r-2").await;
    let proposal =
        json!({ "overrule": ["completed"], "compensate": { "to.debit_reversed": "101" } });
    let answer = resolved(&pawl, "r-2", &proposal).await;
    assert_eq!(moved(&answer["effects"]), ["debit_reversed 101"]);
    let before = (pawl.order("r-2").await, pawl.events("r-2").await);
    // Money is not made up for twice because two people had the same thought.
    for by in ["ada", "bob"] {
        let mut again = proposal.clone();
        again["by"] = json!(by);
        let answer = resolve(&pawl, "r-2", &again).await;
        let answer = answer.json();
        assert_eq!((&answer["result"], &answer["effects"]), (&json!("unchanged"), &json!([])));
        assert!(answer["reason"].as_str().unwrap().starts_with("ada decided so at "), "{answer}");
        assert_eq!(answer["order"], before.0);
    }
    assert_eq!((pawl.order("r-2").await, pawl.events("r-2").await), before);
    assert_eq!(audit_log(&pawl.own).await.len(), 1);
    // Nor because they put it in other words.
    let mut other = proposal.clone();
    other["id"] = json!("other");
    let refused = resolve(&pawl, "r-2", &other).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.json()["detail"].as_str().unwrap().contains("less is left to make up for"));
    // An id of one's own, for something else.
    let given = json!({ "overrule": ["completed"], "id": "ticket-7" });
    assert_eq!(resolved(&pawl, "r-2", &given).await["event_id"], "ticket-7");
    assert_eq!(resolve(&pawl, "r-2", &given).await.json()["result"], "unchanged");
    let mut other = proposal.clone();
    other["id"] = json!("ticket-7");
    let taken = resolve(&pawl, "r-2", &other).await;
    assert_eq!(taken.status, 409, "{}", taken.body);
    assert!(taken.json()["detail"].as_str().unwrap().contains("goes by the id `ticket-7`"));
    assert_eq!(moved(&pawl.order("r-2").await["effects"]).len(), 4);
}

async fn of_many_at_once_one_is_made(form: Form) {
    let pawl = Arc::new(start_with_conflict(form, "r-3").await);
    let proposal =
        json!({ "overrule": ["completed"], "compensate": { "to.debit_reversed": "101" } });
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (pawl, mut proposal) = (Arc::clone(&pawl), proposal.clone());
            proposal["by"] = json!(format!("person {n}"));
            tokio::spawn(async move { resolve(&pawl, "r-3", &proposal).await.json() })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap()["result"].as_str().unwrap().to_owned());
    }
    results.sort();
    assert_eq!(results, [vec!["resolved"], vec!["unchanged"; 7]].concat());
    let order = pawl.order("r-3").await;
    assert_eq!(
        moved(&order["effects"]),
        ["held 101", "debited 101", "released 101", "debit_reversed 101"]
    );
    assert_eq!(audit_log(&pawl.own).await.len(), 1);
}

async fn a_dry_run_shows_what_it_would_come_to(form: Form) {
    let pawl = start_with_conflict(form, "r-4").await;
    let before = (pawl.order("r-4").await, pawl.events("r-4").await);
    let dry = json!({ "overrule": ["completed"], "compensate": { "to.debit_reversed": "101" }, "dry_run": true });
    let answer = resolved(&pawl, "r-4", &dry).await;
    assert_eq!((&answer["dry_run"], &answer["verdict"]), (&json!(true), &json!("applied")));
    assert_eq!(moved(&answer["effects"]), ["debit_reversed 101"]);
    assert_eq!(answer["order"]["status"], "canceled");
    assert_eq!(answer["order"]["attention"], json!([]));
    assert_eq!((pawl.order("r-4").await, pawl.events("r-4").await), before);
    assert!(audit_log(&pawl.own).await.is_empty());
    let metrics = pawl.get("/metrics").await.body;
    assert!(!metrics.contains("origin=\"operator\""), "{metrics}");
    let refused = json!({ "overrule": ["completed"], "dry_run": true });
    assert_eq!(resolve(&pawl, "r-4", &refused).await.status, 409);
}

async fn what_a_person_decides_is_kept_with_who_and_why(form: Form) {
    let pawl = start_with_conflict(form, "r-5").await;
    // By any of its ids.
    let answer = resolve(&pawl, "uuid-r-5", &json!({ "overrule": ["cancelled"] })).await.json();
    assert_eq!(answer["result"], "resolved", "an alias names the status as well: {answer}");
    let again = resolve(&pawl, "r-5", &json!({ "overrule": ["cancelled"] })).await.json();
    assert_eq!(again["result"], "unchanged", "{again}");
    let event = pawl.events("r-5").await.pop().unwrap();
    assert_eq!((&event["origin"], &event["event_id"]), (&json!("operator"), &answer["event_id"]));
    assert_eq!((&event["moved_from"], &event["moved_to"]), (&Value::Null, &json!("completed")));
    let made = &event["resolved"];
    assert_eq!((&made["by"], &made["why"]), (&json!("ada"), &json!("the bank says so")));
    let order = pawl.order("r-5").await;
    let made = &order["resolutions"][0];
    assert_eq!(
        (&made["by"], &made["overruled"]),
        (&json!("ada"), &json!([{ "status": "canceled" }]))
    );
    assert_eq!(made["at"], event["received_at"]);
    let log = audit_log(&pawl.own).await;
    let [(who, what, subject, detail)] = &log[..] else { panic!("{log:?}") };
    assert_eq!((who.as_str(), what.as_str()), ("ada", "order.resolve"));
    assert_eq!(subject.as_str(), order["key"].as_str().unwrap());
    assert_eq!(
        (&detail["why"], &detail["order_id"]),
        (&json!("the bank says so"), &json!("uuid-r-5"))
    );
    assert_eq!((&detail["verdict"], &detail["effects"]), (&json!("applied"), &json!([])));
    let metrics = pawl.get("/metrics").await.body;
    let counted = "pawl_verdicts_total{origin=\"operator\",source=\"shop\",verdict=\"applied\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

async fn attention_is_listed_in_pages(form: Form) {
    let pawl = Pawl::start_on(form, "").await;
    for n in 0..5 {
        let id = format!("p-{n}");
        tell(&pawl, &["completed", "canceled"].map(|status| withdrawal(&id, status))).await;
    }
    tell(&pawl, &[withdrawal("p-5", "lost")]).await;
    let mut seen = Vec::new();
    let mut path = "/api/v1/attention?limit=2".to_owned();
    loop {
        let page = pawl.get(&path).await.json();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["order_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/attention?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["p-0", "p-1", "p-2", "p-3", "p-4", "p-5"], "what waits longest first");
    let list = async |query: &str| pawl.get(&format!("/api/v1/attention?{query}")).await;
    let unknown = list("code=unknown_status").await.json();
    assert_eq!(unknown["items"].as_array().unwrap().len(), 1);
    assert_eq!(unknown["items"][0]["key"], "unknown_status=lost");
    assert_eq!(list("source=other").await.json()["items"], json!([]));
    assert_eq!(
        list("source=shop&code=conflict").await.json()["items"].as_array().unwrap().len(),
        5
    );
    for wrong in ["code=nonsense", "cursor=nonsense", "cursor=1.2.3", "colour=red", "source=%00"] {
        assert_eq!(list(wrong).await.status, 400, "{wrong}");
    }
}
