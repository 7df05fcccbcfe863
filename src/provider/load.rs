//! Checks a definition and compiles it. Everything that can be found wrong is found here, once, at
//! load, and all of it is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::definition::{Definition, EventTable, Legs, PlacesTable, StatusTable, Texts};
use super::json::Pointer;
use super::load_ask::{check_header, load_ask, load_auth, load_called_back};
use super::money::{load_kinds, money_legs};
use super::read::Places;
use super::sample::Sample;
use super::{KindModes, Provider};
use crate::mistake::{Mistake, nearest, read_toml};
use crate::order::machine::{Machine, Outcome, StatusRule, normalise};
use crate::order::name::{Kind, Status, Track};
use crate::order::slot::Leg;

pub(super) fn load(text: &str) -> Result<Provider, Vec<Mistake>> {
    let definition: Definition = read_toml(text).map_err(|mistake| vec![mistake])?;
    let mut found = Found::default();
    check_name(&definition.name, &mut found);
    // Kinds and places lean on the machine: without one, what they say about statuses is noise.
    let machine = load_machine(&definition).map_err(|mut mistakes| {
        mistakes.append(&mut found.mistakes);
        mistakes
    })?;
    let kinds = load_kinds(&definition.kind, &machine, &mut found);
    let kind_words = collect_kind_words(&definition, &mut found);
    let amounts = collect_amounts(&definition.event, &kinds, &mut found);
    let operations: BTreeSet<String> =
        all_rules(&kinds).flat_map(|rules| rules.operations.keys().cloned()).collect();
    let base = Base { event: &definition.event, amounts: &amounts };
    let callback = &definition.callback;
    let places = base.places(callback.at.as_ref(), &callback.event, &mut found);
    check_places(&definition, &places, &operations, &mut found);
    let called_back = load_called_back(callback.statuses.as_deref(), &machine, &mut found);
    let retry_window = Duration::from_secs(callback.retry_window_secs.unwrap_or(RETRY_WINDOW_SECS));
    let ask = definition.ask.as_ref().map(|ask| load_ask(ask, &base, &mut found));
    let auth = load_auth(&definition.auth, &mut found);
    check_header(&callback.signature, &mut found);
    let samples: Vec<Sample> = definition.sample.iter().map(Sample::of).collect();
    if !found.mistakes.is_empty() {
        return Err(found.mistakes);
    }
    Ok(Provider {
        name: definition.name.into_inner(),
        title: definition.title,
        about: definition.about,
        documents: definition.documents,
        machine: Arc::new(machine),
        kinds,
        signature: definition.callback.signature.into_inner(),
        auth,
        ask: ask.flatten(),
        samples,
        callback: places,
        called_back,
        retry_window,
        kind_words,
        operations,
    })
}

/// For how long a sender tries again where the definition does not say: three days, like most.
const RETRY_WINDOW_SECS: u64 = 259_200;

/// The mistakes that were found so far.
#[derive(Default)]
pub(super) struct Found {
    mistakes: Vec<Mistake>,
}

impl Found {
    pub(super) fn at(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.mistakes.push(Mistake::at(span, what));
    }

    /// Parses a text, or notes what is wrong with it at its place.
    pub(super) fn parse<T: FromStr<Err: ToString>>(
        &mut self,
        text: &str,
        span: Range<usize>,
    ) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.at(span, error.to_string())).ok()
    }
}

fn check_name(name: &Spanned<String>, found: &mut Found) {
    let text = name.get_ref();
    let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !is_name {
        let what = format!("`{text}` is no name: write lower-case letters, digits and `_`");
        found.at(name.span(), what);
    }
}

fn load_machine(definition: &Definition) -> Result<Machine, Vec<Mistake>> {
    let mut statuses: Vec<_> = definition.status.iter().collect();
    // In the order of the file, which is the one that its author had in mind.
    statuses.sort_by_key(|(name, _)| name.span().start);
    let spans: BTreeMap<&str, Range<usize>> =
        statuses.iter().map(|(name, _)| (name.get_ref().as_str(), name.span())).collect();
    let mut mistakes = Vec::new();
    for (name, table) in &statuses {
        check_status(definition, name, table, &mut mistakes);
    }
    let rules = statuses.iter().map(|(name, table)| rule_of(name, table)).collect();
    match Machine::new(rules) {
        Ok(machine) if mistakes.is_empty() => Ok(machine),
        Ok(_) => Err(mistakes),
        Err(faults) => {
            mistakes.extend(faults.into_iter().map(|fault| Mistake {
                span: spans.get(fault.status.as_str()).cloned(),
                what: fault.what,
            }));
            Err(mistakes)
        }
    }
}

fn rule_of(name: &Spanned<String>, table: &StatusTable) -> StatusRule {
    let status = |text: &Spanned<String>| Status::new(text.get_ref());
    let track = table.track.as_ref().map_or(Track::PAYMENT, |track| track.get_ref());
    StatusRule {
        name: status(name),
        track: Track::new(track),
        edges: table.edges.iter().map(status).collect(),
        rank: table.rank,
        is_final: table.is_final,
        outcome: table.outcome.unwrap_or(Outcome::Pending),
        implies: table.implies.as_ref().map(status),
        horizon: table.horizon_secs.map(Duration::from_secs),
        aliases: table.aliases.clone(),
    }
}

fn check_status(
    definition: &Definition,
    name: &Spanned<String>,
    table: &StatusTable,
    mistakes: &mut Vec<Mistake>,
) {
    let is_side = table.track.as_ref().filter(|track| track.get_ref() != Track::PAYMENT);
    if let Some(track) = is_side
        && !definition.track.contains_key(track.get_ref().as_str())
    {
        let known = definition.track.keys().map(|track| track.get_ref().as_str());
        let known = nearest(track.get_ref(), known);
        let hint = known.map(|known| format!(", or did you mean `{known}`?")).unwrap_or_default();
        let what = format!("there is no [track.{}]: add it{hint}", track.get_ref());
        mistakes.push(Mistake::at(track.span(), what));
    }
    if table.is_final && is_side.is_none() && table.outcome.is_none_or(|o| o == Outcome::Pending) {
        let what = format!(
            "`{}` is final, so its outcome is known: write outcome = \"succeeded\", \"partially\", \
             \"failed\" or \"external\"",
            name.get_ref()
        );
        mistakes.push(Mistake::at(name.span(), what));
    }
}

fn collect_kind_words(definition: &Definition, found: &mut Found) -> BTreeMap<String, Kind> {
    let mut words = BTreeMap::new();
    for (name, table) in &definition.kind {
        let own = [name.get_ref().clone()];
        let said = if table.is.is_empty() { &own[..] } else { &table.is[..] };
        for word in said {
            if let Some(other) = words.insert(normalise(word), Kind::new(name.get_ref())) {
                let what = format!("`{word}` already stands for the kind `{other}`");
                found.at(name.span(), what);
            }
        }
    }
    words
}

fn all_rules(
    kinds: &BTreeMap<Kind, KindModes>,
) -> impl Iterator<Item = &crate::order::rules::KindRules> {
    kinds.values().flat_map(|kind| kind.modes.values())
}

/// Every amount that any kind reads, and where it is: `/name` where the definition does not say.
fn collect_amounts(
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
    event: &'a EventTable,
    amounts: &'a BTreeMap<String, Vec<Pointer>>,
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

fn check_places(
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
