//! The database of a distributed Pawl: a server that many processes share.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Postgres, Row};

/// What makes the tables, step by step.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How many connections one process keeps at most.
const CONNECTIONS: u32 = 10;

/// How long a connection is waited for: well below the 10 s after which a provider gives up on us.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(4);

/// What every connection asks for. The server's own default for each of the timeouts is never.
const SETTINGS: [(&str, &str); 4] = [
    ("statement_timeout", "10s"),
    ("lock_timeout", "5s"),
    // A process that hangs in a transaction holds locks, and keeps dead rows from being cleared away.
    ("idle_in_transaction_session_timeout", "15s"),
    // A client that is gone is noticed while its statement still runs.
    ("client_connection_check_interval", "5s"),
];

/// A pool of connections.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It does not keep what it was told to keep.
    #[error("PostgreSQL says {what} is {found}: a commit would not be durable")]
    NotDurable {
        /// Which setting.
        what: &'static str,
        /// What it is.
        found: String,
    },
    /// The URL is none, or the server says no.
    #[error("cannot open the store")]
    Postgres(#[from] sqlx::Error),
    /// The schema cannot be brought up to date, or is newer than this program.
    #[error("cannot bring the store's tables up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl Database {
    /// Connects, and brings the tables up to date.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let mut options = PgConnectOptions::from_str(url)?;
        if options.get_application_name().is_none() {
            options = options.application_name("pawl");
        }
        // Without the timeouts: a migration takes as long as it takes, and waits for another process
        // that is at it. A schema that is newer than we are is an error.
        let mut connection = options.connect().await?;
        check(&mut connection).await?;
        MIGRATIONS.run(&mut connection).await?;
        connection.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // Instead of the pool's own question whether the connection lives, one that also finds a
            // primary that has become a replica: its connections stay open, and can write no more.
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(can_write(connection)))
            // A future that is dropped between BEGIN and its answer leaves the transaction open, and sqlx
            // does not know; the next borrower would write into it, and nobody would ever commit that.
            // A dropped transaction, too, is rolled back only by the connection's next use: here, at
            // once. The BEGIN is there because a lone ROLLBACK is a warning in the server's log each time.
            .after_release(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql("begin; rollback").execute(&mut *connection).await?;
                    Ok(true)
                })
            })
            .connect_with(options.options(SETTINGS))
            .await?;
        Ok(Self { pool })
    }

    /// Begins to write. Read committed, whatever the server's default: each statement sees what others
    /// have committed, and rows are locked before they are judged.
    pub(super) async fn begin(&self) -> Result<sqlx::Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin_with("begin isolation level read committed").await
    }

    pub(super) async fn read(&self) -> Result<sqlx::Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin_with("begin isolation level repeatable read, read only").await
    }

    pub(super) async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("select 1").execute(&self.pool).await.map(|_| ())
    }

    /// Closes all connections, as soon as what is under way has ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Whether a connection lives and may write.
async fn can_write(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let query = sqlx::query("select current_setting('transaction_read_only')");
    Ok(query.fetch_one(connection).await?.try_get::<String, _>(0)? == "off")
}

/// Reads back what a commit's durability rests on.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), OpenError> {
    let what = "synchronous_commit";
    let query = sqlx::query("select current_setting($1)").bind(what);
    let found: String = query.fetch_one(connection).await?.try_get(0)?;
    if found == "off" { Err(OpenError::NotDurable { what, found }) } else { Ok(()) }
}
