//! What SDK.finance says (<https://sdk.finance/knowledge-base/transaction-statuses> and the vendor's public front-end):
//! a login that brings a token for a short time, requests that are known by numbers, a list with filters; and
//! webhooks that say that there is something to do, and never what came of it.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    Choices, Heard, Protocol, Route, Tells, number, one_amount, one_leg, sign, there, to_ledger,
};
use crate::order::timestamp::Timestamp;
use crate::simulate::Shared;
use crate::simulate::money::{Amounts, Ledger};
use crate::simulate::plan::Plan;

/// SDK.finance.
#[derive(Debug)]
pub struct SdkFinance;

/// For how long a token is good.
const TOKEN_SECS: u64 = 6;

/// How many orders one request may be about.
const PAGE_MAX: usize = 100;

impl Protocol for SdkFinance {
    fn name(&self) -> &'static str {
        "sdk-finance"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("login", "KEY"), ("password", "API")]
    }

    fn signatures(&self) -> &'static [&'static str] {
        &["hmac"]
    }

    fn source(&self) -> &'static str {
        "currency = \"EUR\"\n"
    }

    fn feed(&self) -> &'static str {
        "every_secs = 2\noverlap_secs = 60\n"
    }

    fn kinds(&self) -> Choices {
        &[("top_up", 0.4), ("withdrawal", 0.4), ("transfer", 0.2)]
    }

    fn ends(&self, _kind: &str) -> Choices {
        &[("processed", 0.75), ("declined", 0.15), ("rejected", 0.1)]
    }

    fn ways(&self, _kind: &str, end: &str) -> &'static [(&'static str, bool)] {
        match end {
            // What could not be processed is repeated.
            "processed" => &[("pending", true), ("waiting_for_approval", false), ("error", false)],
            _ => &[("pending", true), ("waiting_for_approval", false)],
        }
    }

    fn tells(&self) -> Tells {
        Tells::First
    }

    fn is_signed(&self) -> bool {
        false
    }

    fn lists(&self) -> bool {
        true
    }

    fn ids(&self, seed: u64, index: usize, rng: &mut Rng) -> (String, String) {
        let number = 1_000_000 * (seed % 1000 + 1) + index as u64;
        (number.to_string(), uuid::Uuid::from_u128(rng.u128(..)).to_string())
    }

    fn amounts(&self, rng: &mut Rng, _end: &str) -> Amounts {
        one_leg(rng)
    }

    fn ledger(&self, plan: &Plan, status: &str) -> Ledger {
        let Amounts { to, to_fee, .. } = plan.amounts;
        match (plan.kind, status) {
            ("top_up", "processed") => to_ledger(&[("to.credited", to - to_fee)], None),
            ("top_up", _) => Ledger::default(),
            (_, "processed") => to_ledger(&[("to.debited", to)], Some(to)),
            _ => to_ledger(&[], Some(to)),
        }
    }

    fn registration(&self, plan: &Plan) -> Value {
        one_amount(plan.amounts.to, "EUR")
    }

    fn callback(&self, _shared: &Shared, plan: &Plan, _status: &'static str) -> String {
        let number = plan.order_id.parse::<u64>().unwrap_or_default();
        let payload =
            json!({ "processId": plan.uuid, "requestIdentifier": number, "status": "pending" });
        let id = format!("n-{}", plan.uuid);
        json!({ "id": id, "eventType": "GATE_WITHDRAWAL_INITIATED", "payload": payload })
            .to_string()
    }

    fn signature(&self, shared: &Shared, signed: &str) -> Vec<(&'static str, String)> {
        vec![("x-webhook-signature", sign(signed.as_bytes(), &shared.peer.callback_secret))]
    }

    fn route(&self, shared: &Shared, heard: &Heard) -> Route {
        let (peer, body) = (&shared.peer, heard.json());
        let now = shared.elapsed();
        if heard.path == "/authorization" {
            let is_ours = body["login"] == peer.api_key.expose()
                && body["password"] == peer.api_secret.expose();
            // The token says itself until when it is good.
            let until = now + Duration::from_secs(TOKEN_SECS);
            let expires = shared.at(until).to_string();
            let token =
                json!({ "token": format!("t-{}", until.as_millis()), "expiresAt": expires });
            let answer = json!({ "action": "TOKEN_CREATED", "authorizationToken": token });
            return if is_ours { Route::Token(answer.to_string()) } else { Route::Senseless };
        }
        let token = heard.header("authorization").strip_prefix("TOKEN t-");
        let Some(until) = token.and_then(|until| until.parse().ok()) else {
            return Route::Senseless;
        };
        if now > Duration::from_millis(until) {
            return Route::Expired;
        }
        let filter = &body["filter"];
        if heard.path != "/transactions/view" {
            return Route::Senseless;
        }
        if let Some(from) = filter["createdAtFrom"].as_str() {
            let until = filter["createdAtTo"].as_str().unwrap_or_default();
            return match (from.parse::<Timestamp>(), until.parse::<Timestamp>()) {
                (Ok(from), Ok(until)) => Route::Page(list(shared, from, until, &body)),
                _ => Route::Senseless,
            };
        }
        let ids = filter["requestIdentifiers"].as_array().or(filter["ids"].as_array());
        let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let ids: Vec<String> = ids.into_iter().flatten().map(text).collect();
        match ids.len() {
            0 => Route::Senseless,
            count if count > PAGE_MAX => Route::Senseless,
            _ => Route::Orders(ids.iter().filter_map(|id| shared.index(id)).collect()),
        }
    }

    fn answer(&self, shared: &Shared, indexes: &[usize]) -> Option<String> {
        let rows = indexes.iter().filter_map(|index| shared.now(*index));
        let rows: Vec<Value> = rows.map(|(plan, status)| row(shared, plan, status)).collect();
        Some(page(1, rows.len(), 1, &rows))
    }
}

fn row(shared: &Shared, plan: &Plan, status: &str) -> Value {
    let sort = match plan.kind {
        "top_up" => "bank_topup",
        "withdrawal" => "bank_redeem",
        _ => "client_transaction_transfer",
    };
    let Amounts { to, to_fee, .. } = plan.amounts;
    let mut row = json!({
        "id": plan.uuid,
        "requestIdentifier": plan.order_id.parse::<u64>().unwrap_or_default(),
        "type": sort,
        "status": status,
        "requestStatus": if status == "pending" { "waiting" } else { status },
        "amount": number(to),
        "commission": number(to_fee),
        "createdAt": shared.at(plan.begins).to_string(),
        "updatedAt": shared.at(plan.reaches(status)).to_string(),
    });
    // Sometimes the net is said, and sometimes it must be worked out.
    if plan.uuid.starts_with(|c: char| c.is_ascii_digit()) {
        row["netAmount"] = number(to - to_fee);
    }
    row
}

fn page(number: u64, total: usize, pages: usize, rows: &[Value]) -> String {
    json!({ "pageNumber": number, "totalRecords": total, "totalPages": pages, "records": rows })
        .to_string()
}

/// What was created between two times, the oldest first.
fn list(shared: &Shared, from: Timestamp, until: Timestamp, body: &Value) -> String {
    let size =
        body["pageSize"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(1).max(1);
    let number = body["pageNumber"].as_u64().unwrap_or(1).max(1);
    let is_meant = |plan: &Plan| (from..=until).contains(&shared.at(plan.begins));
    let mut meant: Vec<_> = there(shared).filter(|(plan, _)| is_meant(plan)).collect();
    meant.sort_by_key(|(plan, _)| plan.begins);
    let skipped = usize::try_from(number - 1).unwrap_or(0).saturating_mul(size);
    let rows: Vec<Value> = meant
        .iter()
        .skip(skipped)
        .take(size)
        .map(|(plan, status)| row(shared, plan, status))
        .collect();
    page(number, meant.len(), meant.len().div_ceil(size), &rows)
}
