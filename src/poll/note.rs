//! What a call leaves in the source's budget, which all who ask share.

use uuid::Uuid;

use super::outcome::Outcome;
use crate::clock::Clock;
use crate::config::Source;
use crate::order::timestamp::Timestamp;
use crate::store::{Budget, Store, StoreError};

/// Takes note of what came of a call that began then. `key` is of what it was about: one thing alone never
/// pauses a source.
pub(super) async fn note_budget(
    store: &Store,
    clock: &Clock,
    source: &Source,
    (key, began_at): (Uuid, Timestamp),
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let (name, limits) = (source.name.as_str(), &source.limits);
    if outcome.is_information() {
        let mut reading = store.read().await?;
        let failures = reading.count_failures(name).await?;
        reading.rollback().await?;
        // Most answers are, and change nothing.
        if failures == 0 {
            return Ok(());
        }
    }
    let mut transaction = store.begin().await?;
    let now = transaction.now(clock).await?;
    let mut budget = transaction.lock_budget(name, &Budget::full(limits, now)).await?;
    budget.fill(limits, now);
    let before = budget.clone();
    budget.note(key, &outcome.came(), began_at, now);
    if budget != before {
        transaction.write_budget(name, &budget).await?;
        log_pause(name, &before, &budget);
    }
    transaction.commit().await
}

fn log_pause(source: &str, before: &Budget, after: &Budget) {
    let until = |budget: &Budget| budget.said_until.max(budget.paused_until);
    match (until(before), until(after)) {
        (was, Some(until)) if was < Some(until) => {
            let reason = after.pause_reason.as_deref().unwrap_or_default();
            tracing::warn!(source, until = %until, reason, "the provider is left alone");
        }
        (Some(_), None) => tracing::info!(source, "the provider is asked again"),
        (_, _) => {}
    }
}
