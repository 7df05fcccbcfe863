//! A provider's statuses and edges, and the order that they put on claims.
//!
//! Within a track, a status leads to another when edges connect them. Statuses that lead to each
//! other form a *loop* (a retry: failed, in progress, failed again); only inside of a loop does time
//! decide, and where times are equal, the statuses' ranks. Between loops only the edges decide:
//! provider clocks are too coarse and too often wrong to let them overrule the protocol.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use serde::{Deserialize, Serialize};

use super::name::{Status, Track};
use super::timestamp::Timestamp;
use crate::mistake::nearest;

/// What a status says about the order, in words that all providers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not decided yet.
    Pending,
    /// All of it happened.
    Succeeded,
    /// Some of it happened.
    Partially,
    /// None of it happened.
    Failed,
    /// It happened outside of the provider: no money of theirs moved.
    External,
}

impl Outcome {
    /// The name in definitions, JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Partially => "partially",
            Self::Failed => "failed",
            Self::External => "external",
        }
    }

    /// Whether money is meant to have moved as agreed.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Succeeded | Self::Partially)
    }
}

/// One status, as a definition states it.
#[derive(Clone, Debug)]
pub struct StatusRule {
    /// Its name.
    pub name: Status,
    /// Where it lives.
    pub track: Track,
    /// What may come directly after it, within the track.
    pub edges: Vec<Status>,
    /// Decides within a loop where the times are equal: the greater is later.
    pub rank: i32,
    /// The outcome is known, as the provider means it.
    pub is_final: bool,
    /// What it says about the order.
    pub outcome: Outcome,
    /// For a side track's status: what it implies on the payment track.
    pub implies: Option<Status>,
    /// For a side track's status: the payment status that, said later by itself, tells that this one is over.
    pub until: Option<Status>,
    /// For how long an order may stay in it before a person is asked; the source's horizon if `None`.
    pub horizon: Option<std::time::Duration>,
    /// Other spellings.
    pub aliases: Vec<String>,
}

/// What is wrong with a machine, and at which status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineFault {
    /// The status that the fault is about.
    pub status: Status,
    /// What is wrong and what to do.
    pub what: String,
}

/// A checked machine.
#[derive(Clone, Debug)]
pub struct Machine {
    statuses: Vec<StatusRule>,
    spellings: BTreeMap<String, usize>,
    /// `leads[a][b]`: b can be reached from a; every status reaches itself.
    leads: Vec<Vec<bool>>,
    /// The loop that each status is in; a status outside of any has one of its own.
    loops: Vec<usize>,
}

/// Brings a provider's spelling to the definition's: lower case, blanks and hyphens as `_`.
#[must_use]
pub fn normalise(spelling: &str) -> String {
    let words = spelling.trim().to_lowercase();
    words.split([' ', '-', '\t']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

impl Machine {
    /// Checks and connects the statuses.
    ///
    /// # Errors
    /// Every [`MachineFault`] found: unknown or foreign edges, spellings used twice, equal ranks in a
    /// loop, implied statuses outside of the payment track, a status that nothing connects.
    pub fn new(statuses: Vec<StatusRule>) -> Result<Self, Vec<MachineFault>> {
        let mut faults = Vec::new();
        let spellings = collect_spellings(&statuses, &mut faults);
        let mut graph = DiGraph::<(), ()>::new();
        let nodes: Vec<NodeIndex> = statuses.iter().map(|_| graph.add_node(())).collect();
        for (from, status) in statuses.iter().enumerate() {
            for edge in &status.edges {
                match check_edge(&statuses, &spellings, status, edge) {
                    Ok(to) => {
                        graph.update_edge(nodes[from], nodes[to], ());
                    }
                    Err(what) => faults.push(MachineFault { status: status.name.clone(), what }),
                }
            }
        }
        let mut loops = vec![0; statuses.len()];
        for (number, members) in tarjan_scc(&graph).into_iter().enumerate() {
            for member in members {
                loops[member.index()] = number;
            }
        }
        let leads = close(&graph, statuses.len());
        let machine = Self { statuses, spellings, leads, loops };
        machine.check_ranks(&mut faults);
        machine.check_implied(&mut faults);
        machine.check_connected(&mut faults);
        if faults.is_empty() { Ok(machine) } else { Err(faults) }
    }

    /// Finds a status by any spelling of it.
    #[must_use]
    pub fn find(&self, spelling: &str) -> Option<&StatusRule> {
        self.spellings.get(&normalise(spelling)).map(|&index| &self.statuses[index])
    }

    /// Finds a status by its exact name.
    #[must_use]
    pub fn get(&self, name: &Status) -> Option<&StatusRule> {
        self.index(name).map(|index| &self.statuses[index])
    }

    /// Every status, in the definition's order.
    #[must_use]
    pub fn statuses(&self) -> &[StatusRule] {
        &self.statuses
    }

    /// Every track, the payment track first.
    #[must_use]
    pub fn tracks(&self) -> Vec<&Track> {
        let mut tracks: Vec<&Track> = Vec::new();
        for status in &self.statuses {
            if !tracks.contains(&&status.track) {
                tracks.push(&status.track);
            }
        }
        tracks.sort_by_key(|track| !track.is_payment());
        tracks
    }

    /// Whether `to` is forward-valid from `from`: it can be reached, or is the same.
    #[must_use]
    pub fn leads(&self, from: &Status, to: &Status) -> bool {
        match (self.index(from), self.index(to)) {
            (Some(from), Some(to)) => self.leads[from][to],
            _ => false,
        }
    }

    /// Whether two statuses lead to each other.
    #[must_use]
    pub fn share_loop(&self, a: &Status, b: &Status) -> bool {
        match (self.index(a), self.index(b)) {
            (Some(a), Some(b)) => self.loops[a] == self.loops[b],
            _ => false,
        }
    }

    /// Whether a status can come again after others: it is in a loop of more than one.
    #[must_use]
    pub fn repeats(&self, status: &Status) -> bool {
        self.index(status).is_some_and(|index| {
            self.loops.iter().filter(|number| **number == self.loops[index]).count() > 1
        })
    }

    /// Whether anything can come after a status in its track.
    #[must_use]
    pub fn has_exit(&self, status: &Status) -> bool {
        self.index(status).is_some_and(|index| {
            (0..self.statuses.len()).any(|other| other != index && self.leads[index][other])
        })
    }

    /// Whether one claim is behind, or is, another of the same track: the order of the theory.
    /// A claim is a status and the latest time at which it was said, where a time is known.
    #[must_use]
    pub fn at_most(
        &self,
        (status, time): (&Status, Option<Timestamp>),
        (other, other_time): (&Status, Option<Timestamp>),
    ) -> bool {
        if !self.share_loop(status, other) {
            return self.leads(status, other);
        }
        // In a loop: a known time is later than none, then the time, then the rank.
        let rank = |status: &Status| self.get(status).map_or(0, |rule| rule.rank);
        let by_time = time.cmp(&other_time);
        by_time.then_with(|| rank(status).cmp(&rank(other))) != Ordering::Greater
    }

    fn index(&self, name: &Status) -> Option<usize> {
        let index = *self.spellings.get(name.as_str())?;
        (self.statuses[index].name == *name).then_some(index)
    }

    fn check_ranks(&self, faults: &mut Vec<MachineFault>) {
        for (index, status) in self.statuses.iter().enumerate() {
            let twin = self.statuses[..index].iter().enumerate().find(|(other, rule)| {
                self.loops[*other] == self.loops[index] && rule.rank == status.rank
            });
            if let Some((_, twin)) = twin {
                let what = format!(
                    "`{}` and `{}` lead to each other and have the same rank {}: give each status of \
                     a loop a rank of its own, the greater for the one that counts as later when the \
                     provider's times are equal",
                    twin.name, status.name, status.rank
                );
                faults.push(MachineFault { status: status.name.clone(), what });
            }
        }
    }

    fn check_implied(&self, faults: &mut Vec<MachineFault>) {
        for status in &self.statuses {
            for (key, named) in [("implies", &status.implies), ("until", &status.until)] {
                let Some(named) = named else { continue };
                let what = match self.get(named) {
                    None => format!("`{key}` names `{named}`, which is no status"),
                    Some(rule) if !rule.track.is_payment() => {
                        format!("`{key}` names `{named}`, which is not on the payment track")
                    }
                    Some(_) if status.track.is_payment() => format!(
                        "`{key}` is for statuses of side tracks: on the payment track write an edge"
                    ),
                    Some(_) => continue,
                };
                faults.push(MachineFault { status: status.name.clone(), what });
            }
        }
    }

    fn check_connected(&self, faults: &mut Vec<MachineFault>) {
        for (index, status) in self.statuses.iter().enumerate() {
            let mut others = (0..self.statuses.len())
                .filter(|other| *other != index && self.statuses[*other].track == status.track)
                .peekable();
            let has_company = others.peek().is_some();
            let is_connected = others.any(|o| self.leads[index][o] || self.leads[o][index]);
            if has_company && !is_connected {
                let what = format!(
                    "no edge leads to or from `{}`: it could never follow or be followed by another \
                     status of its track",
                    status.name
                );
                faults.push(MachineFault { status: status.name.clone(), what });
            }
        }
    }
}

fn collect_spellings(
    statuses: &[StatusRule],
    faults: &mut Vec<MachineFault>,
) -> BTreeMap<String, usize> {
    let mut spellings = BTreeMap::new();
    for (index, status) in statuses.iter().enumerate() {
        if normalise(status.name.as_str()) != status.name.as_str() {
            let what = format!(
                "write the status as `{}`: names are lower case with `_`, and what providers send is \
                 brought to that form before it is compared",
                normalise(status.name.as_str())
            );
            faults.push(MachineFault { status: status.name.clone(), what });
        }
        let names = std::iter::once(status.name.as_str());
        for spelling in names.chain(status.aliases.iter().map(String::as_str)) {
            let other = *spellings.entry(normalise(spelling)).or_insert(index);
            if other != index {
                let what = format!("`{spelling}` is also a spelling of `{}`", statuses[other].name);
                faults.push(MachineFault { status: status.name.clone(), what });
            }
        }
    }
    spellings
}

fn check_edge(
    statuses: &[StatusRule],
    spellings: &BTreeMap<String, usize>,
    status: &StatusRule,
    edge: &Status,
) -> Result<usize, String> {
    let found = spellings.get(edge.as_str()).filter(|index| statuses[**index].name == *edge);
    let Some(&to) = found else {
        let known = statuses.iter().map(|status| status.name.as_str());
        let hint = nearest(edge.as_str(), known).map(|known| format!(": did you mean `{known}`?"));
        let hint = hint.unwrap_or_default();
        return Err(format!("an edge leads to `{edge}`, which is no status{hint}"));
    };
    if statuses[to].track == status.track {
        return Ok(to);
    }
    Err(format!(
        "an edge leads to `{edge}` on the track `{}`: edges stay within a track; what a side track's \
         status says about the payment is `implies`",
        statuses[to].track
    ))
}

fn close(graph: &DiGraph<(), ()>, count: usize) -> Vec<Vec<bool>> {
    let reach_from = |start: usize| {
        let mut reached = vec![false; count];
        let mut waiting = vec![NodeIndex::new(start)];
        while let Some(node) = waiting.pop() {
            if !std::mem::replace(&mut reached[node.index()], true) {
                waiting.extend(graph.neighbors(node));
            }
        }
        reached
    };
    (0..count).map(reach_from).collect()
}
