//! Makes sinks known to the store, so that every worker of every process writes for them.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Sink;
use crate::pause::Pauses;
use crate::sources::Sinks;
use crate::store::{Store, StoreError};

/// Makes the configured sinks known. One that is known and not configured goes on collecting what it would
/// get: another process may have it, and what leaves here is somebody's money.
///
/// # Errors
/// [`StoreError`].
pub async fn register(
    store: &Store,
    clock: &Clock,
    sinks: &BTreeMap<String, Sink>,
) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    let now = transaction.now(clock).await?;
    for sink in sinks.values() {
        transaction.register_sink(&sink.name, &sink.wants, &sink.place(), now).await?;
    }
    let known = transaction.list_sinks().await?;
    transaction.commit().await?;
    for sink in known.iter().filter(|known| !sinks.contains_key(&known.name)) {
        let name = sink.name.as_str();
        tracing::warn!(
            sink = name,
            "the sink `{name}` is known to the store and not to this configuration: it goes on collecting what it \
             would get; `pawl sink remove {name}` ends that"
        );
    }
    Ok(())
}

/// Makes the sinks known that are put in force, until it is told to stop. Every process does that, whatever its
/// roles: what is decided before a relay starts is for the sink, too.
pub async fn keep(store: Store, clock: Clock, sinks: Sinks, stop: CancellationToken) {
    let mut changes = sinks.watch();
    // Those that it was started with are known.
    changes.mark_unchanged();
    let mut pauses = Pauses::reconnect();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => if changed.is_err() {
                return stop.cancelled().await;
            },
        }
        while !stop.is_cancelled() {
            let snapshot = changes.borrow_and_update().clone();
            match register(&store, &clock, &snapshot).await {
                Ok(()) => break,
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::new(error));
                    tracing::error!(error, "the sinks cannot be made known");
                    pauses.wait(&stop).await;
                }
            }
        }
        pauses.reset();
    }
}
