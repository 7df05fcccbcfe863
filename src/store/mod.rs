//! Where orders are kept. A file a noun, both dialects in it; each statement names itself in its first
//! line, which is what a database's own log shows.
//!
//! Invariants
//! - A write states its precondition, and the number of rows that it changed is checked.
//! - Database work is never cancelled half-way: whoever may be dropped (a request) spawns it.
//! - One lock order for all writers: budgets, sinks, feeds, dead letters, ids, orders, then what belongs to
//!   orders, the lines of sinks among it, each sorted by its key; hints last. What belongs to an order is written by who holds the
//!   order's lock.
//! - A transaction never waits for the network: what it needs from elsewhere is there before it begins.
//! - Verdict, event and effect are of one transaction, and on the primary. Nothing is found by a number
//!   that counts up, and no row that must be decided is skipped because somebody has it locked: who comes
//!   later waits, and finds what was committed by its key or by its state. Only who looks for something to
//!   ask about passes over what is being worked on: it is found the next time.
//! - No lock outlives its transaction: but for migrations there are no session locks. Who asks a provider
//!   has a lease in the order's row, or the feed's, with a token: who lost it changes nothing.
//! - Times are those of whoever writes; but leases, budgets and pauses, which several processes hold against
//!   each other, go by the database's clock.

mod asks;
mod attempts;
mod attention;
mod audit;
mod budgets;
mod dead_letters;
mod deliveries;
mod effects;
mod error;
mod events;
mod feeds;
mod hint_asks;
mod hints;
mod lines;
mod listing;
mod merge;
mod names;
mod orders;
mod outbox;
pub mod postgres;
mod row;
mod schema;
mod sinks;
pub mod sqlite;
mod stops;
mod waits;

pub use asks::{BegunAsk, DueAsk, Lane};
pub use attention::{AttentionFilter, AttentionMark, AttentionRow};
pub use audit::Audited;
pub use budgets::Budget;
pub use dead_letters::{DeadLetter, LetterFilter, LockedLetter};
pub use deliveries::{DeliveryRow, Settled, VerdictRow};
pub use effects::{EffectRow, NewEffect};
pub use error::StoreError;
pub use events::{EventRow, KnownEvent, NewEvent, Repeat};
pub use feeds::{FeedRow, LockedFeed, Mark};
pub use hint_asks::{Hinted, HintedAsk, StrangersHint, TRIES_MAX};
pub use hints::{NewHint, STRANGERS_MAX};
pub use lines::{Line, LineCount, LineRow, NewLine, SettledLine, stopped_key};
pub use listing::{Filter, OrderRow};
pub use names::NameRow;
pub use orders::{Loaded, Written};
pub use outbox::{NewNotice, NoticeRow};
pub use schema::Schema;
pub use sinks::SinkRow;
pub use stops::Undelivered;
pub use waits::Waits;

use sqlx::{Postgres, Sqlite};

/// Where orders are kept.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file, one process.
    Sqlite(sqlite::Database),
    /// A server, many processes.
    Postgres(postgres::Database),
}

/// A transaction. Dropped without a commit, it is rolled back.
#[derive(Debug)]
pub enum Transaction {
    /// In SQLite: the only writer.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// In PostgreSQL: one of many, which locks what it writes.
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Store {
    /// Begins to write.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        match self {
            Self::Sqlite(database) => Ok(Transaction::Sqlite(database.begin().await?)),
            Self::Postgres(database) => Ok(Transaction::Postgres(database.begin().await?)),
        }
    }

    /// Begins to read: what is read in it is of one moment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read(&self) -> Result<Transaction, StoreError> {
        match self {
            Self::Sqlite(database) => Ok(Transaction::Sqlite(database.read().await?)),
            Self::Postgres(database) => Ok(Transaction::Postgres(database.read().await?)),
        }
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(database) => Ok(database.ping().await?),
            Self::Postgres(database) => Ok(database.ping().await?),
        }
    }

    /// Closes it, as soon as what is under way has ended.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

impl Transaction {
    /// Makes it all so.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: whether it happened is not known, and nothing is done to make up for
    /// it. What led here comes again, and finds its callbacks settled by their ids, or does not; either
    /// way it commits anew before it calls anything settled.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => Ok(transaction.commit().await?),
            Self::Postgres(transaction) => Ok(transaction.commit().await?),
        }
    }

    /// Takes it all back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => Ok(transaction.rollback().await?),
            Self::Postgres(transaction) => Ok(transaction.rollback().await?),
        }
    }
}

/// A write by primary key changes a row for each; fewer mean that somebody else was there first.
fn exactly(wanted: usize, rows: u64) -> Result<(), StoreError> {
    match rows.cmp(&u64::try_from(wanted).unwrap_or(u64::MAX)) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(StoreError::Raced),
        std::cmp::Ordering::Greater => {
            Err(StoreError::Corrupt(format!("a write by {wanted} keys changed {rows} rows")))
        }
    }
}
