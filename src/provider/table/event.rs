//! `[event]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Legs, Texts};
use crate::provider::read::TimeFormat;

/// Where things are in a report, seen from the report's own place in the body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct EventTable {
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
pub(in crate::provider) struct PlacesTable {
    pub order_id: Option<Texts>,
    pub provider_id: Option<Texts>,
    pub event_id: Option<Texts>,
    pub account: Option<Texts>,
    pub kind: Option<Texts>,
    pub status: Option<Texts>,
    pub time: Option<Texts>,
}
