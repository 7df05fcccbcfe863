//! Dead letters: looked at, redriven, dropped.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::{LIMIT_MAX, list};
use super::order_json::{dead_letter, issued};
use super::told::{check_text, told};
use super::{Admin, Problem, Shared};
use crate::store::{LetterFilter, VerdictRow};
use crate::work::apply::Outcome;
use crate::work::redrive::{Dropped, Letters, Redriven};

/// Which letters to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    source: Option<String>,
    reason_contains: Option<String>,
    cursor: Option<Uuid>,
    limit: Option<i64>,
}

/// Who redrives, and whether really.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Redrive {
    by: String,
    #[serde(default)]
    dry_run: bool,
}

/// Who drops, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Drop {
    by: String,
    why: String,
}

pub(super) async fn list_dead_letters(
    State(admin): Shared,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(Wanted { source, reason_contains, cursor, limit }) = wanted?;
    if [&source, &reason_contains].into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "a filter contains a NUL character"));
    }
    let limit = limit.unwrap_or(50).clamp(1, LIMIT_MAX);
    let filter = LetterFilter { source, reason_contains, before: cursor, limit };
    let mut reading = admin.store()?.read().await?;
    let letters = reading.list_dead_letters(&filter).await?;
    reading.rollback().await?;
    let items: Vec<Value> = letters.iter().map(|letter| dead_letter(letter, false)).collect();
    let next = letters.last().map(|letter| letter.callback.header.id);
    Ok(list(items, limit, next))
}

pub(super) async fn get_dead_letter(
    State(admin): Shared,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let key = key(&id)?;
    let mut reading = admin.store()?.read().await?;
    let letter = reading.get_dead_letter(key).await?;
    reading.rollback().await?;
    Ok(Json(dead_letter(&letter.ok_or_else(|| missing(&id))?, true)))
}

pub(super) async fn redrive(
    State(admin): Shared,
    Path(id): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (key, Redrive { by, dry_run }) = (key(&id)?, told(body)?);
    check_text("by", &by)?;
    let letters = letters(&admin)?;
    // A task of its own: database work is never cancelled half-way.
    let task = tokio::spawn(async move { letters.redrive(key, &by, dry_run).await });
    let redriven = task.await.map_err(|panic| Problem::internal(panic.into()))??;
    let refuse = |detail: &str| Err(Problem::new(StatusCode::CONFLICT, detail));
    let (result, reason, verdicts, effects) = match redriven {
        Redriven::Applied { outcomes, effects } => {
            ("redriven", None, outcomes.iter().map(decided).collect(), effects)
        }
        Redriven::Already(verdicts) => ("already", None, rows(&verdicts), Vec::new()),
        Redriven::StillDead(reason) => ("still_dead", Some(reason), json!([]), Vec::new()),
        Redriven::IsAnswer => {
            return refuse(
                "an answer of a provider is not redriven: ask about the order again, which brings a new \
                 one (`pawl order ask`), and drop this one",
            );
        }
        Redriven::Dropped => return refuse("the dead letter was dropped: its bytes are gone"),
        Redriven::Missing => return Err(missing(&id)),
    };
    Ok(Json(json!({
        "id": key,
        "result": result,
        "dry_run": dry_run,
        "reason": reason,
        "verdicts": verdicts,
        "effects": effects.iter().map(issued).collect::<Vec<_>>(),
    })))
}

pub(super) async fn drop_letter(
    State(admin): Shared,
    Path(id): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (key, Drop { by, why }) = (key(&id)?, told(body)?);
    check_text("by", &by)?;
    check_text("why", &why)?;
    let letters = letters(&admin)?;
    let task = tokio::spawn(async move { letters.drop(key, &by, &why).await });
    let result = match task.await.map_err(|panic| Problem::internal(panic.into()))?? {
        Dropped::Done => "dropped",
        Dropped::Already => "already",
        Dropped::HasVerdict(_) => {
            let detail =
                "the dead letter was redriven, and has its verdict: nothing is left to drop";
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        Dropped::Missing => return Err(missing(&id)),
    };
    Ok(Json(json!({ "id": key, "result": result })))
}

fn letters(admin: &Admin) -> Result<Letters, Problem> {
    Ok(Letters {
        store: admin.store()?.clone(),
        sources: admin.sources.clone(),
        clock: admin.clock.clone(),
        metrics: admin.metrics.clone(),
    })
}

fn missing(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no dead letter {id}"))
}

fn key(id: &str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| missing(id))
}

fn decided(outcome: &Outcome) -> Value {
    json!({
        "source": outcome.source,
        "order_id": outcome.order,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
    })
}

fn rows(verdicts: &[VerdictRow]) -> Value {
    let row = |row: &VerdictRow| {
        let (source, order_id, verdict) = (&row.source, &row.order_id, &row.verdict);
        json!({ "source": source, "order_id": order_id, "verdict": verdict, "reason": null })
    };
    verdicts.iter().map(row).collect()
}
