//! Dead letters once the reason is mended: read again by today's definitions and sources, and applied
//! as a batch of one is. Or dropped for good.
//!
//! Invariants
//! - A letter goes in the transaction that gives its callback the verdict: whoever comes second, or at
//!   the same moment, finds no letter and the verdict.
//! - What was done to a letter is in the audit log, by the same transaction.
//! - A letter that is dropped leaves its row without its bytes: the queue may give its callback out
//!   again, and that is settled.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::apply::{ApplyError, Outcome};
use super::batch::Batch;
use crate::clock::Clock;
use crate::observe::metrics::Metrics;
use crate::order::effect::Effect;
use crate::order::report::Origin;
use crate::sources::Sources;
use crate::store::{Audited, DeadLetter, LockedLetter, Store, StoreError, Transaction, VerdictRow};

/// How often a redrive is tried again because somebody else wrote the order meanwhile.
const RACES_MAX: u32 = 100;

/// What dead letters are redriven with.
#[derive(Clone, Debug)]
pub struct Letters {
    /// Where they and the orders are kept.
    pub store: Store,
    /// What they are read and decided by.
    pub sources: Sources,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
}

/// What a redrive came to.
#[derive(Debug)]
pub enum Redriven {
    /// The callback was applied.
    Applied {
        /// What it turned out to be, a report each.
        outcomes: Vec<Outcome>,
        /// What leaves because of it.
        effects: Vec<Effect>,
    },
    /// It has been applied before.
    Already(Vec<VerdictRow>),
    /// It stays a dead letter, for this reason.
    StillDead(String),
    /// It is a provider's answer. What it was asked about is not known any more, and a new one is better.
    IsAnswer,
    /// It was dropped.
    Dropped,
    /// Nothing is known of it.
    Missing,
}

/// What dropping a letter came to.
#[derive(Debug)]
pub enum Dropped {
    /// It is dropped.
    Done,
    /// It has been dropped before.
    Already,
    /// It was redriven, and has its verdicts.
    HasVerdict(Vec<VerdictRow>),
    /// Nothing is known of it.
    Missing,
}

impl Letters {
    /// Redrives a dead letter; or does all of it and takes it back, to see what it would come to.
    ///
    /// # Errors
    /// [`ApplyError`], where the store cannot be used now: the letter is as it was, unless the commit
    /// itself was lost. It may be tried again.
    pub async fn redrive(
        &self,
        id: Uuid,
        by: &str,
        is_dry_run: bool,
    ) -> Result<Redriven, ApplyError> {
        let mut races = 0;
        loop {
            let (letters, who) = (self.clone(), by.to_owned());
            // A task of its own: a panic in it is an error of this letter.
            let task = tokio::spawn(async move { letters.try_redrive(id, &who, is_dry_run).await });
            let ended = task.await.map_err(|panic| ApplyError::Panicked(panic.to_string()));
            let error = match ended.flatten() {
                Ok(redriven) => return Ok(redriven),
                Err(ApplyError::Store(StoreError::Raced)) if races < RACES_MAX => {
                    races += 1;
                    continue;
                }
                Err(error) => error,
            };
            if matches!(error, ApplyError::Store(StoreError::Unavailable(_) | StoreError::Raced)) {
                return Err(error);
            }
            let reason = format!("{:#}", anyhow::Error::new(error));
            if !is_dry_run {
                self.keep(id, by, &reason).await?;
            }
            return Ok(Redriven::StillDead(reason));
        }
    }

    async fn try_redrive(
        &self,
        id: Uuid,
        by: &str,
        is_dry_run: bool,
    ) -> Result<Redriven, ApplyError> {
        let mut transaction = self.store.begin().await?;
        let locked = transaction.lock_dead_letter(id).await?;
        let verdicts = transaction.find_verdicts(id).await?;
        let letter = match locked {
            LockedLetter::Kept(letter) => letter,
            LockedLetter::Dropped => return ended(transaction, Redriven::Dropped).await,
            LockedLetter::Missing if verdicts.is_empty() => {
                return ended(transaction, Redriven::Missing).await;
            }
            LockedLetter::Missing => {
                return ended(transaction, Redriven::Already(verdicts)).await;
            }
        };
        if letter.callback.header.origin == Origin::Answer {
            return ended(transaction, Redriven::IsAnswer).await;
        }
        #[cfg(feature = "plants")]
        let is_kept = crate::plant::is_planted("redrive_keeps_letter");
        #[cfg(not(feature = "plants"))]
        let is_kept = false;
        if !is_kept {
            transaction.remove_dead_letter(id).await?;
        }
        if !verdicts.is_empty() {
            // One worker gave it up while another one was at it, and both were right.
            let detail = json!({ "result": "already", "reason": letter.reason });
            self.audit(&mut transaction, "dead_letter.redrive", &letter, by, detail).await?;
            end(transaction, is_dry_run).await?;
            return Ok(Redriven::Already(verdicts));
        }
        let callbacks = [&letter.callback];
        let mut batch =
            Batch::write(transaction, &self.sources.now(), &self.clock, &callbacks).await?;
        let still_dead = batch.outcomes().iter().find(|outcome| outcome.verdict.is_none());
        let (redriven, detail) = match still_dead.map(|outcome| outcome.reason.clone()) {
            Some(reason) => {
                let detail =
                    json!({ "result": "still_dead", "reason": letter.reason, "now": reason });
                (Redriven::StillDead(reason), detail)
            }
            None => {
                let outcomes = batch.outcomes().to_vec();
                let verdicts: Vec<_> =
                    outcomes.iter().filter_map(|outcome| outcome.verdict).collect();
                let detail =
                    json!({ "result": "redriven", "reason": letter.reason, "verdicts": verdicts });
                (
                    Redriven::Applied { outcomes, effects: batch.effects().cloned().collect() },
                    detail,
                )
            }
        };
        self.audit(batch.transaction(), "dead_letter.redrive", &letter, by, detail).await?;
        if is_dry_run {
            batch.rollback().await?;
            return Ok(redriven);
        }
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("abort_before_redrive") {
            std::process::abort();
        }
        for outcome in batch.commit().await?.iter().filter(|outcome| outcome.verdict.is_some()) {
            self.metrics.count_redriven(outcome);
            outcome.log();
        }
        Ok(redriven)
    }

    /// Keeps a letter for a new reason: the store, or a fault of ours, is against applying it.
    async fn keep(&self, id: Uuid, by: &str, reason: &str) -> Result<(), ApplyError> {
        let mut transaction = self.store.begin().await?;
        if let LockedLetter::Kept(letter) = transaction.lock_dead_letter(id).await? {
            transaction.remove_dead_letter(id).await?;
            let (before, now) = (letter.reason.clone(), self.clock.now());
            let letter = DeadLetter { reason: reason.to_owned(), died_at: now, ..letter };
            transaction.bury(std::slice::from_ref(&letter)).await?;
            let detail = json!({ "result": "still_dead", "reason": before, "now": reason });
            self.audit(&mut transaction, "dead_letter.redrive", &letter, by, detail).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Drops a dead letter. What is kept of it is in the audit log: the digest of its bytes, why it was
    /// a dead letter, and why it was dropped.
    ///
    /// # Errors
    /// [`ApplyError`], where the store cannot be used now.
    pub async fn drop(&self, id: Uuid, by: &str, why: &str) -> Result<Dropped, ApplyError> {
        let mut transaction = self.store.begin().await?;
        let dropped = match transaction.lock_dead_letter(id).await? {
            LockedLetter::Kept(letter) => {
                let now = self.clock.now();
                transaction.drop_dead_letter(id, now).await?;
                let body = &letter.callback.body;
                let detail = json!({
                    "why": why,
                    "reason": letter.reason,
                    "body_sha256": hex::encode(Sha256::digest(body)),
                    "body_bytes": body.len(),
                });
                self.audit(&mut transaction, "dead_letter.drop", &letter, by, detail).await?;
                Dropped::Done
            }
            LockedLetter::Dropped => Dropped::Already,
            LockedLetter::Missing => match transaction.find_verdicts(id).await? {
                verdicts if verdicts.is_empty() => Dropped::Missing,
                verdicts => Dropped::HasVerdict(verdicts),
            },
        };
        transaction.commit().await?;
        if matches!(dropped, Dropped::Done) {
            tracing::warn!(letter = %id, by, why, "a dead letter was dropped");
        }
        Ok(dropped)
    }

    async fn audit(
        &self,
        transaction: &mut Transaction,
        what: &str,
        letter: &DeadLetter,
        by: &str,
        mut detail: Value,
    ) -> Result<(), StoreError> {
        let header = &letter.callback.header;
        detail["source"] = json!(header.source);
        detail["received_at"] = json!(header.received_at);
        let (at, subject) = (self.clock.now(), header.id.to_string());
        transaction.audit(&Audited { at, who: by, what, subject, detail }).await
    }
}

/// Nothing was to be done.
async fn ended(transaction: Transaction, redriven: Redriven) -> Result<Redriven, ApplyError> {
    transaction.rollback().await?;
    Ok(redriven)
}

async fn end(transaction: Transaction, is_dry_run: bool) -> Result<(), StoreError> {
    if is_dry_run { transaction.rollback().await } else { transaction.commit().await }
}
