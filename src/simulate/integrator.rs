//! The integrator: registers each order when it creates it, and holds the funds of a withdrawal itself.

use std::time::Duration;

use reqwest::Client;
use serde_json::json;

use super::plan::Plan;
use super::{Counts, Shared};

/// How often registering is tried.
const TRIES: u32 = 50;

/// How long before it is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether the integrator holds the funds of such an order when it creates it.
#[must_use]
pub fn holds_itself(shared: &Shared, plan: &Plan) -> bool {
    shared.options.is_cautious && plan.kind == "withdraw"
}

pub(super) async fn register(shared: &Shared, client: &Client, plan: &Plan) {
    let mut order = json!({
        "source": shared.peer.source,
        "order_id": plan.order_id,
        "kind": plan.kind,
    });
    if let (Some(order), Some(told)) =
        (order.as_object_mut(), shared.options.protocol.registration(plan).as_object())
    {
        order.extend(told.clone());
    }
    if holds_itself(shared, plan) {
        let held = plan.amounts.expected_to + plan.amounts.to_fee;
        order["booked"] = json!({ "held": held.to_string() });
    }
    for _ in 0..TRIES {
        let request = client.post(format!("{}/api/v1/orders", shared.peer.admin_url));
        let request = request.header("content-type", "application/json").body(order.to_string());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return,
            Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    Counts::add(&shared.counts.unregistered);
}
