//! What the places of a request stand for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::template::Template;

/// Values by the names of their places.
#[derive(Clone, Debug, Default)]
pub struct Values<'a>(BTreeMap<&'a str, Value<'a>>);

#[derive(Clone, Debug)]
enum Value<'a> {
    Text(Cow<'a, str>),
    List(Vec<&'a str>),
    /// There is none, and none is needed.
    LeftOut,
}

impl<'a> Values<'a> {
    /// With a text at a place.
    #[must_use]
    pub fn with(mut self, name: &'a str, text: impl Into<Cow<'a, str>>) -> Self {
        self.0.insert(name, Value::Text(text.into()));
        self
    }

    /// With a list at a place.
    #[must_use]
    pub fn with_list(mut self, name: &'a str, list: Vec<&'a str>) -> Self {
        self.0.insert(name, Value::List(list));
        self
    }

    /// With nothing at a place: what needs it is left out.
    #[must_use]
    pub fn without(mut self, name: &'a str) -> Self {
        self.0.insert(name, Value::LeftOut);
        self
    }

    /// The text at a place.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Value::Text(text)) => Some(text),
            Some(Value::List(_) | Value::LeftOut) | None => None,
        }
    }

    /// The list at a place.
    pub(super) fn list(&self, name: &str) -> Option<&[&'a str]> {
        match self.0.get(name) {
            Some(Value::List(list)) => Some(list),
            Some(Value::Text(_) | Value::LeftOut) | None => None,
        }
    }

    /// Every list.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&str, &[&'a str])> {
        self.0.keys().filter_map(|name| Some((*name, self.list(name)?)))
    }

    /// Whether a text is to be left out, because a value of it is.
    pub(super) fn leaves_out(&self, template: &Template) -> bool {
        template.places().into_iter().any(|name| self.is_left_out(name))
    }

    pub(super) fn is_left_out(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::LeftOut))
    }
}
