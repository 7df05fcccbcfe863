//! `kill -9` of the embedded daemon under load: what was answered 200 has its one verdict, and nothing
//! is issued twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::Row;

#[cfg(feature = "plants")]
use super::process::wait_for_order;
use super::process::{Process, signed};
use super::{exchange_bytes, withdrawal};

/// Statuses that a sender goes through, again and again, with repeats.
const STATUSES: [&str; 5] = ["new", "processing", "completed", "processing", "completed"];

/// How often the daemon is killed: `PAWL_CASES` times as often where it is set.
fn kills() -> u64 {
    std::env::var("PAWL_CASES").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(1) * 20
}

/// Sends callbacks until it is told to stop; the ids of those that were answered 200.
async fn send_load(
    to: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    next: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut accepted = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let id = format!("k-{}", n / STATUSES.len());
        let body = withdrawal(&id, STATUSES[n % STATUSES.len()]);
        match exchange_bytes(to, signed(&body).as_bytes()).await {
            Ok(answer) if answer.status == 200 => {
                accepted.push(answer.header("pawl-callback-id").unwrap().to_owned());
            }
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => break,
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let mut accepted = BTreeSet::new();
    for seed in 0..kills() {
        let mut process = Process::start(folder.path(), "").await;
        let stop = Arc::new(AtomicBool::new(false));
        let load: Vec<_> = (0..8)
            .map(|_| tokio::spawn(send_load(process.receive, Arc::clone(&stop), Arc::clone(&next))))
            .collect();
        // A seeded moment: after so many callbacks, not after so much time.
        let moment = next.load(Ordering::Relaxed) + 20 + (seed as usize * 37) % 91;
        while next.load(Ordering::Relaxed) < moment {
            tokio::task::yield_now().await;
        }
        process.child.start_kill().unwrap();
        process.child.wait().await.unwrap();
        stop.store(true, Ordering::Relaxed);
        for task in load {
            accepted.extend(task.await.unwrap());
        }
    }
    assert!(accepted.len() > 200, "too little was accepted to say anything: {}", accepted.len());
    let process = Process::start(folder.path(), "").await;
    wait_until_drained(process.admin).await;
    drop(process);
    check(folder.path(), &accepted).await;
}

async fn wait_until_drained(admin: std::net::SocketAddr) {
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let give_up_at = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let metrics = exchange_bytes(admin, request).await.unwrap().body;
        if metrics.contains("\npawl_queue_depth 0\n") {
            return;
        }
        assert!(std::time::Instant::now() < give_up_at, "never drained");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reads the file itself, and holds it against what was answered.
async fn check(folder: &Path, accepted: &BTreeSet<String>) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("pawl.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let rows = sqlx::query("select callback_id, count(*) from event_bodies group by 1");
    let verdicts: BTreeMap<String, i64> = rows
        .fetch_all(&pool)
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get::<uuid::Uuid, _>(0).to_string(), row.get(1)))
        .collect();
    for id in accepted {
        assert_eq!(verdicts.get(id), Some(&1), "{id} was answered 200 and has not its one verdict");
    }
    let count = |sql: &'static str| {
        let pool = pool.clone();
        async move { sqlx::query(sql).fetch_one(&pool).await.unwrap().get::<i64, _>(0) }
    };
    assert_eq!(count("select count(*) from dead_letters").await, 0);
    assert_eq!(count("select count(*) from queue_messages").await, 0);
    let doubled =
        "select count(*) from (select 1 from effects group by order_key, leg, counter, to_total
         having count(*) > 1)";
    assert_eq!(count(doubled).await, 0, "issued twice");
    let gaps = "select count(*) from effects e where cast(from_total as real) > 0 and not exists
         (select 1 from effects o where o.order_key = e.order_key and o.leg = e.leg
             and o.counter = e.counter and o.to_total = e.from_total)";
    assert_eq!(count(gaps).await, 0, "a gap between what was issued and what is issued next");
    let completed = "select count(*) from orders o where status = 'completed' and (select count(*)
         from effects e where e.order_key = o.key and e.counter = 'debited') <> 1";
    assert_eq!(count(completed).await, 0, "completed, and not debited once");
    let repeats = "select count(*) from events e where repeats + 1 <> (select count(*)
         from event_bodies b where b.order_key = e.order_key and b.event_id = e.event_id)";
    assert_eq!(count(repeats).await, 0, "repeats are counted once each");
}

/// Only in builds that can plant faults: the process ends between the work and its commit.
#[cfg(feature = "plants")]
#[tokio::test]
async fn a_process_that_ends_before_its_commit_has_settled_nothing() {
    let planted = std::env::var("PAWL_PLANT").unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    let plants = format!("{planted},abort_before_commit");
    let mut process = Process::start(folder.path(), &plants).await;
    let body = withdrawal("abort", "completed");
    let answer = exchange_bytes(process.receive, signed(&body).as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200);
    process.child.wait().await.unwrap();
    let process = Process::start(folder.path(), &planted).await;
    let order = wait_for_order(process.admin, "abort").await;
    assert_eq!(order["status"], "completed");
}
