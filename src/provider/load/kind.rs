//! Checks and compiles what statuses and operations mean for money: the kinds of a definition.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::Found;
use super::operation::{load_operation, load_remainder};
use super::places::leg_texts;
use crate::mistake::nearest;
use crate::order::expression::{Condition, Expression};
use crate::order::machine::{Machine, StatusRule};
use crate::order::name::{Kind, Status};
use crate::order::rules::{Derived, Judgement, KindRules, Money, Requirement};
use crate::order::slot::{Leg, Slot};
use crate::provider::table::{Counters, KindTable, MoneyTable};
use crate::provider::{KindModes, NO_BOOKS};

/// The mode of kinds that do not distinguish any.
const ONLY_MODE: &str = "provider";

pub(super) fn load_kinds(
    tables: &BTreeMap<Spanned<String>, KindTable>,
    machine: &Machine,
    found: &mut Found,
) -> BTreeMap<Kind, KindModes> {
    let load = |(name, table): (&Spanned<String>, &KindTable)| {
        (Kind::new(name.get_ref()), load_kind(name, table, machine, found))
    };
    tables.iter().map(load).collect()
}

fn load_kind(
    name: &Spanned<String>,
    table: &KindTable,
    machine: &Machine,
    found: &mut Found,
) -> KindModes {
    let mut modes: BTreeSet<String> = table
        .money
        .iter()
        .flat_map(|money| money.get_ref().books.iter().flat_map(|books| books.get_ref().0.clone()))
        .collect();
    let default = match &table.books {
        Some(books) if modes.contains(books.get_ref()) => books.get_ref().clone(),
        Some(books) => {
            let what =
                format!("no money of this kind is stated for books = \"{}\"", books.get_ref());
            found.at(books.span(), what);
            books.get_ref().clone()
        }
        None if modes.is_empty() => ONLY_MODE.to_owned(),
        None => {
            let what = format!(
                "the kind `{}` states money for several books modes: say which one a source has that \
                 does not choose, with books = \"...\"",
                name.get_ref()
            );
            found.at(name.span(), what);
            ONLY_MODE.to_owned()
        }
    };
    modes.insert(default.clone());
    let shared = load_shared(table, machine, found);
    let mut rules: BTreeMap<String, KindRules> = modes
        .into_iter()
        .map(|mode| (mode.clone(), load_mode(&mode, &shared, table, machine, found)))
        .collect();
    // Without books, statuses still ask for a person where only a person can decide.
    let mut silent = rules.get(&default).cloned().unwrap_or_default();
    silent.money.values_mut().for_each(|money| {
        *money = Money { judgement: money.judgement.take(), ..Money::default() };
    });
    // Operations still tell the status.
    silent.is_silent = true;
    rules.insert(NO_BOOKS.to_owned(), silent);
    KindModes { default, modes: rules }
}

/// The legs that a kind moves money on, with the place where it says so.
pub(super) fn money_legs(table: &KindTable) -> impl Iterator<Item = (Leg, Range<usize>)> + '_ {
    let of = |from: &Counters, to: &Counters, closes: &[Spanned<String>]| {
        let closed = closes.iter().filter_map(|text| text.get_ref().parse::<Slot>().ok());
        let closed: BTreeSet<Leg> = closed.map(|slot| slot.leg).collect();
        let is_moved = |leg| match leg {
            Leg::From => !from.is_empty(),
            Leg::To => !to.is_empty(),
        };
        Leg::ALL
            .into_iter()
            .filter(|leg| is_moved(*leg) || closed.contains(leg))
            .collect::<Vec<_>>()
    };
    let stated = table.money.iter().flat_map(move |money| {
        let m = money.get_ref();
        of(&m.from, &m.to, &m.closes).into_iter().map(|leg| (leg, money.span()))
    });
    let added = table.operation.iter().flat_map(move |operation| {
        let o = operation.get_ref();
        of(&o.from, &o.to, &[]).into_iter().map(|leg| (leg, operation.span()))
    });
    stated.chain(added)
}

/// What is the same in every books mode.
fn load_shared(table: &KindTable, machine: &Machine, found: &mut Found) -> KindRules {
    let judged = table.judged.iter().flat_map(leg_texts).filter_map(|(leg, text, span)| {
        let expression = Expression::parse(text, false);
        let expression =
            expression.map_err(|error| found.at(span.clone(), error.to_string())).ok()?;
        // Operations have amounts of their own; what an order comes to is in its counters.
        for name in expression.names().into_iter().filter(|_| !table.operation.is_empty()) {
            found.parse::<Slot>(name, span.clone());
        }
        Some((leg, expression))
    });
    let judged = judged.collect();
    let mut level = BTreeSet::new();
    for text in &table.level {
        let Some(slot) = found.parse::<Slot>(text.get_ref(), text.span()) else {
            continue;
        };
        level.insert(slot);
        if level.contains(&slot.with(slot.counter.opposite())) {
            let what = format!(
                "{slot} and its opposite cannot both be level: one takes the other's falls"
            );
            found.at(text.span(), what);
        }
        if !table.operation.is_empty() {
            found.at(text.span(), "operations add up: there is no total that could fall");
        }
    }
    let mut operations = BTreeMap::new();
    for operation in &table.operation {
        let Some((name, rule)) = load_operation(operation, found) else { continue };
        if operations.contains_key(&name) {
            found.at(operation.span(), format!("the operation `{name}` is stated twice"));
        }
        operations.insert(name, rule);
    }
    let derived = load_derived(table, machine, found);
    let remainder =
        table.remainder.as_ref().and_then(|table| load_remainder(table, &operations, found));
    KindRules { judged, level, operations, derived, remainder, ..KindRules::default() }
}

fn load_mode(
    mode: &str,
    shared: &KindRules,
    table: &KindTable,
    machine: &Machine,
    found: &mut Found,
) -> KindRules {
    let mut rules = shared.clone();
    for spanned in &table.money {
        let money = spanned.get_ref();
        let is_of_mode =
            money.books.as_ref().is_none_or(|books| books.get_ref().0.iter().any(|m| m == mode));
        if !is_of_mode {
            continue;
        }
        let compiled = load_money(spanned, found);
        if !table.operation.is_empty() && !compiled.totals.is_empty() {
            let what = "this kind counts operations: a status can close counters, not state totals";
            found.at(spanned.span(), what);
        }
        if money.at.is_empty() {
            found.at(spanned.span(), "at = [] states money at no status: name one");
        }
        for at in &money.at {
            let Some(status) = find_status(machine, at, found) else {
                continue;
            };
            if !compiled.closes.is_empty() && rules.derived.iter().any(|d| d.status == status.name)
            {
                let what = format!(
                    "`{}` follows from the counters, so it cannot close any: let the operations add \
                     up to it",
                    status.name
                );
                found.at(at.span(), what);
            }
            if !compiled.closes.is_empty() && !status.track.is_payment() {
                let what = format!(
                    "`{}` is on a side track: only statuses of the payment track close counters",
                    status.name
                );
                found.at(at.span(), what);
            }
            if rules.money.insert(status.name.clone(), compiled.clone()).is_some() {
                let what = format!("money at `{}` is stated twice", status.name);
                found.at(at.span(), what);
            }
        }
    }
    check_loops(&rules, machine, table, found);
    rules
}

fn load_money(spanned: &Spanned<MoneyTable>, found: &mut Found) -> Money {
    let table = spanned.get_ref();
    let closes = table.closes.iter().filter_map(|text| {
        let slot: Slot = found.parse(text.get_ref(), text.span())?;
        if slot.counter.undoes().is_none() {
            let what = "only released, debit_reversed and credit_reversed can be closed";
            found.at(text.span(), what);
        }
        Some(slot)
    });
    let closes: BTreeSet<Slot> = closes.collect();
    let totals = load_counters(&table.from, &table.to, found);
    for slot in totals.keys().filter(|slot| closes.contains(slot)) {
        found.at(spanned.span(), format!("{slot} is both closed and given a total here"));
    }
    let judgement = table.judgement.as_ref().map(|text| Judgement {
        text: text.clone(),
        only_with: table.judgement_if.as_ref().map(|name| name.get_ref().clone()),
    });
    if let (None, Some(alone)) = (&judgement, &table.judgement_if) {
        found.at(alone.span(), "judgement_if needs a judgement: what must the person know?");
    }
    let requires = table.requires.iter().map(|text| match text.get_ref().parse::<Slot>() {
        Ok(slot) => Requirement::Counter(slot),
        Err(error) => {
            if text.get_ref().contains('.') {
                found.at(text.span(), error.to_string());
            }
            Requirement::Amount(text.get_ref().clone())
        }
    });
    Money { requires: requires.collect(), totals, closes, judgement }
}

pub(super) fn load_counters(
    from: &Counters,
    to: &Counters,
    found: &mut Found,
) -> BTreeMap<Slot, Expression> {
    let legs = [(Leg::From, from), (Leg::To, to)];
    let all = legs.into_iter().flat_map(|(leg, counters)| counters.iter().map(move |c| (leg, c)));
    all.filter_map(|(leg, (counter, text))| {
        let counter = found.parse(counter.get_ref(), counter.span())?;
        let expression = Expression::parse(text.get_ref(), false);
        let expression = expression.map_err(|error| found.at(text.span(), error.to_string()));
        Some((Slot::new(leg, counter), expression.ok()?))
    })
    .collect()
}

fn load_derived(table: &KindTable, machine: &Machine, found: &mut Found) -> Vec<Derived> {
    let mut derived = Vec::new();
    for entry in &table.status {
        if table.operation.is_empty() {
            let what = "a status follows from counters only where operations are counted";
            found.at(entry.is.span(), what);
        }
        let Some(status) = find_status(machine, &entry.is, found) else {
            continue;
        };
        if !status.track.is_payment() {
            found
                .at(entry.is.span(), "a status that follows from counters is on the payment track");
        }
        let mut when = Vec::new();
        for text in &entry.when {
            match Condition::parse(text.get_ref()) {
                Ok(condition) => {
                    for name in condition.names() {
                        found.parse::<Slot>(name, text.span());
                    }
                    when.push(condition);
                }
                Err(error) => found.at(text.span(), error.to_string()),
            }
        }
        derived.push(Derived { status: status.name.clone(), when });
    }
    derived
}

fn find_status<'a>(
    machine: &'a Machine,
    text: &Spanned<String>,
    found: &mut Found,
) -> Option<&'a StatusRule> {
    let status = machine.get(&Status::new(text.get_ref()));
    if status.is_none() {
        let known = machine.statuses().iter().map(|rule| rule.name.as_str());
        let hint = nearest(text.get_ref(), known)
            .map(|known| format!(": did you mean `{known}`?"))
            .unwrap_or_default();
        found.at(text.span(), format!("there is no status `{}`{hint}", text.get_ref()));
    }
    status
}

/// No member of a loop closes unless all do: what a status closes stays closed in everything that it
/// leads to, and the members of a loop lead to each other.
fn check_loops(rules: &KindRules, machine: &Machine, table: &KindTable, found: &mut Found) {
    let closes =
        |status: &Status| rules.money.get(status).map(|m| m.closes.clone()).unwrap_or_default();
    for (status, money) in rules.money.iter().filter(|(_, money)| !money.closes.is_empty()) {
        let other = machine.statuses().iter().find(|other| {
            machine.share_loop(status, &other.name) && closes(&other.name) != money.closes
        });
        let Some(other) = other else { continue };
        let mut places = table.money.iter().flat_map(|money| &money.get_ref().at);
        let place = places.find(|at| at.get_ref() == status.as_str());
        let what = format!(
            "`{status}` and `{}` lead to each other, so they must close the same counters: an order \
             may go from one to the other and back",
            other.name
        );
        found.at(place.map_or(0..0, Spanned::span), what);
    }
}
