//! What must fit together before money moves: amounts, currencies, the account, the registration.

use std::collections::BTreeSet;

use super::amount::Currency;
use super::chosen::REGISTRATION;
use super::heads::Claims;
use super::judge::Judge;
use super::name::Status;
use super::position::{Basis, Position, excess_key, total};
use super::rules::{AmountPolicy, KindRules, Unregistered};
use super::slot::{Leg, Slot};
use super::standing::Cause;
use super::wait::{first_claimed, first_money};

impl Judge<'_> {
    /// An amount above the registered one is wrong wherever it moves money; one below it only where
    /// the order succeeded.
    pub(super) fn judge_amount(
        &mut self,
        basis: Basis<'_>,
        head: &Status,
        claims: &Claims<'_>,
        position: &Position,
    ) {
        let kind = basis.kind;
        let is_success = self.rules.machine.get(head).is_some_and(|rule| rule.outcome.is_success());
        let Some(kind_name) = self.standing.kind.clone() else {
            return;
        };
        let policy = self.rules.amount_policy(&kind_name, head);
        // A ledger moves money in every status that follows from it.
        let moves = kind.moves_money(&self.rules.machine, head) || !kind.operations.is_empty();
        if policy == AmountPolicy::Any || !(moves || is_success) {
            return;
        }
        let registration = self.order.registration();
        let is_awaited = self.rules.policy.unregistered == Unregistered::Wait;
        if registration.is_none() && (is_awaited || !self.order.registrations.is_empty()) {
            // Held back already, until there is one that counts.
            return;
        }
        let expected = |leg| registration.and_then(|r| r.expected.get(leg)).map(|e| e.amount);
        for (leg, expression) in &kind.judged {
            let actual = if kind.operations.is_empty() {
                let counted = claims
                    .strong()
                    .into_iter()
                    .filter(|claim| claim.status == *head && basis.counts(*leg, &claim.currencies));
                counted.filter_map(|claim| total(expression, claim).ok().flatten()).max()
            } else {
                let counter =
                    |name: &str| name.parse().ok().and_then(|slot: Slot| position.counter(slot));
                expression.amount(&counter).ok().flatten()
            };
            if actual.is_none() && !is_success {
                continue;
            }
            let Some(expected) = expected(leg) else {
                let text = format!("no amount is registered for leg {leg}");
                self.mismatch(format!("amount:{leg}=unregistered"), text);
                continue;
            };
            let Some(actual) = actual else {
                let text = format!("`{head}` does not say the amount of leg {leg}: {expression}");
                let since = first_claimed(&claims.live, head);
                self.early(format!("amount:{leg}=unsaid"), text, since);
                continue;
            };
            let tolerance = self.rules.policy.tolerance;
            let is_over = actual.above(expected).is_none_or(|over| over > tolerance);
            let is_under = expected.above(actual).is_none_or(|under| under > tolerance);
            if is_over || (is_under && is_success && policy == AmountPolicy::Exact) {
                let mut text =
                    format!("{actual} moved on leg {leg}, registered was {policy} {expected}");
                if !tolerance.is_zero() {
                    text = format!("{text}, with a tolerance of {tolerance}");
                }
                self.mismatch(format!("amount:{leg}={actual}"), text);
            }
        }
    }

    /// What the integrator booked itself must have a way back in its books mode: else a failure would
    /// end with the money gone.
    pub(super) fn judge_booked(&mut self, kind: &KindRules) {
        let booked = self.order.registration().into_iter().flat_map(|r| r.booked.clone());
        for (slot, amount) in booked.filter(|(_, amount)| !amount.is_zero()) {
            let back = slot.with(slot.counter.opposite());
            let is_closed = slot.counter.undoes().is_none()
                && (kind.money.values().any(|money| money.closes.contains(&back))
                    || kind.operations.values().any(|rule| rule.adds.contains_key(&back)));
            if !is_closed {
                let text =
                    format!("{amount} was booked as {slot}, which nothing here closes again");
                self.mismatch(format!("booked:{slot}"), text);
            }
        }
    }

    pub(super) fn judge_registration(&mut self) {
        if self.order.registrations.is_empty() {
            if self.rules.policy.unregistered == Unregistered::Wait {
                let text = "the order is not registered".to_owned();
                self.early_always("registration", text, false, None);
            }
            return;
        }
        self.choose(REGISTRATION, &self.order.named_registrations());
    }

    pub(super) fn judge_account(&mut self) {
        let Some(ours) = &self.rules.policy.account else {
            return;
        };
        for other in self.order.accounts.iter().filter(|account| *account != ours) {
            let text = format!("it was said to belong to the account `{other}`, not to `{ours}`");
            self.mismatch(format!("account={other}"), text);
        }
    }

    pub(super) fn judge_currencies(&mut self, kind: Option<&KindRules>) {
        let legs = kind.map(KindRules::legs).unwrap_or_default();
        for leg in Leg::ALL {
            let mut said: BTreeSet<&Currency> = BTreeSet::new();
            said.extend(self.order.currencies.get(&leg).into_iter().flatten());
            let registered = self.order.registration().and_then(|r| r.expected.get(&leg));
            said.extend(registered.map(|expected| &expected.currency));
            if said.is_empty() && legs.contains(&leg) {
                said.extend(&self.rules.policy.currency);
            }
            let said: Vec<_> = said.into_iter().map(|c| (c.to_string(), c.clone())).collect();
            if let Some(currency) = self.choose(&format!("currency of leg {leg}"), &said) {
                self.standing.currencies.insert(leg, currency);
            }
        }
    }

    /// A counter may not exceed what it undoes. While heads contradict each other no closing
    /// applies and nothing is issued, so there is nothing to compare.
    pub(super) fn judge_position(&mut self, position: &Position) {
        if self.is_held_by(Cause::Conflict) {
            return;
        }
        for (slot, amount, undone) in position.excesses() {
            let opposite = slot.counter.opposite();
            let text = format!("{slot} came to {amount}, more than {undone} {opposite}");
            self.mismatch(excess_key(slot, amount), text);
        }
    }

    /// Money of an unknown currency cannot be booked.
    pub(super) fn judge_currency_known(&mut self, kind: Option<&KindRules>, position: &Position) {
        let since = kind.and_then(|kind| first_money(self.order, self.rules, kind));
        for leg in Leg::ALL {
            let is_said = self.rules.policy.currency.is_some()
                || self.order.currencies.contains_key(&leg)
                || self.order.registration().is_some_and(|r| r.expected.contains_key(&leg));
            let moves = position.counters.iter().any(|(s, a)| s.leg == leg && !a.is_zero());
            if moves && !is_said {
                let text = format!("nothing said yet what currency leg {leg} has");
                self.early_always(&format!("currency={leg}"), text, true, since);
            }
        }
    }
}
