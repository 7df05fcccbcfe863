//! What Cardaq Gate says (<https://docs.cardaq.co.uk/Payments/general-payment-flow>): the order with the event's
//! name beside it, times in seconds, and failures that are no end.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    Choices, Heard, Protocol, Route, Tells, epoch_secs, number, one_amount, one_leg, sign, there,
    to_ledger,
};
use crate::simulate::Shared;
use crate::simulate::money::{Amounts, Ledger};
use crate::simulate::plan::Plan;

/// Cardaq Gate.
#[derive(Debug)]
pub struct Cardaq;

impl Protocol for Cardaq {
    fn name(&self) -> &'static str {
        "cardaq"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("secret_key", "KEY")]
    }

    fn signature_of_source(&self) -> Option<&'static str> {
        Some("hmac")
    }

    fn is_confirmed(&self) -> bool {
        true
    }

    fn kinds(&self) -> Choices {
        &[("order", 0.7), ("payout", 0.3)]
    }

    fn ends(&self, kind: &str) -> Choices {
        match kind {
            "payout" => &[("paid", 0.8), ("cancelled", 0.2)],
            _ => &[("paid", 0.7), ("expired", 0.15), ("cancelled", 0.15)],
        }
    }

    fn ways(&self, kind: &str, _end: &str) -> &'static [(&'static str, bool)] {
        match kind {
            "payout" => &[("created", true), ("in_progress", false)],
            _ => &[("issued", true), ("viewed", false), ("in_progress", false), ("failed", false)],
        }
    }

    fn tells(&self) -> Tells {
        Tells::Each
    }

    fn amounts(&self, rng: &mut Rng, _end: &str) -> Amounts {
        one_leg(rng)
    }

    fn ledger(&self, plan: &Plan, status: &str) -> Ledger {
        let total = plan.amounts.to;
        match (plan.kind, status) {
            ("payout", "paid") => to_ledger(&[("to.debited", total)], Some(total)),
            ("payout", _) => to_ledger(&[], Some(total)),
            (_, "paid") => to_ledger(&[("to.credited", total)], None),
            _ => Ledger::default(),
        }
    }

    fn registration(&self, plan: &Plan) -> Value {
        let mut told = one_amount(plan.amounts.to, "EUR");
        // It is asked by its own id, which the integrator has from the answer that made the order.
        told["provider_id"] = json!(plan.uuid);
        told
    }

    fn callback(&self, shared: &Shared, plan: &Plan, status: &'static str) -> String {
        let name = match status {
            "issued" => Some("order.issued"),
            "viewed" => Some(" order.invoice_viewed"),
            "paid" => Some("order.payment_success"),
            "failed" => Some("order.payment_failure"),
            "expired" => Some("order.expired"),
            "cancelled" => Some("order.canceled"),
            _ => None,
        };
        let mut order = order(shared, plan, status);
        if let Some(name) = name {
            order["event_type"] = json!(name);
        }
        order.to_string()
    }

    fn signature(&self, shared: &Shared, signed: &str) -> Vec<(&'static str, String)> {
        vec![("x-webhook-signature", sign(signed.as_bytes(), &shared.peer.callback_secret))]
    }

    fn route(&self, shared: &Shared, heard: &Heard) -> Route {
        if heard.header("authorization") != format!("Bearer {}", shared.peer.api_key.expose()) {
            return Route::Senseless;
        }
        if heard.path == "/orders/" {
            let all: Vec<Value> =
                there(shared).map(|(plan, status)| order(shared, plan, status)).collect();
            return Route::Page(
                json!({ "next": null, "previous": null, "results": all }).to_string(),
            );
        }
        let id = heard.path.strip_prefix("/orders/").and_then(|rest| rest.strip_suffix('/'));
        let is_full = heard.parameter("response_type").as_deref() == Some("full");
        match id.filter(|_| is_full).map(|id| shared.index(id)) {
            Some(Some(index)) => Route::Orders(vec![index]),
            Some(None) => Route::Missing,
            None => Route::Senseless,
        }
    }

    fn answer(&self, shared: &Shared, indexes: &[usize]) -> Option<String> {
        let (plan, status) = shared.now(*indexes.first()?)?;
        let mut order = order(shared, plan, status);
        // Clients that are generated make a list of a choice.
        order["status"] = json!([status]);
        Some(order.to_string())
    }
}

fn order(shared: &Shared, plan: &Plan, status: &str) -> Value {
    json!({
        "id": plan.uuid,
        "number": plan.order_id,
        "type": if plan.kind == "payout" { "payout" } else { "order" },
        "status": status,
        "currency": "EUR",
        "total": number(plan.amounts.to),
        "amount_refunded": 0,
        "is_test": false,
        "skip_capture": false,
        "modified": epoch_secs(shared, plan, status),
    })
}
