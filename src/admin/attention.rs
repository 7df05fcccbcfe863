//! What waits for a person, and what may be done about it.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::{LIMIT_MAX, stand};
use super::ask::check_askable;
use super::claim_json::contradicting;
use super::order_json::{attention, order};
use super::{Admin, Problem, Shared};
use crate::order::remedy::find_remedies;
use crate::order::standing::{AttentionCode, Standing};
use crate::order::timestamp::Timestamp;
use crate::store::{AttentionFilter, AttentionMark, AttentionRow, OrderRow};

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    code: Option<String>,
    source: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

pub(super) async fn list_attention(
    State(admin): Shared,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(Wanted { code, source, cursor, limit }) = wanted?;
    let wrong = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
    let codes: Vec<&str> = AttentionCode::ALL.into_iter().map(AttentionCode::as_str).collect();
    if let Some(code) = code.as_deref().filter(|code| !codes.contains(code)) {
        return Err(wrong(format!("there is no code `{code}`: write {}", codes.join(" or "))));
    }
    if source.as_ref().is_some_and(|source| source.contains('\0')) {
        return Err(wrong("a filter contains a NUL character".to_owned()));
    }
    let after = cursor.map(|cursor| {
        let no_cursor = || wrong(format!("`{cursor}` is not where a list goes on"));
        read_cursor(&cursor).ok_or_else(no_cursor)
    });
    let limit = limit.unwrap_or(50).clamp(1, LIMIT_MAX);
    let filter = AttentionFilter { code, source, after: after.transpose()?, limit };
    let mut reading = admin.store()?.read().await?;
    let rows = reading.list_all_attention(&filter).await?;
    reading.rollback().await?;
    let items: Vec<Value> = rows.iter().map(|(row, waits)| item(&admin, row, waits)).collect();
    let is_full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= limit;
    let next_cursor = rows.last().filter(|_| is_full).map(|(row, waits)| {
        write_cursor(&AttentionMark { since: waits.since, order: row.key, key: waits.key.clone() })
    });
    Ok(Json(json!({ "items": items, "next_cursor": next_cursor })))
}

/// Something that waits for a person, with as much of the order as tells what to do.
fn item(admin: &Admin, row: &OrderRow, waits: &AttentionRow) -> Value {
    let standing = stand(admin, row);
    let whole = order(row, &standing);
    let mut shown = attention(waits);
    for key in ["source", "order_id", "ids", "kind", "status", "outcome", "conflict", "held_back"] {
        shown[key] = whole[key].clone();
    }
    shown["claims"] = contradicting(&row.order, &standing);
    shown["actions"] = json!(actions(admin, row, &standing, waits, &whole["order_id"]));
    shown
}

/// What may be done: proposals that would be taken as the order stands.
fn actions(
    admin: &Admin,
    row: &OrderRow,
    standing: &Standing,
    waits: &AttentionRow,
    order_id: &Value,
) -> Vec<Value> {
    if let Some(sink) = waits.sink() {
        let what = "once its receiver is mended, deliver again";
        return vec![json!({ "what": what, "resume": sink })];
    }
    let sources = admin.sources.now();
    let Some(source) = sources.get(&row.source) else { return Vec::new() };
    let now = admin.clock.now();
    let mut actions = Vec::new();
    let is_unregistered = waits.key == "early_overdue:registration";
    if is_unregistered {
        let told = json!({ "source": row.source, "order_id": order_id, "kind": standing.kind });
        let what = "register the order, if it is yours: then its money moves";
        actions.push(json!({ "what": what, "register": told }));
    }
    // What is not registered the provider cannot help with.
    let is_for_provider = ["conflict", "unresolved", "early_overdue", "unknown_status"]
        .contains(&waits.code.as_str())
        && !is_unregistered;
    if is_for_provider && check_askable(admin, &row.source).is_ok() {
        let what = "ask the provider now";
        actions.push(json!({ "what": what, "resolve": { "ask": true } }));
    }
    let remedies = find_remedies(&source.rules, &row.order, standing, &waits.key, now);
    actions.extend(
        remedies
            .into_iter()
            .map(|remedy| json!({ "what": remedy.what, "resolve": remedy.proposal })),
    );
    actions
}

fn write_cursor(mark: &AttentionMark) -> String {
    format!("{}.{}.{}", mark.since.micros(), mark.order.simple(), hex::encode(&mark.key))
}

fn read_cursor(cursor: &str) -> Option<AttentionMark> {
    let mut parts = cursor.split('.');
    let since = Timestamp::from_micros(parts.next()?.parse().ok()?)?;
    let order: Uuid = parts.next()?.parse().ok()?;
    let key = String::from_utf8(hex::decode(parts.next()?).ok()?).ok()?;
    let is_whole = parts.next().is_none() && !key.contains('\0');
    is_whole.then_some(AttentionMark { since, order, key })
}
