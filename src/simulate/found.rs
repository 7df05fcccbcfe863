//! What the daemon made of a source's orders, read from its store.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::config::Source;
use crate::order::standing::Standing;
use crate::order::timestamp::Timestamp;
use crate::store::{EffectRow, Filter, OrderRow, Store, StoreError, Transaction};

/// How many orders are read at once.
const PAGE: i64 = 500;

/// An order as the daemon has it.
pub(super) struct Found {
    pub row: OrderRow,
    pub standing: Standing,
    pub effects: Vec<EffectRow>,
    pub attention: Vec<String>,
    /// Its key, and those of orders that turned out to be it.
    pub keys: Vec<Uuid>,
}

/// The daemon's orders of a source, by the integrator's id; by another one where that is not known.
pub(super) async fn load(
    source: &Source,
    store: &Store,
    now: Timestamp,
) -> Result<BTreeMap<String, Found>, StoreError> {
    let mut found = BTreeMap::new();
    let mut reading = store.read().await?;
    let mut before = None;
    loop {
        let filter =
            Filter { source: Some(source.name.clone()), before, limit: PAGE, ..Filter::default() };
        let rows = reading.list_orders(&filter).await?;
        before = rows.last().map(|row| row.key);
        for row in rows {
            let order = load_one(source, &mut reading, row, now).await?;
            if let Some(id) = order.row.order.main_id().map(ToString::to_string) {
                found.insert(id, order);
            }
        }
        if before.is_none() {
            reading.rollback().await?;
            return Ok(found);
        }
    }
}

async fn load_one(
    source: &Source,
    reading: &mut Transaction,
    row: OrderRow,
    now: Timestamp,
) -> Result<Found, StoreError> {
    let standing = Standing::of(&source.rules, &row.order, now);
    let effects = reading.list_effects(row.key).await?;
    let attention = reading.list_attention(row.key).await?;
    let attention = attention.into_iter().map(|attention| attention.code).collect();
    let lines = reading.list_lines(row.key).await?;
    let keys: BTreeSet<Uuid> = lines.iter().map(|line| line.key).chain([row.key]).collect();
    let keys = keys.into_iter().collect();
    Ok(Found { row, standing, effects, attention, keys })
}
