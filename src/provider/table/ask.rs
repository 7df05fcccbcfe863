//! `[ask]`.

use serde::Deserialize;
use toml::Spanned;

use super::body::Bodies;
use super::{PlacesTable, SignTable, Texts};
use crate::provider::body::BodyFormat;
use crate::provider::meaning::Meaning;
use crate::provider::request::Method;

/// The status request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct AskTable {
    pub method: Method,
    pub path: Spanned<String>,
    pub body: Option<Spanned<Bodies>>,
    #[serde(default)]
    pub format: BodyFormat,
    pub answer: AnswerTable,
    #[serde(default)]
    pub error: Vec<ErrorTable>,
    pub batch: Option<BatchTable>,
}

/// The status request's answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct AnswerTable {
    #[serde(default)]
    pub at: Option<Texts>,
    pub ok: Option<OkTable>,
    pub signature: Option<SignTable>,
    #[serde(default)]
    pub event: PlacesTable,
}

/// What an answer must say to be one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct OkTable {
    pub at: Spanned<String>,
    pub is: String,
}

/// What an error means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct ErrorTable {
    pub status: Spanned<Statuses>,
    pub at: Option<Spanned<String>>,
    pub is: Option<Texts>,
    pub means: Meaning,
}

/// One HTTP status or several.
#[derive(Debug, Clone)]
pub(in crate::provider) struct Statuses(pub Vec<u16>);

/// A request about several orders.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct BatchTable {
    pub method: Method,
    pub path: Spanned<String>,
    pub body: Option<Spanned<Bodies>>,
    #[serde(default)]
    pub format: BodyFormat,
    pub max: Spanned<u64>,
    pub items: Spanned<String>,
    #[serde(default)]
    pub event: PlacesTable,
    #[serde(default)]
    pub missing: Missing,
}

/// What it means that an answer does not mention an order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::provider) enum Missing {
    #[default]
    NoInformation,
    NotFound,
}

// By hand, because an untagged enum loses the place of what is wrong, and says nothing useful.
impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> serde::de::Visitor<'de> for Read {
            type Value = Statuses;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an HTTP status or a list of them")
            }

            fn visit_i64<E: serde::de::Error>(self, status: i64) -> Result<Statuses, E> {
                let invalid = |_| E::invalid_value(serde::de::Unexpected::Signed(status), &self);
                Ok(Statuses(vec![u16::try_from(status).map_err(invalid)?]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> Result<Statuses, A::Error> {
                let mut statuses = Vec::new();
                while let Some(status) = items.next_element()? {
                    statuses.push(status);
                }
                Ok(Statuses(statuses))
            }
        }
        deserializer.deserialize_any(Read)
    }
}
