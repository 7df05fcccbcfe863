//! Reading: orders and their timelines.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::claim_json::whole_order;
use super::order_json::{event, order};
use super::{Admin, Problem, Shared};
use crate::order::name::OrderId;
use crate::order::standing::Standing;
use crate::store::{Filter, OrderRow, Transaction};

/// How many items a list has at most.
pub(super) const LIMIT_MAX: i64 = 500;

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    source: Option<String>,
    status: Option<String>,
    #[serde(default)]
    attention: bool,
    cursor: Option<Uuid>,
    limit: Option<i64>,
}

impl Wanted {
    fn limit(&self) -> i64 {
        self.limit.unwrap_or(50).clamp(1, LIMIT_MAX)
    }
}

pub(super) async fn list_orders(
    State(admin): Shared,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(wanted) = wanted?;
    if [&wanted.source, &wanted.status].into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "a filter contains a NUL character"));
    }
    let limit = wanted.limit();
    let filter = Filter {
        source: wanted.source,
        status: wanted.status,
        attention: wanted.attention,
        before: wanted.cursor,
        limit,
    };
    let mut reading = admin.store()?.read().await?;
    let rows = reading.list_orders(&filter).await?;
    reading.rollback().await?;
    let items: Vec<Value> = rows.iter().map(|row| order(row, &stand(&admin, row))).collect();
    let next = rows.last().map(|row| row.key);
    Ok(list(items, limit, next))
}

pub(super) async fn get_order(
    State(admin): Shared,
    Path((source, order_id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let mut reading = admin.store()?.read().await?;
    let row = find(&mut reading, &source, &order_id).await?;
    let waiting = reading.list_attention(row.key).await?;
    let effects = reading.list_effects(row.key).await?;
    let resolutions = reading.list_resolutions(row.key).await?;
    let undelivered = reading.list_undelivered(row.key).await?;
    reading.rollback().await?;
    let standing = stand(&admin, &row);
    Ok(Json(whole_order(&row, &standing, &waiting, &effects, &resolutions, &undelivered)))
}

pub(super) async fn list_events(
    State(admin): Shared,
    Path((source, order_id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let mut reading = admin.store()?.read().await?;
    let row = find(&mut reading, &source, &order_id).await?;
    let events = reading.list_events(row.key).await?;
    let deliveries = reading.list_deliveries(row.key, LIMIT_MAX).await?;
    reading.rollback().await?;
    let items: Vec<Value> = events.iter().map(|row| event(row, &deliveries)).collect();
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

/// A list; with a cursor where there may be more.
pub(super) fn list(items: Vec<Value>, limit: i64, last: Option<Uuid>) -> Json<Value> {
    let is_full = i64::try_from(items.len()).unwrap_or(i64::MAX) >= limit;
    let next_cursor = last.filter(|_| is_full);
    Json(json!({ "items": items, "next_cursor": next_cursor }))
}

pub(super) async fn find(
    reading: &mut Transaction,
    source: &str,
    order_id: &str,
) -> Result<OrderRow, Problem> {
    let missing = || {
        let detail = format!("the source `{source}` has no order `{order_id}`");
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    // What cannot be an id, or a source, is none.
    if OrderId::new(order_id).is_err() || source.contains('\0') {
        return Err(missing());
    }
    reading.get_order(source, order_id).await?.ok_or_else(missing)
}

/// Where an order stands by the rules of today; by none, where its source is gone.
pub(super) fn stand(admin: &Admin, row: &OrderRow) -> Standing {
    let sources = admin.sources.now();
    let source = sources.get(&row.source);
    source.map_or_else(Standing::default, |source| {
        Standing::of(&source.rules, &row.order, admin.clock.now())
    })
}
