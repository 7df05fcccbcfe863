//! Sinks: what waits for each, and what people do about it.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::find;
use super::told::{check_text, told};
use super::{Problem, Shared};
use crate::config::Sink;
use crate::relay::budget_name;
use crate::relay::resume::{Person, Removed, Which, remove, resume};
use crate::store::{LineCount, SinkRow, Undelivered};

/// Of how many orders that were given up a list shows what they wait for.
const SHOWN_MAX: i64 = 20;

/// Who takes up a sink again, and of which order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    by: String,
    why: String,
    order: Option<Named>,
    #[serde(default)]
    skip: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    source: String,
    order_id: String,
}

/// Who ends a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    by: String,
    why: String,
}

pub(super) async fn list_sinks(State(admin): Shared) -> Result<Json<Value>, Problem> {
    let mut reading = admin.store()?.read().await?;
    let (sinks, counts) = (reading.list_sinks().await?, reading.count_lines().await?);
    let pauses = reading.list_pauses().await?;
    let now = reading.now(&admin.clock).await?;
    let configured = admin.sinks.now();
    let mut items = Vec::new();
    for row in &sinks {
        let stopped = reading.list_stopped(&row.name, SHOWN_MAX).await?;
        let stopped = reading.find_notices(stopped).await?;
        let given_up: Vec<Value> = stopped.iter().map(undelivered).collect();
        let count = counts.get(&row.name).cloned().unwrap_or_default();
        let mut item = shown(row, &count, configured.get(&row.name));
        let name = budget_name(&row.name);
        let pause = pauses.iter().find(|(paused, until, _)| *paused == name && *until > now);
        item["paused"] = json!(pause.map(|(_, until, reason)| json!({
            "until": until, "reason": reason,
        })));
        item["given_up"] = json!(given_up);
        items.push(item);
    }
    reading.rollback().await?;
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

fn shown(row: &SinkRow, count: &LineCount, configured: Option<&Sink>) -> Value {
    json!({
        "name": row.name,
        "kind": configured.map(Sink::way_name),
        "configured": configured.is_some(),
        "sources": row.wants.sources,
        "types": row.wants.types,
        "since": row.since,
        "last_taken_at": row.taken_at,
        "disabled": row.disabled.as_ref().map(|(at, reason)| json!({ "at": at, "reason": reason })),
        "orders_waiting": count.waiting,
        "waiting_since": count.oldest,
        "orders_given_up": count.stopped,
    })
}

/// What one order waits for at a sink.
pub(super) fn undelivered(waits: &Undelivered) -> Value {
    let Undelivered { line, notice } = waits;
    let notice = notice.as_ref();
    json!({
        "sink": line.sink,
        "order_key": line.key,
        "source": notice.map(|notice| &notice.source),
        "notice": notice.map(|notice| notice.id),
        "type": notice.map(|notice| &notice.kind),
        "seq": line.done_seq + 1,
        "waiting": line.last_seq - line.done_seq,
        "waiting_since": line.waits_since,
        "attempts": line.tries,
        "next_at": line.stopped_at.is_none().then_some(line.due_at),
        "given_up_at": line.stopped_at,
        "reason": line.reason,
    })
}

pub(super) async fn resume_sink(
    State(admin): Shared,
    Path(name): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Resume { by, why, order, skip } = told(body)?;
    let person = person(by, why)?;
    let which = match order {
        None if skip => {
            let detail = "only one order's notice is passed over: name the order";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        None => Which::All,
        Some(Named { source, order_id }) => {
            let mut reading = admin.store()?.read().await?;
            let row = find(&mut reading, &source, &order_id).await?;
            reading.rollback().await?;
            Which::Order { key: row.key, is_skipped: skip }
        }
    };
    let (store, clock, sink) = (admin.store()?.clone(), admin.clock.clone(), name.clone());
    // A task of its own: database work is never cancelled half-way.
    let task = tokio::spawn(async move { resume(&store, &clock, &sink, which, &person).await });
    let resumed = task.await.map_err(|panic| Problem::internal(panic.into()))??;
    let resumed = resumed.ok_or_else(|| missing(&name))?;
    Ok(Json(json!({ "name": name, "orders_resumed": resumed })))
}

pub(super) async fn remove_sink(
    State(admin): Shared,
    Path(name): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Remove { by, why } = told(body)?;
    let person = person(by, why)?;
    if admin.sinks.now().contains_key(&name) {
        let detail = format!(
            "the sink `{name}` is in the configuration: take it out there first, or it would come back"
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let (store, clock, sink) = (admin.store()?.clone(), admin.clock.clone(), name.clone());
    let task = tokio::spawn(async move { remove(&store, &clock, &sink, &person).await });
    match task.await.map_err(|panic| Problem::internal(panic.into()))?? {
        Removed::Done => Ok(Json(json!({ "name": name, "result": "removed" }))),
        Removed::Missing => Err(missing(&name)),
        Removed::InUse => {
            let detail = format!(
                "a process had the sink `{name}` in its configuration within the last minute: stop or reload it first"
            );
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
    }
}

fn person(by: String, why: String) -> Result<Person, Problem> {
    check_text("by", &by)?;
    check_text("why", &why)?;
    Ok(Person { by, why })
}

fn missing(name: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no sink `{name}`"))
}
