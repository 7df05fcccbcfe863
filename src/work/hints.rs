//! Hints: callbacks that nobody vouches for. What they say is not believed, nothing of it is kept, and no
//! order is made or touched: they only say about which one the provider may be asked.
//!
//! Invariants
//! - A hint is settled by its own id like any callback, also where it cannot be read: never a dead letter.
//! - Two ids in one hint tell nothing about each other.
//! - What a stranger can have us keep is bounded, whatever they send.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uuid::Uuid;

use super::Worker;
use super::apply::Outcome;
use crate::clock::Clock;
use crate::config::Source;
use crate::order::name::{OrderId, Role};
use crate::queue::message::Callback;
use crate::sources::Snapshot;
use crate::store::{NewHint, StoreError, Transaction};

/// What became of a hint, as the label `outcome` of its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hinted {
    /// It waits, until the provider is asked because of it.
    Recorded,
    /// Another one about the same order waits already.
    Coalesced,
    /// It is about an order that nobody knows, as too many others are.
    OverLimit,
    /// It names no order, or its source is gone.
    Unreadable,
    /// The provider cannot be asked about what it names.
    Unaskable,
    /// The provider is asked because of it.
    Asked,
    /// The provider was asked because of it again and again, and said nothing.
    GivenUp,
}

impl Hinted {
    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Coalesced => "coalesced",
            Self::OverLimit => "over_limit",
            Self::Unreadable => "unreadable",
            Self::Unaskable => "unaskable",
            Self::Asked => "asked",
            Self::GivenUp => "given_up",
        }
    }
}

/// For how long it is remembered that a hint is settled: no queue gives one out again after that, and if it
/// did, it would be one more hint. And for how long a hint waits at most.
pub const KEPT: Duration = Duration::from_secs(86_400);

/// How many of each are forgotten at once.
const FORGOTTEN_MAX: i64 = 1000;

impl Worker {
    /// Forgets hints that are older than a day, and that they are settled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_hints(&self) -> Result<u64, StoreError> {
        let Some(until) = self.clock.now().minus(KEPT) else { return Ok(0) };
        let mut transaction = self.store.begin().await?;
        let settled = transaction.forget_settled_hints(until, FORGOTTEN_MAX).await?;
        let waiting = transaction.forget_hints(until, FORGOTTEN_MAX).await?;
        transaction.commit().await?;
        Ok(settled + waiting)
    }
}

/// A hint as it was read.
struct Read<'a> {
    callback: &'a Callback,
    /// Of a source that can be asked about what it names.
    source: Option<&'a Source>,
    names: BTreeMap<OrderId, Role>,
    outcome: Option<Hinted>,
}

impl<'a> Read<'a> {
    fn of(sources: &'a Snapshot, callback: &'a Callback) -> Self {
        let ended = |outcome| Self {
            callback,
            source: None,
            names: BTreeMap::new(),
            outcome: Some(outcome),
        };
        let Some(source) = sources.get(&callback.header.source) else {
            return ended(Hinted::Unreadable);
        };
        let Ok(names) = source.provider.read_hint(&callback.body) else {
            return ended(Hinted::Unreadable);
        };
        if source.base_url.is_none() || source.provider.ask.is_none() {
            return ended(Hinted::Unaskable);
        }
        Self { callback, source: Some(source), names, outcome: None }
    }

    fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        let source = self.source.map(|source| source.name.as_str()).unwrap_or_default();
        self.names.keys().map(move |id| (source, id.as_str()))
    }

    /// By which of its ids the provider can be asked about an order that nobody knows, the one that it is
    /// remembered by first.
    fn askable(&self) -> Option<(&OrderId, BTreeMap<OrderId, Role>)> {
        let (source, find) =
            (self.source?, |role| self.names.iter().find(|(_, own)| **own == role));
        let own = [Role::Provider, Role::Merchant].into_iter().filter_map(find);
        let own: Vec<(&OrderId, &Role)> = own.collect();
        let names: BTreeMap<OrderId, Role> =
            own.iter().map(|(id, role)| ((*id).clone(), **role)).collect();
        let is_askable = source.provider.ask.as_ref()?.is_askable(&names);
        is_askable.then(|| own.first().map(|(id, _)| (*id, names)))?
    }
}

/// Takes note of hints that are not settled yet, and settles them; what became of each.
pub(super) async fn record(
    transaction: &mut Transaction,
    sources: &Snapshot,
    clock: &Clock,
    callbacks: &[&Callback],
) -> Result<Vec<Outcome>, StoreError> {
    if callbacks.is_empty() {
        return Ok(Vec::new());
    }
    let mut read: Vec<Read<'_>> = callbacks.iter().map(|c| Read::of(sources, c)).collect();
    let names: BTreeSet<(&str, &str)> = read.iter().flat_map(Read::names).collect();
    let names: Vec<(&str, &str)> = names.into_iter().collect();
    let keys = transaction.find_names(&names).await?;
    let known: BTreeSet<Uuid> = keys.values().copied().collect();
    let ids = transaction.hint_ids(&known.into_iter().collect::<Vec<_>>()).await?;

    // What is to be remembered, each order once, and the hints that say so.
    let mut wanted: BTreeMap<(String, String), (NewHint, Vec<usize>)> = BTreeMap::new();
    for (index, hint) in read.iter_mut().enumerate() {
        if hint.outcome.is_some() {
            continue;
        }
        let new = to_remember(hint, &keys, &ids);
        if new.is_empty() {
            hint.outcome = Some(Hinted::Unaskable);
        }
        for new in new {
            let name = (new.source.clone(), new.order_id.clone());
            wanted.entry(name).or_insert_with(|| (new, Vec::new())).1.push(index);
        }
    }
    let list: Vec<(&str, &str)> =
        wanted.keys().map(|(source, id)| (source.as_str(), id.as_str())).collect();
    let waiting = transaction.find_hints(&list).await?;
    let mut room: BTreeMap<&str, usize> = BTreeMap::new();
    let mut hints = Vec::new();
    for (name, (hint, told_by)) in &wanted {
        let mut outcome = Hinted::Coalesced;
        if !waiting.contains(name) {
            outcome = Hinted::Recorded;
            if hint.key.is_none() {
                let source = name.0.as_str();
                if !room.contains_key(source) {
                    room.insert(source, transaction.room_for_strangers(source).await?);
                }
                match room.get_mut(source).and_then(|left| left.checked_sub(1).map(|l| (left, l))) {
                    Some((left, less)) => *left = less,
                    None => outcome = Hinted::OverLimit,
                }
            }
        }
        if outcome != Hinted::OverLimit {
            hints.push(hint.clone());
        }
        for index in told_by {
            let before = read[*index].outcome;
            read[*index].outcome = Some(before.map_or(outcome, |before| before.min(outcome)));
            // The others say the same once more.
            outcome = outcome.max(Hinted::Coalesced);
        }
    }
    let now = transaction.now(clock).await?;
    transaction.record_hints(&hints, now).await?;
    let headers = callbacks.iter().map(|callback| &callback.header);
    let settled: Vec<_> = headers.map(|header| (header.id, header.received_at)).collect();
    transaction.settle_hints(&settled).await?;
    Ok(read.iter().map(outcome).collect())
}

/// What is to be remembered of a hint: each order that is known by one of its ids; else the id itself.
fn to_remember(
    hint: &Read<'_>,
    keys: &BTreeMap<(String, String), Uuid>,
    ids: &BTreeMap<Uuid, String>,
) -> Vec<NewHint> {
    let source = hint.callback.header.source.clone();
    let found = hint.names().filter_map(|(source, id)| {
        keys.get(&(source.to_owned(), id.to_owned())).map(|key| (*key, id))
    });
    let found: BTreeMap<Uuid, &str> = found.collect();
    let known = found.into_iter().map(|(key, id)| NewHint {
        source: source.clone(),
        order_id: ids.get(&key).cloned().unwrap_or_else(|| id.to_owned()),
        key: Some(key),
        names: BTreeMap::new(),
    });
    let known: Vec<NewHint> = known.collect();
    if !known.is_empty() {
        return known;
    }
    let new = hint.askable().map(|(id, names)| NewHint {
        source,
        order_id: id.to_string(),
        key: None,
        names,
    });
    new.into_iter().collect()
}

fn outcome(hint: &Read<'_>) -> Outcome {
    let hinted = hint.outcome.unwrap_or(Hinted::Unaskable);
    let reason = match hinted {
        Hinted::Recorded | Hinted::Asked => "not verified: the provider is asked instead",
        Hinted::Coalesced => "not verified: the provider will be asked about the order anyway",
        Hinted::OverLimit => "not verified, and about an order that nobody knows, as too many are",
        Hinted::Unreadable => "not verified, and names no order",
        Hinted::Unaskable => "not verified, and the provider cannot be asked about it",
        Hinted::GivenUp => "not verified",
    };
    Outcome::hint(&hint.callback.header, hinted, reason.to_owned())
}
