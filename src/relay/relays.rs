//! A relay for each sink, for as long as it is configured.
//!
//! When others are put in force, every relay is told to stop and others begin at once. What the old ones have
//! under way they bring to its end: leases and budgets are in the store.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Relay;
use crate::clock::Clock;
use crate::config::Sink;
use crate::observe::metrics::Metrics;
use crate::sources::{Sinks, Snapshot};
use crate::store::Store;

/// What relays are made of.
#[derive(Clone, Debug)]
pub struct Relays {
    /// Where the outbox is.
    pub store: Store,
    /// Which sinks there are.
    pub sinks: Sinks,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Rung when this process has written something.
    pub bell: Arc<Notify>,
}

impl Relays {
    /// Delivers until it is told to stop; then what is under way is brought to its end. Returns before only if
    /// a relay ends by itself.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.sinks.watch();
        let mut loops = JoinSet::new();
        for generation in 0_u64.. {
            let snapshot = changes.borrow_and_update().clone();
            let current = stop.child_token();
            self.start(&snapshot, generation, &mut loops, &current);
            let has_changed = loop {
                let is_relaying = !loops.is_empty();
                tokio::select! {
                    () = stop.cancelled() => break false,
                    changed = changes.changed() => break changed.is_ok(),
                    ended = loops.join_next(), if is_relaying => match ended {
                        // One of those that were told to.
                        Some(Ok((of, Ok(())))) if of != generation => {}
                        Some(_) | None if stop.is_cancelled() => {}
                        ended => {
                            tracing::error!("a relay ended by itself: {ended:?}");
                            break false;
                        }
                    },
                }
            };
            current.cancel();
            if !has_changed {
                break;
            }
        }
        while loops.join_next().await.is_some() {}
    }

    fn start(
        &self,
        snapshot: &Snapshot<Sink>,
        generation: u64,
        loops: &mut JoinSet<(u64, anyhow::Result<()>)>,
        stop: &CancellationToken,
    ) {
        for sink in snapshot.values() {
            let relay = Relay {
                store: self.store.clone(),
                sink: Arc::new(sink.clone()),
                clock: self.clock.clone(),
                metrics: self.metrics.clone(),
                bell: Arc::clone(&self.bell),
            };
            let stop = stop.clone();
            loops.spawn(async move { (generation, relay.run(stop).await) });
        }
    }
}
