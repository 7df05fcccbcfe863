//! What the broker does not keep is not accepted, and what is not ours is a dead letter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lapin::BasicProperties;
use lapin::options::{
    BasicPublishOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use pawl::clock::Clock;
use pawl::config::Work;
use pawl::observe::metrics::Metrics;
use pawl::queue::{Settle, rabbit};
use pawl::sources::Sources;
use pawl::store::Store;
use pawl::store::sqlite::Database;
use pawl::work::Worker;
use tokio_util::sync::CancellationToken;

use super::{arguments, channel, delete, open, prefix, until, url};
use crate::daemon::queue::{all, callback, ids, publish_at_once, take, take_all};

#[tokio::test]
async fn what_has_no_queue_is_not_accepted() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    let (_connection, channel) = channel(&url).await;
    let name = || format!("{prefix}.callbacks");
    let (exchange, key) = (prefix.as_str().into(), "callbacks".into());
    channel.queue_unbind(name().into(), exchange, key, FieldTable::default()).await.unwrap();
    let publishing = (0..100).map(|n| queue.publish(callback(&clock, n)));
    let results = futures_util::future::join_all(publishing).await;
    let error = results.into_iter().next().unwrap().expect_err("nobody has it").to_string();
    assert!(error.contains("no queue for it"), "{error}");
    // What is missing is declared again.
    until("it is healed", async || queue.publish(callback(&clock, 1)).await.is_ok()).await;
    delete(&url, &prefix).await;
}

/// The client library hands a return to any message's confirm. We do not.
#[tokio::test]
async fn among_many_at_once_what_is_accepted_is_there() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    let (_connection, channel) = channel(&url).await;
    let mut publishing = Vec::new();
    for n in 0..4000 {
        let (queue, mut callback) = (queue.clone(), callback(&clock, n));
        // Many sources, so that many messages are under way.
        callback.header.source = format!("shop-{n}");
        let id = callback.header.id;
        publishing.push(tokio::spawn(async move { (id, queue.publish(callback).await.is_ok()) }));
    }
    for _ in 0..40 {
        let (exchange, key) = (prefix.as_str().into(), "callbacks".into());
        let name = format!("{prefix}.callbacks").into();
        channel.queue_unbind(name, exchange, key, FieldTable::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let (mut accepted, mut refused) = (BTreeSet::new(), 0);
    for task in publishing {
        let (id, is_accepted) = task.await.unwrap();
        if is_accepted {
            accepted.insert(id);
        } else {
            refused += 1;
        }
    }
    assert!(refused > 0 && accepted.len() > 100, "{refused} refused, {} not", accepted.len());
    let mut consumer = queue.consumer();
    while !accepted.is_empty() {
        let batch = take(&mut consumer, 500).await;
        for id in ids(&batch) {
            accepted.remove(&id);
        }
        consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    }
    delete(&url, &prefix).await;
}

#[tokio::test]
async fn what_the_broker_refuses_is_not_accepted() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    let (_connection, channel) = channel(&url).await;
    let name = || format!("{prefix}.callbacks");
    channel.queue_delete(name().into(), QueueDeleteOptions::default()).await.unwrap();
    let options = QueueDeclareOptions::durable();
    let full = arguments(&prefix, &[("x-delivery-limit", 50), ("x-max-length", 1)]);
    channel.queue_declare(name().into(), options, full).await.unwrap();
    let (exchange, key) = (prefix.as_str().into(), "callbacks".into());
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(name().into(), exchange, key, options, none).await.unwrap();
    let mut refused = None;
    for n in 0..50 {
        refused = queue.publish(callback(&clock, n)).await.err();
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("the queue is full").to_string();
    assert!(refused.contains("refused"), "{refused}");
    delete(&url, &prefix).await;
}

#[tokio::test]
async fn what_is_not_ours_is_given_out_to_be_buried() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    let (_connection, channel) = channel(&url).await;
    let ours = "application/vnd.pawl.callbacks.v1";
    let strange = [
        ("callbacks", "application/vnd.pawl.callbacks.v9", "new"),
        ("callbacks", ours, "cut"),
        ("dead", "text/plain", "text"),
    ];
    for (key, content_type, body) in strange {
        let properties = BasicProperties::default().with_content_type(content_type.into());
        let (exchange, options) = (prefix.as_str().into(), BasicPublishOptions::default());
        let body = body.as_bytes();
        channel.basic_publish(exchange, key.into(), options, body, properties).await.unwrap();
    }
    queue.publish(callback(&clock, 1)).await.unwrap();
    let mut consumer = queue.consumer();
    let mut dead = Vec::new();
    for _ in 0..4 {
        let batch = take(&mut consumer, 10).await;
        assert_eq!(batch.len(), 1, "{batch:?}");
        if let Some(reason) = &batch[0].dead {
            let text = String::from_utf8(batch[0].callback.body.clone()).unwrap();
            dead.push((text, reason.clone()));
            assert_eq!(batch[0].callback.header.source, "?");
        }
        consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    }
    dead.sort();
    let bodies: Vec<&str> = dead.iter().map(|(body, _)| body.as_str()).collect();
    assert_eq!(bodies, ["cut", "new", "text"]);
    assert!(dead[0].1.contains("ends in the middle"), "{dead:?}");
    assert!(dead[1].1.contains("callbacks.v9"), "{dead:?}");
    assert_eq!(queue.depth().await.unwrap().waiting, 0);
    delete(&url, &prefix).await;
}

#[tokio::test]
async fn a_consumer_notices_that_its_queue_was_deleted() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    let mut consumer = queue.consumer();
    queue.publish(callback(&clock, 0)).await.unwrap();
    let lost = take_all(&mut consumer, 1).await;
    let (_connection, channel) = channel(&url).await;
    let name = format!("{prefix}.callbacks");
    channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
    let (taken, ()) = tokio::join!(take_all(&mut consumer, 1), async {
        until("it is healed", async || queue.publish(callback(&clock, 7)).await.is_ok()).await;
    });
    assert_eq!(taken[0].callback.body, callback(&clock, 7).body);
    // What was given out over the old connection is not settled over the new one.
    assert!(consumer.settle(&all(lost, Settle::Ack)).await.is_err());
    consumer.settle(&all(taken, Settle::Ack)).await.unwrap();
    delete(&url, &prefix).await;
}

#[tokio::test]
async fn a_message_is_acknowledged_when_all_of_its_group_is_settled() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    // More than the messages that may be under way: the rest shares some.
    let published = publish_at_once(&queue, &clock, 500).await;
    let messages = queue.depth().await.unwrap().waiting;
    assert!(messages < 300, "they share messages: {messages}");
    let mut consumer = queue.consumer();
    let mut batch = take_all(&mut consumer, published.len()).await;
    let last = batch.pop().unwrap();
    consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    drop(consumer);
    // The group of the one that was not settled comes again, whole.
    let mut consumer = queue.consumer();
    let again = take(&mut consumer, 500).await;
    assert!(again.len() < 65, "{}", again.len());
    assert!(again.iter().any(|item| item.callback.header.id == last.callback.header.id));
    consumer.settle(&all(again, Settle::Ack)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(queue.depth().await.unwrap().waiting, 0);
    delete(&url, &prefix).await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_an_error_at_the_start() {
    let clock = Clock::default();
    let started = std::time::Instant::now();
    for url in ["amqp://guest:hush@127.0.0.1:1/%2f", "http://guest:hush@127.0.0.1", "nonsense"] {
        let error = rabbit::Queue::open(url, "pawl", clock.clone()).await.expect_err(url);
        let error = format!("{:#}", anyhow::Error::new(error));
        assert!(!error.contains("hush"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(11));
}

#[tokio::test]
async fn what_is_not_ours_is_buried_with_its_bytes() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("pawl.db")).await.unwrap();
    let store = Store::Sqlite(database);
    let limits = Work { batch_max: 500, linger: Duration::from_millis(5), attempts_max: 10 };
    let (sources, metrics) = (Sources::new(BTreeMap::new()), Metrics::new().unwrap());
    let bell = std::sync::Arc::default();
    let worker = Worker { store: store.clone(), sources, clock, metrics, limits, bell };
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(queue.consumer(), stop.clone()));
    let (_connection, channel) = channel(&url).await;
    let (exchange, options) = (prefix.as_str().into(), BasicPublishOptions::default());
    let properties = BasicProperties::default().with_content_type("text/plain".into());
    let body = b"\0strange";
    channel.basic_publish(exchange, "callbacks".into(), options, body, properties).await.unwrap();
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, body);
    until("it is buried", async || {
        let mut transaction = store.begin().await.unwrap();
        let letter = transaction.get_dead_letter(id).await.unwrap();
        letter.is_some_and(|letter| {
            assert!(letter.reason.contains("content type is text/plain"), "{}", letter.reason);
            letter.callback.body == body
        })
    })
    .await;
    until("it is settled", async || queue.depth().await.unwrap().waiting == 0).await;
    stop.cancel();
    working.await.unwrap();
    delete(&url, &prefix).await;
}
