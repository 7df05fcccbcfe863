//! What a run came to.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

/// How many findings are told in words.
const TOLD_MAX: usize = 20;

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Callbacks that were sent.
    pub sent: u64,
    /// Of those, how many were answered 2xx.
    pub accepted: u64,
    /// Of those, how many were answered otherwise, by status; 0 is no answer at all.
    pub refused: BTreeMap<u16, u64>,
    /// What all reports turned out to be.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Orders that the daemon knows.
    pub orders: u64,
    /// Of those, how many are final.
    pub finals: u64,
    /// Of those, how many wait for a person.
    pub attention: u64,
    /// Questions that the provider was asked.
    pub asked: u64,
    /// Orders whose final status an answer had, and no callback.
    pub found_by_polling: u64,
    /// Orders of whose final status no callback was ever answered 2xx.
    pub missed: u64,
    /// Callbacks that were answered 2xx and are nowhere.
    pub lost: u64,
    /// Counters that were issued above the ledger.
    pub doubled: u64,
    /// Moves of an order to a status that is not forward-valid from the one before.
    pub backwards: u64,
    /// Orders that came to something else than the ledger.
    pub diverged: u64,
    /// Callbacks of somebody else that were accepted, questions that made no sense, and orders that could not
    /// be registered.
    pub trespasses: u64,
    /// Questions that came although the provider had said to come later.
    pub asked_too_early: u64,
    /// Notices that the integrator was told, by both sinks.
    pub told: u64,
    /// Of those, how many it did not take at once.
    pub untaken: u64,
    /// Of those, how many it had on its books already.
    pub told_again: u64,
    /// By how much the integrator's books differ from the providers', by currency.
    pub ledger_difference: BTreeMap<String, Decimal>,
    /// The first of what is wrong, in words.
    pub findings: Vec<String>,
}

impl Outcome {
    /// Whether every promise was held.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.lost == 0
            && self.doubled == 0
            && self.backwards == 0
            && self.diverged == 0
            && self.trespasses == 0
            && self.asked_too_early == 0
            && self.found_by_polling == self.missed
            && self.ledger_difference.values().all(Decimal::is_zero)
    }

    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.orders += other.orders;
        self.finals += other.finals;
        self.attention += other.attention;
        self.asked += other.asked;
        self.found_by_polling += other.found_by_polling;
        self.missed += other.missed;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.backwards += other.backwards;
        self.diverged += other.diverged;
        self.trespasses += other.trespasses;
        self.asked_too_early += other.asked_too_early;
        self.told += other.told;
        self.untaken += other.untaken;
        self.told_again += other.told_again;
        for (currency, difference) in other.ledger_difference {
            *self.ledger_difference.entry(currency).or_default() += difference;
        }
        self.findings.extend(other.findings);
        self.findings.truncate(TOLD_MAX);
    }

    pub(super) fn find(&mut self, what: String) {
        if self.findings.len() < TOLD_MAX {
            self.findings.push(what);
        }
    }
}
