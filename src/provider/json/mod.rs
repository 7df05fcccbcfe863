//! One reader over raw JSON: keeps number literals as they were written, refuses duplicate keys, and
//! bounds depth. `serde_json::Value` does none of it: it keeps the last of two amounts and rounds
//! 12345678901234567890123.

mod pointer;

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

pub use pointer::{Pointer, PointerError};

/// How deep a body may nest. Providers' bodies nest three or four levels.
pub const DEPTH_MAX: usize = 32;

/// A JSON value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, by its literal.
    Number(String),
    /// A text, unescaped.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in the order of its keys as written. No key stands twice.
    Object(Vec<(String, Json)>),
}

/// Why a body is not JSON that can be trusted to mean one thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or not UTF-8, or more than one value.
    #[error("the body is not JSON: {0}")]
    Syntax(String),
    /// The same key twice in one object: readers disagree on which one counts.
    #[error("the key `{0}` stands twice in one object")]
    DuplicateKey(String),
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("the body nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// A text holds U+0000, which PostgreSQL's text cannot.
    #[error("a text contains a NUL character")]
    Nul,
}

impl Json {
    /// Reads a whole body.
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn read(body: &[u8]) -> Result<Self, JsonError> {
        let raw: &RawValue = serde_json::from_slice(body).map_err(|e| syntax(&e))?;
        read_value(raw.get(), 0)
    }

    /// The value at an RFC 6901 pointer; `None` where there is none, and for `null`.
    #[must_use]
    pub fn at(&self, pointer: &Pointer) -> Option<&Self> {
        self.at_item(pointer, 0)
    }

    /// The same for a pointer into each item of a list: into this one.
    #[must_use]
    pub fn at_item(&self, pointer: &Pointer, item: usize) -> Option<&Self> {
        let mut value = self;
        for (index, step) in pointer.steps.iter().enumerate() {
            if pointer.item == Some(index) {
                value = value.item(item)?;
            }
            value = match value {
                Self::Object(members) => &members.iter().find(|(key, _)| key == step)?.1,
                Self::List(items) => items.get(step.parse::<usize>().ok()?)?,
                Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => return None,
            };
        }
        if pointer.item == Some(pointer.steps.len()) {
            value = value.item(item)?;
        }
        (*value != Self::Null).then_some(value)
    }

    fn item(&self, item: usize) -> Option<&Self> {
        if let Self::List(items) = self { items.get(item) } else { None }
    }

    /// What sort of value it is, for a message.
    #[must_use]
    pub fn sort(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

fn syntax(error: &serde_json::Error) -> JsonError {
    JsonError::Syntax(error.to_string())
}

fn read_value(raw: &str, depth: usize) -> Result<Json, JsonError> {
    if depth > DEPTH_MAX {
        return Err(JsonError::TooDeep);
    }
    match raw.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(raw).map_err(|e| syntax(&e))?;
            let mut read: Vec<(String, Json)> = Vec::with_capacity(members.len());
            let mut keys = std::collections::BTreeSet::new();
            for (key, value) in members {
                if !keys.insert(key.clone()) {
                    return Err(JsonError::DuplicateKey(key.chars().take(40).collect()));
                }
                if key.contains('\0') {
                    return Err(JsonError::Nul);
                }
                read.push((key, read_value(value.get(), depth + 1)?));
            }
            Ok(Json::Object(read))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(|e| syntax(&e))?;
            let read = items.into_iter().map(|item| read_value(item.get(), depth + 1));
            read.collect::<Result<_, _>>().map(Json::List)
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(raw).map_err(|e| syntax(&e))?;
            if text.contains('\0') { Err(JsonError::Nul) } else { Ok(Json::Text(text)) }
        }
        Some(b't') => Ok(Json::Bool(true)),
        Some(b'f') => Ok(Json::Bool(false)),
        Some(b'n') => Ok(Json::Null),
        _ => Ok(Json::Number(raw.to_owned())),
    }
}

/// The items of the list at a pointer, each as it was written: `None` where there is no list. Each is checked by
/// who reads it: one that means two things spoils no other.
///
/// # Errors
/// [`JsonError`] where the body is no JSON, or the way to the list is not clear.
pub fn items<'a>(body: &'a [u8], list: &Pointer) -> Result<Option<Vec<&'a [u8]>>, JsonError> {
    let Some(raw) = raw_at(body, list)?.filter(|raw| raw.get().starts_with('[')) else {
        return Ok(None);
    };
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|e| syntax(&e))?;
    Ok(Some(items.into_iter().map(|item| item.get().as_bytes()).collect()))
}

/// The value at a pointer, whatever stands beside it: `None` where there is none, and for `null`.
///
/// # Errors
/// [`JsonError`] where the body is no JSON, or the value or the way to it is not clear.
pub fn value_at(body: &[u8], place: &Pointer) -> Result<Option<Json>, JsonError> {
    let value = raw_at(body, place)?.map(|raw| read_value(raw.get(), 0)).transpose()?;
    Ok(value.filter(|value| *value != Json::Null))
}

/// The value at a pointer as it was written; `None` where there is none. For a body that [`Json::read`]
/// has read: what it refuses is not looked for here.
///
/// # Errors
/// [`JsonError`].
pub fn written<'a>(body: &'a [u8], pointer: &Pointer) -> Result<Option<&'a str>, JsonError> {
    Ok(raw_at(body, pointer)?.map(RawValue::get))
}

fn raw_at<'a>(body: &'a [u8], place: &Pointer) -> Result<Option<&'a RawValue>, JsonError> {
    let mut raw: &RawValue = serde_json::from_slice(body).map_err(|e| syntax(&e))?;
    for step in &place.steps {
        let inner = match raw.get().as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(raw.get()).map_err(|e| syntax(&e))?;
                let mut found = members.into_iter().filter(|(key, _)| key == step);
                let inner = found.next().map(|(_, value)| value);
                if found.next().is_some() {
                    return Err(JsonError::DuplicateKey(step.chars().take(40).collect()));
                }
                inner
            }
            Some(b'[') => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(raw.get()).map_err(|e| syntax(&e))?;
                step.parse::<usize>().ok().and_then(|index| items.get(index).copied())
            }
            _ => None,
        };
        let Some(inner) = inner else { return Ok(None) };
        raw = inner;
    }
    Ok(Some(raw))
}

/// The members of an object, also those whose key stands twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Json, JsonError> {
        Json::read(body.as_bytes())
    }

    #[test]
    fn numbers_keep_their_literal() {
        let body = read(r#"{"a": 12345678901234567890123, "b": [1.10, 1e400]}"#).expect("JSON");
        let at = |pointer: &str| body.at(&pointer.parse().expect("a pointer")).cloned();
        assert_eq!(at("/a"), Some(Json::Number("12345678901234567890123".into())));
        assert_eq!(at("/b/0"), Some(Json::Number("1.10".into())));
        assert_eq!(at("/b/1"), Some(Json::Number("1e400".into())));
        assert_eq!(at("/b/2"), None);
        assert_eq!(at("/a/0"), None);
    }

    #[test]
    fn pointers_follow_rfc_6901() {
        let body = read(r#"{"a/b": 1, "m~n": 2, "": 3, "n": null}"#).expect("JSON");
        let at = |pointer: &str| body.at(&pointer.parse().expect("a pointer")).cloned();
        assert_eq!(at("/a~1b"), Some(Json::Number("1".into())));
        assert_eq!(at("/m~0n"), Some(Json::Number("2".into())));
        assert_eq!(at("/"), Some(Json::Number("3".into())));
        assert_eq!(at("/n"), None);
        assert_eq!(at(""), Some(body.clone()));
        for wrong in ["a", "/a~", "/a~2"] {
            assert!(wrong.parse::<Pointer>().is_err(), "{wrong}");
        }
        let pointer: Pointer = "/a~1b/m~0n".parse().expect("a pointer");
        assert_eq!(pointer.to_string(), "/a~1b/m~0n");
    }

    #[test]
    fn a_pointer_into_each_item_is_followed_into_one() {
        let body = read(r#"{"list": [{"id": 1}, {"id": 2}], "id": 3}"#).expect("JSON");
        let list: Pointer = "/list".parse().expect("a pointer");
        let id = list.each().then(&Pointer::member("id"));
        let number = |text: &str| Some(Json::Number(text.to_owned()));
        assert_eq!(id.to_string(), "/list/*/id");
        assert_eq!(body.at_item(&id, 0).cloned(), number("1"));
        assert_eq!(body.at_item(&id, 1).cloned(), number("2"));
        assert_eq!(body.at_item(&id, 2), None);
        assert_eq!(body.at_item(&Pointer::member("id"), 1).cloned(), number("3"));
        let each = Pointer::default().each();
        assert_eq!(each.to_string(), "/*");
        assert_eq!(read("[7]").expect("JSON").at_item(&each, 0).cloned(), number("7"));
    }

    #[test]
    fn a_body_that_may_mean_two_things_is_refused() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(&deep(DEPTH_MAX)).is_ok());
        assert_eq!(read(&deep(DEPTH_MAX + 1)), Err(JsonError::TooDeep));
        assert!(read(&deep(100_000)).is_err());
        let twice = r#"{"x": [{"amount": 1, "amount": 2}]}"#;
        assert_eq!(read(twice), Err(JsonError::DuplicateKey("amount".into())));
        // The same key in other letters of the escape.
        assert!(matches!(read(r#"{"a": 1, "\u0061": 2}"#), Err(JsonError::DuplicateKey(_))));
        assert_eq!(read(r#"{"a": "x\u0000"}"#), Err(JsonError::Nul));
        assert_eq!(read(r#"{"\u0000": 1}"#), Err(JsonError::Nul));
    }

    #[test]
    fn the_items_of_a_list_are_given_as_they_were_written() {
        let body = br#"{"data": {"list": [ {"a": 1.10}, 2 , "x"]}, "n": null}"#;
        let at = |pointer: &str| {
            let found = items(body, &pointer.parse().expect("a pointer")).expect("JSON");
            found.map(|items| items.into_iter().map(String::from_utf8_lossy).collect::<Vec<_>>())
        };
        assert_eq!(
            at("/data/list"),
            Some(vec![r#"{"a": 1.10}"#.into(), "2".into(), r#""x""#.into()])
        );
        for none in ["", "/data", "/n", "/list", "/data/list/0", "/data/list/7"] {
            assert_eq!(at(none), None, "{none}");
        }
        assert_eq!(items(b"[1]", &Pointer::default()), Ok(Some(vec![&b"1"[..]])));
        // An item that means two things is for who reads it; a way that leads to two lists is none.
        let inner = br#"{"list": [{"a": 1, "a": 2}, 3]}"#;
        let found = items(inner, &Pointer::member("list")).expect("JSON").expect("a list");
        assert_eq!((found.len(), Json::read(found[0]).is_err()), (2, true));
        assert!(items(b"{\"list\": [1", &Pointer::member("list")).is_err());
    }

    #[test]
    fn an_item_that_means_two_things_spoils_no_other() {
        let list = Pointer::member("list");
        let body = br#"{"n": 7, "list": [1, {"a": 1, "a": 2}], "m": null}"#;
        let found = items(body, &list).expect("the way is clear").expect("a list");
        assert_eq!(found, [&b"1"[..], br#"{"a": 1, "a": 2}"#]);
        assert_eq!(value_at(body, &Pointer::member("n")), Ok(Some(Json::Number("7".into()))));
        for none in ["m", "o"] {
            assert_eq!(value_at(body, &Pointer::member(none)), Ok(None));
        }
        assert!(value_at(body, &list).is_err(), "what is read is checked");
        let twice = br#"{"list": [1], "list": [2]}"#;
        assert_eq!(items(twice, &list), Err(JsonError::DuplicateKey("list".into())));
        assert!(matches!(items(b"{\"list\": [1", &list), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let bodies: [&[u8]; 10] = [
            b"",
            b" ",
            b"{",
            b"{} {}",
            b"\xef\xbb\xbf{}",
            b"{\"a\": \"\xff\"}",
            br#"{"a": "\ud800"}"#,
            b"<html>",
            b"{\"a\": NaN}",
            b"{\"a\": 01}",
        ];
        for body in bodies {
            let text = String::from_utf8_lossy(body);
            assert!(matches!(Json::read(body), Err(JsonError::Syntax(_))), "{text}");
        }
    }
}
