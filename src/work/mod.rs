//! Turns queued callbacks into order changes.
//!
//! Invariants
//! - A callback is settled only after the transaction that used it has committed.
//! - A callback that is given out again after that is known by its own id, and changes nothing.
//! - What the store refuses is found by halving the batch, and becomes a dead letter alone; what the
//!   store cannot do now is tried again, for as long as it takes, and nothing is settled meanwhile.
//! - An outage of the store uses up no attempts. What is only held up by somebody else's lock is found
//!   by halving, and given back to the queue for a while: it keeps nobody else waiting.
//! - Nothing here talks to a provider.

pub mod apply;
mod batch;
mod groups;
pub mod hints;
pub mod judge;
pub mod redrive;
pub mod register;
pub mod resolve;
mod suspects;
mod working;
mod writing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Work;
use crate::observe::metrics::Metrics;
use crate::pause::Pauses;
use crate::queue::{Consumer, Delivery, Settle};
use crate::sources::Sources;
use crate::store::{DeadLetter, Store, StoreError};
use apply::{ApplyError, Outcome};
use hints::Hinted;
use suspects::Begun;

/// What work is done with.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Where orders are kept.
    pub store: Store,
    /// What reports are read and decided by.
    pub sources: Sources,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// How batches are made.
    pub limits: Work,
    /// Rung when something may leave.
    pub bell: Arc<Notify>,
}

/// How often a batch is tried again at once because somebody else was first: then it pauses, too.
const RACES_MAX: u32 = 5;

/// How often a batch waits for the store whole; then it is halved.
const STALLS_MAX: u32 = 3;

/// How long a batch may take before the next one is smaller, and how small it becomes at most.
const BATCH_TIME: Duration = Duration::from_millis(500);
const BATCH_MIN: usize = 16;

/// What is held up again and again is given back for at most 2 to the power of this many seconds.
const DELAYS_MAX: u32 = 9;

impl Worker {
    /// Works until it is told to stop. A batch that was begun is brought to its end.
    pub async fn run(self, mut consumer: Consumer, stop: CancellationToken) {
        let mut pauses = Pauses::reconnect();
        let linger = self.limits.linger;
        let mut max = self.limits.batch_max;
        while !stop.is_cancelled() {
            match consumer.next(max, linger, &stop).await {
                Ok(batch) => {
                    pauses.reset();
                    let (count, began) = (batch.len(), Instant::now());
                    self.process(&mut consumer, batch, &stop).await;
                    max = next_max(max, count, began.elapsed(), self.limits.batch_max);
                }
                Err(error) => {
                    tracing::error!(
                        error = format!("{:#}", anyhow::Error::new(error)),
                        "cannot take callbacks"
                    );
                    pauses.wait(&stop).await;
                }
            }
        }
    }

    /// Brings a batch to its end: every delivery in it is settled, or left for another time because
    /// we were told to stop.
    async fn process(
        &self,
        consumer: &mut Consumer,
        batch: Vec<Delivery>,
        stop: &CancellationToken,
    ) {
        let mut pauses = Pauses::reconnect();
        // Halves are worked off in order, so that callbacks keep theirs.
        let mut waiting = vec![batch];
        let (mut raced, mut stalled) = (0, 0);
        let mut begun = Begun::new();
        while let Some(mut part) = waiting.pop() {
            if part.is_empty() {
                continue;
            }
            #[cfg(feature = "plants")]
            if crate::plant::is_planted("ack_before_commit") {
                let settled: Vec<_> = part.iter().map(|d| (d.clone(), Settle::Ack)).collect();
                consumer.settle(&settled).await.ok();
            }
            match self.try_once(&part, &mut begun).await {
                Ok(()) => {
                    self.bell.notify_waiters();
                    let settled: Vec<_> = part.into_iter().map(|d| (d, Settle::Ack)).collect();
                    if let Err(error) = consumer.settle(&settled).await {
                        let error = anyhow::Error::new(error);
                        tracing::warn!(
                            error = format!("{error:#}"),
                            "{} callbacks come again",
                            settled.len()
                        );
                    }
                }
                Err(ApplyError::Store(StoreError::Unavailable(_) | StoreError::Raced))
                    if stop.is_cancelled() =>
                {
                    self.take_back(&mut begun).await;
                    return;
                }
                // Who loses one race wins the next, unless it is no race: then alone.
                Err(ApplyError::Store(StoreError::Raced)) if raced < RACES_MAX => {
                    raced += 1;
                    waiting.push(part);
                }
                Err(ApplyError::Store(StoreError::Raced)) if part.len() == 1 => {
                    tracing::warn!("a callback loses every race for its order");
                    waiting.push(part);
                    pauses.wait(stop).await;
                }
                Err(ApplyError::Store(error)) if error.is_held_up() && part.len() == 1 => {
                    self.take_back(&mut begun).await;
                    if !give_back(consumer, &part[0], error).await {
                        waiting.push(part);
                        pauses.wait(stop).await;
                    }
                }
                Err(ApplyError::Store(error @ StoreError::Unavailable(_)))
                    if !error.is_held_up() =>
                {
                    let error = anyhow::Error::new(error);
                    tracing::error!(
                        error = format!("{error:#}"),
                        "{} callbacks wait for the store",
                        part.len()
                    );
                    // A batch that is too much at once is tried in halves.
                    stalled += 1;
                    let half =
                        if stalled > STALLS_MAX { part.len().div_ceil(2) } else { part.len() };
                    waiting.push(part.split_off(half));
                    waiting.push(part);
                    pauses.wait(stop).await;
                }
                Err(error) if part.len() > 1 => {
                    tracing::warn!(error = %error, "halving a batch of {}", part.len());
                    let second = part.split_off(part.len() / 2);
                    waiting.push(second);
                    waiting.push(part);
                }
                Err(error) => {
                    let reason = format!("{:#}", anyhow::Error::new(error));
                    if self.bury(&part[0], reason).await.is_err() {
                        pauses.wait(stop).await;
                    }
                    // Found settled the next time, whether or not it was buried.
                    waiting.push(part);
                }
            }
        }
    }

    /// Applies a batch in one transaction. It runs as a task of its own, so that a panic in it is an
    /// error of the batch and not the end of the worker.
    async fn apply(&self, part: &[Delivery], suspect: Option<Uuid>) -> Result<(), ApplyError> {
        let worker = self.clone();
        let callbacks: Vec<_> = part.iter().map(|delivery| delivery.callback.clone()).collect();
        let sources = self.sources.now();
        let task = tokio::spawn(async move {
            batch::apply(&worker.store, &sources, &worker.clock, &callbacks, suspect).await
        });
        let outcomes = task.await.map_err(|panic| ApplyError::Panicked(panic.to_string()))??;
        self.count(&outcomes);
        Ok(())
    }

    async fn bury(&self, delivery: &Delivery, reason: String) -> Result<(), ApplyError> {
        let letter = DeadLetter::of(&delivery.callback, reason, self.clock.now());
        let mut transaction = self.store.begin().await?;
        // It may have its verdict, and only its acknowledgement was lost.
        let id = delivery.callback.header.id;
        let settled = transaction.find_settled(&[id, letter.callback.header.id]).await?;
        transaction.end_attempts(id).await?;
        if !settled.is_empty() {
            return Ok(transaction.commit().await?);
        }
        transaction.bury(std::slice::from_ref(&letter)).await?;
        transaction.commit().await?;
        let header = &letter.callback.header;
        self.count(&[match header.is_hint {
            true => Outcome::hint(header, Hinted::Unreadable, letter.reason),
            false => Outcome::dead(&letter),
        }]);
        Ok(())
    }

    fn count(&self, outcomes: &[Outcome]) {
        let now = self.clock.now();
        for outcome in outcomes {
            self.metrics.count_outcome(outcome, now);
            outcome.log();
        }
    }
}

/// How many callbacks the next batch may hold. What takes long is done in smaller pieces, because others wait
/// for the same rows, or for the one writer that there is; and in larger ones again once it does not.
fn next_max(max: usize, count: usize, took: Duration, batch_max: usize) -> usize {
    if took > BATCH_TIME {
        (count / 2).clamp(BATCH_MIN.min(batch_max), max)
    } else if count >= max {
        max.saturating_mul(2).min(batch_max)
    } else {
        max
    }
}

/// Gives a callback back to the queue, for longer each time. False where it still is in our hands.
async fn give_back(consumer: &mut Consumer, delivery: &Delivery, error: StoreError) -> bool {
    let after = Duration::from_secs(1 << delivery.attempt.min(DELAYS_MAX));
    let error = anyhow::Error::new(error);
    tracing::warn!(
        error = format!("{error:#}"),
        "a callback is held up, and comes again in {after:?}"
    );
    let settled = [(delivery.clone(), Settle::Retry { after })];
    let given_back = consumer.settle(&settled).await;
    if let Err(error) = &given_back {
        tracing::warn!(error = %error, "a callback cannot be given back");
    }
    given_back.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_done_in_smaller_pieces_and_larger_ones_again() {
        let (slow, fast) = (Duration::from_secs(2), Duration::from_millis(20));
        assert_eq!(next_max(500, 500, slow, 500), 250);
        assert_eq!(next_max(500, 40, slow, 500), 20, "half of what it took so long for");
        assert_eq!(next_max(20, 20, slow, 500), BATCH_MIN);
        assert_eq!(next_max(BATCH_MIN, 1, slow, 500), BATCH_MIN);
        assert_eq!(next_max(4, 4, slow, 4), 4, "never more than is configured");
        assert_eq!(next_max(100, 100, fast, 500), 200);
        assert_eq!(next_max(400, 400, fast, 500), 500);
        assert_eq!(next_max(100, 3, fast, 500), 100, "one that is not full says nothing");
    }
}
