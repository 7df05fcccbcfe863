//! Takes callbacks out of the broker.
//!
//! Invariants
//! - A message is acknowledged only when each of its callbacks is settled: by whoever works on them, or
//!   by being published again, confirmed.
//! - Its connection is another one than the publisher's: acknowledging goes on while publishing is
//!   blocked.
//! - A callback that was in the hands of two processes that ended is moved, alone, to the queue of the
//!   suspects. That queue is not subscribed: one message is fetched when it is given out. A process
//!   that ends counts against all that it holds, so on the way there the broker's count says little;
//!   there it counts that one callback's own attempts, and its neighbours are not condemned with it.

use std::collections::VecDeque;
use std::time::Duration;

use lapin::message::Delivery as Message;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::held::Held;
use super::link::LinkError;
use super::read::{Contents, raw, read};
use super::session::Session;
use super::topology::Route;
use super::{Publisher, Shared};
use crate::queue::message::Callback;
use crate::queue::{ConsumeError, Delivery, SUSPECT_ATTEMPTS, Settle};

/// How many bytes of bodies a batch may hold. One callback may be larger.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// How often the queues that are not subscribed are looked into.
const LOOK: Duration = Duration::from_millis(250);

/// Takes callbacks out of the broker.
#[derive(Debug)]
pub struct Consumer {
    shared: Shared,
    session: Option<Session>,
    is_down: bool,
    held: Held,
    /// Unpacked, to be given out together.
    ready: VecDeque<Delivery>,
    /// Unpacked, to be given out each alone.
    alone: VecDeque<Delivery>,
    /// To be published before they count as settled.
    owed: Vec<Owed>,
    /// Suspects and others take turns, so that neither starves the other.
    is_suspects_turn: bool,
    look_at: Instant,
}

/// A callback of a message in hand that is published again.
#[derive(Debug)]
struct Owed {
    message: u64,
    callback: Callback,
    route: Route,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.set_down(false);
    }
}

impl Consumer {
    pub(super) fn new(shared: Shared) -> Self {
        Self {
            held: Held::new(shared.state.clone()),
            shared,
            session: None,
            is_down: false,
            ready: VecDeque::new(),
            alone: VecDeque::new(),
            owed: Vec::new(),
            is_suspects_turn: false,
            look_at: Instant::now(),
        }
    }

    pub(in crate::queue) async fn next(
        &mut self,
        max: usize,
        linger: Duration,
        stop: &CancellationToken,
    ) -> Result<Vec<Delivery>, ConsumeError> {
        let max = max.max(1);
        while !stop.is_cancelled() {
            if self.session.is_none() {
                let opening = Session::open(&self.shared.address, &self.shared.names, max);
                let opened = tokio::select! {
                    opened = opening => opened,
                    () = stop.cancelled() => break,
                };
                match opened {
                    Ok(session) => self.session = Some(session),
                    Err(error) => {
                        self.set_down(true);
                        return Err(unreadable(error));
                    }
                }
                self.set_down(false);
            }
            match self.step(max, linger, stop).await {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => return Ok(batch),
                Err(error) => {
                    tracing::warn!(error = %unreadable(error).0, "subscribing again");
                    self.end_session();
                    // Not in a circle at full speed where something deletes it again and again.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        Ok(Vec::new())
    }

    /// One look at all there is. Empty if nothing was to be had for a moment.
    async fn step(
        &mut self,
        max: usize,
        linger: Duration,
        stop: &CancellationToken,
    ) -> Result<Vec<Delivery>, LinkError> {
        self.pay().await?;
        self.is_suspects_turn = !self.is_suspects_turn;
        if self.is_suspects_turn && self.look_at <= Instant::now() {
            self.look().await?;
        }
        if let Some(delivery) = self.alone.pop_front() {
            return Ok(vec![delivery]);
        }
        // Not for long if there is more to look for.
        let until =
            if self.look_at <= Instant::now() { self.look_at } else { Instant::now() + LOOK };
        self.receive(1, until, stop).await?;
        if self.ready.is_empty() && self.alone.is_empty() {
            self.renew_if_quiet().await?;
        } else {
            self.receive(max, Instant::now() + linger, stop).await?;
        }
        let mut bytes = 0;
        let mut batch = Vec::new();
        while let Some(delivery) = self.ready.pop_front_if(|delivery| {
            bytes += delivery.callback.body.len();
            batch.len() < max && (batch.is_empty() || bytes <= BATCH_BYTES_MAX)
        }) {
            batch.push(delivery);
        }
        Ok(batch)
    }

    /// Receives until so many callbacks are ready, or until then. Returns early for what goes alone.
    async fn receive(
        &mut self,
        count: usize,
        until: Instant,
        stop: &CancellationToken,
    ) -> Result<(), LinkError> {
        while self.ready.len() < count && self.alone.is_empty() {
            let Some(session) = &mut self.session else { return Err(LinkError::Ended) };
            let message = tokio::select! {
                biased;
                message = session.receive() => message,
                () = tokio::time::sleep_until(until) => return Ok(()),
                () = stop.cancelled() => return Ok(()),
            };
            match message {
                Ok(Some(message)) => self.take(message),
                Err(error) => return Err(LinkError::Amqp("receive", error)),
                // Also while the channel is open: the queue was deleted.
                Ok(None) => return Err(LinkError::Ended),
            }
        }
        Ok(())
    }

    /// After a quiet time, subscribes anew; unless something waits to be published: what is given out
    /// again too often would be taken for dead.
    async fn renew_if_quiet(&mut self) -> Result<(), LinkError> {
        if !self.owed.is_empty() || !self.session.as_ref().is_some_and(Session::is_quiet) {
            return Ok(());
        }
        let Some(mut session) = self.session.take() else { return Ok(()) };
        let left = session.end_subscription().await?;
        if left.is_empty() {
            // Whoever asks for more without settling what it has is given that again, too.
            self.held.clear();
            self.session = Some(session.renew(&self.shared.names).await?);
        } else {
            session.subscribe(&self.shared.names).await?;
            self.session = Some(session);
            left.into_iter().for_each(|message| self.take(message));
        }
        Ok(())
    }

    /// Takes a message of the subscription in hand.
    fn take(&mut self, message: Message) {
        let Contents { callbacks, given_out, .. } = match read(&message) {
            Ok(contents) => contents,
            Err(reason) => return self.take_raw(message, true, reason),
        };
        let received_at = callbacks.iter().map(|item| item.header.received_at.micros()).min();
        let (count, received_at) = (callbacks.len(), received_at.unwrap_or(0));
        let number = self.held.add(message.acker, true, count, received_at);
        for mut callback in callbacks {
            let before = callback.header.attempt.saturating_add(given_out);
            if before < SUSPECT_ATTEMPTS {
                self.ready.push_back(delivery(callback, before + 1, number));
                continue;
            }
            // What the broker counted beyond that was counted against all that were held together.
            callback.header.attempt += given_out.min(SUSPECT_ATTEMPTS);
            self.owed.push(Owed { message: number, callback, route: Route::Suspects });
        }
    }

    /// A message that is not one of ours: a dead letter, with its bytes.
    fn take_raw(&mut self, message: Message, is_subscribed: bool, reason: String) {
        let now = self.shared.clock.now();
        let callback = raw(&message, now);
        let number = self.held.add(message.acker, is_subscribed, 1, now.micros());
        let dead = Some(reason);
        self.alone.push_back(Delivery { callback, attempt: 1, dead, message: number });
    }

    /// Fetches one message of those that are given out alone.
    async fn look(&mut self) -> Result<(), LinkError> {
        for route in [Route::Suspects, Route::Dead] {
            let Some(session) = &self.session else { return Err(LinkError::Ended) };
            let Some(message) = session.fetch(&self.shared.names, route).await? else { continue };
            self.take_fetched(message, route);
            return Ok(());
        }
        self.look_at = Instant::now() + LOOK;
        Ok(())
    }

    fn take_fetched(&mut self, message: Message, route: Route) {
        let Contents { callbacks, given_out, died_of } = match read(&message) {
            Ok(contents) => contents,
            Err(reason) => return self.take_raw(message, false, reason),
        };
        let is_alone = callbacks.len() == 1;
        let received_at = callbacks.first().map_or(0, |item| item.header.received_at.micros());
        let number = self.held.add(message.acker, false, callbacks.len(), received_at);
        for callback in callbacks {
            let attempt = callback.header.attempt.saturating_add(given_out).saturating_add(1);
            if route == Route::Dead {
                // The broker does not know why processes ended. Whoever works on it counts for itself.
                let reason = died_of.as_deref().unwrap_or("the broker gave it up");
                tracing::warn!(reason, callback = %callback.header.id, "a callback is tried alone");
                let attempt = attempt.max(SUSPECT_ATTEMPTS + 1);
                self.alone.push_back(delivery(callback, attempt, number));
            } else if is_alone {
                self.alone.push_back(delivery(callback, attempt, number));
            } else {
                // Nobody puts a group there; one that is there all the same is taken apart.
                self.owed.push(Owed { message: number, callback, route });
            }
        }
    }

    /// Publishes what is owed. What cannot be published now stays owed.
    async fn pay(&mut self) -> Result<(), LinkError> {
        if self.owed.is_empty() {
            return Ok(());
        }
        let owed = std::mem::take(&mut self.owed);
        let publisher: &Publisher = &self.shared.publisher;
        let paying = owed.iter().map(|owed| publisher.publish(owed.route, owed.callback.clone()));
        let paid = futures_util::future::join_all(paying).await;
        for (owed, paid) in owed.into_iter().zip(paid) {
            if let Err(error) = paid {
                tracing::warn!(error = %error, "a callback cannot be moved now");
                self.owed.push(owed);
            } else {
                self.held.settle(owed.message);
            }
        }
        self.look_at = Instant::now();
        self.held.acknowledge().await
    }

    pub(in crate::queue) async fn settle(
        &mut self,
        settled: &[(Delivery, Settle)],
    ) -> Result<(), ConsumeError> {
        let mut unknown = 0_usize;
        for (delivery, settle) in settled {
            let is_known = match settle {
                Settle::Ack => self.held.settle(delivery.message),
                Settle::Retry { after } => {
                    let mut callback = delivery.callback.clone();
                    callback.header.attempt = delivery.attempt;
                    let route = Route::after(*after);
                    self.owed.push(Owed { message: delivery.message, callback, route });
                    self.held.has(delivery.message)
                }
            };
            unknown += usize::from(!is_known);
        }
        let Self { owed, held, .. } = self;
        owed.retain(|owed| held.has(owed.message));
        let done = match self.held.acknowledge().await {
            Ok(()) => self.pay().await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            self.end_session();
            return Err(unreadable(error));
        }
        if unknown > 0 {
            let why = "they were given out over a connection that is gone";
            return Err(ConsumeError(anyhow::anyhow!("{unknown} callbacks come again: {why}")));
        }
        Ok(())
    }

    /// What was given out and is not acknowledged comes again.
    fn end_session(&mut self) {
        self.session = None;
        self.held.clear();
        self.ready.clear();
        self.alone.clear();
        self.owed.clear();
    }

    fn set_down(&mut self, is_down: bool) {
        if self.is_down != is_down {
            self.is_down = is_down;
            self.shared.state.count_consumer_down(is_down);
        }
    }
}

fn delivery(callback: Callback, attempt: u32, message: u64) -> Delivery {
    Delivery { callback, attempt, dead: None, message }
}

fn unreadable(error: LinkError) -> ConsumeError {
    ConsumeError(error.into())
}
