//! A definition as people and programs read it: a page of text, the same as JSON, and what a source of it needs.

mod json;
mod money;
mod page;
mod question;
mod source;

use std::time::Duration;

pub use json::{brief, whole};
pub use page::page;
pub use source::{source, variable};

use super::read::{Matching, TimeFormat};
use super::signature::Signature;
use super::{Provider, Trust};
use crate::order::rules::Confirm;

/// How far callbacks are to be believed that are signed so.
#[must_use]
pub fn trust(signature: &Signature) -> &'static str {
    match signature.trust() {
        Trust::Claims if signature.is_of_sender_only() => {
            "their sender is known, but not that nobody changed what they say"
        }
        Trust::Claims => "what they say is signed",
        Trust::Hint if signature.is_none() => "not signed: a reason to ask, and nothing more",
        Trust::Hint => "signed, but not all that decides: a reason to ask, and nothing more",
    }
}

/// Which claims wait for an answer, where a source does not say.
fn confirmed(provider: &Provider) -> String {
    let unbound =
        if provider.signature.is_of_sender_only() { Confirm::Always } else { Confirm::Never };
    match provider.confirm.as_ref().unwrap_or(&unbound) {
        Confirm::Never => "never: signed claims move money by themselves".to_owned(),
        Confirm::Always => "always: no claim moves money before an answer says the same".to_owned(),
        Confirm::When { above, statuses } => {
            let above = above.map(|amount| format!("claims of more than {amount}"));
            let names: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
            let names = (!names.is_empty()).then(|| format!("of {}", names.join(", ")));
            above.into_iter().chain(names).collect::<Vec<_>>().join(", and ")
        }
    }
}

/// What a body says somewhere.
fn says(matching: &Matching) -> String {
    let at: Vec<String> = matching.at.iter().map(ToString::to_string).collect();
    format!("{} is {}", at.join(" or "), matching.is.join(" or "))
}

/// A time in the largest unit that it is a whole number of.
fn lasting(time: Duration) -> String {
    let secs = time.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let fits = |(unit, _): &&(u64, &str)| secs >= *unit && secs.is_multiple_of(*unit);
    match units.iter().find(fits) {
        None => "0 seconds".to_owned(),
        Some((unit, name)) if secs == *unit => format!("1 {name}"),
        Some((1, _)) if secs > 2 * 86_400 => {
            format!("{secs} seconds, about {} days", secs / 86_400)
        }
        Some((unit, name)) => format!("{} {name}s", secs / unit),
    }
}

fn time_format(format: TimeFormat) -> String {
    match format {
        TimeFormat::Rfc3339 => "RFC 3339".to_owned(),
        TimeFormat::DateTime(zone) if zone.is_utc() => {
            "a date and a time, in UTC where no zone is said".to_owned()
        }
        TimeFormat::DateTime(zone) => {
            format!("a date and a time, {zone} from UTC where no zone is said")
        }
        TimeFormat::EpochSeconds => "seconds since 1970".to_owned(),
        TimeFormat::EpochMillis => "milliseconds since 1970".to_owned(),
    }
}
