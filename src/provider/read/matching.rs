//! Whether a body says something that a definition names.

use super::Doc;
use crate::provider::json::{Json, Pointer};

/// Something that a body may say at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// Where. Of several the first that finds something counts.
    pub at: Vec<Pointer>,
    /// One of these texts; numbers, `true` and `false` as they are written. A `*` at the end stands for
    /// whatever follows.
    pub is: Vec<String>,
}

impl Matching {
    /// Whether the body says so.
    pub(in crate::provider) fn holds(&self, doc: Doc<'_>) -> bool {
        let said = match doc.find(&self.at) {
            Some((_, Json::Text(text) | Json::Number(text))) => text.as_str(),
            Some((_, Json::Bool(true))) => "true",
            Some((_, Json::Bool(false))) => "false",
            Some((_, Json::Null | Json::List(_) | Json::Object(_))) | None => return false,
        };
        self.is.iter().any(|wanted| fits(wanted, said))
    }
}

/// Whether a text is the one that is wanted. A `*` at the end of that stands for whatever follows.
#[must_use]
pub fn fits(wanted: &str, said: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => said.starts_with(start),
        None => said == wanted,
    }
}
