//! The shape of a definition file, as TOML gives it. What it means is checked in `load`.
//! `definitions/README.md` explains every key to authors.

mod ask;
mod auth;
mod body;
mod callback;
mod confirm;
mod event;
mod feed;
mod kind;
mod machine;
mod signature;
mod text;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) use ask::{AskTable, BatchTable, ErrorTable, Missing, OkTable};
pub(super) use auth::{AuthTable, ExpiryWord, LoginTable, SignTable};
pub(super) use body::Bodies;
pub(super) use callback::{CallbackTable, ChallengeTable, ReplyTable};
pub(crate) use confirm::ConfirmValue;
pub(super) use event::{EventTable, MatchingTable, PlacesTable};
pub(super) use feed::FeedTable;
pub(super) use kind::{Counters, KindTable, MoneyTable, OperationTable, RemainderTable};
pub(super) use machine::{StatusTable, TrackTable};
pub(crate) use signature::{
    Key, ListTable, MissingWord, PlaceTable, SchemeWord, SignatureTable, SortedFieldsTable,
    StampTable,
};
pub(super) use text::{Legs, Texts};

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
    pub feed: Option<FeedTable>,
    #[serde(default)]
    pub sample: Vec<SampleTable>,
}

/// A body and what it must come to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleTable {
    pub name: Spanned<String>,
    #[serde(default)]
    pub answer: bool,
    #[serde(default)]
    pub feed: bool,
    pub body: String,
    #[serde(default)]
    pub after: Vec<String>,
    pub currency: Option<String>,
    pub status: String,
    pub kind: Option<String>,
    #[serde(default)]
    pub ids: Vec<String>,
    #[serde(default)]
    pub effects: Vec<String>,
}
