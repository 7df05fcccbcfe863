//! What a person may do about something that waits for them: proposals that would be taken, tried on the
//! order as it stands.

use std::collections::BTreeSet;

use super::due::{collect_excess, over_issued_key};
use super::joined::Order;
use super::name::{EventId, Status, Track};
use super::proposal::{Proposal, ProposedOperation, write_amounts};
use super::report::{Amounts, Overrule, Resolution};
use super::resolve::ResolveError;
use super::rules::Rules;
use super::slot::Slot;
use super::standing::{Cause, Hold, Standing, conflict_key};
use super::timestamp::Timestamp;
use super::wait::overdue_of;

/// Something that a person may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What it would mean, for a person.
    pub what: String,
    /// What to propose.
    pub proposal: Proposal,
}

/// What may be done about what waits by a key.
#[must_use]
pub fn find_remedies(
    rules: &Rules,
    order: &Order,
    standing: &Standing,
    key: &str,
    now: Timestamp,
) -> Vec<Remedy> {
    let mut wanted = conflicting_statuses(rules, order, standing, key, now);
    wanted.extend(conflicting_operations(order, key));
    wanted.extend(excesses(rules, order, standing, key));
    let lifted = overdue_of(key).unwrap_or(key);
    for hold in standing.holds.iter().filter(|hold| hold.keys.iter().any(|own| own == lifted)) {
        wanted.extend(hold.keys.iter().map(|key| accept(key, hold)));
    }
    wanted.push(Remedy {
        what: "it is known: say no more of it, nothing moves".to_owned(),
        proposal: Proposal { dismiss: BTreeSet::from([key.to_owned()]), ..Proposal::default() },
    });
    let told = BTreeSet::from([key.to_owned()]);
    wanted.into_iter().filter_map(|remedy| fit(rules, order, &told, remedy, now)).collect()
}

/// A remedy as it would be taken: where too much has left then, with that made up for.
fn fit(
    rules: &Rules,
    order: &Order,
    told: &BTreeSet<String>,
    mut remedy: Remedy,
    now: Timestamp,
) -> Option<Remedy> {
    // Each turn makes up for another counter.
    for _ in 0..=Slot::all().count() {
        match remedy.proposal.resolve(rules, order, told, ("", ""), now) {
            Ok(_) => return Some(remedy),
            Err(ResolveError::OverIssued { slot, excess }) => {
                let back = slot.with(slot.counter.opposite());
                remedy.what = format!(
                    "{}, and make up for {excess} that left as {slot} (or --accept {})",
                    remedy.what,
                    over_issued_key(slot, excess)
                );
                remedy.proposal.compensate.insert(back, excess);
            }
            Err(_) => return None,
        }
    }
    None
}

/// One head stays, and all others are overruled.
fn conflicting_statuses(
    rules: &Rules,
    order: &Order,
    standing: &Standing,
    key: &str,
    now: Timestamp,
) -> Vec<Remedy> {
    let tracks = standing.heads.iter().filter(|(_, heads)| heads.len() > 1);
    let own = tracks.filter(|(track, heads)| conflict_key(track, heads) == key);
    own.flat_map(|(track, heads)| heads.iter().map(move |stays| (track, stays)))
        .map(|(track, stays)| Remedy {
            what: format!("`{stays}` stands"),
            proposal: Proposal {
                overrule: overrule_others(rules, order, track, stays, now),
                ..Proposal::default()
            },
        })
        .collect()
}

/// What must be overruled so that a head stands alone: behind what is overruled there may be more that
/// excludes it.
fn overrule_others(
    rules: &Rules,
    order: &Order,
    track: &Track,
    stays: &Status,
    now: Timestamp,
) -> BTreeSet<Status> {
    let mut overruled = BTreeSet::new();
    let mut order = order.clone();
    loop {
        let heads = Standing::of(rules, &order, now).heads.remove(track).unwrap_or_default();
        let others: Vec<Status> =
            heads.into_iter().filter(|head| head != stays && !overruled.contains(head)).collect();
        if others.is_empty() {
            return overruled;
        }
        let mut resolution = Resolution::of_nothing("", "");
        let machine = &rules.machine;
        resolution.overrules =
            others.iter().map(|other| Overrule::status(machine, &order, other)).collect();
        order.join_resolution(&EventId::considered(), now, &resolution);
        overruled.extend(others);
    }
}

/// One version of an operation stays, and all others are overruled.
fn conflicting_operations(order: &Order, key: &str) -> Vec<Remedy> {
    let own = order.live_operations().filter(|operation| {
        format!("conflict:{}={}", operation.name.name, operation.name.id) == key
    });
    let own: Vec<_> = own.collect();
    let versions: BTreeSet<&Amounts> = own.iter().map(|operation| &operation.amounts).collect();
    let Some(name) = own.first().map(|operation| &operation.name) else { return Vec::new() };
    let version = |amounts: &&Amounts| ProposedOperation {
        name: name.name.clone(),
        id: name.id.clone(),
        amounts: Some((*amounts).clone()),
    };
    versions
        .iter()
        .map(|stays| Remedy {
            what: format!("{} {} was {}", name.name, name.id, write_amounts(stays)),
            proposal: Proposal {
                overrule_operations: versions.iter().filter(|v| *v != stays).map(version).collect(),
                ..Proposal::default()
            },
        })
        .collect()
}

/// What left too much is made up for, or stays so.
fn excesses(rules: &Rules, order: &Order, standing: &Standing, key: &str) -> Vec<Remedy> {
    let kind = standing.kind.as_ref().and_then(|kind| rules.kinds.get(kind));
    let excesses = kind.map(|kind| collect_excess(order, standing, kind)).unwrap_or_default();
    let own = excesses.into_iter().find(|(slot, excess)| over_issued_key(*slot, *excess) == key);
    let Some((slot, excess)) = own else { return Vec::new() };
    let back = slot.with(slot.counter.opposite());
    // The excess is what is not made up for yet.
    let compensate = [(back, excess)].into();
    vec![
        Remedy {
            what: format!("make up for {excess} that left as {slot}"),
            proposal: Proposal { compensate, ..Proposal::default() },
        },
        Remedy {
            what: "it is right that this much left".to_owned(),
            proposal: Proposal { accept: BTreeSet::from([key.to_owned()]), ..Proposal::default() },
        },
    ]
}

fn accept(key: &str, hold: &Hold) -> Remedy {
    let text = &hold.text;
    let what = if hold.keys.len() > 1 {
        format!("it is {}", key.split_once('=').map_or(key, |(_, value)| value))
    } else if hold.cause == Cause::Early {
        // What is missing counts for nothing then, and nothing else waits for it.
        format!("do without it: whatever else is due leaves, although {text}")
    } else {
        format!("money moves although {text}")
    };
    let proposal = Proposal { accept: BTreeSet::from([key.to_owned()]), ..Proposal::default() };
    Remedy { what, proposal }
}
