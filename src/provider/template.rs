//! Texts with places, such as `/orders/{order_id}/`: filled, and encoded by where they stand. No
//! template engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::values::Values;

/// What RFC 3986 calls unreserved stays as it is; everything else in a value is encoded, also `/`, `&` and
/// `+`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text with places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(String),
}

/// A text whose places are not well formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` has a `{{` or `}}` that stands for no place: write places as {{name}}")]
pub struct TemplateError(String);

impl std::str::FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let error = || TemplateError(text.to_owned());
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or_else(error)?;
            let is_name = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if before.contains('}') || !is_name {
                return Err(error());
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Place(name.to_owned()));
            rest = behind;
        }
        if rest.contains('}') {
            return Err(error());
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Place(name) => write!(f, "{{{name}}}"),
        })
    }
}

impl Template {
    /// The names of its places.
    #[must_use]
    pub fn places(&self) -> BTreeSet<&str> {
        self.pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Place(name) => Some(name.as_str()),
                Piece::Text(_) => None,
            })
            .collect()
    }

    /// The text with every place filled as it is; `None` where a value is not known.
    #[must_use]
    pub fn fill<'a>(&self, known: &impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        self.fill_with(known, str::to_owned)
    }

    fn fill_with<'a>(
        &self,
        known: &impl Fn(&str) -> Option<&'a str>,
        encode: impl Fn(&str) -> String,
    ) -> Option<String> {
        self.fill_pieces(|name| known(name).map(&encode))
    }

    fn fill_pieces(&self, known: impl Fn(&str) -> Option<String>) -> Option<String> {
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Place(name) => known(name),
        };
        self.pieces.iter().map(fill).collect()
    }
}

/// Where a request goes: a path, and what stands behind its `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    path: Template,
    /// `name={place}` each.
    query: Vec<Template>,
}

impl std::str::FromStr for PathTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        let parts = query.into_iter().flat_map(|query| query.split('&')).map(str::parse);
        Ok(Self { path: path.parse()?, query: parts.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        let mut marks = std::iter::once('?').chain(std::iter::repeat('&'));
        self.query.iter().try_for_each(|part| write!(f, "{}{part}", marks.next().unwrap_or('&')))
    }
}

impl PathTemplate {
    /// The names of its places.
    #[must_use]
    pub fn places(&self) -> BTreeSet<&str> {
        self.path_places().into_iter().chain(self.query.iter().flat_map(Template::places)).collect()
    }

    /// The names of the places that stand before the `?`.
    #[must_use]
    pub fn path_places(&self) -> BTreeSet<&str> {
        self.path.places()
    }

    /// The path with every place filled; `None` where a value is not known. Values are percent-encoded, and
    /// the ids of a list parted by commas. What is left out takes its part of the query with it.
    ///
    /// `None` also for a value in the path that is `.` or `..`: whoever normalises the URL removes it, in
    /// any encoding (RFC 3986, 6.2.2), and would ask for something else.
    #[must_use]
    pub fn fill(&self, values: &Values<'_>) -> Option<String> {
        let encode = |value: &str| utf8_percent_encode(value, RESERVED).to_string();
        let in_path = |name: &str| values.text(name).filter(|value| !matches!(*value, "." | ".."));
        let mut filled = self.path.fill_with(&in_path, encode)?;
        let lists: BTreeMap<&str, String> = values
            .lists()
            .map(|(name, ids)| {
                (name, ids.iter().map(|id| encode(id)).collect::<Vec<_>>().join(","))
            })
            .collect();
        let mut mark = '?';
        for part in self.query.iter().filter(|part| !values.leaves_out(part)) {
            filled.push(mark);
            filled.push_str(&part.fill_pieces(|name| match lists.get(name) {
                Some(list) => Some(list.clone()),
                None => values.text(name).map(encode),
            })?);
            mark = '&';
        }
        Some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, value: &str) -> Option<String> {
        let template: PathTemplate = template.parse().expect("a template");
        template.fill(&Values::default().with("order_id", value))
    }

    #[test]
    fn places_are_filled_and_encoded_by_where_they_stand() {
        let template: Template = "/orders/{order_id}/x".parse().expect("a template");
        let known = |name: &str| (name == "order_id").then_some("a/b");
        assert_eq!(template.fill(&known).as_deref(), Some("/orders/a/b/x"));
        assert_eq!(template.fill(&|_| None), None);
        assert_eq!(template.places().into_iter().collect::<Vec<_>>(), ["order_id"]);
        let path = "/orders/{order_id}/x";
        assert_eq!(fill(path, "a/b \u{e9}?#").as_deref(), Some("/orders/a%2Fb%20%C3%A9%3F%23/x"));
        assert_eq!(fill(path, ".."), None);
        assert_eq!(fill(path, "."), None);
        assert_eq!(fill(path, "...").as_deref(), Some("/orders/.../x"));
        assert_eq!(fill("/orders/{other}", "1"), None);
    }

    #[test]
    fn a_value_in_a_query_stays_one_value() {
        let path = "/orders?id={order_id}&fields=all&x={order_id}";
        assert_eq!(
            fill(path, "a&b=c+d ?#%").as_deref(),
            Some("/orders?id=a%26b%3Dc%2Bd%20%3F%23%25&fields=all&x=a%26b%3Dc%2Bd%20%3F%23%25")
        );
        assert_eq!(fill("/orders?id={order_id}", "..").as_deref(), Some("/orders?id=.."));
        let template: PathTemplate = "/orders?ids={order_ids}".parse().expect("a template");
        let values = Values::default().with_list("order_ids", vec!["1", "a,b"]);
        assert_eq!(template.fill(&values).as_deref(), Some("/orders?ids=1,a%2Cb"));
        let template: PathTemplate = "/feed?since={cursor}&limit=5".parse().expect("a template");
        let values = Values::default().without("cursor");
        assert_eq!(template.fill(&values).as_deref(), Some("/feed?limit=5"));
        assert_eq!(template.fill(&Values::default()), None);
    }

    #[test]
    fn stray_braces_are_refused() {
        for text in ["{", "}", "{}", "a}b{c}", "{a", "{A b}", "{{a}}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }
}
