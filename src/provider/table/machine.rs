//! `[track.*]` and `[status.*]`.

use serde::Deserialize;
use toml::Spanned;

use crate::order::machine::Outcome;

/// A side track. The payment track needs no table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct TrackTable {
    #[serde(default)]
    #[expect(dead_code, reason = "for the reader of the file; pages will show it")]
    pub about: String,
}

/// One status.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct StatusTable {
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
    pub until: Option<Spanned<String>>,
    pub horizon_secs: Option<u64>,
}
