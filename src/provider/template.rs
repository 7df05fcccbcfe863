//! Texts with places, such as `/orders/{order_id}/`: filled, and encoded by where they stand. No
//! template engine.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986 calls unreserved stays as it is; everything else in a value is encoded, also `/`.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
        self.fill_with(known, |value| value.to_owned())
    }

    /// The same as part of a URL's path: values are percent-encoded. `None` also for a value that is
    /// `.` or `..`: whoever normalises the URL removes it, in any encoding (RFC 3986, 6.2.2), and would
    /// ask for something else.
    #[must_use]
    pub fn fill_path<'a>(&self, known: &impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        let known = |name: &str| known(name).filter(|value| !matches!(*value, "." | ".."));
        self.fill_with(&known, |value| utf8_percent_encode(value, IN_PATH).to_string())
    }

    fn fill_with<'a>(
        &self,
        known: &impl Fn(&str) -> Option<&'a str>,
        encode: impl Fn(&str) -> String,
    ) -> Option<String> {
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Place(name) => known(name).map(&encode),
        };
        self.pieces.iter().map(fill).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_encoded_by_where_they_stand() {
        let template: Template = "/orders/{order_id}/x".parse().expect("a template");
        let known = |value: &'static str| move |name: &str| (name == "order_id").then_some(value);
        assert_eq!(template.fill(&known("a/b")).as_deref(), Some("/orders/a/b/x"));
        assert_eq!(
            template.fill_path(&known("a/b é?#")).as_deref(),
            Some("/orders/a%2Fb%20%C3%A9%3F%23/x")
        );
        assert_eq!(template.fill_path(&known("..")), None);
        assert_eq!(template.fill_path(&known(".")), None);
        assert_eq!(template.fill_path(&known("...")).as_deref(), Some("/orders/.../x"));
        assert_eq!(template.fill(&|_| None), None);
        assert_eq!(template.places().into_iter().collect::<Vec<_>>(), ["order_id"]);
    }

    #[test]
    fn stray_braces_are_refused() {
        for text in ["{", "}", "{}", "a}b{c}", "{a", "{A b}", "{{a}}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }
}
