//! Orders: read under a lock, and written by who holds it.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

use super::row::{StoredRow, corrupt, json, key_list};
use super::{StoreError, Transaction, exactly};

use crate::order::Order;
use crate::order::asking::{Asking, Phase};
use crate::order::name::Status;
use crate::order::silence::Silence;
use crate::order::timestamp::Timestamp;

/// An order as it was read, locked for writing.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its key.
    pub key: Uuid,
    /// Its source.
    pub source: String,
    /// How often it was written.
    pub version: i64,
    /// All that is known about it.
    pub order: Order,
    /// How many events it has.
    pub event_count: i64,
    /// How many effects it has.
    pub effect_count: i64,
    /// How many notices it has.
    pub notice_count: i64,
    /// How many things wait for a person.
    pub attention_count: i64,
    /// What is remembered of asking about it.
    pub asking: Asking,
    /// Which callback about it has not come.
    pub silence: Option<Silence>,
}

/// An order as it is to be written.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// Its key.
    pub key: Uuid,
    /// Its source.
    pub source: &'a str,
    /// The version that was read; none for a new order.
    pub version: Option<i64>,
    /// All that is known about it.
    pub order: &'a Order,
    /// How many events it has.
    pub event_count: i64,
    /// How many effects it has.
    pub effect_count: i64,
    /// How many notices it has.
    pub notice_count: i64,
    /// How many things wait for a person.
    pub attention_count: i64,
    /// What it came to.
    pub kind: Option<&'a str>,
    /// The payment status.
    pub status: Option<&'a str>,
    /// What that says.
    pub outcome: Option<&'a str>,
    /// Nothing is left to ask.
    pub is_final: bool,
    /// Something holds effects back.
    pub is_held: bool,
    /// When it is to be judged again.
    pub judge_at: Option<Timestamp>,
    /// What is remembered of asking about it. When it was last asked is for those who ask to write.
    pub asking: Asking,
    /// Which callback about it has not come.
    pub silence: Option<&'a Silence>,
    /// Now.
    pub now: Timestamp,
}

impl Transaction {
    /// Reads orders and keeps everybody else from writing them. Locked in the order of their keys, and
    /// after the ids were claimed, by everybody: two writers never wait for each other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lock_orders(&mut self, keys: &[Uuid]) -> Result<Vec<Loaded>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- orders.lock_orders: SQLite has one writer, which we are
                 select key, source, version, state, event_count, effect_count, attention_count,
                     ask_phase, ask_step, ask_answers, next_ask_at, asked_at, ask_wanted, ask_hinted,
                     silent_status, silent_since, is_missed, notice_count
                 from orders where key in (select unhex(value) from json_each(?)) order by key",
            )
            .bind(key_list(keys)?)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(loaded)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- orders.lock_orders
                 select key, source, version, state::text, event_count, effect_count, attention_count,
                     ask_phase, ask_step, ask_answers, next_ask_at, asked_at, ask_wanted, ask_hinted,
                     silent_status, silent_since, is_missed, notice_count
                 from orders where key = any($1) order by key for update",
            )
            .bind(keys)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(loaded)
            .collect(),
        }
    }

    /// Writes orders: new ones, and the next versions of those that were read. Each order once.
    ///
    /// # Errors
    /// [`StoreError::Raced`] where one is not the version that was read.
    pub async fn write_orders(&mut self, orders: &[Written<'_>]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => {
                for order in orders {
                    self.write_order_sqlite(order).await?;
                }
                Ok(())
            }
            Self::Postgres(transaction) => {
                let (known, new): (Vec<&Written<'_>>, Vec<_>) =
                    orders.iter().partition(|order| order.version.is_some());
                // Nobody else knows the key of a new order: its insert waits for nobody.
                for (orders, statement) in [(new, INSERT_ORDERS), (known, UPDATE_ORDERS)] {
                    if !orders.is_empty() {
                        let query = bind(sqlx::query(statement), &orders)?;
                        let done = query.execute(&mut **transaction).await?;
                        // An order that is given twice changes fewer rows than are given.
                        exactly(orders.len(), done.rows_affected())?;
                    }
                }
                Ok(())
            }
        }
    }

    async fn write_order_sqlite(&mut self, order: &Written<'_>) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self else { return Ok(()) };
        let now = order.now.micros();
        let query = match order.version {
            None => sqlx::query(
                "-- orders.insert_order
                 insert into orders (version, state, event_count, effect_count, attention_count, kind,
                     status, outcome, is_final, is_held, updated_at, judge_at, ask_phase, ask_step,
                     ask_answers, next_ask_at, ask_wanted, ask_hinted, silent_status, silent_since,
                     is_missed, notice_count, key, source, created_at)
                 values (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ),
            Some(_) => sqlx::query(
                "-- orders.update_order
                 update orders set version = version + 1, state = ?, event_count = ?, effect_count = ?,
                     attention_count = ?, kind = ?, status = ?, outcome = ?, is_final = ?, is_held = ?,
                     updated_at = ?, judge_at = ?, ask_phase = ?, ask_step = ?, ask_answers = ?,
                     next_ask_at = ?, ask_wanted = ?, ask_hinted = ?, silent_status = ?, silent_since = ?,
                     is_missed = ?, notice_count = ?
                 where key = ? and version = ?",
            ),
        };
        let query = query
            .bind(json(order.order)?)
            .bind(order.event_count)
            .bind(order.effect_count)
            .bind(order.attention_count)
            .bind(order.kind)
            .bind(order.status)
            .bind(order.outcome)
            .bind(order.is_final)
            .bind(order.is_held)
            .bind(now)
            .bind(order.judge_at.map(Timestamp::micros))
            .bind(order.asking.phase.as_str())
            .bind(order.asking.step)
            .bind(order.asking.answers)
            .bind(order.asking.next_at.map(Timestamp::micros))
            .bind(order.asking.is_wanted)
            .bind(order.asking.is_hinted)
            .bind(order.silence.map(|silence| silence.status.as_str()))
            .bind(order.silence.map(|silence| silence.since.micros()))
            .bind(order.silence.is_some_and(|silence| silence.is_missed))
            .bind(order.notice_count)
            .bind(order.key);
        let query = match order.version {
            None => query.bind(order.source).bind(now),
            Some(version) => query.bind(version),
        };
        exactly(1, query.execute(&mut **transaction).await?.rows_affected())
    }
}

const INSERT_ORDERS: &str = "-- orders.insert_orders
    insert into orders (key, source, created_at, version, state, event_count, effect_count,
        attention_count, kind, status, outcome, is_final, is_held, updated_at, judge_at, ask_phase,
        ask_step, ask_answers, next_ask_at, silent_status, silent_since, is_missed, ask_wanted,
        ask_hinted, notice_count)
    select w.key, w.source, w.now, 1, w.state::json, w.event_count, w.effect_count, w.attention_count,
        w.kind, w.status, w.outcome, w.is_final, w.is_held, w.now, w.judge_at, w.ask_phase, w.ask_step,
        w.ask_answers, w.next_ask_at, w.silent_status, w.silent_since, w.is_missed, w.ask_wanted,
        w.ask_hinted, w.notice_count
    from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::text[], $9::text[], $10::text[], $11::boolean[], $12::boolean[],
        $13::timestamptz[], $14::timestamptz[], $15::text[], $16::bigint[], $17::bigint[],
        $18::timestamptz[], $19::text[], $20::timestamptz[], $21::boolean[], $22::boolean[],
        $23::boolean[], $24::bigint[])
        w (key, source, version, state, event_count, effect_count, attention_count, kind, status, outcome,
            is_final, is_held, now, judge_at, ask_phase, ask_step, ask_answers, next_ask_at,
            silent_status, silent_since, is_missed, ask_wanted, ask_hinted,
            notice_count)";

const UPDATE_ORDERS: &str = "-- orders.update_orders
    update orders o set version = o.version + 1, state = w.state::json, event_count = w.event_count,
        effect_count = w.effect_count, attention_count = w.attention_count, kind = w.kind,
        status = w.status, outcome = w.outcome, is_final = w.is_final, is_held = w.is_held,
        updated_at = w.now, judge_at = w.judge_at, ask_phase = w.ask_phase, ask_step = w.ask_step,
        ask_answers = w.ask_answers, next_ask_at = w.next_ask_at, silent_status = w.silent_status,
        silent_since = w.silent_since, is_missed = w.is_missed, ask_wanted = w.ask_wanted,
        ask_hinted = w.ask_hinted, notice_count = w.notice_count
    from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::text[], $9::text[], $10::text[], $11::boolean[], $12::boolean[],
        $13::timestamptz[], $14::timestamptz[], $15::text[], $16::bigint[], $17::bigint[],
        $18::timestamptz[], $19::text[], $20::timestamptz[], $21::boolean[], $22::boolean[],
        $23::boolean[], $24::bigint[])
        w (key, source, version, state, event_count, effect_count, attention_count, kind, status, outcome,
            is_final, is_held, now, judge_at, ask_phase, ask_step, ask_answers, next_ask_at,
            silent_status, silent_since, is_missed, ask_wanted, ask_hinted,
            notice_count)
    where o.key = w.key and o.version = w.version";

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Binds orders column by column.
fn bind<'q>(query: PgQuery<'q>, orders: &[&Written<'_>]) -> Result<PgQuery<'q>, StoreError> {
    let texts = |column: fn(&Written<'_>) -> Option<String>| -> Vec<Option<String>> {
        orders.iter().map(|order| column(order)).collect()
    };
    let states: Result<Vec<String>, StoreError> =
        orders.iter().map(|order| json(order.order)).collect();
    Ok(query
        .bind(orders.iter().map(|order| order.key).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.source.to_owned()).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.version).collect::<Vec<_>>())
        .bind(states?)
        .bind(orders.iter().map(|order| order.event_count).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.effect_count).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.attention_count).collect::<Vec<_>>())
        .bind(texts(|order| order.kind.map(str::to_owned)))
        .bind(texts(|order| order.status.map(str::to_owned)))
        .bind(texts(|order| order.outcome.map(str::to_owned)))
        .bind(orders.iter().map(|order| order.is_final).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.is_held).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.now.datetime()).collect::<Vec<_>>())
        .bind(times(orders, |order| order.judge_at))
        .bind(texts(|order| Some(order.asking.phase.as_str().to_owned())))
        .bind(orders.iter().map(|order| i64::from(order.asking.step)).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| i64::from(order.asking.answers)).collect::<Vec<_>>())
        .bind(times(orders, |order| order.asking.next_at))
        .bind(texts(|order| order.silence.map(|silence| silence.status.to_string())))
        .bind(times(orders, |order| order.silence.map(|silence| silence.since)))
        .bind(
            orders
                .iter()
                .map(|order| order.silence.is_some_and(|silence| silence.is_missed))
                .collect::<Vec<_>>(),
        )
        .bind(orders.iter().map(|order| order.asking.is_wanted).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.asking.is_hinted).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.notice_count).collect::<Vec<_>>()))
}

fn times(
    orders: &[&Written<'_>],
    column: fn(&Written<'_>) -> Option<Timestamp>,
) -> Vec<Option<time::OffsetDateTime>> {
    orders.iter().map(|order| column(order).map(Timestamp::datetime)).collect()
}

fn loaded(row: &impl StoredRow) -> Result<Loaded, StoreError> {
    Ok(Loaded {
        key: row.uuid(0)?,
        source: row.text(1)?,
        version: row.int(2)?,
        order: row.json(3)?,
        event_count: row.int(4)?,
        effect_count: row.int(5)?,
        attention_count: row.int(6)?,
        asking: asking(row, 7)?,
        silence: silence(row, 14)?,
        notice_count: row.int(17)?,
    })
}

/// What is remembered of asking, from this column on.
pub(super) fn asking(row: &impl StoredRow, column: usize) -> Result<Asking, StoreError> {
    let phase = row.text(column)?;
    let phase = Phase::find(&phase).ok_or_else(|| corrupt(format!("there is no phase {phase}")))?;
    let count = |column| Ok::<_, StoreError>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
    Ok(Asking {
        phase,
        step: count(column + 1)?,
        answers: count(column + 2)?,
        next_at: row.time_or_null(column + 3)?,
        asked_at: row.time_or_null(column + 4)?,
        is_wanted: row.bool(column + 5)?,
        is_hinted: row.bool(column + 6)?,
    })
}

/// Which callback has not come, from this column on.
pub(super) fn silence(row: &impl StoredRow, column: usize) -> Result<Option<Silence>, StoreError> {
    let Some(status) = row.text_or_null(column)? else { return Ok(None) };
    let since = row.time_or_null(column + 1)?;
    let since = since.ok_or_else(|| corrupt("a silence without a beginning"))?;
    Ok(Some(Silence { status: Status::new(status), since, is_missed: row.bool(column + 2)? }))
}
