//! Orders, events, effects and dead letters as the API shows them: amounts as texts, times in RFC 3339.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::order::amount::Amount;
use crate::order::effect::Effect;
use crate::order::report::{Content, Registration};
use crate::order::slot::Slot;
use crate::order::standing::{Cause, Standing};
use crate::store::{AttentionRow, DeadLetter, DeliveryRow, EffectRow, EventRow, OrderRow};

/// An order: who it is, where it stands, what its money came to.
pub(super) fn order(row: &OrderRow, standing: &Standing) -> Value {
    let names = &row.order.names;
    let ids = names.iter().map(|(id, role)| json!({ "id": id, "role": role.as_str() }));
    let payment = standing.heads.iter().filter(|(track, _)| track.is_payment());
    let heads: Vec<_> = payment.flat_map(|(_, heads)| heads).collect();
    let tracks = standing.heads.iter().filter(|(track, _)| !track.is_payment());
    let tracks: Map<String, Value> =
        tracks.map(|(track, heads)| (track.to_string(), json!(heads))).collect();
    let booked: BTreeMap<Slot, Amount> = Slot::all()
        .map(|slot| (slot, row.order.on_the_books(slot)))
        .filter(|(_, amount)| !amount.is_zero())
        .collect();
    json!({
        "source": row.source,
        "order_id": row.order.main_id(),
        "key": row.key,
        "ids": ids.collect::<Vec<_>>(),
        "kind": standing.kind,
        "status": standing.status,
        "outcome": standing.outcome,
        "final": standing.is_final,
        "conflict": standing.is_held_by(Cause::Conflict).then_some(heads),
        "tracks": tracks,
        "currencies": standing.currencies,
        "position": standing.position,
        "on_the_books": booked,
        "registered": row.order.registrations.iter().next().map(registered),
        "held_back": standing.holds.iter().map(|hold| json!({
            "cause": hold.cause, "text": hold.text, "keys": hold.keys, "until": hold.until,
        })).collect::<Vec<_>>(),
        "asking": asking(row),
        "awaited_callback": row.silence.as_ref().map(|silence| json!({
            "status": silence.status, "since": silence.since, "missed": silence.is_missed,
        })),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    })
}

/// When the provider is asked about an order, and what came of it.
pub(super) fn asking(row: &OrderRow) -> Value {
    let asking = &row.asking;
    json!({
        "phase": asking.phase.as_str(),
        "next_at": asking.next_at,
        "asked_at": asking.asked_at,
        "asks_since_move": asking.step,
        "answers_since_move": asking.answers,
        "wanted": asking.is_wanted,
        "under_way": row.is_asked,
        "outcome": row.ask_outcome,
    })
}

fn registered(registration: &Registration) -> Value {
    json!({
        "kind": registration.kind,
        "legs": registration.expected,
        "booked": registration.booked,
    })
}

/// Something that waits for a person.
pub(super) fn attention(row: &AttentionRow) -> Value {
    json!({ "code": row.code, "key": row.key, "text": row.text, "since": row.since })
}

/// A money movement that the integrator's books must make.
pub(super) fn effect(row: &EffectRow) -> Value {
    json!({
        "id": row.id,
        "seq": row.seq,
        "event_id": row.event_id,
        "leg": row.leg,
        "counter": row.counter,
        "from": row.from_total,
        "to": row.to_total,
        "amount": row.amount,
        "currency": row.currency,
        "issued_at": row.issued_at,
    })
}

/// An effect that leaves just now. It is shown whole at its order.
pub(super) fn issued(effect: &Effect) -> Value {
    json!({
        "leg": effect.slot.leg.as_str(),
        "counter": effect.slot.counter.as_str(),
        "from": effect.from,
        "to": effect.to,
        "amount": effect.amount(),
        "currency": effect.currency,
    })
}

/// Something that was reported, what it turned out to be, and of the order's newest deliveries those
/// that were of it.
pub(super) fn event(row: &EventRow, deliveries: &[DeliveryRow]) -> Value {
    let report = &row.report;
    let own = deliveries.iter().filter(|d| d.event_id == report.event_id.as_str()).map(|d| {
        json!({ "callback_id": d.callback_id, "verdict": d.verdict, "received_at": d.received_at })
    });
    let mut shown = json!({
        "seq": row.seq,
        "event_id": report.event_id,
        "origin": report.origin,
        "verdict": row.verdict,
        "reason": row.reason,
        "moved_from": row.moved_from,
        "moved_to": row.moved_to,
        "received_at": report.received_at,
        "decided_at": row.decided_at,
        "repeats": row.repeats,
        "last_received_at": row.last_received_at,
        "deliveries": own.collect::<Vec<_>>(),
        "status": null,
        "event": null,
        "announced": null,
        "time": null,
        "amounts": {},
    });
    match &report.content {
        Content::Said(said) => {
            shown["status"] = json!(said.status);
            shown["event"] = json!(said.event);
            shown["announced"] = json!(said.announced);
            shown["time"] = json!(said.time);
            shown["amounts"] = json!(said.amounts);
        }
        Content::Registered(registration) => shown["registered"] = registered(registration),
        Content::Resolved(resolution) => shown["resolved"] = json!(resolution),
        Content::Hint => {}
    }
    shown
}

/// A callback that could not be read or applied; its body, where that is asked for, as text if it is
/// any, else in hexadecimal.
pub(super) fn dead_letter(letter: &DeadLetter, with_body: bool) -> Value {
    let header = &letter.callback.header;
    let mut shown = json!({
        "id": header.id,
        "source": header.source,
        "origin": header.origin,
        "reason": letter.reason,
        "received_at": header.received_at,
        "died_at": letter.died_at,
        "body_bytes": letter.callback.body.len(),
    });
    if with_body {
        shown["headers"] = header.headers.iter().map(|(n, v)| json!([n, v])).collect();
        match std::str::from_utf8(&letter.callback.body) {
            Ok(text) => shown["body"] = json!(text),
            Err(_) => shown["body_hex"] = json!(hex::encode(&letter.callback.body)),
        }
    }
    shown
}
