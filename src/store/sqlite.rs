//! The embedded database: one file, one process, one writer.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Row, Sqlite};
use tokio::sync::Mutex;

/// 3.7.0 to 3.51.2 can corrupt a WAL when two connections write and checkpoint at the same moment
/// (sqlite.org/wal.html, "the WAL-reset bug").
const VERSION_MIN: (u32, u32, u32) = (3, 51, 3);

/// What makes the tables, step by step.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// For a second in all, a lock is waited for that somebody else has.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// How many readers there are beside the writer.
const READERS: u32 = 4;

/// An open file.
#[derive(Clone, Debug)]
pub struct Database {
    writer: SqlitePool,
    /// Of those who wait for the writer, one stands before it; what is received goes past the others.
    turn: Arc<Mutex<()>>,
    readers: SqlitePool,
    /// Held as long as anyone holds the database.
    _lock: Arc<File>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "another process uses {0}: an embedded store has one process. Stop it, or use its admin port \
         (`pawl order`, `pawl dead`) beside it"
    )]
    Locked(PathBuf),
    /// Its lock file cannot be made.
    #[error("cannot make the lock file {path}: {error}")]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It does not keep what it was told to keep.
    #[error("SQLite says {what} is {found}, not {wanted}: a commit would not be durable")]
    NotDurable {
        /// Which setting.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// Too old.
    #[error("this SQLite is {0}; before 3.51.3 it can corrupt its log")]
    Version(String),
    /// SQLite says no.
    #[error("cannot open the store")]
    Sqlite(#[from] sqlx::Error),
    /// The schema cannot be brought up to date, or is newer than this program.
    #[error("cannot bring the store's tables up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl Database {
    /// Opens a file, makes it if there is none, and brings its tables up to date.
    ///
    /// # Errors
    /// [`OpenError`]; above all where another process has it.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = wait_for_lock(path).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(Duration::from_secs(5))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .statement_cache_capacity(200);
        let pool = |connections: u32| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .min_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(Duration::from_secs(10))
                // A future that is dropped between BEGIN and its answer leaves the transaction open;
                // the next borrower would write into it, and nobody would ever commit that.
                .after_release(|connection, _| {
                    Box::pin(async move {
                        sqlx::query("rollback").execute(&mut *connection).await.ok();
                        // When the disk is full SQLite rolls back by itself, and sqlx goes on counting
                        // a transaction that is none: such a connection can never begin one again.
                        Ok(!connection.is_in_transaction())
                    })
                })
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        check(&writer).await?;
        MIGRATIONS.run(&writer).await?;
        // Nobody else has the file: who had a lease on an order or a feed is gone.
        sqlx::query(
            "-- asks.end_leases
             update orders set ask_lease_until = null, ask_token = null where ask_token is not null",
        )
        .execute(&writer)
        .await?;
        sqlx::query(
            "-- feeds.end_leases
             update feeds set lease_until = null, token = null where token is not null",
        )
        .execute(&writer)
        .await?;
        // Who delivered is gone, too, and what it had in hand may have been taken: it is told again.
        sqlx::query(
            "-- lines.end_leases
             update sink_lines set due_at = waits_since, token = null where token is not null",
        )
        .execute(&writer)
        .await?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, turn: Arc::default(), readers, _lock: Arc::new(lock) })
    }

    /// Begins to write when it is our turn, and then at once: a transaction that reads first and writes later
    /// would fail with SQLITE_BUSY_SNAPSHOT whatever the timeout.
    pub(crate) async fn begin(&self) -> Result<sqlx::Transaction<'static, Sqlite>, sqlx::Error> {
        let _turn = self.turn.lock().await;
        self.writer.begin_with("begin immediate").await
    }

    /// The same for what is received, which waits for two transactions at most: whoever sends it waits, and
    /// would send it again.
    pub(crate) async fn begin_first(
        &self,
    ) -> Result<sqlx::Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("begin immediate").await
    }

    pub(super) async fn read(&self) -> Result<sqlx::Transaction<'static, Sqlite>, sqlx::Error> {
        self.readers.begin().await
    }

    pub(super) async fn ping(&self) -> Result<(), sqlx::Error> {
        self.begin().await?.rollback().await
    }

    /// Connections that read, for the queue that lives in the same file.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Closes the file, as soon as what is under way has ended.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Who had it may be ending just now, and a child of theirs has it until it runs a program of its own.
async fn wait_for_lock(path: &Path) -> Result<File, OpenError> {
    for _ in 0..LOCK_TRIES {
        match lock(path) {
            Err(OpenError::Locked(_)) => tokio::time::sleep(LOCK_PAUSE).await,
            ended => return ended,
        }
    }
    lock(path)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let lock_path = PathBuf::from(name);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
    let file = file.map_err(|error| OpenError::Lock { path: lock_path.clone(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(OpenError::Lock { path: lock_path, error }),
    }
}

/// Reads back what a commit's durability rests on.
async fn check(pool: &SqlitePool) -> Result<(), OpenError> {
    let version: String = sqlx::query("select sqlite_version()").fetch_one(pool).await?.get(0);
    let mut parts = version.split('.').map(|part| u32::from_str(part).unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < VERSION_MIN {
        return Err(OpenError::Version(version));
    }
    let journal: String = sqlx::query("pragma journal_mode").fetch_one(pool).await?.get(0);
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(OpenError::NotDurable { what: "journal_mode", found: journal, wanted: "wal" });
    }
    let synchronous: i64 = sqlx::query("pragma synchronous").fetch_one(pool).await?.get(0);
    if synchronous != 2 {
        let found = synchronous.to_string();
        return Err(OpenError::NotDurable { what: "synchronous", found, wanted: "2 (full)" });
    }
    Ok(())
}
