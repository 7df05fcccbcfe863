//! `[kind.*]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Legs, MatchingTable, Texts};

/// One kind of order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct KindTable {
    #[serde(default)]
    pub is: Vec<String>,
    #[serde(rename = "if")]
    pub when: Option<Spanned<MatchingTable>>,
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
    pub remainder: Option<Spanned<RemainderTable>>,
}

/// What a provider says is left of an order, and what must then be left of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct RemainderTable {
    pub said: Spanned<String>,
    pub of: Spanned<String>,
    pub less: Spanned<String>,
}

/// What one or more statuses mean for money.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct MoneyTable {
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
pub(in crate::provider) type Counters = BTreeMap<Spanned<String>, Spanned<String>>;

/// What one operation adds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct OperationTable {
    pub name: String,
    #[serde(default)]
    pub from: Counters,
    #[serde(default)]
    pub to: Counters,
    #[serde(default)]
    pub requires: Vec<Spanned<String>>,
    pub id: Option<Texts>,
    #[serde(rename = "if")]
    pub when: Option<MatchingTable>,
    pub moves: Option<bool>,
}

/// A status that follows from the counters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct DerivedTable {
    pub is: Spanned<String>,
    pub when: Vec<Spanned<String>>,
}
