//! Events: what was reported, once each. Who writes one holds the lock of its order.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::row::{StoredRow, json, without_nul};
use super::{StoreError, Transaction, exactly};
use crate::order::Verdict;
use crate::order::report::Report;
use crate::order::timestamp::Timestamp;

/// An event to be written.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// Its order.
    pub key: Uuid,
    /// Which one of the order's, counted from 1.
    pub seq: i64,
    /// What it said.
    pub report: &'a Report,
    /// What it turned out to be.
    pub verdict: Verdict,
    /// Why.
    pub reason: &'a str,
    /// The payment head before, where it moved.
    pub moved_from: Option<&'a str>,
    /// The payment head after, where it moved.
    pub moved_to: Option<&'a str>,
    /// Now.
    pub decided_at: Timestamp,
}

/// A delivery that repeats an event.
#[derive(Clone, Debug)]
pub struct Repeat<'a> {
    /// The order.
    pub key: Uuid,
    /// The event.
    pub event_id: &'a str,
    /// When it came again.
    pub received_at: Timestamp,
}

/// An event that is known.
#[derive(Clone, Debug)]
pub struct KnownEvent {
    /// Its order.
    pub key: Uuid,
    /// Its id within the order.
    pub event_id: String,
    /// What it said when it was first heard.
    pub report: Report,
}

/// An event as it is shown.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// Which one of the order's.
    pub seq: i64,
    /// What it said.
    pub report: Report,
    /// What it turned out to be.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// The payment head before, where it moved.
    pub moved_from: Option<String>,
    /// The payment head after, where it moved.
    pub moved_to: Option<String>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How often it came again.
    pub repeats: i64,
    /// When it last came.
    pub last_received_at: Timestamp,
}

impl Transaction {
    /// Of these events of orders, those that are known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_events(
        &mut self,
        events: &[(Uuid, &str)],
    ) -> Result<BTreeMap<(Uuid, String), KnownEvent>, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let wanted: Vec<(String, &str)> =
                    events.iter().map(|(key, id)| (key.simple().to_string(), *id)).collect();
                sqlx::query(
                    "-- events.find_events
                     select e.order_key, e.event_id, e.report from json_each(?) wanted
                     join events e on e.order_key = unhex(wanted.value ->> 0)
                         and e.event_id = wanted.value ->> 1",
                )
                .bind(json(&wanted)?)
                .fetch_all(&mut **transaction)
                .await?
                .iter()
                .map(known)
                .collect()
            }
            Self::Postgres(transaction) => sqlx::query(
                "-- events.find_events
                 select e.order_key, e.event_id, e.report::text
                 from unnest($1::uuid[], $2::text[]) w (order_key, event_id)
                 join events e on e.order_key = w.order_key and e.event_id = w.event_id",
            )
            .bind(events.iter().map(|(key, _)| *key).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, id)| *id).collect::<Vec<_>>())
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(known)
            .collect(),
        }
    }

    /// Writes events.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert_events(&mut self, events: &[NewEvent<'_>]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                for event in events {
                    sqlx::query(
                        "-- events.insert_events
                         insert into events (order_key, event_id, seq, origin, verdict, reason, report,
                             moved_from, moved_to, received_at, decided_at, last_received_at)
                         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?10, ?, ?10)",
                    )
                    .bind(event.key)
                    .bind(event.report.event_id.as_str())
                    .bind(event.seq)
                    .bind(event.report.origin.as_str())
                    .bind(event.verdict.as_str())
                    .bind(without_nul(event.reason))
                    .bind(json(event.report)?)
                    .bind(event.moved_from)
                    .bind(event.moved_to)
                    .bind(event.report.received_at.micros())
                    .bind(event.decided_at.micros())
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
            Self::Postgres(_) if events.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                let reports: Result<Vec<String>, StoreError> =
                    events.iter().map(|event| json(event.report)).collect();
                let received_at: Vec<_> =
                    events.iter().map(|event| event.report.received_at.datetime()).collect();
                sqlx::query(
                    "-- events.insert_events
                     insert into events (order_key, event_id, seq, origin, verdict, reason, report,
                         moved_from, moved_to, received_at, decided_at, last_received_at)
                     select order_key, event_id, seq, origin, verdict, reason, report::json, moved_from,
                         moved_to, received_at, decided_at, received_at
                     from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
                         $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[])
                         w (order_key, event_id, seq, origin, verdict, reason, report, moved_from,
                             moved_to, received_at, decided_at)",
                )
                .bind(events.iter().map(|event| event.key).collect::<Vec<_>>())
                .bind(events.iter().map(|event| event.report.event_id.as_str()).collect::<Vec<_>>())
                .bind(events.iter().map(|event| event.seq).collect::<Vec<_>>())
                .bind(events.iter().map(|event| event.report.origin.as_str()).collect::<Vec<_>>())
                .bind(events.iter().map(|event| event.verdict.as_str()).collect::<Vec<_>>())
                .bind(events.iter().map(|event| without_nul(event.reason)).collect::<Vec<_>>())
                .bind(reports?)
                .bind(events.iter().map(|event| event.moved_from).collect::<Vec<_>>())
                .bind(events.iter().map(|event| event.moved_to).collect::<Vec<_>>())
                .bind(received_at)
                .bind(events.iter().map(|event| event.decided_at.datetime()).collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
                Ok(())
            }
        }
    }

    /// Counts repeats on the events that they repeat.
    ///
    /// # Errors
    /// [`StoreError::Raced`] where there is no such event.
    pub async fn count_repeats(&mut self, repeats: &[Repeat<'_>]) -> Result<(), StoreError> {
        // Added up first: an update that finds two rows for one event takes one of them, at random.
        let mut counted: BTreeMap<(Uuid, &str), (i64, Timestamp)> = BTreeMap::new();
        for Repeat { key, event_id, received_at } in repeats {
            let (times, last) = counted.entry((*key, event_id)).or_insert((0, *received_at));
            *times += 1;
            *last = (*last).max(*received_at);
        }
        match self {
            Self::Sqlite(transaction) => {
                for ((key, event_id), (times, last)) in counted {
                    let done = sqlx::query(
                        "-- events.count_repeats
                         update events set repeats = repeats + ?,
                             last_received_at = max(last_received_at, ?)
                         where order_key = ? and event_id = ?",
                    )
                    .bind(times)
                    .bind(last.micros())
                    .bind(key)
                    .bind(event_id)
                    .execute(&mut **transaction)
                    .await?;
                    exactly(1, done.rows_affected())?;
                }
                Ok(())
            }
            Self::Postgres(_) if counted.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                let done = sqlx::query(
                    "-- events.count_repeats
                     update events e set repeats = e.repeats + w.times,
                         last_received_at = greatest(e.last_received_at, w.received_at)
                     from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[])
                         w (order_key, event_id, times, received_at)
                     where e.order_key = w.order_key and e.event_id = w.event_id",
                )
                .bind(counted.keys().map(|(key, _)| *key).collect::<Vec<_>>())
                .bind(counted.keys().map(|(_, event_id)| *event_id).collect::<Vec<_>>())
                .bind(counted.values().map(|(times, _)| *times).collect::<Vec<_>>())
                .bind(counted.values().map(|(_, last)| last.datetime()).collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
                exactly(counted.len(), done.rows_affected())
            }
        }
    }

    /// An order's events, in the order in which they were decided.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_events(&mut self, key: Uuid) -> Result<Vec<EventRow>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- events.list_events
                 select seq, report, verdict, reason, moved_from, moved_to, decided_at, repeats,
                     last_received_at
                 from events where order_key = ? order by seq",
            )
            .bind(key)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(shown)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- events.list_events
                 select seq, report::text, verdict, reason, moved_from, moved_to, decided_at, repeats,
                     last_received_at
                 from events where order_key = $1 order by seq",
            )
            .bind(key)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(shown)
            .collect(),
        }
    }
}

impl Transaction {
    /// What people decided about an order, in the order in which they did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_resolutions(&mut self, key: Uuid) -> Result<Vec<Report>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- events.list_resolutions
                 select report from events where order_key = ? and origin = 'operator' order by seq",
            )
            .bind(key)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| row.json(0))
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- events.list_resolutions
                 select report::text from events where order_key = $1 and origin = 'operator' order by seq",
            )
            .bind(key)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| row.json(0))
            .collect(),
        }
    }
}

fn known(row: &impl StoredRow) -> Result<((Uuid, String), KnownEvent), StoreError> {
    let (key, event_id) = (row.uuid(0)?, row.text(1)?);
    Ok(((key, event_id.clone()), KnownEvent { key, event_id, report: row.json(2)? }))
}

fn shown(row: &impl StoredRow) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        seq: row.int(0)?,
        report: row.json(1)?,
        verdict: row.text(2)?,
        reason: row.text(3)?,
        moved_from: row.text_or_null(4)?,
        moved_to: row.text_or_null(5)?,
        decided_at: row.time(6)?,
        repeats: row.int(7)?,
        last_received_at: row.time(8)?,
    })
}
