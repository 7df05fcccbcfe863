//! What must be known before money moves: each total that a status states, what it requires beyond
//! that, and the provider's own answer where that is demanded.

use std::collections::BTreeSet;

use super::amount::Amount;
use super::expression::Expression;
use super::heads::{Claims, DerivedHead, largest_total};
use super::joined::Claim;
use super::judge::Judge;
use super::name::Status;
use super::position::{Basis, Position, total, unmet};
use super::rules::{Confirm, Requirement};
use super::slot::{Counter, Slot};
use super::standing::Cause;
use super::timestamp::Timestamp;
use super::wait::first_claimed;

impl Judge<'_> {
    /// Claims that wait for the provider's own answer, and would change a counter if they counted.
    pub(super) fn judge_unconfirmed(
        &mut self,
        basis: Basis<'_>,
        claims: &Claims<'_>,
        position: &Position,
    ) {
        for &claim in &claims.weak {
            if claims.is_overtaken(claim, &self.standing.heads) {
                continue;
            }
            let mut counted = claims.strong();
            counted.push(claim);
            let with = Position::before_closing(basis, &counted);
            if with.counters != position.counters {
                let largest = largest_total(basis.kind, claim);
                self.unconfirmed(&claim.status, largest, Some(claim.heard_at()));
            }
        }
    }

    /// Applies the closings of the one payment head, where it may move that much.
    pub(super) fn close(
        &mut self,
        basis: Basis<'_>,
        claims: &Claims<'_>,
        position: &mut Position,
        derived: Option<&DerivedHead>,
    ) {
        let kind = basis.kind;
        let Some(head) = self.standing.status.clone() else {
            return;
        };
        if self.is_held_by(Cause::Conflict) {
            return;
        }
        let closings = position.closings(&self.rules.machine, kind, &head);
        let value = closings.iter().map(|(_, amount)| *amount).max();
        let is_derived = derived.is_some_and(|derived| derived.status == head);
        if is_derived || claims.may_close(&head, value.unwrap_or_default()) {
            position.close(&self.rules.machine, kind, &head);
        } else if closings.iter().any(|(slot, amount)| position.counter(*slot) < Some(*amount)) {
            let of_head = claims.weak.iter().filter(|claim| claim.status == head);
            let stated = of_head.filter_map(|claim| largest_total(kind, claim)).max();
            let weak = first_claimed(&claims.weak, &head);
            let since = weak.or_else(|| first_claimed(&claims.live, &head));
            self.unconfirmed(&head, value.max(stated), since);
        }
    }

    fn unconfirmed(&mut self, status: &Status, largest: Option<Amount>, since: Option<Timestamp>) {
        let key = format!("unconfirmed:{status}={}", largest.unwrap_or_default());
        let mut text = format!("`{status}` waits for the provider's own answer");
        if let (Confirm::When { above: Some(above), .. }, Some(largest)) =
            (&self.rules.policy.confirm, largest)
            && largest > *above
        {
            text = format!("{text}: {largest} is above {above}");
        }
        self.early(key, text, since);
    }

    /// What must be known before money moves: each total that a status states, and what it requires
    /// beyond that. A head must say its totals itself; one that was passed must not have taken with it
    /// what nothing else says. `known` are the counters before closings.
    pub(super) fn judge_known(
        &mut self,
        basis: Basis<'_>,
        claims: &Claims<'_>,
        position: &Position,
        known: &BTreeSet<Slot>,
    ) {
        let counting: Vec<&Claim> = claims
            .live
            .iter()
            .copied()
            .filter(|c| !claims.is_overtaken(c, &self.standing.heads))
            .collect();
        let statuses: BTreeSet<&Status> = counting.iter().map(|claim| &claim.status).collect();
        let head = self.standing.status.clone();
        let closed: BTreeSet<Slot> =
            head.iter().flat_map(|head| basis.kind.closes(&self.rules.machine, head)).collect();
        for status in statuses {
            let Some(money) = basis.kind.money.get(status) else {
                continue;
            };
            let is_head = self.standing.heads.values().flatten().any(|head| head == status);
            let since = first_claimed(&counting, status);
            let mut is_complete = true;
            for (slot, expression) in &money.totals {
                // What was held and never said needs no release.
                let is_let_go =
                    slot.counter == Counter::Held && closed.contains(&slot.with(Counter::Released));
                let is_told = is_said(basis, &counting, status, *slot, expression)
                    || (!is_head && is_said_by_any(basis, &counting, *slot));
                is_complete &= is_let_go || position.counter(*slot).is_some();
                if !is_let_go && !is_told && (is_head || position.counter(*slot).is_none()) {
                    let text = format!("`{status}` does not say {slot}: {expression}");
                    self.early(format!("unsaid:{slot}@{status}"), text, since);
                }
            }
            if is_head || !is_complete {
                for requirement in unmet(money, status, &counting, |slot| known.contains(&slot)) {
                    let (what, why) = match requirement {
                        Requirement::Amount(name) => (name.clone(), "was not said"),
                        Requirement::Counter(slot) => (slot.to_string(), "is not known"),
                    };
                    let text = format!("`{status}` requires {what}, which {why}");
                    self.early(format!("unsaid:{what}@{status}"), text, since);
                }
            }
        }
    }
}

/// Whether a claim of a status says a total; one that has no usable value is a mismatch already.
fn is_said(
    basis: Basis<'_>,
    claims: &[&Claim],
    status: &Status,
    slot: Slot,
    expression: &Expression,
) -> bool {
    let of_status = claims.iter().filter(|claim| claim.status == *status);
    of_status
        .filter(|claim| basis.counts(slot.leg, &claim.currencies))
        .any(|claim| total(expression, claim) != Ok(None))
}

fn is_said_by_any(basis: Basis<'_>, claims: &[&Claim], slot: Slot) -> bool {
    let stated = basis.kind.money.iter();
    let mut stated = stated.filter_map(|(status, m)| Some((status, m.totals.get(&slot)?)));
    stated.any(|(status, expression)| is_said(basis, claims, status, slot, expression))
}
