//! Instants as Pawl keeps them: whole microseconds, UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Microseconds since 1970-01-01T00:00:00Z. Whole microseconds from the edge on: Postgres rounds
/// what is finer, and a rounded time no longer equals the one that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const YEAR_10000_MICROS: i64 = 253_402_300_800_000_000;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// An instant by its microseconds since the epoch; `None` outside of the years 1970 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        (0..YEAR_10000_MICROS).contains(&micros).then_some(Self(micros))
    }

    /// Truncates to microseconds; `None` outside of the years 1970 to 9999.
    #[must_use]
    pub fn from_datetime(at: OffsetDateTime) -> Option<Self> {
        i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).ok().and_then(Self::from_micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// This instant and some seconds more, at most the end of the year 9999.
    #[must_use]
    pub fn plus_secs(self, secs: u64) -> Self {
        self.plus(std::time::Duration::from_secs(secs))
    }

    /// This instant and some time more, at most the end of the year 9999.
    #[must_use]
    pub fn plus(self, time: std::time::Duration) -> Self {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(YEAR_10000_MICROS - 1))
    }

    /// This instant and some time less; `None` before 1970.
    #[must_use]
    pub fn minus(self, time: std::time::Duration) -> Option<Self> {
        Self::from_micros(self.0.checked_sub(i64::try_from(time.as_micros()).ok()?)?)
    }

    /// How much later this instant is than another; nothing where it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// The instant for a library that has calendars.
    #[must_use]
    pub fn datetime(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z"
        );
        f.write_str(&self.datetime().format(&shape).map_err(|_| fmt::Error)?)
    }
}

/// A text that is no instant of the years 1970 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time such as 2026-01-31T12:00:00Z")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(Self::from_datetime)
            .ok_or_else(|| TimestampError(text.chars().take(40).collect()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_truncated_to_microseconds_and_written_in_utc() {
        let at: Timestamp = "2025-11-20T10:15:31.123456789+01:00".parse().expect("a time");
        assert_eq!(at.to_string(), "2025-11-20T09:15:31.123456Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err());
    }
}
