//! `[feed]`.

use serde::Deserialize;
use toml::Spanned;

use super::ask::{ErrorTable, OkTable};
use super::body::Bodies;
use super::{MatchingTable, PlacesTable, SignTable, Texts};
use crate::provider::body::BodyFormat;
use crate::provider::read::TimeWord;
use crate::provider::request::Method;

/// The list of what happened.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct FeedTable {
    pub method: Method,
    pub path: Spanned<String>,
    pub body: Option<Spanned<Bodies>>,
    #[serde(default)]
    pub format: BodyFormat,
    pub items: Spanned<String>,
    pub at: Option<Texts>,
    pub only: Option<MatchingTable>,
    #[serde(default)]
    pub ignore: Vec<MatchingTable>,
    pub ok: Option<OkTable>,
    pub signature: Option<SignTable>,
    #[serde(default)]
    pub error: Vec<ErrorTable>,
    #[serde(default)]
    pub event: PlacesTable,
    pub every_secs: Option<Spanned<u64>>,
    pub overlap_secs: Option<Spanned<u64>>,
    pub pages_max: Option<Spanned<u64>>,
    pub cursor: Option<Spanned<CursorTable>>,
    pub page: Option<Spanned<PageTable>>,
    pub next_link: Option<Spanned<LinkTable>>,
    pub window: Option<Spanned<WindowTable>>,
}

/// A text that is sent back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct CursorTable {
    pub next: Spanned<String>,
    pub first: Option<String>,
}

/// Pages with numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct PageTable {
    pub first: Option<u64>,
    pub size: Option<Spanned<u64>>,
    pub total: Option<Spanned<String>>,
}

/// The URL of the next page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct LinkTable {
    pub at: Spanned<String>,
}

/// Between which times the items lie.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct WindowTable {
    #[serde(default)]
    pub format: TimeWord,
    pub first_secs: Option<Spanned<u64>>,
}
