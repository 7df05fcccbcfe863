//! RabbitMQ and PostgreSQL: roles in processes of their own, killed and restarted under load, and the
//! servers restarted beneath them. What was answered 200 has its one verdict, nothing is issued twice,
//! and no process needs a hand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, Row};

use super::crash::send_load;
use super::form::{Form, Own};
use super::ledger;
use super::outage::{Servers, control};
use super::process::Process;

/// Load on a receiver, from eight senders, until it is ended.
struct Load {
    stop: Arc<AtomicBool>,
    next: Arc<AtomicUsize>,
    senders: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(receiver: &Process, next: &Arc<AtomicUsize>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let send = || send_load(receiver.receive(), Arc::clone(&stop), Arc::clone(next));
        let senders = (0..8).map(|_| tokio::spawn(send())).collect();
        Self { stop, next: Arc::clone(next), senders }
    }

    /// Waits for so many more callbacks.
    async fn wait_for(&self, more: usize) {
        let moment = self.next.load(Ordering::Relaxed) + more;
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        while self.next.load(Ordering::Relaxed) < moment {
            assert!(Instant::now() < give_up_at, "nothing is sent any more");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut accepted = Vec::new();
        for sender in self.senders {
            accepted.extend(sender.await.unwrap());
        }
        accepted
    }
}

/// Waits until every accepted callback has a verdict, and holds the database against them.
pub(super) async fn check(own: &Own, accepted: &BTreeSet<String>) {
    let (store, _) = own.urls.as_ref().unwrap();
    let connection = PgConnection::connect(store.expose()).await.unwrap();
    let connection = Arc::new(tokio::sync::Mutex::new(connection));
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    let verdicts = loop {
        let rows = sqlx::query("select callback_id, count(*) from event_bodies group by 1");
        let rows = rows.fetch_all(&mut *connection.lock().await).await.unwrap();
        let verdicts: std::collections::BTreeMap<uuid::Uuid, i64> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        if accepted.iter().all(|id| verdicts.contains_key(&id.parse().unwrap())) {
            break verdicts;
        }
        assert!(Instant::now() < give_up_at, "{} of {}", verdicts.len(), accepted.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let count = |statement: &'static str| {
        let connection = Arc::clone(&connection);
        async move {
            let row = sqlx::query(statement).fetch_one(&mut *connection.lock().await).await;
            row.unwrap().get::<i64, _>(0)
        }
    };
    ledger::check(accepted, verdicts, count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_and_workers_are_killed_apart_and_nothing_is_lost_or_doubled() {
    let own = Own::new(Form::Distributed).await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut accepted = BTreeSet::new();
    let mut worker = Process::start_roles(&own, "work", "").await;
    let mut receiver = Process::start_roles(&own, "receive", "").await;
    for round in 0..20 {
        let load = Load::on(&receiver, &next);
        load.wait_for(20 + (round * 37) % 91).await;
        if round % 2 == 0 {
            worker.kill().await;
            worker = Process::start_roles(&own, "work", "").await;
        } else {
            receiver.kill().await;
            receiver = Process::start_roles(&own, "receive", "").await;
        }
        accepted.extend(load.end().await);
    }
    assert!(accepted.len() > 200, "too little was accepted to say anything: {}", accepted.len());
    check(&own, &accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_work() {
    let own = Own::new(Form::Distributed).await;
    let workers = [
        Process::start_roles(&own, "work", "").await,
        Process::start_roles(&own, "work", "").await,
    ];
    let receiver = Process::start_roles(&own, "receive", "").await;
    let load = Load::on(&receiver, &Arc::new(AtomicUsize::new(0)));
    load.wait_for(1500).await;
    let accepted = load.end().await.into_iter().collect();
    check(&own, &accepted).await;
    drop(workers);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_and_the_database_are_restarted_and_nothing_is_lost_or_doubled() {
    let _servers = Servers::take().await;
    let own = Own::new(Form::Breakable).await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut accepted = BTreeSet::new();
    let worker = Process::start_roles(&own, "work", "").await;
    let receiver = Process::start_roles(&own, "receive", "").await;
    for server in ["rabbit", "postgres"] {
        let load = Load::on(&receiver, &next);
        load.wait_for(200).await;
        control(&["stop", server]).await;
        control(&["start", server]).await;
        // Nobody lends a hand: callbacks are accepted again.
        load.wait_for(400).await;
        accepted.extend(load.end().await);
        check(&own, &accepted).await;
    }
    drop((worker, receiver));
}
