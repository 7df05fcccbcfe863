//! Attempts at callbacks that two processes ended on: counted before each, so that what ends the process
//! is known to have been tried.

use uuid::Uuid;

use super::row::StoredRow;
use super::{StoreError, Transaction};
use crate::order::timestamp::Timestamp;

impl Transaction {
    /// Counts one more attempt at a callback; how many have been begun and not brought to their end,
    /// this one included. It is to be committed before the attempt.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_attempt(&mut self, id: Uuid, now: Timestamp) -> Result<i64, StoreError> {
        const BEGIN: &str = "-- attempts.begin
            insert into attempts (callback_id, count, last_at) values ($1, 1, $2)
            on conflict (callback_id) do update
                set count = attempts.count + 1, last_at = excluded.last_at
            returning count";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(BEGIN).bind(id).bind(now.micros());
                query.fetch_one(&mut **transaction).await?.int(0)
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(BEGIN).bind(id).bind(now.datetime());
                query.fetch_one(&mut **transaction).await?.int(0)
            }
        }
    }

    /// Takes an attempt back that did not end the process: the store was at fault.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_back_attempt(&mut self, id: Uuid) -> Result<(), StoreError> {
        self.change_attempts(
            "-- attempts.take_back
             update attempts set count = count - 1 where callback_id = $1 and count > 0",
            id,
        )
        .await
    }

    /// Forgets the attempts at a callback that has its verdict, or is a dead letter.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_attempts(&mut self, id: Uuid) -> Result<(), StoreError> {
        self.change_attempts(
            "-- attempts.end
             delete from attempts where callback_id = $1",
            id,
        )
        .await
    }

    async fn change_attempts(
        &mut self,
        statement: &'static str,
        id: Uuid,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(statement).bind(id).execute(&mut **transaction).await?;
            }
            Self::Postgres(transaction) => {
                sqlx::query(statement).bind(id).execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }
}
