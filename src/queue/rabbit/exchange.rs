//! Publishes to a topic exchange whose queues are somebody else's. One task owns the channel; callers hand it
//! messages and wait for the broker's word.
//!
//! The invariants are those of `publisher`: `Ok` only when the broker has confirmed the message and not
//! returned it, and what is not known is an error.

use std::collections::VecDeque;
use std::time::Instant;

use lapin::options::{BasicPublishOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::confirms::{Confirmed, InFlight, poll_confirms};
use super::link::{Address, LinkError, channel, confirming_channel, step};
use super::publisher::{CONFIRM_MAX, End, LOOK, Refusable, describe, refuse_until};
use crate::pause::Pauses;
use crate::queue::PublishError;

/// How many messages may be under way.
const IN_FLIGHT_MAX: usize = 256;

/// A message to a topic.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its identity, which the broker hands on.
    pub id: Uuid,
    /// The routing key.
    pub topic: String,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

#[derive(Debug)]
struct Request {
    message: Message,
    reply: oneshot::Sender<Result<(), PublishError>>,
}

impl Refusable for Request {
    fn refuse(self, why: &str) {
        // A caller that no longer waits has given it up.
        self.reply.send(Err(PublishError::Unavailable(why.to_owned()))).ok();
    }
}

/// An exchange that is published to. Its task ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Exchange(mpsc::Sender<Request>);

impl Exchange {
    /// Begins to connect, and stays connected by itself; messages are refused while it is not.
    ///
    /// # Errors
    /// The URL is none.
    pub fn start(url: &str, name: &str) -> Result<Self, LinkError> {
        let (sender, requests) = mpsc::channel(IN_FLIGHT_MAX);
        let task = Task {
            address: Address::parse(url)?,
            name: name.to_owned(),
            requests,
            waiting: VecDeque::new(),
        };
        tokio::spawn(task.run());
        Ok(Self(sender))
    }

    /// Publishes one message; returns when the broker has it.
    ///
    /// # Errors
    /// [`PublishError`]: it may have arrived all the same.
    pub async fn publish(&self, message: Message) -> Result<(), PublishError> {
        let unavailable = |why: &str| PublishError::Unavailable(why.to_owned());
        let (reply, answer) = oneshot::channel();
        let publishing = async {
            let request = Request { message, reply };
            self.0.send(request).await.map_err(|_| unavailable("the exchange is closed"))?;
            answer.await.map_err(|_| unavailable("the exchange is closed"))?
        };
        let late = || unavailable("the broker does not confirm");
        tokio::time::timeout(2 * CONFIRM_MAX, publishing).await.map_err(|_| late())?
    }
}

struct Link {
    connection: Connection,
    channel: Channel,
}

impl Link {
    async fn open(address: &Address, name: &str) -> Result<Self, LinkError> {
        let connection = address.connect("pawl relay").await?;
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let declaring = channel(&connection).await?;
        let exchange = declaring.exchange_declare(
            name.into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        );
        step("declare the exchange", exchange).await?;
        let channel = confirming_channel(&connection).await?;
        Ok(Self { connection, channel })
    }

    fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    fn is_up(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }
}

struct Task {
    address: Address,
    name: String,
    requests: mpsc::Receiver<Request>,
    waiting: VecDeque<Request>,
}

impl Task {
    async fn run(mut self) {
        let why = "the broker is not connected";
        loop {
            let connecting = connect(&self.address, &self.name);
            let Some(mut link) = refuse_until(&mut self.requests, why, connecting).await else {
                return;
            };
            let mut in_flight = Vec::new();
            let end = self.serve(&mut link, &mut in_flight).await;
            let why = match &end {
                End::Closed => return,
                End::Blocked => "the broker takes nothing now: it is short of memory or disk",
                End::Lost(_) => "the connection to the broker is lost",
            };
            in_flight.into_iter().for_each(|sent| sent.answer(Err(why)));
            self.waiting.drain(..).for_each(|request| request.refuse(why));
            match end {
                End::Closed => return,
                End::Blocked => {
                    tracing::error!(exchange = self.name, "the broker blocks publishing");
                    // Not closed meanwhile: a new connection would only be blocked again.
                    let blocked = async {
                        while link.is_blocked() && link.is_up() {
                            tokio::time::sleep(LOOK).await;
                        }
                    };
                    if refuse_until(&mut self.requests, why, blocked).await.is_none() {
                        return;
                    }
                }
                End::Lost(reason) => {
                    tracing::error!(reason, exchange = self.name, "the connection is lost");
                }
            }
        }
    }

    async fn serve(&mut self, link: &mut Link, in_flight: &mut Vec<InFlight>) -> End {
        let mut tick = tokio::time::interval(LOOK);
        let mut arrived = Vec::new();
        let mut is_closed = false;
        loop {
            while in_flight.len() < IN_FLIGHT_MAX
                && let Some(request) = self.waiting.pop_front()
            {
                match self.send(link, request).await {
                    Ok(sent) => in_flight.push(sent),
                    Err(end) => return end,
                }
            }
            if is_closed && in_flight.is_empty() {
                return End::Closed;
            }
            let has_room = !is_closed && self.waiting.is_empty() && in_flight.len() < IN_FLIGHT_MAX;
            tokio::select! {
                confirmed = std::future::poll_fn(|context| poll_confirms(in_flight, context)) => {
                    let Confirmed { is_lost, .. } = confirmed;
                    if is_lost {
                        return End::Lost("a confirm is lost".to_owned());
                    }
                }
                count = self.requests.recv_many(&mut arrived, IN_FLIGHT_MAX), if has_room => {
                    is_closed = count == 0;
                    self.waiting.extend(arrived.drain(..));
                }
                _ = tick.tick() => {
                    if link.is_blocked() {
                        return End::Blocked;
                    }
                    if !link.is_up() {
                        return End::Lost("the broker closed it".to_owned());
                    }
                    if in_flight.iter().any(|sent| sent.sent.elapsed() > CONFIRM_MAX) {
                        return End::Lost(format!("no confirm within {CONFIRM_MAX:?}"));
                    }
                }
            }
        }
    }

    async fn send(&self, link: &Link, request: Request) -> Result<InFlight, End> {
        let Request { message, reply } = request;
        let properties = BasicProperties::default()
            .with_content_type(message.content_type.into())
            .with_delivery_mode(2)
            .with_message_id(message.id.to_string().into());
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let (exchange, topic) = (self.name.as_str().into(), message.topic.as_str().into());
        let body = message.body.as_bytes();
        let publish = link.channel.basic_publish(exchange, topic, options, body, properties);
        // A broker that is short of memory stops reading: writing then waits.
        let blocked = async {
            while !link.is_blocked() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let published = tokio::select! {
            biased;
            published = step("publish", publish) => {
                published.map_err(|error| End::Lost(describe(error)))
            }
            () = blocked => Err(End::Blocked),
        };
        match published {
            Ok(confirm) => {
                let (id, replies) = (message.id, vec![reply]);
                Ok(InFlight { id, replies, confirm, sent: Instant::now() })
            }
            Err(end) => {
                Request { message, reply }.refuse("the broker does not take it");
                Err(end)
            }
        }
    }
}

/// Connects, for as long as it takes.
async fn connect(address: &Address, name: &str) -> Link {
    let mut pauses = Pauses::reconnect();
    loop {
        match Link::open(address, name).await {
            Ok(link) => return link,
            Err(error) => {
                tracing::warn!(error = describe(error), exchange = name, "cannot connect");
            }
        }
        tokio::time::sleep(pauses.pause()).await;
    }
}
