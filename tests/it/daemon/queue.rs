//! What a queue must do, whatever it is made of.

use std::time::Duration;

use pawl::clock::Clock;
use pawl::order::report::Origin;
use pawl::queue::message::{Callback, CallbackHeader};
use pawl::queue::{Consumer, Delivery, Queue, Settle, embedded};
use pawl::store::sqlite::Database;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::rabbit;

/// A queue, and what it is made of.
struct Bench {
    clock: Clock,
    queue: Queue,
    base: Base,
}

enum Base {
    /// A file in a folder of its own.
    Embedded { folder: tempfile::TempDir, database: Database },
    /// A broker that others use too; the prefix is ours.
    Rabbit { prefix: String },
}

impl Bench {
    async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::default();
        let (database, queue) = open(&folder, &clock).await;
        Self { clock, queue, base: Base::Embedded { folder, database } }
    }

    async fn rabbit() -> Self {
        let (clock, prefix) = (Clock::default(), rabbit::prefix());
        let queue = rabbit::open(&rabbit::url(), &prefix).await;
        Self { clock, queue, base: Base::Rabbit { prefix } }
    }

    /// As after the end of the process: what was given out is not settled.
    async fn reopen(self) -> Self {
        let Self { clock, queue, base } = self;
        drop(queue);
        match base {
            Base::Embedded { folder, database } => {
                database.close().await;
                drop(database);
                let (database, queue) = open(&folder, &clock).await;
                Self { clock, queue, base: Base::Embedded { folder, database } }
            }
            Base::Rabbit { prefix } => {
                let queue = rabbit::open(&rabbit::url(), &prefix).await;
                Self { clock, queue, base: Base::Rabbit { prefix } }
            }
        }
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

    async fn close(self) {
        if let Base::Rabbit { prefix } = &self.base {
            rabbit::delete(&rabbit::url(), prefix).await;
        }
    }
}

/// The suite: each of these holds for both forms.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod embedded_form {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Bench::embedded().await).await.close().await;
            })*
        }
        mod rabbit_form {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Bench::rabbit().await).await.close().await;
            })*
        }
    };
}

on_both! {
    what_is_published_comes_out_whole_and_in_order
    what_is_given_back_comes_again_after_a_while
    what_was_given_out_when_the_process_ended_comes_again
    what_was_tried_twice_comes_alone_and_starves_nothing
    a_consumer_that_is_told_to_stop_gives_nothing
    many_publish_at_once
    a_batch_is_no_larger_than_asked_for
}

async fn open(folder: &tempfile::TempDir, clock: &Clock) -> (Database, Queue) {
    let database = Database::open(&folder.path().join("pawl.db")).await.unwrap();
    let queue = embedded::Queue::open(&database, clock.clone()).await.unwrap();
    (database, Queue::Embedded(queue))
}

pub(crate) fn callback(clock: &Clock, n: usize) -> Callback {
    let header = CallbackHeader {
        id: Uuid::now_v7(),
        source: "shop".to_owned(),
        origin: Origin::Callback,
        received_at: clock.now(),
        headers: [("user-agent", "test")].into_iter().collect(),
        attempt: 0,
        asked: std::collections::BTreeSet::new(),
        is_hint: false,
        is_item: false,
        said_at: None,
    };
    Callback { header, body: format!("body {n} \0\u{1f600}").into_bytes() }
}

/// The next batch. It comes within a while.
pub(crate) async fn take(consumer: &mut Consumer, max: usize) -> Vec<Delivery> {
    let stop = CancellationToken::new();
    let next = consumer.next(max, Duration::from_millis(1), &stop);
    tokio::time::timeout(Duration::from_secs(20), next).await.expect("a batch in time").unwrap()
}

/// So many callbacks, in however many batches.
pub(crate) async fn take_all(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(take(consumer, count - all.len()).await);
    }
    all
}

pub(crate) fn ids(batch: &[Delivery]) -> Vec<Uuid> {
    batch.iter().map(|delivery| delivery.callback.header.id).collect()
}

pub(crate) fn all(batch: Vec<Delivery>, settle: Settle) -> Vec<(Delivery, Settle)> {
    batch.into_iter().map(|delivery| (delivery, settle)).collect()
}

async fn what_is_published_comes_out_whole_and_in_order(bench: Bench) -> Bench {
    let published = bench.publish(5).await;
    let mut consumer = bench.queue.consumer();
    let batch = take_all(&mut consumer, 5).await;
    assert_eq!(ids(&batch), published);
    assert_eq!(batch[3].callback.body, "body 3 \0\u{1f600}".as_bytes());
    assert_eq!(batch[0].callback.header.headers.only("user-agent"), Ok(Some("test")));
    assert!(batch.iter().all(|delivery| delivery.attempt == 1 && delivery.dead.is_none()));
    assert_eq!(bench.queue.depth().await.unwrap().waiting, 5, "not settled");
    consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    let depth = bench.queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.oldest_age_secs), (0, 0.0));
    assert_eq!(bench.queue.unready(), None);
    bench
}

async fn what_is_given_back_comes_again_after_a_while(bench: Bench) -> Bench {
    let published = bench.publish(3).await;
    let mut consumer = bench.queue.consumer();
    let mut batch = take_all(&mut consumer, 3).await;
    let last = batch.split_off(2);
    let after = Duration::from_secs(1);
    let given_back = std::time::Instant::now();
    consumer.settle(&all(batch, Settle::Retry { after })).await.unwrap();
    consumer.settle(&all(last, Settle::Ack)).await.unwrap();
    assert_eq!(bench.queue.depth().await.unwrap().waiting, 2);
    let fresh = bench.publish(1).await;
    let batch = take_all(&mut consumer, 1).await;
    assert_eq!(ids(&batch), fresh, "not before its time");
    consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    let again = take_all(&mut consumer, 2).await;
    assert!(given_back.elapsed() >= after, "{:?}", given_back.elapsed());
    assert_eq!(ids(&again), published[..2]);
    assert!(again.iter().all(|delivery| delivery.attempt == 2), "{again:?}");
    consumer.settle(&all(again, Settle::Ack)).await.unwrap();
    bench
}

async fn what_was_given_out_when_the_process_ended_comes_again(bench: Bench) -> Bench {
    let published = bench.publish(3).await;
    let mut consumer = bench.queue.consumer();
    let batch = take_all(&mut consumer, 3).await;
    consumer.settle(&all(batch[..1].to_vec(), Settle::Ack)).await.unwrap();
    drop(consumer);
    let bench = bench.reopen().await;
    let again = take_all(&mut bench.queue.consumer(), 2).await;
    assert_eq!(ids(&again), published[1..]);
    assert!(again.iter().all(|delivery| delivery.attempt == 2), "{again:?}");
    bench
}

async fn what_was_tried_twice_comes_alone_and_starves_nothing(mut bench: Bench) -> Bench {
    let suspects = bench.publish(3).await;
    for _ in 0..2 {
        take_all(&mut bench.queue.consumer(), 3).await;
        bench = bench.reopen().await;
    }
    let fresh = bench.publish(4).await;
    let mut consumer = bench.queue.consumer();
    let mut batches = Vec::new();
    while batches.iter().flatten().count() < 7 {
        let batch = take(&mut consumer, 10).await;
        batches.push(ids(&batch));
        consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    }
    for suspect in suspects {
        assert!(batches.contains(&vec![suspect]), "a suspect comes alone: {batches:?}");
        batches.retain(|batch| batch[..] != [suspect]);
    }
    assert_eq!(batches.concat(), fresh, "{batches:?}");
    bench
}

async fn a_consumer_that_is_told_to_stop_gives_nothing(bench: Bench) -> Bench {
    let (stop, mut consumer) = (CancellationToken::new(), bench.queue.consumer());
    let waiting = consumer.next(10, Duration::ZERO, &stop);
    let (batch, ()) = tokio::join!(waiting, async { stop.cancel() });
    assert!(batch.unwrap().is_empty());
    bench
}

async fn many_publish_at_once(bench: Bench) -> Bench {
    let published = publish_at_once(&bench.queue, &bench.clock, 200).await;
    let mut consumer = bench.queue.consumer();
    let batch = take_all(&mut consumer, 200).await;
    let mut found = ids(&batch);
    found.sort();
    assert_eq!(found, published);
    consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    assert_eq!(bench.queue.depth().await.unwrap().waiting, 0);
    bench
}

/// Publishes callbacks that all wait at the same moment; their ids, sorted.
pub(crate) async fn publish_at_once(queue: &Queue, clock: &Clock, count: usize) -> Vec<Uuid> {
    let mut published = Vec::new();
    let mut tasks = Vec::new();
    for n in 0..count {
        let (queue, callback) = (queue.clone(), callback(clock, n));
        published.push(callback.header.id);
        tasks.push(tokio::spawn(async move { queue.publish(callback).await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    published.sort();
    published
}

async fn a_batch_is_no_larger_than_asked_for(bench: Bench) -> Bench {
    let published = publish_at_once(&bench.queue, &bench.clock, 100).await;
    let mut consumer = bench.queue.consumer();
    let mut found = Vec::new();
    while found.len() < published.len() {
        let batch = take(&mut consumer, 7).await;
        assert!((1..=7).contains(&batch.len()), "{}", batch.len());
        found.extend(ids(&batch));
        consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    }
    found.sort();
    assert_eq!(found, published);
    assert_eq!(bench.queue.depth().await.unwrap().waiting, 0);
    bench
}

#[tokio::test]
async fn two_consumers_of_the_embedded_queue_share_and_a_delay_is_by_the_clock() {
    let bench = Bench::embedded().await;
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
async fn what_cannot_be_made_durable_is_not_accepted() {
    let bench = Bench::embedded().await;
    let Base::Embedded { database, .. } = &bench.base else { unreachable!("it is embedded") };
    database.close().await;
    assert!(bench.queue.publish(callback(&bench.clock, 0)).await.is_err());
}
