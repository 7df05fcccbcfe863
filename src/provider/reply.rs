//! What a provider wants to read: that its callback was accepted, and that we are here at all.

use super::json::{Json, Pointer};
use super::read::{Doc, Matching};

/// The answer to an accepted callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// With which status, 200 to 299.
    pub status: u16,
    /// With which body; empty for none.
    pub body: String,
    /// Of which media type.
    pub content_type: String,
}

/// A request that only proves that we are here: it is answered with what it carries, and is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A GET with the challenge in its query.
    Query {
        /// The parameter that carries it.
        name: String,
        /// The parameter that must carry one of the source's callback secrets.
        token: Option<String>,
    },
    /// An authentic callback with the challenge in its body.
    Body {
        /// Where it is.
        at: Vec<Pointer>,
        /// Only in bodies that say this.
        when: Option<Matching>,
    },
}

/// How long a challenge may be, in bytes. Those of real providers have less than 100.
const CHALLENGE_BYTES_MAX: usize = 512;

impl Challenge {
    /// The challenge of an authentic callback, if it is one.
    pub(super) fn find(&self, body: &Json) -> Option<String> {
        let Self::Body { at, when } = self else { return None };
        let doc = Doc { body, item: 0 };
        if when.as_ref().is_some_and(|when| !when.holds(doc)) {
            return None;
        }
        match doc.find(at)?.1 {
            Json::Text(text) => echo(text),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => None,
        }
    }
}

/// A challenge as it is sent back. Whoever sends it chooses what we answer, so it may be nothing that a
/// browser would take for a page.
#[must_use]
pub fn echo(challenge: &str) -> Option<String> {
    let is_plain = (1..=CHALLENGE_BYTES_MAX).contains(&challenge.len())
        && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=:".contains(&b));
    is_plain.then(|| challenge.to_owned())
}
