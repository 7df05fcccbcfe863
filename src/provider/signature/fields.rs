//! The fields of a body, where a signature is of some of them or stands among them.

use std::borrow::Cow;

use super::SignatureError;
use crate::provider::Format;
use crate::provider::form::{self, FormError};
use crate::provider::json::{Json, Pointer, written};

/// How `{sorted_fields}` is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SortedFields {
    /// Between a name and its value.
    pub pair: String,
    /// Between fields.
    pub join: String,
    /// Whether fields without a value are left out.
    pub skip_empty: bool,
    /// Whether names are written, or values only.
    pub names: bool,
    /// The fields that are left out, beside the signature's own.
    pub without: Vec<String>,
}

/// The fields of a body. None stands twice.
#[derive(Debug)]
pub(super) enum Fields<'a> {
    Json { body: &'a [u8], root: Json },
    Form(Vec<(String, String)>),
}

impl<'a> Fields<'a> {
    pub(super) fn read(format: Format, body: &'a [u8]) -> Result<Self, SignatureError> {
        match format {
            Format::Json => {
                let root = Json::read(body).map_err(|_| SignatureError::Malformed)?;
                Ok(Self::Json { body, root })
            }
            Format::Form => Ok(Self::Form(read_form(body)?)),
        }
    }

    /// A text, number or boolean; `None` where there is nothing.
    pub(super) fn scalar(&self, at: &Pointer) -> Result<Option<Cow<'_, str>>, SignatureError> {
        match self {
            Self::Json { root, .. } => match root.at(at) {
                None => Ok(None),
                Some(value) => scalar(value).map(Some).ok_or(SignatureError::Malformed),
            },
            Self::Form(fields) => {
                let found = fields.iter().find(|(name, _)| at.name() == Some(name));
                Ok(found.map(|(_, value)| Cow::Borrowed(value.as_str())))
            }
        }
    }

    /// The same; objects and arrays as they were written.
    pub(super) fn whole(&self, at: &Pointer) -> Result<Option<Cow<'_, str>>, SignatureError> {
        match self {
            Self::Json { body, root } => {
                let is_scalar = root.at(at).is_none_or(|value| scalar(value).is_some());
                if is_scalar {
                    return self.scalar(at);
                }
                let written = written(body, at).map_err(|_| SignatureError::Malformed)?;
                Ok(written.map(Cow::Borrowed))
            }
            Self::Form(_) => self.scalar(at),
        }
    }

    /// All fields in the order of their names, joined. Of JSON, those of the outermost object that are
    /// neither objects nor arrays.
    pub(super) fn sorted(
        &self,
        rule: &SortedFields,
        own: Option<&str>,
    ) -> Result<String, SignatureError> {
        let mut fields: Vec<(&str, Cow<'_, str>)> = match self {
            Self::Json { root: Json::Object(members), .. } => members
                .iter()
                .filter_map(|(name, value)| {
                    let is_null = *value == Json::Null;
                    let text = if is_null { Some(Cow::Borrowed("")) } else { scalar(value) };
                    Some((name.as_str(), text?))
                })
                .collect(),
            Self::Json { .. } => return Err(SignatureError::Malformed),
            Self::Form(fields) => {
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str().into())).collect()
            }
        };
        fields.retain(|(name, value)| {
            Some(*name) != own
                && !rule.without.iter().any(|without| without == name)
                && !(rule.skip_empty && value.is_empty())
        });
        fields.sort();
        if rule.is_unambiguous() {
            // A value must not be able to pass for the fields after it.
            let is_apart = |(name, value): &(&str, Cow<'_, str>)| {
                ends_at(name, &rule.pair) && ends_at(value, &rule.join)
            };
            if !fields.iter().all(is_apart) {
                return Err(SignatureError::Malformed);
            }
        }
        let write = |(name, value): (&str, Cow<'_, str>)| {
            if rule.names { format!("{name}{}{value}", rule.pair) } else { value.into_owned() }
        };
        Ok(fields.into_iter().map(write).collect::<Vec<_>>().join(&rule.join))
    }
}

impl Default for SortedFields {
    fn default() -> Self {
        let (pair, join) = ("=".to_owned(), "&".to_owned());
        Self { pair, join, skip_empty: true, names: true, without: Vec::new() }
    }
}

impl SortedFields {
    /// Whether the text tells where each field begins and ends, and what it is called.
    pub(super) fn is_unambiguous(&self) -> bool {
        self.names && !self.pair.is_empty() && !self.join.is_empty()
    }
}

/// Whether whoever reads a text up to the first separator finds its end, and no earlier one.
pub(super) fn ends_at(text: &str, separator: &str) -> bool {
    format!("{text}{separator}").find(separator) == Some(text.len())
}

fn scalar(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::Text(text) | Json::Number(text) => Some(Cow::Borrowed(text)),
        Json::Bool(true) => Some(Cow::Borrowed("true")),
        Json::Bool(false) => Some(Cow::Borrowed("false")),
        Json::Null | Json::List(_) | Json::Object(_) => None,
    }
}

/// Reads a form, or a query, as whoever reads the report will.
pub(super) fn read_form(text: &[u8]) -> Result<Vec<(String, String)>, SignatureError> {
    form::read_fields(text).map_err(|error| match error {
        FormError::DuplicateField(_) => SignatureError::Repeated,
        FormError::Encoding | FormError::Nul => SignatureError::Malformed,
    })
}
