//! The outbox: notices, written in the transaction that moved the order, and kept.

use uuid::Uuid;

use super::row::StoredRow;
use super::{StoreError, Transaction, exactly};
use crate::order::notice::Notice;
use crate::order::timestamp::Timestamp;

/// A notice to be written.
#[derive(Clone, Debug)]
pub struct NewNotice<'a> {
    /// Its order.
    pub key: Uuid,
    /// The order's source.
    pub source: &'a str,
    /// What is told.
    pub notice: &'a Notice,
}

/// A notice as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// Its order.
    pub key: Uuid,
    /// Which one of the order's, counted from 1.
    pub seq: i64,
    /// Its identity.
    pub id: Uuid,
    /// The order's source.
    pub source: String,
    /// What it is.
    pub kind: String,
    /// The whole of it, in JSON.
    pub body: String,
    /// When it was decided.
    pub at: Timestamp,
}

impl Transaction {
    /// Writes notices. An order's next one has the next number: a number that is taken is a fault of ours.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert_notices(
        &mut self,
        notices: &[NewNotice<'_>],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                for new in notices {
                    sqlx::query(
                        "-- outbox.insert_notices
                         insert into outbox (order_key, seq, id, source, type, body, at)
                         values (?, ?, ?, ?, ?, ?, ?)",
                    )
                    .bind(new.key)
                    .bind(new.notice.seq)
                    .bind(new.notice.id)
                    .bind(new.source)
                    .bind(new.notice.kind)
                    .bind(&new.notice.body)
                    .bind(now.micros())
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
            Self::Postgres(_) if notices.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                let done = sqlx::query(
                    "-- outbox.insert_notices
                     insert into outbox (order_key, seq, id, source, type, body, at)
                     select order_key, seq, id, source, type, body, $7
                     from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[])
                         w (order_key, seq, id, source, type, body)",
                )
                .bind(notices.iter().map(|new| new.key).collect::<Vec<_>>())
                .bind(notices.iter().map(|new| new.notice.seq).collect::<Vec<_>>())
                .bind(notices.iter().map(|new| new.notice.id).collect::<Vec<_>>())
                .bind(notices.iter().map(|new| new.source).collect::<Vec<_>>())
                .bind(notices.iter().map(|new| new.notice.kind).collect::<Vec<_>>())
                .bind(notices.iter().map(|new| new.notice.body.as_str()).collect::<Vec<_>>())
                .bind(now.datetime())
                .execute(&mut **transaction)
                .await?;
                exactly(notices.len(), done.rows_affected())
            }
        }
    }

    /// An order's notices after one of them, in their order, at most so many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_notices(
        &mut self,
        key: Uuid,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        const READ: &str = "-- outbox.read_notices
            select order_key, seq, id, source, type, body, at from outbox
            where order_key = $1 and seq > $2 order by seq limit $3";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(READ).bind(key).bind(after_seq).bind(limit);
                query.fetch_all(&mut **transaction).await?.iter().map(notice).collect()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(READ).bind(key).bind(after_seq).bind(limit);
                query.fetch_all(&mut **transaction).await?.iter().map(notice).collect()
            }
        }
    }

    /// The same of several orders at once, each after its own and at most so many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_notices_of(
        &mut self,
        after: &[(Uuid, i64)],
        limit: i64,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        match self {
            Self::Sqlite(_) => {
                let mut notices = Vec::new();
                for (key, seq) in after {
                    notices.extend(self.read_notices(*key, *seq, limit).await?);
                }
                Ok(notices)
            }
            Self::Postgres(transaction) => sqlx::query(
                "-- outbox.read_notices_of
                 select o.order_key, o.seq, o.id, o.source, o.type, o.body, o.at
                 from unnest($1::uuid[], $2::bigint[]) w (order_key, seq)
                 cross join lateral (select * from outbox n
                     where n.order_key = w.order_key and n.seq > w.seq order by n.seq limit $3) o
                 order by o.order_key, o.seq",
            )
            .bind(after.iter().map(|(key, _)| *key).collect::<Vec<_>>())
            .bind(after.iter().map(|(_, seq)| *seq).collect::<Vec<_>>())
            .bind(limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(notice)
            .collect(),
        }
    }
}

fn notice(row: &impl StoredRow) -> Result<NoticeRow, StoreError> {
    Ok(NoticeRow {
        key: row.uuid(0)?,
        seq: row.int(1)?,
        id: row.uuid(2)?,
        source: row.text(3)?,
        kind: row.text(4)?,
        body: row.text(5)?,
        at: row.time(6)?,
    })
}
