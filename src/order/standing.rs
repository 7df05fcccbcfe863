//! Where an order stands: its heads, its counters, what holds its effects back, what waits for a
//! person, and what is due. Worked out in `judge`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::amount::{Amount, Currency};
use super::effect::Effect;
use super::machine::Outcome;
use super::name::{Kind, Status, Track};
use super::slot::{Leg, Slot};
use super::timestamp::Timestamp;

/// Where an order stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The heads of every track that anything was said about.
    pub heads: BTreeMap<Track, Vec<Status>>,
    /// The payment status; none before the first, and none while heads contradict each other.
    pub status: Option<Status>,
    /// What the payment status says; pending where there is none.
    pub outcome: Option<Outcome>,
    /// The outcome is known and so is the money: nothing is left to ask, but a slow watch.
    pub is_final: bool,
    /// The kind, where it is known.
    pub kind: Option<Kind>,
    /// The currency of each leg, where it is known.
    pub currencies: BTreeMap<Leg, Currency>,
    /// The counters.
    pub position: BTreeMap<Slot, Amount>,
    /// Operations that do not count yet.
    pub waiting_operations: bool,
    /// Why no effect is issued; empty where nothing stands in the way.
    pub holds: Vec<Hold>,
    /// What is waited for, and since when.
    pub waits: Vec<Wait>,
    /// When the next of it is waited for too long; what is already is not counted.
    pub overdue_at: Option<Timestamp>,
    /// What waits for a person.
    pub attention: Vec<Attention>,
    /// The keys of all values that a person may choose between, also where one is chosen already.
    pub choices: BTreeSet<String>,
    /// The effects that are due now. Empty while anything holds them back.
    pub due: Vec<Effect>,
}

/// Why no effect is issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What sort of reason.
    pub cause: Cause,
    /// The reason, for a person.
    pub text: String,
    /// The keys by which a person may accept it: one of them, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The provider's answer may lift it.
    #[serde(default)]
    pub ask: bool,
    /// It ends by itself at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Something that an order waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// What tells it from others.
    pub key: String,
    /// What is waited for, for a person.
    pub text: String,
    /// When what waits for it was first received.
    pub since: Timestamp,
}

/// What sort of reason holds effects back. The greater is graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Something is not known yet.
    Early,
    /// An amount, a currency, a kind or an account does not fit.
    Mismatch,
    /// Two statuses exclude each other, or one operation has two amounts.
    Conflict,
}

/// Something about an order that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attention {
    /// What sort of thing.
    pub code: AttentionCode,
    /// What tells it from others of its sort; by this key a person dismisses or accepts it.
    pub key: String,
    /// What the person must know.
    pub text: String,
}

/// What sort of thing waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionCode {
    /// The definition says that a person must decide.
    Judgement,
    /// Two statuses exclude each other, or one operation has two amounts.
    Conflict,
    /// An amount, a currency, a kind or an account does not fit.
    Mismatch,
    /// A status that the definition does not know.
    UnknownStatus,
    /// Two orders of which both had issued turned out to be one.
    Identity,
    /// It stayed open although the provider answered for the whole horizon.
    Unresolved,
    /// Something that was not known yet is waited for longer than the source allows.
    EarlyOverdue,
    /// A sink did not take what it was told of it for the whole horizon. Nothing of the order itself: who
    /// delivers says so.
    SinkStopped,
}

impl AttentionCode {
    /// Every code.
    pub const ALL: [Self; 8] = [
        Self::Judgement,
        Self::Conflict,
        Self::Mismatch,
        Self::UnknownStatus,
        Self::Identity,
        Self::Unresolved,
        Self::EarlyOverdue,
        Self::SinkStopped,
    ];

    /// The code of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// The name in JSON, SQL and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Judgement => "judgement",
            Self::Conflict => "conflict",
            Self::Mismatch => "mismatch",
            Self::UnknownStatus => "unknown_status",
            Self::Identity => "identity",
            Self::Unresolved => "unresolved",
            Self::EarlyOverdue => "early_overdue",
            Self::SinkStopped => "sink_stopped",
        }
    }
}

impl fmt::Display for AttentionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key of a conflict of statuses. It names what contradicts each other: to know of one conflict is not
/// to know of the next.
pub(super) fn conflict_key(track: &Track, heads: &[Status]) -> String {
    let names: Vec<_> = heads.iter().map(Status::as_str).collect();
    format!("conflict:{track}={}", names.join(","))
}

impl Standing {
    /// The keys that a person may accept, dismiss or choose by.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<&str> {
        let holds = self.holds.iter().flat_map(|hold| &hold.keys);
        let attention = self.attention.iter().map(|attention| &attention.key);
        holds.chain(attention).chain(&self.choices).map(String::as_str).collect()
    }

    /// The keys by which a person accepts something, or chooses: by them money may move.
    pub(super) fn accepted_keys(&self) -> impl Iterator<Item = &String> {
        let holds = self.holds.iter().flat_map(|hold| &hold.keys);
        let mismatches = self.attention.iter().filter(|a| a.code == AttentionCode::Mismatch);
        holds.chain(&self.choices).chain(mismatches.map(|attention| &attention.key))
    }

    /// Whether a cause holds effects back.
    #[must_use]
    pub fn is_held_by(&self, cause: Cause) -> bool {
        self.holds.iter().any(|hold| hold.cause == cause)
    }

    /// Whether the provider's answer may bring what is missing.
    #[must_use]
    pub fn wants_answer(&self) -> bool {
        self.waiting_operations || self.holds.iter().any(|hold| hold.ask)
    }

    /// When the order is to be judged again without news: a hold that ends by itself ends, or something is
    /// waited for too long.
    #[must_use]
    pub fn judge_again_at(&self) -> Option<Timestamp> {
        self.holds.iter().filter_map(|hold| hold.until).chain(self.overdue_at).min()
    }
}
