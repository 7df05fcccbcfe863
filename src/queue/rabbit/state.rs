//! What all parts of the queue know of each other: whether they are connected, and what is in hand.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::topology::Route;

/// Shared by the publisher, the consumers, and whoever asks.
#[derive(Clone, Debug, Default)]
pub(super) struct State(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Why nothing can be published, if so.
    publisher: Mutex<Option<&'static str>>,
    /// Consumers that want to be connected and are not.
    consumers_down: AtomicU64,
    /// Callbacks that this process was given and has not settled.
    in_hand: AtomicI64,
    /// When the oldest of them was received, in microseconds; 0 if there is none.
    oldest: AtomicI64,
    /// Delay queues that this process has used.
    delays: Mutex<BTreeSet<Route>>,
}

impl State {
    pub(super) fn set_publisher(&self, unready: Option<&'static str>) {
        *self.0.publisher.lock().unwrap_or_else(PoisonError::into_inner) = unready;
    }

    pub(super) fn unready(&self) -> Option<&'static str> {
        let publisher = *self.0.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        let is_down = self.0.consumers_down.load(Ordering::Relaxed) > 0;
        publisher.or_else(|| is_down.then_some("the broker gives nothing out"))
    }

    /// One consumer more, or less, is without a connection.
    pub(super) fn count_consumer_down(&self, is_down: bool) {
        let count = &self.0.consumers_down;
        if is_down {
            count.fetch_add(1, Ordering::Relaxed);
        } else {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn add_in_hand(&self, count: i64) {
        self.0.in_hand.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn in_hand(&self) -> u64 {
        u64::try_from(self.0.in_hand.load(Ordering::Relaxed)).unwrap_or(0)
    }

    pub(super) fn set_oldest(&self, micros: i64) {
        self.0.oldest.store(micros, Ordering::Relaxed);
    }

    /// When the oldest callback in hand was received.
    pub(super) fn oldest(&self) -> Option<i64> {
        Some(self.0.oldest.load(Ordering::Relaxed)).filter(|micros| *micros > 0)
    }

    pub(super) fn add_delay_queue(&self, route: Route) {
        self.0.delays.lock().unwrap_or_else(PoisonError::into_inner).insert(route);
    }

    pub(super) fn delay_queues(&self) -> Vec<Route> {
        self.0.delays.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}
