//! Publishes. One task owns the channel; callers hand it callbacks and wait for its word.
//!
//! Invariants
//! - `Ok` only when the broker has confirmed the message, and has not returned it as unroutable.
//! - A return is matched by message id: the client library hands it to whichever confirm is next.
//! - What is not known is an error. It may arrive all the same.
//! - While there is no connection, or the broker takes nothing, callers are refused at once.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Connection};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::confirms::{Confirmed, InFlight, poll_confirms};
use super::link::{Address, LinkError, channel, confirming_channel, step};
use super::state::State;
use super::topology::{Names, Route};
use crate::pause::Pauses;
use crate::queue::PublishError;
use crate::queue::message::{CONTENT_TYPE, Callback, pack};

/// How many messages may be under way.
const IN_FLIGHT_MAX: usize = 64;

/// How many callbacks one message may hold, and of how many bytes. A larger one goes alone.
const GROUP_MAX: usize = 64;
const GROUP_BYTES_MAX: usize = 256 * 1024;

/// How many callbacks may wait for a place in a message.
const WAITING_MAX: usize = 1024;

/// How long a confirm may take. Then the connection is taken for broken.
pub(super) const CONFIRM_MAX: Duration = Duration::from_secs(5);

/// How often the connection is looked at while nothing happens.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Something to publish, and who waits for it.
#[derive(Debug)]
struct Request {
    route: Route,
    callback: Callback,
    reply: oneshot::Sender<Result<(), PublishError>>,
}

/// Something to publish, whose caller can be told that it is not.
pub(super) trait Refusable {
    /// Tells whoever waits for it.
    fn refuse(self, why: &str);
}

impl Refusable for Request {
    fn refuse(self, why: &str) {
        // A caller that no longer waits has given it up.
        self.reply.send(Err(PublishError::Unavailable(why.to_owned()))).ok();
    }
}

impl Request {
    fn len(&self) -> usize {
        // A header is some hundred bytes.
        self.callback.body.len() + 512
    }
}

/// Hands callbacks to the task. The task ends when the last of these is dropped.
#[derive(Clone, Debug)]
pub(super) struct Publisher(mpsc::Sender<Request>);

impl Publisher {
    /// Starts the task.
    pub(super) fn start(address: Address, names: Names, state: State, first: Link) -> Self {
        let (sender, requests) = mpsc::channel(WAITING_MAX);
        let task = Task { address, names, state, requests, waiting: VecDeque::new() };
        tokio::spawn(task.run(first));
        Self(sender)
    }

    /// Whether the task has ended, so that nothing will ever be published.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Publishes one callback; returns when the broker has it.
    pub(super) async fn publish(
        &self,
        route: Route,
        callback: Callback,
    ) -> Result<(), PublishError> {
        let unavailable = |why: &str| PublishError::Unavailable(why.to_owned());
        let (reply, answer) = oneshot::channel();
        let request = Request { route, callback, reply };
        let publishing = async {
            self.0.send(request).await.map_err(|_| unavailable("the queue is closed"))?;
            answer.await.map_err(|_| unavailable("the queue is closed"))?
        };
        let late = || unavailable("the broker does not confirm");
        tokio::time::timeout(2 * CONFIRM_MAX, publishing).await.map_err(|_| late())?
    }
}

/// A connection for publishing.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    channel: Channel,
    /// Delay queues that are known to be there.
    declared: BTreeSet<Route>,
}

impl Link {
    /// Connects, and declares what is published to.
    pub(super) async fn open(address: &Address, names: &Names) -> Result<Self, LinkError> {
        let connection = address.connect("pawl publisher").await?;
        names.declare(&channel(&connection).await?).await?;
        let channel = confirming_channel(&connection).await?;
        Ok(Self { connection, channel, declared: BTreeSet::new() })
    }

    fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    fn is_up(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }
}

/// Why the task stops using a connection.
pub(super) enum End {
    /// Nobody can publish any more.
    Closed,
    /// The broker takes nothing now.
    Blocked,
    /// It is of no use any more.
    Lost(String),
}

struct Task {
    address: Address,
    names: Names,
    state: State,
    requests: mpsc::Receiver<Request>,
    waiting: VecDeque<Request>,
}

impl Task {
    async fn run(mut self, first: Link) {
        let mut link = first;
        loop {
            self.state.set_publisher(None);
            let mut in_flight = Vec::new();
            let end = self.serve(&mut link, &mut in_flight).await;
            let why = match &end {
                End::Closed => return,
                End::Blocked => "the broker takes nothing now: it is short of memory or disk",
                End::Lost(_) => "the connection to the broker is lost",
            };
            for sent in in_flight {
                sent.answer(Err(why));
            }
            for request in self.waiting.drain(..) {
                request.refuse(why);
            }
            match end {
                End::Closed => return,
                End::Blocked => {
                    tracing::error!("the broker blocks publishing: callbacks are refused");
                    self.state.set_publisher(Some("the broker is blocked"));
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
                    self.state.set_publisher(Some("the broker is not connected"));
                    tracing::error!(reason, "the connection for publishing is lost");
                }
            }
            drop(link);
            self.state.set_publisher(Some("the broker is not connected"));
            let why = "the broker is not connected";
            let connecting = connect(&self.address, &self.names);
            match refuse_until(&mut self.requests, why, connecting).await {
                Some(new) => link = new,
                None => return,
            }
            tracing::info!("connected for publishing again");
        }
    }

    /// Publishes over one connection for as long as it is of use.
    async fn serve(&mut self, link: &mut Link, in_flight: &mut Vec<InFlight>) -> End {
        let mut tick = tokio::time::interval(LOOK);
        let mut arrived = Vec::new();
        let mut is_closed = false;
        loop {
            while in_flight.len() < IN_FLIGHT_MAX
                && let Some(group) = take_group(&mut self.waiting)
            {
                if let Err(end) = self.send(link, group, in_flight).await {
                    return end;
                }
            }
            if is_closed && in_flight.is_empty() {
                return End::Closed;
            }
            let has_room = !is_closed && self.waiting.is_empty() && in_flight.len() < IN_FLIGHT_MAX;
            tokio::select! {
                confirmed = std::future::poll_fn(|context| poll_confirms(in_flight, context)) => {
                    let Confirmed { is_lost, is_returned } = confirmed;
                    if is_lost {
                        return End::Lost("a confirm is lost".to_owned());
                    }
                    if is_returned && let Err(error) = self.redeclare(link).await {
                        return End::Lost(describe(error));
                    }
                }
                count = self.requests.recv_many(&mut arrived, WAITING_MAX), if has_room => {
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

    async fn send(
        &self,
        link: &mut Link,
        group: Vec<Request>,
        in_flight: &mut Vec<InFlight>,
    ) -> Result<(), End> {
        let Some(route) = group.first().map(|request| request.route) else { return Ok(()) };
        if matches!(route, Route::Retry(_)) && !link.declared.contains(&route) {
            let declared =
                async { self.names.declare_queue(&channel(&link.connection).await?, route).await };
            if let Err(error) = declared.await {
                let why = describe(error);
                group.into_iter().for_each(|request| request.refuse(&why));
                return Err(End::Lost(why));
            }
            link.declared.insert(route);
            self.state.add_delay_queue(route);
        }
        let id = Uuid::now_v7();
        let (mut callbacks, mut replies) = (Vec::new(), Vec::new());
        for Request { callback, reply, .. } in group {
            callbacks.push(callback);
            replies.push(reply);
        }
        let properties = BasicProperties::default()
            .with_content_type(CONTENT_TYPE.into())
            .with_delivery_mode(2)
            .with_message_id(id.to_string().into());
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let (exchange, key) = (self.names.prefix.as_str().into(), route.key().into());
        let message = pack(&callbacks);
        let publish = link.channel.basic_publish(exchange, key, options, &message, properties);
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
                in_flight.push(InFlight { id, replies, confirm, sent: Instant::now() });
                Ok(())
            }
            Err(end) => {
                let why = "the broker does not take it";
                for reply in replies {
                    reply.send(Err(PublishError::Unavailable(why.to_owned()))).ok();
                }
                Err(end)
            }
        }
    }

    /// After a return: somebody deleted a queue or a binding. What is declared again heals it.
    async fn redeclare(&self, link: &mut Link) -> Result<(), LinkError> {
        link.declared.clear();
        self.names.declare(&channel(&link.connection).await?).await
    }
}

pub(super) fn describe(error: LinkError) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// Connects, for as long as it takes.
async fn connect(address: &Address, names: &Names) -> Link {
    let mut pauses = Pauses::reconnect();
    loop {
        match Link::open(address, names).await {
            Ok(link) => return link,
            Err(error) => tracing::warn!(error = describe(error), "cannot connect for publishing"),
        }
        tokio::time::sleep(pauses.pause()).await;
    }
}

/// Refuses whoever wants to publish until something is done. Nothing if nobody can any more.
pub(super) async fn refuse_until<T>(
    requests: &mut mpsc::Receiver<impl Refusable>,
    why: &str,
    until: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(until);
    loop {
        tokio::select! {
            done = &mut until => return Some(done),
            request = requests.recv() => request?.refuse(why),
        }
    }
}

/// Takes what may share a message out of what waits: of one source, in their order. Only callbacks on
/// their first way share one; what was tried before goes alone.
fn take_group(waiting: &mut VecDeque<Request>) -> Option<Vec<Request>> {
    let first = waiting.pop_front()?;
    if first.route != Route::Callbacks {
        return Some(vec![first]);
    }
    let mut bytes = first.len();
    let mut group = vec![first];
    let mut others = VecDeque::with_capacity(waiting.len());
    let mut is_full = false;
    for request in waiting.drain(..) {
        let fits = request.route == Route::Callbacks
            && request.callback.header.source == group[0].callback.header.source;
        is_full |= fits && (group.len() >= GROUP_MAX || bytes + request.len() > GROUP_BYTES_MAX);
        if fits && !is_full {
            bytes += request.len();
            group.push(request);
        } else {
            others.push_back(request);
        }
    }
    *waiting = others;
    Some(group)
}
