//! `[auth]` and `[ask]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{PlacesTable, Texts};
use crate::provider::request::Method;
use crate::provider::signature::Signature;

/// How our own requests are authenticated.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct AuthTable {
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<String>>,
    pub sign: Option<SignTable>,
}

/// A signature over our request's body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct SignTable {
    pub secret: String,
    pub signature: Spanned<Signature>,
}

/// The status request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct AskTable {
    pub method: Method,
    pub path: Spanned<String>,
    #[serde(default)]
    pub body: Vec<Spanned<BTreeMap<String, String>>>,
    pub answer: AnswerTable,
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
