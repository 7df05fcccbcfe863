//! The embedded queue: a table in the store's own file.
//!
//! Group commit: callers wait, one task writes whatever has come together in one transaction, and all
//! are answered after its commit. The commit is what costs; this way it is shared.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::message::{Callback, CallbackHeader};
use super::{ConsumeError, Delivery, Depth, PublishError, SUSPECT_ATTEMPTS, Settle};
use crate::clock::Clock;
use crate::order::report::Origin;
use crate::order::timestamp::Timestamp;
use crate::provider::headers::Headers;
use crate::store::sqlite::Database;

/// How many callbacks one commit may hold.
const GROUP_MAX: usize = 512;

/// How long a callback is given out for. Nobody else may take it meanwhile; there is only one
/// process, so this only matters for work that hangs.
const LEASE_SECS: u64 = 300;

/// How long a consumer waits before it looks again without being told: for delays that have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

type Waiting = (Callback, oneshot::Sender<Result<(), PublishError>>);

/// A queue in the store's own file.
#[derive(Clone, Debug)]
pub struct Queue {
    database: Database,
    waiting: mpsc::Sender<Waiting>,
    arrived: Arc<Notify>,
    clock: Clock,
}

impl Queue {
    /// Opens the queue. What was given out by a process that is gone is given out again.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn open(database: &Database, clock: Clock) -> Result<Self, sqlx::Error> {
        let mut transaction = database.begin().await?;
        sqlx::query(
            "-- queue.end_leases
             update queue_messages set is_leased = 0, available_at = 0 where is_leased",
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let (waiting, received) = mpsc::channel(2 * GROUP_MAX);
        let arrived = Arc::new(Notify::new());
        tokio::spawn(commit_groups(database.clone(), received, Arc::clone(&arrived)));
        Ok(Self { database: database.clone(), waiting, arrived, clock })
    }

    pub(super) async fn publish(&self, callback: Callback) -> Result<(), PublishError> {
        let gone = || PublishError::Unavailable("the queue is closed".to_owned());
        let (reply, answer) = oneshot::channel();
        self.waiting.send((callback, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Why nothing can be queued, if so: the task that writes is gone.
    pub(super) fn unready(&self) -> Option<&'static str> {
        self.waiting.is_closed().then_some("the queue is closed")
    }

    pub(super) fn consumer(&self) -> Consumer {
        Consumer {
            database: self.database.clone(),
            arrived: Arc::clone(&self.arrived),
            clock: self.clock.clone(),
            suspect_is_next: false,
        }
    }

    pub(super) async fn depth(&self) -> Result<Depth, ConsumeError> {
        let row = sqlx::query(
            "-- queue.depth
             select (select count(*) from queue_messages),
                 (select header ->> 'received_at' from queue_messages order by id limit 1)",
        )
        .fetch_one(self.database.readers())
        .await
        .map_err(unreadable)?;
        let waiting: i64 = row.try_get(0).map_err(unreadable)?;
        let oldest: Option<String> = row.try_get(1).map_err(unreadable)?;
        let oldest =
            oldest.and_then(|text| text.parse::<crate::order::timestamp::Timestamp>().ok());
        let age_micros = oldest.map_or(0, |at| (self.clock.now().micros() - at.micros()).max(0));
        Ok(Depth {
            waiting: u64::try_from(waiting).unwrap_or(0),
            oldest_age_secs: std::time::Duration::from_micros(age_micros.unsigned_abs())
                .as_secs_f64(),
        })
    }
}

/// Writes what has come together, again and again, until nobody can send any more.
async fn commit_groups(
    database: Database,
    mut received: mpsc::Receiver<Waiting>,
    arrived: Arc<Notify>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while received.recv_many(&mut group, GROUP_MAX).await > 0 {
        let result = insert(&database, &group).await;
        if let Err(error) = &result {
            tracing::error!(error = %error, "{} callbacks could not be queued", group.len());
        }
        for (_, reply) in group.drain(..) {
            let answer = result.as_ref().copied().map_err(|error| error.to_string());
            // A caller that no longer waits sends again; the callback is then a duplicate.
            reply.send(answer.map_err(PublishError::Unavailable)).ok();
        }
        arrived.notify_one();
    }
}

/// Available at once, whatever the clock says: one that is put back hides nothing.
async fn insert(database: &Database, group: &[Waiting]) -> Result<(), sqlx::Error> {
    let mut transaction = database.begin_first().await?;
    for (callback, _) in group {
        let header = serde_json::to_string(&callback.header);
        let header = header.map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        sqlx::query(
            "-- queue.insert
             insert into queue_messages (id, header, body, available_at) values (?, ?, ?, 0)",
        )
        .bind(callback.header.id)
        .bind(header)
        .bind(&callback.body)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

/// Takes callbacks out of the table.
#[derive(Debug)]
pub struct Consumer {
    database: Database,
    arrived: Arc<Notify>,
    clock: Clock,
    /// Suspects and others take turns, so that neither starves the other.
    suspect_is_next: bool,
}

impl Consumer {
    pub(super) async fn next(
        &mut self,
        max: usize,
        linger: Duration,
        stop: &CancellationToken,
    ) -> Result<Vec<Delivery>, ConsumeError> {
        while !stop.is_cancelled() {
            self.suspect_is_next = !self.suspect_is_next;
            for suspects in [self.suspect_is_next, !self.suspect_is_next] {
                let max = if suspects { 1 } else { max };
                let mut batch = self.claim(suspects, max).await.map_err(unreadable)?;
                if batch.is_empty() {
                    continue;
                }
                if !suspects && batch.len() < max && !linger.is_zero() {
                    tokio::time::sleep(linger).await;
                    // What is in hand stays in hand, whatever becomes of its company.
                    let company = self.claim(false, max - batch.len()).await;
                    batch.extend(company.unwrap_or_default());
                }
                return Ok(batch);
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.arrived.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        Ok(Vec::new())
    }

    /// Leases callbacks. The attempt is committed with the lease: one that ends this process is known
    /// to have been tried.
    async fn claim(&self, suspects: bool, max: usize) -> Result<Vec<Delivery>, sqlx::Error> {
        let now = self.clock.now();
        let mut transaction = self.database.begin().await?;
        let rows = sqlx::query(
            "-- queue.claim
             update queue_messages set is_leased = 1, attempt = attempt + 1, available_at = ?1
             where id in (select id from queue_messages where available_at <= ?2
                 and (attempt >= ?3) = ?4 order by id limit ?5)
             returning id, header, body, attempt",
        )
        .bind(now.plus_secs(LEASE_SECS).micros())
        .bind(now.micros())
        .bind(SUSPECT_ATTEMPTS)
        .bind(suspects)
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let mut batch = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        // RETURNING has no order; a callback's id has the order in which callbacks came.
        batch.sort_by_key(|delivery| delivery.callback.header.id);
        Ok(batch)
    }

    pub(super) async fn settle(
        &mut self,
        settled: &[(Delivery, Settle)],
    ) -> Result<(), ConsumeError> {
        let done = settled.iter().filter(|(_, settle)| *settle == Settle::Ack);
        let done: Vec<String> =
            done.map(|(delivery, _)| delivery.callback.header.id.simple().to_string()).collect();
        let done = serde_json::to_string(&done).map_err(|error| ConsumeError(error.into()))?;
        let mut transaction = self.database.begin().await.map_err(unreadable)?;
        sqlx::query(
            "-- queue.ack
             delete from queue_messages where id in (select unhex(value) from json_each(?))",
        )
        .bind(done)
        .execute(&mut *transaction)
        .await
        .map_err(unreadable)?;
        for (delivery, settle) in settled {
            let Settle::Retry { after } = settle else { continue };
            let delay_micros = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
            sqlx::query(
                "-- queue.retry
                 update queue_messages set is_leased = 0, available_at = ? where id = ?",
            )
            .bind(self.clock.now().micros().saturating_add(delay_micros))
            .bind(delivery.callback.header.id)
            .execute(&mut *transaction)
            .await
            .map_err(unreadable)?;
        }
        transaction.commit().await.map_err(unreadable)
    }
}

fn delivery(row: &SqliteRow) -> Result<Delivery, sqlx::Error> {
    let id: Uuid = row.try_get(0)?;
    let header: String = row.try_get(1)?;
    // Of a newer version, perhaps. It becomes a dead letter, and its neighbours are none the worse.
    let unreadable = |_| CallbackHeader {
        id,
        source: "?".to_owned(),
        origin: Origin::Callback,
        received_at: Timestamp::EPOCH,
        headers: Headers::default(),
        attempt: 0,
        asked: std::collections::BTreeSet::new(),
        is_hint: false,
        is_item: false,
        said_at: None,
    };
    let header: CallbackHeader = serde_json::from_str(&header).unwrap_or_else(unreadable);
    let attempt: i64 = row.try_get(3)?;
    Ok(Delivery {
        callback: Callback { header, body: row.try_get(2)? },
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        dead: None,
        message: 0,
    })
}

fn unreadable(error: sqlx::Error) -> ConsumeError {
    ConsumeError(error.into())
}
