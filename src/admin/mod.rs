//! Where people and programs look and act: API, metrics, health.

mod api;
mod ask;
mod attention;
mod claim_json;
mod dead_letters;
mod order_json;
mod problem;
mod register;
mod resolve;
mod sinks;
mod told;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::body::Incoming;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use crate::clock::Clock;
use crate::observe::health::Health;
use crate::observe::metrics::{Asked, Metrics};
use crate::provider::secret::Secret;
use crate::queue::Queue;
use crate::sources::{Sinks, Sources};
use crate::store::Store;
use problem::Problem;

/// How large a request's body may be.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What the admin port answers with.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where orders are kept; none in a process that does not need it.
    pub store: Option<Store>,
    /// Whether the API is answered, and not only health and metrics.
    pub is_api: bool,
    /// Where callbacks wait.
    pub queue: Queue,
    /// The sources.
    pub sources: Sources,
    /// The sinks.
    pub sinks: Sinks,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether we take work.
    pub health: Health,
    /// What a request must carry; none where the port is on loopback only.
    pub token: Option<Secret>,
}

impl Admin {
    /// Answers requests.
    pub fn router(self) -> Router {
        let state = Arc::new(self);
        let (api, missing) = if state.is_api {
            (api_routes(), "there is nothing here")
        } else {
            (Router::new(), "this process has not the role admin: ask one that has")
        };
        let api = api
            .route("/metrics", get(metrics))
            .layer(from_fn_with_state(Arc::clone(&state), authorise));
        Router::new()
            .route("/livez", get(|| async { "alive\n" }))
            .route("/readyz", get(readyz))
            .merge(api)
            .fallback(move || async move { Problem::new(StatusCode::NOT_FOUND, missing) })
            .method_not_allowed_fallback(|| async {
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here")
            })
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(state)
    }
}

impl Admin {
    /// The store, which a process that answers the API has.
    fn store(&self) -> Result<&Store, Problem> {
        let missing =
            || Problem::new(StatusCode::NOT_FOUND, "this process does not answer the API");
        self.store.as_ref().ok_or_else(missing)
    }
}

fn api_routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/api/v1/orders", get(api::list_orders).post(register::register))
        .route("/api/v1/orders/{source}/{order_id}", get(api::get_order))
        .route("/api/v1/orders/{source}/{order_id}/events", get(api::list_events))
        .route("/api/v1/orders/{source}/{order_id}/ask", post(ask::ask_order))
        .route("/api/v1/orders/{source}/{order_id}/resolve", post(resolve::resolve))
        .route("/api/v1/attention", get(attention::list_attention))
        .route("/api/v1/sinks", get(sinks::list_sinks))
        .route("/api/v1/sinks/{name}/resume", post(sinks::resume_sink))
        .route("/api/v1/sinks/{name}/remove", post(sinks::remove_sink))
        .route("/api/v1/dead-letters", get(dead_letters::list_dead_letters))
        .route("/api/v1/dead-letters/{id}", get(dead_letters::get_dead_letter))
        .route("/api/v1/dead-letters/{id}/redrive", post(dead_letters::redrive))
        .route("/api/v1/dead-letters/{id}/drop", post(dead_letters::drop_letter))
}

/// Answers one request with a router.
pub async fn answer(router: Router, request: hyper::Request<Incoming>) -> Response {
    router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {})
}

/// The answer to a request in which we failed.
#[must_use]
pub fn answer_panic() -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a fault in Pawl itself").into_response()
}

type Shared = State<Arc<Admin>>;

/// With a token, only who carries it. Without one, the port is on loopback, and only requests that
/// name it so are answered: a page on the web could otherwise reach it through a name of its own.
async fn authorise(State(admin): Shared, request: Request, next: Next) -> Response {
    if is_allowed(&admin, request.headers()) {
        return next.run(request).await;
    }
    let detail = "send the admin token: Authorization: Bearer ...";
    let mut answer = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    let scheme = header::HeaderValue::from_static("Bearer");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    answer
}

fn is_allowed(admin: &Admin, headers: &header::HeaderMap) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match &admin.token {
        Some(token) => {
            let given =
                header(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
            // Digests are compared, so that time tells nothing about the token.
            let digest = |text: &str| Sha256::digest(text.as_bytes());
            given.is_some_and(|given| digest(given) == digest(token.expose()))
        }
        None => header(header::HOST).is_none_or(|host| {
            let port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
            let name =
                host.rsplit_once(':').filter(|(_, p)| port(p)).map_or(host, |(name, _)| name);
            // An address and not a text that looks like one: 127.example.com is anybody's.
            let is_loopback = |ip: std::net::Ipv4Addr| ip.is_loopback();
            matches!(name, "localhost" | "[::1]") || name.parse().is_ok_and(is_loopback)
        }),
    }
}

async fn readyz(State(admin): Shared) -> Response {
    if let Some(reason) = admin.health.unready().or_else(|| admin.queue.unready()) {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response();
    }
    if let Some(reason) = admin.queue.unready() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response();
    }
    if let Some(store) = &admin.store
        && let Err(error) = store.ping().await
    {
        tracing::warn!(error = %error, "not ready");
        let text = "not ready: the store cannot be used\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    "ready\n".into_response()
}

async fn metrics(State(admin): Shared) -> Result<Response, Problem> {
    let sources = admin.sources.now();
    let sources: Vec<&str> = sources.keys().map(String::as_str).collect();
    let at = Asked { sources: &sources, clock: &admin.clock };
    let text = admin
        .metrics
        .gather(admin.store.as_ref(), &admin.queue, at)
        .await
        .map_err(Problem::internal)?;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, text).into_response())
}
