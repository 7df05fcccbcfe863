//! Reads a body into reports, by the places that a definition names.

mod matching;
mod time;
mod unreadable;

use std::collections::BTreeMap;

pub use matching::{Matching, fits};
pub use time::{TimeFormat, TimeWord, read_zone};
pub use unreadable::Unreadable;

use super::exponent::iso_exponent;
use super::headers::Headers;
use super::json::{Json, Pointer};
use crate::order::amount::{Amount, Currency};
use crate::order::machine::{Machine, normalise};
use crate::order::name::{EventId, ID_BYTES_MAX, Kind, OrderId, Role, Status};
use crate::order::report::{Amounts, Content, OperationName, Origin, Report, Said};
use crate::order::slot::Leg;
use crate::order::timestamp::Timestamp;

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
    /// The header that carries the event's id, before any place in the body.
    pub event_id_header: Option<String>,
    /// The event's name.
    pub name: Vec<Pointer>,
    /// Of events of these names the name alone is the status: what stands where a status is, is another thing's.
    /// A `*` at the end stands for whatever follows.
    pub name_alone: Vec<String>,
    /// The account.
    pub account: Vec<Pointer>,
    /// The kind.
    pub kind: Vec<Pointer>,
    /// Kinds by something else that the report says: the first that holds, before the kind's word.
    pub kind_if: Vec<(Matching, Kind)>,
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
    /// Amounts are in minor units: cents, not euros.
    pub in_minor_units: bool,
    /// How many digits the minor unit of a currency has, where ISO 4217 does not say or is not followed.
    pub exponents: BTreeMap<Currency, u32>,
    /// The operation.
    pub operation: Vec<Pointer>,
    /// The operation's id.
    pub operation_id: Vec<Pointer>,
    /// What is said about an operation of its own, by its name: all that any kind counts, or knows.
    pub operations: BTreeMap<String, OperationPlaces>,
}

/// What tells one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationPlaces {
    /// Where its id is, if not where those of all others are.
    pub id: Vec<Pointer>,
    /// It was done only if the report says this; else only its status counts.
    pub when: Option<Matching>,
    /// Never an operation: only its status counts.
    pub is_status_only: bool,
}

impl Places {
    /// Where everything is that a decision rests on. The provider's time is a part of it where statuses
    /// can come again.
    pub(super) fn deciding(&self, has_loops: bool) -> Vec<Pointer> {
        let single = [
            &self.order_id,
            &self.provider_id,
            &self.other_ids,
            &self.account,
            &self.name,
            &self.kind,
            &self.status,
            &self.operation,
            &self.operation_id,
        ];
        let time = has_loops.then_some(&self.time);
        let several = self.currency.values().chain(self.amounts.values());
        let kinds = self.kind_if.iter().map(|(matching, _)| &matching.at);
        let operations = self.operations.values();
        let done = operations
            .flat_map(|o| o.when.iter().map(|when| &when.at).chain(std::iter::once(&o.id)));
        let all = single.into_iter().chain(time).chain(several).chain(kinds).chain(done);
        all.flatten().cloned().collect()
    }
}

/// What the words of a body mean.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    pub machine: &'a Machine,
    /// A provider's word for a kind, brought to the form of statuses, and the definition's name of it.
    pub kinds: &'a BTreeMap<String, Kind>,
    /// The status of each event's name, which is spelled as [`squeeze`] leaves it.
    pub events: &'a BTreeMap<String, Status>,
}

/// A body, and which of its reports is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doc<'a> {
    pub body: &'a Json,
    pub item: usize,
}

impl<'a> Doc<'a> {
    pub(super) fn find(self, places: &'a [Pointer]) -> Option<(&'a Pointer, &'a Json)> {
        let at = |place: &'a Pointer| Some((place, self.body.at_item(place, self.item)?));
        places.iter().find_map(at)
    }
}

/// An event's name as it is compared: providers' documents print stray blanks and capitals.
#[must_use]
pub fn squeeze(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

impl Places {
    /// Reads one report.
    pub(super) fn read(
        &self,
        doc: Doc<'_>,
        headers: &Headers,
        words: &Words<'_>,
        origin: Origin,
        received_at: Timestamp,
    ) -> Result<Report, Unreadable> {
        let said = self.read_said(doc, words)?;
        let status = said.status.as_deref().and_then(|status| words.machine.find(status));
        let event_id = match self.read_event_id(doc, headers)? {
            Some(id) => EventId::new(id),
            None => EventId::new(said.digest(status.map(|rule| &rule.name))),
        };
        Ok(Report {
            origin,
            event_id: event_id.map_err(|error| Unreadable::Id { what: "event id", error })?,
            received_at,
            names: self.read_names(doc)?,
            content: Content::Said(said),
        })
    }

    /// Reads a body of one report, that came with no headers to look at.
    pub(super) fn read_one(
        &self,
        body: &Json,
        words: &Words<'_>,
        origin: Origin,
        received_at: Timestamp,
    ) -> Result<Report, Unreadable> {
        self.read(Doc { body, item: 0 }, &Headers::default(), words, origin, received_at)
    }

    /// A header that stands twice says nothing: the digest tells one event from another as well.
    fn read_event_id(&self, doc: Doc<'_>, headers: &Headers) -> Result<Option<String>, Unreadable> {
        let header = self.event_id_header.as_deref();
        let said = header.and_then(|name| headers.only(name).ok().flatten());
        match said {
            // One header for several reports; two of them may be about one order.
            Some(id) if doc.item > 0 => Ok(Some(format!("{id}#{}", doc.item))),
            Some(id) => Ok(Some(id.to_owned())),
            None => id(doc, "event id", &self.event_id),
        }
    }

    fn read_said(&self, doc: Doc<'_>, words: &Words<'_>) -> Result<Said, Unreadable> {
        let operation = self.read_operation(doc)?;
        let event = text(doc, "event's name", &self.name)?;
        let announced = event.as_ref().and_then(|name| words.events.get(&squeeze(name))).cloned();
        let is_alone = |name: &String| self.name_alone.iter().any(|alone| fits(alone, name));
        let mut status = match &event {
            Some(name) if is_alone(name) => None,
            Some(_) | None => text(doc, "status", &self.status)?,
        };
        if status.is_none() {
            // Its name is all that it says. One that nobody knows is an unknown status, and not lost.
            let known = announced.as_ref().map(|status| status.as_str().to_owned());
            status = known.or_else(|| event.clone());
        }
        if status.is_none() && operation.is_none() {
            let places: Vec<_> = self.status.iter().chain(&self.name).cloned().collect();
            return Err(missing("status", &places));
        }
        let mut currencies = BTreeMap::new();
        for (leg, places) in &self.currency {
            if let Some(currency) = text(doc, "currency", places)? {
                currencies.insert(*leg, currency.parse::<Currency>()?);
            }
        }
        Ok(Said {
            status,
            event,
            announced,
            time: self.read_time(doc),
            kind: self.read_kind(doc, words)?,
            account: id(doc, "account", &self.account)?,
            amounts: self.read_amounts(doc, &currencies)?,
            currencies,
            operation,
        })
    }

    fn read_kind(&self, doc: Doc<'_>, words: &Words<'_>) -> Result<Option<Kind>, Unreadable> {
        if let Some((_, kind)) = self.kind_if.iter().find(|(matching, _)| matching.holds(doc)) {
            return Ok(Some(kind.clone()));
        }
        let word = text(doc, "kind", &self.kind)?.map(|word| normalise(&word));
        Ok(word.map(|word| words.kinds.get(&word).cloned().unwrap_or(Kind::unknown(&word))))
    }

    pub(super) fn read_names(&self, doc: Doc<'_>) -> Result<BTreeMap<OrderId, Role>, Unreadable> {
        let id_error = |error| Unreadable::Id { what: "order id", error };
        let mut names = BTreeMap::new();
        let roles = [(&self.order_id, Role::Merchant), (&self.provider_id, Role::Provider)];
        for (places, role) in roles {
            if let Some(id) = id(doc, "order id", places)? {
                names.entry(OrderId::new(id).map_err(id_error)?).or_insert(role);
            }
        }
        for place in &self.other_ids {
            if let Some(id) = id(doc, "order id", std::slice::from_ref(place))? {
                names.entry(OrderId::new(id).map_err(id_error)?).or_insert(Role::Other);
            }
        }
        if names.is_empty() {
            let places: Vec<_> = self.order_id.iter().chain(&self.provider_id).cloned().collect();
            return Err(missing("order id", &places));
        }
        Ok(names)
    }

    fn read_amounts(
        &self,
        doc: Doc<'_>,
        currencies: &BTreeMap<Leg, Currency>,
    ) -> Result<Amounts, Unreadable> {
        let mut amounts = Amounts::new();
        for (name, places) in &self.amounts {
            let Some((place, value)) = doc.find(places) else {
                continue;
            };
            let literal = match value {
                Json::Number(literal) | Json::Text(literal) => literal,
                Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => {
                    let what = format!("amount {name}");
                    return Err(sort(&what, place, value, "a decimal number"));
                }
            };
            let wrong = |error| Unreadable::Amount { name: name.clone(), error };
            let mut amount = literal.parse::<Amount>().map_err(wrong)?;
            if self.in_minor_units {
                // A definition in minor units has one leg.
                let currency = currencies.values().next();
                let currency = currency.ok_or_else(|| self.missing_currency())?;
                let digits = self.exponent(currency);
                let digits = digits.ok_or_else(|| Unreadable::NoExponent {
                    name: name.clone(),
                    currency: currency.clone(),
                })?;
                amount = amount.of_minor(digits).ok_or_else(|| {
                    wrong(crate::order::amount::AmountError::TooLong(String::new()))
                })?;
            }
            amounts.insert(name.clone(), amount);
        }
        Ok(amounts)
    }

    fn exponent(&self, currency: &Currency) -> Option<u32> {
        self.exponents.get(currency).copied().or_else(|| iso_exponent(currency))
    }

    fn missing_currency(&self) -> Unreadable {
        let places: Vec<_> = self.currency.values().flatten().cloned().collect();
        missing("currency, which amounts in minor units need,", &places)
    }

    fn read_operation(&self, doc: Doc<'_>) -> Result<Option<OperationName>, Unreadable> {
        let Some(name) = text(doc, "operation", &self.operation)? else {
            return Ok(None);
        };
        let known = self.operations.get(&name);
        if let Some(own) = known
            && (own.is_status_only || own.when.as_ref().is_some_and(|when| !when.holds(doc)))
        {
            return Ok(None);
        }
        let places = known.map(|own| &own.id).filter(|id| !id.is_empty());
        let places = places.unwrap_or(&self.operation_id);
        match id(doc, "operation id", places)? {
            Some(id) => Ok(Some(OperationName { name, id })),
            // It moves nothing until a person says what it is: its name alone must not get lost.
            None if known.is_none() => Ok(Some(OperationName { name, id: String::new() })),
            None => Err(missing("operation id", places)),
        }
    }

    /// A time that cannot be read counts as none, like one that lies in the future: it would order
    /// claims, and a guess must not.
    fn read_time(&self, doc: Doc<'_>) -> Option<Timestamp> {
        let (_, value) = doc.find(&self.time)?;
        let literal = match value {
            Json::Number(literal) | Json::Text(literal) => literal,
            Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => return None,
        };
        self.time_format.read(literal)
    }
}

/// An id: a text, or a number by its literal.
fn id(doc: Doc<'_>, what: &'static str, places: &[Pointer]) -> Result<Option<String>, Unreadable> {
    match doc.find(places) {
        None => Ok(None),
        Some((_, Json::Text(id) | Json::Number(id))) => Ok(Some(id.clone())),
        Some((place, other)) => Err(sort(what, place, other, "a text or a number")),
    }
}

/// A word: a text, a number by its literal, or a list of only one of them, which generators of clients
/// make of a choice.
fn text(
    doc: Doc<'_>,
    what: &'static str,
    places: &[Pointer],
) -> Result<Option<String>, Unreadable> {
    let Some((place, value)) = doc.find(places) else {
        return Ok(None);
    };
    let only = if let Json::List(items) = value
        && let [only] = &items[..]
    {
        only
    } else {
        value
    };
    if let Json::Text(text) | Json::Number(text) = only
        && text.len() <= ID_BYTES_MAX
    {
        return Ok(Some(text.clone()));
    }
    Err(sort(what, place, only, "a text of at most 255 bytes"))
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
