//! What a message holds, and what the broker says about it.

use lapin::message::Delivery as Message;
use lapin::types::{AMQPValue, FieldTable};
use uuid::Uuid;

use crate::order::report::Origin;
use crate::order::timestamp::Timestamp;
use crate::provider::headers::Headers;
use crate::queue::message::{CONTENT_TYPE, Callback, CallbackHeader, unpack};

/// What a message holds, and what the broker says about it.
pub(super) struct Contents {
    pub callbacks: Vec<Callback>,
    /// How often it was given out before, as far as the broker knows.
    pub given_out: u32,
    /// Why the broker took it for dead, if it did.
    pub died_of: Option<String>,
}

/// Reads a message.
///
/// # Errors
/// Why it is not one of ours.
pub(super) fn read(message: &Message) -> Result<Contents, String> {
    let content_type = message.properties.content_type().as_ref().map(|text| text.as_str());
    if content_type != Some(CONTENT_TYPE) {
        let found: String = content_type.unwrap_or("none").chars().take(100).collect();
        return Err(format!("the message's content type is {found}, not {CONTENT_TYPE}"));
    }
    let callbacks = unpack(&message.data).map_err(|error| error.to_string())?;
    let headers = message.properties.headers().as_ref();
    let died_of = headers.and_then(|headers| text(headers, "x-first-death-reason"));
    let died_of = died_of.map(|reason| format!("the broker gave it up: {reason}"));
    let counted = headers.and_then(|headers| number(headers, "x-delivery-count"));
    // Queues that do not count say at least that it is not the first time.
    let given_out = counted.unwrap_or_else(|| u32::from(message.redelivered));
    Ok(Contents { callbacks, given_out, died_of })
}

/// A message that cannot be read, as a callback: nobody's, with its bytes. It has the same id each time
/// that it comes.
pub(super) fn raw(message: &Message, now: Timestamp) -> Callback {
    let header = CallbackHeader {
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, &message.data),
        source: "?".to_owned(),
        origin: Origin::Callback,
        received_at: now,
        headers: Headers::default(),
        attempt: 0,
        asked: std::collections::BTreeSet::new(),
        is_hint: false,
        is_item: false,
        said_at: None,
    };
    Callback { header, body: message.data.clone() }
}

fn text(headers: &FieldTable, name: &str) -> Option<String> {
    let AMQPValue::LongString(text) = headers.inner().get(name)? else { return None };
    Some(String::from_utf8_lossy(text.as_bytes()).into_owned())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all but the whole numbers are none")]
fn number(headers: &FieldTable, name: &str) -> Option<u32> {
    let value = match headers.inner().get(name)? {
        AMQPValue::ShortShortInt(value) => i64::from(*value),
        AMQPValue::ShortShortUInt(value) => i64::from(*value),
        AMQPValue::ShortInt(value) => i64::from(*value),
        AMQPValue::ShortUInt(value) => i64::from(*value),
        AMQPValue::LongInt(value) => i64::from(*value),
        AMQPValue::LongUInt(value) => i64::from(*value),
        AMQPValue::LongLongInt(value) => *value,
        _ => return None,
    };
    Some(u32::try_from(value.max(0)).unwrap_or(u32::MAX))
}
