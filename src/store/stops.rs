//! Lines as they are looked at, given up, and taken up again by a person.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::lines::{LineCount, LineRow, stopped_key};
use super::row::{StoredRow, without_nul};
use super::{NoticeRow, StoreError, Transaction};
use crate::order::timestamp::Timestamp;

const COLUMNS_BY_ORDER: &str = "-- stops.list_lines
    select sink, order_key, done_seq, last_seq, waits_since, due_at, tries, reason, stopped_at
    from sink_lines where order_key = $1
        or order_key in (select from_key from order_merges where into_key = $1)
    order by sink, order_key";

const COLUMNS_STOPPED: &str = "-- stops.list_stopped
    select sink, order_key, done_seq, last_seq, waits_since, due_at, tries, reason, stopped_at
    from sink_lines where sink = $1 and done_seq < last_seq and stopped_at is not null
    order by waits_since limit $2";

/// What one order waits for at one sink.
#[derive(Clone, Debug)]
pub struct Undelivered {
    /// The line.
    pub line: LineRow,
    /// The notice that it waits for.
    pub notice: Option<NoticeRow>,
}

impl Transaction {
    /// What an order waits for at each sink; nothing of those that have it all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_undelivered(&mut self, key: Uuid) -> Result<Vec<Undelivered>, StoreError> {
        let lines = self.list_lines(key).await?;
        let waiting = lines.into_iter().filter(|line| line.done_seq < line.last_seq);
        self.find_notices(waiting.collect()).await
    }

    /// The notices that lines wait for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_notices(
        &mut self,
        lines: Vec<LineRow>,
    ) -> Result<Vec<Undelivered>, StoreError> {
        let mut found = Vec::new();
        for line in lines {
            let notice = self.read_notices(line.key, line.done_seq, 1).await?.pop();
            found.push(Undelivered { line, notice });
        }
        Ok(found)
    }

    /// An order's lines, and those of orders that turned out to be it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_lines(&mut self, key: Uuid) -> Result<Vec<LineRow>, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(COLUMNS_BY_ORDER).bind(key);
                query.fetch_all(&mut **transaction).await?.iter().map(shown).collect()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(COLUMNS_BY_ORDER).bind(key);
                query.fetch_all(&mut **transaction).await?.iter().map(shown).collect()
            }
        }
    }

    /// Lines of a sink that were given up, those that wait longest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_stopped(
        &mut self,
        sink: &str,
        limit: i64,
    ) -> Result<Vec<LineRow>, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(COLUMNS_STOPPED).bind(sink).bind(limit);
                query.fetch_all(&mut **transaction).await?.iter().map(shown).collect()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(COLUMNS_STOPPED).bind(sink).bind(limit);
                query.fetch_all(&mut **transaction).await?.iter().map(shown).collect()
            }
        }
    }

    /// What waits, by sink.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_lines(&mut self) -> Result<BTreeMap<String, LineCount>, StoreError> {
        const COUNT: &str = "-- stops.count_lines
            select sink, count(*), min(waits_since), count(stopped_at) from sink_lines
            where done_seq < last_seq group by sink";
        match self {
            Self::Sqlite(transaction) => {
                let rows = sqlx::query(COUNT).fetch_all(&mut **transaction).await?;
                rows.iter().map(count).collect()
            }
            Self::Postgres(transaction) => {
                let rows = sqlx::query(COUNT).fetch_all(&mut **transaction).await?;
                rows.iter().map(count).collect()
            }
        }
    }

    /// Tells people that a line was given up, of an order that is locked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_stop(
        &mut self,
        key: Uuid,
        sink: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        const BEGIN: &str = "-- stops.begin_stop
            insert into attention (order_key, key, code, text, since)
            values ($1, $2, 'sink_stopped', $3, $4) on conflict do nothing";
        const COUNT: &str = "-- stops.count_begun
            update orders set attention_count = attention_count + 1 where key = $1";
        let (attention_key, text) = (stopped_key(sink), without_nul(text));
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(BEGIN).bind(key).bind(attention_key).bind(text);
                let begun = query.bind(now.micros()).execute(&mut **transaction).await?;
                if begun.rows_affected() > 0 {
                    sqlx::query(COUNT).bind(key).execute(&mut **transaction).await?;
                }
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(BEGIN).bind(key).bind(attention_key).bind(text);
                let begun = query.bind(now.datetime()).execute(&mut **transaction).await?;
                if begun.rows_affected() > 0 {
                    sqlx::query(COUNT).bind(key).execute(&mut **transaction).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes it back: for one order, which is locked, or for all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_stops(&mut self, sink: &str, key: Option<Uuid>) -> Result<(), StoreError> {
        const COUNT: &str = "-- stops.count_ended
            update orders set attention_count = attention_count - 1
            where key in (select order_key from attention
                where code = 'sink_stopped' and key = $1 and order_key = coalesce($2, order_key))";
        const END: &str = "-- stops.end_stops
            delete from attention
            where code = 'sink_stopped' and key = $1 and order_key = coalesce($2, order_key)";
        const WHOSE: &str = "-- stops.whose
            select order_key from attention where code = 'sink_stopped' and key = $1";
        let attention_key = stopped_key(sink);
        if key.is_none() {
            let keys: Vec<Uuid> = match self {
                Self::Sqlite(transaction) => {
                    let query = sqlx::query(WHOSE).bind(&attention_key);
                    let rows = query.fetch_all(&mut **transaction).await?;
                    rows.iter().map(|row| row.uuid(0)).collect::<Result<_, _>>()?
                }
                Self::Postgres(transaction) => {
                    let query = sqlx::query(WHOSE).bind(&attention_key);
                    let rows = query.fetch_all(&mut **transaction).await?;
                    rows.iter().map(|row| row.uuid(0)).collect::<Result<_, _>>()?
                }
            };
            self.lock_orders(&keys).await?;
        }
        match self {
            Self::Sqlite(transaction) => {
                for statement in [COUNT, END] {
                    let query = sqlx::query(statement).bind(&attention_key).bind(key);
                    query.execute(&mut **transaction).await?;
                }
            }
            Self::Postgres(transaction) => {
                for statement in [COUNT, END] {
                    let query = sqlx::query(statement).bind(&attention_key).bind(key);
                    query.execute(&mut **transaction).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes a line up again, at once: from the notice that was not taken, or from the one after it.
    /// Whether it had been given up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn resume_line(
        &mut self,
        sink: &str,
        (key, done_seq): (Uuid, i64),
        is_skipped: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const RESUME: &str = "-- stops.resume_line
            update sink_lines set stopped_at = null, tries = 0, failing_since = null, due_at = $4,
                done_seq = done_seq + case when $3 then 1 else 0 end
            where sink = $1 and order_key = $2 and stopped_at is not null and done_seq = $5";
        let done = match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(RESUME).bind(sink).bind(key).bind(is_skipped);
                query
                    .bind(now.micros())
                    .bind(done_seq)
                    .execute(&mut **transaction)
                    .await?
                    .rows_affected()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(RESUME).bind(sink).bind(key).bind(is_skipped);
                query
                    .bind(now.datetime())
                    .bind(done_seq)
                    .execute(&mut **transaction)
                    .await?
                    .rows_affected()
            }
        };
        Ok(done > 0)
    }
}

fn count(row: &impl StoredRow) -> Result<(String, LineCount), StoreError> {
    let count =
        LineCount { waiting: row.int(1)?, oldest: row.time_or_null(2)?, stopped: row.int(3)? };
    Ok((row.text(0)?, count))
}

fn shown(row: &impl StoredRow) -> Result<LineRow, StoreError> {
    Ok(LineRow {
        sink: row.text(0)?,
        key: row.uuid(1)?,
        done_seq: row.int(2)?,
        last_seq: row.int(3)?,
        waits_since: row.time(4)?,
        due_at: row.time(5)?,
        tries: u32::try_from(row.int(6)?).unwrap_or(u32::MAX),
        reason: row.text_or_null(7)?,
        stopped_at: row.time_or_null(8)?,
    })
}
