//! What is answered to questions, as bad as it is told to be.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::protocols::{Heard, Route};
use super::{Counts, Shared, plan};

/// How long whoever asks is told to wait.
const RETRY_AFTER_SECS: u64 = 5;

/// Questions that were on their way when that was said are forgiven.
const ON_THE_WAY: Duration = Duration::from_secs(2);

/// How long it is patient after that.
const PATIENT: Duration = Duration::from_secs(8);

/// For how long nothing is said at all: longer than anyone waits.
const SILENCE: Duration = Duration::from_secs(12);

/// Since when, and until when, everybody is told to come again later.
#[derive(Debug, Default)]
pub struct Throttle(Option<(Instant, Instant)>);

type Answer = Response<Full<Bytes>>;

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Well,
    Late,
    Throttled,
    Error,
    Page,
    Truncated,
    Unsigned,
    OtherOrder,
    Elsewhere,
    Missing,
    Silent,
}

/// The bad manners, and how often each.
const BAD: [(Manner, u32); 10] = [
    (Manner::Late, 50),
    (Manner::Error, 10),
    (Manner::Page, 7),
    (Manner::Truncated, 7),
    (Manner::Unsigned, 7),
    (Manner::OtherOrder, 7),
    (Manner::Elsewhere, 4),
    (Manner::Missing, 4),
    (Manner::Throttled, 3),
    (Manner::Silent, 1),
];

pub(super) async fn serve(shared: Arc<Shared>, port: TcpListener, stop: CancellationToken) {
    let answer = move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { answer(&shared, request).await }
    };
    let panicked = || plain(StatusCode::INTERNAL_SERVER_ERROR, "");
    crate::receive::serve::serve(port, answer, panicked, stop).await;
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Answer {
    Counts::add(&shared.counts.asked);
    let protocol = shared.options.protocol;
    let route = match hear(request).await {
        Some(heard) => protocol.route(shared, &heard),
        None => Route::Senseless,
    };
    let (indexes, asked) = match route {
        Route::Orders(indexes) => {
            let asked = note_asked(shared, &indexes);
            (indexes, asked)
        }
        Route::Senseless => {
            Counts::add(&shared.counts.bad_questions);
            return plain(StatusCode::BAD_REQUEST, "{\"status\":\"error\"}");
        }
        Route::Expired => return plain(StatusCode::UNAUTHORIZED, "{}"),
        Route::Token(token) => return plain(StatusCode::OK, &token),
        Route::Page(page) => return list(shared, &page),
        Route::Missing => return plain(StatusCode::NOT_FOUND, "{}"),
    };
    if let Some(secs) = throttled(shared) {
        return later(secs);
    }
    let index = indexes.first().copied().unwrap_or(usize::MAX);
    let manner = if shared.is_healed() { Manner::Well } else { draw(shared, index, asked) };
    let manner =
        if manner == Manner::Throttled && !throttle(shared) { Manner::Well } else { manner };
    if manner != Manner::Well {
        Counts::add(&shared.counts.answered_badly);
    }
    // The orders as they are now, also where that is said later.
    let Some(body) = protocol.answer(shared, &indexes) else {
        return plain(StatusCode::NOT_FOUND, "{}");
    };
    match manner {
        Manner::Well => signed(shared, body),
        Manner::Late => {
            let mut rng = plan::generator(shared.options.seed, index, 3 + asked);
            tokio::time::sleep(Duration::from_millis(rng.u64(200..1500))).await;
            signed(shared, body)
        }
        Manner::Throttled => later(RETRY_AFTER_SECS),
        Manner::Error => plain(StatusCode::INTERNAL_SERVER_ERROR, "{}"),
        // One that is not signed anyway says what it says.
        Manner::Unsigned if protocol.answer_signature(shared, &body).is_some() => {
            plain(StatusCode::OK, &body)
        }
        Manner::Page | Manner::Unsigned => plain(StatusCode::OK, "<html>maintenance</html>"),
        Manner::Truncated => signed(shared, body[..body.len() / 2].to_owned()),
        Manner::OtherOrder => {
            let other =
                plan::generator(shared.options.seed, index, 4 + asked).usize(..shared.plans.len());
            let other =
                if indexes.contains(&other) { (index + 1) % shared.plans.len() } else { other };
            signed(shared, protocol.answer(shared, &[other]).unwrap_or_default())
        }
        Manner::Elsewhere => {
            let mut answer = plain(StatusCode::FOUND, "");
            let to = hyper::header::HeaderValue::from_static("/elsewhere");
            answer.headers_mut().insert(hyper::header::LOCATION, to);
            answer
        }
        Manner::Missing => plain(StatusCode::NOT_FOUND, "{}"),
        Manner::Silent => {
            tokio::time::sleep(SILENCE).await;
            signed(shared, body)
        }
    }
}

async fn hear(request: Request<Incoming>) -> Option<Heard> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, 65_536).collect().await.ok()?.to_bytes().to_vec();
    Some(Heard {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    })
}

/// Takes note that orders are asked about, and returns how often the first of them was before.
fn note_asked(shared: &Shared, indexes: &[usize]) -> u64 {
    let at = shared.elapsed().as_secs_f64();
    let mut asked = 0;
    for index in indexes.iter().rev() {
        shared.note_delivered(*index, |delivered| {
            asked = u64::try_from(delivered.asked_at.len()).unwrap_or(u64::MAX);
            delivered.asked_at.push(at);
        });
    }
    asked
}

/// A page of a list, which is sometimes not to be had.
fn list(shared: &Shared, page: &str) -> Answer {
    if let Some(secs) = throttled(shared) {
        return later(secs);
    }
    let number = shared.lists.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut rng = plan::generator(shared.options.seed, usize::MAX, 0x2000 + number);
    let is_bad = !shared.is_healed() && rng.f64() < shared.options.faults.bad_answer / 2.0;
    if !is_bad {
        return plain(StatusCode::OK, page);
    }
    Counts::add(&shared.counts.answered_badly);
    match rng.u8(..3) {
        0 => plain(StatusCode::INTERNAL_SERVER_ERROR, "{}"),
        1 => plain(StatusCode::OK, &page[..page.len() / 2]),
        _ => plain(StatusCode::OK, "<html>maintenance</html>"),
    }
}

/// Loses patience, unless it did so a short time ago; whether it did.
fn throttle(shared: &Shared) -> bool {
    let mut throttle = shared.throttle.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    if throttle.0.is_some_and(|(_, until)| now < until + PATIENT) {
        return false;
    }
    throttle.0 = Some((now, now + Duration::from_secs(RETRY_AFTER_SECS)));
    true
}

/// How many more seconds everybody is told to wait, if so.
fn throttled(shared: &Shared) -> Option<u64> {
    let (since, until) = shared.throttle.lock().unwrap_or_else(PoisonError::into_inner).0?;
    let now = Instant::now();
    if now >= until {
        return None;
    }
    if now.duration_since(since) > ON_THE_WAY {
        Counts::add(&shared.counts.asked_too_early);
    }
    Some(until.duration_since(now).as_secs() + 1)
}

/// How a question is answered: by the order and how often it was asked about, whoever is faster.
fn draw(shared: &Shared, index: usize, asked: u64) -> Manner {
    let mut rng = plan::generator(shared.options.seed, index, 0x1000 + asked);
    if rng.f64() >= shared.options.faults.bad_answer {
        return Manner::Well;
    }
    let sum: u32 = BAD.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.u32(..sum);
    for (manner, weight) in BAD {
        if left < weight {
            return manner;
        }
        left -= weight;
    }
    Manner::Well
}

fn plain(status: StatusCode, body: &str) -> Answer {
    let mut answer = Response::new(Full::from(body.to_owned()));
    *answer.status_mut() = status;
    answer
}

fn signed(shared: &Shared, body: String) -> Answer {
    let signature = shared.options.protocol.answer_signature(shared, &body);
    let mut answer = Response::new(Full::from(body));
    if let Some(Ok(signature)) = signature.map(|signature| signature.parse()) {
        answer.headers_mut().insert("signature", signature);
    }
    answer
}

fn later(secs: u64) -> Answer {
    let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, "");
    answer.headers_mut().insert(hyper::header::RETRY_AFTER, secs.into());
    answer
}
