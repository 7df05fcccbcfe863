//! Heads: the maximal statuses among all that were claimed, track by track.

use std::collections::BTreeMap;

use super::amount::Amount;
use super::joined::{Claim, Order};
use super::machine::Machine;
use super::name::{Status, Track};
use super::position::total;
use super::rules::{Confirm, KindRules, Rules};
use super::timestamp::Timestamp;

/// The heads of every track that anything was said about.
pub(super) type Heads = BTreeMap<Track, Vec<Status>>;

/// The claims of an order that count, and which of them may move money.
pub(super) struct Claims<'a> {
    rules: &'a Rules,
    /// Every claim that was not overruled, of a status that the machine knows.
    pub live: Vec<&'a Claim>,
    /// Those of `live` that wait for the provider's own answer before they move money.
    pub weak: Vec<&'a Claim>,
}

/// A status that follows from the counters.
pub(super) struct DerivedHead {
    pub status: Status,
    /// Everything that it follows from was said in answer to us.
    pub is_confirmed: bool,
}

impl<'a> Claims<'a> {
    pub(super) fn of(rules: &'a Rules, kind: Option<&KindRules>, order: &'a Order) -> Self {
        let known = |claim: &&Claim| rules.machine.get(&claim.status).is_some();
        let live: Vec<&Claim> = order.live_claims().filter(known).collect();
        let is_weak = |claim: &&Claim| {
            !claim.confirmed && kind.is_some_and(|kind| needs_confirmation(rules, kind, claim))
        };
        let weak = live.iter().copied().filter(|claim| is_weak(claim)).collect();
        Self { rules, live, weak }
    }

    /// The claims that may move money.
    pub(super) fn strong(&self) -> Vec<&'a Claim> {
        self.live.iter().copied().filter(|claim| !self.is_weak(claim)).collect()
    }

    fn is_weak(&self, claim: &Claim) -> bool {
        self.weak.iter().any(|weak| std::ptr::eq(*weak, claim))
    }

    /// The heads of every track, and whether an answer had to settle what they contradict each other
    /// about. Where the provider's answer is demanded at all, the one head that it confirmed stands:
    /// whoever else claims something was not asked.
    pub(super) fn heads(&self, derived: Option<&DerivedHead>) -> (Heads, bool) {
        let machine = self.machine();
        let mut latest: BTreeMap<&Status, Option<Timestamp>> = BTreeMap::new();
        for claim in &self.live {
            let time = latest.entry(&claim.status).or_insert(claim.time);
            *time = (*time).max(claim.time);
        }
        if let Some(derived) = derived {
            latest.entry(&derived.status).or_insert(None);
        }
        let over: Vec<Status> = latest
            .keys()
            .filter(|status| self.is_over(status, &latest))
            .map(|s| (*s).clone())
            .collect();
        latest.retain(|status, _| !over.contains(*status));
        let mut heads = Heads::new();
        for (status, time) in &latest {
            let Some(rule) = machine.get(status) else {
                continue;
            };
            let is_behind = latest.iter().any(|(other, other_time)| {
                other != status
                    && self.shares_track(status, other)
                    && machine.at_most((status, *time), (other, *other_time))
            });
            if !is_behind {
                heads.entry(rule.track.clone()).or_default().push((*status).clone());
            }
        }
        let mut is_settled = false;
        if self.rules.policy.confirm != Confirm::Never {
            for track in heads.values_mut().filter(|track| track.len() > 1) {
                let is_derived = |status: &Status| {
                    derived.is_some_and(|d| d.is_confirmed && d.status == *status)
                };
                let mut confirmed = track.iter().filter(|s| self.is_confirmed(s) || is_derived(s));
                if let (Some(only), None) = (confirmed.next().cloned(), confirmed.next()) {
                    *track = vec![only];
                    is_settled = true;
                }
            }
        }
        (heads, is_settled)
    }

    /// Whether something beside the payment is over, because the payment's own status was said later. That one
    /// is only implied by whatever else goes on says nothing.
    fn is_over(&self, status: &Status, latest: &BTreeMap<&Status, Option<Timestamp>>) -> bool {
        let machine = self.machine();
        let Some(until) = machine.get(status).and_then(|rule| rule.until.as_ref()) else {
            return false;
        };
        let (Some(Some(said)), Some(Some(ended))) = (latest.get(status), latest.get(until)) else {
            return false;
        };
        let implies = |other: &Status| {
            machine.get(other).is_some_and(|rule| rule.implies.as_ref() == Some(until))
        };
        let is_implied = latest.iter().any(|(other, at)| *at == Some(*ended) && implies(other));
        said < ended && !is_implied
    }

    /// Whether the provider's own answer said a status, as it was last claimed.
    fn is_confirmed(&self, status: &Status) -> bool {
        self.latest_of(status).any(|claim| claim.confirmed)
    }

    /// Whether a head may close counters that come to this much.
    pub(super) fn may_close(&self, head: &Status, value: Amount) -> bool {
        let is_within = match self.rules.policy.confirm {
            Confirm::When { above: Some(above), .. } => value <= above,
            Confirm::Never | Confirm::Always | Confirm::When { above: None, .. } => true,
        };
        self.latest_of(head).any(|claim| claim.confirmed || (is_within && !self.is_weak(claim)))
    }

    /// The claims of a status, in a loop only the latest: an earlier round of it is over.
    fn latest_of(&self, status: &Status) -> impl Iterator<Item = &'a Claim> {
        let repeats = self.machine().repeats(status);
        let of_status: Vec<&Claim> =
            self.live.iter().copied().filter(|claim| claim.status == *status).collect();
        let latest = of_status.iter().map(|claim| claim.time).max().flatten();
        of_status.into_iter().filter(move |claim| !repeats || claim.time == latest)
    }

    /// Whether a claim that waits for an answer waits in vain: it is strictly behind a head of its
    /// track that an answer confirmed, so the provider was asked and has nothing more to say of it.
    pub(super) fn is_overtaken(&self, claim: &Claim, heads: &Heads) -> bool {
        let machine = self.machine();
        let Some(rule) = machine.get(&claim.status) else {
            return false;
        };
        let of_track = heads.get(&rule.track).into_iter().flatten();
        self.is_weak(claim)
            && of_track.filter(|head| self.is_confirmed(head)).any(|head| {
                if !machine.share_loop(&claim.status, head) {
                    return machine.leads(&claim.status, head);
                }
                let latest = self.latest_of(head).map(|latest| latest.time).max().flatten();
                let is_at_most = machine.at_most((&claim.status, claim.time), (head, latest));
                let is_round =
                    claim.status == *head && (claim.time == latest || !machine.repeats(head));
                is_at_most && !is_round
            })
    }

    /// When a status was first claimed, by our clock; in a loop, when it was claimed the last time.
    pub(super) fn since(&self, status: &Status) -> Option<Timestamp> {
        self.latest_of(status).map(|claim| claim.since).min()
    }

    fn shares_track(&self, a: &Status, b: &Status) -> bool {
        let track = |status| self.machine().get(status).map(|rule| &rule.track);
        track(a) == track(b)
    }

    fn machine(&self) -> &'a Machine {
        &self.rules.machine
    }
}

fn needs_confirmation(rules: &Rules, kind: &KindRules, claim: &Claim) -> bool {
    match &rules.policy.confirm {
        Confirm::Never => false,
        Confirm::Always => kind.moves_money(&rules.machine, &claim.status),
        Confirm::When { above, statuses } => {
            statuses.contains(&claim.status)
                || above.is_some_and(|above| largest_total(kind, claim) > Some(above))
        }
    }
}

/// The largest total that a claim states.
pub(super) fn largest_total(kind: &KindRules, claim: &Claim) -> Option<Amount> {
    let money = kind.money.get(&claim.status)?;
    money.totals.values().filter_map(|expression| total(expression, claim).ok().flatten()).max()
}
