//! Dead letters: accepted callbacks that could not be read or applied, with their original bytes.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::events::origin;
use super::orders::{corrupt, time};
use super::{StoreError, Transaction};
use crate::order::timestamp::Timestamp;
use crate::queue::message::{Callback, CallbackHeader};

/// A callback that could not be read or applied.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The callback as it came.
    pub callback: Callback,
    /// Why it could not be applied.
    pub reason: String,
    /// When that was found.
    pub died_at: Timestamp,
}

impl Transaction {
    /// Keeps a callback as a dead letter. One that is kept already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bury(&mut self, letter: &DeadLetter) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        let CallbackHeader { id, source, origin, received_at, headers, .. } =
            &letter.callback.header;
        sqlx::query(
            "-- dead_letters.bury
             insert into dead_letters (callback_id, source, origin, headers, body, reason, received_at,
                 died_at)
             values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
        )
        .bind(id)
        .bind(source)
        .bind(origin.as_str())
        .bind(serde_json::to_string(headers).map_err(corrupt)?)
        .bind(&letter.callback.body)
        .bind(&letter.reason)
        .bind(received_at.micros())
        .bind(letter.died_at.micros())
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// A dead letter by its callback's id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_dead_letter(&mut self, id: Uuid) -> Result<Option<DeadLetter>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let row = sqlx::query(
            "-- dead_letters.get
             select callback_id, source, origin, headers, body, reason, received_at, died_at
             from dead_letters where callback_id = ?",
        )
        .bind(id)
        .fetch_optional(&mut **transaction)
        .await?;
        row.as_ref().map(letter).transpose()
    }

    /// Dead letters, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_dead_letters(
        &mut self,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- dead_letters.list
             select callback_id, source, origin, headers, body, reason, received_at, died_at
             from dead_letters where ?1 is null or callback_id < ?1 order by callback_id desc limit ?2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter().map(letter).collect()
    }

    /// How many dead letters there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_dead_letters(&mut self) -> Result<i64, StoreError> {
        let Self::Sqlite(transaction) = self;
        let row = sqlx::query(
            "-- dead_letters.count
             select count(*) from dead_letters",
        )
        .fetch_one(&mut **transaction)
        .await?;
        Ok(row.try_get(0)?)
    }
}

fn letter(row: &SqliteRow) -> Result<DeadLetter, StoreError> {
    let header = CallbackHeader {
        id: row.try_get(0)?,
        source: row.try_get(1)?,
        origin: origin(row.try_get(2)?)?,
        headers: serde_json::from_str(row.try_get(3)?).map_err(corrupt)?,
        received_at: time(row.try_get(6)?)?,
        attempt: 0,
    };
    let callback = Callback { header, body: row.try_get(4)? };
    Ok(DeadLetter { callback, reason: row.try_get(5)?, died_at: time(row.try_get(7)?)? })
}
