//! What Mollie says (<https://docs.mollie.com/reference/webhooks>): a form with an id, unsigned, whenever a
//! payment has news; what the news is must be asked for.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Choices, Heard, Protocol, Route, Tells, one_amount, one_leg, to_ledger};
use crate::simulate::Shared;
use crate::simulate::money::{Amounts, Ledger};
use crate::simulate::plan::Plan;

/// Mollie.
#[derive(Debug)]
pub struct Mollie;

impl Protocol for Mollie {
    fn name(&self) -> &'static str {
        "mollie"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_key", "KEY")]
    }

    fn signatures(&self) -> &'static [&'static str] {
        &[]
    }

    fn kinds(&self) -> Choices {
        &[("payment", 1.0)]
    }

    fn ends(&self, _kind: &str) -> Choices {
        &[("paid", 0.7), ("expired", 0.1), ("canceled", 0.1), ("failed", 0.1)]
    }

    fn ways(&self, _kind: &str, _end: &str) -> &'static [(&'static str, bool)] {
        &[("open", true), ("pending", false)]
    }

    fn tells(&self) -> Tells {
        Tells::Each
    }

    fn is_signed(&self) -> bool {
        false
    }

    fn ids(&self, seed: u64, index: usize, rng: &mut Rng) -> (String, String) {
        (format!("{seed}-{index}"), format!("tr_{:022x}", rng.u128(..) >> 40))
    }

    fn amounts(&self, rng: &mut Rng, _end: &str) -> Amounts {
        one_leg(rng)
    }

    fn ledger(&self, plan: &Plan, status: &str) -> Ledger {
        match status {
            "paid" => to_ledger(&[("to.credited", plan.amounts.to)], None),
            _ => Ledger::default(),
        }
    }

    fn registration(&self, plan: &Plan) -> Value {
        let mut told = one_amount(plan.amounts.to, "EUR");
        told["provider_id"] = json!(plan.uuid);
        told
    }

    fn callback(&self, _shared: &Shared, plan: &Plan, _status: &'static str) -> String {
        format!("id={}", plan.uuid)
    }

    fn content_type(&self) -> &'static str {
        "application/x-www-form-urlencoded"
    }

    fn signature(&self, _shared: &Shared, _signed: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn route(&self, shared: &Shared, heard: &Heard) -> Route {
        let id = heard.path.strip_prefix("/v2/payments/");
        if heard.header("authorization") != format!("Bearer {}", shared.peer.api_key.expose()) {
            return Route::Senseless;
        }
        match id.map(|id| shared.index(id)) {
            Some(Some(index)) => Route::Orders(vec![index]),
            Some(None) => Route::Missing,
            None => Route::Senseless,
        }
    }

    fn answer(&self, shared: &Shared, indexes: &[usize]) -> Option<String> {
        let (plan, status) = shared.now(*indexes.first()?)?;
        let amount = |value: String| json!({ "value": value, "currency": "EUR" });
        let payment = json!({
            "resource": "payment",
            "id": plan.uuid,
            "status": status,
            "amount": amount(plan.amounts.to.to_string()),
            "amountRefunded": amount("0.00".to_owned()),
            "metadata": { "order_id": plan.order_id },
        });
        Some(payment.to_string())
    }
}
