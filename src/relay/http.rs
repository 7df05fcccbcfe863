//! Tells a sink by HTTP, signed as Standard Webhooks 1.0 says: the notice's identity stays, the time is that of
//! the attempt.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

use super::address::Checked;
use super::told::Told;
use crate::order::timestamp::Timestamp;
use crate::poll::client::{describe, retry_after, said_at};
use crate::provider::headers::Headers;
use crate::provider::secret::CallbackSecret;
use crate::provider::signature::{Request, SignError, Signature};
use crate::store::NoticeRow;

/// What a notice is, to HTTP: a CloudEvent in structured mode.
pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How much of an answer is read, so that the connection may be used again. Nobody looks at it.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A sink that is told by HTTP.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    url: String,
    secrets: Vec<CallbackSecret>,
    signature: Signature,
    timeout: Duration,
}

impl Http {
    pub(super) fn new(
        url: &str,
        secrets: &[CallbackSecret],
        signature: &Signature,
        allow_private: bool,
        timeout: Duration,
    ) -> reqwest::Result<Self> {
        // The process has one provider of cryptography; whoever comes first says which.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = Client::builder()
            .user_agent(concat!("pawl/", env!("CARGO_PKG_VERSION")))
            // What is not the receiver itself is not trusted with its money.
            .redirect(Policy::none())
            // A proxy would look up the name anew, and connect to whatever it finds.
            .no_proxy()
            .dns_resolver(Checked { allow_private })
            .connect_timeout(CONNECT)
            .timeout(timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            client,
            url: url.to_owned(),
            secrets: secrets.to_vec(),
            signature: signature.clone(),
            timeout,
        })
    }

    /// Whether anything answers: the status, whatever it is.
    pub(super) async fn reach(&self) -> Result<StatusCode, String> {
        let answered = self.client.head(&self.url).send().await;
        answered.map(|answer| answer.status()).map_err(|error| describe(error, self.timeout))
    }

    pub(super) async fn tell(&self, notice: &NoticeRow, now: Timestamp) -> Told {
        let headers = match self.sign(notice, now) {
            Ok(headers) => headers,
            Err(why) => return Told::Failed(format!("it cannot be signed: {why}")),
        };
        let mut request = self.client.post(&self.url).header("content-type", CONTENT_TYPE);
        for (name, value) in headers.iter() {
            request = request.header(name, value);
        }
        match request.body(notice.body.clone()).send().await {
            Ok(response) => answered(response, now).await,
            Err(error) => Told::Unreachable(describe(error, self.timeout)),
        }
    }

    /// The headers: id, time, and the signatures of all secrets that are good now.
    fn sign(&self, notice: &NoticeRow, now: Timestamp) -> Result<Headers, String> {
        let id = notice.id.to_string();
        let (none, body) = (Headers::default(), notice.body.as_bytes());
        let request =
            Request { method: "POST", path: "", url: None, headers: &none, body, at: now };
        let good = self.secrets.iter().filter(|secret| secret.is_good_at(now));
        let signed: Vec<Headers> = good
            .map(|secret| self.signature.sign_request(&request, Some(&id), None, &secret.secret))
            .collect::<Result<_, SignError>>()
            .map_err(|error| error.to_string())?;
        let first = signed.first().ok_or("no secret is good at this time")?;
        let name = self.signature.header();
        let mut headers: Headers = first
            .iter()
            .filter(|(known, _)| *known != name)
            .map(|(known, value)| (known.to_owned(), value.to_owned()))
            .collect();
        let all: Vec<&str> =
            signed.iter().filter_map(|headers| headers.only(name).ok().flatten()).collect();
        headers.push(name, all.join(" "));
        Ok(headers)
    }
}

async fn answered(mut response: Response, now: Timestamp) -> Told {
    let status = response.status();
    let after = retry_after(response.headers(), said_at(response.headers()).unwrap_or(now));
    let mut read = 0;
    while read < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        read += chunk.len();
    }
    match status {
        _ if status.is_success() => Told::Taken,
        StatusCode::GONE => Told::Gone,
        StatusCode::TOO_MANY_REQUESTS => {
            Told::Later { status: status.as_u16(), retry_after: after }
        }
        StatusCode::SERVICE_UNAVAILABLE if after.is_some() => {
            Told::Later { status: status.as_u16(), retry_after: after }
        }
        _ if status.is_redirection() => {
            Told::Refused(format!("it sends us elsewhere ({status}), and we do not follow"))
        }
        _ if status.is_server_error() => Told::Failed(format!("it answered {status}")),
        _ => Told::Refused(format!("it answered {status}")),
    }
}
