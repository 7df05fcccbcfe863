//! How providers write times.

use serde::Deserialize;
use time::UtcOffset;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::order::timestamp::Timestamp;

/// How a provider writes times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2025-11-20T09:03:12Z` (RFC 3339).
    #[default]
    Rfc3339,
    /// `2025-11-20 09:03:12`, with `T` for the blank or not, in this zone unless it says its own.
    DateTime(UtcOffset),
    /// Seconds since 1970, as a number or a text.
    EpochSeconds,
    /// Milliseconds since 1970, as a number or a text.
    EpochMillis,
}

/// The word for it in a definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeWord {
    /// RFC 3339.
    #[default]
    Rfc3339,
    /// A date and a time of day, with a zone or without.
    DateTime,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

impl TimeFormat {
    /// Reads a time; `None` where the text is not one.
    #[must_use]
    pub fn read(self, literal: &str) -> Option<Timestamp> {
        match self {
            Self::Rfc3339 => literal.parse().ok(),
            Self::DateTime(zone) => read_date_time(literal, zone),
            Self::EpochSeconds => read_epoch(literal, 6),
            Self::EpochMillis => read_epoch(literal, 3),
        }
    }

    /// Writes a time, as this provider would: in whole seconds, unless they are counted in thousandths.
    #[must_use]
    pub fn write(self, at: Timestamp) -> String {
        let local = |zone: UtcOffset| at.datetime().to_offset(zone).format(DATE_TIME);
        match self {
            Self::Rfc3339 => {
                format!("{}Z", local(UtcOffset::UTC).unwrap_or_default().replace(' ', "T"))
            }
            Self::DateTime(zone) => local(zone).unwrap_or_default(),
            Self::EpochSeconds => (at.micros() / 1_000_000).to_string(),
            Self::EpochMillis => (at.micros() / 1_000).to_string(),
        }
    }
}

const DATE_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// A zone as a definition writes it: `UTC`, `+02:00`, `-05:30`. Zones with a summer time are not known
/// here: an hour that the clocks pass twice could not be told apart anyway.
#[must_use]
pub fn read_zone(text: &str) -> Option<UtcOffset> {
    if text == "UTC" {
        return Some(UtcOffset::UTC);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let is_pair = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !is_pair(hours) || !is_pair(minutes) {
        return None;
    }
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60)
        .then(|| UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok())
        .flatten()
}

fn read_date_time(literal: &str, zone: UtcOffset) -> Option<Timestamp> {
    let (date, time) = literal.trim().split_once([' ', 'T'])?;
    let time: String = time.chars().filter(|c| *c != ' ').collect();
    let own = format!("{date}T{time}");
    let (hours, minutes, _) = zone.as_hms();
    let sign = if zone.is_negative() { '-' } else { '+' };
    let ours = format!("{own}{sign}{:02}:{:02}", hours.abs(), minutes.abs());
    own.parse().ok().or_else(|| ours.parse().ok())
}

/// A decimal number of units since 1970, of which each has so many digits of microseconds.
fn read_epoch(literal: &str, digits: usize) -> Option<Timestamp> {
    let (whole, fraction) = literal.split_once('.').unwrap_or((literal, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let unit = 10_i64.pow(u32::try_from(digits).ok()?);
    let micros: String = fraction.chars().chain(std::iter::repeat('0')).take(digits).collect();
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    Timestamp::from_micros(whole.checked_add(micros.parse().ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().expect("a time"))
    }

    #[test]
    fn every_form_is_read() {
        let kyiv = TimeFormat::DateTime(read_zone("+02:00").expect("a zone"));
        let utc = TimeFormat::DateTime(UtcOffset::UTC);
        let noon = at("2025-11-20T12:00:00Z");
        assert_eq!(TimeFormat::Rfc3339.read("2025-11-20T14:00:00+02:00"), noon);
        assert_eq!(utc.read("2025-11-20 12:00:00"), noon);
        assert_eq!(kyiv.read("2025-11-20 14:00:00"), noon);
        assert_eq!(kyiv.read("2025-11-20T14:00:00"), noon);
        assert_eq!(kyiv.read("2025-11-20 13:00:00 +01:00"), noon, "it says its own");
        assert_eq!(kyiv.read("2025-11-20 12:00:00Z"), noon);
        assert_eq!(utc.read("2025-11-20 12:00:00.25"), at("2025-11-20T12:00:00.25Z"));
        assert_eq!(TimeFormat::EpochSeconds.read("1763640000"), noon);
        assert_eq!(TimeFormat::EpochSeconds.read("1763640000.5"), at("2025-11-20T12:00:00.5Z"));
        assert_eq!(TimeFormat::EpochMillis.read("1763640000000"), noon);
        assert_eq!(
            TimeFormat::EpochMillis.read("1763640000000.1239"),
            at("2025-11-20T12:00:00.000123Z")
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        let utc = TimeFormat::DateTime(UtcOffset::UTC);
        for text in ["", "soon", "2025-11-20", "2025-13-20 12:00:00", "0000-00-00 00:00:00"] {
            assert_eq!(utc.read(text), None, "{text}");
        }
        for text in ["", "-1", "1e9", "1.", ".5", "99999999999999999999", "1763640000 "] {
            assert_eq!(TimeFormat::EpochSeconds.read(text), None, "{text}");
        }
        for text in ["", "Z", "+2:00", "02:00", "+15:00", "+02:60", "Europe/Kyiv", "+0\u{661}:00"] {
            assert_eq!(read_zone(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let noon = at("2025-11-20T12:00:00Z").expect("a time");
        let zone = read_zone("-03:30").expect("a zone");
        for format in [
            TimeFormat::Rfc3339,
            TimeFormat::DateTime(zone),
            TimeFormat::EpochSeconds,
            TimeFormat::EpochMillis,
        ] {
            assert_eq!(format.read(&format.write(noon)), Some(noon), "{format:?}");
        }
    }
}
