//! Which of our tables a database has, for whoever looks and changes nothing.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

use super::{postgres, sqlite};

/// How a database's tables stand to those of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// There is nothing of ours yet.
    Missing,
    /// They are the same.
    Current,
    /// So many steps behind.
    Behind(usize),
    /// A newer program, or another one, made them: this one does not start on them.
    Foreign,
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there are no tables yet: the first start makes them"),
            Self::Current => f.write_str("its tables are up to date"),
            Self::Behind(steps) => {
                write!(
                    f,
                    "its tables are {steps} steps behind: the next start brings them up to date"
                )
            }
            Self::Foreign => f.write_str("a newer Pawl made its tables: use that one"),
        }
    }
}

impl Schema {
    fn of(migrator: &Migrator, applied: &[(i64, Vec<u8>)]) -> Self {
        let is_ours = |(version, checksum): &(i64, Vec<u8>)| {
            migrator.iter().any(|m| m.version == *version && *m.checksum == **checksum)
        };
        match migrator.iter().count().checked_sub(applied.len()) {
            _ if applied.is_empty() => Self::Missing,
            Some(behind) if applied.iter().all(is_ours) => match behind {
                0 => Self::Current,
                behind => Self::Behind(behind),
            },
            Some(_) | None => Self::Foreign,
        }
    }

    /// Looks at an embedded store, beside whoever uses it: nothing is locked, and nothing is written.
    ///
    /// # Errors
    /// It is there, and cannot be read.
    pub async fn of_sqlite(path: &Path) -> Result<Self, sqlite::OpenError> {
        if !path.exists() {
            return Ok(Self::Missing);
        }
        // Where nobody has it open there is no log beside it, and a reader would make one: with an owner
        // that may keep the daemon out.
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let is_closed = !Path::new(&log).exists();
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let options = options.immutable(is_closed);
        let mut connection = options.busy_timeout(Duration::from_secs(2)).connect().await?;
        let tables = sqlx::query(
            "-- schema.tables
             select count(*) from sqlite_master where name = '_sqlx_migrations'",
        );
        let mut applied = Vec::new();
        if tables.fetch_one(&mut connection).await?.get::<i64, _>(0) > 0 {
            let rows = sqlx::query(APPLIED).fetch_all(&mut connection).await?;
            applied = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        }
        connection.close().await?;
        Ok(Self::of(&sqlite::MIGRATIONS, &applied))
    }

    /// Looks at a database.
    ///
    /// # Errors
    /// It cannot be reached, or it does not keep what it is told to keep.
    pub async fn of_postgres(url: &str) -> Result<Self, postgres::OpenError> {
        let options = PgConnectOptions::from_str(url)?.application_name("pawl check");
        let mut connection = options.connect().await?;
        postgres::check(&mut connection).await?;
        let tables = sqlx::query(
            "-- schema.tables
             select to_regclass('_sqlx_migrations') is not null",
        );
        let mut applied = Vec::new();
        if tables.fetch_one(&mut connection).await?.try_get(0)? {
            let rows = sqlx::query(APPLIED).fetch_all(&mut connection).await?;
            applied = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        }
        connection.close().await?;
        Ok(Self::of(&postgres::MIGRATIONS, &applied))
    }
}

const APPLIED: &str = "-- schema.applied
    select version, checksum from _sqlx_migrations order by version";
