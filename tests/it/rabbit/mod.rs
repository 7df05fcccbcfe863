//! The queue on a real RabbitMQ, and what becomes of it when the broker fails it.

mod broken;
mod refused;
mod suspects;

use std::time::Duration;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use pawl::clock::Clock;
use pawl::queue::{Queue, rabbit};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests by tests/run"))
}

/// The broker that tests share.
pub(crate) fn url() -> String {
    variable("PAWL_TEST_AMQP_URL")
}

/// A prefix of a test's own.
pub(crate) fn prefix() -> String {
    format!("test-{}", uuid::Uuid::now_v7().simple())
}

pub(crate) async fn open(url: &str, prefix: &str) -> Queue {
    Queue::Rabbit(rabbit::Queue::open(url, prefix, Clock::default()).await.unwrap())
}

/// A way to the broker that is not ours: to break things, and to look.
pub(crate) async fn channel(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Deletes all that a test has made.
pub(crate) async fn delete(url: &str, prefix: &str) {
    let (_connection, channel) = channel(url).await;
    for name in ["callbacks", "suspects", "dead", "retry.1s", "retry.2s"] {
        let name = format!("{prefix}.{name}");
        channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    channel.exchange_delete(prefix.into(), ExchangeDeleteOptions::default()).await.unwrap();
}

/// The arguments of the queue of callbacks, and more.
fn arguments(prefix: &str, more: &[(&str, i64)]) -> FieldTable {
    let mut arguments = FieldTable::default();
    let texts = [
        ("x-queue-type", "quorum"),
        ("x-overflow", "reject-publish"),
        ("x-dead-letter-exchange", prefix),
        ("x-dead-letter-routing-key", "dead"),
        ("x-dead-letter-strategy", "at-least-once"),
    ];
    for (name, value) in texts {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    for (name, value) in more {
        arguments.insert((*name).into(), AMQPValue::LongLongInt(*value));
    }
    arguments
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 20 s: {what}");
}
