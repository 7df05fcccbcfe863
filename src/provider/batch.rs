//! Asking about several orders in one request, and telling the answer apart.

use std::collections::{BTreeMap, BTreeSet};

use super::Provider;
use super::body::{Body, is_number};
use super::json::{self, Json, Pointer};
use super::read::{Doc, Places, Unreadable};
use super::request::{Ask, Asker, Auth, Question, QuestionError, Request, id_of};
use super::values::Values;
use crate::order::name::{OrderId, Role};
use crate::order::report::{Content, Origin, Report};
use crate::order::timestamp::Timestamp;

/// How to ask about several orders at once.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The question, with one place for the list of ids.
    pub request: Request,
    /// Whose ids they are.
    pub ids: Role,
    /// How many orders one request may name.
    pub max: usize,
    /// Where the list of orders is in the answer.
    pub items: Pointer,
    /// Where things are in one of them.
    pub places: Places,
    /// Whether the provider knows no order that the answer does not mention.
    pub is_complete: bool,
}

/// What an answer about several orders says about one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// This, each as it was written.
    Items(Vec<&'a [u8]>),
    /// Something that cannot be read.
    Unreadable(Unreadable),
    /// The provider knows no such order.
    NotFound,
    /// Nothing.
    Nothing,
}

impl Batch {
    /// The place of the list, by whose ids they are.
    pub(super) const PLACES: [(&'static str, Role); 2] =
        [("order_ids", Role::Merchant), ("provider_ids", Role::Provider)];

    /// The id by which an order can be asked about together with others; `None` where it has none.
    #[must_use]
    pub fn id<'a>(&self, names: &'a BTreeMap<OrderId, Role>) -> Option<&'a str> {
        let as_numbers = self.request.bodies.iter().any(Body::lists_numbers);
        id_of(names, self.ids).filter(|id| !as_numbers || is_number(id))
    }

    /// Makes the question about orders with these ids.
    ///
    /// # Errors
    /// [`QuestionError`] where a credential is missing.
    pub fn question(
        &self,
        auth: &Auth,
        asker: &Asker<'_>,
        ids: Vec<&str>,
    ) -> Result<Question, QuestionError> {
        let place = Self::PLACES.iter().find(|(_, role)| *role == self.ids);
        let (place, _) = place.ok_or(QuestionError::NoId)?;
        self.request.question(auth, asker, &Values::default().with_list(place, ids), None)
    }
}

impl Provider {
    /// Tells an authentic answer about several orders apart: what it says about each of those that were
    /// asked about, in their order. What cannot be read spoils nothing beside it.
    ///
    /// # Errors
    /// [`Unreadable`]: the answer as a whole is none.
    pub fn split_answer<'a>(
        &self,
        ask: &Ask,
        batch: &Batch,
        asked: &[BTreeSet<OrderId>],
        body: &'a [u8],
        received_at: Timestamp,
    ) -> Result<Vec<Part<'a>>, Unreadable> {
        ask.envelope.check(body)?;
        let missing = || Unreadable::Missing { what: "list", places: batch.items.to_string() };
        let items = json::items(body, &batch.items)?.ok_or_else(missing)?;
        let mut parts = vec![Part::Nothing; asked.len()];
        let mut stray = None;
        for item in items {
            let (names, error) = self.read_names(batch, item, received_at);
            let named = |ids: &BTreeSet<OrderId>| names.iter().any(|name| ids.contains(name));
            let of = asked.iter().position(named).and_then(|index| parts.get_mut(index));
            match (of, error) {
                (Some(Part::Items(all)), None) => all.push(item),
                (Some(part), None) => *part = Part::Items(vec![item]),
                // What can be read about it counts.
                (Some(Part::Items(_)), Some(_)) => {}
                (Some(part), Some(error)) => *part = Part::Unreadable(error),
                (None, Some(error)) if names.is_empty() => stray = Some(error),
                // About an order that was not asked about.
                (None, _) => {}
            }
        }
        for part in parts.iter_mut().filter(|part| **part == Part::Nothing) {
            match &stray {
                // It may be about this one.
                Some(error) => *part = Part::Unreadable(error.clone()),
                None if batch.is_complete => *part = Part::NotFound,
                None => {}
            }
        }
        Ok(parts)
    }

    /// Whom an item names, and why it cannot be read, if so.
    fn read_names(
        &self,
        batch: &Batch,
        item: &[u8],
        received_at: Timestamp,
    ) -> (BTreeSet<OrderId>, Option<Unreadable>) {
        let body = match Json::read(item) {
            Ok(body) => body,
            Err(error) => return (BTreeSet::new(), Some(error.into())),
        };
        match batch.places.read_one(&body, &self.words(), Origin::Answer, received_at) {
            Ok(report) => (report.names.into_keys().collect(), None),
            Err(error) => {
                let names =
                    batch.places.read_names(Doc { body: &body, item: 0 }).unwrap_or_default();
                (names.into_keys().collect(), Some(error))
            }
        }
    }

    /// Reads one item of an authentic answer about several orders.
    ///
    /// # Errors
    /// [`Unreadable`]; an item that cannot be read is no information.
    pub fn read_answer_item(
        &self,
        batch: &Batch,
        asked: &BTreeSet<OrderId>,
        item: &[u8],
        date: Option<Timestamp>,
        received_at: Timestamp,
    ) -> Result<Report, Unreadable> {
        let body = Json::read(item)?;
        let report = batch.places.read_one(&body, &self.words(), Origin::Answer, received_at)?;
        about(report, asked, date)
    }
}

/// An answer's report, if it is about the order that was asked about.
pub(super) fn about(
    mut report: Report,
    asked: &BTreeSet<OrderId>,
    date: Option<Timestamp>,
) -> Result<Report, Unreadable> {
    if !report.names.keys().any(|name| asked.contains(name)) {
        return Err(Unreadable::OtherOrder);
    }
    if let Content::Said(said) = &mut report.content {
        said.time = said.time.or(date);
    }
    Ok(report)
}
