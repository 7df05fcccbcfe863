//! Delivers what is in the outbox to sinks, at least once, each notice under an identity that never changes.
//!
//! Invariants
//! - A notice leaves only after the transaction that wrote it has committed: it is read from the store.
//! - Of one order, a sink is told a notice only once all before it were taken, given up by a person, or are
//!   not for it. One order's line is one relay's at a time: it has a lease. Who was away for longer than that
//!   settles nothing any more; what it tells all the same is a repeat, and says so by its identity.
//! - Nothing is found by a number that counts up over orders: a transaction that was slow is not overlooked.
//! - A line that fails waits by itself, with doubling delays; a sink at which several orders' lines fail is
//!   left alone as a whole. No other order, and no other sink, waits for either.
//! - Nothing is dropped. What is not taken within the horizon stops, and a person is asked; a sink that takes
//!   nothing from anybody is one matter and not one of each order.
//! - No transaction waits for the network.

pub mod address;
mod http;
pub mod outlet;
mod registry;
pub mod relays;
pub mod resume;
mod run;
mod settle;
pub mod told;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::budget::FAILURES_MAX;
use crate::clock::Clock;
use crate::config::{Sink, Wants};
use crate::observe::metrics::Metrics;
use crate::order::timestamp::Timestamp;
use crate::pause::Pauses;
use crate::store::{Budget, Line, NoticeRow, Store, StoreError};
use outlet::Outlet;
pub use registry::{keep, register};
use run::Ended;

/// How long a line is one relay's: longer than the longest attempt.
pub const LEASE: Duration = Duration::from_secs(60);

/// How long we wait at most before we look again for lines that are due: another process may have made one so.
const LOOK: Duration = Duration::from_millis(250);

/// How long we wait at least, where a budget has nothing left.
const LEAST: Duration = Duration::from_millis(5);

/// How many notices of one order are delivered before others have their turn.
const RUN_MAX: i64 = 16;

/// How many lines are settled at once.
const SETTLE_MAX: usize = 256;

/// Delivers to one sink.
#[derive(Debug)]
pub struct Relay {
    /// Where the outbox is.
    pub store: Store,
    /// To which sink.
    pub sink: Arc<Sink>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Rung when this process has written something.
    pub bell: Arc<Notify>,
}

/// A line that is ours.
#[derive(Debug)]
struct Claimed {
    line: Line,
    /// What is to be delivered of it.
    notices: Vec<NoticeRow>,
    /// What the sink wants.
    wants: Arc<Wants>,
    /// When it became ours, by the clock that pauses go by.
    at: Timestamp,
}

/// What came of looking for lines that are due.
#[derive(Debug)]
enum Look {
    /// These are ours to deliver.
    Lines(Vec<Claimed>),
    /// None before so long.
    Wait(Duration),
}

/// Which budget is a sink's, among those of sources: no source has such a name.
#[must_use]
pub fn budget_name(sink: &str) -> String {
    format!("sink/{sink}")
}

impl Relay {
    /// Delivers until it is told to stop; then what is under way is brought to its end.
    ///
    /// # Errors
    /// Where the sink cannot be spoken to at all: TLS cannot be set up.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let outlet = Arc::new(Outlet::of(&self.sink)?);
        let relay = Arc::new(self);
        let mut running: JoinSet<Ended> = JoinSet::new();
        let mut pauses = Pauses::reconnect();
        let mut ended = Vec::new();
        loop {
            while ended.len() < SETTLE_MAX
                && let Some(finished) = running.try_join_next()
            {
                relay.note_end(finished, &mut ended);
            }
            let is_stopping = stop.is_cancelled();
            let done = async {
                relay.settle(&mut ended).await?;
                let room = relay.sink.in_flight_max.saturating_sub(running.len());
                if is_stopping || room == 0 {
                    return Ok(Look::Wait(LOOK));
                }
                relay.claim(u32::try_from(room).unwrap_or(u32::MAX)).await
            };
            let mut pause = LOOK;
            match done.await {
                Ok(Look::Wait(wait)) => {
                    pauses.reset();
                    pause = wait.clamp(LEAST, LOOK);
                }
                Ok(Look::Lines(lines)) => {
                    pauses.reset();
                    for claimed in lines {
                        let (relay, outlet) = (Arc::clone(&relay), Arc::clone(&outlet));
                        running.spawn(relay.deliver(outlet, claimed, stop.clone()));
                    }
                }
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    let sink = relay.sink.name.as_str();
                    tracing::error!(error = format!("{error:#}"), sink, "cannot relay");
                    // What could not be settled is delivered again, once its lease is over.
                    if is_stopping {
                        ended.clear();
                    }
                    pauses.wait(&stop).await;
                }
            }
            if is_stopping && running.is_empty() && ended.is_empty() {
                return Ok(());
            }
            relay.wait(pause, &mut running, &mut ended, &stop).await;
        }
    }

    /// Waits for whatever comes first: a line that ends, news, the next look, or the stop.
    async fn wait(
        &self,
        pause: Duration,
        running: &mut JoinSet<Ended>,
        ended: &mut Vec<Ended>,
        stop: &CancellationToken,
    ) {
        if !ended.is_empty() {
            return;
        }
        let (is_running, is_stopping) = (!running.is_empty(), stop.is_cancelled());
        let has_room = running.len() < self.sink.in_flight_max;
        tokio::select! {
            finished = running.join_next(), if is_running => {
                if let Some(finished) = finished {
                    self.note_end(finished, ended);
                }
            }
            () = self.bell.notified(), if has_room && !is_stopping => {}
            () = tokio::time::sleep(pause), if !is_stopping => {}
            // Also where we were told just now, and nothing is under way.
            () = stop.cancelled(), if !(is_stopping && is_running) => {}
        }
    }

    fn note_end(&self, finished: Result<Ended, tokio::task::JoinError>, ended: &mut Vec<Ended>) {
        match finished {
            Ok(finished) => ended.push(finished),
            // The line comes again when its lease is over.
            Err(panic) => {
                let sink = self.sink.name.as_str();
                tracing::error!(error = %panic, sink, "a delivery panicked: a fault in Pawl itself");
                self.metrics.count_panic();
            }
        }
    }

    /// Takes lines that are due, as many as there is room and budget for, and reads what is to be delivered.
    async fn claim(&self, room: u32) -> Result<Look, StoreError> {
        let (name, limits) = (self.sink.name.as_str(), &self.sink.limits);
        let mut reading = self.store.read().await?;
        let now = reading.now(&self.clock).await?;
        let is_due = reading.has_due_line(name, now).await?;
        reading.rollback().await?;
        if !is_due {
            return Ok(Look::Wait(LOOK));
        }
        let mut transaction = self.store.begin().await?;
        let now = transaction.now(&self.clock).await?;
        let budget_name = budget_name(name);
        let mut budget = transaction.lock_budget(&budget_name, &Budget::full(limits, now)).await?;
        budget.fill(limits, now);
        let allowance = budget.allowance(now);
        // What it wants is what the workers write by: another process may know more of it than this one.
        let known = transaction.list_sinks().await?.into_iter().find(|sink| sink.name == name);
        let Some(known) = known.filter(|sink| allowance > 0 && sink.disabled.is_none()) else {
            transaction.rollback().await?;
            // Nothing tells when a disabled one is told again.
            let wait = if allowance == 0 { budget.ready_in(limits, now) } else { LOOK };
            return Ok(Look::Wait(wait));
        };
        let wants = Arc::new(known.wants);
        let is_look = budget.failures >= FAILURES_MAX;
        let until = now.plus(LEASE);
        let lines =
            transaction.claim_lines(name, (allowance.min(room), is_look), now, until).await?;
        let lines = transaction.give_back_overtaking(name, lines, now).await?;
        let after: Vec<(Uuid, i64)> = lines.iter().map(|line| (line.key, line.done_seq)).collect();
        let notices = transaction.read_notices_of(&after, RUN_MAX).await?;
        let claimed = share_out(&wants, lines, notices, allowance);
        #[cfg(feature = "plants")]
        let claimed = plant_relay(claimed);
        let count = claimed.iter().map(|(_, notices)| count_wanted(&wants, notices)).sum();
        budget.spend(count, until);
        transaction.write_budget(&budget_name, &budget).await?;
        transaction.commit().await?;
        let claimed = claimed.into_iter();
        let claimed = claimed.map(|(line, notices)| {
            let wants = Arc::clone(&wants);
            Claimed { line, notices, wants, at: now }
        });
        Ok(Look::Lines(claimed.collect()))
    }
}

/// Gives each line its notices: the first to each, and what the budget has left to those that come first.
fn share_out(
    wants: &Wants,
    lines: Vec<Line>,
    notices: Vec<NoticeRow>,
    allowance: u32,
) -> Vec<(Line, Vec<NoticeRow>)> {
    let mut of: BTreeMap<Uuid, Vec<NoticeRow>> = BTreeMap::new();
    for notice in notices {
        of.entry(notice.key).or_default().push(notice);
    }
    let mut left = allowance.saturating_sub(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    let share = |line: Line| {
        let mut own = of.remove(&line.key).unwrap_or_default();
        own.retain(|notice| notice.seq <= line.last_seq);
        let mut wanted = 0;
        let fits = own.iter().take_while(|notice| {
            if !wants.has(&notice.source, &notice.kind) {
                return true;
            }
            wanted += 1;
            wanted == 1 || {
                let has_left = left > 0;
                left = left.saturating_sub(1);
                has_left
            }
        });
        let count = fits.count();
        own.truncate(count);
        (line, own)
    };
    lines.into_iter().map(share).collect()
}

fn count_wanted(wants: &Wants, notices: &[NoticeRow]) -> u32 {
    let wanted = notices.iter().filter(|notice| wants.has(&notice.source, &notice.kind));
    u32::try_from(wanted.count()).unwrap_or(u32::MAX)
}

/// The faults that this module exists to prevent: whatever is older than what was read before is overlooked, and
/// an order's notices leave in any order.
#[cfg(feature = "plants")]
fn plant_relay(mut claimed: Vec<(Line, Vec<NoticeRow>)>) -> Vec<(Line, Vec<NoticeRow>)> {
    use std::sync::atomic::{AtomicI64, Ordering};

    static CURSOR: AtomicI64 = AtomicI64::new(i64::MIN);
    if crate::plant::is_planted("sequence_cursor") {
        let cursor = CURSOR.load(Ordering::Relaxed);
        for (_, notices) in &mut claimed {
            notices.retain(|notice| notice.at.micros() > cursor);
            let read = notices.iter().map(|notice| notice.at.micros()).max();
            CURSOR.fetch_max(read.unwrap_or(cursor), Ordering::Relaxed);
        }
    }
    if crate::plant::is_planted("forget_order") {
        claimed.iter_mut().for_each(|(_, notices)| notices.reverse());
    }
    claimed
}
