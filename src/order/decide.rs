//! The decision: what one report means for one order.
//!
//! `decide` joins the report, works out where the order then stands, and takes note of what leaves.
//! It sees neither the clock nor the log: whether the event is known is told by the caller, and is
//! asked for the verdict only. Truth is the join.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::joined::{Order, latest_credible};
use super::machine::Machine;
use super::name::{Status, Track};
use super::report::{Content, Origin, Report, Said};
use super::rules::Rules;
use super::standing::{Cause, Standing};
use super::timestamp::Timestamp;

/// What a report turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A head or a counter rose.
    Applied,
    /// Nothing new.
    Unchanged,
    /// Behind the head, and it taught nothing.
    Stale,
    /// The event is known.
    Duplicate,
    /// Applied; its effects wait.
    Early,
    /// It contradicts what was reported before.
    Conflict,
    /// An amount, a currency, a kind or an account does not fit.
    Mismatch,
    /// A status that the definition does not know.
    UnknownStatus,
    /// Unverified: a reason to ask.
    Hint,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 9] = [
        Self::Applied,
        Self::Unchanged,
        Self::Stale,
        Self::Duplicate,
        Self::Early,
        Self::Conflict,
        Self::Mismatch,
        Self::UnknownStatus,
        Self::Hint,
    ];

    /// The name in JSON, SQL and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Early => "early",
            Self::Conflict => "conflict",
            Self::Mismatch => "mismatch",
            Self::UnknownStatus => "unknown_status",
            Self::Hint => "hint",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the log knows of an event before it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    New,
    /// The same event with the same content.
    Same,
    /// The same event with other content.
    Differently,
}

/// A head that became another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Where.
    pub track: Track,
    /// The heads before; none where nothing was known, several where they contradicted each other.
    pub from: Vec<Status>,
    /// The heads after.
    pub to: Vec<Status>,
}

/// What one report means for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the report turned out to be.
    pub verdict: Verdict,
    /// Why, for a person.
    pub reason: String,
    /// The order with the report in it, and with what leaves taken as issued.
    pub order: Order,
    /// Where it now stands.
    pub standing: Standing,
    /// The heads that moved.
    pub moves: Vec<Move>,
    /// It was not final before, and is now.
    pub became_final: bool,
    /// What leaves, in this order.
    pub effects: Vec<Effect>,
    /// Why the provider should be asked, where it should.
    pub ask: Option<String>,
}

/// Decides what a report means for an order. A resolution is joined like any other report; whether
/// it may be made is asked with [`super::resolve::check`] before.
#[must_use]
pub fn decide(rules: &Rules, order: &Order, report: &Report, seen: Seen) -> Decision {
    let now = report.received_at;
    let before = Standing::of(rules, order, now);
    let mut joined = order.clone();
    match &report.content {
        Content::Hint => return decide_hint(order, before),
        Content::Said(said) => joined.join_said(&rules.machine, report, said),
        Content::Registered(registration) => joined.join_registration(report, registration),
        Content::Resolved(resolution) => {
            joined.join_resolution(&report.event_id, now, resolution);
        }
    }
    let after = Standing::of(rules, &joined, now);
    let taught = facts_differ(order, &joined);
    let moves = find_moves(&before, &after);
    let became_final = after.is_final && !before.is_final;
    let compensations = find_compensations(order, &joined, &after);
    let is_compensated = !compensations.is_empty();
    let (verdict, reason) = judge(rules, &before, &after, report, seen, taught, is_compensated);
    let ask = find_ask(rules, &joined, &after, report, seen);
    let mut effects = take_due(&mut joined, &after);
    effects.extend(compensations);
    Decision { verdict, reason, order: joined, standing: after, moves, became_final, effects, ask }
}

/// Judges an order again without news: the time that it had to wait for has come, or its rules
/// changed. What is due leaves.
#[must_use]
pub fn judge_again(rules: &Rules, order: &Order, now: Timestamp) -> (Order, Standing, Vec<Effect>) {
    let mut order = order.clone();
    let standing = Standing::of(rules, &order, now);
    let effects = take_due(&mut order, &standing);
    (order, standing, effects)
}

fn take_due(order: &mut Order, standing: &Standing) -> Vec<Effect> {
    for effect in &standing.due {
        order.issued.insert(effect.slot, effect.to);
    }
    if !standing.due.is_empty() {
        order.issued_at.extend(standing.status.clone());
    }
    standing.due.clone()
}

/// What a person had made up for with this very report: it leaves whatever is held back, because it
/// is what sets the books right again.
fn find_compensations(before: &Order, joined: &Order, after: &Standing) -> Vec<Effect> {
    let entries = joined.compensations.iter().flat_map(|(event, amounts)| {
        amounts.iter().map(move |(slot, amount)| (event, *slot, *amount))
    });
    entries
        .filter_map(|(event, slot, to)| {
            let known = before.compensations.get(event).and_then(|amounts| amounts.get(&slot));
            let from = known.copied().unwrap_or_default();
            let currency = after.currencies.get(&slot.leg)?.clone();
            (to > from).then(|| Effect {
                slot,
                from,
                to,
                currency,
                compensates: Some(event.clone()),
            })
        })
        .collect()
}

fn decide_hint(order: &Order, standing: Standing) -> Decision {
    Decision {
        verdict: Verdict::Hint,
        reason: "not verified: the provider is asked instead".to_owned(),
        order: order.clone(),
        standing,
        moves: Vec::new(),
        became_final: false,
        effects: Vec::new(),
        ask: Some("an unverified callback came".to_owned()),
    }
}

fn find_moves(before: &Standing, after: &Standing) -> Vec<Move> {
    let tracks: BTreeSet<&Track> = before.heads.keys().chain(after.heads.keys()).collect();
    let heads = |standing: &Standing, track| standing.heads.get(track).cloned().unwrap_or_default();
    tracks
        .into_iter()
        .map(|track| Move {
            track: track.clone(),
            from: heads(before, track),
            to: heads(after, track),
        })
        .filter(|step| step.from != step.to)
        .collect()
}

/// Whether anything but claims is new: a name, a kind, a currency, an account, a registration.
fn facts_differ(before: &Order, after: &Order) -> bool {
    before.names != after.names
        || before.kinds != after.kinds
        || before.accounts != after.accounts
        || before.currencies != after.currencies
        || before.registrations != after.registrations
        // Only ever added to: that one was first received earlier is no news.
        || before.operations.len() != after.operations.len()
        || before.unknown_statuses != after.unknown_statuses
        || before.overruled != after.overruled
        || before.overruled_operations != after.overruled_operations
        || before.waived != after.waived
        || before.compensations != after.compensations
}

fn judge(
    rules: &Rules,
    before: &Standing,
    after: &Standing,
    report: &Report,
    seen: Seen,
    taught: bool,
    is_compensated: bool,
) -> (Verdict, String) {
    if let Content::Said(Said { status: Some(status), .. }) = &report.content
        && rules.machine.find(status).is_none()
    {
        let text = format!("the provider's definition does not know the status `{status}`");
        if seen == Seen::New || taught {
            return (Verdict::UnknownStatus, text);
        }
        return (Verdict::Duplicate, "the event is known".to_owned());
    }
    let rose =
        before.heads != after.heads || before.position != after.position || !after.due.is_empty();
    let held = |cause: Cause| after.holds.iter().find(move |hold| hold.cause == cause);
    // A report that moves nothing may still be what everything now waits for.
    let is_held_anew = after.holds.iter().any(|hold| !before.holds.contains(hold));
    if rose || taught || is_held_anew {
        if let Some(hold) = held(Cause::Conflict) {
            return (Verdict::Conflict, hold.text.clone());
        }
        if let Some(hold) = held(Cause::Mismatch) {
            return (Verdict::Mismatch, hold.text.clone());
        }
    }
    if rose || is_held_anew || (taught && after.waiting_operations) {
        if let Some(hold) = held(Cause::Early) {
            return (Verdict::Early, hold.text.clone());
        }
        if !rose {
            return (Verdict::Early, "an operation waits for the one before it".to_owned());
        }
        return (Verdict::Applied, describe_rise(before, after));
    }
    if is_compensated {
        return (Verdict::Applied, "what left too much is made up for".to_owned());
    }
    match seen {
        Seen::Same => return (Verdict::Duplicate, "the event is known".to_owned()),
        Seen::Differently => {
            let text = "the event is known, with other content that taught nothing";
            return (Verdict::Duplicate, text.to_owned());
        }
        Seen::New => {}
    }
    if let Some((status, head)) = find_behind(&rules.machine, after, report)
        && !taught
    {
        return (Verdict::Stale, format!("`{status}` is behind `{head}`"));
    }
    if taught && report.origin == Origin::Operator {
        return (Verdict::Unchanged, "taken note of: nothing moves by it".to_owned());
    }
    (Verdict::Unchanged, "nothing new".to_owned())
}

fn describe_rise(before: &Standing, after: &Standing) -> String {
    let list = |heads: &[Status]| heads.iter().map(Status::as_str).collect::<Vec<_>>().join(", ");
    let moved = find_moves(before, after).into_iter().map(|step| {
        if step.from.is_empty() {
            list(&step.to)
        } else if step.to.is_empty() {
            format!("{} is over", list(&step.from))
        } else {
            format!("{} to {}", list(&step.from), list(&step.to))
        }
    });
    let rose = after.position.iter().filter(|(slot, to)| before.position.get(slot) != Some(to));
    let rose = rose.map(|(slot, to)| format!("{slot} {to}"));
    let all: Vec<_> = moved.chain(rose).collect();
    if all.is_empty() { "what was held back is issued".to_owned() } else { all.join("; ") }
}

fn find_behind<'a>(
    machine: &'a Machine,
    after: &'a Standing,
    report: &Report,
) -> Option<(&'a Status, &'a Status)> {
    let Content::Said(Said { status: Some(status), .. }) = &report.content else {
        return None;
    };
    let rule = machine.find(status)?;
    let head = after.heads.get(&rule.track)?.iter().find(|head| **head != rule.name)?;
    Some((&rule.name, head))
}

/// Why the provider should be asked: something stands in the way that its answer may clear, or the
/// order of two reports rests on less than a time. An answer itself is never a reason to ask.
fn find_ask(
    rules: &Rules,
    order: &Order,
    after: &Standing,
    report: &Report,
    seen: Seen,
) -> Option<String> {
    if report.origin == Origin::Answer {
        return None;
    }
    if seen == Seen::Differently {
        return Some("one event came with two contents".to_owned());
    }
    if let Some(hold) = after.holds.iter().find(|hold| hold.ask) {
        return Some(hold.text.clone());
    }
    if after.waiting_operations {
        return Some("an operation waits for the one before it, or for an answer".to_owned());
    }
    let Content::Said(Said { status: Some(status), time, .. }) = &report.content else {
        return None;
    };
    let credible = time.filter(|time| *time <= latest_credible(report.received_at));
    if credible != *time {
        return Some(format!("`{status}` came with a time that lies ahead, which counts as none"));
    }
    let rule = rules.machine.find(status)?;
    let others = order
        .live_claims()
        .filter(|claim| claim.status != rule.name)
        .filter(|claim| rules.machine.share_loop(&claim.status, &rule.name));
    for other in others {
        if other.time == *time {
            return Some(format!("only rank tells `{}` from `{}`", rule.name, other.status));
        }
        if time.is_none() {
            return Some(format!("`{}` came without a time, after `{}`", rule.name, other.status));
        }
    }
    None
}
