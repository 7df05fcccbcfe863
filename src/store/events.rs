//! Events: what was reported, once each, and every delivery of it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use uuid::Uuid;

use super::orders::{corrupt, key_list, time};
use super::{StoreError, Transaction};
use crate::order::Verdict;
use crate::order::report::{Origin, Report};
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

/// A delivery that is settled: the callback's own id, and what it turned out to be.
#[derive(Clone, Debug)]
pub struct Settled<'a> {
    /// The callback.
    pub callback_id: Uuid,
    /// Which report of it.
    pub item: i64,
    /// The order.
    pub key: Uuid,
    /// The event that it is, or repeats.
    pub event_id: &'a str,
    /// What it turned out to be.
    pub verdict: Verdict,
    /// When it was received.
    pub received_at: Timestamp,
    /// The digest of its raw bytes.
    pub body_sha256: &'a [u8],
    /// Its raw bytes.
    pub body: &'a [u8],
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

/// A delivery of an event, as it is shown.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// The callback's own id.
    pub callback_id: Uuid,
    /// The event.
    pub event_id: String,
    /// What this delivery turned out to be.
    pub verdict: String,
    /// When it came.
    pub received_at: Timestamp,
}

impl Transaction {
    /// Of these callbacks, those that have their verdict, or are dead letters.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_settled(&mut self, ids: &[Uuid]) -> Result<BTreeSet<Uuid>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- events.find_settled
             select callback_id from event_bodies
                 where callback_id in (select unhex(value) from json_each(?1))
             union select callback_id from dead_letters
                 where callback_id in (select unhex(value) from json_each(?1))",
        )
        .bind(key_list(ids)?)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Of these events of orders, those that are known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_events(
        &mut self,
        events: &[(Uuid, &str)],
    ) -> Result<BTreeMap<(Uuid, String), KnownEvent>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let wanted: Vec<(String, &str)> =
            events.iter().map(|(key, id)| (key.simple().to_string(), *id)).collect();
        let rows = sqlx::query(
            "-- events.find_events
             select e.order_key, e.event_id, e.report from json_each(?) wanted
             join events e on e.order_key = unhex(wanted.value ->> 0)
                 and e.event_id = wanted.value ->> 1",
        )
        .bind(serde_json::to_string(&wanted).map_err(corrupt)?)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter()
            .map(|row| {
                let (key, event_id): (Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
                let report = serde_json::from_str(row.try_get(2)?).map_err(corrupt)?;
                Ok(((key, event_id.clone()), KnownEvent { key, event_id, report }))
            })
            .collect()
    }

    /// Writes an event.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert_event(&mut self, event: &NewEvent<'_>) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        sqlx::query(
            "-- events.insert_event
             insert into events (order_key, event_id, seq, origin, verdict, reason, report, moved_from,
                 moved_to, received_at, decided_at, last_received_at)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?10, ?, ?10)",
        )
        .bind(event.key)
        .bind(event.report.event_id.as_str())
        .bind(event.seq)
        .bind(event.report.origin.as_str())
        .bind(event.verdict.as_str())
        .bind(event.reason)
        .bind(serde_json::to_string(event.report).map_err(corrupt)?)
        .bind(event.moved_from)
        .bind(event.moved_to)
        .bind(event.report.received_at.micros())
        .bind(event.decided_at.micros())
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// Counts a repeat on the event that it repeats.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_repeat(
        &mut self,
        key: Uuid,
        event_id: &str,
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        let done = sqlx::query(
            "-- events.count_repeat
             update events set repeats = repeats + 1, last_received_at = max(last_received_at, ?)
             where order_key = ? and event_id = ?",
        )
        .bind(received_at.micros())
        .bind(key)
        .bind(event_id)
        .execute(&mut **transaction)
        .await?;
        super::exactly_one(done.rows_affected())
    }

    /// Writes that a delivery is settled. Its bytes are kept where no delivery of the event had the
    /// same.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle(&mut self, settled: &Settled<'_>) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        sqlx::query(
            "-- events.settle
             insert into event_bodies (callback_id, item, order_key, event_id, verdict, received_at,
                 body_sha256, body)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, case when exists (select 1 from event_bodies
                 where order_key = ?3 and event_id = ?4 and body_sha256 = ?7) then null else ?8 end)",
        )
        .bind(settled.callback_id)
        .bind(settled.item)
        .bind(settled.key)
        .bind(settled.event_id)
        .bind(settled.verdict.as_str())
        .bind(settled.received_at.micros())
        .bind(settled.body_sha256)
        .bind(settled.body)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// An order's events, in the order in which they were decided.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_events(&mut self, key: Uuid) -> Result<Vec<EventRow>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- events.list_events
             select seq, report, verdict, reason, moved_from, moved_to, decided_at, repeats,
                 last_received_at
             from events where order_key = ? order by seq",
        )
        .bind(key)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(EventRow {
                    seq: row.try_get(0)?,
                    report: serde_json::from_str(row.try_get(1)?).map_err(corrupt)?,
                    verdict: row.try_get(2)?,
                    reason: row.try_get(3)?,
                    moved_from: row.try_get(4)?,
                    moved_to: row.try_get(5)?,
                    decided_at: time(row.try_get(6)?)?,
                    repeats: row.try_get(7)?,
                    last_received_at: time(row.try_get(8)?)?,
                })
            })
            .collect()
    }
}

impl Transaction {
    /// The newest deliveries of an order's events, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_deliveries(
        &mut self,
        key: Uuid,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- events.list_deliveries
             select callback_id, event_id, verdict, received_at from event_bodies
             where order_key = ? order by received_at desc, callback_id desc limit ?",
        )
        .bind(key)
        .bind(limit)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(DeliveryRow {
                    callback_id: row.try_get(0)?,
                    event_id: row.try_get(1)?,
                    verdict: row.try_get(2)?,
                    received_at: time(row.try_get(3)?)?,
                })
            })
            .collect()
    }
}

/// An origin by its stored name.
pub(super) fn origin(name: &str) -> Result<Origin, StoreError> {
    let found = Origin::ALL.into_iter().find(|origin| origin.as_str() == name);
    found.ok_or_else(|| corrupt(format!("{name} is no origin")))
}
