//! The shape of a definition file, as TOML gives it. What it means is checked in `load`.
//! `definitions/README.md` explains every key to authors.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::read::TimeFormat;
use super::request::Method;
use super::signature::Signature;
use crate::order::machine::Outcome;
use crate::order::slot::Leg;

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    pub name: Spanned<String>,
    pub title: String,
    #[serde(default)]
    pub about: String,
    #[serde(default)]
    pub documents: Vec<String>,
    pub callback: CallbackTable,
    pub event: EventTable,
    #[serde(default)]
    pub track: BTreeMap<Spanned<String>, TrackTable>,
    pub status: BTreeMap<Spanned<String>, StatusTable>,
    pub kind: BTreeMap<Spanned<String>, KindTable>,
    #[serde(default)]
    pub auth: AuthTable,
    pub ask: Option<AskTable>,
    #[serde(default)]
    pub sample: Vec<SampleTable>,
}

/// How callbacks come.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackTable {
    #[serde(default)]
    pub at: Option<Texts>,
    pub signature: Spanned<Signature>,
    #[serde(default)]
    pub event: PlacesTable,
    pub statuses: Option<Vec<Spanned<String>>>,
    pub retry_window_secs: Option<u64>,
}

/// Where things are in a report, seen from the report's own place in the body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventTable {
    pub order_id: Option<Texts>,
    pub provider_id: Option<Texts>,
    #[serde(default)]
    pub other_ids: Vec<Spanned<String>>,
    pub event_id: Option<Texts>,
    pub account: Option<Texts>,
    pub kind: Option<Texts>,
    pub status: Option<Texts>,
    pub time: Option<Texts>,
    #[serde(default)]
    pub time_format: TimeFormat,
    pub currency: Option<Legs>,
    #[serde(default)]
    pub amounts: BTreeMap<Spanned<String>, Texts>,
    pub operation: Option<Texts>,
    pub operation_id: Option<Texts>,
}

/// The same for one channel only, seen from the root of the body; stands before `[event]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlacesTable {
    pub order_id: Option<Texts>,
    pub provider_id: Option<Texts>,
    pub event_id: Option<Texts>,
    pub account: Option<Texts>,
    pub kind: Option<Texts>,
    pub status: Option<Texts>,
    pub time: Option<Texts>,
}

/// One text, or several of which the first that is there counts.
pub(super) type Texts = Spanned<OneOrMore>;

/// One text or several.
#[derive(Debug, Clone)]
pub(super) struct OneOrMore(pub Vec<String>);

// By hand, because an untagged enum loses the place of what is wrong, and says nothing useful.
impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore(texts))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A text a leg; a text alone is for the leg `to`.
pub(super) type Legs = Spanned<LegTexts>;

/// A text a leg.
#[derive(Debug, Default, Clone)]
pub(super) struct LegTexts(pub BTreeMap<Leg, String>);

impl<'de> Deserialize<'de> for LegTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = LegTexts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a table with `from` and `to`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LegTexts, E> {
                Ok(LegTexts(BTreeMap::from([(Leg::To, text.to_owned())])))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LegTexts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((leg, text)) = map.next_entry()? {
                    texts.insert(leg, text);
                }
                Ok(LegTexts(texts))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A side track. The payment track needs no table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrackTable {
    #[serde(default)]
    #[expect(dead_code, reason = "for the reader of the file; pages will show it")]
    pub about: String,
}

/// One status.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusTable {
    pub track: Option<Spanned<String>>,
    #[serde(default)]
    pub edges: Vec<Spanned<String>>,
    #[serde(default)]
    pub rank: i32,
    #[serde(default, rename = "final")]
    pub is_final: bool,
    pub outcome: Option<Outcome>,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub implies: Option<Spanned<String>>,
    pub horizon_secs: Option<u64>,
}

/// One kind of order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindTable {
    #[serde(default)]
    pub is: Vec<String>,
    pub books: Option<Spanned<String>>,
    pub judged: Option<Legs>,
    #[serde(default)]
    pub level: Vec<Spanned<String>>,
    #[serde(default)]
    pub money: Vec<Spanned<MoneyTable>>,
    #[serde(default)]
    pub operation: Vec<Spanned<OperationTable>>,
    #[serde(default)]
    pub status: Vec<DerivedTable>,
}

/// What one or more statuses mean for money.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoneyTable {
    pub at: Vec<Spanned<String>>,
    pub books: Option<Texts>,
    #[serde(default)]
    pub from: Counters,
    #[serde(default)]
    pub to: Counters,
    #[serde(default)]
    pub closes: Vec<Spanned<String>>,
    #[serde(default)]
    pub requires: Vec<Spanned<String>>,
    pub judgement: Option<String>,
    pub judgement_if: Option<Spanned<String>>,
}

/// Expressions by the name of a counter.
pub(super) type Counters = BTreeMap<Spanned<String>, Spanned<String>>;

/// What one operation adds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationTable {
    pub name: String,
    #[serde(default)]
    pub from: Counters,
    #[serde(default)]
    pub to: Counters,
    #[serde(default)]
    pub requires: Vec<Spanned<String>>,
}

/// A status that follows from the counters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DerivedTable {
    pub is: Spanned<String>,
    pub when: Vec<Spanned<String>>,
}

/// How our own requests are authenticated.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthTable {
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<String>>,
    pub sign: Option<SignTable>,
}

/// A signature over our request's body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignTable {
    pub secret: String,
    pub signature: Spanned<Signature>,
}

/// The status request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskTable {
    pub method: Method,
    pub path: Spanned<String>,
    #[serde(default)]
    pub body: Vec<Spanned<BTreeMap<String, String>>>,
    pub answer: AnswerTable,
}

/// The status request's answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerTable {
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
pub(super) struct OkTable {
    pub at: Spanned<String>,
    pub is: String,
}

/// A body and what it must come to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleTable {
    pub name: Spanned<String>,
    #[serde(default)]
    pub answer: bool,
    pub body: String,
    pub status: String,
    pub kind: Option<String>,
    #[serde(default)]
    pub ids: Vec<String>,
    #[serde(default)]
    pub effects: Vec<String>,
}
