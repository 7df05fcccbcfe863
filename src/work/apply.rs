//! Applies reports to orders: finds and locks the orders, decides in memory, writes once.
//!
//! All within one transaction. The orders are locked in the order of their keys, and ids are claimed
//! in the order of their text, so that two writers never wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::groups::Groups;
use super::hints::Hinted;
use super::working::Working;
use super::writing::Writing;
use crate::config::Source;
use crate::order::asking::{AskRules, News};
use crate::order::decide::{Seen, Verdict, decide, judge_again};
use crate::order::effect::Effect;
use crate::order::joined::Order;
use crate::order::name::{OrderId, Role};
use crate::order::report::{Origin, Report};
use crate::order::timestamp::Timestamp;
use crate::queue::message::CallbackHeader;
use crate::store::{AttentionRow, DeadLetter, Loaded, NameRow, StoreError, Transaction};

fn ask_rules(source: &Source, seed: Uuid) -> AskRules<'_> {
    AskRules { schedule: &source.schedule, machine: &source.rules.machine, seed }
}

/// Why reports could not be applied. Nothing of them was.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of ours.
    #[error("a fault in Pawl itself: {0}")]
    Panicked(String),
}

/// What became of a callback, for metrics and the log.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The source.
    pub source: String,
    /// Where it came from.
    pub origin: Origin,
    /// The callback's order, by one of its ids.
    pub order: Option<String>,
    /// What it turned out to be; none for a dead letter.
    pub verdict: Option<Verdict>,
    /// Why.
    pub reason: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// What became of it as a hint, if it is one.
    pub hint: Option<Hinted>,
}

impl Outcome {
    /// Of a callback that could not be read or applied.
    #[must_use]
    pub fn dead(letter: &DeadLetter) -> Self {
        let header = &letter.callback.header;
        Self {
            source: header.source.clone(),
            origin: header.origin,
            order: None,
            verdict: None,
            reason: letter.reason.clone(),
            received_at: header.received_at,
            hint: None,
        }
    }

    /// Of a callback that nobody vouches for.
    #[must_use]
    pub fn hint(header: &CallbackHeader, hint: Hinted, reason: String) -> Self {
        Self {
            source: header.source.clone(),
            origin: header.origin,
            order: None,
            verdict: Some(Verdict::Hint),
            reason,
            received_at: header.received_at,
            hint: Some(hint),
        }
    }

    /// Of a callback that is not about orders.
    #[must_use]
    pub fn read(header: &CallbackHeader) -> Self {
        Self {
            source: header.source.clone(),
            origin: header.origin,
            order: None,
            verdict: Some(Verdict::Unchanged),
            reason: "it is not about orders".to_owned(),
            received_at: header.received_at,
            hint: None,
        }
    }

    /// One line, with the fields to find it by: never a body. What a person may have to look at is
    /// seen at the usual level; the rest, one line a callback, only when it is asked for.
    pub fn log(&self) {
        let (source, origin) = (self.source.as_str(), self.origin.as_str());
        let (order, reason) = (self.order.as_deref().unwrap_or_default(), self.reason.as_str());
        let Some(verdict) = self.verdict else {
            tracing::warn!(source, origin, reason, "a callback is a dead letter");
            return;
        };
        match verdict {
            Verdict::Conflict | Verdict::Mismatch | Verdict::UnknownStatus => {
                let verdict = verdict.as_str();
                tracing::warn!(source, origin, order, verdict, reason, "an order needs a look");
            }
            Verdict::Applied
            | Verdict::Unchanged
            | Verdict::Stale
            | Verdict::Duplicate
            | Verdict::Early
            | Verdict::Hint => {
                tracing::debug!(
                    source,
                    origin,
                    order,
                    verdict = verdict.as_str(),
                    reason,
                    "decided"
                );
            }
        }
    }
}

/// What one report turned out to be.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The order's key.
    pub key: Uuid,
    /// What it turned out to be.
    pub verdict: Verdict,
    outcome: Outcome,
}

impl From<Applied> for Outcome {
    fn from(applied: Applied) -> Self {
        applied.outcome
    }
}

/// Reports in the applying.
#[derive(Debug)]
pub struct Apply {
    transaction: Transaction,
    now: Timestamp,
    /// The key of the order that each id belongs to.
    keys: BTreeMap<(String, OrderId), Uuid>,
    orders: BTreeMap<Uuid, Working>,
}

impl Apply {
    /// Finds the orders that reports are about, makes those that are new, and locks them.
    ///
    /// # Errors
    /// [`StoreError::Raced`] where somebody else made or merged one of them in between.
    pub async fn load(
        mut transaction: Transaction,
        reports: &[(&Source, &Report)],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let wanted: BTreeMap<(String, OrderId), Role> = reports
            .iter()
            .flat_map(|(source, report)| {
                let name =
                    |(id, role): (&OrderId, &Role)| ((source.name.clone(), id.clone()), *role);
                report.names.iter().map(name)
            })
            .collect();
        let list: Vec<(&str, &str)> =
            wanted.keys().map(|(source, id)| (source.as_str(), id.as_str())).collect();
        let found = transaction.find_names(&list).await?;
        let order_of =
            |source: &str, id: &OrderId| found.get(&(source.to_owned(), id.to_string())).copied();
        let mut groups = Groups::default();
        for (source, report) in reports {
            let ids = report.names.keys().map(|id| (source.name.as_str(), id));
            groups.join(ids, order_of);
        }
        let grouped = groups.finish();
        let missing = wanted.iter().filter(|((source, id), _)| order_of(source, id).is_none());
        let missing: Vec<NameRow> = missing
            .map(|(name, role)| NameRow {
                source: name.0.clone(),
                id: name.1.clone(),
                key: grouped.keys[name],
                role: *role,
            })
            .collect();
        transaction.insert_names(&missing).await?;
        let existing: BTreeSet<Uuid> = found.values().copied().collect();
        let existing: Vec<Uuid> = existing.into_iter().collect();
        let loaded = transaction.lock_orders(&existing).await?;
        let mut apply = Self { transaction, now, keys: grouped.keys, orders: BTreeMap::new() };
        // Between finding and locking, another writer may have merged one of them away.
        let is_same = loaded.len() == existing.len() && {
            let again = apply.transaction.find_names(&list).await?;
            found.iter().all(|(name, key)| again.get(name) == Some(key))
        };
        if !is_same {
            return Err(StoreError::Raced);
        }
        for (key, source) in grouped.new {
            apply.orders.insert(key, Working::new(source));
        }
        apply.take_loaded(loaded, &grouped.merges);
        apply.find_known(reports).await?;
        Ok(apply)
    }

    fn take_loaded(&mut self, loaded: Vec<Loaded>, merges: &BTreeMap<Uuid, Uuid>) {
        let (others, stay): (Vec<_>, Vec<_>) =
            loaded.into_iter().partition(|row| merges.contains_key(&row.key));
        for row in stay {
            self.orders.insert(row.key, Working::of(row));
        }
        for other in others {
            if let Some(working) = self.orders.get_mut(&merges[&other.key]) {
                working.swallow(other);
            }
        }
    }

    /// Finds the events that are known already, of the order itself and of those that became it.
    async fn find_known(&mut self, reports: &[(&Source, &Report)]) -> Result<(), StoreError> {
        let mut wanted: BTreeMap<(Uuid, &str), Uuid> = BTreeMap::new();
        for (source, report) in reports {
            let Some(key) = self.key_of(source, report) else { continue };
            let merged = self.orders.get(&key).into_iter().flat_map(|working| &working.merged);
            for old in merged.map(|other| other.key).chain([key]) {
                wanted.insert((old, report.event_id.as_str()), key);
            }
        }
        let list: Vec<(Uuid, &str)> = wanted.keys().copied().collect();
        for ((old, event_id), known) in self.transaction.find_events(&list).await? {
            let working =
                wanted.get(&(old, event_id.as_str())).and_then(|k| self.orders.get_mut(k));
            if let Some(working) = working {
                working.known.insert(known.report.event_id.clone(), known.report);
            }
        }
        Ok(())
    }

    /// The key of the order that a report is about.
    fn key_of(&self, source: &Source, report: &Report) -> Option<Uuid> {
        let id = report.names.keys().next()?;
        self.keys.get(&(source.name.clone(), id.clone())).copied()
    }

    /// What is known about the order that a report is about, before it.
    #[must_use]
    pub fn order(&self, source: &Source, report: &Report) -> Option<&Order> {
        self.orders.get(&self.key_of(source, report)?).map(|working| &working.order)
    }

    /// What is known already by the event id of a report.
    #[must_use]
    pub fn known(&self, source: &Source, report: &Report) -> Option<&Report> {
        self.orders.get(&self.key_of(source, report)?)?.known.get(&report.event_id)
    }

    /// Decides a report, in memory.
    ///
    /// # Panics
    /// For a report that was not among those that the orders were loaded for.
    pub fn decide(&mut self, source: &Source, report: &Report) -> Applied {
        #[expect(clippy::expect_used, reason = "a fault of ours: the batch then fails whole")]
        let key = self.key_of(source, report).expect("the report was loaded");
        #[expect(clippy::expect_used, reason = "a fault of ours: the batch then fails whole")]
        let working = self.orders.get_mut(&key).expect("the order was loaded");
        let seen = match working.known.get(&report.event_id) {
            None => Seen::New,
            Some(known) if known.content == report.content => Seen::Same,
            Some(_) => Seen::Differently,
        };
        let decision = decide(&source.rules, &working.order, report, seen);
        let applied = Applied {
            key,
            verdict: decision.verdict,
            outcome: Outcome {
                source: source.name.clone(),
                origin: report.origin,
                order: report.names.keys().next().map(ToString::to_string),
                verdict: Some(decision.verdict),
                reason: decision.reason.clone(),
                received_at: report.received_at,
                hint: None,
            },
        };
        working.take(ask_rules(source, key), source, (report, seen), decision, self.now);
        applied
    }

    /// Judges an order again without a report: what was held back for a time, and that time has come; or
    /// the provider answered that it knows no such order.
    pub fn judge_again(&mut self, source: &Source, key: Uuid, news: News) {
        let Some(working) = self.orders.get_mut(&key) else { return };
        let judged = judge_again(&source.rules, &working.order, self.now);
        working.take_judged(ask_rules(source, key), judged, news, self.now);
    }

    /// Loads orders by their keys, to judge them again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load_keys(
        mut transaction: Transaction,
        keys: &[Uuid],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let loaded = transaction.lock_orders(keys).await?;
        let orders = loaded.into_iter().map(|row| (row.key, Working::of(row))).collect();
        Ok(Self { transaction, now, keys: BTreeMap::new(), orders })
    }

    /// The keys and sources of what is loaded.
    pub fn loaded(&self) -> impl Iterator<Item = (Uuid, &str)> {
        self.orders.iter().map(|(key, working)| (*key, working.source.as_str()))
    }

    /// The effects that were issued by what was decided.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.orders.values().flat_map(Working::effects)
    }

    /// What sinks are told, for the fault that writes it too late.
    #[cfg(feature = "plants")]
    pub(super) fn notices(&self) -> Vec<(Uuid, String, crate::order::notice::Notice)> {
        let of = |(key, working): (&Uuid, &Working)| {
            let (key, source) = (*key, working.source.clone());
            working.notices().iter().map(|n| (key, source.clone(), n.clone())).collect::<Vec<_>>()
        };
        self.orders.iter().flat_map(of).collect()
    }

    /// Writes everything that was decided.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it is so.
    pub async fn write(&mut self) -> Result<(), StoreError> {
        let waiting = self.orders.iter().flat_map(|(key, working)| working.attention_keys(*key));
        let waiting: Vec<Uuid> = waiting.collect();
        let known = self.transaction.attention_of(&waiting).await?;
        for (key, working) in &mut self.orders {
            let own = working.attention_keys(*key);
            let before = own.iter().filter_map(|key| known.get(key)).flatten();
            let before: Vec<AttentionRow> = before.cloned().collect();
            working.tell_attention(*key, &before, self.now);
        }
        let mut writing = Writing::default();
        for (key, working) in &self.orders {
            working.collect(*key, self.now, &mut writing);
        }
        writing.write(&mut self.transaction, self.now).await
    }

    /// The transaction, for what else belongs into it.
    pub fn transaction(&mut self) -> &mut Transaction {
        &mut self.transaction
    }

    /// Makes it all so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }

    /// Takes it all back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.transaction.rollback().await
    }
}
