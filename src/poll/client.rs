//! Speaks to providers over HTTP, and takes nothing on trust: bounded in time and in bytes, redirects
//! are not followed, and what is not a readable, authentic answer about the order is no information.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Identity, Response, StatusCode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use zeroize::Zeroizing;

use super::outcome::Outcome;
use crate::config::Source;
use crate::order::timestamp::Timestamp;
use crate::provider::envelope::Envelope;
use crate::provider::headers::Headers;
use crate::provider::meaning::{Errors, Meaning};
use crate::provider::request::{CLIENT_CERTIFICATE, Credentials, Method, Question, origin};
use crate::provider::secret::Secret;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a whole ask may take, to the last byte of the answer.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How large an answer may be, unpacked.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Makes the client of one source.
///
/// # Errors
/// Where TLS cannot be set up: no certificates of authorities are installed, or the source's own is none.
pub fn client(source: &Source) -> reqwest::Result<Client> {
    // The process has one provider of cryptography; whoever comes first says which.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut client = Client::builder()
        .user_agent(concat!("pawl/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .timeout(DEADLINE)
        .pool_idle_timeout(Duration::from_secs(30));
    if source.provider.auth.has_client_certificate {
        let parts = CLIENT_CERTIFICATE.iter().filter_map(|name| source.credentials.get(*name));
        let pem: Vec<&str> = parts.map(Secret::expose).collect();
        let pem = Zeroizing::new(pem.join("\n"));
        client = client.identity(Identity::from_pem(pem.as_bytes())?);
    }
    // Plain HTTP stays on this machine: no proxy of the environment may see it.
    let is_plain = source.base_url.as_ref().is_some_and(|url| url.starts_with("http://"));
    if is_plain { client.no_proxy().build() } else { client.build() }
}

/// Whether anything answers at a source's base URL, by the way that questions go: the status, whatever it
/// is.
///
/// # Errors
/// Why nothing does.
pub async fn reach(source: &Source, base_url: &str) -> Result<StatusCode, String> {
    let client = client(source).map_err(|error| describe(error, DEADLINE))?;
    client
        .head(base_url)
        .send()
        .await
        .map(|response| response.status())
        .map_err(|error| describe(error, DEADLINE))
}

/// What a provider replied to a question.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// When it was given, by the provider's clock.
    pub said_at: Option<Timestamp>,
    /// How long it wants to be left alone, where it says so.
    pub retry_after: Option<Duration>,
}

/// Sends a question. The body of the reply is read where it is one of success, or where what an error
/// means may depend on it.
///
/// # Errors
/// What came of it, where there is no reply.
pub(super) async fn fetch(
    client: &Client,
    base_url: &str,
    question: Question,
    errors: &Errors,
    now: Timestamp,
) -> Result<Reply, Outcome> {
    let response = send(client, base_url, question).await;
    let response = response.map_err(|error| Outcome::Unreachable(describe(error, DEADLINE)))?;
    let (status, said_at) = (response.status(), said_at(response.headers()));
    let retry_after = retry_after(response.headers(), said_at.unwrap_or(now));
    let headers = take_headers(response.headers());
    let is_read = status.is_success() || errors.needs_body(status.as_u16());
    let body = match is_read {
        false => Vec::new(),
        true => match read(response).await {
            Ok(body) => body,
            // That it is an error is known all the same.
            Err(_) if !status.is_success() => Vec::new(),
            Err(outcome) => return Err(outcome),
        },
    };
    Ok(Reply { status, headers, body, said_at, retry_after })
}

impl Reply {
    /// Checks that the reply is an authentic answer: it may be none by its status, by its signature, by what
    /// it says of itself, or by what the definition says about errors.
    ///
    /// # Errors
    /// What it is instead.
    pub(super) fn check(
        &self,
        envelope: &Envelope,
        credentials: &Credentials,
    ) -> Result<(), Outcome> {
        if !self.status.is_success() {
            return Err(self.error(envelope.errors.meaning(self.status.as_u16(), &self.body)));
        }
        let verified = envelope.verify(&self.headers, &self.body, credentials);
        #[cfg(feature = "plants")]
        let verified = verified.or_else(|error| {
            if crate::plant::is_planted("believe_unsigned_answers") { Ok(()) } else { Err(error) }
        });
        if let Err(error) = verified {
            let kind = self.headers.only(CONTENT_TYPE.as_str()).ok().flatten().unwrap_or_default();
            let kind: String = kind.chars().take(40).collect();
            let what = format!("the answer is not authentic: {error} ({kind:?})");
            return Err(Outcome::Unreadable(what));
        }
        match envelope.errors.meaning(self.status.as_u16(), &self.body) {
            None => Ok(()),
            Some(meaning) => Err(self.error(Some(meaning))),
        }?;
        envelope.check(&self.body).map_err(|error| Outcome::Unreadable(error.to_string()))
    }

    /// What an error comes to: what the definition says that it means, or else what HTTP says.
    pub(super) fn error(&self, meaning: Option<Meaning>) -> Outcome {
        let status = self.status.as_u16();
        let meaning = meaning.unwrap_or(match self.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Meaning::NotFound,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Meaning::Forbidden,
            StatusCode::TOO_MANY_REQUESTS => Meaning::Throttled,
            StatusCode::SERVICE_UNAVAILABLE if self.retry_after.is_some() => Meaning::Throttled,
            _ => Meaning::NoInformation,
        });
        match meaning {
            Meaning::NotFound => Outcome::NotFound,
            Meaning::Forbidden => Outcome::Forbidden(status),
            Meaning::Throttled => Outcome::Throttled { status, retry_after: self.retry_after },
            Meaning::NoInformation if self.status.is_redirection() => {
                let is_somewhere = matches!(self.headers.only(LOCATION.as_str()), Ok(Some(_)));
                let to = if is_somewhere { "elsewhere" } else { "nowhere" };
                let status = self.status;
                let what = format!("it sends us {to} ({status}), and we do not follow");
                Outcome::Unreadable(what)
            }
            Meaning::NoInformation => Outcome::Unreadable(format!("it answered {}", self.status)),
        }
    }
}

async fn send(client: &Client, base_url: &str, question: Question) -> reqwest::Result<Response> {
    let base_url = if question.is_from_host { origin(base_url) } else { base_url };
    let url = format!("{base_url}{}", question.path);
    let mut request = match question.method {
        Method::Get => client.get(url),
        Method::Post => client.post(url),
    };
    for (name, value) in question.headers.iter() {
        request = request.header(name, value);
    }
    if !question.body.is_empty() {
        request = request.body(question.body);
    }
    request.send().await
}

/// Reads a body, unpacked, up to a limit.
async fn read(mut response: Response) -> Result<Vec<u8>, Outcome> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_BYTES_MAX => {
                let what = format!("the answer is larger than {BODY_BYTES_MAX} bytes");
                return Err(Outcome::Unreadable(what));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return Err(Outcome::Unreachable(describe(error, DEADLINE))),
        }
    }
}

/// What went wrong, with its causes and without the URL, which may name an order.
pub(crate) fn describe(error: reqwest::Error, deadline: Duration) -> String {
    if error.is_timeout() {
        return format!("it took longer than {} s", deadline.as_secs());
    }
    let error = anyhow::Error::new(error.without_url());
    format!("{error:#}").chars().take(200).collect()
}

fn take_headers(headers: &HeaderMap) -> Headers {
    let line = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(line).collect()
}

/// When an answer was given, by the clock of who gave it.
pub(crate) fn said_at(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// A date as HTTP writes it (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    Timestamp::from_datetime(OffsetDateTime::parse(text, &Rfc2822).ok()?)
}

/// How long to wait (RFC 9110, 10.2.3): seconds, or a date, which is compared with the one that the same
/// clock gave the answer.
pub(crate) fn retry_after(headers: &HeaderMap, said_at: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    http_date(text).map(|until| until.since(said_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_clock_of_who_said_it() {
        let said_at = http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        let secs = |text: &str| {
            let headers = [(RETRY_AFTER, text.parse().expect("a header"))].into_iter().collect();
            retry_after(&headers, said_at).map(|after| after.as_secs())
        };
        assert_eq!(secs("120"), Some(120));
        assert_eq!(secs(" 0 "), Some(0));
        assert_eq!(secs("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(secs("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "it is over");
        for text in ["soon", "-1", "1.5", "", "99999999999999999999999"] {
            assert_eq!(secs(text), None, "{text}");
        }
    }
}
