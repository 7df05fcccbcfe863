//! The time of signing, and how far it may be from ours.

use std::time::Duration;

use serde::Deserialize;

use super::SignatureError;
use super::request::Place;
use crate::order::timestamp::Timestamp;

/// How a time of signing is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds since 1970.
    #[default]
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// `2025-11-20T09:03:12Z` (RFC 3339).
    Rfc3339,
}

/// Where the time of signing is, and how far it may be from ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub place: Place,
    pub unit: Unit,
    pub tolerance: Duration,
}

impl Unit {
    /// Reads a time. What it reads is as long as it must be and no longer, so that a time next to other
    /// text cannot take from it or give to it: no sign, no zero before a number.
    pub(super) fn read(self, text: &str) -> Option<Timestamp> {
        let micros = |each: i64| {
            let is_number = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
            let number: i64 = is_number.then(|| text.parse().ok())??;
            Timestamp::from_micros(number.checked_mul(each)?)
        };
        match self {
            Self::Seconds => micros(1_000_000),
            Self::Millis => micros(1_000),
            Self::Rfc3339 => text.parse().ok(),
        }
    }

    /// Writes a time.
    pub(super) fn write(self, at: Timestamp) -> String {
        match self {
            Self::Seconds => (at.micros() / 1_000_000).to_string(),
            Self::Millis => (at.micros() / 1_000).to_string(),
            Self::Rfc3339 => at.to_string(),
        }
    }
}

impl Stamp {
    /// A request is of now: neither replayed later, nor signed in advance.
    pub(super) fn check(&self, signed_at: Timestamp, now: Timestamp) -> Result<(), SignatureError> {
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("ignore_tolerance") {
            return Ok(());
        }
        let apart = now.since(signed_at).max(signed_at.since(now));
        if apart <= self.tolerance { Ok(()) } else { Err(SignatureError::OutOfTime) }
    }
}
