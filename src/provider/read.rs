//! Reads a body into reports, by the places that a definition names.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::json::{Json, JsonError, Pointer};
use crate::order::amount::{Amount, AmountError, Currency, CurrencyError};
use crate::order::machine::{Machine, normalise};
use crate::order::name::{EventId, ID_BYTES_MAX, IdError, Kind, OrderId, Role};
use crate::order::report::{Amounts, Content, OperationName, Origin, Report, Said};
use crate::order::slot::Leg;
use crate::order::timestamp::Timestamp;

/// How a provider writes times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// `2025-11-20T09:03:12Z` (RFC 3339).
    #[default]
    Rfc3339,
    /// `2025-11-20 09:03:12`, in UTC.
    DateTimeUtc,
    /// Seconds since 1970, as a number or a text.
    EpochSeconds,
    /// Milliseconds since 1970, as a number or a text.
    EpochMillis,
}

/// Where things are in a body. Of several pointers the first that finds something counts.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The integrator's id.
    pub order_id: Vec<Pointer>,
    /// The provider's id.
    pub provider_id: Vec<Pointer>,
    /// Further ids; each of them counts.
    pub other_ids: Vec<Pointer>,
    /// The event's id.
    pub event_id: Vec<Pointer>,
    /// The account.
    pub account: Vec<Pointer>,
    /// The kind.
    pub kind: Vec<Pointer>,
    /// The status.
    pub status: Vec<Pointer>,
    /// The provider's time.
    pub time: Vec<Pointer>,
    /// How times are written.
    pub time_format: TimeFormat,
    /// Currencies.
    pub currency: BTreeMap<Leg, Vec<Pointer>>,
    /// Amounts by name: all that any kind reads.
    pub amounts: BTreeMap<String, Vec<Pointer>>,
    /// The operation.
    pub operation: Vec<Pointer>,
    /// The operation's id.
    pub operation_id: Vec<Pointer>,
}

/// What the words of a body mean.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    pub machine: &'a Machine,
    /// A provider's word for a kind, brought to the form of statuses, and the definition's name of it.
    pub kinds: &'a BTreeMap<String, Kind>,
    /// The operations that any kind counts.
    pub operations: &'a BTreeSet<String>,
}

/// Why an authentic body cannot be read. It becomes a dead letter with its bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON that can be trusted to mean one thing.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Something that every report must say is not there.
    #[error("there is no {what} at {places}")]
    Missing {
        /// What.
        what: &'static str,
        /// Where it was looked for.
        places: String,
    },
    /// Something is there, and is of another sort.
    #[error("the {what} at {place} is {found}, not {wanted}")]
    Sort {
        /// What.
        what: String,
        /// Where.
        place: String,
        /// What sort of value it is.
        found: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// An id that is none.
    #[error("the {what}: {error}")]
    Id {
        /// Which id.
        what: &'static str,
        /// What is wrong with it.
        error: IdError,
    },
    /// An amount that is none.
    #[error("the amount {name} {}", .error.what())]
    Amount {
        /// Which amount.
        name: String,
        /// What is wrong with it.
        error: AmountError,
    },
    /// A currency that is none.
    #[error("the currency is not a code: 1 to 16 letters, digits, `.`, `_` or `-`")]
    Currency(#[from] CurrencyError),
    /// An answer that does not say that it is one.
    #[error("the answer says `{said}` at {place}, not `{wanted}`")]
    NotOk {
        /// What it says.
        said: String,
        /// Where.
        place: String,
        /// What it should say.
        wanted: String,
    },
    /// An answer about another order than the one that was asked about.
    #[error("the answer is about another order than the one that was asked about")]
    OtherOrder,
}

impl Places {
    /// Reads one report.
    pub(super) fn read(
        &self,
        body: &Json,
        words: &Words<'_>,
        origin: Origin,
        received_at: Timestamp,
    ) -> Result<Report, Unreadable> {
        let said = self.read_said(body, words)?;
        let status = said.status.as_deref().and_then(|status| words.machine.find(status));
        let event_id = match self.id(body, "event id", &self.event_id)? {
            Some(id) => EventId::new(id),
            None => EventId::new(said.digest(status.map(|rule| &rule.name))),
        };
        Ok(Report {
            origin,
            event_id: event_id.map_err(|error| Unreadable::Id { what: "event id", error })?,
            received_at,
            names: self.read_names(body)?,
            content: Content::Said(said),
        })
    }

    fn read_said(&self, body: &Json, words: &Words<'_>) -> Result<Said, Unreadable> {
        let operation = self.read_operation(body, words)?;
        let status = text(body, "status", &self.status)?;
        if status.is_none() && operation.is_none() {
            return Err(missing("status", &self.status));
        }
        let kind = text(body, "kind", &self.kind)?;
        let kind = kind.map(|word| normalise(&word));
        let kind = kind.map(|word| words.kinds.get(&word).cloned().unwrap_or(Kind::unknown(&word)));
        let mut currencies = BTreeMap::new();
        for (leg, places) in &self.currency {
            if let Some(currency) = text(body, "currency", places)? {
                currencies.insert(*leg, currency.parse::<Currency>()?);
            }
        }
        Ok(Said {
            status,
            time: self.read_time(body),
            kind,
            account: self.id(body, "account", &self.account)?,
            currencies,
            amounts: self.read_amounts(body)?,
            operation,
        })
    }

    fn read_names(&self, body: &Json) -> Result<BTreeMap<OrderId, Role>, Unreadable> {
        let id_error = |error| Unreadable::Id { what: "order id", error };
        let mut names = BTreeMap::new();
        let roles = [(&self.order_id, Role::Merchant), (&self.provider_id, Role::Provider)];
        for (places, role) in roles {
            if let Some(id) = self.id(body, "order id", places)? {
                names.entry(OrderId::new(id).map_err(id_error)?).or_insert(role);
            }
        }
        for place in &self.other_ids {
            if let Some(id) = self.id(body, "order id", std::slice::from_ref(place))? {
                names.entry(OrderId::new(id).map_err(id_error)?).or_insert(Role::Other);
            }
        }
        if names.is_empty() {
            let places: Vec<_> = self.order_id.iter().chain(&self.provider_id).cloned().collect();
            return Err(missing("order id", &places));
        }
        Ok(names)
    }

    fn read_amounts(&self, body: &Json) -> Result<Amounts, Unreadable> {
        let mut amounts = Amounts::new();
        for (name, places) in &self.amounts {
            let Some((place, value)) = find(body, places) else {
                continue;
            };
            let literal = match value {
                Json::Number(literal) | Json::Text(literal) => literal,
                Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => {
                    let what = format!("amount {name}");
                    return Err(sort(&what, place, value, "a decimal number"));
                }
            };
            let amount = literal
                .parse::<Amount>()
                .map_err(|error| Unreadable::Amount { name: name.clone(), error })?;
            amounts.insert(name.clone(), amount);
        }
        Ok(amounts)
    }

    fn read_operation(
        &self,
        body: &Json,
        words: &Words<'_>,
    ) -> Result<Option<OperationName>, Unreadable> {
        let Some(name) = text(body, "operation", &self.operation)? else {
            return Ok(None);
        };
        let is_known = words.operations.contains(&name);
        match self.id(body, "operation id", &self.operation_id)? {
            Some(id) => Ok(Some(OperationName { name, id })),
            // It moves nothing until a person says what it is: its name alone must not get lost.
            None if !is_known => Ok(Some(OperationName { name, id: String::new() })),
            None => Err(missing("operation id", &self.operation_id)),
        }
    }

    /// A time that cannot be read counts as none, like one that lies in the future: it would order
    /// claims, and a guess must not.
    fn read_time(&self, body: &Json) -> Option<Timestamp> {
        let (_, value) = find(body, &self.time)?;
        let literal = match value {
            Json::Number(literal) | Json::Text(literal) => literal,
            Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => return None,
        };
        self.time_format.read(literal)
    }

    /// An id: a text, or a number by its literal.
    fn id(
        &self,
        body: &Json,
        what: &'static str,
        places: &[Pointer],
    ) -> Result<Option<String>, Unreadable> {
        match find(body, places) {
            None => Ok(None),
            Some((_, Json::Text(id) | Json::Number(id))) => Ok(Some(id.clone())),
            Some((place, other)) => Err(sort(what, place, other, "a text or a number")),
        }
    }
}

impl TimeFormat {
    /// Reads a time; `None` where the text is not one.
    #[must_use]
    pub fn read(self, literal: &str) -> Option<Timestamp> {
        const DATE_TIME: &[BorrowedFormatItem<'_>] =
            format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        match self {
            Self::Rfc3339 => literal.parse().ok(),
            Self::DateTimeUtc => {
                let local = PrimitiveDateTime::parse(literal, DATE_TIME).ok()?;
                Timestamp::from_datetime(local.assume_utc())
            }
            Self::EpochSeconds => {
                let at = OffsetDateTime::from_unix_timestamp(literal.parse().ok()?).ok()?;
                Timestamp::from_datetime(at)
            }
            Self::EpochMillis => {
                Timestamp::from_micros(literal.parse::<i64>().ok()?.checked_mul(1_000)?)
            }
        }
    }
}

fn find<'a>(body: &'a Json, places: &'a [Pointer]) -> Option<(&'a Pointer, &'a Json)> {
    places.iter().find_map(|place| body.at(place).map(|value| (place, value)))
}

fn text(body: &Json, what: &'static str, places: &[Pointer]) -> Result<Option<String>, Unreadable> {
    match find(body, places) {
        None => Ok(None),
        Some((_, Json::Text(text))) if text.len() <= ID_BYTES_MAX => Ok(Some(text.clone())),
        Some((place, other)) => Err(sort(what, place, other, "a text of at most 255 bytes")),
    }
}

fn missing(what: &'static str, places: &[Pointer]) -> Unreadable {
    let places: Vec<_> = places.iter().map(Pointer::to_string).collect();
    Unreadable::Missing { what, places: places.join(" or ") }
}

fn sort(what: &str, place: &Pointer, found: &Json, wanted: &'static str) -> Unreadable {
    Unreadable::Sort {
        what: what.to_owned(),
        place: place.to_string(),
        found: found.sort(),
        wanted,
    }
}
