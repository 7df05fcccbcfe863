//! What FlyPay says, as its documents show it (<https://fly-pay.io/docs/methods/orderStatus>): the order
//! object, the envelope of a status answer, and the signature over both.

use hmac::{Hmac, KeyInit, Mac};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::Sha256;

use super::Shared;
use super::plan::Plan;
use crate::provider::secret::Secret;

/// The order object in a status: the same bytes each time, as a sender that repeats itself has them.
#[must_use]
pub fn order(shared: &Shared, plan: &Plan, status: &str) -> String {
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
#[must_use]
pub fn envelope(order: &str) -> String {
    format!("{{\"status\":\"success\",\"data\":{order}}}")
}

/// `hash_hmac("sha256", body, secret)`.
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
