//! The queue on RabbitMQ: quorum queues, and confirms for all that is published.
//!
//! Any number of processes may publish and consume. Publishing and consuming have connections of their
//! own, and both are made again by themselves.

mod confirms;
mod consumer;
mod exchange;
mod held;
mod link;
mod publisher;
mod read;
mod session;
mod state;
mod tap;
mod topology;

use std::sync::Arc;

use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Connection, ErrorKind};
use tokio::sync::Mutex;

pub use consumer::Consumer;
pub use exchange::{Exchange, Message};
pub use link::LinkError;
pub use tap::{Taken, Tap};

use super::message::Callback;
use super::{ConsumeError, Depth, PublishError};
use crate::clock::Clock;
use link::{Address, channel, step};
use publisher::{Link, Publisher};
use state::State;
use topology::{Names, Route};

/// A queue on RabbitMQ.
#[derive(Clone, Debug)]
pub struct Queue {
    shared: Shared,
    /// A connection to look with, made when somebody first asks.
    looking: Arc<Mutex<Option<Connection>>>,
}

/// What the parts of a queue have in common.
#[derive(Clone, Debug)]
struct Shared {
    address: Address,
    names: Names,
    clock: Clock,
    state: State,
    publisher: Publisher,
}

impl Queue {
    /// Connects to the broker and declares what is missing there. The prefix is the exchange's name,
    /// and what the queues' names begin with. It stays connected by itself from then on.
    ///
    /// # Errors
    /// The broker cannot be reached, or has queues of these names that are not ours.
    pub async fn open(url: &str, prefix: &str, clock: Clock) -> Result<Self, LinkError> {
        let (address, names) = (Address::parse(url)?, Names::new(prefix)?);
        let state = State::default();
        let link = Link::open(&address, &names).await?;
        let publisher = Publisher::start(address.clone(), names.clone(), state.clone(), link);
        let shared = Shared { address, names, clock, state, publisher };
        Ok(Self { shared, looking: Arc::default() })
    }

    pub(super) async fn publish(&self, callback: Callback) -> Result<(), PublishError> {
        self.shared.publisher.publish(Route::Callbacks, callback).await
    }

    pub(super) fn consumer(&self) -> Consumer {
        Consumer::new(self.shared.clone())
    }

    pub(super) fn unready(&self) -> Option<&'static str> {
        let is_closed = self.shared.publisher.is_closed();
        self.shared.state.unready().or(is_closed.then_some("the queue is closed"))
    }

    /// As well as it can be seen over AMQP: messages that nobody has, of which each holds one callback
    /// or a group, and the callbacks that this process has in hand. Those in the hands of other
    /// processes, and in delay queues that this one never used, are not seen; nor is the age of what
    /// nobody has in hand. Who reads in order has the oldest in hand.
    pub(super) async fn depth(&self) -> Result<Depth, ConsumeError> {
        let state = &self.shared.state;
        let mut waiting = state.in_hand();
        let mut routes = state.delay_queues();
        routes.extend([Route::Callbacks, Route::Suspects, Route::Dead]);
        for route in routes {
            let count = self.count(route).await.map_err(|error| ConsumeError(error.into()))?;
            waiting += u64::from(count);
        }
        let age_micros = state.oldest().map_or(0, |oldest| {
            self.shared.clock.now().micros().saturating_sub(oldest).max(0).unsigned_abs()
        });
        let oldest_age_secs = std::time::Duration::from_micros(age_micros).as_secs_f64();
        Ok(Depth { waiting, oldest_age_secs })
    }

    async fn count(&self, route: Route) -> Result<u32, LinkError> {
        let mut looking = self.looking.lock().await;
        let connection = match looking.take().filter(|known| known.status().connected()) {
            Some(connection) => connection,
            None => self.shared.address.connect("pawl depth").await?,
        };
        let count = count(&connection, self.shared.names.queue(route)).await?;
        *looking = Some(connection);
        // Deleted by somebody: nothing waits there.
        Ok(count.unwrap_or(0))
    }
}

/// Removes the exchange and the queues of a prefix, with what is in them: for one that nobody uses any
/// more, such as a demonstration's.
///
/// # Errors
/// The broker cannot be reached, or does not let us.
pub async fn remove(url: &str, prefix: &str) -> Result<(), LinkError> {
    let (address, names) = (Address::parse(url)?, Names::new(prefix)?);
    let connection = address.connect("pawl remove").await?;
    let channel = channel(&connection).await?;
    for route in Route::all() {
        // One that is not there is deleted all the same.
        let deleting =
            channel.queue_delete(names.queue(route).into(), QueueDeleteOptions::default());
        step("delete a queue", deleting).await?;
    }
    let deleting = channel.exchange_delete(prefix.into(), ExchangeDeleteOptions::default());
    step("delete the exchange", deleting).await?;
    step("close the connection", connection.close(200, "OK".into())).await
}

/// Looks at a broker and changes nothing there: how many messages wait for work; none where there is
/// no queue yet.
///
/// # Errors
/// The broker cannot be reached, or does not let us in.
pub async fn look(url: &str, prefix: &str) -> Result<Option<u32>, LinkError> {
    let (address, names) = (Address::parse(url)?, Names::new(prefix)?);
    let connection = address.connect("pawl check").await?;
    let count = count(&connection, names.queue(Route::Callbacks)).await?;
    step("close the connection", connection.close(200, "OK".into())).await?;
    Ok(count)
}

/// Whether a text is a broker's URL.
///
/// # Errors
/// It is none. It is not repeated: it may hold a password.
pub fn check_url(url: &str) -> Result<(), LinkError> {
    Address::parse(url).map(|_| ())
}

/// Looks whether a broker lets us in, and changes nothing there.
///
/// # Errors
/// It cannot be reached, or does not let us in.
pub async fn reach(url: &str) -> Result<(), LinkError> {
    let connection = Address::parse(url)?.connect("pawl check").await?;
    step("close the connection", connection.close(200, "OK".into())).await
}

/// How many messages wait in a queue; none where there is no such queue.
async fn count(connection: &Connection, queue: String) -> Result<Option<u32>, LinkError> {
    // A channel of its own: one that asks for a queue that is not there is closed.
    let channel = channel(connection).await?;
    let options = QueueDeclareOptions::durable().passive();
    let asking = channel.queue_declare(queue.into(), options, FieldTable::default());
    match step("count what waits", asking).await {
        Ok(queue) => {
            step("close a channel", channel.close(200, "OK".into())).await?;
            Ok(Some(queue.message_count()))
        }
        Err(LinkError::Amqp(_, error)) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_not_found(error: &lapin::Error) -> bool {
    let not_found = AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND);
    matches!(error.kind(), ErrorKind::ProtocolError(error) if *error.kind() == not_found)
}
