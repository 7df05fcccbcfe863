//! An integrator's books: what it was told, each identity once. This is all that a consumer has to do.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::Deserialize;
use uuid::Uuid;

use crate::order::amount::Amount;

/// What came of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// It is on the books now.
    New,
    /// It was.
    Again,
    /// It moves no money.
    Nothing,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Books {
    seen: BTreeSet<Uuid>,
    /// What each order's counters came to, by leg and counter, in a currency.
    orders: BTreeMap<Uuid, BTreeMap<String, (Decimal, String)>>,
    /// The last notice that was seen of each order.
    last: BTreeMap<Uuid, String>,
    /// How many were told again after they were on the books.
    pub again: u64,
    /// Notices that came before one that comes before them.
    pub disordered: u64,
}

/// What is read of a notice.
#[derive(Debug, Deserialize)]
struct Notice {
    id: Uuid,
    sequence: String,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    order_key: Uuid,
    leg: Option<String>,
    counter: Option<String>,
    amount: Option<Amount>,
    currency: Option<String>,
}

impl Books {
    /// Takes a notice.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn take(&mut self, body: &[u8]) -> serde_json::Result<Booked> {
        let Notice { id, sequence, data } = serde_json::from_slice(body)?;
        if !self.seen.insert(id) {
            self.again += 1;
            return Ok(Booked::Again);
        }
        let last = self.last.entry(data.order_key).or_default();
        if sequence <= *last {
            self.disordered += 1;
        }
        *last = sequence;
        let (Some(leg), Some(counter), Some(amount), Some(currency)) =
            (data.leg, data.counter, data.amount, data.currency)
        else {
            return Ok(Booked::Nothing);
        };
        let counters = self.orders.entry(data.order_key).or_default();
        let booked =
            counters.entry(format!("{leg}.{counter}")).or_insert((Decimal::ZERO, currency));
        booked.0 += amount.decimal();
        Ok(Booked::New)
    }

    /// What the counters of some orders came to, together.
    #[must_use]
    pub fn of(&self, keys: &[Uuid]) -> BTreeMap<String, Decimal> {
        let mut counters = BTreeMap::new();
        for (counter, (amount, _)) in keys.iter().filter_map(|key| self.orders.get(key)).flatten() {
            *counters.entry(counter.clone()).or_default() += *amount;
        }
        counters
    }

    /// The balance of each currency over some orders: what came in, less what went out.
    #[must_use]
    pub fn balances(&self, keys: &[Uuid]) -> BTreeMap<String, Decimal> {
        let mut balances = BTreeMap::new();
        for (counter, (amount, currency)) in
            keys.iter().filter_map(|key| self.orders.get(key)).flatten()
        {
            *balances.entry(currency.clone()).or_default() += signed(counter, *amount);
        }
        balances
    }
}

/// What a counter's rise does to the balance of its currency. What is set aside moves nothing.
#[must_use]
pub fn signed(counter: &str, amount: Decimal) -> Decimal {
    match counter.rsplit('.').next() {
        Some("credited" | "debit_reversed") => amount,
        Some("debited" | "credit_reversed") => -amount,
        _ => Decimal::ZERO,
    }
}
