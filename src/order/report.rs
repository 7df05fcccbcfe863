//! What is said about one order, by whomever, in one form.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::amount::{Amount, Currency};
use super::name::{EventId, Kind, OrderId, Role, Status};
use super::slot::{Leg, Slot};
use super::timestamp::Timestamp;

/// Where a report came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A provider's request to us.
    Callback,
    /// An item of a provider's notifications endpoint.
    Feed,
    /// A provider's answer about one order.
    Answer,
    /// A provider's answer to something that we asked it to do.
    Action,
    /// The integrator.
    Registration,
    /// A person.
    Operator,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 6] = [
        Self::Callback,
        Self::Feed,
        Self::Answer,
        Self::Action,
        Self::Registration,
        Self::Operator,
    ];

    /// The name in JSON, SQL and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Feed => "feed",
            Self::Answer => "answer",
            Self::Action => "action",
            Self::Registration => "registration",
            Self::Operator => "operator",
        }
    }

    /// Whether the provider said it in answer to us, over a connection that we opened: that
    /// confirms what a callback claims.
    #[must_use]
    pub fn confirms(self) -> bool {
        matches!(self, Self::Feed | Self::Answer | Self::Action)
    }
}

/// The named amounts that one report carried: only those that it did carry.
pub type Amounts = BTreeMap<String, Amount>;

/// What was said about one order, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Where it came from.
    pub origin: Origin,
    /// What this event is known by within its order.
    pub event_id: EventId,
    /// When we received it, by our clock.
    pub received_at: Timestamp,
    /// The order's ids that it mentions: at least one.
    pub names: BTreeMap<OrderId, Role>,
    /// What it says.
    pub content: Content,
}

/// What a report says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A provider said something about the order.
    Said(Said),
    /// Someone who could not be verified did: reason enough to ask, and nothing more.
    Hint,
    /// The integrator knows the order.
    Registered(Registration),
    /// A person decided.
    Resolved(Resolution),
}

/// What a provider said. An absent field says nothing: not zero, not none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// The status as the provider spells it, so that a later definition can read it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the provider calls this news, as it spells it: the name of an event is not a status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The status that the definition has for that name. Claimed beside the status that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced: Option<Status>,
    /// The provider's time of this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The kind, by the definition's name; a provider's own word where the definition has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The account at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The currency of each leg.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub currencies: BTreeMap<Leg, Currency>,
    /// Every named amount.
    #[serde(skip_serializing_if = "Amounts::is_empty")]
    pub amounts: Amounts,
    /// The operation that these amounts belong to, where the provider reports operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationName>,
}

/// One operation at a provider: what it did, and its id there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OperationName {
    /// Which operation, by the definition's name.
    pub name: String,
    /// Its id at the provider.
    pub id: String,
}

/// What the integrator knows about its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Registration {
    /// The kind, by the definition's name.
    pub kind: Option<Kind>,
    /// What is meant to move.
    pub expected: BTreeMap<Leg, Expected>,
    /// What the integrator booked itself when it created the order.
    pub booked: BTreeMap<Slot, Amount>,
}

/// What is meant to move on a leg.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expected {
    /// How much.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

/// What a person decided about an order. It adds to what was reported and edits nothing, so it
/// commutes with every report, also with a redelivered one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// Claims that count no more.
    #[serde(default)]
    pub overrules: BTreeSet<Overrule>,
    /// Keys of mismatches that are accepted and of attentions that are dismissed.
    #[serde(default)]
    pub waives: BTreeSet<String>,
    /// What the integrator's books must make up for, by counter.
    #[serde(default)]
    pub compensates: BTreeMap<Slot, Amount>,
    /// The provider is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
}

impl Resolution {
    /// A resolution that decides nothing.
    #[must_use]
    pub fn of_nothing(by: &str, why: &str) -> Self {
        let (by, why) = (by.to_owned(), why.to_owned());
        let (overrules, waives) = (BTreeSet::new(), BTreeSet::new());
        Self { by, why, overrules, waives, compensates: BTreeMap::new(), asks: false }
    }
}

/// A claim that counts no more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overrule {
    /// A status, up to a time.
    Status(Status, Until),
    /// One version of an operation that was reported with two amounts.
    Operation(OperationName, Amounts),
}

/// Up to when a claim is overruled. The greater covers more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// In a loop: up to this time; `None` covers claims that have no time.
    Time(Option<Timestamp>),
    /// For good.
    Always,
}

impl Until {
    /// Whether a claim with this time is covered.
    #[must_use]
    pub fn covers(self, time: Option<Timestamp>) -> bool {
        match self {
            Self::Always => true,
            Self::Time(until) => time <= until,
        }
    }
}

impl Said {
    /// An event id for providers that send none: a digest of what is said, by status, provider's
    /// time, totals and currency. Never of the raw body (49.90 and 49.9 are the same news) nor of
    /// the time of asking. `status` is the definition's name of it, where it has one.
    #[must_use]
    pub fn digest(&self, status: Option<&Status>) -> String {
        let mut digest = Sha256::new();
        // No text here can contain a NUL, so fields cannot run into each other.
        let mut add = |name: &str, value: &str| {
            digest.update(name);
            digest.update([0]);
            digest.update(value);
            digest.update([0]);
        };
        if let Some(status) = status.map(Status::as_str).or(self.status.as_deref()) {
            add("status", status);
        }
        // What only repeats the status in other words is the same news.
        if let Some(announced) = self.announced.as_ref().filter(|own| Some(*own) != status) {
            add("announced", announced.as_str());
        }
        if let Some(time) = self.time {
            add("time", &time.micros().to_string());
        }
        if let Some(operation) = &self.operation {
            add("operation", &operation.name);
            add("operation_id", &operation.id);
        }
        for (name, amount) in &self.amounts {
            add(&format!("amount.{name}"), &amount.to_string());
        }
        for (leg, currency) in &self.currencies {
            add(&format!("currency.{leg}"), &currency.to_string());
        }
        format!("digest:{}", &hex::encode(digest.finalize())[..32])
    }
}
