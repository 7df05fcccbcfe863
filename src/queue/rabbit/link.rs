//! A connection to the broker, with bounds on how long anything on it may take.

use std::time::Duration;

use lapin::options::{BasicQosOptions, ConfirmSelectOptions};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};

/// How long one step of the protocol may take, such as opening a channel.
pub(super) const STEP_MAX: Duration = Duration::from_secs(5);

/// Heartbeats, unless the URL says otherwise: a broker that is gone without a word is noticed in
/// about this many seconds.
const HEARTBEAT_SECS: u16 = 10;

/// Why the broker cannot be used now.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The URL is not one. Its text may hold a password, and is not repeated.
    #[error("the broker's URL cannot be read: {0}")]
    Url(String),
    /// A name that queues cannot begin with.
    #[error(
        "the prefix `{0}` cannot begin the names of queues: a-z, 0-9, `_`, `-` and `.`, 1 to 100 characters"
    )]
    Prefix(String),
    /// The broker does not answer.
    #[error("the broker took longer than {STEP_MAX:?} to {0}")]
    Slow(&'static str),
    /// The channel is closed, so that it was not acknowledged.
    #[error("cannot acknowledge: the channel is closed")]
    NotAcked,
    /// The broker ended a subscription: somebody deleted the queue, or its leader is gone.
    #[error("the broker gives nothing out any more")]
    Ended,
    /// The broker, or the way to it, says no.
    #[error("cannot {0}")]
    Amqp(&'static str, #[source] lapin::Error),
}

/// Where the broker is.
#[derive(Clone)]
pub(super) struct Address(AMQPUri);

// A URL may hold a password.
impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.0.authority.host, self.0.authority.port)
    }
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, LinkError> {
        let mut uri: AMQPUri = url.parse().map_err(LinkError::Url)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECS);
        Ok(Self(uri))
    }

    /// Connects. The name is shown by the broker's own tools.
    pub(super) async fn connect(&self, name: &'static str) -> Result<Connection, LinkError> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        step("connect to the broker", Connection::connect_uri(self.0.clone(), properties)).await
    }
}

/// One step of the protocol. It ends.
pub(super) async fn step<T>(
    what: &'static str,
    doing: impl Future<Output = lapin::Result<T>>,
) -> Result<T, LinkError> {
    match tokio::time::timeout(STEP_MAX, doing).await {
        Ok(result) => result.map_err(|error| LinkError::Amqp(what, error)),
        Err(_) => Err(LinkError::Slow(what)),
    }
}

/// A channel.
pub(super) async fn channel(connection: &Connection) -> Result<Channel, LinkError> {
    step("open a channel", connection.create_channel()).await
}

/// A channel on which publishes are confirmed.
pub(super) async fn confirming_channel(connection: &Connection) -> Result<Channel, LinkError> {
    let channel = channel(connection).await?;
    step("turn on confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok(channel)
}

/// A channel whose consumers are given this many messages ahead of what they have settled. Without a
/// bound the client would keep all that the broker has in memory.
pub(super) async fn consuming_channel(
    connection: &Connection,
    prefetch: u16,
) -> Result<Channel, LinkError> {
    let channel = channel(connection).await?;
    let options = BasicQosOptions::default();
    step("bound what is given out", channel.basic_qos(prefetch.max(1), options)).await?;
    Ok(channel)
}
