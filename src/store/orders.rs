//! Orders and their ids.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{StoreError, Transaction, exactly_one};
use crate::order::Order;
use crate::order::name::{OrderId, Role};
use crate::order::timestamp::Timestamp;

/// An id of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameRow {
    /// Within this source.
    pub source: String,
    /// The id.
    pub id: OrderId,
    /// The order's key.
    pub key: Uuid,
    /// Whose id it is.
    pub role: Role,
}

/// An order as it was read, locked for writing.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its key.
    pub key: Uuid,
    /// Its source.
    pub source: String,
    /// How often it was written.
    pub version: i64,
    /// All that is known about it.
    pub order: Order,
    /// How many events it has.
    pub event_count: i64,
    /// How many effects it has.
    pub effect_count: i64,
    /// How many things wait for a person.
    pub attention_count: i64,
}

/// An order as it is to be written.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// Its key.
    pub key: Uuid,
    /// Its source.
    pub source: &'a str,
    /// The version that was read; none for a new order.
    pub version: Option<i64>,
    /// All that is known about it.
    pub order: &'a Order,
    /// How many events it has.
    pub event_count: i64,
    /// How many effects it has.
    pub effect_count: i64,
    /// How many things wait for a person.
    pub attention_count: i64,
    /// What it came to.
    pub kind: Option<&'a str>,
    /// The payment status.
    pub status: Option<&'a str>,
    /// What that says.
    pub outcome: Option<&'a str>,
    /// Nothing is left to ask.
    pub is_final: bool,
    /// Something holds effects back.
    pub is_held: bool,
    /// When it is to be judged again.
    pub judge_at: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

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
    /// Finds the orders that ids belong to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_names(
        &mut self,
        names: &[(&str, &str)],
    ) -> Result<BTreeMap<(String, String), Uuid>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let list = serde_json::to_string(names).map_err(corrupt)?;
        let rows = sqlx::query(
            "-- orders.find_names
             select n.source, n.id, n.order_key from json_each(?) wanted
             join order_ids n on n.source = wanted.value ->> 0 and n.id = wanted.value ->> 1",
        )
        .bind(list)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter().map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?))).collect()
    }

    /// Adds ids that no order has yet. Sorted, so that two writers cannot wait for each other.
    ///
    /// # Errors
    /// [`StoreError::Raced`] where somebody else added one in between.
    pub async fn insert_names(&mut self, names: &[NameRow]) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        for name in names {
            let done = sqlx::query(
                "-- orders.insert_names
                 insert into order_ids (source, id, order_key, role) values (?, ?, ?, ?)
                 on conflict do nothing",
            )
            .bind(&name.source)
            .bind(name.id.as_str())
            .bind(name.key)
            .bind(name.role.as_str())
            .execute(&mut **transaction)
            .await?;
            exactly_one(done.rows_affected())?;
        }
        Ok(())
    }

    /// Reads orders and keeps everybody else from writing them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lock_orders(&mut self, keys: &[Uuid]) -> Result<Vec<Loaded>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- orders.lock_orders: SQLite has one writer, which we are
             select key, source, version, state, event_count, effect_count, attention_count
             from orders where key in (select unhex(value) from json_each(?)) order by key",
        )
        .bind(key_list(keys)?)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter().map(loaded).collect()
    }

    /// Writes an order: a new one, or the next version of the one that was read.
    ///
    /// # Errors
    /// [`StoreError::Raced`] where it is not the version that was read.
    pub async fn write_order(&mut self, order: &Written<'_>) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        let state = serde_json::to_string(order.order).map_err(corrupt)?;
        let now = order.now.micros();
        let query = match order.version {
            None => sqlx::query(
                "-- orders.insert_order
                 insert into orders (version, state, event_count, effect_count, attention_count, kind,
                     status, outcome, is_final, is_held, updated_at, judge_at, key, source, created_at)
                 values (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ),
            Some(_) => sqlx::query(
                "-- orders.update_order
                 update orders set version = version + 1, state = ?, event_count = ?, effect_count = ?,
                     attention_count = ?, kind = ?, status = ?, outcome = ?, is_final = ?, is_held = ?,
                     updated_at = ?, judge_at = ?
                 where key = ? and version = ?",
            ),
        };
        let query = query
            .bind(state)
            .bind(order.event_count)
            .bind(order.effect_count)
            .bind(order.attention_count)
            .bind(order.kind)
            .bind(order.status)
            .bind(order.outcome)
            .bind(order.is_final)
            .bind(order.is_held)
            .bind(now)
            .bind(order.judge_at.map(Timestamp::micros))
            .bind(order.key);
        let query = match order.version {
            None => query.bind(order.source).bind(now),
            Some(version) => query.bind(version),
        };
        exactly_one(query.execute(&mut **transaction).await?.rows_affected())
    }

    /// Moves everything of one order to another, and deletes what is left of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn merge_orders(
        &mut self,
        from: &Loaded,
        into: Uuid,
        event_offset: i64,
        effect_offset: i64,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        for statement in [
            "-- orders.merge_names
             update order_ids set order_key = ?1 where order_key = ?2",
            "-- orders.merge_repeated_events: both knew the event
             update events set repeats = repeats + 1 + (select o.repeats from events o
                 where o.order_key = ?2 and o.event_id = events.event_id)
             where order_key = ?1 and event_id in (select event_id from events where order_key = ?2)",
            "-- orders.drop_repeated_events
             delete from events where order_key = ?2
                 and event_id in (select event_id from events where order_key = ?1)",
            "-- orders.merge_bodies
             update event_bodies set order_key = ?1 where order_key = ?2",
        ] {
            sqlx::query(statement).bind(into).bind(from.key).execute(&mut **transaction).await?;
        }
        // Effects keep their identity, which was made of the key that they were issued under.
        for (statement, offset) in [
            (
                "-- orders.merge_events
                 update events set order_key = ?1, seq = seq + ?3 where order_key = ?2",
                event_offset,
            ),
            (
                "-- orders.merge_effects
                 update effects set order_key = ?1, seq = seq + ?3 where order_key = ?2",
                effect_offset,
            ),
        ] {
            let query = sqlx::query(statement).bind(into).bind(from.key).bind(offset);
            query.execute(&mut **transaction).await?;
        }
        sqlx::query(
            "-- orders.drop_attention
             delete from attention where order_key = ?",
        )
        .bind(from.key)
        .execute(&mut **transaction)
        .await?;
        let done = sqlx::query(
            "-- orders.delete_merged
             delete from orders where key = ? and version = ?",
        )
        .bind(from.key)
        .bind(from.version)
        .execute(&mut **transaction)
        .await?;
        exactly_one(done.rows_affected())
    }

    /// An order by any of its ids.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_order(
        &mut self,
        source: &str,
        id: &str,
    ) -> Result<Option<OrderRow>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let row = sqlx::query(
            "-- orders.get_order
             select o.key, o.source, o.state, o.created_at, o.updated_at
             from order_ids n join orders o on o.key = n.order_key where n.source = ? and n.id = ?",
        )
        .bind(source)
        .bind(id)
        .fetch_optional(&mut **transaction)
        .await?;
        row.as_ref().map(shown).transpose()
    }

    /// Orders, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_orders(&mut self, filter: &Filter) -> Result<Vec<OrderRow>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- orders.list_orders
             select key, source, state, created_at, updated_at from orders
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
        .await?;
        rows.iter().map(shown).collect()
    }

    /// Orders that are to be judged again by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_orders(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- orders.due_orders
             select key from orders where judge_at <= ? order by judge_at limit ?",
        )
        .bind(now.micros())
        .bind(limit)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

pub(super) fn corrupt(error: impl ToString) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

pub(super) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_micros(micros).ok_or_else(|| corrupt(format!("{micros} is no time")))
}

/// Keys as a JSON list of hexadecimal texts, which is how SQLite takes a list.
pub(super) fn key_list(keys: &[Uuid]) -> Result<String, StoreError> {
    let keys: Vec<String> = keys.iter().map(|key| key.simple().to_string()).collect();
    serde_json::to_string(&keys).map_err(corrupt)
}

fn state(text: &str) -> Result<Order, StoreError> {
    serde_json::from_str(text).map_err(corrupt)
}

fn loaded(row: &SqliteRow) -> Result<Loaded, StoreError> {
    Ok(Loaded {
        key: row.try_get(0)?,
        source: row.try_get(1)?,
        version: row.try_get(2)?,
        order: state(row.try_get(3)?)?,
        event_count: row.try_get(4)?,
        effect_count: row.try_get(5)?,
        attention_count: row.try_get(6)?,
    })
}

fn shown(row: &SqliteRow) -> Result<OrderRow, StoreError> {
    Ok(OrderRow {
        key: row.try_get(0)?,
        source: row.try_get(1)?,
        order: state(row.try_get(2)?)?,
        created_at: time(row.try_get(3)?)?,
        updated_at: time(row.try_get(4)?)?,
    })
}
