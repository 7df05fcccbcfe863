//! What was claimed about an order, and what people decided about it, as the API shows it.

use serde_json::{Value, json};

use super::order_json::{attention, effect, order};
use super::sinks::undelivered;
use crate::order::joined::{Claim, Operation, Order};
use crate::order::name::Status;
use crate::order::report::{Content, Overrule, Report, Resolution, Until};
use crate::order::standing::Standing;
use crate::store::{AttentionRow, EffectRow, OrderRow, Undelivered};

/// An order with all that is known about it, but for its timeline.
pub(super) fn whole_order(
    row: &OrderRow,
    standing: &Standing,
    waiting: &[AttentionRow],
    effects: &[EffectRow],
    resolutions: &[Report],
    waits: &[Undelivered],
) -> Value {
    let mut shown = order(row, standing);
    shown["attention"] = waiting.iter().map(attention).collect();
    shown["effects"] = effects.iter().map(effect).collect();
    shown["undelivered"] = waits.iter().map(undelivered).collect();
    shown["waits"] = standing
        .waits
        .iter()
        .map(|wait| json!({ "key": wait.key, "text": wait.text, "since": wait.since }))
        .collect();
    shown["claims"] = row.order.claims.iter().map(|known| claim(&row.order, known)).collect();
    shown["operations"] =
        row.order.operations.iter().map(|known| operation(&row.order, known)).collect();
    let decided: Vec<(&Report, &Resolution)> = resolutions
        .iter()
        .filter_map(|report| match &report.content {
            Content::Resolved(resolution) => Some((report, resolution)),
            Content::Said(_) | Content::Hint | Content::Registered(_) => None,
        })
        .collect();
    shown["overruled"] = json!(overruled(&row.order, &decided));
    shown["resolutions"] =
        decided.iter().map(|(report, known)| resolution(report, known)).collect();
    shown
}

/// The claims and operations that contradict each other.
pub(super) fn contradicting(order: &Order, standing: &Standing) -> Value {
    let heads: Vec<&Status> =
        standing.heads.values().filter(|heads| heads.len() > 1).flatten().collect();
    let claims = order.live_claims().filter(|known| heads.contains(&&known.status));
    let claims = claims.map(|known| claim(order, known));
    let is_other =
        |own: &Operation, other: &Operation| own.name == other.name && own.amounts != other.amounts;
    let operations = order
        .live_operations()
        .filter(|own| order.live_operations().any(|other| is_other(own, other)))
        .map(|known| operation(order, known));
    claims.chain(operations).collect()
}

fn claim(order: &Order, claim: &Claim) -> Value {
    let is_live = order.live_claims().any(|live| live == claim);
    json!({
        "status": claim.status,
        "time": claim.time,
        "received_at": claim.since,
        "confirmed": claim.confirmed,
        "amounts": claim.amounts,
        "currencies": claim.currencies,
        "overruled": !is_live,
    })
}

fn operation(order: &Order, operation: &Operation) -> Value {
    let is_live = order.live_operations().any(|live| live == operation);
    json!({
        "operation": operation.name.name,
        "id": operation.name.id,
        "received_at": operation.since,
        "confirmed": operation.confirmed,
        "amounts": operation.amounts,
        "currencies": operation.currencies,
        "overruled": !is_live,
    })
}

/// What counts no more, and who said so last.
fn overruled(order: &Order, decided: &[(&Report, &Resolution)]) -> Vec<Value> {
    let by = |is_it: &dyn Fn(&Overrule) -> bool| {
        decided.iter().rev().find(|(_, made)| made.overrules.iter().any(is_it)).map(
            |(report, made)| json!({ "by": made.by, "why": made.why, "at": report.received_at }),
        )
    };
    let statuses = order.overruled.iter().map(|(status, until)| {
        let mut shown =
            by(&|overrule| matches!(overrule, Overrule::Status(own, _) if own == status))
                .unwrap_or_else(|| json!({}));
        shown["status"] = json!(status);
        shown["for_good"] = json!(*until == Until::Always);
        shown["until"] = match until {
            Until::Always => Value::Null,
            Until::Time(time) => json!(time),
        };
        shown
    });
    let operations = order.overruled_operations.iter().map(|(name, amounts)| {
        let is_it = |overrule: &Overrule| {
            matches!(overrule, Overrule::Operation(own, its) if own == name && its == amounts)
        };
        let mut shown = by(&is_it).unwrap_or_else(|| json!({}));
        shown["operation"] = json!(name.name);
        shown["id"] = json!(name.id);
        shown["amounts"] = json!(amounts);
        shown
    });
    statuses.chain(operations).collect()
}

fn resolution(report: &Report, made: &Resolution) -> Value {
    let overruled = made.overrules.iter().map(|overrule| match overrule {
        Overrule::Status(status, _) => json!({ "status": status }),
        Overrule::Operation(name, amounts) => {
            json!({ "operation": name.name, "id": name.id, "amounts": amounts })
        }
    });
    json!({
        "event_id": report.event_id,
        "at": report.received_at,
        "by": made.by,
        "why": made.why,
        "overruled": overruled.collect::<Vec<_>>(),
        "waived": made.waives,
        "compensated": made.compensates,
        "asked": made.asks,
    })
}
