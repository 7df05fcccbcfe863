//! Asks providers about orders and reads their feeds, and puts what they say on the queue like a callback.
//!
//! Invariants
//! - An attempt is stored before the call: whoever dies in a call cannot hammer the provider.
//! - A refusal by the budget is no attempt. Nobody asks while the source is paused.
//! - An order is asked about by one at a time: its row has a lease. Who was away for longer than that
//!   makes no call any more, and changes nothing; an answer that it has all the same is joined like any
//!   other.
//! - Only what is readable, authentic and about the order that was asked about is an answer. Everything
//!   else is no information: it moves no order, and closes none.
//! - No transaction waits for the network.

pub mod caller;
pub mod client;
mod clock_watch;
pub mod feed;
mod group;
mod hints;
mod note;
pub mod outcome;
pub mod pollers;
pub mod recent;
pub mod round;
mod session;
mod turn;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Source;
use crate::observe::metrics::Metrics;
use crate::order::asking::AskRules;
use crate::pause::Pauses;
use crate::queue::Queue;
use crate::store::{BegunAsk, Budget, DueAsk, Lane, Store, StoreError};
use caller::Caller;
use clock_watch::ClockWatch;
use group::group;
use hints::Followed;
use turn::{Hint, Turn};

pub use caller::HUSH_MAX;

/// How long an order is one poller's: longer than an ask and the queue's confirm can take together.
pub const LEASE: Duration = Duration::from_secs(30);

/// How many asks a process may have under way at one source.
const IN_FLIGHT_MAX: usize = 64;

/// How many orders a process takes at once where one request may be about several.
const DUE_MAX: u32 = 1000;

/// How long we wait at most before we look again for orders that are due: somebody else may have made
/// one due.
pub const LOOK: Duration = Duration::from_millis(250);

/// Asks about the orders of one source.
#[derive(Clone, Debug)]
pub struct Poller {
    /// Where orders are kept.
    pub store: Store,
    /// Where answers go.
    pub queue: Queue,
    /// Which source.
    pub source: Arc<Source>,
    /// How it is spoken to.
    pub caller: Arc<Caller>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
}

/// What was written so little ahead of the clock was written while we looked at it.
const JUST_NOW: Duration = Duration::from_secs(5);

/// What came of looking for orders that are due.
#[derive(Debug)]
enum Look {
    /// These are ours to ask about: those of a group in one request.
    Turns(Vec<Vec<Turn>>),
    /// None before so long.
    Wait(Duration),
}

impl Poller {
    /// Asks until it is told to stop; then asks that are under way are brought to their end.
    pub async fn run(self, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let mut asking = JoinSet::new();
        let mut pauses = Pauses::reconnect();
        let mut watch = ClockWatch::default();
        while !stop.is_cancelled() {
            while let Some(ended) = asking.try_join_next() {
                self.note_end(ended);
            }
            let wait = match self.look(&mut watch, room.available_permits()).await {
                Ok(Look::Turns(groups)) => {
                    for group in groups {
                        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { break };
                        asking.spawn(self.clone().take_turns(group, permit));
                    }
                    pauses.reset();
                    Duration::ZERO
                }
                Ok(Look::Wait(wait)) => {
                    pauses.reset();
                    wait
                }
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::error!(
                        error = format!("{error:#}"),
                        source = self.source.name,
                        "cannot look for orders to ask about"
                    );
                    pauses.pause()
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while let Some(ended) = asking.join_next().await {
            self.note_end(ended);
        }
    }

    fn note_end(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(panic) = ended {
            self.metrics.count_panic();
            tracing::error!(error = %panic, source = self.source.name, "a fault in Pawl itself");
        }
    }

    /// Looks for orders that are due, and takes a lease on as many as there is room and budget for.
    async fn look(&self, watch: &mut ClockWatch, room: usize) -> Result<Look, StoreError> {
        let mut reading = self.store.read().await?;
        let now = reading.now(&self.clock).await?;
        let next = reading.next_ask(&self.source.name).await?;
        let is_hinted = reading.has_hints(&self.source.name, now).await?;
        reading.rollback().await?;
        if watch.has_stepped_back(now) {
            self.mend().await?;
            watch.take(now);
        }
        let is_due = is_hinted || next.is_some_and(|next| next <= now);
        match next {
            _ if is_due && room > 0 && !self.caller.is_hushed() => {}
            Some(next) => return Ok(Look::Wait(LOOK.min(next.since(now)).max(LOOK / 10))),
            None => return Ok(Look::Wait(LOOK)),
        }
        // A task of its own: database work is never cancelled half-way.
        let poller = self.clone();
        let claiming = tokio::spawn(async move { poller.claim(room).await });
        claiming.await.unwrap_or_else(|panic| Err(StoreError::Corrupt(panic.to_string())))
    }

    async fn claim(&self, room: usize) -> Result<Look, StoreError> {
        let (name, limits) = (self.source.name.as_str(), &self.source.limits);
        let mut transaction = self.store.begin().await?;
        let now = transaction.now(&self.clock).await?;
        let mut budget = transaction.lock_budget(name, &Budget::full(limits, now)).await?;
        // It may have been waited for.
        // Before the store's clock is read: a lease is never taken for longer than it is.
        let began = Instant::now();
        let now = transaction.now(&self.clock).await?;
        budget.fill(limits, now);
        let count = budget.allowance(now).min(u32::try_from(room).unwrap_or(u32::MAX));
        if count == 0 {
            transaction.rollback().await?;
            return Ok(Look::Wait(budget.ready_in(limits, now).clamp(LOOK / 10, LOOK)));
        }
        // Each request may be about several orders.
        let batch = self.source.provider.ask.as_ref().and_then(|ask| ask.batch.as_ref());
        let each = batch.map_or(1, |batch| u32::try_from(batch.max).unwrap_or(u32::MAX)).max(1);
        let orders = |requests: u32| requests.saturating_mul(each).min(DUE_MAX.max(requests));
        let (mut due, mut followed) = (Vec::<DueAsk>::new(), Followed::default());
        let (old, hinted) = (budget.old_share(count), budget.hint_share(count));
        let taken = |due: &[DueAsk], followed: &Followed| -> u32 {
            let requests = u32::try_from(due.len()).unwrap_or(u32::MAX).div_ceil(each);
            requests.saturating_add(followed.count()).min(count)
        };
        // Their share for the old ones, and for those that a hint is about; then the fresh ones, then
        // whoever is there.
        for (lane, share) in [
            (Some(Lane::Old), old),
            (None, hinted),
            (Some(Lane::Fresh), count),
            (Some(Lane::Old), count),
            (None, count),
        ] {
            let left = share.min(count - taken(&due, &followed));
            if let Some(lane) = lane.filter(|_| left > 0) {
                let besides: Vec<Uuid> =
                    due.iter().map(|due| due.key).chain(followed.keys()).collect();
                due.extend(transaction.due_asks(name, lane, now, &besides, orders(left)).await?);
            } else if lane.is_none() {
                let most = left.min(budget.hint_allowance().saturating_sub(followed.count()));
                followed.take(self, &mut transaction, &due, (now, most)).await?;
            }
        }
        let hinted = followed.count();
        let groups = group(due, batch, usize::try_from(count - hinted.min(count)).unwrap_or(0));
        let asked = u32::try_from(groups.len()).unwrap_or(u32::MAX).saturating_add(hinted);
        let (token, lease_until) = (Uuid::now_v7(), now.plus(LEASE));
        budget.spend(asked, lease_until);
        budget.spend_hints(hinted);
        let room = u32::try_from(room).unwrap_or(u32::MAX).saturating_sub(asked);
        let strangers = self.take_strangers(&mut transaction, &mut budget, now, room).await?;
        if asked == 0 && strangers.is_empty() {
            transaction.rollback().await?;
            return Ok(Look::Wait(LOOK));
        }
        let begun = groups.iter().flatten().map(|due| BegunAsk {
            key: due.key,
            asking: due.asking.begin(self.ask_rules(due.key), now),
        });
        let begun: Vec<BegunAsk> = begun.collect();
        #[cfg(feature = "plants")]
        let begun = if crate::plant::is_planted("count_no_attempt") {
            let same = |due: &DueAsk| BegunAsk { key: due.key, asking: due.asking };
            groups.iter().flatten().map(same).collect()
        } else {
            begun
        };
        let begun: Vec<BegunAsk> = begun.into_iter().chain(followed.begin(self, now)).collect();
        transaction.begin_asks(&begun, token, lease_until).await?;
        let turn = |due, hint: Option<Hint>| Turn { due, hint, token, began, began_at: now };
        let hinted =
            self.begin_hints(&mut transaction, followed, strangers, turn, (now, token)).await?;
        transaction.write_budget(name, &budget).await?;
        transaction.commit().await?;
        let turns = |group: Vec<DueAsk>| group.into_iter().map(|due| turn(due, None)).collect();
        let alone = hinted.into_iter().map(|turn| vec![turn]);
        Ok(Look::Turns(groups.into_iter().map(turns).chain(alone).collect()))
    }

    fn ask_rules(&self, seed: Uuid) -> AskRules<'_> {
        AskRules { schedule: &self.source.schedule, machine: &self.source.rules.machine, seed }
    }

    /// Makes orders due that were put off by a clock that has been put back since.
    async fn mend(&self) -> Result<(), StoreError> {
        let poller = self.clone();
        let mending = tokio::spawn(async move {
            let mut transaction = poller.store.begin().await?;
            let now = transaction.now(&poller.clock).await?;
            let name = &poller.source.name;
            let (ahead, lease_max) = (now.plus(JUST_NOW), now.plus(LEASE + JUST_NOW));
            let mended = transaction.mend_asks(name, now, ahead, lease_max).await?;
            transaction.mend_hints(name, now, now.plus(hints::LEASE_MAX)).await?;
            transaction.commit().await?;
            Ok(mended)
        });
        let mended =
            mending.await.unwrap_or_else(|panic| Err(StoreError::Corrupt(panic.to_string())))?;
        if mended > 0 {
            let source = self.source.name.as_str();
            tracing::warn!(source, mended, "the clock was put back: {mended} orders are due now");
        }
        Ok(())
    }
}
