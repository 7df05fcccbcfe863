//! Orders as they are looked up and listed.

use uuid::Uuid;

use super::orders::{asking, silence};
use super::row::{StoredRow, corrupt};
use super::{StoreError, Transaction};
use crate::order::Order;
use crate::order::asking::Asking;
use crate::order::silence::Silence;
use crate::order::timestamp::Timestamp;

/// An order as it is shown.
#[derive(Clone, Debug)]
pub struct OrderRow {
    /// Its key.
    pub key: Uuid,
    /// Its source.
    pub source: String,
    /// All that is known about it.
    pub order: Order,
    /// When it was first heard of.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// What is remembered of asking about it.
    pub asking: Asking,
    /// Somebody asks about it just now.
    pub is_asked: bool,
    /// What came of the last ask.
    pub ask_outcome: Option<String>,
    /// Which callback about it has not come.
    pub silence: Option<Silence>,
}

/// Which orders to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this source only.
    pub source: Option<String>,
    /// In this payment status only.
    pub status: Option<String>,
    /// Only those that wait for a person.
    pub attention: bool,
    /// Older than this one: lists go from the newest on.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

impl Transaction {
    /// An order by any of its ids.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_order(
        &mut self,
        source: &str,
        id: &str,
    ) -> Result<Option<OrderRow>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- listing.get_order
                 select o.key, o.source, o.state, o.created_at, o.updated_at, ask_phase, ask_step, ask_answers, next_ask_at,
                     asked_at, ask_wanted, ask_hinted, ask_token is not null, ask_outcome, silent_status, silent_since, is_missed
                 from order_ids n join orders o on o.key = n.order_key
                 where n.source = ? and n.id = ?",
            )
            .bind(source)
            .bind(id)
            .fetch_optional(&mut **transaction)
            .await?
            .as_ref()
            .map(shown)
            .transpose(),
            Self::Postgres(transaction) => sqlx::query(
                "-- listing.get_order
                 select o.key, o.source, o.state::text, o.created_at, o.updated_at, ask_phase, ask_step, ask_answers, next_ask_at,
                     asked_at, ask_wanted, ask_hinted, ask_token is not null, ask_outcome, silent_status, silent_since, is_missed
                 from order_ids n join orders o on o.key = n.order_key
                 where n.source = $1 and n.id = $2",
            )
            .bind(source)
            .bind(id)
            .fetch_optional(&mut **transaction)
            .await?
            .as_ref()
            .map(shown)
            .transpose(),
        }
    }

    /// Orders, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_orders(&mut self, filter: &Filter) -> Result<Vec<OrderRow>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- listing.list_orders
                 select key, source, state, created_at, updated_at, ask_phase, ask_step, ask_answers, next_ask_at,
                     asked_at, ask_wanted, ask_hinted, ask_token is not null, ask_outcome, silent_status, silent_since, is_missed
                 from orders
                 where (?1 is null or source = ?1) and (?2 is null or status = ?2)
                     and (not ?3 or attention_count > 0) and (?4 is null or key < ?4)
                 order by key desc limit ?5",
            )
            .bind(filter.source.as_deref())
            .bind(filter.status.as_deref())
            .bind(filter.attention)
            .bind(filter.before)
            .bind(filter.limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(shown)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- listing.list_orders
                 select key, source, state::text, created_at, updated_at, ask_phase, ask_step, ask_answers, next_ask_at,
                     asked_at, ask_wanted, ask_hinted, ask_token is not null, ask_outcome, silent_status, silent_since, is_missed
                 from orders
                 where ($1::text is null or source = $1) and ($2::text is null or status = $2)
                     and (not $3 or attention_count > 0) and ($4::uuid is null or key < $4)
                 order by key desc limit $5",
            )
            .bind(filter.source.as_deref())
            .bind(filter.status.as_deref())
            .bind(filter.attention)
            .bind(filter.before)
            .bind(filter.limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(shown)
            .collect(),
        }
    }

    /// Orders that are to be judged again by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_orders(
        &mut self,
        sources: &[&str],
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- listing.due_orders
                 select key from orders where judge_at <= ? and source in (select value from json_each(?))
                 order by judge_at limit ?",
            )
            .bind(now.micros())
            .bind(serde_json::to_string(sources).map_err(corrupt)?)
            .bind(limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| row.uuid(0))
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- listing.due_orders
                 select key from orders where judge_at <= $1 and source = any($2)
                 order by judge_at limit $3",
            )
            .bind(now.datetime())
            .bind(sources)
            .bind(limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| row.uuid(0))
            .collect(),
        }
    }
}

/// An order, from the first column on.
pub(super) fn shown(row: &impl StoredRow) -> Result<OrderRow, StoreError> {
    Ok(OrderRow {
        key: row.uuid(0)?,
        source: row.text(1)?,
        order: row.json(2)?,
        created_at: row.time(3)?,
        updated_at: row.time(4)?,
        asking: asking(row, 5)?,
        is_asked: row.bool(12)?,
        ask_outcome: row.text_or_null(13)?,
        silence: silence(row, 14)?,
    })
}
