//! `POST /api/v1/orders/{source}/{order_id}/resolve`: a person decides.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{find, stand};
use super::ask::check_askable;
use super::claim_json::whole_order;
use super::order_json::issued;
use super::told::{check_text, read, told};
use super::{Admin, Problem, Shared};
use crate::order::name::{EventId, OrderId};
use crate::order::proposal::Proposal;
use crate::order::report::{Content, Report};
use crate::work::resolve::{Asked, Made, Resolved, Resolver};

/// Who decides, why, and whether really.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    by: String,
    why: String,
    id: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn resolve(
    State(admin): Shared,
    Path((source, order_id)): Path<(String, String)>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let mut body: Map<String, Value> = told(body)?;
    let own = ["by", "why", "id", "dry_run"];
    let own = own.into_iter().filter_map(|key| Some((key.to_owned(), body.remove(key)?)));
    let Told { by, why, id, dry_run } = read(Value::Object(own.collect()))?;
    let proposal: Proposal = read(Value::Object(body))?;
    check_text("by", &by)?;
    check_text("why", &why)?;
    let wrong = |error: crate::order::name::IdError| {
        Problem::new(StatusCode::BAD_REQUEST, format!("`id`: {error}"))
    };
    let id = id.map(EventId::new).transpose().map_err(wrong)?;
    let mut reading = admin.store()?.read().await?;
    find(&mut reading, &source, &order_id).await?;
    reading.rollback().await?;
    let missing = || {
        let detail = format!("the source `{source}` has no order `{order_id}`");
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    if proposal.ask {
        check_askable(&admin, &source)?;
    }
    let asked = Asked {
        order_id: OrderId::new(order_id.clone()).map_err(|_| missing())?,
        proposal,
        by,
        why,
        id,
        is_dry_run: dry_run,
    };
    match resolver(&admin, &source)?.resolve(&asked).await? {
        Resolved::Made(made) => Ok(Json(answer(&admin, "resolved", dry_run, &made))),
        Resolved::Unchanged(made) => Ok(Json(answer(&admin, "unchanged", dry_run, &made))),
        Resolved::Refused(error) if error.is_of_order() => {
            Err(Problem::new(StatusCode::CONFLICT, error.to_string()))
        }
        Resolved::Refused(error) => {
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
        }
        Resolved::Taken(id) => {
            let detail = format!("another resolution of this order goes by the id `{id}`");
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Resolved::Missing => Err(missing()),
    }
}

fn resolver(admin: &Admin, name: &str) -> Result<Resolver, Problem> {
    let gone = || {
        let detail = format!(
            "the source `{name}` is not configured any more, and nothing is decided without its rules"
        );
        Problem::new(StatusCode::CONFLICT, detail)
    };
    Ok(Resolver {
        store: admin.store()?.clone(),
        source: admin.sources.now().get(name).cloned().ok_or_else(gone)?,
        clock: admin.clock.clone(),
        metrics: admin.metrics.clone(),
    })
}

fn answer(admin: &Admin, result: &str, dry_run: bool, made: &Made) -> Value {
    let again = "to decide it once more, give it an id of its own";
    let reason = match (&made.outcome, made.before.as_deref()) {
        (Some(outcome), _) => outcome.reason.clone(),
        (None, Some(Report { content: Content::Resolved(known), received_at, .. })) => {
            format!("{} decided so at {received_at}: {again}", known.by)
        }
        (None, _) => format!("it was decided so before: {again}"),
    };
    let order = whole_order(
        &made.order,
        &stand(admin, &made.order),
        &made.attention,
        &made.issued,
        &made.resolutions,
        &made.undelivered,
    );
    json!({
        "result": result,
        "dry_run": dry_run,
        "event_id": made.event_id,
        "verdict": made.outcome.as_ref().and_then(|outcome| outcome.verdict),
        "reason": reason,
        "effects": made.effects.iter().map(issued).collect::<Vec<_>>(),
        "order": order,
    })
}
