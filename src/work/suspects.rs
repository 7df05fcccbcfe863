//! Suspects: callbacks that two processes ended on. Each is tried alone, and every attempt is counted in
//! the store before it is made.
//!
//! What the queue counts says how often a callback was given out, also while the store was down or we
//! were told to stop. It makes a callback a suspect, and no more than that.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Worker;
use super::apply::ApplyError;
use crate::queue::{Delivery, SUSPECT_ATTEMPTS};
use crate::store::StoreError;

/// The attempts that were begun in the course of a batch and are not brought to their end: how many
/// there have been at each.
pub(super) type Begun = BTreeMap<Uuid, i64>;

impl Worker {
    /// Tries a part of a batch once.
    pub(super) async fn try_once(
        &self,
        part: &[Delivery],
        begun: &mut Begun,
    ) -> Result<(), ApplyError> {
        let [delivery] = part else { return self.apply(part, None).await };
        if let Some(reason) = &delivery.dead {
            return self.bury(delivery, reason.clone()).await;
        }
        if delivery.attempt <= SUSPECT_ATTEMPTS {
            return self.apply(part, None).await;
        }
        let id = delivery.callback.header.id;
        let count = match begun.get(&id) {
            Some(count) => *count,
            None => {
                let count = self.begin(id).await?;
                begun.insert(id, count);
                count
            }
        };
        // Those before it was a suspect count, too; but it is tried alone once, whatever they were.
        let max = self.limits.attempts_max.saturating_sub(SUSPECT_ATTEMPTS).max(1);
        if count > i64::from(max) {
            let reason = format!("given up after {} attempts", self.limits.attempts_max);
            self.bury(delivery, reason).await?;
        } else {
            self.apply(part, Some(id)).await?;
        }
        begun.remove(&id);
        Ok(())
    }

    async fn begin(&self, id: Uuid) -> Result<i64, StoreError> {
        let mut transaction = self.store.begin().await?;
        let count = transaction.begin_attempt(id, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(count)
    }

    /// Takes back the attempts that the store brought to no end. Where it cannot do that either, each
    /// counts: they are few, as each was begun while the store could be used.
    pub(super) async fn take_back(&self, begun: &mut Begun) {
        for id in std::mem::take(begun).into_keys() {
            let taking_back = async {
                let mut transaction = self.store.begin().await?;
                transaction.take_back_attempt(id).await?;
                transaction.commit().await
            };
            if let Err(error) = taking_back.await {
                tracing::warn!(error = %error, "an attempt that the store did not let end is counted");
            }
        }
    }
}
