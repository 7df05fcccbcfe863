//! Works out where an order stands: what its joined reports mean under the rules.
//!
//! A pure function of the order and the rules. The time is only asked for to see whether a status
//! has stood long enough for its effects to leave.

use std::collections::BTreeMap;

use super::chosen::choice_key;
use super::due::{collect_due, collect_excess, over_issued_key};
use super::heads::{Claims, DerivedHead};
use super::joined::Order;
use super::name::{Status, Track};
use super::position::{Basis, Position};
use super::rules::{KindRules, Rules};
use super::standing::{Attention, AttentionCode, Cause, Hold, Standing, conflict_key};
use super::timestamp::Timestamp;

impl Standing {
    /// Works out where an order stands.
    #[must_use]
    pub fn of(rules: &Rules, order: &Order, now: Timestamp) -> Self {
        let mut judge = Judge { rules, order, now, standing: Self::default() };
        let kind = judge.find_kind();
        judge.judge_registration();
        judge.judge_currencies(kind);
        let currencies = judge.standing.currencies.clone();
        let basis = kind.map(|kind| Basis { rules, kind, order, currencies: &currencies });
        let claims = Claims::of(rules, kind, order);
        let mut position = basis.map_or_else(Position::default, |basis| {
            Position::before_closing(basis, &claims.strong())
        });
        let derived = kind
            .and_then(|kind| position.derive_status(kind, |key| order.waived.contains_key(key)));
        let is_confirmed = order.live_operations().all(|operation| operation.confirmed);
        let derived = derived.map(|status| DerivedHead { status, is_confirmed });
        let (heads, is_settled) = claims.heads(derived.as_ref());
        judge.take_heads(heads, kind);
        judge.judge_operations(&position);
        judge.judge_waiting(kind, &position);
        if let Some(basis) = basis {
            judge.judge_unconfirmed(basis, &claims, &position);
            let known = position.counters.keys().copied().collect();
            judge.close(basis, &claims, &mut position, derived.as_ref());
            judge.judge_known(basis, &claims, &position, &known);
            judge.judge_heads(basis, &claims, &position);
            judge.judge_booked(basis.kind);
            judge.judge_remainder(basis, &position);
        }
        judge.judge_account();
        if kind.is_none_or(|kind| !kind.is_silent) {
            judge.judge_currency_known(kind, &position);
        }
        judge.judge_position(&position);
        judge.collect_unknown();
        judge.finish(kind, position, is_settled)
    }
}

/// A standing in the making.
pub(super) struct Judge<'a> {
    pub(super) rules: &'a Rules,
    pub(super) order: &'a Order,
    pub(super) now: Timestamp,
    pub(super) standing: Standing,
}

impl<'a> Judge<'a> {
    pub(super) fn hold(&mut self, hold: Hold) {
        self.standing.holds.push(hold);
    }

    pub(super) fn is_held_by(&self, cause: Cause) -> bool {
        self.standing.is_held_by(cause)
    }

    pub(super) fn is_waived(&self, key: &str) -> bool {
        self.order.waived.contains_key(key)
    }

    /// Holds everything back unless a person accepted it by the key.
    pub(super) fn mismatch(&mut self, key: String, text: String) {
        if !self.is_waived(&key) {
            let keys = vec![key];
            self.hold(Hold { cause: Cause::Mismatch, text, keys, ask: false, until: None });
        }
    }

    /// The one of several values that contradict each other: the only one, or the one that a person
    /// chose last. Holds everything back where neither is so.
    pub(super) fn choose<T: Clone>(&mut self, what: &str, values: &[(String, T)]) -> Option<T> {
        let keys: Vec<String> = values.iter().map(|(value, _)| choice_key(what, value)).collect();
        if values.len() > 1 {
            self.standing.choices.extend(keys.iter().cloned());
        }
        let chosen = self.order.chosen(what, values);
        if values.is_empty() || chosen.is_some() {
            return chosen.cloned();
        }
        let said = values.iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>().join(" and ");
        let text = format!("the {what} was said to be {said}");
        self.hold(Hold { cause: Cause::Mismatch, text, keys, ask: false, until: None });
        None
    }

    fn find_kind(&mut self) -> Option<&'a KindRules> {
        let said: Vec<_> =
            self.order.kinds.iter().map(|kind| (kind.to_string(), kind.clone())).collect();
        let chosen = self.choose("kind", &said);
        if said.len() > 1 && chosen.is_none() {
            return None;
        }
        if let Some((name, kind)) = self.rules.kind(chosen.as_ref()) {
            self.standing.kind = Some(name.clone());
            return Some(kind);
        }
        match chosen {
            Some(unknown) => {
                let text = format!("the kind `{unknown}` is not in the provider's definition");
                self.mismatch(choice_key("kind", unknown.as_str()), text);
            }
            None if self.order.claims.is_empty() && self.order.operations.is_empty() => {}
            None => {
                let text = "nothing said yet what kind of order this is".to_owned();
                self.early_always("kind", text, true, None);
            }
        }
        None
    }

    fn take_heads(&mut self, heads: BTreeMap<Track, Vec<Status>>, kind: Option<&KindRules>) {
        for (track, heads) in &heads {
            let [first, .., last] = &heads[..] else {
                if let ([head], true) = (&heads[..], track.is_payment()) {
                    self.standing.status = Some(head.clone());
                    self.standing.outcome = self.rules.machine.get(head).map(|rule| rule.outcome);
                }
                continue;
            };
            let text = if heads.len() == 2 {
                format!("`{first}` and `{last}` were both reported, and neither leads to the other")
            } else {
                let names: Vec<_> = heads.iter().map(|head| format!("`{head}`")).collect();
                format!("{} were reported, and none leads to all others", names.join(", "))
            };
            let on_track = |status: &Status| {
                self.rules.machine.get(status).is_some_and(|rule| rule.track == *track)
            };
            let moves_money = kind.is_none_or(|kind| {
                kind.money
                    .keys()
                    .any(|status| on_track(status) && kind.moves_money(&self.rules.machine, status))
            });
            if track.is_payment() || moves_money {
                self.conflict(text.clone());
            }
            self.attend(AttentionCode::Conflict, conflict_key(track, heads), text);
        }
        self.standing.heads = heads;
    }

    /// Only another report or an overrule ends a conflict: nobody can accept both sides of it.
    fn conflict(&mut self, text: String) {
        let (cause, keys) = (Cause::Conflict, Vec::new());
        self.hold(Hold { cause, text, keys, ask: true, until: None });
    }

    pub(super) fn attend(&mut self, code: AttentionCode, key: String, text: String) {
        let is_known = self.standing.attention.iter().any(|attention| attention.key == key);
        if !is_known && !self.is_waived(&key) {
            self.standing.attention.push(Attention { code, key, text });
        }
    }

    fn judge_operations(&mut self, position: &Position) {
        self.standing.waiting_operations = !position.waiting.is_empty();
        for name in &position.contradicting {
            let text = format!("{} {} was reported with two amounts", name.name, name.id);
            self.conflict(text.clone());
            let key = format!("conflict:{}={}", name.name, name.id);
            self.attend(AttentionCode::Conflict, key, text);
        }
        for name in &position.unknown_operations {
            let text = format!("the operation `{name}` is not in the provider's definition");
            self.mismatch(format!("operation={name}"), text);
        }
        for (expression, fault) in &position.faults {
            self.mismatch(format!("total={expression}"), format!("`{expression}` {fault}"));
        }
    }

    fn judge_heads(&mut self, basis: Basis<'_>, claims: &Claims<'_>, position: &Position) {
        let kind = basis.kind;
        let heads: Vec<Status> = self.standing.heads.values().flatten().cloned().collect();
        for head in &heads {
            self.judge_grace(head, claims);
            self.judge_amount(basis, head, claims, position);
            let judgement = kind.money.get(head).and_then(|money| money.judgement.as_ref());
            if let Some(judgement) = judgement.filter(|_| self.is_only_head(head)) {
                let applies = judgement.only_with.as_ref().is_none_or(|name| {
                    let of_head = claims.live.iter().filter(|claim| claim.status == *head);
                    of_head.filter_map(|c| c.amounts.get(name)).any(|amount| !amount.is_zero())
                });
                if applies {
                    let key = format!("judgement:{head}");
                    self.attend(AttentionCode::Judgement, key, judgement.text.clone());
                }
            }
        }
    }

    fn is_only_head(&self, head: &Status) -> bool {
        self.standing.heads.values().any(|heads| heads[..] == [head.clone()])
    }

    fn judge_grace(&mut self, head: &Status, claims: &Claims<'_>) {
        let Some(secs) = self.rules.policy.settle_after_secs.get(head) else {
            return;
        };
        let Some(since) = claims.since(head) else {
            return;
        };
        let until = since.plus_secs(*secs);
        if self.now < until && self.rules.machine.has_exit(head) {
            let text = format!("`{head}` must stand {secs} seconds before its effects leave");
            let (cause, until) = (Cause::Early, Some(until));
            self.hold(Hold { cause, text, keys: Vec::new(), ask: false, until });
        }
    }

    fn collect_unknown(&mut self) {
        for status in &self.order.unknown_statuses {
            // A later definition may know it.
            if self.rules.machine.find(status).is_none() {
                let text = format!("the provider's definition does not know the status `{status}`");
                let key = format!("unknown_status={status}");
                self.attend(AttentionCode::UnknownStatus, key, text);
            }
        }
        for claim in self.order.live_claims() {
            if self.rules.machine.get(&claim.status).is_none() {
                let status = &claim.status;
                let text = format!("the provider's definition no longer knows `{status}`");
                let key = format!("unknown_status={status}");
                self.attend(AttentionCode::UnknownStatus, key, text);
            }
        }
        if self.order.merged_after_issue {
            let text = "two orders of which both had issued turned out to be one".to_owned();
            self.attend(AttentionCode::Identity, "identity".to_owned(), text);
        }
    }

    fn finish(
        mut self,
        kind: Option<&KindRules>,
        position: Position,
        is_settled: bool,
    ) -> Standing {
        self.standing.position = position.counters;
        let due = kind.map(|kind| collect_due(self.order, &self.standing, kind));
        let due = due.unwrap_or(Ok(Vec::new())).unwrap_or_else(|inexact| {
            let slot = inexact.slot;
            self.mismatch(format!("{slot}=inexact"), format!("{slot} cannot be held exactly"));
            Vec::new()
        });
        if self.standing.holds.is_empty() {
            self.standing.due = due;
        }
        for hold in self.standing.holds.clone() {
            // A choice goes by the first of its keys, the hold has them all: either way it is made.
            if let (Cause::Mismatch, Some(key)) = (hold.cause, hold.keys.first()) {
                self.attend(AttentionCode::Mismatch, key.clone(), hold.text);
            }
        }
        self.judge_overdue();
        // Only where claims stopped counting can more have left than counts.
        let has_lost =
            !self.order.overruled.is_empty() || !self.order.overruled_operations.is_empty();
        if let Some(kind) = kind.filter(|kind| !kind.is_silent && (has_lost || is_settled)) {
            for (slot, excess) in collect_excess(self.order, &self.standing, kind) {
                let text = format!("{excess} more left as {slot} than counts now: make up for it");
                self.attend(AttentionCode::Mismatch, over_issued_key(slot, excess), text);
            }
        }
        let head = self.standing.status.as_ref();
        let is_final =
            head.and_then(|head| self.rules.machine.get(head)).is_some_and(|r| r.is_final);
        self.standing.is_final = is_final && !self.standing.wants_answer();
        self.standing
    }
}
