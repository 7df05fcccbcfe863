//! `[callback]`.

use serde::Deserialize;
use toml::Spanned;

use super::{PlacesTable, Texts};
use crate::provider::signature::Signature;

/// How callbacks come.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct CallbackTable {
    #[serde(default)]
    pub at: Option<Texts>,
    pub signature: Spanned<Signature>,
    #[serde(default)]
    pub event: PlacesTable,
    pub statuses: Option<Vec<Spanned<String>>>,
    pub retry_window_secs: Option<u64>,
}
