//! Budgets: how often each source may be asked, shared by all who ask.

use uuid::Uuid;

use super::row::StoredRow;
use super::{StoreError, Transaction, exactly};
use crate::order::timestamp::Timestamp;

/// What a source has left, and what went wrong there. What follows from it is in `budget`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Millionths of a request that were there at `filled_at`.
    pub tokens_micro: i64,
    /// When that was.
    pub filled_at: Timestamp,
    /// How many were asked about so far.
    pub turn: i64,
    /// Nobody asks before: the provider said so itself.
    pub said_until: Option<Timestamp>,
    /// Since when it is left alone because nothing came of asking.
    pub paused_at: Option<Timestamp>,
    /// Nobody asks before, for that reason.
    pub paused_until: Option<Timestamp>,
    /// Why, for people.
    pub pause_reason: Option<String>,
    /// How many asks in a row, each about another order than the one before, brought no information.
    pub failures: u32,
    /// About which order the last of them was.
    pub failed_key: Option<Uuid>,
    /// Millionths of a hint that may be followed, at `filled_at`.
    pub hint_tokens_micro: i64,
}

impl Transaction {
    /// The budget of a source, locked; a full one where there is none yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lock_budget(&mut self, source: &str, full: &Budget) -> Result<Budget, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(
                    "-- budgets.insert
                     insert into budgets (source, tokens_micro, filled_at, hint_tokens_micro)
                     values (?, ?, ?, ?)
                     on conflict do nothing",
                )
                .bind(source)
                .bind(full.tokens_micro)
                .bind(full.filled_at.micros())
                .bind(full.hint_tokens_micro)
                .execute(&mut **transaction)
                .await?;
                let row = sqlx::query(
                    "-- budgets.lock_budget
                     select tokens_micro, filled_at, turn, said_until, paused_at, paused_until,
                         pause_reason, failures, failed_key, hint_tokens_micro
                     from budgets where source = ?",
                )
                .bind(source)
                .fetch_one(&mut **transaction)
                .await?;
                budget(&row)
            }
            Self::Postgres(transaction) => {
                sqlx::query(
                    "-- budgets.insert
                     insert into budgets (source, tokens_micro, filled_at, hint_tokens_micro)
                     values ($1, $2, $3, $4)
                     on conflict do nothing",
                )
                .bind(source)
                .bind(full.tokens_micro)
                .bind(full.filled_at.datetime())
                .bind(full.hint_tokens_micro)
                .execute(&mut **transaction)
                .await?;
                // A statement of its own: it sees what somebody else has just inserted.
                let row = sqlx::query(
                    "-- budgets.lock_budget
                     select tokens_micro, filled_at, turn, said_until, paused_at, paused_until,
                         pause_reason, failures, failed_key, hint_tokens_micro
                     from budgets where source = $1 for update",
                )
                .bind(source)
                .fetch_one(&mut **transaction)
                .await?;
                budget(&row)
            }
        }
    }

    /// Forgets a budget: the next one is full, and nobody is left alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_budget(&mut self, source: &str) -> Result<(), StoreError> {
        const FORGET: &str = "-- budgets.forget_budget
            delete from budgets where source = $1";
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(FORGET).bind(source).execute(&mut **transaction).await?;
            }
            Self::Postgres(transaction) => {
                sqlx::query(FORGET).bind(source).execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }

    /// Writes a budget, which is locked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn write_budget(&mut self, source: &str, budget: &Budget) -> Result<(), StoreError> {
        let done = match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- budgets.write_budget
                 update budgets set tokens_micro = ?, filled_at = ?, turn = ?, said_until = ?, paused_at = ?,
                     paused_until = ?, pause_reason = ?, failures = ?, failed_key = ?, hint_tokens_micro = ?
                 where source = ?",
            )
            .bind(budget.tokens_micro)
            .bind(budget.filled_at.micros())
            .bind(budget.turn)
            .bind(budget.said_until.map(Timestamp::micros))
            .bind(budget.paused_at.map(Timestamp::micros))
            .bind(budget.paused_until.map(Timestamp::micros))
            .bind(budget.pause_reason.as_deref())
            .bind(i64::from(budget.failures))
            .bind(budget.failed_key)
            .bind(budget.hint_tokens_micro)
            .bind(source)
            .execute(&mut **transaction)
            .await?
            .rows_affected(),
            Self::Postgres(transaction) => sqlx::query(
                "-- budgets.write_budget
                 update budgets set tokens_micro = $1, filled_at = $2, turn = $3, said_until = $4,
                     paused_at = $5, paused_until = $6, pause_reason = $7, failures = $8,
                     failed_key = $9, hint_tokens_micro = $10
                 where source = $11",
            )
            .bind(budget.tokens_micro)
            .bind(budget.filled_at.datetime())
            .bind(budget.turn)
            .bind(budget.said_until.map(Timestamp::datetime))
            .bind(budget.paused_at.map(Timestamp::datetime))
            .bind(budget.paused_until.map(Timestamp::datetime))
            .bind(budget.pause_reason.as_deref())
            .bind(i64::from(budget.failures))
            .bind(budget.failed_key)
            .bind(budget.hint_tokens_micro)
            .bind(source)
            .execute(&mut **transaction)
            .await?
            .rows_affected(),
        };
        exactly(1, done)
    }

    /// How many asks in a row brought no information, of a source.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_failures(&mut self, source: &str) -> Result<i64, StoreError> {
        const COUNT: &str = "-- budgets.count_failures
            select coalesce(max(failures), 0) from budgets where source = $1";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(COUNT).bind(source);
                query.fetch_one(&mut **transaction).await?.int(0)
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(COUNT).bind(source);
                query.fetch_one(&mut **transaction).await?.int(0)
            }
        }
    }

    /// Until when each source is paused, and why, of those that are or were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_pauses(
        &mut self,
    ) -> Result<Vec<(String, Timestamp, Option<String>)>, StoreError> {
        const LIST_SQLITE: &str = "-- budgets.list_pauses
            select source, max(coalesce(said_until, paused_until), coalesce(paused_until, said_until)),
                pause_reason
            from budgets where paused_until is not null or said_until is not null order by source";
        const LIST_POSTGRES: &str = "-- budgets.list_pauses
            select source, greatest(said_until, paused_until), pause_reason
            from budgets where paused_until is not null or said_until is not null order by source";
        match self {
            Self::Sqlite(transaction) => {
                let rows = sqlx::query(LIST_SQLITE).fetch_all(&mut **transaction).await?;
                rows.iter().map(pause).collect()
            }
            Self::Postgres(transaction) => {
                let rows = sqlx::query(LIST_POSTGRES).fetch_all(&mut **transaction).await?;
                rows.iter().map(pause).collect()
            }
        }
    }
}

fn pause(row: &impl StoredRow) -> Result<(String, Timestamp, Option<String>), StoreError> {
    Ok((row.text(0)?, row.time(1)?, row.text_or_null(2)?))
}

fn budget(row: &impl StoredRow) -> Result<Budget, StoreError> {
    Ok(Budget {
        tokens_micro: row.int(0)?,
        filled_at: row.time(1)?,
        turn: row.int(2)?,
        said_until: row.time_or_null(3)?,
        paused_at: row.time_or_null(4)?,
        paused_until: row.time_or_null(5)?,
        pause_reason: row.text_or_null(6)?,
        failures: u32::try_from(row.int(7)?).unwrap_or(u32::MAX),
        failed_key: row.uuid_or_null(8)?,
        hint_tokens_micro: row.int(9)?,
    })
}
