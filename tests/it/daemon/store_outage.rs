//! The database is down, or one order in it is locked: what was accepted waits for as long as it takes,
//! and no attempt is used up by it. Only who ends the process that works on it uses up attempts.

use std::collections::BTreeSet;
use std::time::Duration;

use lapin::options::{BasicGetOptions, BasicPublishOptions, BasicRejectOptions};
use lapin::{BasicProperties, Channel};
use pawl::clock::Clock;
use pawl::queue::message::{CONTENT_TYPE, Callback, pack};
use pawl::queue::{Queue, Settle, rabbit};
use sqlx::{Connection, PgConnection};

use super::distributed::check;
use super::form::{Form, Own};
use super::outage::{Servers, control};
use super::process::{Process, signed};
use super::queue::{all, callback, take};
use super::{Pawl, exchange_bytes, withdrawal};

fn completed(id: &str) -> Callback {
    let callback = callback(&Clock::default(), 0);
    Callback { body: withdrawal(id, "completed").into_bytes(), ..callback }
}

async fn send(to: &Process, ids: std::ops::Range<usize>, accepted: &mut BTreeSet<String>) {
    for n in ids {
        let body = withdrawal(&format!("w-{}", n / 2), ["processing", "completed"][n % 2]);
        let answer = exchange_bytes(to.receive(), signed(&body).as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200);
        accepted.insert(answer.header("pawl-callback-id").unwrap().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_down_callbacks_are_accepted_and_wait() {
    let _servers = Servers::take().await;
    let own = Own::new(Form::Breakable).await;
    let (one, other) = (
        Process::start_roles(&own, "work", "").await,
        Process::start_roles(&own, "work", "").await,
    );
    let receiver = Process::start_roles(&own, "receive", "").await;
    let mut accepted = BTreeSet::new();
    send(&receiver, 0..20, &mut accepted).await;
    check(&own, &accepted).await;
    control(&["stop", "postgres"]).await;
    send(&receiver, 20..60, &mut accepted).await;
    // What it had in hand is given to the other one, or waits on the broker.
    one.kill().await;
    send(&receiver, 60..100, &mut accepted).await;
    control(&["start", "postgres"]).await;
    check(&own, &accepted).await;
    other.kill().await;
    let _worker = Process::start_roles(&own, "work", "").await;
    send(&receiver, 0..120, &mut accepted).await;
    check(&own, &accepted).await;
}

/// Has the broker count so many processes that had a suspect in hand and ended.
async fn end_processes(channel: &Channel, prefix: &str, callback: &Callback, count: usize) {
    let properties =
        BasicProperties::default().with_content_type(CONTENT_TYPE.into()).with_delivery_mode(2);
    let (options, message) = (BasicPublishOptions::default(), pack(std::slice::from_ref(callback)));
    let publishing =
        channel.basic_publish(prefix.into(), "suspects".into(), options, &message, properties);
    publishing.await.unwrap();
    let queue = format!("{prefix}.suspects");
    for _ in 0..count {
        let found = loop {
            let found = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await;
            match found.unwrap() {
                Some(found) => break found,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        found.delivery.acker.reject(BasicRejectOptions { requeue: true }).await.unwrap();
    }
}

#[tokio::test]
async fn an_outage_of_the_database_uses_up_no_attempts() {
    let _servers = Servers::take().await;
    let own = Own::new(Form::Breakable).await;
    let (_, broker) = own.urls.as_ref().unwrap();
    let (url, prefix) = (broker.expose().to_owned(), own.name.clone());
    let queue = rabbit::Queue::open(&url, &prefix, Clock::default()).await;
    let queue = Queue::Rabbit(queue.unwrap());
    control(&["stop", "postgres"]).await;
    // Given back again and again: it waits in a delay queue, and its own count says many.
    let mut given_back = completed("u-1");
    given_back.header.attempt = 30;
    let mut fresh = completed("u-2");
    fresh.header.attempt = 0;
    queue.publish(fresh).await.unwrap();
    let mut consumer = queue.consumer();
    let batch = take(&mut consumer, 10).await;
    let after = Duration::from_secs(1);
    consumer.settle(&all(batch, Settle::Retry { after })).await.unwrap();
    drop(consumer);
    queue.publish(given_back).await.unwrap();
    // More processes ended than we allow, and more than the broker allows.
    let (_connection, channel) = crate::rabbit::channel(&url).await;
    end_processes(&channel, &prefix, &completed("u-3"), 51).await;
    end_processes(&channel, &prefix, &completed("u-4"), 12).await;
    control(&["start", "postgres"]).await;
    let text = own.config("");
    let pawl = Pawl::start_by(own, text).await;
    for id in ["u-1", "u-2", "u-3", "u-4"] {
        let path = format!("/api/v1/orders/shop/{id}");
        pawl.wait_for(&path, |order| order["status"] == "completed").await;
        let events = pawl.events(id).await;
        assert_eq!((events.len(), &events[0]["repeats"]), (1, &0.into()), "{id}");
    }
    let letters = pawl.get("/api/v1/dead-letters").await.json();
    assert!(letters["items"].as_array().unwrap().is_empty(), "{letters}");
}

#[tokio::test]
async fn an_order_that_somebody_locks_keeps_no_other_one_waiting() {
    let pawl = Pawl::start_on(Form::Distributed, "").await;
    pawl.send(&withdrawal("l-1", "new")).await;
    pawl.wait_until_drained().await;
    let (store, _) = pawl.urls().unwrap();
    let mut somebody = PgConnection::connect(store.expose()).await.unwrap();
    let mut lock = somebody.begin().await.unwrap();
    sqlx::query("select from orders for update").execute(&mut *lock).await.unwrap();
    pawl.send(&withdrawal("l-1", "completed")).await;
    for n in 2..5 {
        pawl.send(&withdrawal(&format!("l-{n}"), "completed")).await;
    }
    for n in 2..5 {
        let path = format!("/api/v1/orders/shop/l-{n}");
        pawl.wait_for(&path, |order| order["status"] == "completed").await;
    }
    assert_eq!(pawl.order("l-1").await["status"], "new");
    lock.rollback().await.unwrap();
    pawl.wait_for("/api/v1/orders/shop/l-1", |order| order["status"] == "completed").await;
    let letters = pawl.get("/api/v1/dead-letters").await.json();
    assert!(letters["items"].as_array().unwrap().is_empty(), "{letters}");
}
