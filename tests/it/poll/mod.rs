//! Asking: what callbacks missed is found, and nobody is asked more than the schedule says.

mod auth;
mod batch;
mod built_in;
mod certificate;
pub(crate) mod desk;
mod fault;
mod feed;
mod hint;
mod meaning;
mod pause;
mod proofs;
mod schedule;
mod several;
mod turn;
mod unresolved;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::daemon::form::Form;
use crate::daemon::{Pawl, sign, withdrawal};

/// What a provider answers to one question.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// The order, in this status.
    Status(&'static str),
    /// The same of another order.
    OtherOrder,
    /// A status line with headers and a body, signed or not.
    Raw { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>, is_signed: bool },
    /// Nothing, for as long as it is waited for.
    Silence,
    /// Headers at once, and then a byte now and then without an end.
    Trickle,
}

impl Say {
    pub(crate) fn status(status: u16) -> Self {
        Self::Raw { status, headers: Vec::new(), body: Vec::new(), is_signed: false }
    }

    pub(crate) fn with(self, name: &'static str, value: impl ToString) -> Self {
        match self {
            Self::Raw { status, mut headers, body, is_signed } => {
                headers.push((name, value.to_string()));
                Self::Raw { status, headers, body, is_signed }
            }
            Self::Status(_) | Self::OtherOrder | Self::Silence | Self::Trickle => self,
        }
    }

    pub(crate) fn signed(body: impl Into<Vec<u8>>) -> Self {
        Self::Raw { status: 200, headers: Vec::new(), body: body.into(), is_signed: true }
    }
}

/// Decides what is said: by the order's id, and how often it was asked about before.
type Script = Box<dyn Fn(&str, usize) -> Say + Send + Sync>;

/// A provider on loopback that says what a test wants.
#[derive(Clone)]
pub(crate) struct Provider {
    pub address: SocketAddr,
    state: Arc<ProviderState>,
}

struct ProviderState {
    script: Mutex<Arc<Script>>,
    asked: Mutex<BTreeMap<String, usize>>,
    /// Orders that are being asked about at this moment, and whether one ever was twice.
    under_way: Mutex<BTreeMap<String, usize>>,
    overlapped: Mutex<Vec<String>>,
    refused: Mutex<Vec<String>>,
}

impl Provider {
    pub(crate) async fn start(script: impl Fn(&str, usize) -> Say + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(ProviderState {
            script: Mutex::new(Arc::new(Box::new(script))),
            asked: Mutex::default(),
            under_way: Mutex::default(),
            overlapped: Mutex::default(),
            refused: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    /// Says something else from now on.
    pub(crate) fn say(&self, script: impl Fn(&str, usize) -> Say + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Arc::new(Box::new(script));
    }

    /// How often it was asked about an order.
    pub(crate) fn asked(&self, id: &str) -> usize {
        self.state.asked.lock().unwrap().get(id).copied().unwrap_or(0)
    }

    /// How often it was asked at all.
    pub(crate) fn asked_in_all(&self) -> usize {
        self.state.asked.lock().unwrap().values().sum()
    }

    /// Orders that were asked about by two at the same time, and requests that were not as the
    /// documents say.
    pub(crate) fn faults(&self) -> Vec<String> {
        let overlapped = self.state.overlapped.lock().unwrap().clone();
        overlapped.into_iter().chain(self.state.refused.lock().unwrap().clone()).collect()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn wait_until_asked(&self, id: &str, times: usize) {
        wait_until(|| self.asked(id) >= times, || format!("{id}: {} asks", self.asked(id))).await;
    }

    /// The lines of a source that asks it.
    pub(crate) fn source(&self) -> String {
        format!(
            "base_url = \"http://{}\"\ncredentials = {{ api_key = {{ env = \"SECRET_2\" }}, secret = \
             {{ env = \"SECRET\" }} }}\n",
            self.address
        )
    }
}

/// Waits for a condition that nothing tells about.
pub(crate) async fn wait_until(holds: impl Fn() -> bool, or: impl Fn() -> String) {
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    while !holds() {
        assert!(Instant::now() < give_up_at, "waited in vain: {}", or());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn answer(
    State(state): State<Arc<ProviderState>>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 65_536).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_ours = path == "/v2/order/status"
        && header("api-key") == Some("another")
        && header("signature") == Some(&sign(&text));
    if !is_ours {
        state.refused.lock().unwrap().push(format!("{path} {text}"));
    }
    let question: Value = serde_json::from_str(&text).unwrap_or_default();
    let id = question["order_uuid"].as_str().or(question["order_id"].as_str()).unwrap_or_default();
    let id = id.trim_start_matches("uuid-").to_owned();
    let before = {
        let mut asked = state.asked.lock().unwrap();
        let times = asked.entry(id.clone()).or_default();
        *times += 1;
        *times - 1
    };
    {
        let mut under_way = state.under_way.lock().unwrap();
        let now = under_way.entry(id.clone()).or_default();
        *now += 1;
        if *now > 1 {
            state.overlapped.lock().unwrap().push(format!("{id} was asked about twice at once"));
        }
    }
    let script = Arc::clone(&*state.script.lock().unwrap());
    let response = say(script(&id, before), &id).await;
    *state.under_way.lock().unwrap().get_mut(&id).unwrap() -= 1;
    response
}

async fn say(said: Say, id: &str) -> Response {
    let order = |id: &str, status| {
        format!("{{\"status\":\"success\",\"data\":{}}}", withdrawal(id, status))
    };
    let said = match said {
        Say::Status(status) => Say::signed(order(id, status)),
        Say::OtherOrder => Say::signed(order("another", "completed")),
        Say::Raw { .. } | Say::Silence | Say::Trickle => said,
    };
    match said {
        Say::Raw { status, headers, body, is_signed } => {
            let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
            if is_signed {
                response = response.header("signature", sign(&String::from_utf8_lossy(&body)));
            }
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Say::Trickle => {
            let bytes = futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok::<_, std::io::Error>(bytes::Bytes::from_static(b" ")), ()))
            });
            Response::new(Body::from_stream(bytes))
        }
        Say::Silence | Say::Status(_) | Say::OtherOrder => std::future::pending().await,
    }
}

/// A daemon that asks a provider, with more lines of its source.
pub(crate) async fn start(form: Form, provider: &Provider, more: &str) -> Pawl {
    Pawl::start_on(form, &format!("{}{more}", provider.source())).await
}

impl Pawl {
    /// Registers withdrawals of 100 USDT.
    pub(crate) async fn register(&self, ids: &[String]) {
        let orders: Vec<String> = ids
            .iter()
            .map(|id| {
                format!(
                    r#"{{"source":"shop","order_id":"{id}","kind":"withdraw","amount":"100","currency":"USDT"}}"#
                )
            })
            .collect();
        let body = format!("{{\"orders\":[{}]}}", orders.join(","));
        let answer = self.post("/api/v1/orders", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// Waits until an order is as it should be.
    pub(crate) async fn wait_for_order(&self, id: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(&format!("/api/v1/orders/shop/{id}"), fits).await
    }
}

/// A time that the API shows, in seconds since 1970.
pub(crate) fn secs(time: &Value) -> f64 {
    let time: pawl::order::timestamp::Timestamp = time.as_str().unwrap().parse().unwrap();
    Duration::from_micros(time.micros().unsigned_abs()).as_secs_f64()
}
