//! Feeds: where each source's is read, and by whom. A lease on the source's row, by the database's clock,
//! and a token: whoever was away for longer than that moves nothing any more.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::row::{StoredRow, json, without_nul};
use super::{StoreError, Transaction, exactly};
use crate::order::timestamp::Timestamp;

/// Where a source's feed is read. What follows from it is in `poll::round`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// What the last page said about the next one.
    pub cursor: Option<String>,
    /// Where the last page of the round was asked for that had anything on it.
    pub filled_cursor: Option<String>,
    /// From when on the round asks.
    pub from: Option<Timestamp>,
    /// Until when the round asks, or the last one did.
    pub until: Option<Timestamp>,
    /// Since when a round is under way.
    pub round_at: Option<Timestamp>,
    /// How many pages were read since the last pause.
    pub pages: u32,
    /// How often it has moved.
    pub moves: i64,
    /// Where earlier rounds ended.
    pub trail: Vec<Mark>,
    /// When to read next.
    pub next_at: Timestamp,
    /// When the last round began that was read to its end.
    pub read_at: Timestamp,
    /// How often in a row nothing came of it.
    pub failures: u32,
    /// What came of it last, for people.
    pub outcome: Option<String>,
}

/// Where a round ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where its last page was asked for.
    pub cursor: Option<String>,
    /// Where the last page was asked for that had anything on it.
    pub before: Option<String>,
    /// When that round began.
    pub at: Timestamp,
}

/// A feed's row that nobody else changes now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedFeed {
    /// The row.
    pub row: FeedRow,
    /// Until when it is somebody's.
    pub lease_until: Option<Timestamp>,
}

const SELECT_SQLITE: &str = "-- feeds.lock_feed
    select cursor, window_from, window_until, round_at, pages, moves, trail, next_at, read_at, failures,
        outcome, lease_until, filled_cursor
    from feeds where source = ?";
const SELECT_POSTGRES: &str = "-- feeds.lock_feed
    select cursor, window_from, window_until, round_at, pages, moves, trail::text, next_at, read_at,
        failures, outcome, lease_until, filled_cursor
    from feeds where source = $1 for update";

impl Transaction {
    /// When a source's feed is to be read next; nothing where it never was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_feed(&mut self, source: &str) -> Result<Option<Timestamp>, StoreError> {
        const NEXT: &str = "-- feeds.next_feed
            select min(next_at) from feeds where source = $1";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(NEXT).bind(source);
                query.fetch_one(&mut **transaction).await?.time_or_null(0)
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(NEXT).bind(source);
                query.fetch_one(&mut **transaction).await?.time_or_null(0)
            }
        }
    }

    /// A source's feed, locked; one that was never read where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lock_feed(
        &mut self,
        source: &str,
        now: Timestamp,
    ) -> Result<LockedFeed, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(
                    "-- feeds.insert
                     insert into feeds (source, next_at, read_at) values (?1, ?2, ?2)
                     on conflict do nothing",
                )
                .bind(source)
                .bind(now.micros())
                .execute(&mut **transaction)
                .await?;
                let query = sqlx::query(SELECT_SQLITE).bind(source);
                feed(&query.fetch_one(&mut **transaction).await?)
            }
            Self::Postgres(transaction) => {
                sqlx::query(
                    "-- feeds.insert
                     insert into feeds (source, next_at, read_at) values ($1, $2, $2)
                     on conflict do nothing",
                )
                .bind(source)
                .bind(now.datetime())
                .execute(&mut **transaction)
                .await?;
                // A statement of its own: it sees what somebody else has just inserted.
                let query = sqlx::query(SELECT_POSTGRES).bind(source);
                feed(&query.fetch_one(&mut **transaction).await?)
            }
        }
    }

    /// Takes a feed, which is locked, until then, to read the page at which it now stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease_feed(
        &mut self,
        source: &str,
        row: &FeedRow,
        token: Uuid,
        lease_until: Timestamp,
    ) -> Result<(), StoreError> {
        let done = match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- feeds.lease_feed
                 update feeds set cursor = ?, filled_cursor = ?, window_from = ?, window_until = ?, round_at = ?, pages = ?,
                     token = ?, lease_until = ?
                 where source = ?",
            )
            .bind(row.cursor.as_deref())
            .bind(row.filled_cursor.as_deref())
            .bind(row.from.map(Timestamp::micros))
            .bind(row.until.map(Timestamp::micros))
            .bind(row.round_at.map(Timestamp::micros))
            .bind(i64::from(row.pages))
            .bind(token)
            .bind(lease_until.micros())
            .bind(source)
            .execute(&mut **transaction)
            .await?
            .rows_affected(),
            Self::Postgres(transaction) => sqlx::query(
                "-- feeds.lease_feed
                 update feeds set cursor = $1, filled_cursor = $2, window_from = $3, window_until = $4,
                     round_at = $5, pages = $6, token = $7, lease_until = $8
                 where source = $9",
            )
            .bind(row.cursor.as_deref())
            .bind(row.filled_cursor.as_deref())
            .bind(row.from.map(Timestamp::datetime))
            .bind(row.until.map(Timestamp::datetime))
            .bind(row.round_at.map(Timestamp::datetime))
            .bind(i64::from(row.pages))
            .bind(token)
            .bind(lease_until.datetime())
            .bind(source)
            .execute(&mut **transaction)
            .await?
            .rows_affected(),
        };
        exactly(1, done)
    }

    /// Moves a feed on from where it stood, and gives it back; whether it was still ours and stood there.
    /// If not, nothing is changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_feed(
        &mut self,
        source: &str,
        (token, moves): (Uuid, i64),
        row: &FeedRow,
    ) -> Result<bool, StoreError> {
        let done = match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- feeds.move_feed
                 update feeds set cursor = ?, filled_cursor = ?, window_from = ?, window_until = ?, round_at = ?, pages = ?,
                     moves = ?, trail = ?, next_at = ?, read_at = ?, failures = ?, outcome = ?,
                     token = null, lease_until = null
                 where source = ? and token = ? and moves = ?",
            )
            .bind(row.cursor.as_deref())
            .bind(row.filled_cursor.as_deref())
            .bind(row.from.map(Timestamp::micros))
            .bind(row.until.map(Timestamp::micros))
            .bind(row.round_at.map(Timestamp::micros))
            .bind(i64::from(row.pages))
            .bind(row.moves)
            .bind(json(&row.trail)?)
            .bind(row.next_at.micros())
            .bind(row.read_at.micros())
            .bind(i64::from(row.failures))
            .bind(row.outcome.as_deref().map(without_nul))
            .bind(source)
            .bind(token)
            .bind(moves)
            .execute(&mut **transaction)
            .await?
            .rows_affected(),
            Self::Postgres(transaction) => sqlx::query(
                "-- feeds.move_feed
                 update feeds set cursor = $1, filled_cursor = $2, window_from = $3, window_until = $4,
                     round_at = $5, pages = $6, moves = $7, trail = $8::text::json, next_at = $9,
                     read_at = $10, failures = $11, outcome = $12, token = null, lease_until = null
                 where source = $13 and token = $14 and moves = $15",
            )
            .bind(row.cursor.as_deref())
            .bind(row.filled_cursor.as_deref())
            .bind(row.from.map(Timestamp::datetime))
            .bind(row.until.map(Timestamp::datetime))
            .bind(row.round_at.map(Timestamp::datetime))
            .bind(i64::from(row.pages))
            .bind(row.moves)
            .bind(json(&row.trail)?)
            .bind(row.next_at.datetime())
            .bind(row.read_at.datetime())
            .bind(i64::from(row.failures))
            .bind(row.outcome.as_deref().map(without_nul))
            .bind(source)
            .bind(token)
            .bind(moves)
            .execute(&mut **transaction)
            .await?
            .rows_affected(),
        };
        Ok(done == 1)
    }

    /// Each feed's source, and when the last round began that was read to its end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_feeds(&mut self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        const LIST: &str = "-- feeds.list_feeds
            select source, read_at from feeds order by source";
        match self {
            Self::Sqlite(transaction) => {
                let rows = sqlx::query(LIST).fetch_all(&mut **transaction).await?;
                rows.iter().map(|row| Ok((row.text(0)?, row.time(1)?))).collect()
            }
            Self::Postgres(transaction) => {
                let rows = sqlx::query(LIST).fetch_all(&mut **transaction).await?;
                rows.iter().map(|row| Ok((row.text(0)?, row.time(1)?))).collect()
            }
        }
    }
}

fn feed(row: &impl StoredRow) -> Result<LockedFeed, StoreError> {
    Ok(LockedFeed {
        row: FeedRow {
            cursor: row.text_or_null(0)?,
            filled_cursor: row.text_or_null(12)?,
            from: row.time_or_null(1)?,
            until: row.time_or_null(2)?,
            round_at: row.time_or_null(3)?,
            pages: u32::try_from(row.int(4)?).unwrap_or(u32::MAX),
            moves: row.int(5)?,
            trail: row.json(6)?,
            next_at: row.time(7)?,
            read_at: row.time(8)?,
            failures: u32::try_from(row.int(9)?).unwrap_or(u32::MAX),
            outcome: row.text_or_null(10)?,
        },
        lease_until: row.time_or_null(11)?,
    })
}
