//! An order's life: it is registered, and callbacks are sent about it, at least once: again after delays
//! that double, up to 20 times, until the answer is 200 or 201.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::plan::{Delivery, Manner};
use super::{Counts, Shared, integrator};

/// How often a callback is tried again.
const RETRIES_MAX: u32 = 20;

/// The first delay before that; FlyPay does not say its own.
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// The longest delay once nothing goes wrong any more: a demonstration does not last twelve days.
const HEALED_RETRY: Duration = Duration::from_millis(400);

/// How long an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Makes the client that callbacks are sent with.
///
/// # Errors
/// Where TLS cannot be set up.
pub fn client() -> anyhow::Result<Client> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::builder().redirect(Policy::none()).timeout(TIMEOUT).no_proxy();
    client.build().context("cannot set up TLS")
}

/// Lives an order from beginning to end; returns when everything about it was sent.
pub(super) async fn live(shared: Arc<Shared>, client: Client, index: usize) {
    let Some(plan) = shared.plans.get(index) else { return };
    tokio::time::sleep(plan.begins.saturating_sub(shared.elapsed())).await;
    Counts::add(&shared.counts.begun);
    let mut sending = JoinSet::new();
    match plan.registers {
        Some(Duration::ZERO) => integrator::register(&shared, &client, plan).await,
        Some(after) => {
            let (shared, client, at) = (Arc::clone(&shared), client.clone(), plan.begins + after);
            sending.spawn(async move {
                tokio::time::sleep(at.saturating_sub(shared.elapsed())).await;
                let Some(plan) = shared.plans.get(index) else { return };
                integrator::register(&shared, &client, plan).await;
            });
        }
        None => {}
    }
    for delivery in plan.deliveries.clone() {
        let (shared, client) = (Arc::clone(&shared), client.clone());
        sending.spawn(async move { deliver(&shared, &client, index, &delivery).await });
    }
    while sending.join_next().await.is_some() {}
    let ends = plan.reaches(plan.last());
    tokio::time::sleep(ends.saturating_sub(shared.elapsed())).await;
}

async fn deliver(shared: &Shared, client: &Client, index: usize, delivery: &Delivery) {
    let Some(plan) = shared.plans.get(index) else { return };
    let at = plan.begins + delivery.after;
    tokio::time::sleep(at.saturating_sub(shared.elapsed())).await;
    let protocol = shared.options.protocol;
    let body = protocol.callback(shared, plan, delivery.status);
    // A time that is signed is the one at which it is sent.
    let signature = || match delivery.manner {
        _ if !shared.options.is_signed() => Vec::new(),
        Manner::AtLeastOnce | Manner::Again | Manner::HungUp => protocol.signature(shared, &body),
        Manner::Forged => protocol.signature(shared, "another body"),
        Manner::Unsigned => Vec::new(),
    };
    match delivery.manner {
        Manner::HungUp => {
            Counts::add(&shared.counts.sent);
            hang_up(shared, &body, &signature()).await;
        }
        Manner::Again => {
            send(shared, client, &body, signature()).await;
        }
        Manner::Forged | Manner::Unsigned => {
            // What nobody signs, anybody may send: it is a hint, and nothing more.
            if send(shared, client, &body, signature()).await && shared.options.is_signed() {
                Counts::add(&shared.counts.forged_accepted);
            }
        }
        Manner::AtLeastOnce => {
            let mut delay = FIRST_RETRY;
            for _ in 0..=RETRIES_MAX {
                if send(shared, client, &body, signature()).await {
                    shared.note_delivered(index, |delivered| {
                        delivered.statuses.insert(delivery.status);
                    });
                    return;
                }
                let healed = if shared.is_healed() { HEALED_RETRY } else { delay };
                tokio::time::sleep(healed.min(delay)).await;
                delay = delay.saturating_mul(2);
            }
        }
    }
}

/// Headers that say who sent a callback.
type Headers = Vec<(&'static str, String)>;

fn url(shared: &Shared) -> String {
    format!("{}/callbacks/{}", shared.peer.receive_url, shared.peer.source)
}

/// Sends a callback once; whether it was answered 200 or 201.
async fn send(shared: &Shared, client: &Client, body: &str, signature: Headers) -> bool {
    Counts::add(&shared.counts.sent);
    let content_type = shared.options.protocol.content_type();
    let mut request =
        client.post(url(shared)).header("content-type", content_type).body(body.to_owned());
    for (name, value) in signature {
        request = request.header(name, value);
    }
    let answer = request.send().await;
    let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
    if !matches!(status, 200 | 201) {
        let mut refused = shared.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *refused.entry(status).or_default() += 1;
        return false;
    }
    shared.counts.accepted.fetch_add(1, Ordering::Relaxed);
    let id = answer.ok().and_then(|answer| {
        let id = answer.headers().get(crate::receive::CALLBACK_ID.as_str())?;
        id.to_str().ok()?.parse::<uuid::Uuid>().ok()
    });
    let mut ids = shared.callback_ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    ids.extend(id);
    true
}

/// Sends a whole request, and is gone before the answer.
async fn hang_up(shared: &Shared, body: &str, signature: &Headers) {
    let host = shared.peer.receive_url.trim_start_matches("http://");
    let Ok(mut stream) = TcpStream::connect(host).await else { return };
    let signature: String =
        signature.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "POST /callbacks/{} HTTP/1.1\r\nhost: {host}\r\n{signature}content-type: {}\r\ncontent-length: \
         {}\r\n\r\n{body}",
        shared.peer.source,
        shared.options.protocol.content_type(),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok();
}
