//! The daemon, as the world sees it: real HTTP, real databases, real brokers, real signals.

mod admin;
mod crash;
mod database;
mod dead;
mod distributed;
mod embedded;
mod flow;
pub(crate) mod form;
mod hints;
mod ledger;
mod log;
mod notify;
mod operate;
pub(crate) mod outage;
mod people;
mod postgres;
mod prepared;
pub(crate) mod process;
pub(crate) mod queue;
mod refusal;
mod reload;
mod replies;
mod stop;
mod store;
mod store_outage;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use form::Form;
use pawl::clock::Clock;
use pawl::config::Config;
use pawl::provider::secret::Secret;
use pawl::roles::Roles;
use pawl::run::Daemon;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const SECRET: &str = "fp_secret_demo";

/// What requests to sinks are signed with, and what they are signed with next.
pub(crate) const SINK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const SINK_SECRET_2: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// For how long a condition is waited for that nothing tells about. No measure of anything: a busy machine may take
/// its time, and a planted fault shows as a wait in vain.
pub(crate) fn patience() -> Duration {
    let is_planted = std::env::var_os("PAWL_PLANT").is_some();
    Duration::from_secs(if is_planted { 30 } else { 180 })
}

/// A daemon in this process, on free ports, with everything of its own.
pub(crate) struct Pawl {
    pub clock: Clock,
    pub receive: std::net::SocketAddr,
    pub admin: std::net::SocketAddr,
    daemon: Option<Daemon>,
    text: String,
    /// Removed with all that is in it when the test ends.
    own: form::Own,
}

/// What an HTTP request was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value.trim_end()))
    }
}

pub(crate) fn env() -> BTreeMap<String, String> {
    let secrets = [
        ("SECRET", SECRET),
        ("SECRET_2", "another"),
        ("SECRET_3", "expired"),
        ("SINK_SECRET", SINK_SECRET),
        ("SINK_SECRET_2", SINK_SECRET_2),
    ];
    secrets.into_iter().map(|(name, secret)| (name.to_owned(), secret.to_owned())).collect()
}

impl Pawl {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts embedded, with more lines in the configuration, the first of them of the source.
    pub(crate) async fn start_with(more: &str) -> Self {
        Self::start_on(Form::Embedded, more).await
    }

    pub(crate) async fn start_on(form: Form, more: &str) -> Self {
        let own = form::Own::new(form).await;
        let text = own.config(more);
        Self::start_by(own, text).await
    }

    /// Starts on what is a test's own already, by a configuration.
    pub(crate) async fn start_by(own: form::Own, text: String) -> Self {
        let clock = Clock::default();
        let daemon = start(&text, &clock).await;
        let (receive, admin) = (daemon.receive_address.unwrap(), daemon.admin_address);
        Self { clock, receive, admin, daemon: Some(daemon), text, own }
    }

    /// Stops it and starts it again, on other ports.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let daemon = start(&self.text, &self.clock).await;
        (self.receive, self.admin) = (daemon.receive_address.unwrap(), daemon.admin_address);
        self.daemon = Some(daemon);
    }

    /// The same, with another configuration.
    pub(crate) async fn restart_with(&mut self, text: String) {
        self.text = text;
        self.restart().await;
    }

    /// Where its callbacks wait.
    pub(crate) fn queue(&self) -> &pawl::queue::Queue {
        self.daemon.as_ref().unwrap().queue()
    }

    /// Where its orders are kept.
    pub(crate) fn store(&self) -> &pawl::store::Store {
        self.daemon.as_ref().unwrap().store().unwrap()
    }

    /// Its configuration.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The URLs of its database and its broker, where it has any.
    pub(crate) fn urls(&self) -> Option<&(Secret, Secret)> {
        self.own.urls.as_ref()
    }

    /// Its file, where it is embedded.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.own.folder.path().join("pawl.db")
    }

    /// Ends it where it stands: nothing that is under way is brought to its end.
    pub(crate) async fn crash(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.abort().await;
        }
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await.unwrap();
        }
    }

    /// Sends a signed callback.
    pub(crate) async fn send(&self, body: &str) -> Answer {
        callback(self.receive, body, &sign(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        exchange(
            self.admin,
            &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        )
        .await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        exchange(self.admin, &request).await
    }

    /// Waits until the answer to a GET fits, and returns it.
    pub(crate) async fn wait_for(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        loop {
            let answer = self.get(path).await;
            if answer.status == 200 && fits(&answer.json()) {
                return answer.json();
            }
            assert!(Instant::now() < give_up_at, "never fitted: {path} {}", answer.body);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until every callback that was accepted has its verdict, or is a dead letter, and returns
    /// the metrics.
    pub(crate) async fn wait_until_drained(&self) -> String {
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        loop {
            let metrics = self.get("/metrics").await.body;
            let sum = |name: &str, label: &str| -> u64 {
                let lines = metrics.lines().filter(|l| l.starts_with(name) && l.contains(label));
                lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
            };
            let accepted = sum("pawl_callbacks_total{", "outcome=\"accepted\"");
            let decided = sum("pawl_verdicts_total{", "origin=\"callback\"");
            let redriven = sum("pawl_redriven_callbacks_total{", "");
            if accepted + redriven == decided + sum("pawl_dead_callbacks_total{", "") {
                return metrics;
            }
            assert!(Instant::now() < give_up_at, "{accepted} accepted, {decided} decided");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn order(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/orders/shop/{id}")).await.json()
    }

    pub(crate) async fn events(&self, id: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/v1/orders/shop/{id}/events")).await.json();
        answer["items"].as_array().unwrap().clone()
    }
}

async fn start(text: &str, clock: &Clock) -> Daemon {
    let config = Config::read("pawl.toml", text, &env()).unwrap_or_else(|m| panic!("{m}"));
    Daemon::start(&config, &Roles::all(), clock.clone()).await.unwrap()
}

/// The signature of a body.
pub(crate) fn sign(body: &str) -> String {
    sign_with(SECRET, body)
}

pub(crate) fn sign_with(secret: &str, body: &str) -> String {
    let secret = Secret::new(secret).unwrap();
    crate::flypay::flypay().signature.sign(body.as_bytes(), &secret).unwrap()
}

/// A callback of FlyPay about a withdrawal.
pub(crate) fn withdrawal(id: &str, status: &str) -> String {
    let moved = if status.starts_with("completed") { r#","amount_to":"100""# } else { "" };
    format!(
        r#"{{"order_uuid":"uuid-{id}","order_type":"withdraw","user_order_id":"{id}","currency_to":"usdt","expected_amount_to":"100","amount_to_fee":"1","status":"{status}","updated_at":"2025-11-20 09:00:01"{moved}}}"#
    )
}

pub(crate) async fn callback(to: std::net::SocketAddr, body: &str, signature: &str) -> Answer {
    let request = format!(
        "POST /callbacks/shop HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nsignature: \
         {signature}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(to, &request).await
}

/// Sends bytes and reads until the other side closes.
pub(crate) async fn exchange(to: std::net::SocketAddr, request: &str) -> Answer {
    exchange_bytes(to, request.as_bytes()).await.unwrap()
}

pub(crate) async fn exchange_bytes(
    to: std::net::SocketAddr,
    request: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(to).await?;
    // The other side may answer and close before it has read everything.
    stream.write_all(request).await.ok();
    let mut read = Vec::new();
    let end = stream.read_to_end(&mut read).await;
    if read.is_empty() {
        end?;
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let text = String::from_utf8_lossy(&read).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
