//! Speaks to providers over HTTP, and takes nothing on trust: bounded in time and in bytes, redirects
//! are not followed, and what is not a readable, authentic answer about the order is no information.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::outcome::{Answer, Outcome};
use crate::config::Source;
use crate::order::name::OrderId;
use crate::order::timestamp::Timestamp;
use crate::provider::headers::Headers;
use crate::provider::request::{Ask, Method, Question};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a whole ask may take, to the last byte of the answer.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How large an answer may be, unpacked.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Makes the client of one source.
///
/// # Errors
/// Where TLS cannot be set up: no certificates of authorities are installed.
pub fn client(base_url: &str) -> reqwest::Result<Client> {
    // The process has one provider of cryptography; whoever comes first says which.
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::builder()
        .user_agent(concat!("pawl/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .timeout(DEADLINE)
        .pool_idle_timeout(Duration::from_secs(30));
    // Plain HTTP stays on this machine: no proxy of the environment may see it.
    let is_plain = base_url.starts_with("http://");
    if is_plain { client.no_proxy().build() } else { client.build() }
}

/// Whether anything answers at a base URL, by the way that questions go: the status, whatever it is.
///
/// # Errors
/// Why nothing does.
pub async fn reach(base_url: &str) -> Result<StatusCode, String> {
    let client = client(base_url).map_err(describe)?;
    client.head(base_url).send().await.map(|response| response.status()).map_err(describe)
}

/// Asks one question, and looks at the answer.
pub async fn ask(
    client: &Client,
    (source, base_url): (&Source, &str),
    ask: &Ask,
    question: Question,
    asked: &BTreeSet<OrderId>,
    now: Timestamp,
) -> Outcome {
    let response = match send(client, base_url, question).await {
        Ok(response) => response,
        Err(error) => return Outcome::Unreachable(describe(error)),
    };
    let (status, said_at) = (response.status(), date(response.headers()));
    let retry_after = retry_after(response.headers(), said_at.unwrap_or(now));
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => return Outcome::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Outcome::Forbidden(status.as_u16());
        }
        StatusCode::TOO_MANY_REQUESTS => {
            return Outcome::Throttled { status: status.as_u16(), retry_after };
        }
        StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => {
            return Outcome::Throttled { status: status.as_u16(), retry_after };
        }
        _ if status.is_redirection() => {
            let to =
                if response.headers().contains_key(LOCATION) { "elsewhere" } else { "nowhere" };
            let what = format!("it sends us {to} ({status}), and we do not follow");
            return Outcome::Unreadable(what);
        }
        _ if !status.is_success() => return Outcome::Unreadable(format!("it answered {status}")),
        _ => {}
    }
    let headers = take_headers(response.headers());
    let kind = response.headers().get(CONTENT_TYPE).cloned();
    let body = match read(response).await {
        Ok(body) => body,
        Err(outcome) => return outcome,
    };
    let verified = ask.verify(&headers, &body, &source.credentials);
    #[cfg(feature = "plants")]
    let verified = verified.or_else(|error| {
        if crate::plant::is_planted("believe_unsigned_answers") { Ok(()) } else { Err(error) }
    });
    if let Err(error) = verified {
        let kind = kind.and_then(|kind| kind.to_str().map(str::to_owned).ok());
        let kind = kind.unwrap_or_default().chars().take(40).collect::<String>();
        return Outcome::Unreadable(format!("the answer is not authentic: {error} ({kind:?})"));
    }
    match source.provider.read_answer(ask, asked, &body, said_at, now) {
        Ok(_) => Outcome::Answered(Answer { body, said_at }),
        Err(error) => Outcome::Unreadable(error.to_string()),
    }
}

async fn send(client: &Client, base_url: &str, question: Question) -> reqwest::Result<Response> {
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
            Err(error) => return Err(Outcome::Unreachable(describe(error))),
        }
    }
}

/// What went wrong, with its causes and without the URL, which may name an order.
fn describe(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("it took longer than {} s", DEADLINE.as_secs());
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

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// A date as HTTP writes it (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    Timestamp::from_datetime(OffsetDateTime::parse(text, &Rfc2822).ok()?)
}

/// How long to wait (RFC 9110, 10.2.3): seconds, or a date, which is compared with the one that the same
/// clock gave the answer.
fn retry_after(headers: &HeaderMap, said_at: Timestamp) -> Option<Duration> {
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
