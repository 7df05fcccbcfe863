//! A queue of one's own at a topic exchange, as an integrator has one: for a demonstration.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer, ExchangeKind};

use super::link::{Address, LinkError, consuming_channel, step};

/// How many messages are given out ahead.
const PREFETCH: u16 = 64;

/// A queue that is bound to a topic exchange, and whoever takes from it.
#[derive(Debug)]
pub struct Tap {
    connection: Connection,
    channel: Channel,
    consumer: Consumer,
    exchange: String,
    queue: String,
}

impl Tap {
    /// Declares the exchange and the queue, and begins to take.
    ///
    /// # Errors
    /// The broker cannot be reached, or does not let us.
    pub async fn open(
        url: &str,
        exchange: &str,
        queue: &str,
        topic: &str,
    ) -> Result<Self, LinkError> {
        let connection = Address::parse(url)?.connect("pawl demo").await?;
        let channel = consuming_channel(&connection, PREFETCH).await?;
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let none = FieldTable::default;
        let declaring =
            channel.exchange_declare(exchange.into(), ExchangeKind::Topic, durable, none());
        step("declare an exchange", declaring).await?;
        let declaring = channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), none());
        step("declare a queue", declaring).await?;
        let options = QueueBindOptions::default();
        let binding =
            channel.queue_bind(queue.into(), exchange.into(), topic.into(), options, none());
        step("bind a queue", binding).await?;
        let options = BasicConsumeOptions::default();
        let consuming = channel.basic_consume(queue.into(), "".into(), options, none());
        let consumer = step("consume", consuming).await?;
        let (exchange, queue) = (exchange.to_owned(), queue.to_owned());
        Ok(Self { connection, channel, consumer, exchange, queue })
    }

    /// The next message's body, and what it is settled by; nothing once the broker gives none any more.
    pub async fn next(&mut self) -> Option<(Vec<u8>, Taken)> {
        let delivery = self.consumer.next().await?.ok()?;
        Some((delivery.data.clone(), Taken(delivery)))
    }

    /// Removes the queue and the exchange, with what is in them.
    ///
    /// # Errors
    /// The broker cannot be reached any more.
    pub async fn remove(self) -> Result<(), LinkError> {
        let deleting = self.channel.queue_delete(self.queue.into(), QueueDeleteOptions::default());
        step("delete a queue", deleting).await?;
        let options = ExchangeDeleteOptions::default();
        let deleting = self.channel.exchange_delete(self.exchange.into(), options);
        step("delete an exchange", deleting).await?;
        step("close the connection", self.connection.close(200, "OK".into())).await
    }
}

/// A message that is not settled yet.
#[derive(Debug)]
pub struct Taken(Delivery);

impl Taken {
    /// It is booked, or it comes again.
    ///
    /// # Errors
    /// The broker cannot be reached: it comes again.
    pub async fn settle(self, is_booked: bool) -> Result<(), LinkError> {
        let settled = if is_booked {
            step("acknowledge", self.0.ack(BasicAckOptions::default())).await?
        } else {
            let options = BasicNackOptions { requeue: true, ..Default::default() };
            step("give back", self.0.nack(options)).await?
        };
        if settled { Ok(()) } else { Err(LinkError::NotAcked) }
    }
}
