//! Why a request is refused, and what is then answered.

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use super::Answer;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Method,
    Unknown,
    Busy,
    Stopping,
    TooLarge,
    Empty,
    Broken,
    Slow,
    Encoding,
    Type,
    Unauthentic,
    Flood,
    Unavailable,
    Panicked,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Busy | Self::Flood => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Empty | Self::Broken => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Encoding | Self::Type => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unauthentic => StatusCode::UNAUTHORIZED,
            Self::Stopping | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The label in metrics.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Method | Self::Unknown | Self::Empty | Self::Broken => "bad_request",
            Self::Busy => "busy",
            Self::TooLarge => "too_large",
            Self::Slow => "slow",
            Self::Encoding | Self::Type => "unsupported",
            Self::Unauthentic => "unauthentic",
            Self::Flood => "flood",
            Self::Stopping | Self::Unavailable => "unavailable",
            Self::Panicked => "panicked",
        }
    }

    /// The answer. It says what any answer with this status would say, and no more.
    pub(super) fn answer(self) -> Answer {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!("{{\"title\":\"{title}\",\"status\":{}}}\n", status.as_u16());
        let mut answer = Response::new(http_body_util::Full::from(body));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Self::Busy | Self::Flood | Self::Stopping | Self::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Unknown
            | Self::TooLarge
            | Self::Empty
            | Self::Broken
            | Self::Slow
            | Self::Encoding
            | Self::Type
            | Self::Unauthentic
            | Self::Panicked => {}
        }
        answer
    }
}
