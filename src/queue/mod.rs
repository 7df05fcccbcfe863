//! Between those who hear and those who work: callbacks wait here, durable, until they are settled.
//!
//! A callback is given out with a lease and comes again unless it is settled. It may come more than
//! once; whoever works on it settles it only after what it changed is committed.

pub mod embedded;
pub mod message;
pub mod rabbit;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use message::Callback;

/// Where callbacks wait.
#[derive(Clone, Debug)]
pub enum Queue {
    /// In the store's own file.
    Embedded(embedded::Queue),
    /// On RabbitMQ.
    Rabbit(rabbit::Queue),
}

/// Takes callbacks out of a queue.
#[derive(Debug)]
pub enum Consumer {
    /// In the store's own file.
    Embedded(embedded::Consumer),
    /// On RabbitMQ.
    Rabbit(Box<rabbit::Consumer>),
}

/// A callback that was given out.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The callback.
    pub callback: Callback,
    /// How often it was given out, this time included.
    pub attempt: u32,
    /// Why it can only be buried, if so: the queue cannot read it.
    pub dead: Option<String>,
    /// The number of the message that it came in, where the queue has messages.
    message: u64,
}

/// What is to become of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It is done, and does not come again.
    Ack,
    /// It comes again after a while.
    Retry {
        /// After how long.
        after: Duration,
    },
}

/// Why a callback is not on the queue, as far as we know. Whoever sent it must send it again.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The queue cannot take it now.
    #[error("the queue cannot take it now: {0}")]
    Unavailable(String),
}

/// Why nothing can be taken out of the queue now.
#[derive(Debug, thiserror::Error)]
#[error("the queue cannot be read now")]
pub struct ConsumeError(#[source] pub anyhow::Error);

/// How many callbacks wait, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Depth {
    /// How many.
    pub waiting: u64,
    /// How long the oldest has waited, in seconds.
    pub oldest_age_secs: f64,
}

/// From its second repeat on, a callback is given out alone: what breaks whoever works on it breaks
/// nothing else.
pub const SUSPECT_ATTEMPTS: u32 = 2;

impl Queue {
    /// Puts a callback on the queue; returns when it is durable there.
    ///
    /// # Errors
    /// [`PublishError`]: it may or may not be there.
    pub async fn publish(&self, callback: Callback) -> Result<(), PublishError> {
        match self {
            Self::Embedded(queue) => queue.publish(callback).await,
            Self::Rabbit(queue) => queue.publish(callback).await,
        }
    }

    /// Starts to take callbacks out.
    #[must_use]
    pub fn consumer(&self) -> Consumer {
        match self {
            Self::Embedded(queue) => Consumer::Embedded(queue.consumer()),
            Self::Rabbit(queue) => Consumer::Rabbit(Box::new(queue.consumer())),
        }
    }

    /// Why the queue cannot be used now, if so.
    #[must_use]
    pub fn unready(&self) -> Option<&'static str> {
        match self {
            Self::Embedded(queue) => queue.unready(),
            Self::Rabbit(queue) => queue.unready(),
        }
    }

    /// How much waits.
    ///
    /// # Errors
    /// [`ConsumeError`].
    pub async fn depth(&self) -> Result<Depth, ConsumeError> {
        match self {
            Self::Embedded(queue) => queue.depth().await,
            Self::Rabbit(queue) => queue.depth().await,
        }
    }
}

impl Consumer {
    /// The next callbacks: waits for a first one, and then a moment for company. Empty only when
    /// asked to stop. One that was given out [`SUSPECT_ATTEMPTS`] times before comes alone, and so does
    /// one that can only be buried.
    ///
    /// # Errors
    /// [`ConsumeError`].
    pub async fn next(
        &mut self,
        max: usize,
        linger: Duration,
        stop: &CancellationToken,
    ) -> Result<Vec<Delivery>, ConsumeError> {
        match self {
            Self::Embedded(consumer) => consumer.next(max, linger, stop).await,
            Self::Rabbit(consumer) => consumer.next(max, linger, stop).await,
        }
    }

    /// Says what is to become of deliveries.
    ///
    /// # Errors
    /// [`ConsumeError`]; then they come again.
    pub async fn settle(&mut self, settled: &[(Delivery, Settle)]) -> Result<(), ConsumeError> {
        match self {
            Self::Embedded(consumer) => consumer.settle(settled).await,
            Self::Rabbit(consumer) => consumer.settle(settled).await,
        }
    }
}
