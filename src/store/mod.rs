//! Where orders are kept. A file a noun; each statement names itself in its first line, which is what
//! a database's own log shows.
//!
//! Invariants
//! - A write states its precondition, and the number of rows that it changed is checked.
//! - Database work is never cancelled half-way: whoever may be dropped (a request) spawns it.

mod attention;
mod dead_letters;
mod effects;
mod events;
mod orders;
pub mod sqlite;

pub use attention::AttentionRow;
pub use dead_letters::DeadLetter;
pub use effects::EffectRow;
pub use events::{DeliveryRow, EventRow, KnownEvent, NewEvent, Settled};
pub use orders::{Filter, Loaded, NameRow, OrderRow, Written};

use sqlx::Sqlite;

/// Where orders are kept.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file, one process.
    Sqlite(sqlite::Database),
}

/// A transaction. Dropped without a commit, it is rolled back.
#[derive(Debug)]
pub enum Transaction {
    /// In SQLite: the only writer.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

/// What went wrong in the store, by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It may work later: busy, full, gone. Nothing that was asked for has happened, unless the
    /// commit itself was lost; then what was written is found when it is tried again.
    #[error("the store cannot be used now")]
    Unavailable(#[source] sqlx::Error),
    /// What was to be written cannot be: it will not work later either.
    #[error("the store refuses what was to be written")]
    Refused(#[source] sqlx::Error),
    /// Somebody else wrote in between: to be tried again from the start.
    #[error("an order was changed by somebody else in between")]
    Raced,
    /// What was read is not what was once written.
    #[error("what is stored cannot be read: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_refusal(&error) { Self::Refused(error) } else { Self::Unavailable(error) }
    }
}

/// Whether an error is about what was written, so that trying again is of no use.
#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx's errors are an open set")]
fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            // SQLite's primary result code: TOOBIG, CONSTRAINT, MISMATCH, RANGE.
            let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
            matches!(code & 0xff, 18 | 19 | 20 | 25)
        }
        sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => true,
        _ => false,
    }
}

impl Store {
    /// Begins to write.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        match self {
            Self::Sqlite(database) => Ok(Transaction::Sqlite(database.begin().await?)),
        }
    }

    /// Begins to read: what is read in it is of one moment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read(&self) -> Result<Transaction, StoreError> {
        match self {
            Self::Sqlite(database) => Ok(Transaction::Sqlite(database.read().await?)),
        }
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(database) => Ok(database.ping().await?),
        }
    }
}

impl Transaction {
    /// Makes it all so.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: whether it happened is not known.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => Ok(transaction.commit().await?),
        }
    }

    /// Takes it all back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => Ok(transaction.rollback().await?),
        }
    }
}

/// A write by primary key changes one row; none means that somebody else was there first.
fn exactly_one(rows: u64) -> Result<(), StoreError> {
    match rows {
        1 => Ok(()),
        0 => Err(StoreError::Raced),
        more => Err(StoreError::Corrupt(format!("an update by key changed {more} rows"))),
    }
}
