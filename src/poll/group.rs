//! Asking about several orders in one request, where the provider can be asked so.

use std::time::Instant;

use futures_util::future::join_all;
use tokio::sync::OwnedSemaphorePermit;

use super::Poller;
use super::client::Reply;
use super::outcome::{Answer, Outcome};
use super::turn::Turn;
use crate::provider::batch::{Batch, Part};
use crate::provider::request::{Ask, Asker};
use crate::store::DueAsk;

/// Sorts orders that are due into at most so many requests. What has no id by which it can be asked about
/// together with others goes alone, and first: it is rare.
pub(super) fn group(due: Vec<DueAsk>, batch: Option<&Batch>, requests: usize) -> Vec<Vec<DueAsk>> {
    let has_id = |due: &DueAsk| batch.is_some_and(|batch| batch.id(&due.order.names).is_some());
    let (mut together, alone): (Vec<DueAsk>, Vec<DueAsk>) = due.into_iter().partition(has_id);
    let mut groups: Vec<Vec<DueAsk>> = alone.into_iter().map(|due| vec![due]).collect();
    let max = batch.map_or(1, |batch| batch.max).max(1);
    while !together.is_empty() {
        let rest = together.split_off(max.min(together.len()));
        groups.push(std::mem::replace(&mut together, rest));
    }
    groups.truncate(requests);
    groups
}

impl Poller {
    /// Asks about orders in one request, and takes note of what came of each.
    pub(super) async fn take_turns(self, mut turns: Vec<Turn>, permit: OwnedSemaphorePermit) {
        let provider = std::sync::Arc::clone(&self.source.provider);
        let ask = provider.ask.as_ref();
        match ask.and_then(|ask| Some((ask, ask.batch.as_ref()?))) {
            Some((ask, batch)) if turns.len() > 1 => self.take_group(ask, batch, turns).await,
            Some(_) | None => {
                if let Some(turn) = turns.pop() {
                    self.take_turn(turn, permit).await;
                }
            }
        }
    }

    async fn take_group(&self, ask: &Ask, batch: &Batch, turns: Vec<Turn>) {
        let started = Instant::now();
        let (outcomes, request) = match self.ask_group(ask, batch, &turns).await {
            Err(outcome) => (vec![outcome.clone(); turns.len()], outcome),
            Ok(reply) => self.take_parts(ask, batch, &turns, &reply).await,
        };
        self.caller.hush(&request);
        self.end_turns(turns.into_iter().zip(outcomes).collect(), &request, started).await;
    }

    async fn ask_group(&self, ask: &Ask, batch: &Batch, turns: &[Turn]) -> Result<Reply, Outcome> {
        let auth = &self.source.provider.auth;
        let ids: Vec<&str> =
            turns.iter().filter_map(|turn| batch.id(&turn.due.order.names)).collect();
        let make = |asker: &Asker<'_>| batch.question(auth, asker, ids.clone());
        // All of them began together.
        let may_begin = || turns.first().map_or(Ok(()), Turn::may_begin);
        let reply = self.caller.call(make, &ask.envelope.errors, may_begin).await?;
        match reply.check(&ask.envelope, &self.source.credentials) {
            Ok(()) => Ok(reply),
            // That something is not known does not say which of the orders.
            Err(Outcome::NotFound) => {
                let what = "not all of the orders that it was asked about are known";
                Err(Outcome::Unreadable(what.to_owned()))
            }
            Err(outcome) => Err(outcome),
        }
    }

    /// What came of each order, and of the request as a whole.
    async fn take_parts(
        &self,
        ask: &Ask,
        batch: &Batch,
        turns: &[Turn],
        reply: &Reply,
    ) -> (Vec<Outcome>, Outcome) {
        let asked: Vec<_> = turns.iter().map(Turn::ids).collect();
        let provider = &self.source.provider;
        let now = self.clock.now();
        let parts = match provider.split_answer(ask, batch, &asked, &reply.body, now) {
            Ok(parts) => parts,
            Err(error) => {
                let outcome = Outcome::Unreadable(error.to_string());
                return (vec![outcome.clone(); turns.len()], outcome);
            }
        };
        // At once: each waits for its confirm.
        let outcomes = turns.iter().zip(parts).map(|(turn, part)| async move {
            match part {
                Part::Items(items) => self.publish_items(turn, &items, reply).await,
                Part::Unreadable(error) => Outcome::Unreadable(error.to_string()),
                Part::NotFound => Outcome::NotFound,
                Part::Nothing => {
                    Outcome::Unreadable("the answer does not mention the order".to_owned())
                }
            }
        });
        let outcomes: Vec<Outcome> = join_all(outcomes).await;
        let found = outcomes.iter().find(|outcome| outcome.is_information());
        let request = found.or(outcomes.first()).cloned();
        (outcomes, request.unwrap_or_else(|| Outcome::Unaskable("nothing".to_owned())))
    }

    async fn publish_items(&self, turn: &Turn, items: &[&[u8]], reply: &Reply) -> Outcome {
        let mut outcome = Outcome::Unqueued;
        for item in items {
            let said_at = reply.said_at;
            let answer = Answer { body: item.to_vec(), said_at, is_item: true };
            if !self.publish(turn, answer.clone()).await {
                return Outcome::Unqueued;
            }
            outcome = Outcome::Answered(answer);
        }
        outcome
    }
}
