//! A connection for consuming, and what is open on it.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery as Message;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use tokio::time::Instant;

use super::link::{Address, LinkError, channel, consuming_channel, step};
use super::topology::{Names, Route};

/// How many messages are given out ahead: twice the batch, within these bounds. Each holds one callback,
/// or under load a group; with less than a batch's worth every batch would wait out its linger.
const PREFETCH: (usize, usize) = (64, 1000);

/// How long nothing may come before we subscribe anew. A broker does not always tell that the queue was
/// deleted: where it is declared again at once, it has no subscribers, and nobody knows.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// A connection for consuming.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    prefetch: u16,
    /// For the subscription alone.
    channel: Channel,
    subscription: lapin::Consumer,
    /// For what is fetched one by one.
    side: Channel,
    /// When something came last, or we subscribed.
    heard_at: Instant,
}

impl Session {
    /// Connects and subscribes, for batches of at most so many.
    pub(super) async fn open(
        address: &Address,
        names: &Names,
        max: usize,
    ) -> Result<Self, LinkError> {
        let connection = address.connect("pawl consumer").await?;
        let prefetch = max.saturating_mul(2).clamp(PREFETCH.0, PREFETCH.1);
        Self::on(connection, names, u16::try_from(prefetch).unwrap_or(u16::MAX)).await
    }

    async fn on(connection: Connection, names: &Names, prefetch: u16) -> Result<Self, LinkError> {
        let side = channel(&connection).await?;
        names.declare(&side).await?;
        let channel = consuming_channel(&connection, prefetch).await?;
        let subscription = subscribe(&channel, names).await?;
        let heard_at = Instant::now();
        Ok(Self { connection, prefetch, channel, subscription, side, heard_at })
    }

    /// The next message; none when the broker ended the subscription. May be cancelled.
    pub(super) async fn receive(&mut self) -> lapin::Result<Option<Message>> {
        let received = self.subscription.next().await.transpose();
        self.heard_at = Instant::now();
        received
    }

    /// One message of a queue that is not subscribed, if there is one.
    pub(super) async fn fetch(
        &self,
        names: &Names,
        route: Route,
    ) -> Result<Option<Message>, LinkError> {
        let queue = names.queue(route).into();
        let fetching = self.side.basic_get(queue, BasicGetOptions::default());
        Ok(step("fetch", fetching).await?.map(|fetched| fetched.delivery))
    }

    /// Whether nothing has come for so long that it should be asked why.
    pub(super) fn is_quiet(&self) -> bool {
        self.heard_at.elapsed() > QUIET_MAX
    }

    /// Ends the subscription; what came over it before its end.
    pub(super) async fn end_subscription(&mut self) -> Result<Vec<Message>, LinkError> {
        let (tag, options) = (self.subscription.tag(), BasicCancelOptions::default());
        step("end a subscription", self.channel.basic_cancel(tag, options)).await?;
        let mut left = Vec::new();
        while let Some(message) = step("end a subscription", self.receive()).await? {
            left.push(message);
        }
        Ok(left)
    }

    /// Subscribes again on the same channel.
    pub(super) async fn subscribe(&mut self, names: &Names) -> Result<(), LinkError> {
        self.subscription = subscribe(&self.channel, names).await?;
        Ok(())
    }

    /// The same connection with new channels: the broker's side of a channel may still think of a queue
    /// that was deleted.
    pub(super) async fn renew(self, names: &Names) -> Result<Self, LinkError> {
        Self::on(self.connection, names, self.prefetch).await
    }
}

async fn subscribe(channel: &Channel, names: &Names) -> Result<lapin::Consumer, LinkError> {
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let queue = names.queue(Route::Callbacks).into();
    let consuming = channel.basic_consume(queue, "".into(), options, arguments);
    step("subscribe", consuming).await
}
