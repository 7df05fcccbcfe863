//! `[callback]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{ConfirmValue, MatchingTable, PlacesTable, SignatureTable, Texts};
use crate::provider::Format;

/// How callbacks come.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct CallbackTable {
    #[serde(default)]
    pub format: Format,
    #[serde(default)]
    pub content_types: Vec<Spanned<String>>,
    pub items: Option<Spanned<String>>,
    pub at: Option<Texts>,
    pub signature: Spanned<SignatureTable>,
    #[serde(default)]
    pub signatures: BTreeMap<Spanned<String>, Spanned<SignatureTable>>,
    pub confirm: Option<Spanned<ConfirmValue>>,
    #[serde(default)]
    pub event: PlacesTable,
    pub statuses: Option<Vec<Spanned<String>>>,
    pub retry_window_secs: Option<u64>,
    pub only: Option<MatchingTable>,
    #[serde(default)]
    pub ignore: Vec<MatchingTable>,
    #[serde(default)]
    pub reply: ReplyTable,
    pub challenge: Option<Spanned<ChallengeTable>>,
}

/// What a provider wants to read when its callback was accepted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct ReplyTable {
    pub status: Option<Spanned<u16>>,
    #[serde(default)]
    pub body: Option<Spanned<String>>,
    pub content_type: Option<Spanned<String>>,
}

/// A request that only proves that we are here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct ChallengeTable {
    pub query: Option<Spanned<String>>,
    pub token: Option<Spanned<String>>,
    pub at: Option<Texts>,
    pub when: Option<MatchingTable>,
}
