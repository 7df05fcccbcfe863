//! A batch of callbacks: read, applied and settled in one transaction.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::apply::{Apply, ApplyError, Outcome};
use super::hints;
use crate::clock::Clock;
use crate::config::Source;
use crate::order::Report;
use crate::order::Verdict;
use crate::order::effect::Effect;
use crate::order::report::Origin;
use crate::queue::message::Callback;
use crate::sources::Snapshot;
#[cfg(feature = "plants")]
use crate::store::NewNotice;
use crate::store::{DeadLetter, Settled, Store, StoreError, Transaction};

/// Reads, decides and writes callbacks. Those that have their verdict already are left alone. The
/// attempts at a suspect end with it.
pub(super) async fn apply(
    store: &Store,
    sources: &Snapshot,
    clock: &Clock,
    callbacks: &[Callback],
    suspect: Option<Uuid>,
) -> Result<Vec<Outcome>, ApplyError> {
    let mut transaction = store.begin().await?;
    let ids = callbacks.iter().flat_map(|c| BTreeSet::from([c.header.id, c.letter_id()]));
    let ids: Vec<Uuid> = ids.collect();
    let settled = transaction.find_settled(&ids).await?;
    #[cfg(feature = "plants")]
    let transaction = plant_dedupe_apart(transaction, store, callbacks, &settled).await?;
    // One callback may come twice in one batch: a broker's operator moved it back and forth.
    let mut seen = BTreeSet::new();
    let is_first = |callback: &&Callback| {
        let is_settled = |id: Uuid| settled.contains(&id);
        !is_settled(callback.header.id)
            && !is_settled(callback.letter_id())
            && seen.insert(callback.header.id)
    };
    let new: Vec<&Callback> = callbacks.iter().filter(is_first).collect();
    let mut batch = Batch::write(transaction, sources, clock, &new).await?;
    if let Some(id) = suspect {
        batch.transaction().end_attempts(id).await?;
    }
    #[cfg(feature = "plants")]
    if crate::plant::is_planted("abort_before_commit") {
        std::process::abort();
    }
    #[cfg(feature = "plants")]
    let notices = batch.apply.notices();
    let outcomes = batch.commit().await?;
    #[cfg(feature = "plants")]
    plant_outbox_apart(store, clock, &notices).await?;
    Ok(outcomes)
}

/// Callbacks that are read, decided and written. Nothing of it is so before it is committed.
#[derive(Debug)]
pub(super) struct Batch {
    apply: Apply,
    outcomes: Vec<Outcome>,
}

impl Batch {
    /// Reads, decides and writes callbacks that have no verdict. What cannot be read is a dead letter. Hints
    /// are not decided: they are taken note of, once everything else is there.
    pub(super) async fn write(
        mut transaction: Transaction,
        sources: &Snapshot,
        clock: &Clock,
        callbacks: &[&Callback],
    ) -> Result<Self, ApplyError> {
        let now = clock.now();
        let (hints, callbacks): (Vec<&Callback>, Vec<&Callback>) =
            callbacks.iter().partition(|callback| is_hint(callback));
        let mut said: Vec<(&Callback, &Source, Vec<Report>)> = Vec::new();
        let mut dead = Vec::new();
        for callback in callbacks {
            match read(sources, callback) {
                Ok((source, reports)) => said.push((callback, source, reports)),
                Err(reason) => dead.push(DeadLetter::of(callback, reason, now)),
            }
        }
        let mut outcomes: Vec<Outcome> = dead.iter().map(Outcome::dead).collect();
        transaction.bury(&dead).await?;
        let reports: Vec<(&Source, &Report)> = said
            .iter()
            .flat_map(|(_, source, reports)| reports.iter().map(move |report| (*source, report)))
            .collect();
        let mut apply = Apply::load(transaction, &reports, now).await?;
        let mut deliveries = Vec::new();
        for (callback, source, reports) in &said {
            let body_sha256 = Sha256::digest(&callback.body);
            for (item, report) in reports.iter().enumerate() {
                let outcome = apply.decide(source, report);
                deliveries.push((*callback, item, body_sha256, report, outcome));
            }
        }
        apply.write().await?;
        let decided =
            deliveries.iter().map(|(callback, item, body_sha256, report, outcome)| Settled {
                callback_id: callback.header.id,
                item: i64::try_from(*item).unwrap_or(i64::MAX),
                key: outcome.key,
                event_id: report.event_id.as_str(),
                verdict: outcome.verdict,
                received_at: callback.header.received_at,
                body_sha256,
                body: &callback.body,
            });
        // What is not about orders is kept as read, and belongs to none.
        let others: Vec<(&Callback, _)> = said
            .iter()
            .filter(|(_, _, reports)| reports.is_empty())
            .map(|(callback, _, _)| (*callback, Sha256::digest(&callback.body)))
            .collect();
        let read = others.iter().map(|(callback, body_sha256)| Settled {
            callback_id: callback.header.id,
            item: 0,
            key: Uuid::nil(),
            event_id: "",
            verdict: Verdict::Unchanged,
            received_at: callback.header.received_at,
            body_sha256,
            body: &callback.body,
        });
        let settled: Vec<Settled<'_>> = decided.chain(read).collect();
        apply.transaction().settle(&settled).await?;
        outcomes.extend(others.iter().map(|(callback, _)| Outcome::read(&callback.header)));
        outcomes.extend(deliveries.into_iter().map(|(_, _, _, _, outcome)| outcome.into()));
        outcomes.extend(hints::record(apply.transaction(), sources, clock, &hints).await?);
        Ok(Self { apply, outcomes })
    }

    /// What became of each, the dead letters first.
    pub(super) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The effects that they issued.
    pub(super) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.apply.effects()
    }

    /// The transaction, for what else belongs into it.
    pub(super) fn transaction(&mut self) -> &mut Transaction {
        self.apply.transaction()
    }

    /// Makes it all so; what became of each.
    pub(super) async fn commit(self) -> Result<Vec<Outcome>, StoreError> {
        self.apply.commit().await?;
        Ok(self.outcomes)
    }

    /// Takes it all back.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        self.apply.rollback().await
    }
}

/// Whether nobody vouches for what a callback says.
fn is_hint(callback: &Callback) -> bool {
    #[cfg(feature = "plants")]
    if crate::plant::is_planted("believe_hints") {
        return false;
    }
    callback.header.is_hint
}

/// The fault of remembering a callback in a transaction of its own, before it is applied.
#[cfg(feature = "plants")]
async fn plant_dedupe_apart(
    transaction: Transaction,
    store: &Store,
    callbacks: &[Callback],
    settled: &std::collections::BTreeSet<Uuid>,
) -> Result<Transaction, ApplyError> {
    if !crate::plant::is_planted("dedupe_apart") {
        return Ok(transaction);
    }
    let mut transaction = transaction;
    for callback in callbacks.iter().filter(|callback| !settled.contains(&callback.header.id)) {
        let remembered = Settled {
            callback_id: callback.header.id,
            item: -1,
            key: Uuid::nil(),
            event_id: "",
            verdict: crate::order::Verdict::Applied,
            received_at: callback.header.received_at,
            body_sha256: &[],
            body: &[],
        };
        transaction.settle(&[remembered]).await?;
    }
    transaction.commit().await?;
    Ok(store.begin().await?)
}

/// The moment after the commit; and the fault that writes what leaves only then.
#[cfg(feature = "plants")]
async fn plant_outbox_apart(
    store: &Store,
    clock: &Clock,
    notices: &[(Uuid, String, crate::order::notice::Notice)],
) -> Result<(), ApplyError> {
    if crate::plant::is_planted("abort_after_commit") && !notices.is_empty() {
        std::process::abort();
    }
    if !crate::plant::is_planted("outbox_apart") {
        return Ok(());
    }
    let new = notices.iter();
    let new = new.map(|(key, source, notice)| NewNotice { key: *key, source, notice });
    let new: Vec<_> = new.collect();
    let mut transaction = store.begin().await?;
    super::writing::write_notices(&mut transaction, &new, clock.now()).await?;
    Ok(transaction.commit().await?)
}

/// Reads a callback by its source's definition.
fn read<'a>(
    sources: &'a Snapshot,
    callback: &Callback,
) -> Result<(&'a Source, Vec<Report>), String> {
    let header = &callback.header;
    let source = sources.get(&header.source);
    let source = source.ok_or_else(|| format!("there is no source `{}`", header.source))?;
    let reports = match header.origin {
        Origin::Callback => {
            source.provider.read_callback(&header.headers, &callback.body, header.received_at)
        }
        Origin::Answer => {
            let missing = || format!("{} cannot be asked any more", source.provider.title);
            let ask = source.provider.ask.as_ref().ok_or_else(missing)?;
            let (asked, body) = (&header.asked, &callback.body[..]);
            let (said_at, received_at) = (header.said_at, header.received_at);
            let provider = &source.provider;
            let report = match (header.is_item, &ask.batch) {
                (false, _) => provider.read_answer(ask, asked, body, said_at, received_at),
                (true, Some(batch)) => {
                    provider.read_answer_item(batch, asked, body, said_at, received_at)
                }
                (true, None) => return Err(missing()),
            };
            report.map(|report| vec![report])
        }
        Origin::Feed => {
            let missing = || format!("{} has no feed any more", source.provider.title);
            let feed = source.provider.feed.as_ref().ok_or_else(missing)?;
            let report = source.provider.read_feed_item(feed, &callback.body, header.received_at);
            report.map(|report| report.into_iter().collect())
        }
        Origin::Action | Origin::Registration | Origin::Operator => {
            return Err(format!("no way to read what came by {}", header.origin.as_str()));
        }
    };
    Ok((source, reports.map_err(|error| error.to_string())?))
}
