//! Asks: which orders are due, and who asks about them. A lease on an order's row, by the database's
//! clock, and a token: whoever was away for longer than that changes nothing any more.

use time::OffsetDateTime;
use uuid::Uuid;

use super::orders::asking;
use super::row::{StoredRow, key_list};
use super::{StoreError, Transaction, exactly};
use crate::clock::Clock;
use crate::order::Order;
use crate::order::asking::Asking;
use crate::order::timestamp::Timestamp;

/// An order that is due.
#[derive(Clone, Debug)]
pub struct DueAsk {
    /// Its key.
    pub key: Uuid,
    /// All that is known about it.
    pub order: Order,
    /// What is remembered of asking about it.
    pub asking: Asking,
}

/// How long an order that cannot be read is put off.
pub(super) const UNREADABLE: std::time::Duration = std::time::Duration::from_secs(3600);

/// An ask that begins: the order, and what is remembered of it from now on.
#[derive(Clone, Copy, Debug)]
pub struct BegunAsk {
    /// The order's key.
    pub key: Uuid,
    /// With this attempt counted.
    pub asking: Asking,
}

/// Which of the orders that are due: a fifth of all asks is kept for old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Asked about a few times in a row at most.
    Fresh,
    /// Asked about more often.
    Old,
}

/// The statements of a dialect differ in the lane only, which each has an index for: 4 is
/// [`crate::order::asking::OLD_STEP`].
const FRESH_SQLITE: &str = "-- asks.due_fresh
    select key, state, ask_phase, ask_step, ask_answers, next_ask_at, asked_at, ask_wanted,
        ask_hinted
    from orders
    where source = ?1 and next_ask_at <= ?2 and ask_step < 4
        and (ask_lease_until is null or ask_lease_until <= ?2)
        and key not in (select unhex(value) from json_each(?3))
    order by next_ask_at limit ?4";
const OLD_SQLITE: &str = "-- asks.due_old
    select key, state, ask_phase, ask_step, ask_answers, next_ask_at, asked_at, ask_wanted,
        ask_hinted
    from orders
    where source = ?1 and next_ask_at <= ?2 and ask_step >= 4
        and (ask_lease_until is null or ask_lease_until <= ?2)
        and key not in (select unhex(value) from json_each(?3))
    order by next_ask_at limit ?4";
const FRESH_POSTGRES: &str = "-- asks.due_fresh: who is at work on one now will say when to ask
    select key, state::text, ask_phase, ask_step, ask_answers, next_ask_at, asked_at, ask_wanted,
        ask_hinted
    from orders
    where source = $1 and next_ask_at <= $2 and ask_step < 4
        and (ask_lease_until is null or ask_lease_until <= $2) and key <> all($3)
    order by next_ask_at limit $4 for update skip locked";
const NOW: &str = "-- asks.now
    select clock_timestamp()";
const OLD_POSTGRES: &str = "-- asks.due_old
    select key, state::text, ask_phase, ask_step, ask_answers, next_ask_at, asked_at, ask_wanted,
        ask_hinted
    from orders
    where source = $1 and next_ask_at <= $2 and ask_step >= 4
        and (ask_lease_until is null or ask_lease_until <= $2) and key <> all($3)
    order by next_ask_at limit $4 for update skip locked";

impl Transaction {
    /// The time by the clock that all who share the store share; put forward or back as ours is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn now(&mut self, clock: &Clock) -> Result<Timestamp, StoreError> {
        match self {
            // One process, one clock.
            Self::Sqlite(_) => Ok(clock.now()),
            Self::Postgres(transaction) => {
                let query = sqlx::query(NOW);
                let now = query.fetch_one(&mut **transaction).await?.time(0)?;
                Ok(clock.shift(now))
            }
        }
    }

    /// When the next order of a source is due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_ask(&mut self, source: &str) -> Result<Option<Timestamp>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- asks.next_ask
                 select min(at) from (
                     select min(next_ask_at) at from orders
                         where source = ?1 and next_ask_at is not null and ask_step < 4
                     union all select min(next_ask_at) from orders
                         where source = ?1 and next_ask_at is not null and ask_step >= 4)",
            )
            .bind(source)
            .fetch_one(&mut **transaction)
            .await?
            .time_or_null(0),
            Self::Postgres(transaction) => sqlx::query(
                "-- asks.next_ask
                 select least(
                     (select min(next_ask_at) from orders
                         where source = $1 and next_ask_at is not null and ask_step < 4),
                     (select min(next_ask_at) from orders
                         where source = $1 and next_ask_at is not null and ask_step >= 4))",
            )
            .bind(source)
            .fetch_one(&mut **transaction)
            .await?
            .time_or_null(0),
        }
    }

    /// Orders of a source that are due in a lane and that nobody asks about, those that have waited
    /// longest first; but not these. They stay locked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_asks(
        &mut self,
        source: &str,
        lane: Lane,
        now: Timestamp,
        besides: &[Uuid],
        limit: u32,
    ) -> Result<Vec<DueAsk>, StoreError> {
        let read: Vec<Due> = match self {
            Self::Sqlite(transaction) => {
                let statement = match lane {
                    Lane::Fresh => FRESH_SQLITE,
                    Lane::Old => OLD_SQLITE,
                };
                let rows = sqlx::query(statement)
                    .bind(source)
                    .bind(now.micros())
                    .bind(key_list(besides)?)
                    .bind(limit)
                    .fetch_all(&mut **transaction)
                    .await?;
                rows.iter().map(due).collect::<Result<_, _>>()?
            }
            Self::Postgres(transaction) => {
                let statement = match lane {
                    Lane::Fresh => FRESH_POSTGRES,
                    Lane::Old => OLD_POSTGRES,
                };
                let rows = sqlx::query(statement)
                    .bind(source)
                    .bind(now.datetime())
                    .bind(besides)
                    .bind(i64::from(limit))
                    .fetch_all(&mut **transaction)
                    .await?;
                rows.iter().map(due).collect::<Result<_, _>>()?
            }
        };
        let mut due = Vec::new();
        for (key, read) in read {
            match read {
                Ok(ask) => due.push(ask),
                // It keeps no other waiting.
                Err(error) => {
                    tracing::error!(error = %error, order = %key, "an order cannot be asked about");
                    self.put_off_ask(key, now.plus(UNREADABLE)).await?;
                }
            }
        }
        Ok(due)
    }

    async fn put_off_ask(&mut self, key: Uuid, until: Timestamp) -> Result<(), StoreError> {
        const PUT_OFF: &str = "-- asks.put_off
            update orders set next_ask_at = $2 where key = $1";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(PUT_OFF).bind(key).bind(until.micros());
                query.execute(&mut **transaction).await?;
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(PUT_OFF).bind(key).bind(until.datetime());
                query.execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }

    /// Writes that asks begin: each is counted, and is its token's until then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_asks(
        &mut self,
        asks: &[BegunAsk],
        token: Uuid,
        lease_until: Timestamp,
    ) -> Result<(), StoreError> {
        #[cfg(feature = "plants")]
        let lease_until =
            if crate::plant::is_planted("skip_lease") { Timestamp::EPOCH } else { lease_until };
        match self {
            Self::Sqlite(transaction) => {
                for BegunAsk { key, asking } in asks {
                    let done = sqlx::query(
                        "-- asks.begin_asks
                         update orders set ask_step = ?, next_ask_at = ?, asked_at = ?, ask_hinted = ?,
                             ask_lease_until = ?, ask_token = ?
                         where key = ?",
                    )
                    .bind(asking.step)
                    .bind(asking.next_at.map(Timestamp::micros))
                    .bind(asking.asked_at.map(Timestamp::micros))
                    .bind(asking.is_hinted)
                    .bind(lease_until.micros())
                    .bind(token)
                    .bind(key)
                    .execute(&mut **transaction)
                    .await?;
                    exactly(1, done.rows_affected())?;
                }
                Ok(())
            }
            Self::Postgres(_) if asks.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                let times =
                    |column: fn(&Asking) -> Option<Timestamp>| -> Vec<Option<OffsetDateTime>> {
                        asks.iter()
                            .map(|ask| column(&ask.asking).map(Timestamp::datetime))
                            .collect()
                    };
                let done = sqlx::query(
                    "-- asks.begin_asks
                     update orders o set ask_step = w.step, next_ask_at = w.next_at,
                         asked_at = w.asked_at, ask_hinted = w.is_hinted, ask_lease_until = $6,
                         ask_token = $7
                     from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::timestamptz[],
                         $5::boolean[]) w (key, step, next_at, asked_at, is_hinted)
                     where o.key = w.key",
                )
                .bind(asks.iter().map(|ask| ask.key).collect::<Vec<_>>())
                .bind(asks.iter().map(|ask| i64::from(ask.asking.step)).collect::<Vec<_>>())
                .bind(times(|asking| asking.next_at))
                .bind(times(|asking| asking.asked_at))
                .bind(asks.iter().map(|ask| ask.asking.is_hinted).collect::<Vec<_>>())
                .bind(lease_until.datetime())
                .bind(token)
                .execute(&mut **transaction)
                .await?;
                exactly(asks.len(), done.rows_affected())
            }
        }
    }

    /// Writes what came of an ask; whether the lease was still ours. If not, nothing is changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_ask(
        &mut self,
        key: Uuid,
        token: Uuid,
        outcome: &str,
    ) -> Result<bool, StoreError> {
        const END: &str = "-- asks.end_ask
            update orders set ask_lease_until = null, ask_token = null, ask_outcome = $3
            where key = $1 and ask_token = $2";
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("skip_token") {
            return Ok(true);
        }
        let rows = match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(END).bind(key).bind(token).bind(outcome);
                query.execute(&mut **transaction).await?.rows_affected()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(END).bind(key).bind(token).bind(outcome);
                query.execute(&mut **transaction).await?.rows_affected()
            }
        };
        Ok(rows == 1)
    }

    /// Makes orders due that were put off by a clock that was ahead of what it now shows: nobody knows
    /// when they were meant to be asked about. How many there were. What was written until `ahead`, a
    /// little later than now, may have been written just now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mend_asks(
        &mut self,
        source: &str,
        now: Timestamp,
        ahead: Timestamp,
        lease_max: Timestamp,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let done = sqlx::query(
                    "-- asks.mend_asks
                     update orders set next_ask_at = min(next_ask_at, ?2),
                         ask_lease_until = min(ask_lease_until, ?4)
                     where source = ?1 and (ask_lease_until > ?4
                         or next_ask_at > ?2 and (updated_at > ?3 or asked_at > ?3))",
                )
                .bind(source)
                .bind(now.micros())
                .bind(ahead.micros())
                .bind(lease_max.micros())
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected())
            }
            Self::Postgres(transaction) => {
                // Not `least`, which is the other one where one is null.
                let done = sqlx::query(
                    "-- asks.mend_asks
                     update orders set
                         next_ask_at = case when next_ask_at > $2 then $2 else next_ask_at end,
                         ask_lease_until = case when ask_lease_until > $4 then $4 else ask_lease_until end
                     where key in (select key from orders
                         where source = $1 and (ask_lease_until > $4
                             or next_ask_at > $2 and (updated_at > $3 or asked_at > $3))
                         order by key for update)",
                )
                .bind(source)
                .bind(now.datetime())
                .bind(ahead.datetime())
                .bind(lease_max.datetime())
                .execute(&mut **transaction)
                .await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Makes an order due now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hasten_ask(&mut self, key: Uuid, now: Timestamp) -> Result<(), StoreError> {
        const HASTEN: &str = "-- asks.hasten_ask
            update orders set next_ask_at = $2, ask_wanted = true
            where key = $1 and (next_ask_at is null or next_ask_at > $2)";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(HASTEN).bind(key).bind(now.micros());
                query.execute(&mut **transaction).await?;
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(HASTEN).bind(key).bind(now.datetime());
                query.execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }
}

/// An order that is due, by its key; or why it cannot be read.
pub(super) type Due = (Uuid, Result<DueAsk, StoreError>);

/// An order that is due, from the first column on.
pub(super) fn due(row: &impl StoredRow) -> Result<Due, StoreError> {
    let key = row.uuid(0)?;
    let read = || Ok(DueAsk { key, order: row.json(1)?, asking: asking(row, 2)? });
    Ok((key, read()))
}
