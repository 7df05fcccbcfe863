//! A poller for each source that can be asked, and a reader for each that has a feed, for as long as the
//! source is configured.
//!
//! When other sources are put in force, every poller is told to stop and others begin at once. What the
//! old ones have under way they bring to its end: leases and budgets are in the store, so that old and new
//! do not get in each other's way.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::caller::Caller;
use super::feed::Reader;
use super::recent::Recent;
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
    let mut asked = sources.values().filter(|source| source.base_url.is_some());
    asked.try_for_each(|source| client::client(source).map(|_| ()))
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
            let caller = match Caller::of(source, &self.clock) {
                Ok(Some(caller)) => Arc::new(caller),
                Ok(None) => continue,
                // It could be made when the sources were checked.
                Err(error) => {
                    let source = source.name.as_str();
                    tracing::error!(error = %error, source, "cannot speak to the provider");
                    continue;
                }
            };
            if let Some(reader) = self.reader(source, &caller) {
                let stop = stop.clone();
                loops.spawn(async move {
                    reader.run(stop).await;
                    generation
                });
            }
            if source.provider.ask.is_some() {
                let (poller, stop) = (self.poller(source, &caller), stop.clone());
                loops.spawn(async move {
                    poller.run(stop).await;
                    generation
                });
            }
        }
    }

    fn reader(&self, source: &Source, caller: &Arc<Caller>) -> Option<Reader> {
        Some(Reader {
            store: self.store.clone(),
            queue: self.queue.clone(),
            source: Arc::new(source.clone()),
            schedule: source.feed.clone()?,
            caller: Arc::clone(caller),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            recent: Recent::default(),
        })
    }

    fn poller(&self, source: &Source, caller: &Arc<Caller>) -> Poller {
        Poller {
            store: self.store.clone(),
            queue: self.queue.clone(),
            source: Arc::new(source.clone()),
            caller: Arc::clone(caller),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        }
    }
}
