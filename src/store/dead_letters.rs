//! Dead letters: accepted callbacks that could not be read or applied, with their original bytes.

use uuid::Uuid;

use super::row::{StoredRow, corrupt, json, without_nul};
use super::{StoreError, Transaction, exactly};
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

impl DeadLetter {
    /// Of a callback.
    #[must_use]
    pub fn of(callback: &Callback, reason: String, died_at: Timestamp) -> Self {
        let mut callback = callback.clone();
        callback.header.id = callback.letter_id();
        Self { callback, reason, died_at }
    }
}

/// Which dead letters to list.
#[derive(Clone, Debug, Default)]
pub struct LetterFilter {
    /// Of this source only.
    pub source: Option<String>,
    /// Whose reason contains this.
    pub reason_contains: Option<String>,
    /// Older than this one.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// A dead letter that was looked for, to do something to it.
#[derive(Clone, Debug)]
pub enum LockedLetter {
    /// It is there, and nobody else does anything to it.
    Kept(DeadLetter),
    /// It was dropped.
    Dropped,
    /// There is none.
    Missing,
}

impl Transaction {
    /// Keeps callbacks as dead letters. One that is kept already stays as it is. A hint never is one: anybody
    /// could fill the store with those, and redriven it would make claims. It is settled, and that is all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bury(&mut self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        // Sorted: two workers that bury the same callbacks do not wait for each other.
        let (hints, mut letters): (Vec<&DeadLetter>, Vec<_>) =
            letters.iter().partition(|letter| letter.callback.header.is_hint);
        let headers = hints.iter().map(|hint| &hint.callback.header);
        let hints: Vec<_> = headers.map(|header| (header.id, header.received_at)).collect();
        self.settle_hints(&hints).await?;
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
                 from dead_letters where callback_id = ? and dropped_at is null",
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
                 from dead_letters where callback_id = $1 and dropped_at is null",
            )
            .bind(id)
            .fetch_optional(&mut **transaction)
            .await?
            .as_ref()
            .map(letter)
            .transpose(),
        }
    }

    /// Finds a dead letter and keeps everybody else from it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lock_dead_letter(&mut self, id: Uuid) -> Result<LockedLetter, StoreError> {
        match self {
            Self::Sqlite(transaction) => locked(
                sqlx::query(
                    "-- dead_letters.lock
                     select callback_id, source, origin, headers, body, reason, received_at, died_at,
                         dropped_at
                     from dead_letters where callback_id = ?",
                )
                .bind(id)
                .fetch_optional(&mut **transaction)
                .await?
                .as_ref(),
            ),
            Self::Postgres(transaction) => locked(
                sqlx::query(
                    "-- dead_letters.lock
                     select callback_id, source, origin, headers::text, body, reason, received_at,
                         died_at, dropped_at
                     from dead_letters where callback_id = $1 for update",
                )
                .bind(id)
                .fetch_optional(&mut **transaction)
                .await?
                .as_ref(),
            ),
        }
    }

    /// Removes a dead letter that is locked. Its callback gets its verdict in this transaction, or is
    /// buried again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_dead_letter(&mut self, id: Uuid) -> Result<(), StoreError> {
        const REMOVE: &str = "-- dead_letters.remove
            delete from dead_letters where callback_id = $1";
        let rows = match self {
            Self::Sqlite(transaction) => {
                sqlx::query(REMOVE).bind(id).execute(&mut **transaction).await?.rows_affected()
            }
            Self::Postgres(transaction) => {
                sqlx::query(REMOVE).bind(id).execute(&mut **transaction).await?.rows_affected()
            }
        };
        exactly(1, rows)
    }

    /// Drops the bytes of a dead letter that is locked. Its row stays: its callback is settled, and
    /// the queue may give it out again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_dead_letter(&mut self, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let rows = match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- dead_letters.drop
                 update dead_letters set body = x'', headers = '[]', dropped_at = ?
                 where callback_id = ? and dropped_at is null",
            )
            .bind(now.micros())
            .bind(id)
            .execute(&mut **transaction)
            .await?
            .rows_affected(),
            Self::Postgres(transaction) => sqlx::query(
                "-- dead_letters.drop
                 update dead_letters set body = '', headers = '[]', dropped_at = $1
                 where callback_id = $2 and dropped_at is null",
            )
            .bind(now.datetime())
            .bind(id)
            .execute(&mut **transaction)
            .await?
            .rows_affected(),
        };
        exactly(1, rows)
    }

    /// Dead letters, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_dead_letters(
        &mut self,
        filter: &LetterFilter,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- dead_letters.list
                 select callback_id, source, origin, headers, body, reason, received_at, died_at
                 from dead_letters
                 where dropped_at is null and (?1 is null or callback_id < ?1)
                     and (?2 is null or source = ?2) and (?3 is null or instr(reason, ?3) > 0)
                 order by callback_id desc limit ?4",
            )
            .bind(filter.before)
            .bind(filter.source.as_deref())
            .bind(filter.reason_contains.as_deref())
            .bind(filter.limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(letter)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- dead_letters.list
                 select callback_id, source, origin, headers::text, body, reason, received_at, died_at
                 from dead_letters
                 where dropped_at is null and ($1::uuid is null or callback_id < $1)
                     and ($2::text is null or source = $2)
                     and ($3::text is null or strpos(reason, $3) > 0)
                 order by callback_id desc limit $4",
            )
            .bind(filter.before)
            .bind(filter.source.as_deref())
            .bind(filter.reason_contains.as_deref())
            .bind(filter.limit)
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
            select count(*) from dead_letters where dropped_at is null";
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

fn locked(row: Option<&impl StoredRow>) -> Result<LockedLetter, StoreError> {
    match row {
        None => Ok(LockedLetter::Missing),
        Some(row) if row.time_or_null(8)?.is_some() => Ok(LockedLetter::Dropped),
        Some(row) => Ok(LockedLetter::Kept(letter(row)?)),
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
        is_hint: false,
        is_item: false,
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
