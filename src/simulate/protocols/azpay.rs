//! What AzPay says, as far as its documents tell (<https://docs.azipay.rest/docs/working-with-orders>): signed
//! notifications of each status, a list of the latest updated orders, and orders of its own, which no
//! integrator has made.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Choices, Heard, Protocol, Route, Tells, one_amount, one_leg, sign, to_ledger};
use crate::simulate::Shared;
use crate::simulate::money::{Amounts, Ledger};
use crate::simulate::plan::Plan;

/// AzPay.
#[derive(Debug)]
pub struct AzPay;

/// How many items a page of the list has.
const PAGE: usize = 100;

impl Protocol for AzPay {
    fn name(&self) -> &'static str {
        "azpay"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("login", "KEY"), ("password", "API")]
    }

    fn signatures(&self) -> &'static [&'static str] {
        &["body", "none"]
    }

    fn feed(&self) -> &'static str {
        "every_secs = 1\n"
    }

    fn kinds(&self) -> Choices {
        &[("cash_in", 0.6), ("cash_out", 0.4)]
    }

    fn ends(&self, _kind: &str) -> Choices {
        &[("completed", 0.75), ("failed", 0.1), ("expired", 0.1), ("cancelled", 0.05)]
    }

    fn ways(&self, _kind: &str, end: &str) -> &'static [(&'static str, bool)] {
        match end {
            // Who pays in time is no longer waited for.
            "expired" => &[("created", true), ("waiting_payment", false)],
            _ => &[("created", true), ("waiting_payment", false), ("processing", false)],
        }
    }

    fn tells(&self) -> Tells {
        Tells::Each
    }

    fn opens_orders(&self) -> bool {
        true
    }

    fn lists(&self) -> bool {
        true
    }

    fn amounts(&self, rng: &mut Rng, _end: &str) -> Amounts {
        one_leg(rng)
    }

    fn ledger(&self, plan: &Plan, status: &str) -> Ledger {
        let amount = plan.amounts.expected_to;
        match (plan.kind, status) {
            // What came in, which is not what was expected.
            ("cash_in", "completed") => to_ledger(&[("to.credited", received(plan))], None),
            ("cash_out", "completed") => to_ledger(&[("to.debited", amount)], Some(amount)),
            ("cash_out", _) => to_ledger(&[], Some(amount)),
            _ => Ledger::default(),
        }
    }

    fn registration(&self, plan: &Plan) -> Value {
        one_amount(plan.amounts.expected_to, "BRL")
    }

    fn callback(&self, shared: &Shared, plan: &Plan, status: &'static str) -> String {
        let event_id = format!("{}-{status}", plan.uuid);
        json!({ "event_id": event_id, "event_type": "order.updated", "order": order(shared, plan, status) })
            .to_string()
    }

    fn signature(&self, shared: &Shared, signed: &str) -> Vec<(&'static str, String)> {
        if shared.options.signature == Some("body") {
            return vec![(
                "x-azpay-signature",
                sign(signed.as_bytes(), &shared.peer.callback_secret),
            )];
        }
        let time = shared.at(shared.elapsed()).micros() / 1_000_000;
        let signature = sign(format!("{time}.{signed}").as_bytes(), &shared.peer.callback_secret);
        vec![("x-azpay-signature", signature), ("x-azpay-timestamp", time.to_string())]
    }

    fn route(&self, shared: &Shared, heard: &Heard) -> Route {
        let peer = &shared.peer;
        let basic = format!("{}:{}", peer.api_key.expose(), peer.api_secret.expose());
        let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, basic);
        if heard.header("authorization") != format!("Basic {basic}") {
            return Route::Senseless;
        }
        if heard.path == "/v1/notifications" {
            let since = heard.parameter("since").and_then(|since| since.parse().ok());
            return Route::Page(list(shared, since.unwrap_or(0)));
        }
        match heard.path.strip_prefix("/v1/orders/").map(|id| shared.index(id)) {
            Some(Some(index)) => Route::Orders(vec![index]),
            Some(None) => Route::Missing,
            None => Route::Senseless,
        }
    }

    fn answer(&self, shared: &Shared, indexes: &[usize]) -> Option<String> {
        let (plan, status) = shared.now(*indexes.first()?)?;
        Some(order(shared, plan, status).to_string())
    }
}

fn received(plan: &Plan) -> rust_decimal::Decimal {
    plan.amounts.to - plan.amounts.to_fee
}

fn order(shared: &Shared, plan: &Plan, status: &str) -> Value {
    let mut order = json!({
        "id": plan.uuid,
        // One that AzPay opened itself has no other name.
        "external_id": (plan.order_id != plan.uuid).then_some(&plan.order_id),
        "type": plan.kind,
        "status": status,
        "currency": "BRL",
        "amount": plan.amounts.expected_to.to_string(),
        "updated_at": shared.at(plan.reaches(status)).to_string(),
    });
    if plan.kind == "cash_in" && status == "completed" {
        order["amount_received"] = json!(received(plan).to_string());
    }
    order
}

/// What happened, in the order in which it did; items say no amounts.
fn list(shared: &Shared, since: usize) -> String {
    let now = shared.elapsed();
    let plans = shared.plans.iter().filter(|plan| !plan.is_ghost);
    let steps = plans.flat_map(|plan| {
        plan.steps.iter().map(move |(after, status)| (plan.begins + *after, plan, *status))
    });
    let mut happened: Vec<_> = steps.filter(|(at, ..)| *at <= now).collect();
    happened.sort_by_key(|(at, plan, _)| (*at, plan.uuid.clone()));
    let items: Vec<Value> = happened
        .iter()
        .skip(since)
        .take(PAGE)
        .map(|(at, plan, status)| {
            json!({ "id": plan.uuid, "status": status, "updated_at": shared.at(*at).to_string() })
        })
        .collect();
    let next = since + items.len();
    json!({ "items": items, "next_cursor": next.to_string() }).to_string()
}
