//! Bodies of requests: JSON or a form, with places. Whatever stands at a place, it stays one value: bodies
//! are written by a serializer, never put together from texts.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use super::template::Template;
use super::values::Values;

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// As JSON.
    #[default]
    Json,
    /// As HTML forms are: `a=1&b=2`.
    Form,
}

impl BodyFormat {
    /// What it is called in a header.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// A body with places.
#[derive(Clone, Debug)]
pub enum Body {
    /// A text.
    Text(Template),
    /// An id as a bare number, where it is nothing but digits.
    Number(String),
    /// A list of ids, as bare numbers or as texts.
    List {
        /// The name of its place.
        place: String,
        /// Whether they are sent as bare numbers.
        as_numbers: bool,
    },
    /// What is always the same: a number, `true`, `false`.
    Fixed(serde_json::Value),
    /// A list.
    Array(Vec<Body>),
    /// An object.
    Object(Vec<(String, Body)>),
}

/// A body whose places are filled.
enum Filled {
    Text(String),
    Number(Box<RawValue>),
    Fixed(serde_json::Value),
    Array(Vec<Filled>),
    Object(Vec<(String, Filled)>),
}

/// A member or an item: filled, or left out.
type MaybeFilled = Option<Filled>;

impl Body {
    /// The body with every place filled; `None` where a value is not known, or is no number where one is
    /// wanted.
    #[must_use]
    pub fn fill(&self, format: BodyFormat, values: &Values<'_>) -> Option<Vec<u8>> {
        let filled = self.fill_in(values)??;
        match format {
            BodyFormat::Json => serde_json::to_vec(&filled).ok(),
            BodyFormat::Form => {
                let Filled::Object(members) = filled else { return None };
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (key, value) in members {
                    form.append_pair(&key, &value.into_text()?);
                }
                Some(form.finish().into_bytes())
            }
        }
    }

    fn fill_in(&self, values: &Values<'_>) -> Option<MaybeFilled> {
        Some(Some(match self {
            Self::Text(template) if values.leaves_out(template) => return Some(None),
            Self::Number(place) if values.is_left_out(place) => return Some(None),
            Self::Text(template) => Filled::Text(template.fill(&|name| values.text(name))?),
            Self::Number(place) => Filled::Number(number(values.text(place)?)?),
            Self::List { place, as_numbers } => {
                let item = |id: &&str| match as_numbers {
                    true => number(id).map(Filled::Number),
                    false => Some(Filled::Text((*id).to_owned())),
                };
                Filled::Array(values.list(place)?.iter().map(item).collect::<Option<_>>()?)
            }
            Self::Fixed(value) => Filled::Fixed(value.clone()),
            Self::Array(items) => {
                let mut filled = Vec::new();
                for item in items {
                    filled.extend(item.fill_in(values)?);
                }
                Filled::Array(filled)
            }
            Self::Object(members) => {
                let mut filled = Vec::new();
                for (key, value) in members {
                    filled.extend(value.fill_in(values)?.map(|value| (key.clone(), value)));
                }
                Filled::Object(filled)
            }
        }))
    }

    /// The names of its places, each with whether it is one of a list.
    #[must_use]
    pub fn places(&self) -> BTreeSet<(&str, bool)> {
        match self {
            Self::Text(template) => template.places().into_iter().map(|p| (p, false)).collect(),
            Self::Number(place) => BTreeSet::from([(place.as_str(), false)]),
            Self::List { place, .. } => BTreeSet::from([(place.as_str(), true)]),
            Self::Fixed(_) => BTreeSet::new(),
            Self::Array(items) => items.iter().flat_map(Self::places).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, body)| body.places()).collect(),
        }
    }

    /// Whether it sends a list of ids as bare numbers.
    #[must_use]
    pub fn lists_numbers(&self) -> bool {
        match self {
            Self::List { as_numbers, .. } => *as_numbers,
            Self::Text(_) | Self::Number(_) | Self::Fixed(_) => false,
            Self::Array(items) => items.iter().any(Self::lists_numbers),
            Self::Object(members) => members.iter().any(|(_, body)| body.lists_numbers()),
        }
    }

    /// Whether it can be written as a form.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        let is_one =
            |body: &Self| !matches!(body, Self::List { .. } | Self::Array(_) | Self::Object(_));
        matches!(self, Self::Object(members) if members.iter().all(|(_, body)| is_one(body)))
    }
}

/// Whether an id can be sent as a bare number and still is the same id.
pub(super) fn is_number(id: &str) -> bool {
    number(id).is_some()
}

fn number(id: &str) -> Option<Box<RawValue>> {
    let is_digits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    // JSON knows no number with a zero before it.
    is_digits.then(|| RawValue::from_string(id.to_owned()).ok())?
}

impl Filled {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => Some(number.get().to_owned()),
            Self::Fixed(value) => Some(value.to_string()),
            Self::Array(_) | Self::Object(_) => None,
        }
    }
}

impl Serialize for Filled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => number.serialize(serializer),
            Self::Fixed(value) => value.serialize(serializer),
            Self::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(template: &str) -> Body {
        Body::Text(template.parse().expect("a template"))
    }

    fn object(members: Vec<(&str, Body)>) -> Body {
        Body::Object(members.into_iter().map(|(key, body)| (key.to_owned(), body)).collect())
    }

    fn fill(body: &Body, format: BodyFormat, values: &Values<'_>) -> Option<String> {
        body.fill(format, values).map(|body| String::from_utf8(body).expect("UTF-8"))
    }

    #[test]
    fn whatever_stands_at_a_place_stays_one_value() {
        let body = object(vec![
            ("id", text("x-{order_id}")),
            ("page", Body::Fixed(1.into())),
            ("filter", object(vec![("ids", Body::Array(vec![text("{order_id}")]))])),
        ]);
        let values = Values::default().with("order_id", r#"a","page":2,"\"#);
        assert_eq!(
            fill(&body, BodyFormat::Json, &values).as_deref(),
            Some(
                r#"{"id":"x-a\",\"page\":2,\"\\","page":1,"filter":{"ids":["a\",\"page\":2,\"\\"]}}"#
            )
        );
        assert_eq!(fill(&body, BodyFormat::Json, &Values::default()), None);
        let form = object(vec![("id", text("{order_id}")), ("page", Body::Fixed(1.into()))]);
        let values = Values::default().with("order_id", "a&page=2");
        let filled = fill(&form, BodyFormat::Form, &values);
        assert_eq!(filled.as_deref(), Some("id=a%26page%3D2&page=1"));
    }

    #[test]
    fn ids_are_numbers_only_where_they_are_nothing_else() {
        let body = object(vec![("id", Body::Number("order_id".to_owned()))]);
        let filled = |id: &'static str| {
            fill(&body, BodyFormat::Json, &Values::default().with("order_id", id))
        };
        assert_eq!(filled("804512").as_deref(), Some(r#"{"id":804512}"#));
        let long = "123456789012345678901234567890";
        assert_eq!(filled(long), Some(format!("{{\"id\":{long}}}")));
        for other in ["", "-1", "1.0", "1e3", "007", "1,2", "a", "\u{661}"] {
            assert_eq!(filled(other), None, "{other}");
        }
        let list = |as_numbers| Body::List { place: "order_ids".to_owned(), as_numbers };
        let values = Values::default().with_list("order_ids", vec!["1", "2"]);
        assert_eq!(fill(&list(true), BodyFormat::Json, &values).as_deref(), Some("[1,2]"));
        assert_eq!(fill(&list(false), BodyFormat::Json, &values).as_deref(), Some(r#"["1","2"]"#));
    }

    #[test]
    fn what_is_left_out_takes_its_member_with_it() {
        let body = object(vec![("cursor", text("{cursor}")), ("limit", Body::Fixed(5.into()))]);
        let values = Values::default().without("cursor");
        assert_eq!(fill(&body, BodyFormat::Json, &values).as_deref(), Some(r#"{"limit":5}"#));
    }
}
