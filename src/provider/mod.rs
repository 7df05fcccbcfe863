//! A payment system's protocol, as a definition states it: how it signs, names, reads and answers.
//! Pure: bytes and values in, values out. Nobody has to write Rust to add a provider.

mod answer;
pub mod batch;
pub mod body;
pub mod describe;
pub mod drawing;
pub mod envelope;
mod exponent;
pub mod feed;
pub mod form;
pub mod headers;
pub mod json;
mod load;
pub mod login;
pub mod meaning;
pub mod read;
pub mod reply;
pub mod request;
mod rules_error;
pub mod sample;
pub mod secret;
pub mod signature;
mod table;
pub mod template;
pub mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

pub use read::Unreadable;
pub use rules_error::RulesError;
pub use sample::Sample;

use crate::mistake::Mistakes;
use crate::order::machine::Machine;
use crate::order::name::{Kind, OrderId, Role, Status};
use crate::order::report::{Origin, Report};
use crate::order::rules::{Confirm, KindRules, Policy, Rules};
use crate::order::slot::Leg;
use crate::order::timestamp::Timestamp;
use feed::Feed;
use headers::Headers;
use json::{Json, Pointer};
use read::{Doc, Matching, Places, Words};
use reply::{Challenge, Reply};
use request::{Ask, Auth};
use signature::Signature;
pub(crate) use table::{ConfirmValue, SignatureTable};
#[cfg(test)]
pub(crate) use table::{ListTable, PlaceTable, SortedFieldsTable, StampTable};

/// The definitions that come with Pawl: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("azpay", include_str!("definitions/azpay.toml")),
    ("cardaq", include_str!("definitions/cardaq.toml")),
    ("flypay", include_str!("definitions/flypay.toml")),
    ("mollie", include_str!("definitions/mollie.toml")),
    ("newday", include_str!("definitions/newday.toml")),
    ("sdk-finance", include_str!("definitions/sdk-finance.toml")),
    ("stripe", include_str!("definitions/stripe.toml")),
];

/// The books mode of every kind in which the provider moves nothing on the integrator's books.
pub const NO_BOOKS: &str = "none";

/// A checked definition.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in configuration: lower case.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it is, in a sentence or two.
    pub about: String,
    /// Where its facts come from.
    pub documents: Vec<String>,
    /// Its statuses and edges.
    pub machine: Arc<Machine>,
    /// Its kinds of orders.
    pub kinds: BTreeMap<Kind, KindModes>,
    /// How its callbacks are signed, where a source does not choose.
    pub signature: Signature,
    /// The ways of signing that a source may choose, by name. Always has `none`.
    pub signatures: BTreeMap<String, Signature>,
    /// Which claims must be confirmed, where the definition says it and the source does not.
    pub confirm: Option<Confirm>,
    /// How we prove who we are when we ask.
    pub auth: Auth,
    /// How to ask about an order.
    pub ask: Option<Ask>,
    /// How its feed is read.
    pub feed: Option<Feed>,
    /// Bodies and what they must come to.
    pub samples: Vec<Sample>,
    /// How long the sender of a callback tries again until it gives up.
    pub retry_window: Duration,
    /// The statuses that callbacks are sent for; all of them if `None`.
    called_back: Option<BTreeSet<Status>>,
    /// How callbacks' bodies are written.
    pub format: Format,
    /// The media types that callbacks come as.
    pub content_types: Vec<String>,
    /// What is answered to an accepted callback.
    pub reply: Reply,
    /// The request that only proves that we are here.
    pub challenge: Option<Challenge>,
    /// The list that holds a callback's reports, where it may hold several.
    items: Option<Pointer>,
    /// Which callbacks are about orders; all of them if `None`.
    only: Option<Matching>,
    /// Which callbacks are not about orders.
    ignore: Vec<Matching>,
    callback: Places,
    events: BTreeMap<String, Status>,
    kind_words: BTreeMap<String, Kind>,
    takes_currency: bool,
}

/// A kind's money in each books mode.
#[derive(Clone, Debug)]
pub struct KindModes {
    /// The mode where a source does not choose.
    pub default: String,
    /// What statuses and operations mean for money, by mode. Always has [`NO_BOOKS`].
    pub modes: BTreeMap<String, KindRules>,
}

/// How bodies are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON (RFC 8259).
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl Format {
    /// The media type that it usually has.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Unreadable`] where it may mean more or less than one thing.
    pub fn read(self, body: &[u8]) -> Result<Json, Unreadable> {
        match self {
            Self::Json => Ok(Json::read(body)?),
            Self::Form => Ok(form::read(body)?),
        }
    }
}

/// How far a callback is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The provider signed what it says: it makes claims.
    Claims,
    /// Anybody may have said it: a reason to ask, and nothing more.
    Hint,
}

impl Provider {
    /// Reads and checks a definition. `file` is how messages call it.
    ///
    /// # Errors
    /// Everything that is wrong with it, with line and column.
    pub fn load(file: &str, text: &str) -> Result<Self, Mistakes> {
        load::load(text).map_err(|mistakes| Mistakes::in_file(file, text, mistakes))
    }

    /// Every definition that comes with Pawl.
    ///
    /// # Errors
    /// Never in a build that passed its tests.
    pub fn built_in() -> Result<Vec<Self>, Mistakes> {
        let load = |(name, text): &(&str, &str)| Self::load(&format!("{name}.toml"), text);
        BUILT_IN.iter().map(load).collect()
    }

    /// What a source's orders are decided by: the books mode of each kind that it chose, and its
    /// policy.
    ///
    /// # Errors
    /// [`RulesError`] for a kind or a mode that the definition does not have.
    pub fn rules(
        &self,
        books: &BTreeMap<Kind, String>,
        policy: Policy,
    ) -> Result<Rules, RulesError> {
        if let Some(kind) = books.keys().find(|kind| !self.kinds.contains_key(*kind)) {
            return Err(self.no_such_kind(kind.as_str()));
        }
        let choose = |(kind, modes): (&Kind, &KindModes)| {
            let mode = books.get(kind).unwrap_or(&modes.default);
            let rules = modes.modes.get(mode).ok_or_else(|| RulesError::Mode {
                kind: kind.clone(),
                mode: mode.clone(),
                known: modes.modes.keys().cloned().collect::<Vec<_>>().join(" or "),
            })?;
            Ok((kind.clone(), rules.clone()))
        };
        let kinds = self.kinds.iter().map(choose).collect::<Result<_, _>>()?;
        Ok(Rules { machine: Arc::clone(&self.machine), kinds: Arc::new(kinds), policy })
    }

    /// The error for a kind that the definition does not have.
    #[must_use]
    pub fn no_such_kind(&self, kind: &str) -> RulesError {
        RulesError::Kind {
            provider: self.name.clone(),
            kind: kind.to_owned(),
            known: self.kinds.keys().map(Kind::as_str).collect::<Vec<_>>().join(", "),
        }
    }

    /// Reads an authentic callback into its reports: none where it is not about orders.
    ///
    /// # Errors
    /// [`Unreadable`]; the callback becomes a dead letter.
    pub fn read_callback(
        &self,
        headers: &Headers,
        body: &[u8],
        received_at: Timestamp,
    ) -> Result<Vec<Report>, Unreadable> {
        let body = self.format.read(body)?;
        let read = |item| {
            let doc = Doc { body: &body, item };
            let is_meant = self.only.as_ref().is_none_or(|only| only.holds(doc))
                && !self.ignore.iter().any(|ignored| ignored.holds(doc));
            let read =
                || self.callback.read(doc, headers, &self.words(), Origin::Callback, received_at);
            is_meant.then(read).transpose()
        };
        let Some(list) = &self.items else {
            return Ok(read(0)?.into_iter().collect());
        };
        let Some(Json::List(items)) = body.at(list) else {
            return Err(Unreadable::NoList(list.to_string()));
        };
        let count = items.len();
        let wrap = |number: usize| {
            move |error| Unreadable::Item { number: number + 1, count, error: Box::new(error) }
        };
        let reports = (0..count).map(|item| read(item).map_err(wrap(item)));
        Ok(reports.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The text that an authentic callback wants to be answered with, where it only asks whether we are
    /// here.
    #[must_use]
    pub fn find_challenge(&self, body: &[u8]) -> Option<String> {
        // Most providers have none: then nothing is read.
        let challenge = self.challenge.as_ref()?;
        challenge.find(&self.format.read(body).ok()?)
    }

    /// The header of a callback that reading needs, beside its body.
    #[must_use]
    pub fn event_id_header(&self) -> Option<&str> {
        self.callback.event_id_header.as_deref()
    }

    /// Reads a callback that nobody vouches for: the ids that it names, and nothing else. It may say no more.
    /// Of several reports the first is enough: whoever sends hints may send another.
    ///
    /// # Errors
    /// [`Unreadable`]; then there is nothing to ask about.
    pub fn read_hint(&self, body: &[u8]) -> Result<BTreeMap<OrderId, Role>, Unreadable> {
        self.callback.read_names(Doc { body: &self.format.read(body)?, item: 0 })
    }

    /// Reads an authentic answer about the order that was asked about. An answer without a time of
    /// its own takes the one at which the provider gave it (its `Date`).
    ///
    /// # Errors
    /// [`Unreadable`]; an answer that cannot be read is no information.
    pub fn read_answer(
        &self,
        ask: &Ask,
        asked: &BTreeSet<OrderId>,
        body: &[u8],
        date: Option<Timestamp>,
        received_at: Timestamp,
    ) -> Result<Report, Unreadable> {
        ask.envelope.check(body)?;
        let body = Json::read(body)?;
        let report = ask.places.read_one(&body, &self.words(), Origin::Answer, received_at)?;
        batch::about(report, asked, date)
    }

    /// Checks a callback's signature over its raw bytes, and how far it is to be believed. `chosen` is the
    /// source's way of signing, where it is not the definition's own.
    ///
    /// # Errors
    /// [`signature::SignatureError`]; whatever the reason, the body must not be used.
    pub fn verify_callback(
        &self,
        request: &signature::Request<'_>,
        chosen: Option<&Signature>,
        secrets: &[secret::CallbackSecret],
    ) -> Result<Trust, signature::SignatureError> {
        chosen.unwrap_or(&self.signature).verify_request(request, secrets)
    }

    /// Whether its callbacks name the account that they are for.
    #[must_use]
    pub fn tells_account(&self) -> bool {
        !self.callback.account.is_empty()
    }

    /// Whether its reports say no currency, so that a source has to.
    #[must_use]
    pub fn takes_currency(&self) -> bool {
        self.takes_currency
    }

    /// Whether a callback is sent when an order reaches a status.
    #[must_use]
    pub fn calls_back(&self, status: &Status) -> bool {
        self.called_back.as_ref().is_none_or(|statuses| statuses.contains(status))
    }

    /// The kind's only leg, where it moves money on one.
    #[must_use]
    pub fn only_leg(&self, kind: &Kind) -> Option<Leg> {
        let legs: BTreeSet<Leg> =
            self.kinds.get(kind)?.modes.values().flat_map(KindRules::legs).collect();
        (legs.len() == 1).then(|| legs.first().copied())?
    }

    /// The names of the credentials that asking needs.
    #[must_use]
    pub fn credentials(&self) -> BTreeSet<&str> {
        let asks = self.ask.iter().flat_map(|ask| &ask.envelope.signature);
        let feeds = self.feed.iter().flat_map(|feed| &feed.envelope.signature);
        let signatures = asks.chain(feeds).map(|(name, _)| name.as_str());
        self.auth.credentials().chain(signatures).collect()
    }

    fn words(&self) -> Words<'_> {
        Words { machine: &self.machine, kinds: &self.kind_words, events: &self.events }
    }
}
