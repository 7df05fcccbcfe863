//! Several relays on one outbox, and transactions that are slower than others.

use pawl::clock::Clock;
use pawl::config::Config;
use pawl::roles::{Role, Roles};
use pawl::run::Daemon;

use super::{Answer, FAST, Receiver, send, start};
use crate::daemon::form::{Form, Own};
use crate::daemon::{Pawl, env};
use crate::poll::wait_until;

/// Each of two processes delivers, and an order is one's at a time.
#[tokio::test]
async fn of_two_relays_each_order_is_ones_at_a_time() {
    let receiver = Receiver::start(|body, before| {
        let id = body["id"].as_str().unwrap();
        let is_bad = before == 0 && id.bytes().map(u32::from).sum::<u32>() % 4 == 0;
        Answer::Status(if is_bad { 500 } else { 200 })
    })
    .await;
    let own = Own::new(Form::Distributed).await;
    let text = own.config(&receiver.sink("books", FAST));
    let config = Config::read("pawl.toml", &text, &env()).unwrap();
    let roles = Roles::of(&[Role::Relay]);
    let other = Daemon::start(&config, &roles, Clock::default()).await.unwrap();
    let pawl = Pawl::start_by(own, text).await;
    for status in ["new", "processing", "completed"] {
        for n in 0..60 {
            send(&pawl, &format!("w-{n}"), status).await;
        }
    }
    for n in 0..60 {
        let id = format!("w-{n}");
        let is_done = || receiver.taken_of(&id).iter().any(|kind| kind == "pawl.effect.released");
        wait_until(is_done, || format!("{id}: {:?}", receiver.taken_of(&id))).await;
    }
    receiver.check_order();
    let heard = receiver.heard();
    let again = heard.iter().filter(|heard| heard.is_taken()).count() - receiver.taken().len();
    assert_eq!(again, 0, "what was taken came again, although nobody was away");
    other.stop().await.unwrap();
}

/// A number that counts up would be read past before the slow one is there.
#[tokio::test]
async fn a_transaction_that_was_slow_is_not_overlooked() {
    let receiver = Receiver::willing().await;
    let pawl = start(Form::Distributed, &receiver, "").await;
    send(&pawl, "slow", "new").await;
    send(&pawl, "fast", "new").await;
    for id in ["slow", "fast"] {
        receiver.wait_for(id, 1).await;
    }
    // Somebody holds the order, so that what is decided about it now is committed late.
    let (store, _) = pawl.urls().unwrap();
    let mut holder =
        <sqlx::PgConnection as sqlx::Connection>::connect(store.expose()).await.unwrap();
    let hold = "begin; select from sink_lines where order_key =
        (select order_key from order_ids where id = 'slow') for update";
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    send(&pawl, "slow", "processing").await;
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
        and query like '-- lines.extend_lines%'";
    let mut looking =
        <sqlx::PgConnection as sqlx::Connection>::connect(store.expose()).await.unwrap();
    loop {
        let row = sqlx::query(waits).fetch_one(&mut looking).await.unwrap();
        if sqlx::Row::get::<i64, _>(&row, 0) > 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    // Another process decides and delivers what is newer.
    let text = pawl.text().to_owned();
    let config = Config::read("pawl.toml", &text, &env()).unwrap();
    let other = Daemon::start(&config, &Roles::all(), Clock::default()).await.unwrap();
    let body = crate::daemon::withdrawal("fast", "processing");
    let to = other.receive_address.unwrap();
    let taken = receiver.taken_of("fast").len();
    assert_eq!(crate::daemon::callback(to, &body, &crate::daemon::sign(&body)).await.status, 200);
    receiver.wait_for("fast", taken + 1).await;
    let taken = receiver.taken_of("slow").len();
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    receiver.wait_for("slow", taken + 1).await;
    receiver.check_order();
    other.stop().await.unwrap();
}
