//! Dead letters: redriven once the reason is mended, or dropped.

use pawl::clock::Clock;
use pawl::order::report::Origin;
use pawl::queue::Queue;
use pawl::queue::message::{Callback, CallbackHeader};
use pawl::store::{DeadLetter, Settled, Store, postgres, sqlite};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};
use uuid::Uuid;

use super::form::{Form, Own, on_both_forms};
use super::process::run;
#[cfg(feature = "plants")]
use super::process::{Process, wait_for_order};
use super::{Answer, Pawl, withdrawal};

on_both_forms!(
    what_was_mended_is_redriven_once,
    of_many_redrives_at_once_one_applies,
    a_dry_run_tells_what_would_be_and_changes_nothing,
    what_is_dropped_is_never_new_again,
    an_answer_is_not_redriven,
    a_letter_whose_callback_has_its_verdict_goes,
);

async fn open_store(own: &Own) -> Store {
    match &own.urls {
        None => {
            let path = own.folder.path().join("pawl.db");
            Store::Sqlite(sqlite::Database::open(&path).await.unwrap())
        }
        Some((store, _)) => {
            Store::Postgres(postgres::Database::open(store.expose()).await.unwrap())
        }
    }
}

fn callback(body: &str, origin: Origin) -> Callback {
    let header = CallbackHeader {
        id: Uuid::now_v7(),
        source: "shop".to_owned(),
        origin,
        received_at: Clock::default().now(),
        headers: [("user-agent", "test")].into_iter().collect(),
        attempt: 0,
        asked: std::collections::BTreeSet::new(),
        is_hint: false,
        is_item: false,
        said_at: None,
    };
    Callback { header, body: body.as_bytes().to_vec() }
}

/// What yesterday's definition could not read, and today's can.
async fn bury(own: &Own, body: &str, origin: Origin) -> Callback {
    let callback = callback(body, origin);
    let store = open_store(own).await;
    let mut writing = store.begin().await.unwrap();
    let died_at = callback.header.received_at;
    let letter = DeadLetter { callback: callback.clone(), reason: "of yesterday".into(), died_at };
    writing.bury(&[letter]).await.unwrap();
    writing.commit().await.unwrap();
    store.close().await;
    callback
}

/// A daemon with one letter that can be read now.
async fn start_with_letter(form: Form, id: &str) -> (Pawl, Callback) {
    let own = Own::new(form).await;
    let callback = bury(&own, &withdrawal(id, "completed"), Origin::Callback).await;
    let text = own.config("");
    (Pawl::start_by(own, text).await, callback)
}

async fn redrive(pawl: &Pawl, id: impl std::fmt::Display, is_dry_run: bool) -> Answer {
    let body = json!({ "by": "ann", "dry_run": is_dry_run }).to_string();
    pawl.post(&format!("/api/v1/dead-letters/{id}/redrive"), &body).await
}

async fn letters(pawl: &Pawl) -> Vec<Value> {
    let answer = pawl.get("/api/v1/dead-letters").await.json();
    answer["items"].as_array().unwrap().clone()
}

/// What moved, as counter and amount.
fn moved(effects: &Value) -> Vec<String> {
    let text = |effect: &Value, key: &str| effect[key].as_str().unwrap().to_owned();
    let effects = effects.as_array().unwrap().iter();
    effects.map(|e| format!("{} {}", text(e, "counter"), text(e, "amount"))).collect()
}

/// The audit log: who, what, to what, and the rest.
pub(super) async fn audit_log(own: &Own) -> Vec<(String, String, String, Value)> {
    let line = |who: String, what: String, subject: String, detail: String| {
        (who, what, subject, serde_json::from_str(&detail).unwrap())
    };
    match &own.urls {
        None => {
            let url = format!("sqlite:{}/pawl.db", own.folder.path().display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            let rows = sqlx::query("select who, what, subject, detail from audit_log order by id");
            let rows = rows.fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|r| line(r.get(0), r.get(1), r.get(2), r.get(3))).collect()
        }
        Some((store, _)) => {
            let mut connection = PgConnection::connect(store.expose()).await.unwrap();
            let rows =
                sqlx::query("select who, what, subject, detail::text from audit_log order by id");
            let rows = rows.fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|r| line(r.get(0), r.get(1), r.get(2), r.get(3))).collect()
        }
    }
}

/// FlyPay under another name, with the status where a pointer says.
fn define(own: &Own, status: &str) {
    let (_, text) = pawl::provider::BUILT_IN.iter().find(|(name, _)| *name == "flypay").unwrap();
    let text = text.replacen("name = \"flypay\"", "name = \"mine\"", 1).replacen(
        "status = \"/status\"",
        &format!("status = \"{status}\""),
        1,
    );
    let folder = own.folder.path().join("providers");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mine.toml"), text).unwrap();
}

async fn what_was_mended_is_redriven_once(form: Form) {
    let own = Own::new(form).await;
    define(&own, "/state");
    let more = format!("[providers]\ndir = \"{}/providers\"\n", own.folder.path().display());
    let text = own.config(&more).replace("\"flypay\"", "\"mine\"");
    let mut pawl = Pawl::start_by(own, text).await;
    pawl.send(&withdrawal("d-1", "completed")).await;
    pawl.wait_until_drained().await;
    let id = letters(&pawl).await[0]["id"].as_str().unwrap().to_owned();
    let still = redrive(&pawl, &id, false).await.json();
    assert_eq!(still["result"], "still_dead", "{still}");
    assert!(still["reason"].as_str().unwrap().contains("state"), "{still}");
    define(&pawl.own, "/status_");
    pawl.restart().await;
    let other = redrive(&pawl, &id, false).await.json();
    assert!(other["reason"].as_str().unwrap().contains("/status_"), "{other}");
    let letter = letters(&pawl).await.remove(0);
    assert_eq!(letter["reason"], other["reason"], "the new reason, not the first");
    define(&pawl.own, "/status");
    pawl.restart().await;
    let redriven = redrive(&pawl, &id, false).await.json();
    assert_eq!((&redriven["result"], &redriven["reason"]), (&json!("redriven"), &Value::Null));
    let verdict = &redriven["verdicts"][0];
    assert_eq!((&verdict["verdict"], &verdict["order_id"]), (&json!("applied"), &json!("d-1")));
    let order = pawl.order("d-1").await;
    assert_eq!(order["status"], "completed");
    assert_eq!(moved(&redriven["effects"]), moved(&order["effects"]));
    assert!(letters(&pawl).await.is_empty());
    let events = pawl.events("d-1").await;
    let again = redrive(&pawl, &id, false).await.json();
    assert_eq!(again["result"], "already");
    assert_eq!(again["verdicts"][0]["verdict"], "applied");
    assert_eq!(again["verdicts"][0]["order_id"], "d-1");
    assert_eq!((pawl.order("d-1").await, pawl.events("d-1").await), (order, events));
    assert!(pawl.wait_until_drained().await.contains("pawl_dead_letters 0"));
    let log = audit_log(&pawl.own).await;
    let results: Vec<_> = log.iter().map(|(_, _, _, detail)| detail["result"].clone()).collect();
    assert_eq!(results, ["still_dead", "still_dead", "redriven"]);
    let (who, what, subject, detail) = log.last().unwrap();
    assert_eq!((who.as_str(), what.as_str(), subject), ("ann", "dead_letter.redrive", &id));
    assert_eq!((&detail["verdicts"], &detail["source"]), (&json!(["applied"]), &json!("shop")));
    assert_eq!(detail["reason"], letter["reason"]);
}

async fn of_many_redrives_at_once_one_applies(form: Form) {
    let (pawl, callback) = start_with_letter(form, "d-2").await;
    let pawl = std::sync::Arc::new(pawl);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (pawl, id) = (std::sync::Arc::clone(&pawl), callback.header.id);
            tokio::spawn(async move { redrive(&pawl, id, false).await.json() })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        let answer = task.await.unwrap();
        assert_eq!(answer["verdicts"][0]["verdict"], "applied", "{answer}");
        results.push(answer["result"].as_str().unwrap().to_owned());
    }
    results.sort();
    assert_eq!(results, [vec!["already"; 7], vec!["redriven"]].concat());
    let order = pawl.order("d-2").await;
    assert_eq!(moved(&order["effects"]), ["debited 101"]);
    let events = pawl.events("d-2").await;
    assert_eq!((events.len(), &events[0]["repeats"]), (1, &json!(0)));
    assert!(letters(&pawl).await.is_empty());
    assert_eq!(audit_log(&pawl.own).await.len(), 1);
}

async fn a_dry_run_tells_what_would_be_and_changes_nothing(form: Form) {
    let (pawl, callback) = start_with_letter(form, "d-3").await;
    let id = callback.header.id;
    let before = letters(&pawl).await;
    let dry = redrive(&pawl, id, true).await.json();
    assert_eq!((&dry["result"], &dry["dry_run"]), (&json!("redriven"), &json!(true)));
    assert_eq!(dry["verdicts"][0]["verdict"], "applied");
    assert_eq!(moved(&dry["effects"]), ["debited 101"]);
    assert_eq!(pawl.get("/api/v1/orders/shop/d-3").await.status, 404);
    assert_eq!((before.len(), letters(&pawl).await), (1, before));
    assert!(audit_log(&pawl.own).await.is_empty());
    let metrics = pawl.get("/metrics").await.body;
    assert!(!metrics.contains("pawl_redriven_callbacks_total{"), "{metrics}");
    // By then the order has moved on, and the same letter says something else.
    pawl.send(&withdrawal("d-3", "completed")).await;
    pawl.wait_until_drained().await;
    let dry = redrive(&pawl, id, true).await.json();
    assert_eq!(
        (&dry["verdicts"][0]["verdict"], &dry["effects"]),
        (&json!("duplicate"), &json!([]))
    );
    let real = redrive(&pawl, id, false).await.json();
    assert_eq!(real["verdicts"], dry["verdicts"]);
    assert_eq!(redrive(&pawl, id, true).await.json()["result"], "already");
}

/// Puts a callback on the queue once more, as a broker does whose acknowledgement was lost.
async fn deliver_again(own: &Own, callback: &Callback) {
    match &own.urls {
        None => {
            let database =
                sqlite::Database::open(&own.folder.path().join("pawl.db")).await.unwrap();
            let queue =
                pawl::queue::embedded::Queue::open(&database, Clock::default()).await.unwrap();
            Queue::Embedded(queue).publish(callback.clone()).await.unwrap();
            database.close().await;
        }
        Some((_, broker)) => {
            let queue =
                pawl::queue::rabbit::Queue::open(broker.expose(), &own.name, Clock::default())
                    .await;
            Queue::Rabbit(queue.unwrap()).publish(callback.clone()).await.unwrap();
        }
    }
}

async fn what_is_dropped_is_never_new_again(form: Form) {
    let (mut pawl, callback) = start_with_letter(form, "d-4").await;
    let id = callback.header.id;
    let path = format!("/api/v1/dead-letters/{id}/drop");
    for (body, detail) in [
        (r#"{"by":"ann"}"#, "missing field `why`"),
        (r#"{"by":"ann","why":" "}"#, "`why` is empty"),
        (r#"{"by":"","why":"a test of theirs"}"#, "`by` is empty"),
        (r#"["ann","a test of theirs"]"#, "the body must be an object"),
    ] {
        let answer = pawl.post(&path, body).await;
        assert_eq!((answer.status, answer.json()["detail"].as_str()), (400, Some(detail)));
    }
    let body = r#"{"by":"ann","why":"a test of theirs"}"#;
    assert_eq!(pawl.post(&path, body).await.json()["result"], "dropped");
    assert_eq!(pawl.post(&path, body).await.json()["result"], "already");
    assert!(letters(&pawl).await.is_empty());
    assert_eq!(pawl.get(&format!("/api/v1/dead-letters/{id}")).await.status, 404);
    assert!(pawl.get("/metrics").await.body.contains("pawl_dead_letters 0"));
    let refused = redrive(&pawl, id, false).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["detail"].as_str().unwrap().contains("was dropped"), "{}", refused.body);
    let log = audit_log(&pawl.own).await;
    let [(who, what, subject, detail)] = &log[..] else { panic!("{log:?}") };
    assert_eq!((who.as_str(), what.as_str()), ("ann", "dead_letter.drop"));
    assert_eq!((subject, &detail["why"]), (&id.to_string(), &json!("a test of theirs")));
    assert_eq!(detail["reason"], "of yesterday");
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&callback.body);
    assert_eq!(detail["body_sha256"], hex::encode(digest));
    pawl.stop().await;
    deliver_again(&pawl.own, &callback).await;
    pawl.restart().await;
    // What came after it has its verdict: then it has been worked on, too.
    pawl.send(&withdrawal("d-5", "completed")).await;
    pawl.wait_for("/api/v1/orders/shop/d-5", |order| order["status"] == "completed").await;
    assert_eq!(pawl.get("/api/v1/orders/shop/d-4").await.status, 404);
    assert!(letters(&pawl).await.is_empty());
}

async fn an_answer_is_not_redriven(form: Form) {
    let own = Own::new(form).await;
    let answer = bury(&own, "{}", Origin::Answer).await;
    let text = own.config("");
    let pawl = Pawl::start_by(own, text).await;
    let refused = redrive(&pawl, answer.header.id, false).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["detail"].as_str().unwrap().contains("pawl order ask"));
    assert_eq!(letters(&pawl).await.len(), 1);
    let unknown = redrive(&pawl, Uuid::now_v7(), false).await;
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    assert_eq!(redrive(&pawl, "nonsense", false).await.status, 404);
}

/// Two workers had it in hand: one gave it up, the other one applied it.
async fn a_letter_whose_callback_has_its_verdict_goes(form: Form) {
    let mut pawl = Pawl::start_on(form, "").await;
    pawl.send(&withdrawal("d-6", "completed")).await;
    pawl.wait_until_drained().await;
    let order = pawl.order("d-6").await;
    pawl.stop().await;
    let letter = bury(&pawl.own, &withdrawal("d-6", "completed"), Origin::Callback).await;
    let store = open_store(&pawl.own).await;
    let mut writing = store.begin().await.unwrap();
    let settled = Settled {
        callback_id: letter.header.id,
        item: 0,
        key: order["key"].as_str().unwrap().parse().unwrap(),
        event_id: "known",
        verdict: pawl::order::Verdict::Duplicate,
        received_at: letter.header.received_at,
        body_sha256: b"digest",
        body: b"",
    };
    writing.settle(&[settled]).await.unwrap();
    writing.commit().await.unwrap();
    store.close().await;
    drop(store);
    pawl.restart().await;
    let already = redrive(&pawl, letter.header.id, false).await.json();
    assert_eq!(already["result"], "already");
    assert_eq!(already["verdicts"][0]["verdict"], "duplicate");
    assert!(letters(&pawl).await.is_empty());
    assert_eq!(pawl.order("d-6").await, order);
}

#[tokio::test]
async fn the_command_line_redrives_and_drops_at_a_running_daemon() {
    let own = Own::new(Form::Embedded).await;
    let mut ids = Vec::new();
    for body in [&withdrawal("c-1", "completed"), "not json", &withdrawal("c-2", "completed")] {
        ids.push(bury(&own, body, Origin::Callback).await.header.id.to_string());
    }
    let text = own.config("");
    let pawl = Pawl::start_by(own, text).await;
    let url = format!("http://{}", pawl.admin);
    let dead = async |words: &[&str]| {
        let words = [&["dead"], words, &["--url", &url]].concat();
        run(&words, &[("USER", "ann")]).await
    };
    let (code, _, error) = dead(&["redrive"]).await;
    assert_eq!(code, 2, "{error}");
    let (code, shown, error) = dead(&["redrive", "--all", "--dry-run"]).await;
    assert_eq!((code, error.as_str()), (1, ""), "one of them cannot be read");
    let order: Vec<_> = ids.iter().map(|id| shown.find(id.as_str()).unwrap()).collect();
    assert!(order.is_sorted(), "the oldest first: {shown}");
    for text in ["would be redriven", "c-1 of shop: applied", "to.debited           101 USDT"] {
        assert!(shown.contains(text), "{text} is missing in\n{shown}");
    }
    assert_eq!(letters(&pawl).await.len(), 3);
    let all = ["redrive", "--all", "--reason-contains", "of yest", "--source", "shop"];
    let (code, shown, _) = dead(&all).await;
    assert_eq!(code, 1);
    assert!(shown.contains("stays a dead letter: the body is not JSON"), "{shown}");
    let (code, shown, _) = dead(&all).await;
    assert_eq!((code, shown.as_str()), (0, "there is no such dead letter\n"), "a new reason");
    let (code, shown, error) = dead(&["redrive", &ids[0], &ids[2]]).await;
    assert_eq!((code, shown.matches("already").count()), (0, 2), "{shown}{error}");
    let (code, _, error) = dead(&["drop", &ids[1]]).await;
    assert_eq!(code, 2, "{error}");
    let (code, shown, error) = dead(&["drop", &ids[1], &ids[0], "--why", "not theirs"]).await;
    assert_eq!((code, shown), (1, format!("{}  dropped\n", ids[1])));
    assert!(error.contains("has its verdict"), "{error}");
    let (code, shown, _) = dead(&["redrive", "--json", &ids[0]]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &shown["items"][0]["result"]), (0, &json!("already")));
    assert!(letters(&pawl).await.is_empty());
    assert!(audit_log(&pawl.own).await.iter().all(|(who, ..)| who == "ann"));
}

/// Only in builds that can plant faults: the process ends between the work and its commit.
#[cfg(feature = "plants")]
mod aborted {
    use super::*;

    on_both_forms!(a_redrive_that_ends_before_its_commit_leaves_the_letter);

    async fn a_redrive_that_ends_before_its_commit_leaves_the_letter(form: Form) {
        let planted = std::env::var("PAWL_PLANT").unwrap_or_default();
        let own = Own::new(form).await;
        let id = bury(&own, &withdrawal("d-7", "completed"), Origin::Callback).await.header.id;
        let mut process = Process::start(&own, &format!("{planted},abort_before_redrive")).await;
        let redrive = async |admin: std::net::SocketAddr| {
            let url = format!("http://{admin}");
            let id = id.to_string();
            run(&["dead", "redrive", &id, "--by", "ann", "--json", "--url", &url], &[]).await
        };
        let (code, _, error) = redrive(process.admin).await;
        assert_eq!(code, 69, "{error}");
        process.child.wait().await.unwrap();
        assert!(audit_log(&own).await.is_empty());
        let process = Process::start(&own, &planted).await;
        for result in ["redriven", "already"] {
            let (code, shown, error) = redrive(process.admin).await;
            assert_eq!(code, 0, "{error}");
            assert!(shown.contains(&format!("\"result\":\"{result}\"")), "{shown}");
        }
        let order = wait_for_order(process.admin, "d-7").await;
        assert_eq!(moved(&order["effects"]), ["debited 101"]);
    }
}
