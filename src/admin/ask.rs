//! Asking about an order now, because a person wants to know.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::api::find;
use super::order_json::asking;
use super::{Admin, Problem, Shared};
use crate::config::Source;

/// Makes an order due. Who has the role poll asks about it as soon as the source's budget allows.
pub(super) async fn ask_order(
    State(admin): Shared,
    Path((source, order_id)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let mut reading = admin.store()?.read().await?;
    let row = find(&mut reading, &source, &order_id).await?;
    reading.rollback().await?;
    check_askable(&admin, &source)?;
    // A task of its own: database work is never cancelled half-way.
    let (store, clock, key) = (admin.store()?.clone(), admin.clock.clone(), row.key);
    let hastening = tokio::spawn(async move {
        let mut transaction = store.begin().await?;
        let now = transaction.now(&clock).await?;
        transaction.hasten_ask(key, now).await?;
        transaction.commit().await
    });
    hastening.await.map_err(|panic| Problem::internal(panic.into()))??;
    let mut reading = admin.store()?.read().await?;
    let row = find(&mut reading, &source, &order_id).await?;
    reading.rollback().await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(json!({ "asking": asking(&row), "asked_before": row.asking.asked_at })),
    ))
}

/// Whether anybody can be asked about orders of a source.
pub(super) fn check_askable(admin: &Admin, name: &str) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(StatusCode::CONFLICT, detail));
    let sources = admin.sources.now();
    let Some(source) = sources.get(name) else {
        return refuse(format!("the source `{name}` is not configured any more"));
    };
    let Source { provider, base_url, .. } = source;
    if provider.ask.is_none() {
        return refuse(format!("{} cannot be asked about an order", provider.title));
    }
    if base_url.is_none() {
        return refuse(format!(
            "the source `{name}` has no base_url and credentials, so that nobody can be asked"
        ));
    }
    Ok(())
}
