//! Checks and compiles where things are in a body.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use time::UtcOffset;
use toml::Spanned;

use super::Found;
use super::callback::{check_header_name, find_status};
use super::kind::money_legs;
use crate::order::amount::Currency;
use crate::order::machine::Machine;
use crate::order::name::{Kind, Status};
use crate::order::slot::Leg;
use crate::provider::KindModes;
use crate::provider::json::Pointer;
use crate::provider::read::{
    Matching, OperationPlaces, Places, TimeFormat, TimeWord, read_zone, squeeze,
};
use crate::provider::table::{Definition, EventTable, Legs, MatchingTable, PlacesTable, Texts};

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

pub(super) fn pointers(texts: Option<&Texts>, found: &mut Found) -> Vec<Pointer> {
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
    pub(super) time_format: TimeFormat,
    pub(super) exponents: &'a BTreeMap<Currency, u32>,
    /// What tells each operation.
    pub(super) operations: &'a BTreeMap<String, OperationPlaces>,
    /// The kinds that something else than a word tells, in the order of the file.
    pub(super) kinds: Vec<(&'a MatchingTable, Kind)>,
    /// Whether any status can come again, so that the provider's time decides.
    pub(super) has_loops: bool,
}

impl Base<'_> {
    /// A form of times, in the zone of the events.
    pub(super) fn format_of(&self, word: TimeWord) -> TimeFormat {
        match (word, self.time_format) {
            (TimeWord::Rfc3339, _) => TimeFormat::Rfc3339,
            (TimeWord::DateTime, TimeFormat::DateTime(zone)) => TimeFormat::DateTime(zone),
            (TimeWord::DateTime, _) => TimeFormat::DateTime(UtcOffset::UTC),
            (TimeWord::EpochSeconds, _) => TimeFormat::EpochSeconds,
            (TimeWord::EpochMillis, _) => TimeFormat::EpochMillis,
        }
    }

    /// Where things are in one channel: what `[event]` says, seen from the report's place in the
    /// body, and before it what the channel itself says, seen from the root.
    pub(super) fn places(
        &self,
        items: Option<Pointer>,
        at: Option<&Texts>,
        own: &PlacesTable,
        found: &mut Found,
    ) -> Places {
        let inner = match at {
            None => vec![Pointer::default()],
            Some(_) => pointers(at, found),
        };
        let item = items.map(Pointer::each).unwrap_or_default();
        let roots: Vec<Pointer> = inner.iter().map(|root| item.then(root)).collect();
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
            name: find(own.name.as_ref(), event.name.as_ref()),
            name_alone: event.name_alone.iter().map(|name| name.get_ref().clone()).collect(),
            account: find(own.account.as_ref(), event.account.as_ref()),
            kind: find(own.kind.as_ref(), event.kind.as_ref()),
            status: find(own.status.as_ref(), event.status.as_ref()),
            time: find(own.time.as_ref(), event.time.as_ref()),
            operation: find(None, event.operation.as_ref()),
            operation_id: find(None, event.operation_id.as_ref()),
            time_format: self.time_format,
            in_minor_units: event.minor_units.as_ref().is_some_and(|minor| *minor.get_ref()),
            exponents: self.exponents.clone(),
            event_id_header: own.event_id_header.as_ref().map(|name| name.get_ref().clone()),
            ..Places::default()
        };
        if let Some(name) = &own.event_id_header {
            check_header_name(name, found);
        }
        for (table, kind) in &self.kinds {
            let mut matching = matching(table, found);
            matching.at = place(matching.at);
            places.kind_if.push((matching, kind.clone()));
        }
        for (name, own) in self.operations {
            let mut own = own.clone();
            own.id = place(own.id);
            own.when.iter_mut().for_each(|when| when.at = place(std::mem::take(&mut when.at)));
            places.operations.insert(name.clone(), own);
        }
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

/// Something that a body may say at a place.
pub(super) fn matching(table: &MatchingTable, found: &mut Found) -> Matching {
    let is = table.is.get_ref().0.clone();
    if is.is_empty() {
        found.at(table.is.span(), "an empty list of texts: nothing could ever be one of them");
    }
    Matching { at: pointers(Some(&table.at), found), is }
}

/// How times are written.
pub(super) fn load_time_format(event: &EventTable, found: &mut Found) -> TimeFormat {
    let zone = event.time_zone.as_ref().map(|zone| {
        if event.time_format != TimeWord::DateTime {
            let what = "only time_format = \"date_time\" has a time_zone: remove it";
            found.at(zone.span(), what);
        }
        read_zone(zone.get_ref()).unwrap_or_else(|| {
            let what =
                format!("`{}` is no zone: write \"UTC\", or such as \"+02:00\"", zone.get_ref());
            found.at(zone.span(), what);
            UtcOffset::UTC
        })
    });
    match event.time_format {
        TimeWord::Rfc3339 => TimeFormat::Rfc3339,
        TimeWord::DateTime => TimeFormat::DateTime(zone.unwrap_or(UtcOffset::UTC)),
        TimeWord::EpochSeconds => TimeFormat::EpochSeconds,
        TimeWord::EpochMillis => TimeFormat::EpochMillis,
    }
}

/// The digits of minor units where ISO 4217 does not say.
pub(super) fn load_exponents(event: &EventTable, found: &mut Found) -> BTreeMap<Currency, u32> {
    let is_minor = event.minor_units.as_ref().filter(|minor| *minor.get_ref());
    let mut exponents = BTreeMap::new();
    for (code, digits) in &event.exponents {
        if is_minor.is_none() {
            let what =
                "exponents are for amounts in minor units: add minor_units = true, or remove them";
            found.at(code.span(), what);
        }
        if *digits.get_ref() > 18 {
            found.at(digits.span(), "no currency has more than 18 digits behind the point");
        }
        if let Some(code) = found.parse::<Currency>(code.get_ref(), code.span()) {
            exponents.insert(code, *digits.get_ref());
        }
    }
    let legs = event.currency.as_ref().map_or(0, |currency| currency.get_ref().0.len());
    if let Some(minor) = is_minor.filter(|_| legs != 1) {
        let what = "amounts in minor units need one currency to tell how many digits those have: write \
                    currency = \"/...\"";
        found.at(minor.span(), what);
    }
    exponents
}

/// The status of each event's name.
pub(super) fn load_names(
    definition: &Definition,
    machine: &Machine,
    found: &mut Found,
) -> BTreeMap<String, Status> {
    let event = &definition.event;
    let has_place = event.name.is_some() || definition.callback.event.name.is_some();
    let mut names = BTreeMap::new();
    for (name, status) in &event.names {
        if !has_place {
            let what = "[event] does not say where an event's name is: add name = \"/...\"";
            found.at(name.span(), what);
        }
        let Some(status) = find_status(status, machine, found) else { continue };
        if names.insert(squeeze(name.get_ref()), status).is_some() {
            found.at(name.span(), format!("the name `{}` stands twice", name.get_ref()));
        }
    }
    names
}

/// A text a leg, with the place of all of them.
pub(super) fn leg_texts(legs: &Legs) -> impl Iterator<Item = (Leg, &str, Range<usize>)> {
    legs.get_ref().0.iter().map(|(leg, text)| (*leg, text.as_str(), legs.span()))
}

pub(super) fn check_places(definition: &Definition, places: &Places, found: &mut Found) {
    let span = definition.name.span();
    let event = &definition.event;
    if event.order_id.is_none() && event.provider_id.is_none() {
        let what = "[event] does not say where an order's id is: add order_id or provider_id";
        found.at(span.clone(), what);
    }
    if event.status.is_none() && event.name.is_none() && places.operations.is_empty() {
        found.at(span.clone(), "[event] does not say where the status is: add status = \"/...\"");
    }
    let told = definition.kind.values().filter(|kind| kind.when.is_some()).count();
    if event.kind.is_none() && told < definition.kind.len() && definition.kind.len() > 1 {
        let what = "there are several kinds, and nothing tells one from another: add kind to [event], or \
                    if = { at = \"/...\", is = \"...\" } to each kind";
        found.at(span.clone(), what);
    }
    let is_of_source = event.currency_from_source.as_ref().filter(|is| *is.get_ref());
    if let (Some(is_of_source), Some(_)) = (is_of_source, &event.currency) {
        let what = "[event] says where the currency is: remove currency_from_source";
        found.at(is_of_source.span(), what);
    }
    let is_told = event.currency.is_some() || is_of_source.is_some();
    if !is_told && definition.kind.values().any(|kind| !kind.money.is_empty()) {
        let what = "[event] does not say where the currency is: add currency, or no effect can leave \
                    for an order that is not registered; where reports say none, add \
                    currency_from_source = true";
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
    let lacks_id = |own: &OperationPlaces| !own.is_status_only && own.id.is_empty();
    let lacks_ids = places.operation_id.is_empty() && places.operations.values().any(lacks_id);
    if !places.operations.is_empty() && (places.operation.is_empty() || lacks_ids) {
        let what = "a kind counts operations: [event] must say where operation and operation_id are; an \
                    operation may say itself where its id is";
        found.at(span, what);
    }
}
