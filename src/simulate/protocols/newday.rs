//! What an integrator tells of NewDay's answers
//! (<https://docs.newdaytechnology.co.uk/reference/order-processing>): it pushes each, as a signed callback, until that
//! is accepted. Nobody can be asked.

use fastrand::Rng;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Choices, Heard, Protocol, Route, Tells, number, one_amount, one_leg, sign, to_ledger};
use crate::simulate::Shared;
use crate::simulate::money::{Amounts, Ledger};
use crate::simulate::plan::Plan;

/// NewDay.
#[derive(Debug)]
pub struct NewDay;

impl Protocol for NewDay {
    fn name(&self) -> &'static str {
        "newday"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn signature_of_source(&self) -> Option<&'static str> {
        Some("hmac")
    }

    fn signatures(&self) -> &'static [&'static str] {
        &[]
    }

    fn kinds(&self) -> Choices {
        &[("credit", 1.0)]
    }

    fn ends(&self, _kind: &str) -> Choices {
        &[("settled", 0.5), ("refunded", 0.2), ("reversed", 0.2), ("declined", 0.1)]
    }

    fn ways(&self, _kind: &str, end: &str) -> &'static [(&'static str, bool)] {
        match end {
            "declined" => &[("initiated", true)],
            "reversed" => &[("authorised", true)],
            "refunded" => &[("authorised", true), ("partially_reversed", false), ("settled", true)],
            _ => &[("authorised", true), ("partially_reversed", false)],
        }
    }

    fn tells(&self) -> Tells {
        Tells::Each
    }

    fn is_asked(&self) -> bool {
        false
    }

    fn amounts(&self, rng: &mut Rng, _end: &str) -> Amounts {
        one_leg(rng)
    }

    fn ledger(&self, plan: &Plan, status: &str) -> Ledger {
        let (held, settled) = (plan.amounts.to, plan.amounts.to - reversed(plan));
        match status {
            "settled" => to_ledger(&[("to.debited", settled)], Some(held)),
            "refunded" => {
                to_ledger(&[("to.debited", settled), ("to.debit_reversed", settled)], Some(held))
            }
            "reversed" => to_ledger(&[], Some(held)),
            _ => Ledger::default(),
        }
    }

    fn registration(&self, plan: &Plan) -> Value {
        one_amount(plan.amounts.to, "GBP")
    }

    fn callback(&self, shared: &Shared, plan: &Plan, status: &'static str) -> String {
        let (held, id) = (plan.amounts.to, &plan.uuid);
        let rest = held - reversed(plan);
        let amount = |value: Decimal| json!({ "value": number(value), "currencyCode": "GBP" });
        let mut told = match status {
            "initiated" => {
                json!({ "operation": "INITIATE", "orderReference": plan.order_id, "scaStatus": "Exempt" })
            }
            "declined" => json!({
                "operation": "AUTHORISE", "orderReference": plan.order_id, "result": "Declined",
                "declineReason": "Declined (Please speak to your credit issuer)", "amount": amount(held),
            }),
            "authorised" => json!({
                "operation": "AUTHORISE", "orderReference": plan.order_id, "authorisationId": id,
                "result": "Authorised", "amount": amount(held),
            }),
            "partially_reversed" => json!({
                "operation": "REVERSE", "authorisationId": id, "authorisationReversalId": format!("r-{id}"),
                "amount": amount(reversed(plan)), "remainingFloat": amount(rest),
            }),
            "reversed" => json!({
                "operation": "REVERSE", "authorisationId": id, "authorisationReversalId": format!("r-{id}"),
                "amount": amount(held), "remainingFloat": amount(Decimal::ZERO),
            }),
            "settled" => json!({
                "operation": "SETTLE", "authorisationId": id, "transactionId": format!("t-{id}"), "amount": amount(rest),
            }),
            // It names the transaction alone.
            _ => json!({
                "operation": "REFUND", "transactionId": format!("t-{id}"), "refundTransactionId": format!("f-{id}"),
                "amount": amount(rest),
            }),
        };
        told["event_id"] = json!(format!("{id}-{status}"));
        told["occurredAt"] = json!(shared.at(plan.reaches(status)).to_string());
        told.to_string()
    }

    fn signature(&self, shared: &Shared, signed: &str) -> Vec<(&'static str, String)> {
        vec![("x-signature", sign(signed.as_bytes(), &shared.peer.callback_secret))]
    }

    fn route(&self, _shared: &Shared, _heard: &Heard) -> Route {
        Route::Senseless
    }

    fn answer(&self, _shared: &Shared, _indexes: &[usize]) -> Option<String> {
        None
    }
}

/// What is reversed before the rest is settled: a fifth.
fn reversed(plan: &Plan) -> Decimal {
    let has_part = plan.steps.iter().any(|(_, status)| *status == "partially_reversed");
    let part = Decimal::new(2, 1);
    if has_part { (plan.amounts.to * part).round_dp(2) } else { Decimal::ZERO }
}
