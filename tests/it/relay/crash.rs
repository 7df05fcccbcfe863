//! What left with the transaction is delivered, whoever ends.

use sqlx::{Connection, PgConnection, SqliteConnection};

use super::Receiver;
use crate::daemon::form::{Form, Own, on_both_forms};
use crate::daemon::process::{ALL_ROLES, Process, Start, signed};
use crate::daemon::{SECRET, SINK_SECRET, exchange_bytes, withdrawal};

on_both_forms!(who_is_killed_has_lost_nothing_that_leaves);

async fn start(own: &Own, receiver: &Receiver, plant: &str) -> Process {
    let text = own.config(&receiver.sink("books", super::FAST));
    let env = [("SECRET", SECRET), ("SINK_SECRET", SINK_SECRET), ("PAWL_PLANT", plant)];
    Start { own, text, roles: ALL_ROLES, env: &env }.now().await
}

/// How much of an order is on the books of a receiver: what it took, each identity once.
fn booked(receiver: &Receiver) -> Vec<String> {
    let mut booked: Vec<String> = receiver
        .taken()
        .iter()
        .filter(|heard| heard.kind() == "pawl.effect.debited")
        .map(|heard| heard.order().to_owned())
        .collect();
    booked.sort();
    booked
}

async fn who_is_killed_has_lost_nothing_that_leaves(form: Form) {
    let (own, receiver) = (Own::new(form).await, Receiver::willing().await);
    let mut sent = Vec::new();
    for round in 0..8 {
        let mut process = start(&own, &receiver, "").await;
        let moment = receiver.heard().len() + round;
        for n in 0..6 {
            let id = format!("k-{round}-{n}");
            let body = withdrawal(&id, "completed");
            let answer = exchange_bytes(process.receive(), signed(&body).as_bytes()).await.unwrap();
            assert_eq!(answer.status, 200);
            sent.push(id);
        }
        // At a moment of its own: some are decided and not delivered, some delivered and not settled.
        while receiver.heard().len() < moment {
            tokio::task::yield_now().await;
        }
        process.child.start_kill().unwrap();
        process.child.wait().await.unwrap();
    }
    let _process = start(&own, &receiver, "").await;
    // A lease that nobody holds any more ends by itself, which would take a minute.
    end_leases(&own).await;
    let is_done = || booked(&receiver).len() >= sent.len();
    crate::poll::wait_until(is_done, || format!("{:?}", booked(&receiver))).await;
    assert_eq!(booked(&receiver), sent);
    receiver.check_order();
}

async fn end_leases(own: &Own) {
    const END: &str = "update sink_lines set due_at = waits_since where token is not null";
    match &own.urls {
        None => {
            let url = format!("sqlite:{}/pawl.db", own.folder.path().display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query(END).execute(&mut connection).await.unwrap();
        }
        Some((store, _)) => {
            let mut connection = PgConnection::connect(store.expose()).await.unwrap();
            sqlx::query(END).execute(&mut connection).await.unwrap();
        }
    }
}

/// Only in builds that can plant faults: the process ends right after its commit.
#[cfg(feature = "plants")]
#[tokio::test]
async fn a_process_that_ends_after_its_commit_has_written_what_leaves() {
    let planted = std::env::var("PAWL_PLANT").unwrap_or_default();
    let (own, receiver) = (Own::new(Form::Embedded).await, Receiver::willing().await);
    let mut process = start(&own, &receiver, &format!("{planted},abort_after_commit")).await;
    let body = withdrawal("abort", "completed");
    let answer = exchange_bytes(process.receive(), signed(&body).as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200);
    process.child.wait().await.unwrap();
    let _process = start(&own, &receiver, &planted).await;
    receiver.wait_for("abort", 2).await;
    assert_eq!(booked(&receiver), ["abort"]);
}
