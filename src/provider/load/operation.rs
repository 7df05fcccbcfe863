//! Checks and compiles what tells one operation of a ledger from another, and what remains after it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use toml::Spanned;

use super::Found;
use super::kind::load_counters;
use super::places::{matching, pointers};
use crate::order::rules::{OperationMoney, Remainder};
use crate::provider::read::OperationPlaces;
use crate::provider::table::{Definition, OperationTable, RemainderTable};

/// What each operation is told by, whatever the kind: that is known only of the whole report.
pub(super) fn load_operations(
    definition: &Definition,
    found: &mut Found,
) -> BTreeMap<String, OperationPlaces> {
    let mut all: BTreeMap<String, OperationPlaces> = BTreeMap::new();
    for operation in definition.kind.values().flat_map(|kind| &kind.operation) {
        let table = operation.get_ref();
        let own = OperationPlaces {
            id: pointers(table.id.as_ref(), found),
            when: table.when.as_ref().map(|when| matching(when, found)),
            is_status_only: table.moves == Some(false),
        };
        match all.entry(table.name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(own);
            }
            Entry::Occupied(known) if *known.get() != own => {
                let what = format!(
                    "the operation `{}` is told by something else in another kind: write the same id, if \
                     and moves there, because a report is read before its kind is known",
                    table.name
                );
                found.at(operation.span(), what);
            }
            Entry::Occupied(_) => {}
        }
    }
    all
}

/// What an operation means for money; nothing for one of which only the status counts.
pub(super) fn load_operation(
    spanned: &Spanned<OperationTable>,
    found: &mut Found,
) -> Option<(String, OperationMoney)> {
    let table = spanned.get_ref();
    let adds = load_counters(&table.from, &table.to, found);
    let is_status_only = table.moves == Some(false);
    if adds.is_empty() && !is_status_only {
        let what = format!(
            "the operation `{}` adds to no counter: write to.held = \"...\" or another, or moves = false \
             where only its status counts",
            table.name
        );
        found.at(spanned.span(), what);
    }
    if !adds.is_empty() && is_status_only {
        let what =
            format!("the operation `{}` adds to a counter: remove moves = false", table.name);
        found.at(spanned.span(), what);
    }
    let requires = table.requires.iter().filter_map(|t| found.parse(t.get_ref(), t.span()));
    let money = OperationMoney { requires: requires.collect(), adds };
    (!is_status_only).then(|| (table.name.clone(), money))
}

/// What a provider says is left.
pub(super) fn load_remainder(
    spanned: &Spanned<RemainderTable>,
    operations: &BTreeMap<String, OperationMoney>,
    found: &mut Found,
) -> Option<Remainder> {
    let table = spanned.get_ref();
    let of = found.parse(table.of.get_ref(), table.of.span());
    let less = found.parse(table.less.get_ref(), table.less.span());
    for (slot, text) in [(of, &table.of), (less, &table.less)] {
        let Some(slot) = slot else { continue };
        if !operations.values().any(|operation| operation.adds.contains_key(&slot)) {
            let what = format!("no operation adds to `{slot}`: nothing could ever be left of it");
            found.at(text.span(), what);
        }
    }
    Some(Remainder { said: table.said.get_ref().clone(), of: of?, less: less? })
}
