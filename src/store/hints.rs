//! Hints: of which orders callbacks that nobody vouches for say that there may be news. Several about one
//! order are one row, until it was asked about. Who asks because of one is in `hint_asks`.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::row::{StoredRow, json, key_list};
use super::{StoreError, Transaction};
use crate::order::name::{OrderId, Role};
use crate::order::timestamp::Timestamp;

/// A hint to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHint {
    /// The source that it came for.
    pub source: String,
    /// The first of the ids of an order that is known; else what the hint says.
    pub order_id: String,
    /// The order, if it is known.
    pub key: Option<Uuid>,
    /// If it is not: by which ids the provider can be asked.
    pub names: BTreeMap<OrderId, Role>,
}

/// How many hints about orders that nobody knows are kept at most, of each source. Those about orders that
/// are known are no more than there are orders.
pub const STRANGERS_MAX: i64 = 1000;

impl Transaction {
    /// By which id a hint about each of these orders waits: the one that a hint waits by already, else the
    /// first of all, whichever the hint names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hint_ids(&mut self, keys: &[Uuid]) -> Result<BTreeMap<Uuid, String>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- hints.hint_ids
                 select n.order_key, coalesce((select min(h.order_id) from hints h
                     where h.order_key = n.order_key), min(n.id))
                 from order_ids n where n.order_key in (select unhex(value) from json_each(?))
                 group by n.order_key",
            )
            .bind(key_list(keys)?)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| Ok((row.uuid(0)?, row.text(1)?)))
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- hints.hint_ids
                 select n.order_key, coalesce((select min(h.order_id) from hints h
                     where h.order_key = n.order_key), min(n.id))
                 from order_ids n where n.order_key = any($1) group by n.order_key",
            )
            .bind(keys)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| Ok((row.uuid(0)?, row.text(1)?)))
            .collect(),
        }
    }

    /// Of these hints, by source and id, those that wait already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_hints(
        &mut self,
        hints: &[(&str, &str)],
    ) -> Result<BTreeSet<(String, String)>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- hints.find_hints
                 select h.source, h.order_id from json_each(?) wanted
                 join hints h on h.source = wanted.value ->> 0 and h.order_id = wanted.value ->> 1",
            )
            .bind(json(&hints)?)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| Ok((row.text(0)?, row.text(1)?)))
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- hints.find_hints
                 select h.source, h.order_id from unnest($1::text[], $2::text[]) w (source, order_id)
                 join hints h on h.source = w.source and h.order_id = w.order_id",
            )
            .bind(hints.iter().map(|(source, _)| *source).collect::<Vec<_>>())
            .bind(hints.iter().map(|(_, order_id)| *order_id).collect::<Vec<_>>())
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| Ok((row.text(0)?, row.text(1)?)))
            .collect(),
        }
    }

    /// How many more hints about orders that nobody knows a source may have. Several who count at the same
    /// moment may each add a batch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn room_for_strangers(&mut self, source: &str) -> Result<usize, StoreError> {
        const COUNT: &str = "-- hints.count_strangers
            select count(*) from hints where source = $1 and order_key is null";
        let count = match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(COUNT).bind(source);
                query.fetch_one(&mut **transaction).await?.int(0)?
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(COUNT).bind(source);
                query.fetch_one(&mut **transaction).await?.int(0)?
            }
        };
        Ok(usize::try_from(STRANGERS_MAX.saturating_sub(count)).unwrap_or(0))
    }

    /// Writes hints, each once. One that waits already stays as it is; but where somebody asks because of it
    /// just now, what they hear may be older than this one, so that it waits anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_hints(
        &mut self,
        hints: &[NewHint],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Sorted: two writers of the same hints do not wait for each other.
        let mut hints: Vec<&NewHint> = hints.iter().collect();
        hints.sort_by_key(|hint| (&hint.source, &hint.order_id));
        match self {
            Self::Sqlite(transaction) => {
                for hint in hints {
                    sqlx::query(
                        "-- hints.record_hints
                         insert into hints (source, order_id, order_key, names, hinted_at)
                         values (?, ?, ?, ?, ?)
                         on conflict (source, order_id) do update set
                             order_key = coalesce(excluded.order_key, hints.order_key),
                             hinted_at = excluded.hinted_at
                         where hints.token is not null or hints.order_key is not excluded.order_key",
                    )
                    .bind(&hint.source)
                    .bind(&hint.order_id)
                    .bind(hint.key)
                    .bind(json(&hint.names)?)
                    .bind(now.micros())
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
            Self::Postgres(_) if hints.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                let names: Result<Vec<String>, StoreError> =
                    hints.iter().map(|hint| json(&hint.names)).collect();
                sqlx::query(
                    "-- hints.record_hints
                     insert into hints (source, order_id, order_key, names, hinted_at)
                     select source, order_id, order_key, names::json, $5
                     from unnest($1::text[], $2::text[], $3::uuid[], $4::text[])
                         w (source, order_id, order_key, names)
                     on conflict (source, order_id) do update set
                         order_key = coalesce(excluded.order_key, hints.order_key),
                         hinted_at = excluded.hinted_at
                     where hints.token is not null
                         or hints.order_key is distinct from excluded.order_key",
                )
                .bind(hints.iter().map(|hint| hint.source.as_str()).collect::<Vec<_>>())
                .bind(hints.iter().map(|hint| hint.order_id.as_str()).collect::<Vec<_>>())
                .bind(hints.iter().map(|hint| hint.key).collect::<Vec<_>>())
                .bind(names?)
                .bind(now.datetime())
                .execute(&mut **transaction)
                .await?;
                Ok(())
            }
        }
    }

    /// Forgets hints that came before then, so many at most: nobody could ask because of them for so long
    /// that they are no news. How many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_hints(&mut self, until: Timestamp, limit: i64) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let done = sqlx::query(
                    "-- hints.forget_hints
                     delete from hints where (source, order_id) in (
                         select source, order_id from hints where hinted_at < ? limit ?)",
                )
                .bind(until.micros())
                .bind(limit)
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected())
            }
            Self::Postgres(transaction) => {
                let done = sqlx::query(
                    "-- hints.forget_hints
                     delete from hints where (source, order_id) in (
                         select source, order_id from hints where hinted_at < $1
                         limit $2 for update skip locked)",
                )
                .bind(until.datetime())
                .bind(limit)
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected())
            }
        }
    }
}
