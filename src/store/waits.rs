//! What waits at sources: orders that are open, asks that are due, callbacks that have not come.

use super::row::{StoredRow, json};
use super::{StoreError, Transaction};
use crate::order::timestamp::Timestamp;

impl Transaction {
    /// Marks the orders of a source whose callback has not come until then as missed; how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_missed(&mut self, source: &str, until: Timestamp) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let done = sqlx::query(
                    "-- waits.mark_missed
                     update orders set is_missed = 1
                     where source = ? and not is_missed and silent_since <= ?",
                )
                .bind(source)
                .bind(until.micros())
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected())
            }
            Self::Postgres(transaction) => {
                let done = sqlx::query(
                    "-- waits.mark_missed
                     update orders set is_missed = true
                     where key in (select key from orders
                         where source = $1 and not is_missed and silent_since <= $2
                         order by key for update skip locked)",
                )
                .bind(source)
                .bind(until.datetime())
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// For each source: when the oldest order that is open was first heard of, since when the ask that is
    /// overdue longest is due, and how many callbacks have not come although an answer had the news.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_waits(&mut self, sources: &[&str]) -> Result<Vec<Waits>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- waits.list_waits
                 select s.value, (select min(created_at) from orders where source = s.value and not is_final),
                     (select min(next_ask_at) from orders
                         where source = s.value and next_ask_at is not null and ask_step < 4),
                     (select min(next_ask_at) from orders
                         where source = s.value and next_ask_at is not null and ask_step >= 4),
                     (select count(*) from orders
                         where source = s.value and silent_since is not null and not is_missed)
                 from json_each(?) s",
            )
            .bind(json(&sources)?)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(waits)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- waits.list_waits
                 select s, (select min(created_at) from orders where source = s and not is_final),
                     (select min(next_ask_at) from orders
                         where source = s and next_ask_at is not null and ask_step < 4),
                     (select min(next_ask_at) from orders
                         where source = s and next_ask_at is not null and ask_step >= 4),
                     (select count(*) from orders
                         where source = s and silent_since is not null and not is_missed)
                 from unnest($1::text[]) s",
            )
            .bind(sources)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(waits)
            .collect(),
        }
    }
}

/// What waits at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The source.
    pub source: String,
    /// When the oldest order that is open was first heard of.
    pub oldest_open: Option<Timestamp>,
    /// When the first ask that is to come is, or was, due.
    pub next_ask: Option<Timestamp>,
    /// How many callbacks have not come although an answer had the news.
    pub silent: i64,
}

fn waits(row: &impl StoredRow) -> Result<Waits, StoreError> {
    let (fresh, old) = (row.time_or_null(2)?, row.time_or_null(3)?);
    Ok(Waits {
        source: row.text(0)?,
        oldest_open: row.time_or_null(1)?,
        next_ask: [fresh, old].into_iter().flatten().min(),
        silent: row.int(4)?,
    })
}
