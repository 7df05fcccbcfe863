//! What FlyPay says, as its documents show it (<https://fly-pay.io/docs/methods/orderStatus>): the order
//! object, the envelope of a status answer, and the signature over both.

use fastrand::Rng;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Choices, Heard, Protocol, Route, Tells, sign};
use crate::simulate::Shared;
use crate::simulate::money::{Amounts, Ledger, ledger};
use crate::simulate::plan::Plan;

/// FlyPay.
#[derive(Debug)]
pub struct FlyPay;

const KINDS: Choices = &[
    ("withdraw", 0.4),
    ("deposit", 0.2),
    ("exchange", 0.15),
    ("deposit_exchange", 0.1),
    ("exchange_withdraw", 0.1),
    ("deposit_exchange_withdraw", 0.05),
];

const ENDS: Choices =
    &[("completed", 0.75), ("canceled", 0.1), ("error", 0.1), ("completed_partially", 0.05)];

impl Protocol for FlyPay {
    fn name(&self) -> &'static str {
        "flypay"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_key", "KEY"), ("secret", "API")]
    }

    fn kinds(&self) -> Choices {
        KINDS
    }

    fn ends(&self, _kind: &str) -> Choices {
        ENDS
    }

    fn ways(&self, _kind: &str, _end: &str) -> &'static [(&'static str, bool)] {
        &[("new", true), ("processing", false)]
    }

    fn tells(&self) -> Tells {
        Tells::Last
    }

    fn amounts(&self, rng: &mut Rng, end: &str) -> Amounts {
        let mut decimal = |least: i64, most: i64, scale| Decimal::new(rng.i64(least..=most), scale);
        let (expected_from, from_fee) = (decimal(500, 90_000, 2), decimal(0, 100, 2));
        let (expected_to, to_fee) = (decimal(100_000, 900_000_000, 8), decimal(0, 99_999, 8));
        let part = match end {
            "completed_partially" => decimal(1, 9, 1),
            _ => Decimal::ONE,
        };
        Amounts {
            expected_from,
            from: (expected_from * part).round_dp(2),
            from_fee,
            expected_to,
            to: (expected_to * part).round_dp(8),
            to_fee,
        }
    }

    fn ledger(&self, plan: &Plan, status: &str) -> Ledger {
        ledger(plan.kind, status, &plan.amounts)
    }

    fn registration(&self, plan: &Plan) -> Value {
        let leg = |amount: Decimal, currency: &str| json!({ "amount": amount.to_string(), "currency": currency });
        let amounts = &plan.amounts;
        let (from, to) = (leg(amounts.expected_from, "USDT"), leg(amounts.expected_to, "BTC"));
        let legs = match plan.kind {
            "deposit" => json!({ "from": from }),
            "withdraw" => json!({ "to": to }),
            _ => json!({ "from": from, "to": to }),
        };
        json!({ "legs": legs })
    }

    fn callback(&self, shared: &Shared, plan: &Plan, status: &'static str) -> String {
        order(shared, plan, status)
    }

    fn signature(&self, shared: &Shared, signed: &str) -> Vec<(&'static str, String)> {
        vec![("signature", sign(signed.as_bytes(), &shared.peer.callback_secret))]
    }

    fn route(&self, shared: &Shared, heard: &Heard) -> Route {
        let is_ours = heard.method == hyper::Method::POST
            && heard.path == "/v2/order/status"
            && heard.header("api-key") == shared.peer.api_key.expose()
            && heard.header("signature") == sign(&heard.body, &shared.peer.api_secret);
        let question = heard.json();
        let id = question["order_uuid"].as_str().or(question["order_id"].as_str());
        match id.and_then(|id| shared.index(id)) {
            Some(index) if is_ours => Route::Orders(vec![index]),
            Some(_) | None => Route::Senseless,
        }
    }

    fn answer(&self, shared: &Shared, indexes: &[usize]) -> Option<String> {
        let (plan, status) = shared.now(*indexes.first()?)?;
        Some(envelope(&order(shared, plan, status)))
    }

    fn answer_signature(&self, shared: &Shared, body: &str) -> Option<String> {
        Some(sign(body.as_bytes(), &shared.peer.api_secret))
    }
}

/// The order object in a status: the same bytes each time, as a sender that repeats itself has them.
fn order(shared: &Shared, plan: &Plan, status: &str) -> String {
    let has_from = plan.kind != "withdraw";
    let has_to = plan.kind != "deposit";
    let is_done = matches!(status, "completed" | "completed_partially");
    let is_final = !matches!(status, "new" | "processing");
    let amount = |is_there: bool, amount: Decimal| {
        if is_there { json!(amount.to_string()) } else { Value::Null }
    };
    let text = |is_there: bool, text: &str| if is_there { json!(text) } else { Value::Null };
    let amounts = &plan.amounts;
    let updated_at = when(shared, plan, status);
    json!({
        "order_uuid": plan.uuid,
        "order_type": plan.kind,
        "user_order_id": plan.order_id,
        "description": null,
        "expected_amount_from": amount(has_from, amounts.expected_from),
        "amount_from": amount(has_from && is_done, amounts.from),
        "amount_from_fee": amount(has_from && is_done, amounts.from_fee),
        "currency_from": text(has_from, "usdt"),
        "expected_amount_to": amount(has_to, amounts.expected_to),
        "amount_to": amount(has_to && is_done, amounts.to),
        "amount_to_fee": amount(has_to, amounts.to_fee),
        "currency_to": text(has_to, "btc"),
        "client_info": { "client_id": format!("client-{}", plan.order_id) },
        "status": status,
        "error_code": 0,
        "error_message": "",
        "created_at": when(shared, plan, "new"),
        "updated_at": updated_at,
        "finalized_at": text(is_final, &updated_at),
        "currency_from_precision": 2,
        "currency_to_precision": 8,
    })
    .to_string()
}

/// `Y-m-d H:i:s`, in UTC.
fn when(shared: &Shared, plan: &Plan, status: &str) -> String {
    let at = shared.at(plan.reaches(status)).to_string();
    at[..19].replace('T', " ")
}

/// The envelope of a status answer.
fn envelope(order: &str) -> String {
    format!("{{\"status\":\"success\",\"data\":{order}}}")
}
