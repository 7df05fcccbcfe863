//! Feeds: everything in them arrives, whoever dies or is late, and nobody else is asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use pawl::config::Config;
use pawl::roles::Roles;
use pawl::run::Daemon;
use serde_json::Value;
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::desk::{Desk, Heard, Reply, payment, reply, start_at};
use super::wait_until;
use crate::daemon::form::{Form, on_both_forms};
use crate::daemon::{Pawl, env};

/// What the desk has to tell, in the order in which it came: each an order's JSON.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    fn of(ids: std::ops::Range<usize>) -> Self {
        let ledger = Self::default();
        ids.for_each(|id| ledger.add(&payment(&format!("p-{id}"), "paid")));
        ledger
    }

    fn add(&self, item: &str) {
        self.0.lock().unwrap().push(item.to_owned());
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// At most so many from there on.
    fn from(&self, at: usize, count: usize) -> Vec<String> {
        self.0.lock().unwrap().iter().skip(at).take(count).cloned().collect()
    }
}

const CURSOR: &str = r#"
[feed]
method = "GET"
path = "/feed?since={cursor}&limit=10"
items = "/items"
overlap_secs = 0
cursor = { next = "/next" }
"#;

/// Answers with ten items from the cursor on, which is a number.
fn by_cursor(ledger: &Ledger, heard: &Heard) -> Reply {
    let at: usize = heard.query("since").map_or(0, |at| at.parse().unwrap());
    let items = ledger.from(at, 10);
    let next = at + items.len();
    reply(200, format!(r#"{{"items":[{}],"next":"{next}"}}"#, items.join(",")))
}

async fn arrived(pawl: &Pawl, ids: std::ops::Range<usize>) {
    for id in ids {
        let order = pawl.wait_for_order(&format!("p-{id}"), |order| order["final"] == true).await;
        assert_eq!(order["effects"].as_array().unwrap().len(), 1, "{order:#}");
        let events = pawl.events(&format!("p-{id}")).await;
        assert_eq!(events[0]["origin"], "feed", "{events:#?}");
    }
}

/// How often an order was told of, repeats and all.
async fn told(pawl: &Pawl, id: &str) -> u64 {
    let events = pawl.events(id).await;
    events.iter().map(|event| 1 + event["repeats"].as_u64().unwrap()).sum()
}

fn sinces(desk: &Desk) -> Vec<Option<String>> {
    desk.heard("/feed").iter().map(|heard| heard.query("since").map(str::to_owned)).collect()
}

on_both_forms!(
    a_cursor_leads_from_page_to_page_and_from_round_to_round,
    pages_are_counted,
    links_are_followed_and_never_to_another_host,
    a_window_follows_the_last_one,
    what_comes_late_is_found_by_the_overlap,
    what_was_confirmed_before_a_crash_is_read_again_and_not_doubled,
    an_item_that_cannot_be_read_is_one_letter_and_spoils_nothing,
    a_feed_that_fails_is_tried_again_and_seen,
);

async fn a_cursor_leads_from_page_to_page_and_from_round_to_round(form: Form) {
    let ledger = Ledger::of(0..35);
    let of = ledger.clone();
    let desk = Desk::start(move |heard| by_cursor(&of, heard)).await;
    let pawl = start_at(form, &desk, CURSOR, "").await;
    arrived(&pawl, 0..35).await;
    desk.wait_until_heard("/feed", 5).await;
    let text = |at: usize| (at > 0).then(|| at.to_string());
    assert_eq!(sinces(&desk), [0, 10, 20, 30, 35].map(text), "each page once");
    // The next round begins before the last page of this one.
    (35..42).for_each(|id| ledger.add(&payment(&format!("p-{id}"), "paid")));
    pawl.clock.step_secs(31);
    arrived(&pawl, 35..42).await;
    assert_eq!(sinces(&desk)[5], text(35));
    for id in [0, 20, 41] {
        assert_eq!(told(&pawl, &format!("p-{id}")).await, 1, "told once");
    }
    let metrics = pawl.get("/metrics").await.body;
    assert!(metrics.contains("pawl_feed_pages_total{outcome=\"answered\",source=\"shop\"}"));
    assert!(metrics.contains("pawl_feed_lag_seconds{source=\"shop\"}"));
}

async fn pages_are_counted(form: Form) {
    let definition = r#"
[feed]
method = "POST"
path = "/feed"
body = { pageNumber = "{page:number}", pageSize = 10, filter = { created = { from = "{from}" }, until = "{until}" } }
items = "/records"
page = { first = 0, size = 10, total = "/totalPages" }
window = { format = "date_time", first_secs = 3600 }
"#;
    let ledger = Ledger::of(0..30);
    let of = ledger.clone();
    let desk = Desk::start(move |heard| {
        let page = usize::try_from(heard.json()["pageNumber"].as_u64().unwrap()).unwrap();
        let (items, pages) = (of.from(page * 10, 10), of.len().div_ceil(10));
        let items = items.join(",");
        reply(200, format!(r#"{{"totalPages":{pages},"records":[{items}]}}"#))
    })
    .await;
    let pawl = start_at(form, &desk, definition, "").await;
    arrived(&pawl, 0..30).await;
    let bodies: Vec<Value> = desk.heard("/feed").iter().map(Heard::json).collect();
    let pages: Vec<_> = bodies.iter().map(|body| body["pageNumber"].as_u64().unwrap()).collect();
    assert_eq!(pages, [0, 1, 2], "the third one is the last, and known to be");
    // All pages of a round are of one window.
    assert!(bodies.iter().all(|body| body["filter"] == bodies[0]["filter"]), "{bodies:#?}");
}

async fn links_are_followed_and_never_to_another_host(form: Form) {
    let definition = r#"
[feed]
method = "GET"
path = "/feed?page=0"
items = "/items"
next_link = { at = "/links/next" }
"#;
    let ledger = Ledger::of(0..30);
    let elsewhere = Desk::start(|_| reply(200, "{}")).await;
    let other = elsewhere.address;
    let desk = Desk::start(|_| reply(500, "")).await;
    let (own, of) = (desk.address, ledger.clone());
    let is_evil = Arc::new(Mutex::new(true));
    let evil = Arc::clone(&is_evil);
    desk.say(move |heard| {
        let page: usize = heard.query("page").unwrap().parse().unwrap();
        let next = page + 1;
        let items = of.from(page * 10, 10).join(",");
        // With its host, without, by the query alone, and the last one without any.
        let link = match page {
            0 => format!("\"http://{own}/base/feed?page={next}\""),
            1 if *evil.lock().unwrap() => format!("\"http://{other}/base/feed?page={next}\""),
            1 => format!("\"?page={next}\""),
            _ => "null".to_owned(),
        };
        reply(200, format!(r#"{{"items":[{items}],"links":{{"next":{link}}}}}"#))
    });
    let address = desk.address.to_string();
    let own = crate::daemon::form::Own::new(form).await;
    let text = super::desk::config(&own, &desk, definition, "");
    let text = text.replace(&format!("{address}\""), &format!("{address}/base\""));
    let pawl = Pawl::start_by(own, text).await;
    // What is on the page counts; where it wants to send us does not.
    arrived(&pawl, 0..20).await;
    let refused = "pawl_feed_pages_total{outcome=\"unreadable\",source=\"shop\"} 1";
    pawl.wait_until_metric(refused).await;
    assert_eq!(elsewhere.heard("/base/feed").len(), 0);
    *is_evil.lock().unwrap() = false;
    pawl.clock.step_secs(60);
    arrived(&pawl, 20..30).await;
    let pages: Vec<_> = desk.heard("/base/feed").iter().map(|heard| heard.target.clone()).collect();
    let of = |page: &usize| format!("/base/feed?page={page}");
    assert_eq!(pages, [0, 1, 1, 2].iter().map(of).collect::<Vec<_>>(), "it goes on where it was");
}

async fn a_window_follows_the_last_one(form: Form) {
    let definition = r#"
[feed]
method = "GET"
path = "/feed?from={from}&until={until}"
items = ""
every_secs = 60
overlap_secs = 10
window = { format = "epoch_seconds", first_secs = 1000 }
"#;
    let desk = Desk::start(|_| reply(200, format!("[{}]", payment("p-0", "paid")))).await;
    let pawl = start_at(form, &desk, definition, "").await;
    arrived(&pawl, 0..1).await;
    pawl.clock.step_secs(300);
    desk.wait_until_heard("/feed", 2).await;
    let heard = desk.heard("/feed");
    let times = |heard: &Heard| -> (i64, i64) {
        let time = |name| heard.query(name).unwrap().parse().unwrap();
        (time("from"), time("until"))
    };
    let (first, second) = (times(&heard[0]), times(&heard[1]));
    assert_eq!(first.1 - first.0, 1000);
    assert_eq!(second.0, first.1 - 10, "it reaches back into the last one");
    assert!(second.1 - first.1 >= 300);
}

async fn what_comes_late_is_found_by_the_overlap(form: Form) {
    let ledger = Ledger::of(0..12);
    let of = ledger.clone();
    let desk = Desk::start(move |heard| by_cursor(&of, heard)).await;
    let overlapping = CURSOR.replace("overlap_secs = 0", "overlap_secs = 120");
    let pawl = start_at(form, &desk, &overlapping, "").await;
    arrived(&pawl, 0..12).await;
    desk.wait_until_heard("/feed", 3).await;
    // It is put where the reader has been already, and moves all that is behind it.
    ledger.0.lock().unwrap().insert(11, payment("p-12", "paid"));
    pawl.clock.step_secs(31);
    arrived(&pawl, 12..13).await;
    // On every page but the first of a round nothing is read again.
    let sinces: Vec<usize> =
        sinces(&desk).into_iter().map(|at| at.map_or(0, |at| at.parse().unwrap())).collect();
    assert!(sinces.len() >= 4 && sinces[3] < 12, "{sinces:?}");
    for id in ["p-0", "p-11"] {
        assert_eq!(told(&pawl, id).await, 1, "what was queued just now is not queued again");
    }
}

/// Makes writes to a table fail, or no more.
async fn break_table(pawl: &Pawl, table: &str, is_broken: bool) {
    let (make, drop) = match pawl.urls() {
        Some(_) => (
            format!(
                "create function breaks() returns trigger language plpgsql as $$ begin raise exception \
                 'broken'; end $$; create trigger broken before update of moves on {table} for each row \
                 execute function breaks()"
            ),
            format!("drop trigger broken on {table}; drop function breaks()"),
        ),
        None => (
            format!(
                "create trigger broken before {} on {table} begin select raise(fail, 'broken'); end",
                if table == "feeds" { "update of moves" } else { "insert" }
            ),
            "drop trigger broken".to_owned(),
        ),
    };
    let statement = sqlx::AssertSqlSafe(if is_broken { make } else { drop });
    match pawl.urls() {
        Some((store, _)) => {
            let mut connection = PgConnection::connect(store.expose()).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        None => {
            let url = format!("sqlite:{}", pawl.path().display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
    }
}

/// The queue cannot take what the feed says: then it was not read. Only the embedded queue can be broken
/// from here; a broker that refuses is the same to the reader.
#[tokio::test]
async fn what_is_not_confirmed_is_read_again() {
    let ledger = Ledger::default();
    let of = ledger.clone();
    let desk = Desk::start(move |heard| by_cursor(&of, heard)).await;
    let pawl = start_at(Form::Embedded, &desk, CURSOR, "").await;
    desk.wait_until_heard("/feed", 1).await;
    break_table(&pawl, "queue_messages", true).await;
    (0..12).for_each(|id| ledger.add(&payment(&format!("p-{id}"), "paid")));
    pawl.clock.step_secs(31);
    let unqueued = "pawl_feed_pages_total{outcome=\"unqueued\",source=\"shop\"}";
    pawl.wait_until_metric(unqueued).await;
    break_table(&pawl, "queue_messages", false).await;
    pawl.clock.step_secs(2000);
    arrived(&pawl, 0..12).await;
}

async fn what_was_confirmed_before_a_crash_is_read_again_and_not_doubled(form: Form) {
    let ledger = Ledger::of(0..25);
    let of = ledger.clone();
    let desk = Desk::start(|_| reply(500, "")).await;
    let mut pawl = start_at(form, &desk, CURSOR, "").await;
    desk.wait_until_heard("/feed", 1).await;
    pawl.wait_until_metric("pawl_feed_pages_total{outcome=\"unreadable\",source=\"shop\"} 1").await;
    break_table(&pawl, "feeds", true).await;
    desk.say(move |heard| by_cursor(&of, heard));
    pawl.clock.step_secs(60);
    // All that the first page says is there, and that it was read is not.
    arrived(&pawl, 0..10).await;
    pawl.crash().await;
    break_table(&pawl, "feeds", false).await;
    // Longer than the lease of who has died.
    pawl.clock.step_secs(60);
    pawl.restart().await;
    arrived(&pawl, 0..25).await;
    let text = |at: usize| (at > 0).then(|| at.to_string());
    let all = sinces(&desk);
    assert!(
        all.ends_with(&[0, 10, 20, 25].map(text)) || all.ends_with(&[0, 10, 20].map(text)),
        "{all:?}"
    );
    // Told again, and one all the same: `arrived` has seen one effect each.
    assert!(told(&pawl, "p-0").await >= 2);
    assert_eq!(told(&pawl, "p-20").await, 1);
}

async fn an_item_that_cannot_be_read_is_one_letter_and_spoils_nothing(form: Form) {
    let ledger = Ledger::of(0..4);
    let garbage = payment("p-9", "paid").replace("\"amount\"", "\"amount\":1,\"amount\"");
    ledger.0.lock().unwrap().insert(2, garbage.clone());
    let of = ledger.clone();
    let desk = Desk::start(move |heard| by_cursor(&of, heard)).await;
    let overlapping = CURSOR.replace("overlap_secs = 0", "overlap_secs = 3600");
    let mut pawl = start_at(form, &desk, &overlapping, "").await;
    arrived(&pawl, 0..4).await;
    let letters = |found: &Value| found["items"].as_array().unwrap().len();
    let found = pawl.wait_for("/api/v1/dead-letters", |found| letters(found) == 1).await;
    assert_eq!(found["items"][0]["origin"], "feed");
    let reason = found["items"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("stands twice"), "{reason}");
    // Another process knows nothing of what was queued just now, and reads all of it again.
    pawl.restart().await;
    ledger.add(&payment("p-4", "paid"));
    pawl.clock.step_secs(31);
    arrived(&pawl, 4..5).await;
    assert_eq!(told(&pawl, "p-0").await, 2);
    let again = pawl.get("/api/v1/dead-letters").await.json();
    assert_eq!(again["items"].as_array().unwrap().len(), 1, "the same letter: {again:#}");
    assert_eq!(again["items"][0]["id"], found["items"][0]["id"]);
}

async fn a_feed_that_fails_is_tried_again_and_seen(form: Form) {
    let ledger = Ledger::of(0..3);
    let of = ledger.clone();
    let desk = Desk::start(|_| reply(404, "")).await;
    let pawl = start_at(form, &desk, CURSOR, "").await;
    pawl.wait_until_metric("pawl_feed_pages_total{outcome=\"unreadable\",source=\"shop\"} 1").await;
    let again =
        |_: &Heard| Reply { headers: vec![("retry-after", "600".into())], ..reply(429, "") };
    desk.say(again);
    // Its own pause begins when what came of the page is stored, which is after it was counted.
    while desk.heard("/feed").len() == 1 {
        pawl.clock.step_secs(40);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    pawl.wait_until_metric("pawl_feed_pages_total{outcome=\"throttled\",source=\"shop\"} 1").await;
    desk.say(move |heard| by_cursor(&of, heard));
    pawl.wait_until_paused().await;
    // Nobody reads before the time that the provider said, whatever its own pause is.
    let heard = desk.heard("/feed").len();
    pawl.clock.step_secs(300);
    pawl.register_payments(&["p-7".to_owned()]).await;
    assert_eq!(desk.heard("/feed").len(), heard);
    pawl.clock.step_secs(1_000);
    arrived(&pawl, 0..3).await;
}

impl Pawl {
    /// Waits until the metrics have a line that begins so.
    pub(crate) async fn wait_until_metric(&self, line: &str) {
        self.wait_until_line(line, |known| known.starts_with(line)).await;
    }

    /// Waits until it is stored that the provider is left alone.
    async fn wait_until_paused(&self) {
        let line = "pawl_source_paused_seconds{source=\"shop\"} ";
        self.wait_until_line(line, |known| known.starts_with(line) && !known.ends_with(" 0")).await;
    }

    async fn wait_until_line(&self, line: &str, fits: impl Fn(&str) -> bool) {
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        loop {
            let metrics = self.get("/metrics").await.body;
            if metrics.lines().any(&fits) {
                return;
            }
            assert!(std::time::Instant::now() < give_up_at, "no {line} in {metrics}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

/// Two daemons on one database: each page is read by one of them.
#[tokio::test(flavor = "multi_thread")]
async fn two_readers_never_read_one_page_at_the_same_time() {
    let ledger = Ledger::of(0..200);
    let of = ledger.clone();
    let desk = Desk::start(|_| reply(500, "")).await;
    let pawl = start_at(Form::Distributed, &desk, CURSOR, "").await;
    let config = Config::read("pawl.toml", pawl.text(), &env()).unwrap();
    let second = Daemon::start(&config, &Roles::all(), pawl.clock.clone()).await.unwrap();
    desk.wait_until_heard("/feed", 1).await;
    let begun = desk.heard("/feed").len();
    desk.say(move |heard| by_cursor(&of, heard));
    pawl.clock.step_secs(60);
    arrived(&pawl, 0..200).await;
    wait_until(|| desk.heard("/feed").len() >= begun + 21, || "the end".to_owned()).await;
    let pages = sinces(&desk)[begun..].to_vec();
    let unique: BTreeSet<_> = pages.iter().cloned().collect();
    assert_eq!(unique.len(), pages.len(), "{pages:?}");
    second.stop().await.unwrap();
}
