//! What leaves: notices to sinks, at least once, each order's in their order, under one identity.

mod address;
mod amqp;
mod contents;
mod crash;
mod merge;
mod order;
mod outage;
mod several;
mod stop;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::daemon::form::Form;
use crate::daemon::{Pawl, withdrawal};
use crate::poll::wait_until;

/// How a receiver answers one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// With a status, at once.
    Status(u16),
    /// With a status and a header.
    With(u16, &'static str, String),
    /// Not before the test is over.
    Never,
}

/// Something that a receiver was told.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub body: Value,
    pub raw: Vec<u8>,
    pub headers: HeaderMap,
    /// What it was answered with; nothing where it was not answered.
    pub status: Option<u16>,
}

impl Heard {
    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }

    pub(crate) fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    pub(crate) fn order(&self) -> &str {
        self.body["subject"].as_str().unwrap()
    }

    pub(crate) fn seq(&self) -> u64 {
        self.body["sequence"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| status < 300)
    }
}

/// Decides how a request is answered: by what it says, and how often the same was heard before.
type Script = Box<dyn Fn(&Value, usize) -> Answer + Send + Sync>;

/// An integrator's receiver on loopback that answers as a test wants.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub address: SocketAddr,
    state: Arc<ReceiverState>,
}

struct ReceiverState {
    script: Mutex<Arc<Script>>,
    heard: Mutex<Vec<Heard>>,
}

impl Receiver {
    pub(crate) async fn start(
        script: impl Fn(&Value, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(ReceiverState {
            script: Mutex::new(Arc::new(Box::new(script))),
            heard: Mutex::default(),
        });
        let router = Router::new().fallback(hear).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    /// One that takes everything.
    pub(crate) async fn willing() -> Self {
        Self::start(|_, _| Answer::Status(204)).await
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer(&self, script: impl Fn(&Value, usize) -> Answer + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Arc::new(Box::new(script));
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.heard.lock().unwrap().clone()
    }

    /// What it took, each once: by identity, in the order in which it first did.
    pub(crate) fn taken(&self) -> Vec<Heard> {
        let mut taken: Vec<Heard> = Vec::new();
        for heard in self.heard().into_iter().filter(Heard::is_taken) {
            if !taken.iter().any(|known| known.id() == heard.id()) {
                taken.push(heard);
            }
        }
        taken
    }

    /// What it took of one order: types, in their order.
    pub(crate) fn taken_of(&self, order: &str) -> Vec<String> {
        let of = |heard: &Heard| heard.order() == order;
        self.taken().into_iter().filter(of).map(|heard| heard.kind().to_owned()).collect()
    }

    /// Waits until it took so many of an order.
    pub(crate) async fn wait_for(&self, order: &str, count: usize) {
        let of = || self.taken_of(order);
        wait_until(|| of().len() >= count, || format!("{order}: {:?}", of())).await;
    }

    /// The lines of a sink of this name that tells it, with more lines.
    pub(crate) fn sink(&self, name: &str, more: &str) -> String {
        format!(
            "[sink.{name}]\nkind = \"http\"\nurl = \"http://{}/pawl\"\nsecrets = [{{ env = \"SINK_SECRET\" \
             }}]\n{more}\n",
            self.address
        )
    }

    /// No order's notice was ever heard before one that comes before it was taken.
    pub(crate) fn check_order(&self) {
        let mut taken: BTreeMap<String, u64> = BTreeMap::new();
        for heard in self.heard() {
            let key = heard.body["data"]["order_key"].as_str().unwrap().to_owned();
            let known = taken.entry(key).or_default();
            let seq = heard.seq();
            assert!(seq <= *known + 1, "{} {seq} was heard after {known}", heard.order());
            if heard.is_taken() {
                *known = seq.max(*known);
            }
        }
    }
}

async fn hear(State(state): State<Arc<ReceiverState>>, headers: HeaderMap, raw: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&raw).unwrap();
    let script = Arc::clone(&state.script.lock().unwrap());
    let mut heard = Heard { body, raw: raw.to_vec(), headers, status: None };
    let before = {
        let all = state.heard.lock().unwrap();
        all.iter().filter(|known| known.id() == heard.id()).count()
    };
    let answer = script(&heard.body, before);
    heard.status = match &answer {
        Answer::Status(status) | Answer::With(status, ..) => Some(*status),
        Answer::Never => None,
    };
    state.heard.lock().unwrap().push(heard);
    let code = |status: u16| StatusCode::from_u16(status).unwrap();
    match answer {
        Answer::Status(status) => code(status).into_response(),
        Answer::With(status, name, value) => (code(status), [(name, value)]).into_response(),
        Answer::Never => {
            std::future::pending::<()>().await;
            unreachable!()
        }
    }
}

/// Retries at once, so that a test need not wait.
pub(crate) const FAST: &str = "[sink.books.retry]\nfirst_secs = 1\ncap_secs = 1\n";

/// A daemon that tells a receiver.
pub(crate) async fn start(form: Form, receiver: &Receiver, more: &str) -> Pawl {
    Pawl::start_on(form, &receiver.sink("books", more)).await
}

/// Sends a callback about a withdrawal, which is accepted.
pub(crate) async fn send(pawl: &Pawl, id: &str, status: &str) {
    let answer = pawl.send(&withdrawal(id, status)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// A gauge of the sink, as the metrics say.
pub(crate) async fn gauge(pawl: &Pawl, name: &str) -> f64 {
    let metrics = pawl.get("/metrics").await.body;
    let start = format!("{name}{{sink=\"books\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name}: {metrics}"))
}

/// Waits until a gauge of the sink fits.
pub(crate) async fn wait_for_gauge(pawl: &Pawl, name: &str, fits: impl Fn(f64) -> bool) {
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    loop {
        let value = gauge(pawl, name).await;
        if fits(value) {
            return;
        }
        assert!(std::time::Instant::now() < give_up_at, "{name} is {value}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
