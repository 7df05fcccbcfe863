//! A provider on loopback that is what a definition says: it keeps what it hears, and says what a test
//! wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::wait_until;
use crate::daemon::Pawl;
use crate::daemon::form::{Form, Own};

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// A value of the query, as it is written.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .filter_map(|part| part.split_once('='))
            .find_map(|(known, value)| (known == name).then_some(value))
    }
}

/// What is said to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Not before so many requests have come to a path.
    pub after: Option<(&'static str, usize)>,
}

pub(crate) fn reply(status: u16, body: impl Into<String>) -> Reply {
    Reply { status, body: body.into(), ..Reply::default() }
}

type Script = Arc<dyn Fn(&Heard) -> Reply + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Desk {
    pub address: SocketAddr,
    state: Arc<DeskState>,
}

struct DeskState {
    script: Mutex<Script>,
    heard: Mutex<Vec<Heard>>,
    /// Path and status of what was answered.
    said: Mutex<Vec<(String, u16)>>,
}

impl Desk {
    pub(crate) async fn start(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(DeskState {
            script: Mutex::new(Arc::new(script)),
            heard: Mutex::default(),
            said: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    /// Says something else from now on.
    pub(crate) fn say(&self, script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Arc::new(script);
    }

    /// What was asked at a path, in the order in which it came.
    pub(crate) fn heard(&self, path: &str) -> Vec<Heard> {
        let heard = self.state.heard.lock().unwrap();
        heard.iter().filter(|heard| heard.path() == path).cloned().collect()
    }

    /// How often something was answered at a path.
    pub(crate) fn said(&self, path: &str, status: u16) -> usize {
        let said = self.state.said.lock().unwrap();
        said.iter().filter(|(known, code)| known == path && *code == status).count()
    }

    pub(crate) async fn wait_until_heard(&self, path: &str, times: usize) {
        let heard = || self.heard(path).len();
        wait_until(|| heard() >= times, || format!("{path}: {} requests", heard())).await;
    }
}

async fn answer(State(state): State<Arc<DeskState>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let line = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let heard = Heard {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: parts.headers.iter().map(line).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    state.heard.lock().unwrap().push(heard.clone());
    let script = Arc::clone(&*state.script.lock().unwrap());
    let said = script(&heard);
    if let Some((path, times)) = said.after {
        let count = || {
            let heard = state.heard.lock().unwrap();
            heard.iter().filter(|heard| heard.path() == path).count()
        };
        wait_until(|| count() >= times, || format!("{path}: {} requests", count())).await;
    }
    state.said.lock().unwrap().push((heard.path().to_owned(), said.status));
    let mut response = Response::builder().status(StatusCode::from_u16(said.status).unwrap());
    for (name, value) in said.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(said.body)).unwrap()
}

/// What all definitions of these tests have in common.
pub(crate) const DEFINITION: &str = r#"name = "desk"
title = "Desk"

[callback.signature]
scheme = "hmac"
hash = "sha256"
header = "X-Signature"
encoding = "hex"

[event]
order_id = "/id"
status = "/status"
time = "/at"
currency = "/currency"

[status.pending]
edges = ["paid", "failed"]
[status.paid]
final = true
outcome = "succeeded"
[status.failed]
final = true
outcome = "failed"

[kind.payment]
[[kind.payment.money]]
at = ["paid"]
to.credited = "amount"
"#;

/// An order as the desk tells it.
pub(crate) fn payment(id: &str, status: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"{status}","at":"2025-11-20T09:00:00Z","amount":5.10,"currency":"EUR"}}"#
    )
}

/// A daemon whose source is at a desk, with a definition's last lines and more lines of the source.
pub(crate) async fn start_at(form: Form, desk: &Desk, definition: &str, more: &str) -> Pawl {
    let own = Own::new(form).await;
    let text = config(&own, desk, definition, more);
    Pawl::start_by(own, text).await
}

/// Its configuration.
pub(crate) fn config(own: &Own, desk: &Desk, definition: &str, more: &str) -> String {
    let folder = own.folder.path().join("providers");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("desk.toml"), format!("{DEFINITION}{definition}")).unwrap();
    let source = format!("base_url = \"http://{}\"\n{more}", desk.address);
    let limits = "[source.shop.limits]\nrequests_per_second = 1000\nburst = 1000\n";
    let text = own.config(&source).replace("\"flypay\"", "\"desk\"");
    format!("{text}{limits}[providers]\ndir = \"{}\"\n", folder.display())
}

impl Pawl {
    /// Registers payments.
    pub(crate) async fn register_payments(&self, ids: &[String]) {
        let order =
            |id: &String| format!(r#"{{"source":"shop","order_id":"{id}","kind":"payment"}}"#);
        let orders: Vec<String> = ids.iter().map(order).collect();
        let answer =
            self.post("/api/v1/orders", &format!("{{\"orders\":[{}]}}", orders.join(","))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// Wants an order to be asked about now, and waits until it was.
    pub(crate) async fn ask_about(&self, id: &str) -> Value {
        let answer = self.post(&format!("/api/v1/orders/shop/{id}/ask"), "").await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.wait_until_asked_about(id).await
    }

    /// Waits until it is known what came of asking about an order.
    pub(crate) async fn wait_until_asked_about(&self, id: &str) -> Value {
        self.wait_for_order(id, |order| {
            !order["asking"]["outcome"].is_null() && order["asking"]["under_way"] == false
        })
        .await
    }
}
