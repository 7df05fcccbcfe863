//! Deliveries: every accepted callback by its own id, with its verdict and, where new, its bytes.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::row::{StoredRow, key_list};
use super::{StoreError, Transaction};
use crate::order::Verdict;
use crate::order::timestamp::Timestamp;

/// A delivery that is settled: the callback's own id, and what it turned out to be.
#[derive(Clone, Debug)]
pub struct Settled<'a> {
    /// The callback.
    pub callback_id: Uuid,
    /// Which report of it.
    pub item: i64,
    /// The order.
    pub key: Uuid,
    /// The event that it is, or repeats.
    pub event_id: &'a str,
    /// What it turned out to be.
    pub verdict: Verdict,
    /// When it was received.
    pub received_at: Timestamp,
    /// The digest of its raw bytes.
    pub body_sha256: &'a [u8],
    /// Its raw bytes.
    pub body: &'a [u8],
}

/// A delivery of an event, as it is shown.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// The callback's own id.
    pub callback_id: Uuid,
    /// The event.
    pub event_id: String,
    /// What this delivery turned out to be.
    pub verdict: String,
    /// When it came.
    pub received_at: Timestamp,
}

/// What a callback turned out to be, a report each.
#[derive(Clone, Debug)]
pub struct VerdictRow {
    /// The source.
    pub source: String,
    /// One of the order's ids.
    pub order_id: Option<String>,
    /// The verdict.
    pub verdict: String,
}

impl Transaction {
    /// Of these callbacks, those that have their verdict, or are dead letters. They may be called
    /// settled once this transaction is committed, and not before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_settled(&mut self, ids: &[Uuid]) -> Result<BTreeSet<Uuid>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- deliveries.find_settled
                 select callback_id from event_bodies
                     where callback_id in (select unhex(value) from json_each(?1))
                 union select callback_id from dead_letters
                     where callback_id in (select unhex(value) from json_each(?1))",
            )
            .bind(key_list(ids)?)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| row.uuid(0))
            .collect(),
            Self::Postgres(transaction) => {
                let found: BTreeSet<Uuid> = sqlx::query(
                    "-- deliveries.find_settled
                     select callback_id from event_bodies where callback_id = any($1)
                     union select callback_id from dead_letters where callback_id = any($1)",
                )
                .bind(ids)
                .fetch_all(&mut **transaction)
                .await?
                .iter()
                .map(|row| row.uuid(0))
                .collect::<Result<_, _>>()?;
                if !found.is_empty() {
                    // A commit whose answer was lost may be on the primary alone, and we see it. A commit
                    // that writes nothing would not wait for the replica; this one does, and with it for
                    // all before it.
                    sqlx::query(
                        "-- deliveries.confirm
                         select pg_logical_emit_message(true, 'pawl', '')",
                    )
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(found)
            }
        }
    }

    /// How many of these deliveries were settled as hints.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_hints(&mut self, ids: &[Uuid]) -> Result<u64, StoreError> {
        let count = match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- deliveries.count_hints
                 select count(*) from event_bodies
                 where verdict = 'hint' and callback_id in (select unhex(value) from json_each(?))",
            )
            .bind(key_list(ids)?)
            .fetch_one(&mut **transaction)
            .await?
            .int(0)?,
            Self::Postgres(transaction) => sqlx::query(
                "-- deliveries.count_hints
                 select count(*) from event_bodies where verdict = 'hint' and callback_id = any($1)",
            )
            .bind(ids)
            .fetch_one(&mut **transaction)
            .await?
            .int(0)?,
        };
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Writes that deliveries are settled. Their bytes are kept where no delivery of the event had the
    /// same.
    ///
    /// # Errors
    /// [`StoreError::Raced`] where somebody else settled one in between (in SQLite nobody can).
    pub async fn settle(&mut self, settled: &[Settled<'_>]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                for settled in settled {
                    sqlx::query(
                        "-- deliveries.settle
                         insert into event_bodies (callback_id, item, order_key, event_id, verdict,
                             received_at, body_sha256, body)
                         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, case when exists (
                             select 1 from event_bodies
                             where order_key = ?3 and event_id = ?4 and body_sha256 = ?7)
                             then null else ?8 end)",
                    )
                    .bind(settled.callback_id)
                    .bind(settled.item)
                    .bind(settled.key)
                    .bind(settled.event_id)
                    .bind(settled.verdict.as_str())
                    .bind(settled.received_at.micros())
                    .bind(settled.body_sha256)
                    .bind(settled.body)
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
            Self::Postgres(_) if settled.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                // One statement does not see its own rows: of equal bytes only the first are sent.
                let mut sent = BTreeSet::new();
                let mut rows: Vec<(&Settled<'_>, Option<&[u8]>)> = settled
                    .iter()
                    .map(|row| {
                        let is_new = sent.insert((row.key, row.event_id, row.body_sha256));
                        (row, is_new.then_some(row.body))
                    })
                    .collect();
                rows.sort_by_key(|(row, _)| (row.callback_id, row.item));
                sqlx::query(
                    "-- deliveries.settle
                     insert into event_bodies (callback_id, item, order_key, event_id, verdict,
                         received_at, body_sha256, body)
                     select w.callback_id, w.item, w.order_key, w.event_id, w.verdict, w.received_at,
                         w.body_sha256, case when exists (select from event_bodies b
                             where b.order_key = w.order_key and b.event_id = w.event_id
                                 and b.body_sha256 = w.body_sha256)
                             then null else w.body end
                     from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[],
                         $6::timestamptz[], $7::bytea[], $8::bytea[])
                         w (callback_id, item, order_key, event_id, verdict, received_at, body_sha256,
                             body)",
                )
                .bind(rows.iter().map(|(row, _)| row.callback_id).collect::<Vec<_>>())
                .bind(rows.iter().map(|(row, _)| row.item).collect::<Vec<_>>())
                .bind(rows.iter().map(|(row, _)| row.key).collect::<Vec<_>>())
                .bind(rows.iter().map(|(row, _)| row.event_id).collect::<Vec<_>>())
                .bind(rows.iter().map(|(row, _)| row.verdict.as_str()).collect::<Vec<_>>())
                .bind(rows.iter().map(|(row, _)| row.received_at.datetime()).collect::<Vec<_>>())
                .bind(rows.iter().map(|(row, _)| row.body_sha256).collect::<Vec<_>>())
                .bind(rows.iter().map(|(_, body)| *body).collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
                Ok(())
            }
        }
    }

    /// Writes that hints are settled, by as little as tells one that comes again: whoever sends them may send
    /// any number.
    ///
    /// # Errors
    /// [`StoreError::Raced`] where somebody else settled one in between (in SQLite nobody can).
    pub async fn settle_hints(&mut self, hints: &[(Uuid, Timestamp)]) -> Result<(), StoreError> {
        let mut hints = hints.to_vec();
        hints.sort_unstable();
        match self {
            Self::Sqlite(transaction) => {
                for (callback_id, received_at) in hints {
                    sqlx::query(
                        "-- deliveries.settle_hints
                         insert into event_bodies (callback_id, item, order_key, event_id, verdict,
                             received_at, body_sha256)
                         values (?, 0, x'00000000000000000000000000000000', '', 'hint', ?, x'')",
                    )
                    .bind(callback_id)
                    .bind(received_at.micros())
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
            Self::Postgres(_) if hints.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                sqlx::query(
                    "-- deliveries.settle_hints
                     insert into event_bodies (callback_id, item, order_key, event_id, verdict,
                         received_at, body_sha256)
                     select callback_id, 0, '00000000-0000-0000-0000-000000000000', '', 'hint',
                         received_at, ''
                     from unnest($1::uuid[], $2::timestamptz[]) w (callback_id, received_at)",
                )
                .bind(hints.iter().map(|(id, _)| *id).collect::<Vec<_>>())
                .bind(hints.iter().map(|(_, at)| at.datetime()).collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
                Ok(())
            }
        }
    }

    /// Forgets that hints are settled which were received before then, so many at most. How many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_settled_hints(
        &mut self,
        until: Timestamp,
        limit: i64,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let done = sqlx::query(
                    "-- deliveries.forget_settled_hints
                     delete from event_bodies where (callback_id, item) in (
                         select callback_id, item from event_bodies
                         where verdict = 'hint' and received_at < ? order by received_at limit ?)",
                )
                .bind(until.micros())
                .bind(limit)
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected())
            }
            Self::Postgres(transaction) => {
                let done = sqlx::query(
                    "-- deliveries.forget_settled_hints
                     delete from event_bodies where (callback_id, item) in (
                         select callback_id, item from event_bodies
                         where verdict = 'hint' and received_at < $1 order by received_at limit $2
                         for update skip locked)",
                )
                .bind(until.datetime())
                .bind(limit)
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// What a callback turned out to be; nothing where it has no verdict.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_verdicts(
        &mut self,
        callback_id: Uuid,
    ) -> Result<Vec<VerdictRow>, StoreError> {
        const FIND: &str = "-- deliveries.find_verdicts
            select o.source, (select min(n.id) from order_ids n where n.order_key = o.key), b.verdict
            from event_bodies b join orders o on o.key = b.order_key
            where b.callback_id = $1 order by b.item";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(FIND).bind(callback_id);
                query.fetch_all(&mut **transaction).await?.iter().map(verdict).collect()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(FIND).bind(callback_id);
                query.fetch_all(&mut **transaction).await?.iter().map(verdict).collect()
            }
        }
    }

    /// The newest deliveries of an order's events, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_deliveries(
        &mut self,
        key: Uuid,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        const LIST: &str = "-- deliveries.list_deliveries
            select callback_id, event_id, verdict, received_at from event_bodies
            where order_key = $1 order by received_at desc, callback_id desc limit $2";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(LIST).bind(key).bind(limit);
                query.fetch_all(&mut **transaction).await?.iter().map(shown).collect()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(LIST).bind(key).bind(limit);
                query.fetch_all(&mut **transaction).await?.iter().map(shown).collect()
            }
        }
    }
}

fn shown(row: &impl StoredRow) -> Result<DeliveryRow, StoreError> {
    Ok(DeliveryRow {
        callback_id: row.uuid(0)?,
        event_id: row.text(1)?,
        verdict: row.text(2)?,
        received_at: row.time(3)?,
    })
}

fn verdict(row: &impl StoredRow) -> Result<VerdictRow, StoreError> {
    let (source, order_id) = (row.text(0)?, row.text_or_null(1)?);
    Ok(VerdictRow { source, order_id, verdict: row.text(2)? })
}
