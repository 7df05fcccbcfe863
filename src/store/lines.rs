//! Lines: what of one order waits for one sink, and who delivers it. A lease on the line's row, by the
//! database's clock, and a token: whoever was away for longer than that settles nothing any more.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::row::{StoredRow, without_nul};
use super::{StoreError, Transaction};
use crate::order::timestamp::Timestamp;

/// Notices of an order that are for a sink, up to this one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewLine<'a> {
    /// The order.
    pub key: Uuid,
    /// The sink.
    pub sink: &'a str,
    /// The first of the order's notices that are new.
    pub first_seq: i64,
    /// The last of them that is for the sink.
    pub last_seq: i64,
}

/// A line that is ours to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The order.
    pub key: Uuid,
    /// The last of its notices that was taken, or passed over.
    pub done_seq: i64,
    /// The last of them that is for the sink.
    pub last_seq: i64,
    /// How often in a row the next one was tried in vain.
    pub tries: u32,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// By which it is ours.
    pub token: Uuid,
}

/// What became of a line that was ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledLine {
    /// The line as it was claimed, with what came of it.
    pub line: Line,
    /// Not before this time.
    pub due_at: Timestamp,
    /// Why the next notice was not taken, where it was tried.
    pub reason: Option<String>,
    /// It is given up until a person says otherwise.
    pub is_stopped: bool,
}

/// What waits for a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    /// Orders of which something waits.
    pub waiting: i64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
    /// Of those orders, how many were given up.
    pub stopped: i64,
}

/// A line as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// The sink.
    pub sink: String,
    /// The order's key, as it was when the notices were made.
    pub key: Uuid,
    /// The last that was taken or passed over.
    pub done_seq: i64,
    /// The last that is for the sink.
    pub last_seq: i64,
    /// Since when the next one waits.
    pub waits_since: Timestamp,
    /// When it is tried again.
    pub due_at: Timestamp,
    /// How often in a row it was tried in vain.
    pub tries: u32,
    /// What came of it last.
    pub reason: Option<String>,
    /// Since when it is given up.
    pub stopped_at: Option<Timestamp>,
}

/// By which key the attention of a line that was given up goes.
#[must_use]
pub fn stopped_key(sink: &str) -> String {
    format!("sink={sink}")
}

impl Transaction {
    /// Lets sinks have what is new of orders, which are locked. A line at rest becomes due at once, from what is
    /// new on: what the sink did not want before it does not get now. One that is under way, or waits after a
    /// failure, only gets longer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn extend_lines(
        &mut self,
        lines: &[NewLine<'_>],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut lines: Vec<&NewLine<'_>> = lines.iter().collect();
        lines.sort();
        match self {
            Self::Sqlite(transaction) => {
                for new in lines {
                    sqlx::query(
                        "-- lines.extend_lines
                         insert into sink_lines (sink, order_key, done_seq, last_seq, waits_since, due_at)
                         values (?1, ?2, ?3, ?4, ?5, ?5)
                         on conflict (sink, order_key) do update set last_seq = ?4,
                             done_seq = case when done_seq < last_seq then done_seq else ?3 end,
                             waits_since = case when done_seq < last_seq then waits_since else ?5 end,
                             due_at = case when done_seq < last_seq then due_at else ?5 end",
                    )
                    .bind(new.sink)
                    .bind(new.key)
                    .bind(new.first_seq - 1)
                    .bind(new.last_seq)
                    .bind(now.micros())
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
            Self::Postgres(_) if lines.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                // Ours may be ahead of the clock that leases go by: nothing waits for that.
                sqlx::query(
                    "-- lines.extend_lines
                     insert into sink_lines as l
                         (sink, order_key, done_seq, last_seq, waits_since, due_at)
                     select w.sink, w.order_key, w.done_seq, w.last_seq, $5, least($5, clock_timestamp())
                     from unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[])
                         w (sink, order_key, done_seq, last_seq)
                     order by w.order_key, w.sink
                     on conflict (sink, order_key) do update set last_seq = excluded.last_seq,
                         done_seq = case when l.done_seq < l.last_seq then l.done_seq
                             else excluded.done_seq end,
                         waits_since = case when l.done_seq < l.last_seq then l.waits_since
                             else excluded.waits_since end,
                         due_at = case when l.done_seq < l.last_seq then l.due_at else excluded.due_at end",
                )
                .bind(lines.iter().map(|new| new.sink).collect::<Vec<_>>())
                .bind(lines.iter().map(|new| new.key).collect::<Vec<_>>())
                .bind(lines.iter().map(|new| new.first_seq - 1).collect::<Vec<_>>())
                .bind(lines.iter().map(|new| new.last_seq).collect::<Vec<_>>())
                .bind(now.datetime())
                .execute(&mut **transaction)
                .await?;
                Ok(())
            }
        }
    }

    /// Whether a sink has a line that is due, for whoever would rather lock nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_due_line(&mut self, sink: &str, now: Timestamp) -> Result<bool, StoreError> {
        const HAS: &str = "-- lines.has_due_line
            select count(*) from (select 1 from sink_lines
                where sink = $1 and done_seq < last_seq and stopped_at is null and due_at <= $2 limit 1) w";
        let count = match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(HAS).bind(sink).bind(now.micros());
                query.fetch_one(&mut **transaction).await?.int(0)?
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(HAS).bind(sink).bind(now.datetime());
                query.fetch_one(&mut **transaction).await?.int(0)?
            }
        };
        Ok(count > 0)
    }

    /// Takes lines that are due, those that were due first, for as long as the lease. Of an order that
    /// others turned out to be, only once nothing of theirs is left. Where it is only to look whether the sink is
    /// back, what was tried least goes first: what it refuses for good says nothing about that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_lines(
        &mut self,
        sink: &str,
        (limit, is_look): (u32, bool),
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<Line>, StoreError> {
        let token = Uuid::now_v7();
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- lines.claim_lines
                 update sink_lines set due_at = ?3, token = ?4
                 where sink = ?1 and order_key in (
                     select c.order_key from sink_lines c
                     where c.sink = ?1 and c.done_seq < c.last_seq and c.stopped_at is null
                         and c.due_at <= ?2 and not exists (
                             select 1 from order_merges m join sink_lines e
                                 on e.sink = c.sink and e.order_key = m.from_key
                             where m.into_key = c.order_key and e.done_seq < e.last_seq)
                     order by case when ?6 then c.tries else 0 end, c.due_at limit ?5)
                 returning order_key, done_seq, last_seq, tries, failing_since, token",
            )
            .bind(sink)
            .bind(now.micros())
            .bind(lease_until.micros())
            .bind(token)
            .bind(i64::from(limit))
            .bind(is_look)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(line)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- lines.claim_lines: who is at work on one now will say when it is due
                 update sink_lines l set due_at = $3, token = $4
                 from (select c.order_key from sink_lines c
                     where c.sink = $1 and c.done_seq < c.last_seq and c.stopped_at is null
                         and c.due_at <= $2 and not exists (
                             select from order_merges m join sink_lines e
                                 on e.sink = c.sink and e.order_key = m.from_key
                             where m.into_key = c.order_key and e.done_seq < e.last_seq)
                     order by case when $6 then c.tries else 0 end, c.due_at limit $5
                     for update of c skip locked) w
                 where l.sink = $1 and l.order_key = w.order_key
                 returning l.order_key, l.done_seq, l.last_seq, l.tries, l.failing_since, l.token",
            )
            .bind(sink)
            .bind(now.datetime())
            .bind(lease_until.datetime())
            .bind(token)
            .bind(i64::from(limit))
            .bind(is_look)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(line)
            .collect(),
        }
    }

    /// Gives back those of the lines just taken whose order became another's while they were taken: what is left
    /// of that one is told first. What is left is ours.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_back_overtaking(
        &mut self,
        sink: &str,
        mut lines: Vec<Line>,
        now: Timestamp,
    ) -> Result<Vec<Line>, StoreError> {
        // In SQLite nobody does anything meanwhile.
        let Self::Postgres(transaction) = self else { return Ok(lines) };
        if lines.is_empty() {
            return Ok(lines);
        }
        // A statement of its own: it sees what was committed after the one that took them had begun.
        let rows = sqlx::query(
            "-- lines.give_back_overtaking
             update sink_lines l set due_at = $3, token = null
             where l.sink = $1 and l.order_key = any($2) and exists (
                 select from order_merges m join sink_lines e
                     on e.sink = l.sink and e.order_key = m.from_key
                 where m.into_key = l.order_key and e.done_seq < e.last_seq)
             returning l.order_key",
        )
        .bind(sink)
        .bind(lines.iter().map(|line| line.key).collect::<Vec<_>>())
        .bind(now.datetime())
        .fetch_all(&mut **transaction)
        .await?;
        let given_back: BTreeSet<Uuid> =
            rows.iter().map(|row| row.uuid(0)).collect::<Result<_, _>>()?;
        lines.retain(|line| !given_back.contains(&line.key));
        Ok(lines)
    }

    /// Writes what became of lines. The orders of those that were still ours: the others are somebody else's,
    /// who delivers again what we did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_lines(
        &mut self,
        sink: &str,
        settled: &[SettledLine],
        now: Timestamp,
    ) -> Result<BTreeSet<Uuid>, StoreError> {
        let mut settled: Vec<&SettledLine> = settled.iter().collect();
        settled.sort_by_key(|settled| settled.line.key);
        let reasons = settled.iter().map(|s| s.reason.as_deref().map(without_nul));
        let reasons: Vec<Option<String>> = reasons.collect();
        let stopped_at = |settled: &SettledLine| settled.is_stopped.then_some(now);
        match self {
            Self::Sqlite(transaction) => {
                let mut ours = BTreeSet::new();
                for (settled, reason) in settled.iter().zip(reasons) {
                    let line = &settled.line;
                    let query = sqlx::query(
                        "-- lines.settle_lines
                         update sink_lines set done_seq = ?3, due_at = ?4, token = null, tries = ?5,
                             failing_since = ?6, reason = ?7, stopped_at = ?8,
                             waits_since = coalesce((select o.at from outbox o
                                 where o.order_key = ?2 and o.seq > ?3 order by o.seq limit 1), waits_since)
                         where sink = ?1 and order_key = ?2 and token = ?9",
                    )
                    .bind(sink)
                    .bind(line.key)
                    .bind(line.done_seq)
                    .bind(settled.due_at.micros())
                    .bind(i64::from(line.tries))
                    .bind(line.failing_since.map(Timestamp::micros))
                    .bind(reason)
                    .bind(stopped_at(settled).map(Timestamp::micros))
                    .bind(line.token);
                    if query.execute(&mut **transaction).await?.rows_affected() > 0 {
                        ours.insert(line.key);
                    }
                }
                Ok(ours)
            }
            Self::Postgres(_) if settled.is_empty() => Ok(BTreeSet::new()),
            Self::Postgres(transaction) => {
                let keys: Vec<Uuid> = settled.iter().map(|settled| settled.line.key).collect();
                sqlx::query(
                    "-- lines.lock: in the order in which they are extended
                     select from sink_lines where sink = $1 and order_key = any($2)
                     order by order_key for update",
                )
                .bind(sink)
                .bind(&keys)
                .execute(&mut **transaction)
                .await?;
                let times = |column: fn(&SettledLine) -> Option<Timestamp>| -> Vec<_> {
                    settled.iter().map(|s| column(s).map(Timestamp::datetime)).collect()
                };
                let ours = sqlx::query(
                    "-- lines.settle_lines
                     update sink_lines l set done_seq = w.done_seq, due_at = w.due_at, token = null,
                         tries = w.tries, failing_since = w.failing_since, reason = w.reason,
                         stopped_at = w.stopped_at,
                         waits_since = coalesce((select o.at from outbox o
                             where o.order_key = l.order_key and o.seq > w.done_seq
                             order by o.seq limit 1), l.waits_since)
                     from unnest($2::uuid[], $3::bigint[], $4::timestamptz[], $5::bigint[],
                         $6::timestamptz[], $7::text[], $8::timestamptz[], $9::uuid[])
                         w (order_key, done_seq, due_at, tries, failing_since, reason, stopped_at, token)
                     where l.sink = $1 and l.order_key = w.order_key and l.token = w.token
                     returning l.order_key",
                )
                .bind(sink)
                .bind(&keys)
                .bind(settled.iter().map(|s| s.line.done_seq).collect::<Vec<_>>())
                .bind(times(|settled| Some(settled.due_at)))
                .bind(settled.iter().map(|s| i64::from(s.line.tries)).collect::<Vec<_>>())
                .bind(times(|settled| settled.line.failing_since))
                .bind(reasons)
                .bind(settled.iter().map(|s| stopped_at(s).map(Timestamp::datetime)).collect::<Vec<_>>())
                .bind(settled.iter().map(|s| s.line.token).collect::<Vec<_>>())
                .fetch_all(&mut **transaction)
                .await?;
                ours.iter().map(|row| row.uuid(0)).collect()
            }
        }
    }
}

fn line(row: &impl StoredRow) -> Result<Line, StoreError> {
    Ok(Line {
        key: row.uuid(0)?,
        done_seq: row.int(1)?,
        last_seq: row.int(2)?,
        tries: u32::try_from(row.int(3)?).unwrap_or(u32::MAX),
        failing_since: row.time_or_null(4)?,
        token: row.uuid(5)?,
    })
}
