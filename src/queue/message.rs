//! What travels on the queue: callbacks as they came, one or a group in a message.
//!
//! The form (`application/vnd.pawl.callbacks.v1`) is, for each callback, a big-endian u32 length, a
//! JSON header of that length, a u32 length, and the raw body.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::order::name::OrderId;
use crate::order::report::Origin;
use crate::order::timestamp::Timestamp;
use crate::provider::headers::Headers;

/// The content type of a message. Another one is a dead letter.
pub const CONTENT_TYPE: &str = "application/vnd.pawl.callbacks.v1";

/// A callback as it came, or anything else that takes its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// What is known about it beside its body.
    pub header: CallbackHeader,
    /// The raw bytes.
    pub body: Vec<u8>,
}

/// What is known about a callback beside its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackHeader {
    /// Its own id (UUIDv7), made when it was accepted: by this it is settled once.
    pub id: Uuid,
    /// The source that it came for.
    pub source: String,
    /// Where it came from.
    pub origin: Origin,
    /// When it was received.
    pub received_at: Timestamp,
    /// The HTTP headers that are worth keeping. Never a signature, never a credential.
    #[serde(default)]
    pub headers: Headers,
    /// How often it was given back to be tried again.
    #[serde(default)]
    pub attempt: u32,
    /// For an answer: the ids of the order that was asked about. It must name one of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub asked: BTreeSet<OrderId>,
    /// Nobody vouches for what it says: it is a reason to ask, and nothing more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_hint: bool,
    /// For an answer: it is one of several that came in one body.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_item: bool,
    /// For an answer: when the provider gave it, by its own clock (`Date`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<Timestamp>,
}

impl Callback {
    /// The id by which it is kept where it cannot be read. What a feed says comes again with every
    /// overlap: the same bytes are the same letter.
    #[must_use]
    pub fn letter_id(&self) -> Uuid {
        if self.header.origin != Origin::Feed {
            return self.header.id;
        }
        let parts = [self.header.source.as_bytes(), b"\0", &self.body[..]].concat();
        Uuid::new_v5(&Uuid::NAMESPACE_OID, &parts)
    }
}

/// Why a message cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It ends in the middle of a callback.
    #[error("the message ends in the middle of a callback")]
    Truncated,
    /// A header is not what it should be.
    #[error("a callback's header cannot be read: {0}")]
    Header(String),
    /// It holds nothing.
    #[error("the message holds no callback")]
    Empty,
}

/// Packs callbacks into one message.
#[must_use]
pub fn pack(callbacks: &[Callback]) -> Vec<u8> {
    let mut message = Vec::new();
    for callback in callbacks {
        let header = serde_json::to_vec(&callback.header).unwrap_or_default();
        for part in [&header, &callback.body] {
            // Bodies are bounded far below 4 GiB where they are received.
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            message.extend_from_slice(&len.to_be_bytes());
            message.extend_from_slice(part);
        }
    }
    message
}

/// Unpacks a message.
///
/// # Errors
/// [`MessageError`]; then the whole message is a dead letter.
pub fn unpack(mut message: &[u8]) -> Result<Vec<Callback>, MessageError> {
    let mut callbacks = Vec::new();
    while !message.is_empty() {
        let header = take(&mut message)?;
        let header = serde_json::from_slice(header)
            .map_err(|error| MessageError::Header(error.to_string()))?;
        callbacks.push(Callback { header, body: take(&mut message)?.to_vec() });
    }
    if callbacks.is_empty() { Err(MessageError::Empty) } else { Ok(callbacks) }
}

fn take<'a>(message: &mut &'a [u8]) -> Result<&'a [u8], MessageError> {
    let (len, rest) = message.split_first_chunk::<4>().ok_or(MessageError::Truncated)?;
    let len = u32::from_be_bytes(*len) as usize;
    let (part, rest) = rest.split_at_checked(len).ok_or(MessageError::Truncated)?;
    *message = rest;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(body: &[u8]) -> Callback {
        let header = CallbackHeader {
            id: Uuid::now_v7(),
            source: "shop".to_owned(),
            origin: Origin::Callback,
            received_at: "2026-01-01T00:00:00.000001Z".parse().expect("a time"),
            headers: [("content-type", "application/json")].into_iter().collect(),
            attempt: 3,
            asked: BTreeSet::new(),
            is_hint: false,
            is_item: false,
            said_at: None,
        };
        Callback { header, body: body.to_vec() }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let group = [callback(b"{}"), callback(b""), callback(&[0, 255, 10])];
        assert_eq!(unpack(&pack(&group)).as_deref(), Ok(&group[..]));
    }

    #[test]
    fn what_is_cut_short_is_refused_at_every_byte() {
        let whole = pack(&[callback(b"{}")]);
        for len in 1..whole.len() {
            assert!(unpack(&whole[..len]).is_err(), "{len}");
        }
        assert_eq!(unpack(b""), Err(MessageError::Empty));
        assert_eq!(unpack(&[255; 4]), Err(MessageError::Truncated));
        // An older version's header, without what was added later, can be read.
        let old = br#"{"id":"01890000-0000-7000-8000-000000000000","source":"s","origin":"feed",
            "received_at":"2026-01-01T00:00:00Z"}"#;
        let mut message = u32::try_from(old.len()).expect("short").to_be_bytes().to_vec();
        message.extend_from_slice(old);
        message.extend_from_slice(&[0; 4]);
        assert_eq!(unpack(&message).expect("one").len(), 1);
    }
}
