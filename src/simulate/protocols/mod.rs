//! The payment systems that are simulated, each as its documents say: which statuses its orders have, what is
//! sent about them, what is asked and answered, and what they are worth. Written down a second time, apart
//! from the definitions that the daemon reads.

pub mod azpay;
pub mod cardaq;
pub mod flypay;
pub mod mollie;
pub mod newday;
pub mod sdk_finance;
pub mod stripe;

use std::fmt;

use fastrand::Rng;
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::Sha256;

use super::Shared;
use super::money::{Amounts, Ledger};
use super::plan::Plan;
use crate::provider::secret::Secret;

/// Every protocol.
pub const ALL: [&dyn Protocol; 7] = [
    &flypay::FlyPay,
    &azpay::AzPay,
    &cardaq::Cardaq,
    &newday::NewDay,
    &sdk_finance::SdkFinance,
    &stripe::Stripe,
    &mollie::Mollie,
];

/// A protocol by the name of its definition.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Protocol> {
    ALL.into_iter().find(|protocol| protocol.name() == name)
}

/// Choices, and which part of all cases each is.
pub type Choices = &'static [(&'static str, f64)];

/// Of which statuses callbacks are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Of the last one; of those before it only by a chatty sender.
    Last,
    /// Of each.
    Each,
    /// Of the first one: the order is there, and somebody must do something.
    First,
}

/// A question that came.
#[derive(Debug)]
pub struct Heard {
    /// `GET` or `POST`.
    pub method: hyper::Method,
    /// The path.
    pub path: String,
    /// What follows the `?`, as it came.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Heard {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A parameter of the query, decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut all = form_urlencoded::parse(self.query.as_bytes());
        all.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// The body, as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What a question is about.
#[derive(Debug)]
pub enum Route {
    /// These orders, by their place among the plans.
    Orders(Vec<usize>),
    /// A list, of which this is a page.
    Page(String),
    /// A login, and this is what it brings.
    Token(String),
    /// An order that is not there.
    Missing,
    /// The credentials are no longer good.
    Expired,
    /// Not as the documents say, or not by who may ask.
    Senseless,
}

/// A payment system.
pub trait Protocol: fmt::Debug + Send + Sync {
    /// The name of its definition.
    fn name(&self) -> &'static str;

    /// The credentials that are asked with, by name: `KEY` or `API`, the peer's key and secret.
    fn credentials(&self) -> &'static [(&'static str, &'static str)];

    /// What else its source says.
    fn source(&self) -> &'static str {
        ""
    }

    /// What its source says of its feed.
    fn feed(&self) -> &'static str {
        ""
    }

    /// What part of all orders is of each kind.
    fn kinds(&self) -> Choices;

    /// What part of a kind's orders ends in each status.
    fn ends(&self, kind: &str) -> Choices;

    /// What comes before that: in one case of five a status is left out, unless it must be there.
    fn ways(&self, kind: &str, end: &str) -> &'static [(&'static str, bool)];

    /// Of which statuses callbacks are sent.
    fn tells(&self) -> Tells;

    /// In which way callbacks are signed, where that is not how its definition has them.
    fn signature_of_source(&self) -> Option<&'static str> {
        None
    }

    /// In which other ways its callbacks may be signed: what a source says as `signature`.
    fn signatures(&self) -> &'static [&'static str] {
        &["none"]
    }

    /// Whether callbacks are signed, and believed; else they are hints.
    fn is_signed(&self) -> bool {
        true
    }

    /// Whether what callbacks claim moves money only after an answer said the same: then a contradiction is
    /// settled by the answer.
    fn is_confirmed(&self) -> bool {
        false
    }

    /// Whether it can be asked; else everything is told until it is accepted.
    fn is_asked(&self) -> bool {
        true
    }

    /// Whether it lists orders that nobody registered, and of which no callback tells.
    fn lists(&self) -> bool {
        false
    }

    /// Whether it opens orders itself, for which no integrator has a name.
    fn opens_orders(&self) -> bool {
        false
    }

    /// The integrator's id of an order, and the provider's.
    fn ids(&self, seed: u64, index: usize, rng: &mut Rng) -> (String, String) {
        (format!("{seed}-{index}"), uuid::Uuid::from_u128(rng.u128(..)).to_string())
    }

    /// What an order is worth.
    fn amounts(&self, rng: &mut Rng, end: &str) -> Amounts;

    /// What the books must have come to where an order ended in a status.
    fn ledger(&self, plan: &Plan, status: &str) -> Ledger;

    /// What an integrator registers, beside source, id and kind.
    fn registration(&self, plan: &Plan) -> Value;

    /// What is sent about an order in a status: the same bytes each time.
    fn callback(&self, shared: &Shared, plan: &Plan, status: &'static str) -> String;

    /// The sort of body that this is.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// The headers by which it is known who sent it; for a forger, of another body.
    fn signature(&self, shared: &Shared, signed: &str) -> Vec<(&'static str, String)>;

    /// What a question is about.
    fn route(&self, shared: &Shared, heard: &Heard) -> Route;

    /// The answer about orders as they are now; none where nothing is known of them.
    fn answer(&self, shared: &Shared, indexes: &[usize]) -> Option<String>;

    /// The signature by which an answer is known to be the provider's own, where there is one.
    fn answer_signature(&self, _shared: &Shared, _body: &str) -> Option<String> {
        None
    }
}

/// `hash_hmac("sha256", body, secret)`: lower-case hexadecimal HMAC-SHA256.
///
/// # Panics
/// Never: HMAC takes a key of any length.
#[must_use]
pub fn sign(body: &[u8], secret: &Secret) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("any key");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// Amounts of an order of one leg, with two digits.
fn one_leg(rng: &mut Rng) -> Amounts {
    let to = Decimal::new(rng.i64(500..=90_000), 2);
    let to_fee = Decimal::new(rng.i64(0..=100), 2);
    Amounts { expected_to: to, to, to_fee, ..Amounts::default() }
}

/// What an integrator registers of an order of one leg.
fn one_amount(amount: Decimal, currency: &str) -> Value {
    json!({ "amount": amount.to_string(), "currency": currency })
}

/// A ledger of some totals and, if there is one, a hold, on the leg `to`.
fn to_ledger(totals: &[(&'static str, Decimal)], hold: Option<Decimal>) -> Ledger {
    let totals = totals.iter().filter(|(_, amount)| !amount.is_zero()).copied();
    let hold = hold.into_iter().map(|hold| ("to", hold));
    Ledger { totals: totals.collect(), hold: hold.collect() }
}

/// An amount as a bare JSON number, written as it is.
fn number(amount: Decimal) -> Value {
    serde_json::from_str(&amount.to_string()).unwrap_or_default()
}

/// The orders that are there by now, with the status of each.
fn there(shared: &Shared) -> impl Iterator<Item = (&Plan, &'static str)> {
    let now = shared.elapsed();
    let plans = shared.plans.iter().filter(|plan| !plan.is_ghost);
    plans.filter_map(move |plan| Some((plan, plan.status_at(now)?)))
}

/// Seconds since 1970 at which an order reached a status.
fn epoch_secs(shared: &Shared, plan: &Plan, status: &str) -> i64 {
    shared.at(plan.reaches(status)).micros() / 1_000_000
}
