//! A batch of callbacks: read, applied and settled in one transaction.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Sources;
use super::apply::{Apply, ApplyError, Outcome};
use crate::clock::Clock;
use crate::config::Source;
use crate::order::Report;
use crate::order::report::Origin;
use crate::queue::message::Callback;
use crate::store::{DeadLetter, Settled, Store};

/// Reads, decides and writes callbacks. Those that have their verdict already are left alone.
pub(super) async fn apply(
    store: &Store,
    sources: &Sources,
    clock: &Clock,
    callbacks: &[Callback],
) -> Result<Vec<Outcome>, ApplyError> {
    let mut transaction = store.begin().await?;
    let ids: Vec<Uuid> = callbacks.iter().map(|callback| callback.header.id).collect();
    let settled = transaction.find_settled(&ids).await?;
    #[cfg(feature = "plants")]
    let mut transaction = plant_dedupe_apart(transaction, store, callbacks, &settled).await?;
    let mut said: Vec<(&Callback, &Source, Vec<Report>)> = Vec::new();
    let mut dead = Vec::new();
    // One callback may come twice in one batch: a broker's operator moved it back and forth.
    let mut seen = std::collections::BTreeSet::new();
    let is_first = |callback: &&Callback| {
        !settled.contains(&callback.header.id) && seen.insert(callback.header.id)
    };
    for callback in callbacks.iter().filter(is_first) {
        match read(sources, callback) {
            Ok((source, reports)) => said.push((callback, source, reports)),
            Err(reason) => {
                let callback = callback.clone();
                dead.push(DeadLetter { callback, reason, died_at: clock.now() });
            }
        }
    }
    let mut outcomes: Vec<Outcome> = dead.iter().map(Outcome::dead).collect();
    transaction.bury(&dead).await?;
    let reports: Vec<(&Source, &Report)> = said
        .iter()
        .flat_map(|(_, source, reports)| reports.iter().map(move |report| (*source, report)))
        .collect();
    let mut apply = Apply::load(transaction, &reports, clock.now()).await?;
    let mut deliveries = Vec::new();
    for (callback, source, reports) in &said {
        let body_sha256 = Sha256::digest(&callback.body);
        for (item, report) in reports.iter().enumerate() {
            let outcome = apply.decide(source, report);
            deliveries.push((*callback, item, body_sha256, report, outcome));
        }
    }
    apply.write().await?;
    let settled: Vec<Settled<'_>> = deliveries
        .iter()
        .map(|(callback, item, body_sha256, report, outcome)| Settled {
            callback_id: callback.header.id,
            item: i64::try_from(*item).unwrap_or(i64::MAX),
            key: outcome.key,
            event_id: report.event_id.as_str(),
            verdict: outcome.verdict,
            received_at: callback.header.received_at,
            body_sha256,
            body: &callback.body,
        })
        .collect();
    apply.transaction().settle(&settled).await?;
    outcomes.extend(deliveries.into_iter().map(|(_, _, _, _, outcome)| outcome.into()));
    #[cfg(feature = "plants")]
    if crate::plant::is_planted("abort_before_commit") {
        std::process::abort();
    }
    apply.commit().await?;
    Ok(outcomes)
}

/// The fault of remembering a callback in a transaction of its own, before it is applied.
#[cfg(feature = "plants")]
async fn plant_dedupe_apart(
    transaction: crate::store::Transaction,
    store: &Store,
    callbacks: &[Callback],
    settled: &std::collections::BTreeSet<Uuid>,
) -> Result<crate::store::Transaction, ApplyError> {
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

/// Reads a callback by its source's definition.
fn read<'a>(
    sources: &'a Sources,
    callback: &Callback,
) -> Result<(&'a Source, Vec<Report>), String> {
    let header = &callback.header;
    let source = sources.get(&header.source);
    let source = source.ok_or_else(|| format!("there is no source `{}`", header.source))?;
    let reports = match header.origin {
        Origin::Callback => source.provider.read_callback(&callback.body, header.received_at),
        Origin::Answer => {
            let missing = || format!("{} cannot be asked any more", source.provider.title);
            let ask = source.provider.ask.as_ref().ok_or_else(missing)?;
            source
                .provider
                .read_answer(ask, &header.asked, &callback.body, header.said_at, header.received_at)
                .map(|report| vec![report])
        }
        Origin::Feed | Origin::Action | Origin::Registration | Origin::Operator => {
            return Err(format!("no way to read what came by {}", header.origin.as_str()));
        }
    };
    Ok((source, reports.map_err(|error| error.to_string())?))
}
