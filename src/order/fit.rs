//! What must fit together before money moves: amounts, currencies, the account, the registration.

use std::collections::BTreeSet;

use super::amount::Currency;
use super::chosen::REGISTRATION;
use super::heads::Claims;
use super::judge::Judge;
use super::name::Status;
use super::position::{Position, total};
use super::rules::{AmountPolicy, KindRules, Unregistered};
use super::slot::{Leg, Slot};
use super::standing::{Cause, Hold};

impl Judge<'_> {
    pub(super) fn judge_amount(
        &mut self,
        kind: &KindRules,
        head: &Status,
        claims: &Claims<'_>,
        position: &Position,
    ) {
        let is_success = self.rules.machine.get(head).is_some_and(|rule| rule.outcome.is_success());
        let Some(kind_name) = self.standing.kind.clone().filter(|_| is_success) else {
            return;
        };
        let policy = self.rules.amount_policy(&kind_name, head);
        if policy == AmountPolicy::Any {
            return;
        }
        for (leg, expression) in &kind.judged {
            let expected = self.order.registrations.iter().filter_map(|r| r.expected.get(leg));
            let Some(expected) = expected.map(|expected| expected.amount).max() else {
                continue;
            };
            let actual = if kind.operations.is_empty() {
                let of_head = claims.live.iter().filter(|claim| claim.status == *head);
                of_head.filter_map(|claim| total(expression, claim).ok().flatten()).max()
            } else {
                let counter =
                    |name: &str| name.parse().ok().and_then(|slot: Slot| position.counter(slot));
                expression.amount(&counter).ok().flatten()
            };
            let Some(actual) = actual else { continue };
            let tolerance = self.rules.policy.tolerance;
            let is_over = actual.above(expected).is_none_or(|over| over > tolerance);
            let is_under = expected.above(actual).is_none_or(|under| under > tolerance);
            let (is_wrong, word) = match policy {
                AmountPolicy::Exact => (is_over || is_under, "exactly"),
                AmountPolicy::AtMost => (is_over, "at most"),
                AmountPolicy::Any => (false, ""),
            };
            if is_wrong {
                let text = format!("{actual} moved on leg {leg}, registered was {word} {expected}");
                self.mismatch(format!("amount:{leg}={actual}"), text);
            }
        }
    }

    pub(super) fn judge_registration(&mut self) {
        if self.order.registrations.is_empty() {
            if self.rules.policy.unregistered == Unregistered::Wait {
                let text = "the order is not registered".to_owned();
                let cause = Cause::Early;
                self.hold(Hold { cause, text, keys: Vec::new(), ask: false, until: None });
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

    pub(super) fn judge_currencies(&mut self) {
        for leg in Leg::ALL {
            let mut said: BTreeSet<&Currency> = BTreeSet::new();
            said.extend(self.order.currencies.get(&leg).into_iter().flatten());
            let registered = self.order.registration().and_then(|r| r.expected.get(&leg));
            said.extend(registered.map(|expected| &expected.currency));
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
            self.mismatch(format!("{slot}={amount}"), text);
        }
    }

    /// Money of an unknown currency cannot be booked.
    pub(super) fn judge_currency_known(&mut self, position: &Position) {
        for leg in Leg::ALL {
            let is_said = self.order.currencies.contains_key(&leg)
                || self.order.registration().is_some_and(|r| r.expected.contains_key(&leg));
            let moves = position.counters.iter().any(|(s, a)| s.leg == leg && !a.is_zero());
            if moves && !is_said {
                self.early(None, format!("nothing said yet what currency leg {leg} has"));
            }
        }
    }
}
