//! `kill -9` of the embedded daemon under load: what was answered 200 has its one verdict, and nothing
//! is issued twice.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::Row;

use super::form::{Form, Own};
#[cfg(feature = "plants")]
use super::process::wait_for_order;
use super::process::{Process, signed};
use super::{exchange_bytes, ledger, withdrawal};

/// Statuses that a sender goes through, again and again, with repeats.
const STATUSES: [&str; 5] = ["new", "processing", "completed", "processing", "completed"];

/// How often the daemon is killed: `PAWL_CASES` times as often where it is set.
fn kills() -> u64 {
    std::env::var("PAWL_CASES").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(1) * 20
}

/// Sends callbacks until it is told to stop; the ids of those that were answered 200.
pub(super) async fn send_load(
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
            // Told to send again; the next callback will do as well.
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => break,
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_loses_nothing_and_doubles_nothing() {
    let own = Own::new(Form::Embedded).await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut accepted = BTreeSet::new();
    for seed in 0..kills() {
        let mut process = Process::start(&own, "").await;
        let stop = Arc::new(AtomicBool::new(false));
        let load: Vec<_> = (0..8)
            .map(|_| {
                tokio::spawn(send_load(process.receive(), Arc::clone(&stop), Arc::clone(&next)))
            })
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
    let process = Process::start(&own, "").await;
    wait_until_drained(process.admin).await;
    drop(process);
    check(own.folder.path(), &accepted).await;
}

pub(super) async fn wait_until_drained(admin: std::net::SocketAddr) {
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
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
pub(super) async fn check(folder: &Path, accepted: &BTreeSet<String>) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("pawl.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let count = |statement: &'static str| {
        let pool = pool.clone();
        async move { sqlx::query(statement).fetch_one(&pool).await.unwrap().get::<i64, _>(0) }
    };
    let rows = sqlx::query("select callback_id, count(*) from event_bodies group by 1");
    let rows = rows.fetch_all(&pool).await.unwrap();
    let verdicts = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    ledger::check(accepted, verdicts, count).await;
    assert_eq!(count("select count(*) from queue_messages").await, 0);
}

/// Only in builds that can plant faults: the process ends between the work and its commit.
#[cfg(feature = "plants")]
#[tokio::test]
async fn a_process_that_ends_before_its_commit_has_settled_nothing() {
    let planted = std::env::var("PAWL_PLANT").unwrap_or_default();
    let own = Own::new(Form::Embedded).await;
    let plants = format!("{planted},abort_before_commit");
    let mut process = Process::start(&own, &plants).await;
    let body = withdrawal("abort", "completed");
    let answer = exchange_bytes(process.receive(), signed(&body).as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200);
    process.child.wait().await.unwrap();
    let process = Process::start(&own, &planted).await;
    let order = wait_for_order(process.admin, "abort").await;
    assert_eq!(order["status"], "completed");
}

/// Only in builds that can plant faults: whoever applies the callback ends, each time.
#[cfg(feature = "plants")]
mod poison {
    use sqlx::{Connection, PgConnection, SqliteConnection};

    use super::*;
    use crate::daemon::form::on_both_forms;
    use crate::daemon::process::ALL_ROLES;

    on_both_forms!(a_callback_that_ends_every_process_is_given_up_in_the_end);

    /// How many rows a table has.
    async fn count(own: &Own, statement: &'static str) -> i64 {
        match &own.urls {
            None => {
                let url = format!("sqlite:{}/pawl.db", own.folder.path().display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query(statement).fetch_one(&mut connection).await.unwrap().get(0)
            }
            Some((store, _)) => {
                let mut connection = PgConnection::connect(store.expose()).await.unwrap();
                sqlx::query(statement).fetch_one(&mut connection).await.unwrap().get(0)
            }
        }
    }

    async fn a_callback_that_ends_every_process_is_given_up_in_the_end(form: Form) {
        let own = Own::new(form).await;
        let body = withdrawal("poison", "completed");
        let process = Process::start(&own, "abort_before_commit").await;
        let answer = exchange_bytes(process.receive(), signed(&body).as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200);
        let mut child = process.child;
        let mut ended = 0;
        loop {
            let buried = async {
                while count(&own, "select count(*) from dead_letters").await == 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::select! {
                status = child.wait() => assert!(!status.unwrap().success()),
                () = buried => break,
            }
            ended += 1;
            assert!(ended <= 20, "it is tried for ever");
            child = Process::spawn(&own, &[], ALL_ROLES, "abort_before_commit");
        }
        assert_eq!(ended, 10, "as often as attempts_max says");
        let reason =
            "select count(*) from dead_letters where reason = 'given up after 10 attempts'";
        assert_eq!(count(&own, reason).await, 1);
        assert_eq!(count(&own, "select count(*) from attempts").await, 0);
        assert_eq!(count(&own, "select count(*) from event_bodies").await, 0);
    }
}
