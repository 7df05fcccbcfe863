//! What a queue must do, whatever it is made of.

use std::time::Duration;

use pawl::clock::Clock;
use pawl::order::report::Origin;
use pawl::queue::message::{Callback, CallbackHeader};
use pawl::queue::{Consumer, Delivery, Queue, Settle, embedded};
use pawl::store::sqlite::Database;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A queue in a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
    clock: Clock,
    queue: Queue,
    database: Database,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::default();
        let (database, queue) = open(&folder, &clock).await;
        Self { folder, clock, queue, database }
    }

    /// As after the end of the process: what was given out is not settled.
    async fn reopen(self) -> Self {
        let Self { folder, clock, queue, database } = self;
        drop(queue);
        database.close().await;
        drop(database);
        let (database, queue) = open(&folder, &clock).await;
        Self { folder, clock, queue, database }
    }

    async fn publish(&self, count: usize) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for n in 0..count {
            let callback = callback(&self.clock, n);
            ids.push(callback.header.id);
            self.queue.publish(callback).await.unwrap();
        }
        ids
    }
}

async fn open(folder: &tempfile::TempDir, clock: &Clock) -> (Database, Queue) {
    let database = Database::open(&folder.path().join("pawl.db")).await.unwrap();
    let queue = embedded::Queue::open(&database, clock.clone()).await.unwrap();
    (database, Queue::Embedded(queue))
}

fn callback(clock: &Clock, n: usize) -> Callback {
    let header = CallbackHeader {
        id: Uuid::now_v7(),
        source: "shop".to_owned(),
        origin: Origin::Callback,
        received_at: clock.now(),
        headers: [("user-agent", "test")].into_iter().collect(),
        attempt: 0,
    };
    Callback { header, body: format!("body {n} \0\u{1f600}").into_bytes() }
}

async fn take(consumer: &mut Consumer, max: usize) -> Vec<Delivery> {
    consumer.next(max, Duration::from_millis(1), &CancellationToken::new()).await.unwrap()
}

fn ids(batch: &[Delivery]) -> Vec<Uuid> {
    batch.iter().map(|delivery| delivery.callback.header.id).collect()
}

fn all(batch: Vec<Delivery>, settle: Settle) -> Vec<(Delivery, Settle)> {
    batch.into_iter().map(|delivery| (delivery, settle)).collect()
}

#[tokio::test]
async fn what_is_published_comes_out_whole_and_in_order() {
    let bench = Bench::new().await;
    let published = bench.publish(5).await;
    let mut consumer = bench.queue.consumer();
    let batch = take(&mut consumer, 10).await;
    assert_eq!(ids(&batch), published);
    assert_eq!(batch[3].callback.body, "body 3 \0\u{1f600}".as_bytes());
    assert_eq!(batch[0].callback.header.headers.only("user-agent"), Ok(Some("test")));
    assert!(batch.iter().all(|delivery| delivery.attempt == 1));
    consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    assert_eq!(bench.queue.depth().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn what_is_given_out_is_given_out_once_until_it_is_given_back() {
    let bench = Bench::new().await;
    let published = bench.publish(3).await;
    let (mut one, mut other) = (bench.queue.consumer(), bench.queue.consumer());
    let first = take(&mut one, 2).await;
    let second = take(&mut other, 10).await;
    assert_eq!([ids(&first), ids(&second)].concat(), published);
    let after = Duration::from_secs(60);
    one.settle(&all(first, Settle::Retry { after })).await.unwrap();
    other.settle(&all(second, Settle::Ack)).await.unwrap();
    assert_eq!(bench.queue.depth().await.unwrap().waiting, 2);
    bench.clock.step_secs(59);
    bench.publish(1).await;
    assert_eq!(take(&mut one, 10).await.len(), 1, "not before its time");
    bench.clock.step_secs(2);
    let again = take(&mut one, 10).await;
    assert_eq!(ids(&again), published[..2]);
    assert!(again.iter().all(|delivery| delivery.attempt == 2));
}

#[tokio::test]
async fn what_was_given_out_when_the_process_ended_comes_again() {
    let bench = Bench::new().await;
    let published = bench.publish(3).await;
    let mut consumer = bench.queue.consumer();
    let batch = take(&mut consumer, 10).await;
    consumer.settle(&all(batch[..1].to_vec(), Settle::Ack)).await.unwrap();
    drop(consumer);
    let bench = bench.reopen().await;
    let again = take(&mut bench.queue.consumer(), 10).await;
    assert_eq!(ids(&again), published[1..]);
}

#[tokio::test]
async fn what_was_tried_twice_comes_alone_and_starves_nothing() {
    let mut bench = Bench::new().await;
    let suspects = bench.publish(3).await;
    for _ in 0..2 {
        take(&mut bench.queue.consumer(), 10).await;
        bench = bench.reopen().await;
    }
    let fresh = bench.publish(4).await;
    let mut consumer = bench.queue.consumer();
    let mut batches = Vec::new();
    while batches.iter().flatten().count() < 7 {
        batches.push(ids(&take(&mut consumer, 10).await));
    }
    assert!(batches.contains(&fresh), "{batches:?}");
    for suspect in suspects {
        assert!(batches.contains(&vec![suspect]), "a suspect comes alone: {batches:?}");
    }
}

#[tokio::test]
async fn a_consumer_that_is_told_to_stop_gives_nothing() {
    let bench = Bench::new().await;
    let (stop, mut consumer) = (CancellationToken::new(), bench.queue.consumer());
    let waiting = consumer.next(10, Duration::ZERO, &stop);
    let (batch, ()) = tokio::join!(waiting, async { stop.cancel() });
    assert!(batch.unwrap().is_empty());
}

#[tokio::test]
async fn many_publish_at_once() {
    let bench = Bench::new().await;
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let (queue, callback) = (bench.queue.clone(), callback(&bench.clock, n));
            tokio::spawn(async move { queue.publish(callback).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(bench.queue.depth().await.unwrap().waiting, 64);
}

#[tokio::test]
async fn what_cannot_be_made_durable_is_not_accepted() {
    let bench = Bench::new().await;
    bench.database.close().await;
    assert!(bench.queue.publish(callback(&bench.clock, 0)).await.is_err());
}
