//! The messages in hand: which of them are done with, and may be acknowledged.
//!
//! A message is acknowledged when all its callbacks are settled. The numbers by which deliveries find
//! their message are our own and are never used twice, so one that belongs to a connection that is
//! gone finds nothing.

use std::collections::BTreeMap;

use lapin::Acker;
use lapin::options::BasicAckOptions;

use super::link::{LinkError, step};
use super::state::State;

/// A message in hand.
#[derive(Debug)]
struct Message {
    acker: Acker,
    /// Whether it came from the one subscription of its channel. Those are here in the order in which
    /// they were given out and without gaps, so that one acknowledgement may cover several.
    is_subscribed: bool,
    /// How many of its callbacks are not settled.
    left: i64,
    /// When the first of them was received, in microseconds.
    received_at: i64,
}

/// The messages in hand, by number.
#[derive(Debug)]
pub(super) struct Held {
    messages: BTreeMap<u64, Message>,
    next: u64,
    state: State,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Held {
    pub(super) fn new(state: State) -> Self {
        Self { messages: BTreeMap::new(), next: 1, state }
    }

    /// Takes a message in hand; its number.
    pub(super) fn add(
        &mut self,
        acker: Acker,
        is_subscribed: bool,
        callbacks: usize,
        received_at: i64,
    ) -> u64 {
        let number = self.next;
        self.next += 1;
        let left = i64::try_from(callbacks).unwrap_or(i64::MAX);
        self.messages.insert(number, Message { acker, is_subscribed, left, received_at });
        self.state.add_in_hand(left);
        number
    }

    /// Whether a message is in hand.
    pub(super) fn has(&self, number: u64) -> bool {
        self.messages.contains_key(&number)
    }

    /// One callback of a message is settled. False if the message is not in hand any more.
    pub(super) fn settle(&mut self, number: u64) -> bool {
        let Some(message) = self.messages.get_mut(&number).filter(|message| message.left > 0)
        else {
            return false;
        };
        message.left -= 1;
        self.state.add_in_hand(-1);
        true
    }

    /// Acknowledges what is done with.
    ///
    /// # Errors
    /// The connection is of no use any more: what is in hand comes again.
    pub(super) async fn acknowledge(&mut self) -> Result<(), LinkError> {
        // `multiple` covers all that was given out before, whatever became of it: so only those up to
        // the first that is not done with.
        let subscribed = || self.messages.iter().filter(|(_, message)| message.is_subscribed);
        let prefix: Vec<u64> = subscribed()
            .take_while(|(_, message)| message.left == 0)
            .map(|(number, _)| *number)
            .collect();
        if let Some(last) = prefix.last().and_then(|number| self.messages.get(number)) {
            acknowledge(&last.acker, prefix.len() > 1).await?;
        }
        for number in prefix {
            self.messages.remove(&number);
        }
        let done = self.messages.iter().filter(|(_, message)| message.left == 0);
        let done: Vec<u64> = done.map(|(number, _)| *number).collect();
        for number in done {
            if let Some(message) = self.messages.remove(&number) {
                acknowledge(&message.acker, false).await?;
            }
        }
        let oldest = self.messages.values().next();
        self.state.set_oldest(oldest.map_or(0, |message| message.received_at));
        Ok(())
    }

    /// The connection is gone, and with it all that came over it.
    pub(super) fn clear(&mut self) {
        let left = self.messages.values().map(|message| message.left).sum::<i64>();
        self.state.add_in_hand(-left);
        self.state.set_oldest(0);
        self.messages.clear();
    }
}

async fn acknowledge(acker: &Acker, multiple: bool) -> Result<(), LinkError> {
    let options = BasicAckOptions { multiple };
    // Without an error, but without effect, where the channel is closed.
    if step("acknowledge", acker.ack(options)).await? { Ok(()) } else { Err(LinkError::NotAcked) }
}
