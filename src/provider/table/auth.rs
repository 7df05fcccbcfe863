//! `[auth]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::SignatureTable;
use super::body::Bodies;
use crate::provider::body::BodyFormat;
use crate::provider::request::Method;

/// How our own requests are authenticated.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct AuthTable {
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<String>>,
    pub basic: Option<BasicTable>,
    pub sign: Option<SignTable>,
    pub login: Option<LoginTable>,
    #[serde(default)]
    pub client_certificate: bool,
}

/// HTTP Basic.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct BasicTable {
    pub user: Spanned<String>,
    pub password: Spanned<String>,
}

/// A signature over our request's body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct SignTable {
    pub secret: String,
    pub signature: Spanned<SignatureTable>,
}

/// A request that brings a token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct LoginTable {
    pub method: Method,
    pub path: Spanned<String>,
    pub body: Option<Spanned<Bodies>>,
    #[serde(default)]
    pub format: BodyFormat,
    pub token: Spanned<String>,
    pub expires: Option<ExpiresTable>,
    pub life_secs: Option<Spanned<u64>>,
    pub send: Spanned<BTreeMap<String, Spanned<String>>>,
}

/// Where it is said how long the token is good.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct ExpiresTable {
    pub at: Spanned<String>,
    pub format: ExpiryWord,
}

/// How it is said.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::provider) enum ExpiryWord {
    /// For so many seconds.
    Seconds,
    Rfc3339,
    DateTime,
    EpochSeconds,
    EpochMillis,
}
