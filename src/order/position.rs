//! Position: an order's cumulative money counters, as a function of the set of reports.
//!
//! Totals are the pointwise maximum over all claims; operations add up; closings bring a counter up
//! to the one that it undoes. None of this looks at what was issued.

use std::collections::{BTreeMap, BTreeSet};

use super::amount::{Amount, Currency};
use super::expression::{Expression, ExpressionFault};
use super::joined::{Claim, Operation, Order};
use super::machine::Machine;
use super::name::Status;
use super::report::OperationName;
use super::rules::{Confirm, KindRules, Money, OperationMoney, Requirement, Rules};
use super::slot::{Leg, Slot};

/// The counters and what could not be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// What each counter has come to. A counter that nothing was said about is absent.
    pub counters: BTreeMap<Slot, Amount>,
    /// Operations that wait for a counter to be known, or for the provider's own answer.
    pub waiting: BTreeSet<OperationName>,
    /// Operations that were reported with more than one amount.
    pub contradicting: BTreeSet<OperationName>,
    /// Operations that the definition does not know.
    pub unknown_operations: BTreeSet<String>,
    /// Expressions that have no usable value, and why.
    pub faults: BTreeSet<(String, String)>,
}

/// What an expression comes to with the amounts of one claim.
pub(super) fn total(
    expression: &Expression,
    claim: &Claim,
) -> Result<Option<Amount>, ExpressionFault> {
    expression.amount(&|name| claim.amounts.get(name).copied())
}

/// What counters are worked out from.
#[derive(Clone, Copy)]
pub(super) struct Basis<'a> {
    pub rules: &'a Rules,
    pub kind: &'a KindRules,
    pub order: &'a Order,
    /// The currency of each leg. What was said in another one is no amount of this order.
    pub currencies: &'a BTreeMap<Leg, Currency>,
}

impl Basis<'_> {
    /// Whether what was said with these currencies counts on a leg. An unnamed one is the leg's.
    pub(super) fn counts(&self, leg: Leg, said: &BTreeMap<Leg, Currency>) -> bool {
        let (said, chosen) = (said.get(&leg), self.currencies.get(&leg));
        said.is_none() || chosen.is_none() || said == chosen
    }
}

impl Position {
    pub(super) fn counter(&self, slot: Slot) -> Option<Amount> {
        self.counters.get(&slot).copied()
    }

    /// Everything but closings: those need the head, which may follow from this.
    pub(super) fn before_closing(basis: Basis<'_>, claims: &[&Claim]) -> Self {
        let mut position = Self::default();
        for (slot, amount) in basis.order.registration().iter().flat_map(|r| &r.booked) {
            position.raise(*slot, *amount);
        }
        position.add_operations(basis);
        position.add_totals(basis, claims);
        position
    }

    /// The payment status that follows from the counters, for kinds that count operations. None
    /// follows from counters that cannot be right, such as more released than was held, unless a
    /// person accepted it.
    pub(super) fn derive_status(
        &self,
        kind: &KindRules,
        is_accepted: impl Fn(&str) -> bool,
    ) -> Option<Status> {
        let is_sane =
            self.excesses().all(|(slot, amount, _)| is_accepted(&excess_key(slot, amount)));
        if kind.operations.is_empty() || self.counters.is_empty() || !is_sane {
            return None;
        }
        let counter = |name: &str| name.parse().ok().and_then(|slot| self.counter(slot));
        let holds = |derived: &&super::rules::Derived| {
            derived.when.iter().all(|condition| condition.holds(&counter))
        };
        kind.derived.iter().find(holds).map(|derived| derived.status.clone())
    }

    /// Applies the closings of the one payment head.
    pub(super) fn close(&mut self, machine: &Machine, kind: &KindRules, head: &Status) {
        for (slot, amount) in self.closings(machine, kind, head) {
            #[cfg(feature = "plants")]
            if crate::plant::is_planted("release_by_difference") {
                let debited = self.counter(slot.with(super::slot::Counter::Debited));
                let rest = amount.above(debited.unwrap_or_default()).unwrap_or(amount);
                self.raise(slot, rest);
                continue;
            }
            if kind.level.contains(&slot) {
                self.counters.insert(slot, amount);
            } else {
                self.raise(slot, amount);
            }
        }
    }

    /// The counters that a payment head closes, and what each would come to.
    pub(super) fn closings(
        &self,
        machine: &Machine,
        kind: &KindRules,
        head: &Status,
    ) -> Vec<(Slot, Amount)> {
        let closes: BTreeSet<Slot> = kind.closes(machine, head).collect();
        let value = |slot: Slot| self.counter(slot.with(slot.counter.opposite()));
        closes.into_iter().filter_map(|slot| Some((slot, value(slot)?))).collect()
    }

    /// Counters that exceed what they undo, where both are known.
    pub(super) fn excesses(&self) -> impl Iterator<Item = (Slot, Amount, Amount)> {
        self.counters.iter().filter_map(|(slot, amount)| {
            let undone = self.counter(slot.with(slot.counter.undoes()?))?;
            (*amount > undone).then_some((*slot, *amount, undone))
        })
    }

    /// A status whose requirements are not met adds nothing yet; what one requires, another may bring.
    fn add_totals(&mut self, basis: Basis<'_>, claims: &[&Claim]) {
        let mut level: BTreeMap<Slot, Vec<(&Claim, Amount)>> = BTreeMap::new();
        let mut waiting: Vec<&Claim> = claims.to_vec();
        loop {
            let known = |slot| self.counters.contains_key(&slot) || level.contains_key(&slot);
            let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|claim| {
                let money = basis.kind.money.get(&claim.status);
                money
                    .is_none_or(|money| unmet(money, &claim.status, claims, known).next().is_none())
            });
            waiting = rest;
            if ready.is_empty() {
                break;
            }
            for claim in ready {
                self.add_claim(basis, claim, &mut level);
            }
        }
        let machine = &basis.rules.machine;
        for (slot, said) in level {
            // The greatest claim counts; where several are, the larger amount.
            let is_behind = |(claim, _): &(&Claim, Amount)| {
                said.iter().any(|(other, _)| is_before(machine, claim, other))
            };
            let greatest = said.iter().filter(|pair| !is_behind(pair)).map(|(_, amount)| *amount);
            if let Some(amount) = greatest.max() {
                self.counters.insert(slot, amount);
            }
        }
    }

    fn add_claim<'a>(
        &mut self,
        basis: Basis<'_>,
        claim: &'a Claim,
        level: &mut BTreeMap<Slot, Vec<(&'a Claim, Amount)>>,
    ) {
        let totals = basis.kind.money.get(&claim.status).into_iter().flat_map(|m| &m.totals);
        for (slot, expression) in totals.filter(|(s, _)| basis.counts(s.leg, &claim.currencies)) {
            match total(expression, claim) {
                Ok(None) => {}
                Ok(Some(amount)) if basis.kind.level.contains(slot) => {
                    level.entry(*slot).or_default().push((claim, amount));
                }
                Ok(Some(amount)) => self.raise(*slot, amount),
                Err(fault) => self.fault(expression, fault),
            }
        }
    }

    fn add_operations(&mut self, basis: Basis<'_>) {
        let kind = basis.kind;
        let mut versions: BTreeMap<&OperationName, Vec<&Operation>> = BTreeMap::new();
        for operation in basis.order.live_operations() {
            let is_known = kind.operations.contains_key(&operation.name.name);
            let needs_answer = || operation_needs_confirmation(basis.rules, kind, operation);
            if operation.confirmed || !is_known || !needs_answer() {
                versions.entry(&operation.name).or_default().push(operation);
            } else {
                self.waiting.insert(operation.name.clone());
            }
        }
        self.waiting.retain(|name| !versions.contains_key(name));
        let mut uncounted = Vec::new();
        for (name, versions) in versions {
            let Some(rule) = kind.operations.get(&name.name) else {
                self.unknown_operations.insert(name.name.clone());
                continue;
            };
            match self.read_operation(basis, name, rule, &versions) {
                Some(adds) => uncounted.push((name, rule, adds)),
                None => {
                    self.waiting.insert(name.clone());
                }
            }
        }
        // What one operation requires, another may bring: until nothing more comes to count.
        let mut sums: BTreeMap<Slot, Amount> = BTreeMap::new();
        loop {
            let known: BTreeSet<Slot> = self.counters.keys().chain(sums.keys()).copied().collect();
            let (ready, rest): (Vec<_>, Vec<_>) =
                uncounted.into_iter().partition(|(_, rule, _)| rule.requires.is_subset(&known));
            uncounted = rest;
            if ready.is_empty() {
                break;
            }
            for (slot, amount) in ready.into_iter().flat_map(|(_, _, adds)| adds) {
                let sum = sums.entry(slot).or_default();
                match sum.plus(amount) {
                    Some(more) => *sum = more,
                    None => {
                        self.faults
                            .insert((slot.to_string(), ExpressionFault::Inexact.to_string()));
                    }
                }
            }
        }
        self.waiting.extend(uncounted.into_iter().map(|(name, _, _)| name.clone()));
        // What the integrator booked itself is the same money, not more of it: the larger counts.
        sums.into_iter().for_each(|(slot, sum)| self.raise(slot, sum));
    }

    /// What an operation adds; nothing as long as one of its amounts is not known.
    fn read_operation(
        &mut self,
        basis: Basis<'_>,
        name: &OperationName,
        rule: &OperationMoney,
        versions: &[&Operation],
    ) -> Option<Vec<(Slot, Amount)>> {
        let mut adds = Vec::new();
        let mut is_known = true;
        for (slot, expression) in &rule.adds {
            let mut values = BTreeSet::new();
            let counted = versions.iter().filter(|v| basis.counts(slot.leg, &v.currencies));
            for version in counted {
                match expression.amount(&|amount| version.amounts.get(amount).copied()) {
                    Ok(value) => values.extend(value),
                    Err(fault) => self.fault(expression, fault),
                }
            }
            if values.len() > 1 {
                self.contradicting.insert(name.clone());
            }
            match values.last() {
                None => is_known = false,
                Some(value) => adds.push((*slot, *value)),
            }
        }
        is_known.then_some(adds)
    }

    fn raise(&mut self, slot: Slot, amount: Amount) {
        let counter = self.counters.entry(slot).or_insert(amount);
        *counter = (*counter).max(amount);
    }

    fn fault(&mut self, expression: &Expression, fault: ExpressionFault) {
        self.faults.insert((expression.to_string(), fault.to_string()));
    }
}

/// The key by which a person accepts that a counter exceeds what it undoes.
pub(super) fn excess_key(slot: Slot, amount: Amount) -> String {
    format!("{slot}={amount}")
}

/// What a status requires and is not known: an amount that no claim of it says, a counter that
/// nothing says.
pub(super) fn unmet<'a>(
    money: &'a Money,
    status: &'a Status,
    claims: &'a [&Claim],
    known: impl Fn(Slot) -> bool + 'a,
) -> impl Iterator<Item = &'a Requirement> + 'a {
    money.requires.iter().filter(move |requirement| match requirement {
        Requirement::Amount(name) => {
            !claims.iter().any(|c| c.status == *status && c.amounts.contains_key(name))
        }
        Requirement::Counter(slot) => !known(*slot),
    })
}

fn is_before(machine: &Machine, a: &Claim, b: &Claim) -> bool {
    let (a, b) = ((&a.status, a.time), (&b.status, b.time));
    machine.at_most(a, b) && !machine.at_most(b, a)
}

fn operation_needs_confirmation(rules: &Rules, kind: &KindRules, operation: &Operation) -> bool {
    match &rules.policy.confirm {
        _ if kind.is_silent => false,
        Confirm::Never => false,
        Confirm::Always => true,
        Confirm::When { above, .. } => above.is_some_and(|above| {
            let known = |name: &str| operation.amounts.get(name).copied();
            let rule = kind.operations.get(&operation.name.name);
            let mut adds = rule.into_iter().flat_map(|rule| rule.adds.values());
            adds.any(|expression| expression.amount(&known).ok().flatten() > Some(above))
        }),
    }
}
