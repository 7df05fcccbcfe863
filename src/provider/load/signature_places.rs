//! Checks and compiles where a signature, its time, its id and its key's name are.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::Found;
use super::signature::TOLERANCE_MAX;
use crate::provider::Format;
use crate::provider::json::Pointer;
use crate::provider::signature::{List, Place, Stamp, is_header};
use crate::provider::table::{ListTable, PlaceTable, StampTable};

/// What is looked for, and where the file says so.
pub(super) struct Where<'a> {
    pub name: &'a str,
    pub span: Range<usize>,
    pub format: Format,
}

/// Exactly one place. `None` also where nothing is said and nothing need be.
pub(super) fn load_place(
    given: Option<&PlaceTable>,
    listed: Option<&str>,
    wanted: &Where<'_>,
    found: &mut Found,
) -> Option<Place> {
    let empty = PlaceTable::default();
    let said = given.unwrap_or(&empty);
    let (header, at, query) = (said.header.as_deref(), said.at.as_deref(), said.query.as_deref());
    let span = || wanted.span.clone();
    match (header, at, query, listed) {
        (Some(name), None, None, None) => {
            if !is_header(name) {
                found.at(span(), format!("`{name}` is not a header's name"));
            }
            Some(Place::Header(name.to_owned()))
        }
        (None, Some(at), None, None) => {
            let at: Pointer = found.parse(at, span())?;
            if wanted.format == Format::Form && at.name().is_none() {
                found.at(span(), "a form has no inner fields: write at = \"/name\"");
            }
            Some(Place::Field(at))
        }
        (None, None, Some(name), None) => Some(Place::Query(name.to_owned())),
        (None, None, None, Some(name)) => Some(Place::Listed(name.to_owned())),
        (None, None, None, None) => {
            if given.is_some() {
                let what = format!(
                    "say where {} is: header = \"...\", at = \"/...\" in the body, or query = \"...\"",
                    wanted.name
                );
                found.at(span(), what);
            }
            None
        }
        _ => {
            let what = format!(
                "{} is in one place: a header, the body, the query or the list",
                wanted.name
            );
            found.at(span(), what);
            None
        }
    }
}

/// The time of signing.
pub(super) fn load_stamp(
    given: Option<&Spanned<StampTable>>,
    listed: Option<&str>,
    span: &Range<usize>,
    format: Format,
    found: &mut Found,
) -> Option<Stamp> {
    let empty = StampTable::default();
    let (table, span) = match given {
        Some(given) => (given.get_ref(), given.span()),
        None => (&empty, span.clone()),
    };
    let place = table.place();
    let is_said = given.is_some() && listed.is_none()
        || place.header.is_some()
        || place.at.is_some()
        || place.query.is_some();
    let wanted = Where { name: "the timestamp", span: span.clone(), format };
    let place = load_place(is_said.then_some(&place), listed, &wanted, found)?;
    let tolerance = Duration::from_secs(table.tolerance_secs.unwrap_or(300));
    if tolerance.is_zero() || tolerance > TOLERANCE_MAX {
        let max = TOLERANCE_MAX.as_secs();
        found.at(span, format!("tolerance_secs is out of range: write 1 to {max}"));
    }
    Some(Stamp { place, unit: table.unit.unwrap_or_default(), tolerance })
}

/// The grammar of a list.
pub(super) fn check_list(
    table: &ListTable,
    span: &Range<usize>,
    found: &mut Found,
) -> Option<List> {
    let Some(split) = table.split.clone().filter(|split| !split.is_empty()) else {
        found.at(span.clone(), "say what is between the items of the list: split = \",\"");
        return None;
    };
    let signature = table.signature.clone().unwrap_or_default();
    let others = [&table.timestamp, &table.id, &table.key_id];
    let others: Vec<&String> = others.into_iter().flatten().collect();
    let Some(pair) = table.pair.clone() else {
        if !signature.is_empty() || !others.is_empty() {
            let what = "say what is between an item's name and its value: pair = \"=\"";
            found.at(span.clone(), what);
        }
        return Some(List { split, pair: None, signature });
    };
    if pair.is_empty() || pair == split {
        found
            .at(span.clone(), "an item's name ends where `pair` is: it is a text, and not `split`");
    }
    if signature.is_empty() {
        let what = "say which items are signatures: signature = [\"v1\"]";
        found.at(span.clone(), what);
    }
    let mut names: Vec<&String> = signature.iter().chain(others).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    if names.len() != all {
        found.at(span.clone(), "one name stands for one thing in the list");
    }
    Some(List { split, pair: Some(pair), signature })
}
