//! Speaks to the admin API of a running daemon, for the commands that look and act.

use std::time::Duration;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::net::TcpStream;

use super::Failure;
use crate::config::Admin;
use crate::provider::secret::Secret;

const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A daemon's admin port.
pub(super) struct Client {
    host: String,
    token: Option<Secret>,
}

/// What the API answered.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Client {
    /// The daemon at a URL, or the one that the configuration is of.
    pub(super) fn of(url: Option<&str>, admin: Option<&Admin>) -> Result<Self, Failure> {
        let host = match url {
            None => admin.map(|admin| admin.listen.to_string()).unwrap_or_default(),
            Some(url) => match url.trim_end_matches('/').strip_prefix("http://") {
                Some(host) if !host.contains('/') => host.to_owned(),
                _ => {
                    let error = format!("`{url}` is no admin URL: write http://HOST:PORT");
                    return Err(Failure::usage(anyhow::anyhow!(error)));
                }
            },
        };
        Ok(Self { host, token: admin.and_then(|admin| admin.token.clone()) })
    }

    pub(super) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, None)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.send(Method::POST, path, Some(body.to_string()))
    }

    fn send(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, Failure> {
        let answer = runtime()?.block_on(self.exchange(method, path, body));
        let (status, body) = answer.map_err(Failure::unavailable)?;
        let body = serde_json::from_slice(&body).context("the daemon's answer is not JSON");
        Ok(Answer { status, body: body.map_err(Failure::unavailable)? })
    }

    /// Gets what is a text and not JSON, within a time.
    pub(super) fn get_text(
        &self,
        path: &str,
        deadline: Duration,
    ) -> Result<(StatusCode, String), Failure> {
        let exchange = async {
            let exchange = self.exchange(Method::GET, path, None);
            let late = || format!("no answer from http://{} in time", self.host);
            tokio::time::timeout(deadline, exchange).await.with_context(late)?
        };
        let (status, body) = runtime()?.block_on(exchange).map_err(Failure::unavailable)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let unreachable =
            || format!("no daemon answers at http://{}: is `pawl serve` running?", self.host);
        let stream = TcpStream::connect(&self.host).await.with_context(unreachable)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.with_context(unreachable)?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", &self.host);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let answer = sender.send_request(request).await.with_context(unreachable)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.with_context(unreachable)?.to_bytes();
        Ok((status, body))
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::other(anyhow::Error::new(error)))
}

impl Answer {
    /// The body of an answer that is one; else what the daemon says is wrong.
    pub(super) fn ok(self) -> Result<Value, Failure> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let detail = self.body["detail"].as_str().unwrap_or("no reason given").to_owned();
        Err(Failure::other(anyhow::anyhow!("{detail} ({})", self.status.as_u16())))
    }
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, IN_PATH).to_string()
}
