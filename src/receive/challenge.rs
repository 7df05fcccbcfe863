//! Requests that only prove that we are here: answered with what they carry, and not kept.

use hyper::Uri;
use subtle::ConstantTimeEq;

use super::refusal::Refusal;
use crate::config::Source;
use crate::order::timestamp::Timestamp;
use crate::provider::form;
use crate::provider::json::{Json, Pointer};
use crate::provider::reply::{Challenge, echo};

/// The answer to a GET, where the source's provider sends a challenge in its query.
pub(crate) fn answer_query(source: &Source, uri: &Uri, now: Timestamp) -> Result<String, Refusal> {
    let Some(Challenge::Query { name, token }) = &source.provider.challenge else {
        return Err(Refusal::Method);
    };
    let query = form::read(uri.query().unwrap_or_default().as_bytes());
    let query = query.map_err(|_| Refusal::Broken)?;
    let said = |name: &str| match query.at(&Pointer::member(name)) {
        Some(Json::Text(text)) => Some(text.as_str()),
        Some(_) | None => None,
    };
    if let Some(token) = token {
        let said = said(token).unwrap_or_default().as_bytes();
        // Every secret is compared, so that the time does not tell how many there are before a match.
        let known = source.secrets_at(now).fold(subtle::Choice::from(0), |known, secret| {
            known | secret.expose().as_bytes().ct_eq(said)
        });
        if !bool::from(known) {
            return Err(Refusal::Unauthentic);
        }
    }
    said(name).and_then(echo).ok_or(Refusal::Broken)
}
