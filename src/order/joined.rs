//! An order: the join of all that was reported about it.
//!
//! Invariants
//! - Every `join_*` is commutative, associative and idempotent: the state is a function of the *set*
//!   of reports.
//! - What is joined stays raw. What it means is computed from it each time (`standing`), so a fact
//!   that is learnt late changes nothing that was learnt before.
//! - `issued` and `issued_at` are the exception: they record what left, and only rise.
//! - The state is small and is kept for ever. A signature that binds no time can be replayed after
//!   every stored event is gone; this is what then still knows better.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::amount::{Amount, Currency};
use super::machine::Machine;
use super::name::{EventId, Kind, OrderId, Role, Status};
use super::report::{
    Amounts, OperationName, Overrule, Registration, Report, Resolution, Said, Until,
};
use super::slot::{Leg, Slot};
use super::timestamp::Timestamp;

/// How far a provider's clock may be ahead of ours before its time counts as none, in seconds.
pub const CLOCK_SKEW_SECS: u64 = 300;

/// The latest time that a provider can have meant: one that lies further ahead counts as none.
pub(super) fn latest_credible(received_at: Timestamp) -> Timestamp {
    received_at.plus_secs(CLOCK_SKEW_SECS)
}

/// All that is known about an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// Its ids. Any of them finds it.
    pub names: BTreeMap<OrderId, Role>,
    /// Every status that was claimed, with each version of its amounts.
    pub claims: Vec<Claim>,
    /// Every operation that was reported, with each version of its amounts.
    pub operations: Vec<Operation>,
    /// The kinds that were said, by the definition's names. More than one contradict each other.
    pub kinds: BTreeSet<Kind>,
    /// The accounts at the provider that were said.
    pub accounts: BTreeSet<String>,
    /// The currencies that were said for each leg.
    pub currencies: BTreeMap<Leg, BTreeSet<Currency>>,
    /// What the integrator registered. More than one contradict each other.
    pub registrations: BTreeSet<Registration>,
    /// Statuses that the definition does not know.
    pub unknown_statuses: BTreeSet<String>,
    /// Claims that a person overruled.
    pub overruled: BTreeMap<Status, Until>,
    /// Versions of operations that a person overruled.
    pub overruled_operations: BTreeSet<(OperationName, Amounts)>,
    /// Mismatches that a person accepted, attentions that a person dismissed, values that a person chose:
    /// by key, with the time of the decision: of two that exclude each other, the later one stands.
    pub waived: BTreeMap<String, Timestamp>,
    /// What a person had the integrator's books make up for, by the resolution that said so. A ledger
    /// of its own: neither the counters nor what was issued know of it.
    pub compensations: BTreeMap<EventId, BTreeMap<Slot, Amount>>,
    /// The counters as they were issued. Only rise.
    pub issued: BTreeMap<Slot, Amount>,
    /// The payment statuses at which something was issued.
    pub issued_at: BTreeSet<Status>,
    /// Two orders turned out to be one, of which one had issued, and the other had issued or was
    /// booked by the integrator: the same money may be on the books twice.
    pub merged_after_issue: bool,
}

/// A status that was claimed, with one version of the amounts that were said with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    /// The status, by the definition's name.
    pub status: Status,
    /// The amounts that this version carried.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    pub amounts: Amounts,
    /// The currencies that this version carried.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub currencies: BTreeMap<Leg, Currency>,
    /// Whether the provider said it in answer to us.
    #[serde(default)]
    pub confirmed: bool,
    /// The latest of the provider's times for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// When we first received it at that time.
    pub since: Timestamp,
    /// When we first received it at all, where that was earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
}

impl Claim {
    /// When we first received it, at whatever time: who says the same again and again does not make it new.
    #[must_use]
    pub fn heard_at(&self) -> Timestamp {
        self.first.unwrap_or(self.since)
    }
}

/// An operation, with one version of its amounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Operation {
    /// Which one.
    pub name: OperationName,
    /// The amounts that this version carried.
    pub amounts: Amounts,
    /// The currencies that this version carried.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub currencies: BTreeMap<Leg, Currency>,
    /// Whether the provider said it in answer to us.
    #[serde(default)]
    pub confirmed: bool,
    /// When we first received it; none for what was kept before that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Operation {
    /// What tells it from other versions of the same operation.
    pub(super) fn version(&self) -> (&OperationName, &Amounts, &BTreeMap<Leg, Currency>, bool) {
        (&self.name, &self.amounts, &self.currencies, self.confirmed)
    }
}

impl Order {
    /// The id that people know it by: the integrator's, or the first of the others where that is not known.
    #[must_use]
    pub fn main_id(&self) -> Option<&OrderId> {
        let own = self.names.iter().find(|(_, role)| **role == Role::Merchant);
        own.or(self.names.iter().next()).map(|(id, _)| id)
    }

    /// Takes in everything that a provider said, also what is behind: a late report may be the only
    /// one that carries an amount or an id.
    pub fn join_said(&mut self, machine: &Machine, report: &Report, said: &Said) {
        self.names_join(&report.names);
        let Some(spelling) = &said.status else {
            self.facts_join(report, said);
            return;
        };
        let Some(rule) = machine.find(spelling) else {
            // Until a person says what it means, nothing that came with it can be trusted to mean
            // what it usually does.
            self.unknown_statuses.insert(spelling.clone());
            return;
        };
        self.facts_join(report, said);
        let latest_credible = latest_credible(report.received_at);
        let claim = |status: &Status| Claim {
            status: status.clone(),
            amounts: said.amounts.clone(),
            currencies: said.currencies.clone(),
            confirmed: report.origin.confirms(),
            time: said.time.filter(|time| *time <= latest_credible),
            since: report.received_at,
            first: None,
        };
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("skip_guard") {
            // The fault that this software exists to prevent: the last report wins.
            self.claims
                .retain(|old| machine.get(&old.status).is_some_and(|o| o.track != rule.track));
        }
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("revive_losers") {
            self.overruled.remove(&rule.name);
        }
        let announced = said.announced.as_ref().and_then(|status| machine.get(status));
        for rule in std::iter::once(rule).chain(announced) {
            self.claim_join(claim(&rule.name));
            if let Some(implied) = &rule.implies {
                self.claim_join(claim(implied));
            }
        }
    }

    /// Takes in what the integrator knows.
    pub fn join_registration(&mut self, report: &Report, registration: &Registration) {
        self.names_join(&report.names);
        self.kinds.extend(registration.kind.clone());
        self.registrations.insert(registration.clone());
    }

    /// Takes in what a person decided.
    pub fn join_resolution(&mut self, event: &EventId, at: Timestamp, resolution: &Resolution) {
        for overrule in &resolution.overrules {
            match overrule {
                Overrule::Status(status, until) => {
                    let known = self.overruled.entry(status.clone()).or_insert(*until);
                    *known = (*known).max(*until);
                }
                Overrule::Operation(name, amounts) => {
                    self.overruled_operations.insert((name.clone(), amounts.clone()));
                }
            }
        }
        self.waived_join(resolution.waives.iter().map(|key| (key.clone(), at)));
        if !resolution.compensates.is_empty() {
            self.compensations_join(event, &resolution.compensates);
        }
    }

    /// Makes two orders one, because a report carried a name of each. What both issued was issued
    /// twice, so `issued` adds up: the sum is what the integrator's books saw.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        let has_booked = |order: &Self| {
            order.registrations.iter().any(|r| r.booked.values().any(|a| !a.is_zero()))
        };
        let has_moved = |order: &Self| !order.issued.is_empty() || has_booked(order);
        let is_twice = !self.issued.is_empty() && has_moved(&other)
            || !other.issued.is_empty() && has_moved(&self);
        self.merged_after_issue |= other.merged_after_issue || is_twice;
        self.names_join(&other.names);
        other.claims.into_iter().for_each(|claim| self.claim_join(claim));
        other.operations.into_iter().for_each(|operation| self.operation_join(operation));
        self.kinds.extend(other.kinds);
        self.accounts.extend(other.accounts);
        for (leg, currencies) in other.currencies {
            self.currencies.entry(leg).or_default().extend(currencies);
        }
        self.registrations.extend(other.registrations);
        self.unknown_statuses.extend(other.unknown_statuses);
        for (status, until) in other.overruled {
            let known = self.overruled.entry(status).or_insert(until);
            *known = (*known).max(until);
        }
        self.overruled_operations.extend(other.overruled_operations);
        self.waived_join(other.waived);
        for (event, amounts) in &other.compensations {
            self.compensations_join(event, amounts);
        }
        for (slot, amount) in other.issued {
            let sum = self.issued.entry(slot).or_default();
            // Too long to add exactly cannot be less than the larger of both.
            *sum = sum.plus(amount).unwrap_or_else(|| (*sum).max(amount));
        }
        self.issued_at.extend(other.issued_at);
        self
    }

    /// The claims that count: not overruled.
    pub fn live_claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(|claim| {
            !self.overruled.get(&claim.status).is_some_and(|until| until.covers(claim.time))
        })
    }

    /// The operations that count: not overruled.
    pub fn live_operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| {
            // A set of pairs cannot be asked for a pair of references; it is almost always empty.
            !self
                .overruled_operations
                .iter()
                .any(|(name, amounts)| *name == operation.name && *amounts == operation.amounts)
        })
    }

    /// What was compensated in a counter's effects by hand, in all.
    #[must_use]
    pub fn compensated(&self, slot: Slot) -> Amount {
        let all = self.compensations.values().filter_map(|amounts| amounts.get(&slot));
        // Too long to add exactly cannot be less than the larger of both.
        all.fold(Amount::ZERO, |sum, more| sum.plus(*more).unwrap_or_else(|| sum.max(*more)))
    }

    fn waived_join(&mut self, waives: impl IntoIterator<Item = (String, Timestamp)>) {
        for (key, at) in waives {
            let known = self.waived.entry(key).or_insert(at);
            *known = (*known).max(at);
        }
    }

    fn compensations_join(&mut self, event: &EventId, amounts: &BTreeMap<Slot, Amount>) {
        let ledger = self.compensations.entry(event.clone()).or_default();
        for (slot, amount) in amounts {
            let known = ledger.entry(*slot).or_insert(*amount);
            *known = (*known).max(*amount);
        }
    }

    fn names_join(&mut self, names: &BTreeMap<OrderId, Role>) {
        for (id, role) in names {
            let known = self.names.entry(id.clone()).or_insert(*role);
            *known = (*known).min(*role);
        }
    }

    fn facts_join(&mut self, report: &Report, said: &Said) {
        self.kinds.extend(said.kind.clone());
        self.accounts.extend(said.account.clone());
        for (leg, currency) in &said.currencies {
            self.currencies.entry(*leg).or_default().insert(currency.clone());
        }
        if let Some(name) = &said.operation {
            self.operation_join(Operation {
                name: name.clone(),
                amounts: said.amounts.clone(),
                currencies: said.currencies.clone(),
                confirmed: report.origin.confirms(),
                since: Some(report.received_at),
            });
        }
    }

    /// Of one status with the same amounts and currencies, equally confirmed, only the latest time is kept: it
    /// counts for more in every question that is ever asked about claims.
    fn claim_join(&mut self, claim: Claim) {
        let version = |a: &Claim, b: &Claim| {
            let own = (&a.status, &a.amounts, &a.currencies, a.confirmed);
            own.cmp(&(&b.status, &b.amounts, &b.currencies, b.confirmed))
        };
        match self.claims.binary_search_by(|known| version(known, &claim)) {
            Ok(at) => {
                let known = &mut self.claims[at];
                let first = known.heard_at().min(claim.heard_at());
                // A status that came again stands since it came again.
                if claim.time > known.time {
                    known.since = claim.since;
                } else if claim.time == known.time {
                    known.since = known.since.min(claim.since);
                }
                known.time = known.time.max(claim.time);
                known.first = (first < known.since).then_some(first);
            }
            Err(at) => self.claims.insert(at, claim),
        }
    }

    fn operation_join(&mut self, operation: Operation) {
        match self.operations.binary_search_by(|known| known.version().cmp(&operation.version())) {
            Ok(at) => {
                let known = &mut self.operations[at];
                known.since = [known.since, operation.since].into_iter().flatten().min();
            }
            Err(at) => self.operations.insert(at, operation),
        }
    }
}

impl Overrule {
    /// Overrules a status as far as it was claimed by now: in a loop it may rightly come again.
    #[must_use]
    pub fn status(machine: &Machine, order: &Order, status: &Status) -> Self {
        let until = if machine.repeats(status) {
            let times = order.claims.iter().filter(|claim| claim.status == *status);
            Until::Time(times.map(|claim| claim.time).max().flatten())
        } else {
            Until::Always
        };
        Self::Status(status.clone(), until)
    }
}
