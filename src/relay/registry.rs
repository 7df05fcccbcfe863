//! Makes sinks known to the store, so that every worker of every process writes for them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::budget_name;
use crate::clock::Clock;
use crate::config::Sink;
use crate::pause::Pauses;
use crate::sources::Sinks;
use crate::store::{Store, StoreError};

/// How often a process says which sinks it has.
const SEEN: Duration = Duration::from_secs(15);

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
    let before = transaction.list_sinks().await?;
    let has_moved = |sink: &Sink| {
        before.iter().any(|known| known.name == sink.name && known.place != sink.place())
    };
    for sink in sinks.values().filter(|sink| has_moved(sink)) {
        // What the old place said, or did not take, says nothing about the new one.
        transaction.forget_budget(&budget_name(&sink.name)).await?;
    }
    transaction.guard_sinks(true).await?;
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

/// Says that we have our sinks; whether all of them are known.
async fn see(store: &Store, clock: &Clock, sinks: &Sinks) -> Result<bool, StoreError> {
    let snapshot = sinks.now();
    if snapshot.is_empty() {
        return Ok(true);
    }
    let names: Vec<&str> = snapshot.keys().map(String::as_str).collect();
    let mut transaction = store.begin().await?;
    let now = transaction.now(clock).await?;
    let seen = transaction.see_sinks(&names, now).await?;
    transaction.commit().await?;
    Ok(seen == names.len() as u64)
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
            () = tokio::time::sleep(SEEN) => match see(&store, &clock, &sinks).await {
                Ok(true) => continue,
                // Somebody removed one of ours: what was decided meanwhile is not told.
                Ok(false) => tracing::error!("a sink of this configuration was removed; it is made known again"),
                Err(error) => {
                    tracing::warn!(error = %error, "cannot say which sinks are configured here");
                    continue;
                }
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
