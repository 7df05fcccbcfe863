//! A callback that ends whoever works on it is found, and condemns no other one.

use std::collections::BTreeSet;

use pawl::clock::Clock;
use pawl::queue::Settle;
use uuid::Uuid;

use super::{delete, open, prefix, url};
use crate::daemon::queue::{all, callback, ids, publish_at_once, take};

/// One of many in a group ends each process that it is given out in.
#[tokio::test]
async fn a_poisonous_callback_is_given_out_alone_and_its_neighbours_live() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    let published = publish_at_once(&queue, &clock, 150).await;
    let poison = published[77];
    // The settled ones of a group come again with those that are not.
    let mut settled: BTreeSet<Uuid> = BTreeSet::new();
    let mut attempts = 0;
    let mut consumer = queue.consumer();
    while settled.len() < published.len() {
        let batch = take(&mut consumer, 10).await;
        let found = ids(&batch);
        if found.contains(&poison) {
            attempts = batch.iter().map(|delivery| delivery.attempt).max().unwrap();
            if attempts <= 5 {
                // The end of the process.
                consumer = queue.consumer();
                continue;
            }
            assert_eq!(found, [poison], "alone");
        } else {
            let most = batch.iter().map(|delivery| delivery.attempt).max().unwrap();
            assert!(most <= 4, "an innocent one was counted {most} times");
        }
        settled.extend(found);
        consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    }
    assert_eq!(attempts, 6);
    assert!(settled.into_iter().eq(published));
    delete(&url, &prefix).await;
}

#[tokio::test]
async fn what_is_tried_again_keeps_its_count() {
    let (url, prefix, clock) = (url(), prefix(), Clock::default());
    let queue = open(&url, &prefix).await;
    queue.publish(callback(&clock, 0)).await.unwrap();
    let mut consumer = queue.consumer();
    for attempt in 1..=3 {
        let batch = take(&mut consumer, 10).await;
        assert_eq!(batch[0].attempt, attempt);
        let after = std::time::Duration::from_millis(1);
        consumer.settle(&all(batch, Settle::Retry { after })).await.unwrap();
    }
    let batch = take(&mut consumer, 10).await;
    consumer.settle(&all(batch, Settle::Ack)).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().waiting, 0);
    delete(&url, &prefix).await;
}
