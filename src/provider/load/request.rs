//! Checks and compiles requests: paths, bodies, and what may stand at their places.

use std::ops::Range;

use toml::Spanned;

use super::Found;
use crate::provider::body::{Body, BodyFormat};
use crate::provider::request::{Method, Request};
use crate::provider::table::Bodies;
use crate::provider::template::{PathTemplate, Template};

/// A request as it is written.
pub(super) struct Written<'a> {
    pub method: Method,
    pub path: &'a Spanned<String>,
    pub body: Option<&'a Spanned<Bodies>>,
    pub format: BodyFormat,
}

/// What may stand at the places of a request.
#[derive(Clone, Copy)]
pub(super) struct Allowed<'a> {
    /// Texts; `None` for the names of credentials, which may be any.
    pub texts: Option<&'a [&'a str]>,
    /// Lists.
    pub lists: &'a [&'a str],
}

impl Allowed<'_> {
    /// Any text, and no list.
    pub(super) const CREDENTIALS: Self = Self { texts: None, lists: &[] };

    fn check(&self, place: &str, is_list: bool, span: &Range<usize>, found: &mut Found) {
        let is_known = match is_list {
            true => self.lists.contains(&place),
            false => self.texts.is_none_or(|texts| texts.contains(&place)),
        };
        if is_known {
            return;
        }
        let what = match (is_list, self.lists.contains(&place)) {
            (false, true) => format!(
                "`{{{place}}}` is a list, which is a value of its own: write \"{{{place}}}\" or \
                 \"{{{place}:number}}\", and nothing beside it"
            ),
            (_, _) => {
                let texts = self.texts.unwrap_or_default();
                let known: Vec<&str> = texts.iter().chain(self.lists).copied().collect();
                match known.is_empty() {
                    true => format!("`{{{place}}}` is not known here: there are no places here"),
                    false => format!(
                        "`{{{place}}}` is not known here: write {{{}}}",
                        known.join("} or {")
                    ),
                }
            }
        };
        found.at(span.clone(), what);
    }
}

pub(super) fn load_request(
    written: &Written<'_>,
    allowed: Allowed<'_>,
    found: &mut Found,
) -> Option<Request> {
    let (path, span) = (written.path.get_ref(), written.path.span());
    if !path.starts_with('/') {
        found.at(span.clone(), "a path starts with `/`: it is appended to the source's base_url");
    }
    let path: Option<PathTemplate> = found.parse(path, span.clone());
    for place in path.iter().flat_map(PathTemplate::places) {
        let is_list = allowed.lists.contains(&place);
        allowed.check(place, is_list, &span, found);
    }
    for place in path.iter().flat_map(PathTemplate::path_places) {
        if allowed.lists.contains(&place) {
            let what =
                format!("a list stands in the query, not in the path: write ?ids={{{place}}}");
            found.at(span.clone(), what);
        }
    }
    let bodies = written.body.map(|bodies| load_bodies(written, bodies, allowed, found));
    let bodies = bodies.unwrap_or_default();
    Some(Request { method: written.method, path: path?, bodies, format: written.format })
}

fn load_bodies(
    written: &Written<'_>,
    bodies: &Spanned<Bodies>,
    allowed: Allowed<'_>,
    found: &mut Found,
) -> Vec<Body> {
    let span = bodies.span();
    if written.method == Method::Get {
        found.at(span.clone(), "a GET has no body: write method = \"POST\", or leave the body out");
    }
    let mut loaded = Vec::new();
    for table in &bodies.get_ref().0 {
        let body = load_object(table, allowed, &span, found);
        if written.format == BodyFormat::Form && !body.is_flat() {
            let what =
                "a form has texts and numbers only: leave out format = \"form\" to send JSON";
            found.at(span.clone(), what);
        }
        loaded.push(body);
    }
    loaded
}

fn load_object(
    table: &toml::Table,
    allowed: Allowed<'_>,
    span: &Range<usize>,
    found: &mut Found,
) -> Body {
    let members = table.iter().filter_map(|(key, value)| {
        Some((key.clone(), load_body(key, value, allowed, span, found)?))
    });
    Body::Object(members.collect())
}

fn load_body(
    key: &str,
    value: &toml::Value,
    allowed: Allowed<'_>,
    span: &Range<usize>,
    found: &mut Found,
) -> Option<Body> {
    match value {
        toml::Value::String(text) => load_text(text, allowed, span, found),
        toml::Value::Integer(number) => Some(Body::Fixed((*number).into())),
        toml::Value::Boolean(said) => Some(Body::Fixed((*said).into())),
        toml::Value::Float(number) if number.is_finite() => Some(Body::Fixed((*number).into())),
        toml::Value::Float(_) | toml::Value::Datetime(_) => {
            let what = format!("`{key}` cannot be said in JSON: write a text in quotes");
            found.at(span.clone(), what);
            None
        }
        toml::Value::Array(items) => {
            let items = items.iter().filter_map(|item| load_body(key, item, allowed, span, found));
            Some(Body::Array(items.collect()))
        }
        toml::Value::Table(table) => Some(load_object(table, allowed, span, found)),
    }
}

/// A text with places; or a place that is a value of its own: a list, a number.
fn load_text(
    text: &str,
    allowed: Allowed<'_>,
    span: &Range<usize>,
    found: &mut Found,
) -> Option<Body> {
    let place = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let (place, as_numbers) = match place.and_then(|place| place.strip_suffix(":number")) {
        Some(place) => (Some(place), true),
        None => (place, false),
    };
    if let Some(place) = place {
        let is_list = allowed.lists.contains(&place);
        if is_list || as_numbers {
            allowed.check(place, is_list, span, found);
            let place = place.to_owned();
            return Some(if is_list {
                Body::List { place, as_numbers }
            } else {
                Body::Number(place)
            });
        }
    }
    load_template(text, allowed, span, found).map(Body::Text)
}

pub(super) fn load_template(
    text: &str,
    allowed: Allowed<'_>,
    span: &Range<usize>,
    found: &mut Found,
) -> Option<Template> {
    let template: Template = found.parse(text, span.clone())?;
    for place in template.places() {
        allowed.check(place, false, span, found);
    }
    Some(template)
}
