//! What must be known before money moves: each total that a status states, what it requires beyond
//! that, and the provider's own answer where that is demanded.

use super::amount::Amount;
use super::heads::{Claims, DerivedHead, largest_total};
use super::judge::Judge;
use super::name::Status;
use super::position::{Position, total};
use super::rules::{KindRules, Money, Requirement};
use super::standing::Cause;

impl Judge<'_> {
    /// Claims that wait for the provider's own answer, and would change a counter if they counted.
    pub(super) fn judge_unconfirmed(
        &mut self,
        kind: &KindRules,
        claims: &Claims<'_>,
        position: &Position,
    ) {
        for &claim in &claims.weak {
            if claims.is_overtaken(claim, &self.standing.heads) {
                continue;
            }
            let mut counted = claims.strong();
            counted.push(claim);
            let with = Position::before_closing(self.rules, kind, self.order, &counted);
            if with.counters != position.counters {
                self.unconfirmed(&claim.status, largest_total(kind, claim));
            }
        }
    }

    /// Applies the closings of the one payment head, where it may move that much.
    pub(super) fn close(
        &mut self,
        kind: &KindRules,
        claims: &Claims<'_>,
        position: &mut Position,
        derived: Option<&DerivedHead>,
    ) {
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
            self.unconfirmed(&head, value.max(stated));
        }
    }

    fn unconfirmed(&mut self, status: &Status, largest: Option<Amount>) {
        let key = format!("unconfirmed:{status}={}", largest.unwrap_or_default());
        self.early(Some(key), format!("`{status}` waits for the provider's own answer"));
    }

    /// What must be known before a status moves money: each total that it states, said at this very
    /// status, and what the definition requires beyond that.
    pub(super) fn judge_known(
        &mut self,
        head: &Status,
        money: &Money,
        claims: &Claims<'_>,
        position: &Position,
    ) {
        let of_head: Vec<_> = claims.live.iter().filter(|claim| claim.status == *head).collect();
        for (slot, expression) in &money.totals {
            // A total that has no usable value is a mismatch already.
            let is_said = of_head.iter().any(|claim| total(expression, claim) != Ok(None));
            if !is_said {
                let text = format!("`{head}` does not say {slot}: {expression}");
                self.early(Some(format!("unsaid:{slot}@{head}")), text);
            }
        }
        for requirement in &money.requires {
            match requirement {
                Requirement::Amount(name) => {
                    if !of_head.iter().any(|claim| claim.amounts.contains_key(name)) {
                        self.early(None, format!("`{head}` requires {name}, which was not said"));
                    }
                }
                Requirement::Counter(slot) => {
                    if position.counter(*slot).is_none() {
                        self.early(None, format!("`{head}` requires {slot}, which is not known"));
                    }
                }
            }
        }
    }
}
