//! Checks and compiles where things are in a body.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::Found;
use super::kind::money_legs;
use crate::order::name::Kind;
use crate::order::slot::Leg;
use crate::provider::KindModes;
use crate::provider::json::Pointer;
use crate::provider::read::Places;
use crate::provider::table::{Definition, EventTable, Legs, PlacesTable, Texts};

pub(super) fn all_rules(
    kinds: &BTreeMap<Kind, KindModes>,
) -> impl Iterator<Item = &crate::order::rules::KindRules> {
    kinds.values().flat_map(|kind| kind.modes.values())
}

/// Every amount that any kind reads, and where it is: `/name` where the definition does not say.
pub(super) fn collect_amounts(
    event: &EventTable,
    kinds: &BTreeMap<Kind, KindModes>,
    found: &mut Found,
) -> BTreeMap<String, Vec<Pointer>> {
    let mut amounts: BTreeMap<String, Vec<Pointer>> = all_rules(kinds)
        .flat_map(crate::order::rules::KindRules::amount_names)
        .map(|name| (name.clone(), vec![Pointer::member(&name)]))
        .collect();
    for (name, places) in &event.amounts {
        let pointers = pointers(Some(places), found);
        if amounts.insert(name.get_ref().clone(), pointers).is_none() {
            let what = format!("no kind reads the amount `{}`: remove it", name.get_ref());
            found.at(name.span(), what);
        }
    }
    amounts
}

fn pointers(texts: Option<&Texts>, found: &mut Found) -> Vec<Pointer> {
    let Some(texts) = texts else {
        return Vec::new();
    };
    let all = &texts.get_ref().0;
    if all.is_empty() {
        found.at(texts.span(), "an empty list of places: name one, or leave the key out");
    }
    all.iter().filter_map(|text| found.parse(text, texts.span())).collect()
}

/// `[event]`, which both channels start from.
pub(super) struct Base<'a> {
    pub(super) event: &'a EventTable,
    pub(super) amounts: &'a BTreeMap<String, Vec<Pointer>>,
}

impl Base<'_> {
    /// Where things are in one channel: what `[event]` says, seen from the report's place in the
    /// body, and before it what the channel itself says, seen from the root.
    pub(super) fn places(
        &self,
        at: Option<&Texts>,
        own: &PlacesTable,
        found: &mut Found,
    ) -> Places {
        let roots = match at {
            None => vec![Pointer::default()],
            Some(_) => pointers(at, found),
        };
        let place = |inner: Vec<Pointer>| -> Vec<Pointer> {
            roots.iter().flat_map(|root| inner.iter().map(|inner| root.then(inner))).collect()
        };
        let mut find = |own: Option<&Texts>, event: Option<&Texts>| -> Vec<Pointer> {
            let mut all = pointers(own, found);
            all.extend(place(pointers(event, found)));
            all
        };
        let event = self.event;
        let mut places = Places {
            order_id: find(own.order_id.as_ref(), event.order_id.as_ref()),
            provider_id: find(own.provider_id.as_ref(), event.provider_id.as_ref()),
            event_id: find(own.event_id.as_ref(), event.event_id.as_ref()),
            account: find(own.account.as_ref(), event.account.as_ref()),
            kind: find(own.kind.as_ref(), event.kind.as_ref()),
            status: find(own.status.as_ref(), event.status.as_ref()),
            time: find(own.time.as_ref(), event.time.as_ref()),
            operation: find(None, event.operation.as_ref()),
            operation_id: find(None, event.operation_id.as_ref()),
            time_format: event.time_format,
            ..Places::default()
        };
        let parse = |text: &Spanned<String>| found.parse(text.get_ref(), text.span());
        places.other_ids = place(event.other_ids.iter().filter_map(parse).collect());
        places.currency = self.currency(found).into_iter().map(|(l, p)| (l, place(p))).collect();
        places.amounts =
            self.amounts.iter().map(|(name, p)| (name.clone(), place(p.clone()))).collect();
        places
    }

    fn currency(&self, found: &mut Found) -> BTreeMap<Leg, Vec<Pointer>> {
        let Some(legs) = &self.event.currency else {
            return BTreeMap::new();
        };
        leg_texts(legs)
            .filter_map(|(leg, text, span)| Some((leg, vec![found.parse(text, span)?])))
            .collect()
    }
}

/// A text a leg, with the place of all of them.
pub(super) fn leg_texts(legs: &Legs) -> impl Iterator<Item = (Leg, &str, Range<usize>)> {
    legs.get_ref().0.iter().map(|(leg, text)| (*leg, text.as_str(), legs.span()))
}

pub(super) fn check_places(
    definition: &Definition,
    places: &Places,
    operations: &BTreeSet<String>,
    found: &mut Found,
) {
    let span = definition.name.span();
    let event = &definition.event;
    if event.order_id.is_none() && event.provider_id.is_none() {
        let what = "[event] does not say where an order's id is: add order_id or provider_id";
        found.at(span.clone(), what);
    }
    if event.status.is_none() && operations.is_empty() {
        found.at(span.clone(), "[event] does not say where the status is: add status = \"/...\"");
    }
    if event.kind.is_none() && definition.kind.len() > 1 {
        let what = "there are several kinds, and [event] does not say where the kind is: add kind";
        found.at(span.clone(), what);
    }
    if event.currency.is_none() && definition.kind.values().any(|kind| !kind.money.is_empty()) {
        let what = "[event] does not say where the currency is: add currency, or no effect can leave \
                    for an order that is not registered";
        found.at(span.clone(), what);
    }
    if let Some(currency) = &event.currency {
        let covered: BTreeSet<Leg> = currency.get_ref().0.keys().copied().collect();
        for (leg, span) in definition.kind.values().flat_map(money_legs) {
            if !covered.contains(&leg) {
                let what = format!(
                    "money moves on leg `{leg}`, and [event] does not say where its currency is: write \
                     currency = {{ from = \"/...\", to = \"/...\" }}"
                );
                found.at(span, what);
            }
        }
    }
    if !operations.is_empty() && (places.operation.is_empty() || places.operation_id.is_empty()) {
        let what =
            "a kind counts operations: [event] must say where operation and operation_id are";
        found.at(span, what);
    }
}
