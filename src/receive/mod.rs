//! HTTP in: verifies callbacks over their raw bytes, puts them on the queue, answers.
//!
//! Invariants
//! - 2xx only after the queue has confirmed. Whatever is unclear is 503, and the sender sends again.
//! - Once the signature is good, nothing about the content is refused: a provider that retries one
//!   refused event for days, or queues behind it, would hide the rest.
//! - Nothing of the request is used as a name: the source is looked up in a fixed map, byte by byte.
//! - From the signature on, the work is a task of its own: a client that hangs up cancels nothing.

mod body;
pub mod serve;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Receive, Source};
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::order::report::Origin;
use crate::provider::Trust;
use crate::provider::headers::Headers;
use crate::queue::Queue;
use crate::queue::message::{Callback, CallbackHeader};
use crate::sources::Sources;
use body::{BodyError, read_body};

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
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Method,
    Unknown,
    Busy,
    Stopping,
    TooLarge,
    Empty,
    Broken,
    Slow,
    Encoding,
    Type,
    Unauthentic,
    Unavailable,
    Panicked,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Empty | Self::Broken => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Encoding | Self::Type => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unauthentic => StatusCode::UNAUTHORIZED,
            Self::Stopping | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The label in metrics.
    fn outcome(self) -> &'static str {
        match self {
            Self::Method | Self::Unknown | Self::Empty | Self::Broken => "bad_request",
            Self::Busy => "busy",
            Self::TooLarge => "too_large",
            Self::Slow => "slow",
            Self::Encoding | Self::Type => "unsupported",
            Self::Unauthentic => "unauthentic",
            Self::Stopping | Self::Unavailable => "unavailable",
            Self::Panicked => "panicked",
        }
    }

    /// The answer. It says what any answer with this status would say, and no more.
    fn answer(self) -> Answer {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!("{{\"title\":\"{title}\",\"status\":{}}}\n", status.as_u16());
        let mut answer = Response::new(http_body_util::Full::from(body));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Self::Busy | Self::Stopping | Self::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Unknown
            | Self::TooLarge
            | Self::Empty
            | Self::Broken
            | Self::Slow
            | Self::Encoding
            | Self::Type
            | Self::Unauthentic
            | Self::Panicked => {}
        }
        answer
    }
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
            Ok(id) => {
                self.metrics.count_callback(&source.name, "accepted");
                self.metrics.time_accept(&source.name, started.elapsed().as_secs_f64());
                accepted(id)
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
    ) -> Result<Uuid, Refusal> {
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
        check_headers(request.headers())?;
        let headers = take_headers(request.headers());
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
        let secrets = source.secrets_at(received_at);
        let trust = source.provider.verify_callback(&headers, &body, secrets);
        let trust = trust.map_err(|error| {
            tracing::warn!(source = source.name, reason = %error, "a callback is not authentic");
            Refusal::Unauthentic
        })?;
        let callback = Callback {
            header: CallbackHeader {
                id: Uuid::now_v7(),
                source: source.name.clone(),
                origin: Origin::Callback,
                received_at,
                headers: keep_headers(&headers),
                attempt: 0,
                asked: std::collections::BTreeSet::new(),
                is_hint: trust == Trust::Hint,
                said_at: None,
            },
            body: body.to_vec(),
        };
        self.publish(callback).await
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

fn accepted(id: Uuid) -> Answer {
    let mut answer = Response::new(http_body_util::Full::default());
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        answer.headers_mut().insert(CALLBACK_ID, id);
    }
    answer
}

fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    // Signatures are over the bytes as they are sent; a packed body would be verified unpacked.
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return Err(Refusal::Encoding);
    }
    // A missing type is not a wrong one: the signature decides.
    let is_json = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    };
    if !headers.get_all(CONTENT_TYPE).iter().all(is_json) {
        return Err(Refusal::Type);
    }
    Ok(())
}

/// The headers as values. One that is not text stays, so that it is seen to be there twice.
fn take_headers(headers: &HeaderMap) -> Headers {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(line).collect()
}

fn keep_headers(headers: &Headers) -> Headers {
    let kept = headers.iter().filter(|(name, _)| KEPT_HEADERS.contains(name));
    // Nobody needs more of them than this.
    kept.map(|(name, value)| (name, value.chars().take(200).collect::<String>())).collect()
}
