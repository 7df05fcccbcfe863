//! Dead letters: accepted callbacks that could not be read or applied, with their original bytes.

use uuid::Uuid;

use super::row::{StoredRow, corrupt, json, without_nul};
use super::{StoreError, Transaction};
use crate::order::report::Origin;
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
    /// Keeps callbacks as dead letters. One that is kept already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bury(&mut self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        // Sorted: two workers that bury the same callbacks do not wait for each other.
        let mut letters: Vec<&DeadLetter> = letters.iter().collect();
        letters.sort_by_key(|letter| letter.callback.header.id);
        match self {
            Self::Sqlite(transaction) => {
                for letter in letters {
                    let header = &letter.callback.header;
                    sqlx::query(
                        "-- dead_letters.bury
                         insert into dead_letters (callback_id, source, origin, headers, body, reason,
                             received_at, died_at)
                         values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
                    )
                    .bind(header.id)
                    .bind(&header.source)
                    .bind(header.origin.as_str())
                    .bind(json(&header.headers)?)
                    .bind(&letter.callback.body)
                    .bind(without_nul(&letter.reason))
                    .bind(header.received_at.micros())
                    .bind(letter.died_at.micros())
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
            Self::Postgres(transaction) => {
                // A body may be a megabyte: one statement each, as dead letters are few.
                for letter in letters {
                    let header = &letter.callback.header;
                    sqlx::query(
                        "-- dead_letters.bury
                         insert into dead_letters (callback_id, source, origin, headers, body, reason,
                             received_at, died_at)
                         values ($1, $2, $3, $4::text::json, $5, $6, $7, $8) on conflict do nothing",
                    )
                    .bind(header.id)
                    .bind(without_nul(&header.source))
                    .bind(header.origin.as_str())
                    .bind(json(&header.headers)?)
                    .bind(&letter.callback.body)
                    .bind(without_nul(&letter.reason))
                    .bind(header.received_at.datetime())
                    .bind(letter.died_at.datetime())
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
        }
    }

    /// A dead letter by its callback's id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get_dead_letter(&mut self, id: Uuid) -> Result<Option<DeadLetter>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- dead_letters.get
                 select callback_id, source, origin, headers, body, reason, received_at, died_at
                 from dead_letters where callback_id = ?",
            )
            .bind(id)
            .fetch_optional(&mut **transaction)
            .await?
            .as_ref()
            .map(letter)
            .transpose(),
            Self::Postgres(transaction) => sqlx::query(
                "-- dead_letters.get
                 select callback_id, source, origin, headers::text, body, reason, received_at, died_at
                 from dead_letters where callback_id = $1",
            )
            .bind(id)
            .fetch_optional(&mut **transaction)
            .await?
            .as_ref()
            .map(letter)
            .transpose(),
        }
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
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- dead_letters.list
                 select callback_id, source, origin, headers, body, reason, received_at, died_at
                 from dead_letters where ?1 is null or callback_id < ?1
                 order by callback_id desc limit ?2",
            )
            .bind(before)
            .bind(limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(letter)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- dead_letters.list
                 select callback_id, source, origin, headers::text, body, reason, received_at, died_at
                 from dead_letters where $1::uuid is null or callback_id < $1
                 order by callback_id desc limit $2",
            )
            .bind(before)
            .bind(limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(letter)
            .collect(),
        }
    }

    /// How many dead letters there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_dead_letters(&mut self) -> Result<i64, StoreError> {
        const COUNT: &str = "-- dead_letters.count
            select count(*) from dead_letters";
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(COUNT).fetch_one(&mut **transaction).await?.int(0)
            }
            Self::Postgres(transaction) => {
                sqlx::query(COUNT).fetch_one(&mut **transaction).await?.int(0)
            }
        }
    }
}

fn letter(row: &impl StoredRow) -> Result<DeadLetter, StoreError> {
    let header = CallbackHeader {
        id: row.uuid(0)?,
        source: row.text(1)?,
        origin: origin(&row.text(2)?)?,
        headers: row.json(3)?,
        received_at: row.time(6)?,
        attempt: 0,
        asked: std::collections::BTreeSet::new(),
        said_at: None,
    };
    let callback = Callback { header, body: row.bytes(4)? };
    Ok(DeadLetter { callback, reason: row.text(5)?, died_at: row.time(7)? })
}

/// An origin by its stored name.
fn origin(name: &str) -> Result<Origin, StoreError> {
    let found = Origin::ALL.into_iter().find(|origin| origin.as_str() == name);
    found.ok_or_else(|| corrupt(format!("{name} is no origin")))
}
