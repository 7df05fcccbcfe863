//! `[event]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Legs, Texts};
use crate::provider::read::TimeWord;

/// Where things are in a report, seen from the report's own place in the body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct EventTable {
    pub order_id: Option<Texts>,
    pub provider_id: Option<Texts>,
    #[serde(default)]
    pub other_ids: Vec<Spanned<String>>,
    pub event_id: Option<Texts>,
    pub name: Option<Texts>,
    #[serde(default)]
    pub name_alone: Vec<Spanned<String>>,
    #[serde(default)]
    pub names: BTreeMap<Spanned<String>, Spanned<String>>,
    pub account: Option<Texts>,
    pub kind: Option<Texts>,
    pub status: Option<Texts>,
    pub time: Option<Texts>,
    #[serde(default)]
    pub time_format: TimeWord,
    pub time_zone: Option<Spanned<String>>,
    pub minor_units: Option<Spanned<bool>>,
    #[serde(default)]
    pub exponents: BTreeMap<Spanned<String>, Spanned<u32>>,
    pub currency: Option<Legs>,
    pub currency_from_source: Option<Spanned<bool>>,
    #[serde(default)]
    pub amounts: BTreeMap<Spanned<String>, Texts>,
    pub operation: Option<Texts>,
    pub operation_id: Option<Texts>,
}

/// The same for one channel only, seen from the root of the body; stands before `[event]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct PlacesTable {
    pub order_id: Option<Texts>,
    pub provider_id: Option<Texts>,
    pub event_id: Option<Texts>,
    pub event_id_header: Option<Spanned<String>>,
    pub name: Option<Texts>,
    pub account: Option<Texts>,
    pub kind: Option<Texts>,
    pub status: Option<Texts>,
    pub time: Option<Texts>,
}

/// Something that a body may say at a place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct MatchingTable {
    pub at: Texts,
    pub is: Texts,
}
