//! Sinks: which there are, what each gets, and whether it is disabled.

use uuid::Uuid;

use super::row::{StoredRow, json, without_nul};
use super::{StoreError, Transaction};
use crate::config::Wants;
use crate::order::timestamp::Timestamp;

/// A sink as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkRow {
    /// Its name.
    pub name: String,
    /// What it gets.
    pub wants: Wants,
    /// A digest of where it goes.
    pub place: String,
    /// Since when notices are written for it.
    pub since: Timestamp,
    /// When a process last said that it has it in its configuration.
    pub seen_at: Timestamp,
    /// When it last took something.
    pub taken_at: Option<Timestamp>,
    /// Since when, and why, nothing is delivered until a person says otherwise.
    pub disabled: Option<(Timestamp, String)>,
}

impl Transaction {
    /// All sinks, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_sinks(&mut self) -> Result<Vec<SinkRow>, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(
                    "-- sinks.list_sinks
                     select name, sources, types, place, since, taken_at, disabled_at, disabled_reason, seen_at
                     from sinks order by name",
                );
                query.fetch_all(&mut **transaction).await?.iter().map(sink).collect()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(
                    "-- sinks.list_sinks
                     select name, sources::text, types::text, place, since, taken_at, disabled_at,
                         disabled_reason, seen_at
                     from sinks order by name",
                );
                query.fetch_all(&mut **transaction).await?.iter().map(sink).collect()
            }
        }
    }

    /// Makes a sink known, or what it gets another; one that goes elsewhere now is no longer disabled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register_sink(
        &mut self,
        name: &str,
        wants: &Wants,
        place: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (sources, types) = (json(&wants.sources)?, json(&wants.types)?);
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(
                    "-- sinks.register_sink
                     insert into sinks (name, sources, types, place, since, seen_at)
                     values (?1, ?2, ?3, ?4, ?5, ?5)
                     on conflict (name) do update set sources = ?2, types = ?3, place = ?4, seen_at = ?5,
                         disabled_at = case when place = ?4 then disabled_at end,
                         disabled_reason = case when place = ?4 then disabled_reason end",
                )
                .bind(name)
                .bind(sources)
                .bind(types)
                .bind(place)
                .bind(now.micros())
                .execute(&mut **transaction)
                .await?;
            }
            Self::Postgres(transaction) => {
                sqlx::query(
                    "-- sinks.register_sink
                     insert into sinks as s (name, sources, types, place, since, seen_at)
                     values ($1, $2::text::json, $3::text::json, $4, $5, $5)
                     on conflict (name) do update set sources = excluded.sources, types = excluded.types,
                         seen_at = excluded.seen_at,
                         place = excluded.place,
                         disabled_at = case when s.place = excluded.place then s.disabled_at end,
                         disabled_reason = case when s.place = excluded.place then s.disabled_reason end",
                )
                .bind(name)
                .bind(sources)
                .bind(types)
                .bind(place)
                .bind(now.datetime())
                .execute(&mut **transaction)
                .await?;
            }
        }
        Ok(())
    }

    /// Takes note that a process has sinks in its configuration. How many of them are known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn see_sinks(&mut self, names: &[&str], now: Timestamp) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(
                    "-- sinks.see_sinks
                     update sinks set seen_at = ? where name in (select value from json_each(?))",
                )
                .bind(now.micros())
                .bind(json(&names)?);
                Ok(query.execute(&mut **transaction).await?.rows_affected())
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(
                    "-- sinks.see_sinks
                     update sinks set seen_at = $1 where name = any($2)",
                )
                .bind(now.datetime())
                .bind(names);
                Ok(query.execute(&mut **transaction).await?.rows_affected())
            }
        }
    }

    /// Keeps sinks from becoming known, or being forgotten, while it is written for those that are known; or, to
    /// change which are known, waits for all who write. Until the end of the transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn guard_sinks(&mut self, is_changing: bool) -> Result<(), StoreError> {
        // In SQLite there is one writer.
        let Self::Postgres(transaction) = self else { return Ok(()) };
        let statement = if is_changing {
            "-- sinks.guard_change
             select pg_advisory_xact_lock(7461706, 1)"
        } else {
            "-- sinks.guard_write
             select pg_advisory_xact_lock_shared(7461706, 1)"
        };
        sqlx::query(statement).execute(&mut **transaction).await?;
        Ok(())
    }

    /// Forgets some of what waits for a sink; how much it was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_lines(&mut self, sink: &str, limit: i64) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(
                    "-- sinks.drop_lines
                     delete from sink_lines where sink = ?1 and order_key in (
                         select order_key from sink_lines where sink = ?1 limit ?2)",
                );
                let query = query.bind(sink).bind(limit);
                Ok(query.execute(&mut **transaction).await?.rows_affected())
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(
                    "-- sinks.drop_lines: in the order in which they are extended
                     delete from sink_lines l using (
                         select order_key from sink_lines where sink = $1 order by order_key limit $2
                         for update) w
                     where l.sink = $1 and l.order_key = w.order_key",
                );
                let query = query.bind(sink).bind(limit);
                Ok(query.execute(&mut **transaction).await?.rows_affected())
            }
        }
    }

    /// Forgets a sink, and what has come for it since its lines were dropped.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_sink(&mut self, name: &str) -> Result<(), StoreError> {
        const SINK: &str = "-- sinks.remove_sink
            delete from sinks where name = $1";
        self.guard_sinks(true).await?;
        while self.drop_lines(name, 500).await? > 0 {}
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(SINK).bind(name).execute(&mut **transaction).await?;
            }
            Self::Postgres(transaction) => {
                sqlx::query(SINK).bind(name).execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }

    /// Takes note that a sink took something, or that it said it is gone, as long as it is where it was then. One
    /// that is disabled stays so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_sink(
        &mut self,
        (name, place): (&str, &str),
        has_taken: bool,
        gone: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        const NOTE: &str = "-- sinks.note_sink
            update sinks set taken_at = case when $2 then $4 else taken_at end,
                disabled_at = coalesce(disabled_at, case when coalesce($3, '') <> '' then $4 end),
                disabled_reason = coalesce(disabled_reason, $3)
            where name = $1 and place = $5";
        let gone = gone.map(without_nul);
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(NOTE).bind(name).bind(has_taken).bind(gone);
                query.bind(now.micros()).bind(place).execute(&mut **transaction).await?;
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(NOTE).bind(name).bind(has_taken).bind(gone);
                query.bind(now.datetime()).bind(place).execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }

    /// Lets a disabled sink be told again. Whether there is such a sink.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn enable_sink(&mut self, name: &str) -> Result<bool, StoreError> {
        const ENABLE: &str = "-- sinks.enable_sink
            update sinks set disabled_at = null, disabled_reason = null where name = $1";
        let done = match self {
            Self::Sqlite(transaction) => {
                sqlx::query(ENABLE).bind(name).execute(&mut **transaction).await?.rows_affected()
            }
            Self::Postgres(transaction) => {
                sqlx::query(ENABLE).bind(name).execute(&mut **transaction).await?.rows_affected()
            }
        };
        Ok(done > 0)
    }

    /// The order that an order turned out to be: itself, where it is none other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn follow_merges(&mut self, key: Uuid) -> Result<Uuid, StoreError> {
        const FOLLOW: &str = "-- sinks.follow_merges
            with recursive way (key, step) as (
                select into_key, 1 from order_merges where from_key = $1
                union all select m.into_key, step + 1 from order_merges m join way on m.from_key = way.key)
            select key from way order by step desc limit 1";
        let found = match self {
            Self::Sqlite(transaction) => {
                let found =
                    sqlx::query(FOLLOW).bind(key).fetch_optional(&mut **transaction).await?;
                found.map(|row| row.uuid(0)).transpose()?
            }
            Self::Postgres(transaction) => {
                let found =
                    sqlx::query(FOLLOW).bind(key).fetch_optional(&mut **transaction).await?;
                found.map(|row| row.uuid(0)).transpose()?
            }
        };
        Ok(found.unwrap_or(key))
    }
}

fn sink(row: &impl StoredRow) -> Result<SinkRow, StoreError> {
    let reason = row.text_or_null(7)?.unwrap_or_default();
    Ok(SinkRow {
        name: row.text(0)?,
        wants: Wants { sources: row.json(1)?, types: row.json(2)? },
        place: row.text(3)?,
        since: row.time(4)?,
        taken_at: row.time_or_null(5)?,
        disabled: row.time_or_null(6)?.map(|at| (at, reason)),
        seen_at: row.time(8)?,
    })
}
