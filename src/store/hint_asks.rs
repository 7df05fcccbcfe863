//! Who asks a provider because of a hint. About an order that is known, under the lease on the order's row;
//! about an id that nobody knows, under one on the hint's own. Both are passed over where somebody is at
//! work on them: they are found the next time.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::asks::{UNREADABLE, due};
use super::row::{StoredRow, json, key_list};
use super::{DueAsk, StoreError, Transaction};
use crate::order::name::{OrderId, Role};
use crate::order::timestamp::Timestamp;

/// How often an order is asked about because of one hint, as long as that brings no answer.
pub const TRIES_MAX: i64 = 4;

/// A hint about an order that is known.
#[derive(Clone, Debug)]
pub struct HintedAsk {
    /// The order.
    pub due: DueAsk,
    /// The hint's own id.
    pub order_id: String,
}

/// A hint about an id that nobody knows.
#[derive(Clone, Debug)]
pub struct StrangersHint {
    /// The id.
    pub order_id: String,
    /// By which ids the provider can be asked.
    pub names: BTreeMap<OrderId, Role>,
}

/// Which orders hints are followed about.
#[derive(Clone, Copy, Debug)]
pub struct Hinted<'a> {
    /// Of this source.
    pub source: &'a str,
    /// Now.
    pub now: Timestamp,
    /// Not if they were asked about since then.
    pub unasked_since: Timestamp,
    /// Not these.
    pub besides: &'a [Uuid],
    /// At most so many.
    pub limit: u32,
}

impl Transaction {
    /// Whether any hint of a source waits that may be followed now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_hints(&mut self, source: &str, now: Timestamp) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- hint_asks.has_hints
                 select exists (select 1 from hints where source = ? and tries < 4
                     and (lease_until is null or lease_until <= ?))",
            )
            .bind(source)
            .bind(now.micros())
            .fetch_one(&mut **transaction)
            .await?
            .bool(0),
            Self::Postgres(transaction) => sqlx::query(
                "-- hint_asks.has_hints
                 select exists (select from hints where source = $1 and tries < 4
                     and (lease_until is null or lease_until <= $2))",
            )
            .bind(source)
            .bind(now.datetime())
            .fetch_one(&mut **transaction)
            .await?
            .bool(0),
        }
    }

    /// Hints about orders that are known, the oldest first. They and their orders stay locked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hinted_asks(&mut self, which: Hinted<'_>) -> Result<Vec<HintedAsk>, StoreError> {
        let read: Vec<(String, Result<DueAsk, StoreError>)> = match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- hint_asks.hinted_asks
                 select o.key, o.state, o.ask_phase, o.ask_step, o.ask_answers, o.next_ask_at, o.asked_at,
                     o.ask_wanted, o.ask_hinted, h.order_id
                 from hints h join order_ids n on n.source = h.source and n.id = h.order_id
                     join orders o on o.key = n.order_key
                 where h.source = ?1 and h.tries < 4 and (h.lease_until is null or h.lease_until <= ?2)
                     and (o.ask_lease_until is null or o.ask_lease_until <= ?2)
                     and (o.asked_at is null or o.asked_at <= ?3)
                     and o.key not in (select unhex(value) from json_each(?4))
                 order by h.hinted_at limit ?5",
            )
            .bind(which.source)
            .bind(which.now.micros())
            .bind(which.unasked_since.micros())
            .bind(key_list(which.besides)?)
            .bind(which.limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(hinted)
            .collect::<Result<_, _>>()?,
            Self::Postgres(transaction) => sqlx::query(
                "-- hint_asks.hinted_asks
                 select o.key, o.state::text, o.ask_phase, o.ask_step, o.ask_answers, o.next_ask_at,
                     o.asked_at, o.ask_wanted, o.ask_hinted, h.order_id
                 from hints h join order_ids n on n.source = h.source and n.id = h.order_id
                     join orders o on o.key = n.order_key
                 where h.source = $1 and h.tries < 4 and (h.lease_until is null or h.lease_until <= $2)
                     and (o.ask_lease_until is null or o.ask_lease_until <= $2)
                     and (o.asked_at is null or o.asked_at <= $3) and o.key <> all($4)
                 order by h.hinted_at limit $5 for update of h, o skip locked",
            )
            .bind(which.source)
            .bind(which.now.datetime())
            .bind(which.unasked_since.datetime())
            .bind(which.besides)
            .bind(i64::from(which.limit))
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(hinted)
            .collect::<Result<_, _>>()?,
        };
        let mut asks: Vec<HintedAsk> = Vec::new();
        for (order_id, read) in read {
            match read {
                // Two hints may be about one order since they came: it is asked about once.
                Ok(due) if asks.iter().any(|known| known.due.key == due.key) => {}
                Ok(due) => asks.push(HintedAsk { due, order_id }),
                // It keeps no other waiting.
                Err(error) => {
                    tracing::error!(error = %error, "a hint's order cannot be asked about");
                    let ids = [order_id.as_str()];
                    self.begin_hints(which.source, &ids, Uuid::now_v7(), which.now, UNREADABLE)
                        .await?;
                }
            }
        }
        Ok(asks)
    }

    /// Hints about ids that nobody knows, the oldest first. They stay locked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn strangers_hints(
        &mut self,
        source: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StrangersHint>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- hint_asks.strangers_hints
                 select order_id, names from hints h
                 where source = ?1 and order_key is null and tries < 4
                     and (lease_until is null or lease_until <= ?2)
                     and not exists (select 1 from order_ids n
                         where n.source = h.source and n.id = h.order_id)
                 order by hinted_at limit ?3",
            )
            .bind(source)
            .bind(now.micros())
            .bind(limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(strangers)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- hint_asks.strangers_hints
                 select order_id, names::text from hints h
                 where source = $1 and order_key is null and tries < 4
                     and (lease_until is null or lease_until <= $2)
                     and not exists (select from order_ids n
                         where n.source = h.source and n.id = h.order_id)
                 order by hinted_at limit $3 for update skip locked",
            )
            .bind(source)
            .bind(now.datetime())
            .bind(i64::from(limit))
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(strangers)
            .collect(),
        }
    }

    /// Writes that hints are followed: each is counted, and is its token's. Where nothing comes of it, it is
    /// followed again, but not before the lease is over, and twice as long after it each time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_hints(
        &mut self,
        source: &str,
        order_ids: &[&str],
        token: Uuid,
        now: Timestamp,
        lease: Duration,
    ) -> Result<(), StoreError> {
        if order_ids.is_empty() {
            return Ok(());
        }
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(
                    "-- hint_asks.begin_hints
                     update hints set token = ?3, lease_until = ?4 + (?5 << tries), tries = tries + 1
                     where source = ?1 and order_id in (select value from json_each(?2))",
                )
                .bind(source)
                .bind(json(&order_ids)?)
                .bind(token)
                .bind(now.micros())
                .bind(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX))
                .execute(&mut **transaction)
                .await?;
            }
            Self::Postgres(transaction) => {
                sqlx::query(
                    "-- hint_asks.begin_hints
                     update hints set token = $3, tries = tries + 1,
                         lease_until = $4::timestamptz + make_interval(secs => $5::float8 * power(2, tries))
                     where source = $1 and order_id = any($2)",
                )
                .bind(source)
                .bind(order_ids)
                .bind(token)
                .bind(now.datetime())
                .bind(lease.as_secs_f64())
                .execute(&mut **transaction)
                .await?;
            }
        }
        Ok(())
    }

    /// Forgets the hints about an order, or about an id, that are answered: those that came before it was
    /// asked about. One that came later waits anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn answer_hints(
        &mut self,
        source: &str,
        key: Option<Uuid>,
        order_id: Option<&str>,
        asked_at: Timestamp,
    ) -> Result<(), StoreError> {
        const FORGET: &str = "-- hint_asks.forget_answered
            delete from hints where source = $1 and (order_key = $2 or order_id = $3)
                and hinted_at <= $4";
        const AGAIN: &str = "-- hint_asks.wait_anew
            update hints set token = null, lease_until = null, tries = 0
            where source = $1 and (order_key = $2 or order_id = $3) and token is not null";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(FORGET).bind(source).bind(key).bind(order_id);
                query.bind(asked_at.micros()).execute(&mut **transaction).await?;
                let query = sqlx::query(AGAIN).bind(source).bind(key).bind(order_id);
                query.execute(&mut **transaction).await?;
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(FORGET).bind(source).bind(key).bind(order_id);
                query.bind(asked_at.datetime()).execute(&mut **transaction).await?;
                let query = sqlx::query(AGAIN).bind(source).bind(key).bind(order_id);
                query.execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }

    /// Gives up a hint, if it is still the token's: it was followed in vain often enough. Whether it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_up_hint(
        &mut self,
        source: &str,
        order_id: &str,
        token: Uuid,
    ) -> Result<bool, StoreError> {
        const GIVE_UP: &str = "-- hint_asks.give_up
            delete from hints where source = $1 and order_id = $2 and token = $3 and tries >= 4";
        let rows = match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(GIVE_UP).bind(source).bind(order_id).bind(token);
                query.execute(&mut **transaction).await?.rows_affected()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(GIVE_UP).bind(source).bind(order_id).bind(token);
                query.execute(&mut **transaction).await?.rows_affected()
            }
        };
        Ok(rows > 0)
    }

    /// Makes hints wait no longer than others that came, or were followed, by a clock that was ahead of what
    /// it now shows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mend_hints(
        &mut self,
        source: &str,
        now: Timestamp,
        lease_max: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(
                    "-- hint_asks.mend_hints
                     update hints set hinted_at = min(hinted_at, ?2), lease_until = min(lease_until, ?3)
                     where source = ?1 and (hinted_at > ?2 or lease_until > ?3)",
                )
                .bind(source)
                .bind(now.micros())
                .bind(lease_max.micros())
                .execute(&mut **transaction)
                .await?;
            }
            Self::Postgres(transaction) => {
                sqlx::query(
                    "-- hint_asks.mend_hints
                     update hints set hinted_at = least(hinted_at, $2),
                         lease_until = case when lease_until > $3 then $3 else lease_until end
                     where (source, order_id) in (select source, order_id from hints
                         where source = $1 and (hinted_at > $2 or lease_until > $3)
                         order by order_id for update)",
                )
                .bind(source)
                .bind(now.datetime())
                .bind(lease_max.datetime())
                .execute(&mut **transaction)
                .await?;
            }
        }
        Ok(())
    }
}

fn hinted(row: &impl StoredRow) -> Result<(String, Result<DueAsk, StoreError>), StoreError> {
    let (_, due) = due(row)?;
    Ok((row.text(9)?, due))
}

fn strangers(row: &impl StoredRow) -> Result<StrangersHint, StoreError> {
    Ok(StrangersHint { order_id: row.text(0)?, names: row.json(1)? })
}
