//! Asks because of hints: callbacks that nobody vouches for.
//!
//! - Each takes a token of the hints' own bucket beside the one that every ask takes.
//! - About an order that is known it is an ask like any other, out of turn: it postpones nothing, makes no
//!   delay longer and counts for no horizon. An order is asked about so no sooner again than after the
//!   first delay, so that one id does not use up the bucket.
//! - About an id that nobody knows it is made of what others leave over. Only the provider's own answer,
//!   which takes the way of any other, makes an order of it.

use std::time::Duration;

use uuid::Uuid;

use super::turn::{Hint, Turn};
use super::{LEASE, Poller};
use crate::order::Order;
use crate::order::asking::Asking;
use crate::order::timestamp::Timestamp;
use crate::store::{BegunAsk, Budget, DueAsk, Hinted, HintedAsk, StoreError, Transaction};
use crate::work::hints::Hinted as Became;

/// How far ahead a hint's lease may be, at most: it is doubled with each try.
pub(super) const LEASE_MAX: Duration = Duration::from_secs(LEASE.as_secs() << 3);

/// Hints that are followed in one claim.
#[derive(Debug, Default)]
pub(super) struct Followed(Vec<HintedAsk>);

impl Followed {
    /// Takes hints about orders that are known, beside what is claimed already.
    pub(super) async fn take(
        &mut self,
        poller: &Poller,
        transaction: &mut Transaction,
        due: &[DueAsk],
        (now, most): (Timestamp, u32),
    ) -> Result<(), StoreError> {
        if most == 0 {
            return Ok(());
        }
        let besides: Vec<Uuid> = self.keys().chain(due.iter().map(|due| due.key)).collect();
        let first = poller.source.schedule.first;
        let which = Hinted {
            source: &poller.source.name,
            now,
            unasked_since: now.minus(first).unwrap_or(Timestamp::EPOCH),
            besides: &besides,
            limit: most,
        };
        self.0.extend(transaction.hinted_asks(which).await?);
        Ok(())
    }

    /// How many.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The orders that are asked about.
    pub(super) fn keys(&self) -> impl Iterator<Item = Uuid> {
        self.0.iter().map(|hinted| hinted.due.key)
    }

    /// What is remembered of their orders from now on.
    pub(super) fn begin(&self, poller: &Poller, now: Timestamp) -> Vec<BegunAsk> {
        let begin = |hinted: &HintedAsk| {
            let DueAsk { key, asking, .. } = hinted.due;
            BegunAsk { key, asking: asking.begin_hinted(poller.ask_rules(key), now) }
        };
        self.0.iter().map(begin).collect()
    }
}

impl Poller {
    /// Takes ids that nobody knows, as many as there is something left over for.
    pub(super) async fn take_strangers(
        &self,
        transaction: &mut Transaction,
        budget: &mut Budget,
        now: Timestamp,
        room: u32,
    ) -> Result<Vec<(String, DueAsk)>, StoreError> {
        let spare = budget.spare(&self.source.limits, now).min(room);
        if spare == 0 {
            return Ok(Vec::new());
        }
        let hints = transaction.strangers_hints(&self.source.name, now, spare).await?;
        budget.spend_spare(u32::try_from(hints.len()).unwrap_or(u32::MAX));
        let ask = |hint: crate::store::StrangersHint| {
            let order = Order { names: hint.names, ..Order::default() };
            // No order's key: it stands for this ask alone.
            let key = Uuid::now_v7();
            (hint.order_id, DueAsk { key, order, asking: Asking::default() })
        };
        Ok(hints.into_iter().map(ask).collect())
    }

    /// Writes which hints are followed, and makes them turns.
    pub(super) async fn begin_hints(
        &self,
        transaction: &mut Transaction,
        followed: Followed,
        strangers: Vec<(String, DueAsk)>,
        turn: impl Fn(DueAsk, Option<Hint>) -> Turn,
        (now, token): (Timestamp, Uuid),
    ) -> Result<Vec<Turn>, StoreError> {
        let known = followed.0.into_iter().map(|hinted| (hinted.order_id, hinted.due, true));
        let strangers = strangers.into_iter().map(|(order_id, due)| (order_id, due, false));
        let all: Vec<(String, DueAsk, bool)> = known.chain(strangers).collect();
        let ids: Vec<&str> = all.iter().map(|(order_id, ..)| order_id.as_str()).collect();
        transaction.begin_hints(&self.source.name, &ids, token, now, LEASE).await?;
        let turns = all
            .into_iter()
            .map(|(order_id, due, is_known)| turn(due, Some(Hint { order_id, is_known })));
        Ok(turns.collect())
    }

    /// Takes note of what came of following a hint, which holds the order's lock where the order is known.
    pub(super) async fn note_hint(
        &self,
        transaction: &mut Transaction,
        turn: &Turn,
        is_answered: bool,
    ) -> Result<(), StoreError> {
        let source = self.source.name.as_str();
        let hint = turn.hint.as_ref();
        let (key, order_id) = match hint {
            Some(Hint { order_id, is_known: false }) => (None, Some(order_id.as_str())),
            Some(Hint { order_id, is_known: true }) => {
                (Some(turn.due.key), Some(order_id.as_str()))
            }
            None => (Some(turn.due.key), None),
        };
        if is_answered {
            return transaction.answer_hints(source, key, order_id, turn.began_at).await;
        }
        if let Some(Hint { order_id, .. }) = hint
            && transaction.give_up_hint(source, order_id, turn.token).await?
        {
            self.metrics.count_hints(source, Became::GivenUp, 1);
        }
        Ok(())
    }
}
