//! What an order is worth: FlyPay's amounts, and what each final status does to the integrator's books.
//! Written by hand from the documents, apart from the definition that the daemon reads: the two are held
//! against each other.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

/// An order's amounts, as FlyPay names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// What is meant to come in.
    pub expected_from: Decimal,
    /// What came in.
    pub from: Decimal,
    /// What FlyPay keeps of it.
    pub from_fee: Decimal,
    /// What is meant to go out.
    pub expected_to: Decimal,
    /// What went out.
    pub to: Decimal,
    /// What FlyPay takes for it.
    pub to_fee: Decimal,
}

/// A counter of a leg, as text: `to.debited`.
pub type Counter = &'static str;

/// What the books must have come to at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Counters that have one right total.
    pub totals: BTreeMap<Counter, Decimal>,
    /// What may be held on each leg, if the daemon saw a status at which it was.
    pub hold: BTreeMap<&'static str, Decimal>,
}

/// What a kind's final status does to the books: deposits net of the fee, withdrawals and exchanges with
/// a hold, which are the modes that a source has unless it chooses.
#[must_use]
pub fn ledger(kind: &str, status: &str, amounts: &Amounts) -> Ledger {
    let is_done = matches!(status, "completed" | "completed_partially");
    let mut ledger = Ledger::default();
    let mut total = |counter: Counter, amount: Decimal| {
        if !amount.is_zero() {
            ledger.totals.insert(counter, amount);
        }
    };
    match kind {
        "deposit" if status == "completed" => {
            total("from.credited", amounts.from - amounts.from_fee);
        }
        "deposit_exchange" if is_done => total("to.credited", amounts.to),
        "exchange" if is_done => {
            total("from.debited", amounts.from);
            total("to.credited", amounts.to);
        }
        "exchange_withdraw" if is_done => total("from.debited", amounts.from),
        "withdraw" if is_done => total("to.debited", amounts.to + amounts.to_fee),
        _ => {}
    }
    match kind {
        "exchange" | "exchange_withdraw" => {
            ledger.hold.insert("from", amounts.expected_from);
        }
        "withdraw" => {
            ledger.hold.insert("to", amounts.expected_to + amounts.to_fee);
        }
        _ => {}
    }
    ledger
}
