//! An integrator that keeps books of what leaves: by HTTP, and from an exchange. It fails, is slow, and forgets
//! that it has booked something, until it is healed; its books must come right all the same.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request as HttpRequest, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::books::{Booked, Books};
use super::plan::generator;
use crate::clock::Clock;
use crate::provider::headers::Headers;
use crate::provider::secret::{CallbackSecret, Secret};
use crate::provider::signature::{Request, Signature};
use crate::queue::rabbit::{LinkError, Tap};

/// How large a notice may be.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How long it is slow for, at most.
const SLOW_MS: u64 = 1500;

/// One ledger of an integrator, whoever fills it.
#[derive(Debug)]
pub struct Merchant {
    /// What it has booked so far.
    pub ledger: Arc<Ledger>,
    is_told_in_order: bool,
    stop: CancellationToken,
    taking: JoinSet<Option<Tap>>,
}

/// What all who fill a ledger share.
#[derive(Debug)]
pub struct Ledger {
    books: Mutex<Books>,
    /// What its failures are drawn from.
    rng: Mutex<Rng>,
    is_healed: AtomicBool,
    /// Notices that came.
    pub told: AtomicU64,
    /// Of those, how many were not taken at once.
    pub failed: AtomicU64,
    /// Requests that were not signed by the daemon, and notices that could not be read.
    pub strange: AtomicU64,
}

/// How a notice is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Well,
    /// After a while.
    Slowly,
    /// It fails before it has booked anything.
    Fails,
    /// It books it, and says that it has not.
    Forgets,
    /// It wants to be left alone for a second.
    Later,
}

impl Ledger {
    fn new(seed: u64, purpose: u64) -> Self {
        Self {
            books: Mutex::default(),
            rng: Mutex::new(generator(seed, 0, purpose)),
            is_healed: AtomicBool::new(false),
            told: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            strange: AtomicU64::new(0),
        }
    }

    /// The books as they are.
    #[must_use]
    pub fn books(&self) -> Books {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn draw(&self) -> (Manner, Duration) {
        self.told.fetch_add(1, Ordering::Relaxed);
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = Duration::from_millis(rng.u64(0..SLOW_MS));
        let drawn = rng.u32(0..1000);
        let manner = match drawn {
            _ if self.is_healed.load(Ordering::Relaxed) => Manner::Well,
            0..60 => Manner::Fails,
            60..100 => Manner::Forgets,
            100..140 => Manner::Slowly,
            140..143 => Manner::Later,
            _ => Manner::Well,
        };
        (manner, slow)
    }

    /// Takes a notice, or fails in some manner.
    async fn take(&self, body: &[u8]) -> Result<(), Manner> {
        let (manner, slow) = self.draw();
        match manner {
            Manner::Fails | Manner::Later => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                return Err(manner);
            }
            Manner::Slowly => tokio::time::sleep(slow).await,
            Manner::Well | Manner::Forgets => {}
        }
        let taken = self.books.lock().unwrap_or_else(PoisonError::into_inner).take(body);
        match taken {
            Err(_) => {
                self.strange.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Ok(Booked::New | Booked::Nothing) if manner == Manner::Forgets => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                Err(manner)
            }
            Ok(Booked::New | Booked::Again | Booked::Nothing) => Ok(()),
        }
    }

    async fn answer(
        self: Arc<Self>,
        signature: Arc<Signature>,
        secret: Secret,
        request: HttpRequest<Incoming>,
    ) -> Response<Full<Bytes>> {
        let line = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let headers: Headers = request.headers().iter().map(line).collect();
        let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await else {
            return answered(StatusCode::BAD_REQUEST);
        };
        let body = body.to_bytes();
        let at = Clock::default().now();
        let read =
            Request { method: "POST", path: "/", url: None, headers: &headers, body: &body, at };
        let secrets = [CallbackSecret::always(secret)];
        if signature.verify_request(&read, &secrets).is_err() {
            self.strange.fetch_add(1, Ordering::Relaxed);
            return answered(StatusCode::UNAUTHORIZED);
        }
        match self.take(&body).await {
            Ok(()) => answered(StatusCode::NO_CONTENT),
            Err(Manner::Later) => {
                let mut later = answered(StatusCode::TOO_MANY_REQUESTS);
                let second = hyper::header::HeaderValue::from_static("1");
                later.headers_mut().insert(hyper::header::RETRY_AFTER, second);
                later
            }
            Err(_) => answered(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

fn answered(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

impl Merchant {
    /// Listens for requests that are signed with a secret.
    ///
    /// # Errors
    /// Where the port cannot be listened on.
    pub async fn listen(
        seed: u64,
        purpose: u64,
        secret: Secret,
    ) -> anyhow::Result<(Self, SocketAddr)> {
        let port = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = port.local_addr()?;
        let signature =
            Signature::standard_webhooks().map_err(|mistake| anyhow::anyhow!(mistake.what))?;
        let (ledger, stop) = (Arc::new(Ledger::new(seed, purpose)), CancellationToken::new());
        let (own, signature, until) = (Arc::clone(&ledger), Arc::new(signature), stop.clone());
        let mut taking = JoinSet::new();
        taking.spawn(async move {
            let answer = move |request| {
                Arc::clone(&own).answer(Arc::clone(&signature), secret.clone(), request)
            };
            let panicked = || answered(StatusCode::INTERNAL_SERVER_ERROR);
            crate::receive::serve::serve(port, answer, panicked, until).await;
            None
        });
        Ok((Self { ledger, is_told_in_order: true, stop, taking }, address))
    }

    /// Takes from a queue of its own at an exchange.
    #[must_use]
    pub fn tap(seed: u64, purpose: u64, mut tap: Tap) -> Self {
        let (ledger, stop) = (Arc::new(Ledger::new(seed, purpose)), CancellationToken::new());
        let (own, until) = (Arc::clone(&ledger), stop.clone());
        let mut taking = JoinSet::new();
        taking.spawn(async move {
            loop {
                let (body, message) = tokio::select! {
                    () = until.cancelled() => return Some(tap),
                    next = tap.next() => match next {
                        Some(next) => next,
                        None => return Some(tap),
                    },
                };
                let is_booked = own.take(&body).await.is_ok();
                // What cannot be settled comes again.
                message.settle(is_booked).await.ok();
            }
        });
        Self { ledger, is_told_in_order: false, stop, taking }
    }

    /// Whether what it does not take is not overtaken: a queue gives out more meanwhile.
    #[must_use]
    pub fn is_told_in_order(&self) -> bool {
        self.is_told_in_order
    }

    /// From now on it takes what it is told.
    pub fn heal(&self) {
        self.ledger.is_healed.store(true, Ordering::Relaxed);
    }

    /// Ends it, and removes its queue.
    ///
    /// # Errors
    /// The broker cannot be reached any more.
    pub async fn stop(mut self) -> Result<(), LinkError> {
        self.stop.cancel();
        while let Some(ended) = self.taking.join_next().await {
            if let Ok(Some(tap)) = ended {
                tap.remove().await?;
            }
        }
        Ok(())
    }
}
