//! A poller for each source that can be asked, for as long as the source is configured.
//!
//! When other sources are put in force, every poller is told to stop and others begin at once. What the
//! old ones have under way they bring to its end: leases and budgets are in the store, so that old and new
//! do not get in each other's way.

use std::collections::BTreeMap;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Poller, client};
use crate::clock::Clock;
use crate::config::Source;
use crate::observe::metrics::Metrics;
use crate::queue::Queue;
use crate::sources::{Snapshot, Sources};
use crate::store::Store;

/// What pollers are made of.
#[derive(Clone, Debug)]
pub struct Pollers {
    /// Where orders are kept.
    pub store: Store,
    /// Where answers go.
    pub queue: Queue,
    /// Which sources there are.
    pub sources: Sources,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
}

/// Whether all sources that are to be asked can be spoken to.
///
/// # Errors
/// Where TLS cannot be set up.
pub fn check(sources: &BTreeMap<String, Source>) -> reqwest::Result<()> {
    let mut urls = sources.values().filter_map(|source| source.base_url.as_deref());
    urls.try_for_each(|url| client::client(url).map(|_| ()))
}

impl Pollers {
    /// Asks until it is told to stop; then asks that are under way are brought to their end. Returns
    /// before only if a poller ends by itself.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.sources.watch();
        let mut loops = JoinSet::new();
        for generation in 0_u64.. {
            let snapshot = changes.borrow_and_update().clone();
            let current = stop.child_token();
            self.start(&snapshot, generation, &mut loops, &current);
            let has_changed = loop {
                let is_polling = !loops.is_empty();
                tokio::select! {
                    () = stop.cancelled() => break false,
                    changed = changes.changed() => break changed.is_ok(),
                    ended = loops.join_next(), if is_polling => match ended {
                        // One of those that were told to.
                        Some(Ok(of)) if of != generation => {}
                        Some(_) | None if stop.is_cancelled() => {}
                        ended => {
                            tracing::error!("a poller ended by itself: {ended:?}");
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
        sources: &Snapshot,
        generation: u64,
        loops: &mut JoinSet<u64>,
        stop: &CancellationToken,
    ) {
        for source in sources.values() {
            let (store, queue) = (self.store.clone(), self.queue.clone());
            match Poller::of(source, store, queue, self.clock.clone(), self.metrics.clone()) {
                Ok(None) => {}
                Ok(Some(poller)) => {
                    let stop = stop.clone();
                    loops.spawn(async move {
                        poller.run(stop).await;
                        generation
                    });
                }
                // It could be made when the sources were checked.
                Err(error) => tracing::error!(
                    error = %error,
                    source = source.name,
                    "cannot speak to the provider"
                ),
            }
        }
    }
}
