//! HTTP in: verifies callbacks over their raw bytes, puts them on the queue, answers.
//!
//! Invariants
//! - 2xx only after the queue has confirmed. Whatever is unclear is 503, and the sender sends again.
//! - Once the signature is good, nothing about the content is refused: a provider that retries one
//!   refused event for days, or queues behind it, would hide the rest.
//! - Nothing of the request is used as a name: the source is looked up in a fixed map, byte by byte.
//! - From the signature on, the work is a task of its own: a client that hangs up cancels nothing.

mod body;
mod challenge;
pub mod gate;
mod refusal;
pub mod serve;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Receive, Source};
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::order::report::Origin;
use crate::provider::Trust;
use crate::provider::headers::Headers;
use crate::provider::reply::Reply;
use crate::provider::signature;
use crate::queue::Queue;
use crate::queue::message::{Callback, CallbackHeader};
use crate::sources::Sources;
use body::{BodyError, read_body};
pub(crate) use challenge::answer_query;
use gate::Gate;
pub(crate) use refusal::Refusal;

/// What an answer is made of: a short text.
pub type Answer = Response<http_body_util::Full<bytes::Bytes>>;

/// The header of an answer that carries the accepted callback's own id.
pub const CALLBACK_ID: HeaderName = HeaderName::from_static("pawl-callback-id");

/// How long a body may take to arrive, all of it.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Request headers that are kept with a callback. Never a signature, never a credential.
const KEPT_HEADERS: [&str; 3] = ["content-type", "user-agent", "traceparent"];

/// What callbacks are received with.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where accepted callbacks go.
    pub queue: Queue,
    /// Who may send, and how their callbacks are verified.
    pub sources: Sources,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether we take work.
    pub health: Health,
    /// How much is taken.
    pub limits: Receive,
    /// Requests under way.
    pub in_flight: Arc<AtomicUsize>,
    /// How many hints are let in.
    pub gate: Arc<Gate>,
}

/// What became of a request that was not refused.
enum Received {
    /// A callback, by its own id: it is on the queue.
    Kept(Uuid),
    /// It only asked whether we are here: this is the answer.
    Challenge(String),
}

impl Receiver {
    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let started = Instant::now();
        // Exactly as it is written: a map is all that the path is looked up in.
        let sources = self.sources.now();
        let name = request.uri().path().strip_prefix("/callbacks/");
        let Some(source) = name.and_then(|name| sources.get(name)) else {
            return Refusal::Unknown.answer();
        };
        let under_way = UnderWay::begin(self);
        let result = self.receive(source, request, under_way.count).await;
        match result {
            Ok(Received::Kept(id)) => {
                self.metrics.count_callback(&source.name, "accepted");
                self.metrics.time_accept(&source.name, started.elapsed().as_secs_f64());
                accepted(id, &source.provider.reply)
            }
            Ok(Received::Challenge(text)) => {
                self.metrics.count_callback(&source.name, "challenge");
                plain(StatusCode::OK, text, "text/plain")
            }
            Err(refusal) => {
                self.metrics.count_callback(&source.name, refusal.outcome());
                refusal.answer()
            }
        }
    }

    async fn receive(
        &self,
        source: &Source,
        request: Request<Incoming>,
        in_flight: usize,
    ) -> Result<Received, Refusal> {
        if request.method() == Method::GET {
            let text = answer_query(source, request.uri(), self.clock.now())?;
            return Ok(Received::Challenge(text));
        }
        if request.method() != Method::POST {
            return Err(Refusal::Method);
        }
        // Shed before reading anything.
        if in_flight > self.limits.in_flight_max {
            return Err(Refusal::Busy);
        }
        if self.health.unready() == Some("stopping") {
            return Err(Refusal::Stopping);
        }
        check_headers(request.headers(), &source.provider.content_types)?;
        let headers = take_headers(request.headers());
        let method = request.method().clone();
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let body = read_body(request, self.limits.body_bytes_max, BODY_DEADLINE).await;
        let body = body.map_err(|error| match error {
            BodyError::TooLarge => Refusal::TooLarge,
            BodyError::Slow => Refusal::Slow,
            BodyError::Broken => Refusal::Broken,
        })?;
        if body.is_empty() {
            return Err(Refusal::Empty);
        }
        let received_at = self.clock.now();
        let trust = source.verify(&signature::Request {
            method: method.as_str(),
            path: &path,
            url: None,
            headers: &headers,
            body: &body,
            at: received_at,
        });
        let trust = trust.map_err(|error| {
            tracing::warn!(source = source.name, reason = %error, "a callback is not authentic");
            Refusal::Unauthentic
        })?;
        let is_hint = trust == Trust::Hint;
        if is_hint && !self.gate.admit(&source.name, Instant::now()) {
            return Err(Refusal::Flood);
        }
        if !is_hint && let Some(text) = source.provider.find_challenge(&body) {
            return Ok(Received::Challenge(text));
        }
        let callback = Callback {
            header: CallbackHeader {
                id: Uuid::now_v7(),
                source: source.name.clone(),
                origin: Origin::Callback,
                received_at,
                headers: keep_headers(&headers, source.provider.event_id_header()),
                attempt: 0,
                asked: std::collections::BTreeSet::new(),
                is_hint,
                is_item: false,
                said_at: None,
            },
            body: body.to_vec(),
        };
        self.publish(callback).await.map(Received::Kept)
    }

    /// Puts a callback on the queue. A task of its own: whoever hangs up now, and the deadline, cancel
    /// nothing.
    async fn publish(&self, callback: Callback) -> Result<Uuid, Refusal> {
        let id = callback.header.id;
        let source = callback.header.source.clone();
        let (queue, deadline) = (self.queue.clone(), self.limits.confirm_timeout);
        let publishing = tokio::spawn(async move { queue.publish(callback).await });
        match tokio::time::timeout(deadline, publishing).await {
            Ok(Ok(Ok(()))) => Ok(id),
            Ok(Ok(Err(error))) => {
                tracing::error!(source, error = %error, "a callback could not be queued");
                Err(Refusal::Unavailable)
            }
            Err(_) => {
                // It may still get there: unknown, so the sender is told to send again.
                tracing::error!(source, "the queue took longer than {deadline:?} to confirm");
                Err(Refusal::Unavailable)
            }
            Ok(Err(panic)) => {
                self.metrics.count_panic();
                tracing::error!(source, error = %panic, "a fault in Pawl itself");
                Err(Refusal::Panicked)
            }
        }
    }

    /// The answer to a request in which we failed. Says nothing of how.
    #[must_use]
    pub fn answer_panic(&self) -> Answer {
        self.metrics.count_panic();
        Refusal::Panicked.answer()
    }
}

/// A request under way; counted until it is dropped.
struct UnderWay<'a> {
    receiver: &'a Receiver,
    count: usize,
}

impl<'a> UnderWay<'a> {
    fn begin(receiver: &'a Receiver) -> Self {
        let count = receiver.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        receiver.metrics.set_in_flight(count);
        Self { receiver, count }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let before = self.receiver.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.receiver.metrics.set_in_flight(before.saturating_sub(1));
    }
}

/// The answer to an accepted callback: what the provider wants to read, and the callback's own id.
fn accepted(id: Uuid, reply: &Reply) -> Answer {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut answer = plain(status, reply.body.clone(), &reply.content_type);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        answer.headers_mut().insert(CALLBACK_ID, id);
    }
    answer
}

fn plain(status: StatusCode, body: String, content_type: &str) -> Answer {
    let is_empty = body.is_empty();
    let mut answer = Response::new(http_body_util::Full::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    if let (false, Ok(content_type)) = (is_empty, HeaderValue::from_str(content_type)) {
        headers.insert(CONTENT_TYPE, content_type);
        // A challenge is whatever its sender chose: nothing may take it for a page.
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    answer
}

/// Whether a callback of these headers is let in.
pub(crate) fn check_headers(headers: &HeaderMap, content_types: &[String]) -> Result<(), Refusal> {
    // Signatures are over the bytes as they are sent; a packed body would be verified unpacked.
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return Err(Refusal::Encoding);
    }
    // A missing type is not a wrong one: the signature decides.
    let is_ours = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        let text = text.split(';').next().unwrap_or_default().trim();
        content_types.iter().any(|own| text.eq_ignore_ascii_case(own))
    };
    if !headers.get_all(CONTENT_TYPE).iter().all(is_ours) {
        return Err(Refusal::Type);
    }
    Ok(())
}

/// The headers as values. One that is not text stays, so that it is seen to be there twice.
pub(crate) fn take_headers(headers: &HeaderMap) -> Headers {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(line).collect()
}

/// The headers that are worth keeping, and the one that the definition reads.
pub(crate) fn keep_headers(headers: &Headers, own: Option<&str>) -> Headers {
    let is_own = |name: &str| own.is_some_and(|own| own.eq_ignore_ascii_case(name));
    let kept = headers.iter().filter(|(name, _)| KEPT_HEADERS.contains(name) || is_own(name));
    // Nobody needs more of them than this; an id is never cut short.
    let cut = |name: &str, value: &str| match is_own(name) {
        true => value.to_owned(),
        false => value.chars().take(200).collect(),
    };
    kept.map(|(name, value)| (name, cut(name, value))).collect()
}
