//! Checks and compiles statuses and edges.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use crate::mistake::{Mistake, nearest};
use crate::order::machine::{Machine, Outcome, StatusRule};
use crate::order::name::{Status, Track};
use crate::provider::table::{Definition, StatusTable};

pub(super) fn load_machine(definition: &Definition) -> Result<Machine, Vec<Mistake>> {
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
        until: table.until.as_ref().map(status),
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
