//! What Stripe says of payment intents (<https://docs.stripe.com/webhooks>): events that are signed with a time and
//! carry the intent as it was, amounts in the smallest unit, and a list of the latest events, newest first.

use fastrand::Rng;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    Choices, Heard, Protocol, Route, Tells, epoch_secs, one_amount, one_leg, sign, to_ledger,
};
use crate::simulate::Shared;
use crate::simulate::money::{Amounts, Ledger};
use crate::simulate::plan::Plan;

/// Stripe.
#[derive(Debug)]
pub struct Stripe;

/// How many events a page of the list has.
const PAGE: usize = 100;

impl Protocol for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("secret_key", "KEY")]
    }

    fn feed(&self) -> &'static str {
        "every_secs = 2\noverlap_secs = 60\n"
    }

    fn signatures(&self) -> &'static [&'static str] {
        &[]
    }

    fn kinds(&self) -> Choices {
        &[("payment", 1.0)]
    }

    fn ends(&self, _kind: &str) -> Choices {
        &[("succeeded", 0.8), ("canceled", 0.2)]
    }

    fn ways(&self, _kind: &str, _end: &str) -> &'static [(&'static str, bool)] {
        &[
            ("requires_payment_method", true),
            ("requires_action", false),
            ("requires_capture", false),
        ]
    }

    fn tells(&self) -> Tells {
        Tells::Each
    }

    fn lists(&self) -> bool {
        true
    }

    fn ids(&self, seed: u64, index: usize, rng: &mut Rng) -> (String, String) {
        (format!("{seed}-{index}"), format!("pi_{:024x}", rng.u128(..) >> 32))
    }

    fn amounts(&self, rng: &mut Rng, _end: &str) -> Amounts {
        one_leg(rng)
    }

    fn ledger(&self, plan: &Plan, status: &str) -> Ledger {
        let amount = plan.amounts.to;
        let hold = plan.steps.iter().any(|(_, step)| *step == "requires_capture").then_some(amount);
        match status {
            "succeeded" => to_ledger(&[("to.credited", amount)], hold),
            _ => to_ledger(&[], hold),
        }
    }

    fn registration(&self, plan: &Plan) -> Value {
        let mut told = one_amount(plan.amounts.to, "USD");
        told["provider_id"] = json!(plan.uuid);
        told
    }

    fn callback(&self, shared: &Shared, plan: &Plan, status: &'static str) -> String {
        event(shared, plan, status).to_string()
    }

    fn signature(&self, shared: &Shared, signed: &str) -> Vec<(&'static str, String)> {
        let time = shared.at(shared.elapsed()).micros() / 1_000_000;
        let signature = sign(format!("{time}.{signed}").as_bytes(), &shared.peer.callback_secret);
        vec![("stripe-signature", format!("t={time},v1={signature},v0=00"))]
    }

    fn route(&self, shared: &Shared, heard: &Heard) -> Route {
        if heard.header("authorization") != format!("Bearer {}", shared.peer.api_key.expose()) {
            return Route::Senseless;
        }
        if heard.path == "/v1/events" {
            return list(shared, heard).map_or(Route::Senseless, Route::Page);
        }
        match heard.path.strip_prefix("/v1/payment_intents/").map(|id| shared.index(id)) {
            Some(Some(index)) => Route::Orders(vec![index]),
            Some(None) => Route::Missing,
            None => Route::Senseless,
        }
    }

    fn answer(&self, shared: &Shared, indexes: &[usize]) -> Option<String> {
        let (plan, status) = shared.now(*indexes.first()?)?;
        Some(intent(plan, status).to_string())
    }
}

fn intent(plan: &Plan, status: &str) -> Value {
    let cents = (plan.amounts.to * Decimal::ONE_HUNDRED).normalize().to_string();
    let cents: u64 = cents.parse().unwrap_or_default();
    let of = |is_there: bool| if is_there { cents } else { 0 };
    json!({
        "id": plan.uuid,
        "object": "payment_intent",
        "amount": cents,
        "amount_capturable": of(status == "requires_capture"),
        "amount_received": of(status == "succeeded"),
        "currency": "usd",
        "status": status,
        "metadata": { "order_id": plan.order_id },
    })
}

fn event(shared: &Shared, plan: &Plan, status: &str) -> Value {
    let name = match status {
        "requires_payment_method" => "payment_intent.created",
        "requires_capture" => "payment_intent.amount_capturable_updated",
        "requires_action" => "payment_intent.requires_action",
        "succeeded" => "payment_intent.succeeded",
        _ => "payment_intent.canceled",
    };
    json!({
        "id": format!("evt_{}_{status}", plan.uuid),
        "object": "event",
        "type": name,
        "created": epoch_secs(shared, plan, status),
        "data": { "object": intent(plan, status) },
    })
}

/// A page of what happened between two times, the newest first, and beside each event one that is about
/// something else.
fn list(shared: &Shared, heard: &Heard) -> Option<String> {
    let secs = |name: &str| heard.parameter(name)?.parse::<i64>().ok();
    let (from, until) = (secs("created[gte]")?, secs("created[lt]")?);
    let now = shared.elapsed();
    let plans = shared.plans.iter().filter(|plan| !plan.is_ghost);
    let steps = plans.flat_map(|plan| {
        plan.steps.iter().map(move |(after, status)| (plan.begins + *after, plan, *status))
    });
    let is_meant =
        |plan: &Plan, status: &str| (from..until).contains(&epoch_secs(shared, plan, status));
    let mut happened: Vec<_> =
        steps.filter(|(at, plan, status)| *at <= now && is_meant(plan, status)).collect();
    happened.sort_by_key(|(at, plan, _)| (std::cmp::Reverse(*at), plan.uuid.clone()));
    let events = happened.iter().flat_map(|(_, plan, status)| {
        let other = json!({ "id": format!("evt_{}_{status}_o", plan.uuid), "type": "customer.updated", "data": {} });
        [event(shared, plan, status), other]
    });
    let events: Vec<Value> = events.collect();
    let start = match heard.parameter("starting_after") {
        None => 0,
        Some(last) => events.iter().position(|event| event["id"] == last.as_str())? + 1,
    };
    let page: Vec<&Value> = events.iter().skip(start).take(PAGE).collect();
    let has_more = start + page.len() < events.len();
    Some(json!({ "object": "list", "data": page, "has_more": has_more }).to_string())
}
