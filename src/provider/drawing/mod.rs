//! A drawing of a provider's machine: what stands in it, and in `layout` where. The printers `svg`, `dot` and
//! `mermaid` write the same drawing each in its own language.
//!
//! Statuses that lead to each other are one group: within it any may follow any. Between groups only those
//! ways are drawn that no longer way implies (the transitive reduction), so what is drawn still says all that
//! may come after a status: whatever can be reached.

pub mod dot;
mod layout;
pub mod mermaid;
pub mod svg;

use std::collections::{BTreeMap, BTreeSet};

use super::Provider;
use crate::order::machine::{Machine, Outcome, StatusRule};
use crate::order::name::Status;
use crate::order::slot::Counter;

/// The counters that each status moves: those that any kind of order has in any books mode.
pub type Moves = BTreeMap<Status, BTreeSet<Counter>>;

/// A machine, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// What tells its elements from those of another drawing on the same page.
    pub name: String,
    /// For people.
    pub title: String,
    /// Its tracks, the payment first.
    pub tracks: Vec<TrackDrawing>,
}

/// One track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackDrawing {
    /// Its name.
    pub name: String,
    /// Its statuses, those that lead to each other together.
    pub groups: Vec<Group>,
    /// The ways between groups, by their places in `groups`.
    pub edges: Vec<(usize, usize)>,
}

/// A status, or all those of a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its statuses: one, or those of a loop by their rank.
    pub nodes: Vec<Node>,
}

/// A status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it says about the order.
    pub outcome: Outcome,
    /// The outcome is known.
    pub is_final: bool,
    /// The counters that it moves.
    pub moves: Vec<&'static str>,
    /// What it says about the payment, on another track.
    pub implies: Option<String>,
}

impl Drawing {
    /// A provider's machine.
    #[must_use]
    pub fn of(provider: &Provider) -> Self {
        Self::new(&provider.name, &provider.title, &provider.machine, &moves(provider))
    }

    /// A machine, and which of its statuses move money.
    #[must_use]
    pub fn new(name: &str, title: &str, machine: &Machine, moves: &Moves) -> Self {
        let track = |track: &crate::order::name::Track| {
            let rules = machine.statuses().iter().filter(|rule| rule.track == *track);
            TrackDrawing::new(track.as_str(), machine, &rules.collect::<Vec<_>>(), moves)
        };
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            tracks: machine.tracks().into_iter().map(track).collect(),
        }
    }

    /// Every status.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.tracks.iter().flat_map(|track| &track.groups).flat_map(|group| &group.nodes)
    }
}

/// The counters that a provider's statuses move.
#[must_use]
pub fn moves(provider: &Provider) -> Moves {
    let mut moves = Moves::new();
    for rules in provider.kinds.values().flat_map(|kind| kind.modes.values()) {
        for (status, money) in &rules.money {
            let slots = money.totals.keys().chain(&money.closes);
            let counters: BTreeSet<Counter> = slots.map(|slot| slot.counter).collect();
            if !counters.is_empty() {
                moves.entry(status.clone()).or_default().extend(counters);
            }
        }
    }
    moves
}

impl TrackDrawing {
    fn new(name: &str, machine: &Machine, rules: &[&StatusRule], moves: &Moves) -> Self {
        let mut loops: Vec<Vec<&StatusRule>> = Vec::new();
        for rule in rules {
            let shares = |members: &&mut Vec<&StatusRule>| {
                members.first().is_some_and(|first| machine.share_loop(&first.name, &rule.name))
            };
            match loops.iter_mut().find(shares) {
                Some(members) => members.push(rule),
                None => loops.push(vec![rule]),
            }
        }
        loops.iter_mut().for_each(|members| members.sort_by_key(|rule| rule.rank));
        let node = |rule: &&StatusRule| Node {
            name: rule.name.to_string(),
            outcome: rule.outcome,
            is_final: rule.is_final,
            moves: moves.get(&rule.name).into_iter().flatten().map(|c| c.as_str()).collect(),
            implies: rule.implies.as_ref().map(ToString::to_string),
        };
        let groups =
            loops.iter().map(|members| Group { nodes: members.iter().map(node).collect() });
        Self { name: name.to_owned(), groups: groups.collect(), edges: reduce(machine, &loops) }
    }
}

/// The ways between loops that no longer way implies.
fn reduce(machine: &Machine, loops: &[Vec<&StatusRule>]) -> Vec<(usize, usize)> {
    let leads = |from: usize, to: usize| match (loops[from].first(), loops[to].first()) {
        (Some(from), Some(to)) => machine.leads(&from.name, &to.name),
        _ => false,
    };
    let all = 0..loops.len();
    let mut edges = Vec::new();
    for from in all.clone() {
        for to in all.clone().filter(|to| *to != from && leads(from, *to)) {
            let is_between = |middle: usize| leads(from, middle) && leads(middle, to);
            let mut others = all.clone().filter(|middle| *middle != from && *middle != to);
            if !others.any(is_between) {
                edges.push((from, to));
            }
        }
    }
    edges
}

impl Group {
    /// Whether its statuses lead to each other.
    #[must_use]
    pub fn is_loop(&self) -> bool {
        self.nodes.len() > 1
    }
}

impl Node {
    /// What is noted beneath its name, a line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let outcome = (self.outcome != Outcome::Pending).then(|| self.outcome.as_str().to_owned());
        let implies = self.implies.as_ref().map(|implied| format!("implies {implied}"));
        outcome.into_iter().chain(implies).chain(self.money()).collect()
    }

    /// The counters that it moves, for people.
    #[must_use]
    pub fn money(&self) -> Option<String> {
        (!self.moves.is_empty()).then(|| self.moves.join(", ").replace('_', " "))
    }

    /// All of it as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let last = if self.is_final { ", final" } else { "" };
        let implies = self.implies.as_ref().map(|implied| format!(", implies {implied}"));
        let money = self.money().map(|money| format!(", moves money: {money}"));
        let (implies, money) = (implies.unwrap_or_default(), money.unwrap_or_default());
        format!("{}: {}{last}{implies}{money}", self.name, self.outcome.as_str())
    }
}
