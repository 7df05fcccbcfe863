//! One order's turn: the call, its answer on the queue, and what came of it in the store.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::note::note_budget;
use super::outcome::{Answer, Outcome};
use super::{LEASE, Poller};
use crate::order::asking::News;
use crate::order::name::OrderId;
use crate::order::report::Origin;
use crate::order::timestamp::Timestamp;
use crate::pause::Pauses;
use crate::provider::headers::Headers;
use crate::provider::request::Asker;
use crate::queue::message::{Callback, CallbackHeader};
use crate::store::{DueAsk, StoreError};
use crate::work::apply::{Apply, ApplyError};
use crate::work::hints::Hinted;

/// How much of a lease must be left for a call to begin.
const LEASE_LEFT: Duration = Duration::from_secs(20);

/// An order that we are to ask about.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub due: DueAsk,
    /// What it is because of, if the order is not simply due.
    pub hint: Option<Hint>,
    pub token: Uuid,
    /// By our own clock that no one can put back: when we got the lease.
    pub began: Instant,
    /// By the store's clock.
    pub began_at: Timestamp,
}

/// A hint that is followed.
#[derive(Clone, Debug)]
pub(super) struct Hint {
    /// The id that it waits by.
    pub order_id: String,
    /// Whether the order is known. If not, there is no order in the store, only an id to ask about.
    pub is_known: bool,
}

impl Turn {
    /// Whether there is only an id, which some stranger chose.
    fn is_strangers(&self) -> bool {
        self.hint.as_ref().is_some_and(|hint| !hint.is_known)
    }

    /// Whether a call may still begin. We may have been frozen since: by now somebody else may be asking.
    pub(super) fn may_begin(&self) -> Result<(), Outcome> {
        if self.began.elapsed() > LEASE.saturating_sub(LEASE_LEFT) {
            let what = "we were away for longer than our turn";
            return Err(Outcome::Unaskable(what.to_owned()));
        }
        Ok(())
    }

    pub(super) fn ids(&self) -> BTreeSet<OrderId> {
        self.due.order.names.keys().cloned().collect()
    }
}

impl Poller {
    /// Asks about one order, and takes note of what came of it.
    pub(super) async fn take_turn(self, turn: Turn, _permit: OwnedSemaphorePermit) {
        let started = Instant::now();
        let mut outcome = self.ask(&turn).await.map_or_else(|outcome| outcome, Outcome::Answered);
        self.caller.hush(&outcome);
        if let Outcome::Answered(answer) = &outcome
            && !self.publish(&turn, answer.clone()).await
        {
            outcome = Outcome::Unqueued;
        }
        self.end_turns(vec![(turn, outcome.clone())], &outcome, started).await;
    }

    /// Takes note of what came of asking about orders in one request, of each and of the request.
    pub(super) async fn end_turns(
        &self,
        turns: Vec<(Turn, Outcome)>,
        request: &Outcome,
        started: Instant,
    ) {
        for (turn, outcome) in &turns {
            self.metrics.count_ask(&self.source.name, outcome, started.elapsed());
            if turn.hint.is_some() {
                self.metrics.count_hints(&self.source.name, Hinted::Asked, 1);
            }
            self.log(turn, outcome);
        }
        let Some((first, _)) = turns.first() else { return };
        let mut pauses = Pauses::reconnect();
        // The lease ends by itself, and the attempt is counted: it only is not known what came of it.
        while first.began.elapsed() < LEASE {
            match self.note(&turns, request).await {
                Ok(()) => return,
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::error!(
                        error = format!("{error:#}"),
                        source = self.source.name,
                        "cannot store what came of an ask"
                    );
                    tokio::time::sleep(pauses.pause()).await;
                }
            }
        }
    }

    async fn ask(&self, turn: &Turn) -> Result<Answer, Outcome> {
        let source = &self.source;
        let Some(ask) = &source.provider.ask else {
            return Err(Outcome::Unaskable("its provider cannot be asked".to_owned()));
        };
        let (auth, names) = (&source.provider.auth, &turn.due.order.names);
        let make = |asker: &Asker<'_>| ask.question(auth, asker, names);
        let reply = self.caller.call(make, &ask.envelope.errors, || turn.may_begin()).await?;
        reply.check(&ask.envelope, &source.credentials)?;
        let (body, said_at, now) = (reply.body, reply.said_at, self.clock.now());
        match source.provider.read_answer(ask, &turn.ids(), &body, said_at, now) {
            Ok(_) => Ok(Answer { body, said_at, is_item: false }),
            Err(error) => Err(Outcome::Unreadable(error.to_string())),
        }
    }

    /// Puts an answer on the queue; whether it is there.
    pub(super) async fn publish(&self, turn: &Turn, answer: Answer) -> bool {
        let callback = Callback {
            header: CallbackHeader {
                id: Uuid::now_v7(),
                source: self.source.name.clone(),
                origin: Origin::Answer,
                received_at: self.clock.now(),
                headers: Headers::default(),
                attempt: 0,
                asked: turn.ids(),
                is_hint: false,
                is_item: answer.is_item,
                said_at: answer.said_at,
            },
            body: answer.body,
        };
        let published = self.queue.publish(callback).await;
        if let Err(error) = &published {
            tracing::warn!(error = %error, source = self.source.name, "an answer is not queued");
        }
        published.is_ok()
    }

    /// Stores what came of an ask: for its orders, and for the source's budget. Apart, because whoever works
    /// on the answer holds the order just now, and all who ask about the source wait for its budget.
    async fn note(&self, turns: &[(Turn, Outcome)], request: &Outcome) -> Result<(), ApplyError> {
        let Some((first, _)) = turns.first() else { return Ok(()) };
        let (key, began_at) = (first.due.key, first.began_at);
        let mut ended = turns.to_vec();
        ended.sort_by_key(|(turn, _)| turn.due.key);
        let (poller, request) = (self.clone(), request.clone());
        let noting = tokio::spawn(async move {
            let (strangers, known): (Vec<_>, Vec<_>) =
                ended.into_iter().partition(|(turn, _)| turn.is_strangers());
            for (turn, outcome) in &strangers {
                poller.note_stranger(turn, outcome).await?;
            }
            if !known.is_empty() {
                poller.note_orders(&known).await?;
            }
            // What some stranger's id brings says nothing about the source; but that we ask too often does.
            if !known.is_empty() || matches!(request, Outcome::Throttled { .. }) {
                let Poller { store, clock, source, .. } = &poller;
                note_budget(store, clock, source, (key, began_at), &request).await?;
            }
            Ok(())
        });
        noting.await.map_err(|panic| ApplyError::Panicked(panic.to_string()))?
    }

    async fn note_stranger(&self, turn: &Turn, outcome: &Outcome) -> Result<(), StoreError> {
        let mut transaction = self.store.begin().await?;
        self.note_hint(&mut transaction, turn, is_answer(outcome)).await?;
        transaction.commit().await
    }

    async fn note_orders(&self, ended: &[(Turn, Outcome)]) -> Result<(), ApplyError> {
        let mut transaction = self.store.begin().await?;
        let mut unknown = Vec::new();
        for (turn, outcome) in ended {
            let key = turn.due.key;
            let is_ours = transaction.end_ask(key, turn.token, &outcome.to_string()).await?;
            if is_ours {
                self.note_hint(&mut transaction, turn, is_answer(outcome)).await?;
            }
            if is_ours && *outcome == Outcome::NotFound {
                unknown.push(key);
            }
        }
        if unknown.is_empty() {
            return Ok(transaction.commit().await?);
        }
        let mut apply = Apply::load_keys(transaction, &unknown, self.clock.now()).await?;
        for key in &unknown {
            apply.judge_again(&self.source, *key, News::NotFound);
        }
        apply.write().await?;
        Ok(apply.commit().await?)
    }

    fn log(&self, turn: &Turn, outcome: &Outcome) {
        let source = self.source.name.as_str();
        let order = turn.due.order.main_id().map_or("", OrderId::as_str);
        let (lag, what) = (turn.due.asking.next_at, outcome.as_str());
        let late_ms = lag.map_or(0, |at| turn.began_at.since(at).as_millis());
        if outcome.is_information() || turn.is_strangers() {
            tracing::debug!(source, order, outcome = what, late_ms, "asked");
        } else {
            tracing::warn!(source, order, outcome = what, reason = %outcome, "asked in vain");
        }
    }
}

/// Whether the provider said what it knows, and that is where it belongs.
fn is_answer(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(_) | Outcome::NotFound => true,
        Outcome::Throttled { .. }
        | Outcome::Forbidden(_)
        | Outcome::Unreadable(_)
        | Outcome::Unreachable(_)
        | Outcome::Unqueued
        | Outcome::Unaskable(_) => false,
    }
}
