//! Pauses between tries within a process: for a database, a broker or a port that is not there just now.
//! The one place of the `backoff` crate.
//!
//! What must outlive the process, such as when an order is asked about next, is no matter of pauses: it
//! is in the store (`order::asking`).

use std::time::{Duration, Instant};

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::order::asking::jitter;

/// Pauses that double.
#[derive(Debug)]
pub struct Pauses {
    /// Without a limit in time, and without chance: that is ours.
    doubling: ExponentialBackoff,
    longest: Duration,
    seed: Uuid,
    count: u32,
}

impl Pauses {
    /// From a first pause up to a longest.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        let doubling = ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: longest,
            max_elapsed_time: None,
            start_time: Instant::now(),
            ..ExponentialBackoff::default()
        };
        Self { doubling, longest, seed: Uuid::now_v7(), count: 0 }
    }

    /// What the parts of a distributed Pawl come back with: at a tenth of a second, and every five.
    #[must_use]
    pub fn reconnect() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// How long to pause now.
    pub fn pause(&mut self) -> Duration {
        self.count = self.count.saturating_add(1);
        jitter(self.doubling.next_backoff().unwrap_or(self.longest), self.seed, self.count)
    }

    /// It works again: the next pause is the first one.
    pub fn reset(&mut self) {
        self.doubling.reset();
        self.count = 0;
    }

    /// Pauses, or stops when it is told to.
    pub async fn wait(&mut self, stop: &CancellationToken) {
        let pause = self.pause();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew() {
        let mut pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(8));
        for _ in 0..2 {
            let found: Vec<f64> = (0..6).map(|_| pauses.pause().as_secs_f64()).collect();
            for (pause, wanted) in found.iter().zip([1.0, 2.0, 4.0, 8.0, 8.0, 8.0]) {
                assert!((pause / wanted - 1.0).abs() <= 0.1001, "{found:?}");
            }
            pauses.reset();
        }
    }
}
