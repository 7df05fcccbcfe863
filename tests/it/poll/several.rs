//! Several who ask: leases, and who comes back after its own is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pawl::clock::Clock;
use pawl::config::Config;
use pawl::roles::Roles;
use pawl::run::Daemon;
use pawl::store::{BegunAsk, Lane, Store, postgres, sqlite};
use uuid::Uuid;

use super::{Provider, Say, secs, start};
use crate::daemon::form::{Form, Own, on_both_forms};
use crate::daemon::process::Process;
use crate::daemon::{Pawl, env, exchange};

/// Two daemons on one database: every order is asked about by one of them at a time.
#[tokio::test(flavor = "multi_thread")]
async fn two_pollers_never_ask_about_one_order_at_the_same_time() {
    let provider = Provider::start(|_, before| match before {
        0..3 => Say::Status("processing"),
        _ => Say::Status("completed"),
    })
    .await;
    let limits = "[source.shop.ask]\nfirst_secs = 1\ncap_secs = 1\n[source.shop.limits]\n\
                  requests_per_second = 1000\nburst = 1000\n";
    let pawl = start(Form::Distributed, &provider, limits).await;
    let config = Config::read("pawl.toml", pawl.text(), &env()).unwrap();
    let second = Daemon::start(&config, &Roles::all(), pawl.clock.clone()).await.unwrap();
    let ids: Vec<String> = (0..60).map(|n| format!("wd-{n}")).collect();
    pawl.register(&ids).await;
    for id in &ids {
        pawl.wait_for_order(id, |order| order["final"] == true).await;
    }
    // Each ask was answered, and each answer is an event or a repeat of one: nobody asked uncounted.
    for id in &ids {
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        loop {
            let events = pawl.events(id).await;
            let answers = events.iter().filter(|event| event["origin"] == "answer");
            let heard: u64 = answers.map(|event| 1 + event["repeats"].as_u64().unwrap()).sum();
            let asked = provider.asked(id);
            if heard == asked as u64 && pawl.order(id).await["asking"]["under_way"] == false {
                break;
            }
            assert!(Instant::now() < give_up_at, "{id}: asked {asked} times, heard {heard} times");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(provider.faults(), Vec::<String>::new());
    second.stop().await.unwrap();
}

async fn open_store(pawl: &Pawl) -> Store {
    match pawl.urls() {
        Some((store, _)) => {
            Store::Postgres(postgres::Database::open(store.expose()).await.unwrap())
        }
        None => Store::Sqlite(sqlite::Database::open(&pawl.path()).await.unwrap()),
    }
}

/// Takes leases as a poller does.
async fn claim(store: &Store, clock: &Clock) -> BTreeMap<Uuid, Uuid> {
    let mut transaction = store.begin().await.unwrap();
    let now = transaction.now(clock).await.unwrap();
    let due = transaction.due_asks("shop", Lane::Fresh, now, &[], 100).await.unwrap();
    let token = Uuid::now_v7();
    let begun: Vec<BegunAsk> =
        due.iter().map(|due| BegunAsk { key: due.key, asking: due.asking }).collect();
    transaction.begin_asks(&begun, token, now.plus(pawl::poll::LEASE)).await.unwrap();
    transaction.commit().await.unwrap();
    begun.into_iter().map(|ask| (ask.key, token)).collect()
}

async fn end(store: &Store, asks: &BTreeMap<Uuid, Uuid>, outcome: &str) -> usize {
    let mut transaction = store.begin().await.unwrap();
    let mut ours = 0;
    for (key, token) in asks {
        ours += usize::from(transaction.end_ask(*key, *token, outcome).await.unwrap());
    }
    transaction.commit().await.unwrap();
    ours
}

on_both_forms!(
    who_was_frozen_for_longer_than_its_lease_changes_nothing,
    who_dies_over_and_over_again_does_not_hammer_the_provider,
);

async fn who_was_frozen_for_longer_than_its_lease_changes_nothing(form: Form) {
    let provider = Provider::start(|_, _| Say::Silence).await;
    // Nobody asks here but the test.
    let mut pawl = Pawl::start_on(form, "").await;
    drop(provider);
    pawl.register(&["wd-1".to_owned(), "wd-2".to_owned()]).await;
    pawl.stop().await;
    let store = open_store(&pawl).await;
    let clock = pawl.clock.clone();
    clock.step_secs(20);
    let frozen = claim(&store, &clock).await;
    assert_eq!(frozen.len(), 2);
    assert!(claim(&store, &clock).await.is_empty(), "both are leased");
    clock.step_secs(29);
    assert!(claim(&store, &clock).await.is_empty(), "both are still leased");
    clock.step_secs(2);
    let other = claim(&store, &clock).await;
    assert_eq!(other.len(), 2, "the leases are over");
    assert_eq!(end(&store, &frozen, "stale").await, 0, "who lost its lease changes nothing");
    assert_eq!(end(&store, &other, "fine").await, 2);
    assert_eq!(end(&store, &other, "twice").await, 0);
    store.close().await;
}

async fn who_dies_over_and_over_again_does_not_hammer_the_provider(form: Form) {
    let provider = Provider::start(|_, _| Say::Silence).await;
    let mut pawl = start(form, &provider, "").await;
    pawl.register(&["wd-1".to_owned()]).await;
    let mut last = 0.0;
    for times in 1..=5 {
        let order = pawl.order("wd-1").await;
        let due = secs(&order["asking"]["next_at"]);
        if times > 1 {
            let delay = due - secs(&order["asking"]["asked_at"]);
            assert!(delay > last * 1.5, "delays double although every ask died: {delay}, {last}");
            last = delay;
        }
        assert_eq!(provider.asked("wd-1"), times - 1, "not asked before it is due");
        // Long enough for the dead one's lease, too.
        pawl.clock.step_secs(40 + due as i64 - pawl.clock.now().micros() / 1_000_000);
        provider.wait_until_asked("wd-1", times).await;
        pawl.crash().await;
        pawl.restart().await;
    }
}

#[tokio::test]
async fn old_orders_get_their_fifth() {
    let provider = Provider::start(|_, _| Say::Status("processing")).await;
    let own = Arc::new(Pawl::start_on(Form::Distributed, "").await);
    drop(provider);
    let ids: Vec<String> = (0..10).map(|n| format!("wd-{n}")).collect();
    own.register(&ids).await;
    let store = open_store(&own).await;
    let clock = own.clock.clone();
    clock.step_secs(20);
    // Five of them were asked about four times already.
    let mut transaction = store.begin().await.unwrap();
    let now = transaction.now(&clock).await.unwrap();
    let due = transaction.due_asks("shop", Lane::Fresh, now, &[], 5).await.unwrap();
    let old: Vec<BegunAsk> = due
        .iter()
        .map(|due| BegunAsk { key: due.key, asking: pawl::order::Asking { step: 4, ..due.asking } })
        .collect();
    transaction.begin_asks(&old, Uuid::now_v7(), now).await.unwrap();
    let (fresh_now, old_now) = (
        transaction.due_asks("shop", Lane::Fresh, now, &[], 100).await.unwrap().len(),
        transaction.due_asks("shop", Lane::Old, now, &[old[0].key], 100).await.unwrap().len(),
    );
    assert_eq!((fresh_now, old_now), (5, 4), "an order is in one lane");
    transaction.commit().await.unwrap();
    let limits = pawl::config::Limits {
        requests_per_second: 5,
        burst: 10,
        hints_per_second: 1,
        hint_burst: 5,
    };
    let mut budget = pawl::store::Budget::full(&limits, now);
    let mut shares = Vec::new();
    for _ in 0..10 {
        shares.push(budget.old_share(1));
        budget.spend(1, now);
    }
    assert_eq!(shares, [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    store.close().await;
}

/// A real process, frozen in the middle of a call for longer than its lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_frozen_in_a_call_is_stood_in_for_and_changes_nothing_later() {
    let provider = Provider::start(|_, before| match before {
        0 => Say::Silence,
        _ => Say::Status("completed"),
    })
    .await;
    let own = Own::new(Form::Distributed).await;
    let file = own.folder.path().join("pawl.toml");
    let more = format!("{}[source.shop.ask]\nfirst_secs = 1\ncap_secs = 1\n", provider.source());
    std::fs::write(&file, own.config(&more)).unwrap();
    let rest = Process::start_file(&file, "receive,work,admin").await;
    let frozen = Process::start_file(&file, "poll").await;
    let order = r#"{"source":"shop","order_id":"wd-1","kind":"withdraw"}"#;
    let request = format!(
        "POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: \
         application/json\r\ncontent-length: {}\r\n\r\n{order}",
        order.len()
    );
    assert_eq!(exchange(rest.admin, &request).await.status, 201);
    provider.wait_until_asked("wd-1", 1).await;
    frozen.signal("STOP");
    let other = Process::start_file(&file, "poll").await;
    // By the database's clock its lease lasts for 30 seconds.
    provider.wait_until_asked("wd-1", 2).await;
    let get = |from, path: &'static str| async move {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        exchange(from, &request).await
    };
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    let asking = loop {
        let order = get(rest.admin, "/api/v1/orders/shop/wd-1").await.json();
        if order["final"] == true && order["asking"]["under_way"] == false {
            break order["asking"].clone();
        }
        assert!(Instant::now() < give_up_at, "{order:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    frozen.signal("CONT");
    let gave_up = "pawl_asks_total{outcome=\"unreachable\",source=\"shop\"} 1";
    while !get(frozen.admin, "/metrics").await.body.contains(gave_up) {
        assert!(Instant::now() < give_up_at, "it does not go on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let order = get(rest.admin, "/api/v1/orders/shop/wd-1").await.json();
    assert_eq!(order["asking"], asking, "who lost its lease changes nothing");
    assert_eq!(provider.asked("wd-1"), 2);
    drop(other);
}
