//! Where money is counted: a counter of a leg.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A side of an order. Most orders have one; an exchange has both. A leg has one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// The side that money leaves.
    From,
    /// The side that money reaches; the leg of an order that has only one, unless said otherwise.
    To,
}

impl Leg {
    /// Both legs.
    pub const ALL: [Self; 2] = [Self::From, Self::To];

    /// The name in definitions, JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
        }
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A cumulative money counter, seen from the integrator's books. It only rises.
///
/// The order is that in which the effects of one decision leave: a debit before the release that
/// makes the held money available again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// Set aside for this order.
    Held,
    /// Taken from the books.
    Debited,
    /// No longer set aside, for whatever reason, also because it turned into a debit.
    Released,
    /// Added to the books.
    Credited,
    /// Of what was debited, what came back.
    DebitReversed,
    /// Of what was credited, what was taken back.
    CreditReversed,
}

impl Counter {
    /// Every counter, in the order in which effects leave.
    pub const ALL: [Self; 6] = [
        Self::Held,
        Self::Debited,
        Self::Released,
        Self::Credited,
        Self::DebitReversed,
        Self::CreditReversed,
    ];

    /// The name in definitions, JSON, SQL and event types.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Debited => "debited",
            Self::Released => "released",
            Self::Credited => "credited",
            Self::DebitReversed => "debit_reversed",
            Self::CreditReversed => "credit_reversed",
        }
    }

    /// The counter that undoes this one, and back.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Held => Self::Released,
            Self::Released => Self::Held,
            Self::Debited => Self::DebitReversed,
            Self::DebitReversed => Self::Debited,
            Self::Credited => Self::CreditReversed,
            Self::CreditReversed => Self::Credited,
        }
    }

    /// For a counter that undoes another: the one that it undoes, and may not exceed.
    #[must_use]
    pub fn undoes(self) -> Option<Self> {
        match self {
            Self::Released | Self::DebitReversed | Self::CreditReversed => Some(self.opposite()),
            Self::Held | Self::Debited | Self::Credited => None,
        }
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Counter {
    type Err = SlotError;

    fn from_str(text: &str) -> Result<Self, SlotError> {
        Self::ALL
            .into_iter()
            .find(|counter| counter.as_str() == text)
            .ok_or_else(|| SlotError(text.to_owned()))
    }
}

/// A counter of a leg, written `to.held`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Which side.
    pub leg: Leg,
    /// Which counter of it.
    pub counter: Counter,
}

impl Slot {
    /// A counter of a leg.
    #[must_use]
    pub fn new(leg: Leg, counter: Counter) -> Self {
        Self { leg, counter }
    }

    /// The same leg's other counter.
    #[must_use]
    pub fn with(self, counter: Counter) -> Self {
        Self { counter, ..self }
    }

    /// Every counter of every leg, effects' order within a leg.
    pub fn all() -> impl Iterator<Item = Self> {
        Leg::ALL
            .into_iter()
            .flat_map(|leg| Counter::ALL.into_iter().map(move |counter| Self { leg, counter }))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.leg, self.counter)
    }
}

/// A text that names no counter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a counter: write held, debited, released, credited, debit_reversed or \
     credit_reversed, with `from.` or `to.` before it where an order has two legs"
)]
pub struct SlotError(String);

/// `to.held`, or `held` alone, which means the leg `to`.
impl FromStr for Slot {
    type Err = SlotError;

    fn from_str(text: &str) -> Result<Self, SlotError> {
        let (leg, counter) = match text.split_once('.') {
            Some(("from", counter)) => (Leg::From, counter),
            Some(("to", counter)) => (Leg::To, counter),
            Some(_) => return Err(SlotError(text.to_owned())),
            None => (Leg::To, text),
        };
        let counter = counter.parse().map_err(|_| SlotError(text.to_owned()))?;
        Ok(Self { leg, counter })
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
