//! What an order waits for, and since when. What takes longer than the source allows is told to a person.
//!
//! Since when is worked out from the joined reports, never from when we looked: the same reports in
//! another order wait since the same time. What ends by itself at a known time (grace) is no wait.

use super::joined::{Claim, Order};
use super::judge::Judge;
use super::name::Status;
use super::position::Position;
use super::report::OperationName;
use super::rules::{KindRules, Rules};
use super::standing::{AttentionCode, Cause, Hold, Wait};
use super::timestamp::Timestamp;

impl Judge<'_> {
    /// Holds everything back until the provider says more, or a person lifts it by the key.
    pub(super) fn early(&mut self, key: String, text: String, since: Option<Timestamp>) {
        if self.is_waived(&key) {
            return;
        }
        self.wait(&key, &text, since);
        if !self.standing.holds.iter().any(|hold| hold.keys == [key.as_str()]) {
            let keys = vec![key];
            self.hold(Hold { cause: Cause::Early, text, keys, ask: true, until: None });
        }
    }

    /// Holds everything back until somebody says more: nobody can do without it. `ask` where the
    /// provider may say it.
    pub(super) fn early_always(
        &mut self,
        what: &str,
        text: String,
        ask: bool,
        since: Option<Timestamp>,
    ) {
        self.wait(what, &text, since);
        let (cause, keys) = (Cause::Early, Vec::new());
        self.hold(Hold { cause, text, keys, ask, until: None });
    }

    /// Takes note that something is waited for. Where nothing tells since when, it is as long as anything
    /// is claimed at all.
    pub(super) fn wait(&mut self, key: &str, text: &str, since: Option<Timestamp>) {
        let Some(since) = since.or_else(|| first_heard(self.order)) else { return };
        let waits = &mut self.standing.waits;
        match waits.iter_mut().find(|wait| wait.key == key) {
            Some(known) => known.since = known.since.min(since),
            None => waits.push(Wait { key: key.to_owned(), text: text.to_owned(), since }),
        }
    }

    /// Operations that do not count yet. They hold nothing else back, and are waited for all the same.
    pub(super) fn judge_waiting(&mut self, kind: Option<&KindRules>, position: &Position) {
        for name in &position.waiting {
            let text = format!("{} {} {}", name.name, name.id, why(kind, name, position));
            let since = self.order.live_operations().filter(|operation| operation.name == *name);
            let since = since.filter_map(|operation| operation.since).min();
            self.wait(&format!("operation={}:{}", name.name, name.id), &text, since);
        }
    }

    /// Tells a person of what is waited for too long, and when the next of it will be.
    pub(super) fn judge_overdue(&mut self) {
        let Some(secs) = self.rules.policy.early_secs else { return };
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("wait_for_ever") {
            return;
        }
        for wait in self.standing.waits.clone() {
            let key = overdue_key(&wait.key);
            let overdue_at = wait.since.plus_secs(secs);
            if overdue_at <= self.now {
                let text = format!(
                    "waiting since {}, for longer than {secs} seconds: {}",
                    wait.since, wait.text
                );
                self.attend(AttentionCode::EarlyOverdue, key, text);
            } else if !self.is_waived(&key) {
                let next = self.standing.overdue_at.map_or(overdue_at, |next| next.min(overdue_at));
                self.standing.overdue_at = Some(next);
            }
        }
    }
}

/// The key by which a person dismisses that something is waited for too long. To dismiss it lifts no hold.
fn overdue_key(key: &str) -> String {
    format!("early_overdue:{key}")
}

/// What is waited for too long, by the key of that.
pub(super) fn overdue_of(key: &str) -> Option<&str> {
    key.strip_prefix("early_overdue:")
}

/// What an operation waits for.
fn why(kind: Option<&KindRules>, name: &OperationName, position: &Position) -> String {
    let requires = kind.and_then(|kind| kind.operations.get(&name.name)).map(|rule| &rule.requires);
    let missing = |slot| position.counter(slot).is_none();
    match requires.into_iter().flatten().find(|slot| missing(**slot)) {
        Some(slot) => format!("requires {slot}, which is not known"),
        None => "waits for its amount, or for the provider's own answer".to_owned(),
    }
}

/// When anything was first claimed of what counts.
fn first_heard(order: &Order) -> Option<Timestamp> {
    let claims = order.live_claims().map(Claim::heard_at);
    claims.chain(order.live_operations().filter_map(|operation| operation.since)).min()
}

/// When money was first claimed of what counts.
pub(super) fn first_money(order: &Order, rules: &Rules, kind: &KindRules) -> Option<Timestamp> {
    let moves = |claim: &&Claim| kind.moves_money(&rules.machine, &claim.status);
    let claims = order.live_claims().filter(moves).map(Claim::heard_at);
    claims.chain(order.live_operations().filter_map(|operation| operation.since)).min()
}

/// When a status was first claimed, of these claims.
pub(super) fn first_claimed(claims: &[&Claim], status: &Status) -> Option<Timestamp> {
    claims.iter().filter(|claim| claim.status == *status).map(|claim| claim.heard_at()).min()
}
