//! Heads: the maximal statuses among all that were claimed, track by track.

use std::collections::BTreeMap;

use super::amount::Amount;
use super::joined::{Claim, Order};
use super::machine::Machine;
use super::name::{Status, Track};
use super::position::total;
use super::rules::{Confirm, KindRules, Rules};
use super::timestamp::Timestamp;

/// The claims of an order that count, and which of them may move money.
pub(super) struct Claims<'a> {
    machine: &'a Machine,
    /// Every claim that was not overruled, of a status that the machine knows.
    pub live: Vec<&'a Claim>,
    /// Those of `live` that wait for the provider's own answer before they move money.
    pub weak: Vec<&'a Claim>,
}

impl<'a> Claims<'a> {
    pub(super) fn of(rules: &'a Rules, kind: Option<&KindRules>, order: &'a Order) -> Self {
        let known = |claim: &&Claim| rules.machine.get(&claim.status).is_some();
        let live: Vec<&Claim> = order.live_claims().filter(known).collect();
        let is_weak = |claim: &&Claim| {
            !claim.confirmed && kind.is_some_and(|kind| needs_confirmation(rules, kind, claim))
        };
        let weak = live.iter().copied().filter(|claim| is_weak(claim)).collect();
        Self { machine: &rules.machine, live, weak }
    }

    /// The claims that may move money.
    pub(super) fn strong(&self) -> impl Iterator<Item = &'a Claim> {
        self.live.iter().copied().filter(|claim| !self.is_weak(claim))
    }

    fn is_weak(&self, claim: &Claim) -> bool {
        self.weak.iter().any(|weak| std::ptr::eq(*weak, claim))
    }

    /// The heads of every track. A head that waits for confirmation gives way to one that does not:
    /// the provider's own answer settles what its callbacks contradict each other about.
    pub(super) fn heads(&self, derived: Option<&Status>) -> BTreeMap<Track, Vec<Status>> {
        let mut latest: BTreeMap<&Status, Option<Timestamp>> = BTreeMap::new();
        for claim in &self.live {
            let time = latest.entry(&claim.status).or_insert(claim.time);
            *time = (*time).max(claim.time);
        }
        if let Some(status) = derived {
            latest.entry(status).or_insert(None);
        }
        let mut heads: BTreeMap<Track, Vec<Status>> = BTreeMap::new();
        for (status, time) in &latest {
            let Some(rule) = self.machine.get(status) else {
                continue;
            };
            let is_behind = latest.iter().any(|(other, other_time)| {
                other != status
                    && self.shares_track(status, other)
                    && self.machine.at_most((status, *time), (other, *other_time))
            });
            if !is_behind {
                heads.entry(rule.track.clone()).or_default().push((*status).clone());
            }
        }
        for track in heads.values_mut().filter(|track| track.len() > 1) {
            let firm = |status: &Status| self.is_firm(status) || derived == Some(status);
            if track.iter().any(firm) {
                track.retain(firm);
            }
        }
        heads
    }

    /// Whether a status, as it was last claimed, may move money.
    pub(super) fn is_firm(&self, status: &Status) -> bool {
        let of_status = || self.live.iter().filter(|claim| claim.status == *status);
        let latest = of_status().map(|claim| claim.time).max().flatten();
        of_status().any(|claim| {
            let counts = !self.machine.repeats(status) || claim.time == latest;
            counts && !self.is_weak(claim)
        })
    }

    /// When a status was first claimed, by our clock.
    pub(super) fn since(&self, status: &Status) -> Option<Timestamp> {
        self.live.iter().filter(|claim| claim.status == *status).map(|claim| claim.since).min()
    }

    fn shares_track(&self, a: &Status, b: &Status) -> bool {
        let track = |status| self.machine.get(status).map(|rule| &rule.track);
        track(a) == track(b)
    }
}

fn needs_confirmation(rules: &Rules, kind: &KindRules, claim: &Claim) -> bool {
    match &rules.policy.confirm {
        Confirm::Never => false,
        Confirm::Always => kind.moves_money(&claim.status),
        Confirm::When { above, statuses } => {
            statuses.contains(&claim.status)
                || above.is_some_and(|above| largest_total(kind, claim) > Some(above))
        }
    }
}

fn largest_total(kind: &KindRules, claim: &Claim) -> Option<Amount> {
    let money = kind.money.get(&claim.status)?;
    money.totals.values().filter_map(|expression| total(expression, claim).ok().flatten()).max()
}
