//! A broker that stops, and one that takes nothing. It is the second one, and all tests that
//! break it run one after the other.

use std::time::{Duration, Instant};

use pawl::clock::Clock;
use pawl::queue::Settle;

use super::{delete, open, prefix, until, variable};
use crate::daemon::outage::{Servers, control};
use crate::daemon::queue::{all, callback, take_all};

#[tokio::test]
async fn while_the_broker_is_blocked_publishing_fails_fast_and_acknowledging_goes_on() {
    let _guard = Servers::take().await;
    let (url, prefix, clock) = (variable("PAWL_TEST_SECOND_AMQP_URL"), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    for n in 0..20 {
        queue.publish(callback(&clock, n)).await.unwrap();
    }
    let mut consumer = queue.consumer();
    let batch = take_all(&mut consumer, 10).await;
    control(&["alarm", "on"]).await;
    for n in 0..5 {
        let started = Instant::now();
        queue.publish(callback(&clock, n)).await.expect_err("the broker takes nothing");
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
    assert_eq!(queue.unready(), Some("the broker is blocked"));
    consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    let batch = take_all(&mut consumer, 10).await;
    consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().waiting, 0);
    control(&["alarm", "off"]).await;
    until("it publishes again", async || queue.publish(callback(&clock, 1)).await.is_ok()).await;
    assert_eq!(queue.unready(), None);
    delete(&url, &prefix).await;
}

#[tokio::test]
async fn while_the_broker_is_down_publishing_fails_fast_and_recovers_after() {
    let _guard = Servers::take().await;
    let (url, prefix, clock) = (variable("PAWL_TEST_SECOND_AMQP_URL"), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    let mut consumer = queue.consumer();
    queue.publish(callback(&clock, 0)).await.unwrap();
    let batch = take_all(&mut consumer, 1).await;
    control(&["stop", "rabbit"]).await;
    for n in 0..3 {
        let started = Instant::now();
        queue.publish(callback(&clock, n)).await.expect_err("there is no broker");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
    assert_eq!(queue.unready(), Some("the broker is not connected"));
    assert!(consumer.settle(&all(batch, Settle::Ack)).await.is_err());
    control(&["start", "rabbit"]).await;
    until("it publishes again", async || queue.publish(callback(&clock, 5)).await.is_ok()).await;
    // Whoever works asks again after an error.
    let mut found = Vec::new();
    let stop = tokio_util::sync::CancellationToken::new();
    until("what was not settled comes again", async || {
        let batch = consumer.next(10, Duration::ZERO, &stop).await.unwrap_or_default();
        found.extend(batch.iter().map(|item| item.callback.body.clone()));
        consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
        found.len() >= 2
    })
    .await;
    found.sort();
    assert_eq!(found, [callback(&clock, 0).body, callback(&clock, 5).body]);
    assert_eq!(queue.unready(), None);
    delete(&url, &prefix).await;
}
