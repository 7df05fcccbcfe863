//! Attention: what waits for a person, order by order.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::listing::shown as shown_order;
use super::row::{StoredRow, json, without_nul};
use super::{OrderRow, StoreError, Transaction};
use crate::order::standing::{Attention, AttentionCode};
use crate::order::timestamp::Timestamp;

/// Something that waits for a person, as it is shown.
#[derive(Clone, Debug)]
pub struct AttentionRow {
    /// What sort of thing.
    pub code: String,
    /// What tells it from others of its sort.
    pub key: String,
    /// What the person must know.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
}

impl AttentionRow {
    /// Whether it is about what a sink did not take.
    #[must_use]
    pub fn is_of_sink(&self) -> bool {
        self.code == AttentionCode::SinkStopped.as_str()
    }

    /// Which sink that is.
    #[must_use]
    pub fn sink(&self) -> Option<&str> {
        self.key.strip_prefix("sink=").filter(|_| self.is_of_sink())
    }
}

/// Which of what waits for a person to list.
#[derive(Clone, Debug, Default)]
pub struct AttentionFilter {
    /// Of this code only.
    pub code: Option<String>,
    /// Of this source only.
    pub source: Option<String>,
    /// What comes after this: lists go from what waits longest on.
    pub after: Option<AttentionMark>,
    /// At most so many.
    pub limit: i64,
}

/// Where a list of what waits for a person goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionMark {
    /// Since when the last one waits.
    pub since: Timestamp,
    /// Its order.
    pub order: Uuid,
    /// Its key.
    pub key: String,
}

impl Transaction {
    /// Makes orders' attention what it now is. What was there before keeps its time; what a sink did not take
    /// is left alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn write_attention(
        &mut self,
        attention: &[(Uuid, &[Attention])],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => {
                for (order, attention) in attention {
                    self.write_attention_sqlite(*order, attention, now).await?;
                }
                Ok(())
            }
            Self::Postgres(_) if attention.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                let orders: Vec<Uuid> = attention.iter().map(|(order, _)| *order).collect();
                // One statement cannot write the same row twice: of two of one key the last stays.
                let rows: BTreeMap<(Uuid, &str), &Attention> = attention
                    .iter()
                    .flat_map(|(order, list)| list.iter().map(|a| ((*order, a.key.as_str()), a)))
                    .collect();
                let order_keys: Vec<Uuid> = rows.keys().map(|(order, _)| *order).collect();
                let keys: Vec<&str> = rows.keys().map(|(_, key)| *key).collect();
                sqlx::query(
                    "-- attention.end
                     delete from attention a
                     where a.order_key = any($1) and a.code <> 'sink_stopped' and not exists (
                         select from unnest($2::uuid[], $3::text[]) w (order_key, key)
                         where w.order_key = a.order_key and w.key = a.key)",
                )
                .bind(&orders)
                .bind(&order_keys)
                .bind(&keys)
                .execute(&mut **transaction)
                .await?;
                sqlx::query(
                    "-- attention.begin
                     insert into attention (order_key, key, code, text, since)
                     select w.order_key, w.key, w.code, w.text, $5
                     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
                         w (order_key, key, code, text)
                     on conflict (order_key, key)
                         do update set code = excluded.code, text = excluded.text",
                )
                .bind(&order_keys)
                .bind(&keys)
                .bind(rows.values().map(|a| a.code.as_str()).collect::<Vec<_>>())
                .bind(rows.values().map(|a| without_nul(&a.text)).collect::<Vec<_>>())
                .bind(now.datetime())
                .execute(&mut **transaction)
                .await?;
                Ok(())
            }
        }
    }

    async fn write_attention_sqlite(
        &mut self,
        order: Uuid,
        attention: &[Attention],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self else { return Ok(()) };
        let keys: Vec<&str> = attention.iter().map(|attention| attention.key.as_str()).collect();
        sqlx::query(
            "-- attention.end
             delete from attention where order_key = ? and code <> 'sink_stopped'
                 and key not in (select value from json_each(?))",
        )
        .bind(order)
        .bind(json(&keys)?)
        .execute(&mut **transaction)
        .await?;
        for attention in attention {
            sqlx::query(
                "-- attention.begin
                 insert into attention (order_key, key, code, text, since) values (?, ?, ?, ?, ?)
                 on conflict (order_key, key) do update set code = excluded.code, text = excluded.text",
            )
            .bind(order)
            .bind(&attention.key)
            .bind(attention.code.as_str())
            .bind(without_nul(&attention.text))
            .bind(now.micros())
            .execute(&mut **transaction)
            .await?;
        }
        Ok(())
    }

    /// What waits for a person about an order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_attention(&mut self, order: Uuid) -> Result<Vec<AttentionRow>, StoreError> {
        const LIST: &str = "-- attention.list_attention
            select code, key, text, since from attention where order_key = $1 order by since, key";
        match self {
            Self::Sqlite(transaction) => {
                let query = sqlx::query(LIST).bind(order);
                query.fetch_all(&mut **transaction).await?.iter().map(|row| shown(row, 0)).collect()
            }
            Self::Postgres(transaction) => {
                let query = sqlx::query(LIST).bind(order);
                query.fetch_all(&mut **transaction).await?.iter().map(|row| shown(row, 0)).collect()
            }
        }
    }

    /// What waits for a person about orders, which are locked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn attention_of(
        &mut self,
        orders: &[Uuid],
    ) -> Result<BTreeMap<Uuid, Vec<AttentionRow>>, StoreError> {
        let mut found = BTreeMap::new();
        match self {
            Self::Sqlite(_) => {
                for order in orders {
                    found.insert(*order, self.list_attention(*order).await?);
                }
            }
            Self::Postgres(_) if orders.is_empty() => {}
            Self::Postgres(transaction) => {
                let query = sqlx::query(
                    "-- attention.attention_of
                     select code, key, text, since, order_key from attention where order_key = any($1)
                     order by since, key",
                )
                .bind(orders);
                for row in query.fetch_all(&mut **transaction).await? {
                    found.entry(row.uuid(4)?).or_insert_with(Vec::new).push(shown(&row, 0)?);
                }
            }
        }
        Ok(found)
    }

    /// What waits for a person, what waits longest first, and the orders that it is about.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_all_attention(
        &mut self,
        filter: &AttentionFilter,
    ) -> Result<Vec<(OrderRow, AttentionRow)>, StoreError> {
        let after = filter.after.as_ref();
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- attention.list_all_attention
                 select o.key, o.source, o.state, o.created_at, o.updated_at, ask_phase, ask_step, ask_answers,
                     next_ask_at, asked_at, ask_wanted, ask_hinted, ask_token is not null, ask_outcome,
                     silent_status, silent_since, is_missed, a.code, a.key, a.text, a.since
                 from attention a join orders o on o.key = a.order_key
                 where (?1 is null or a.code = ?1) and (?2 is null or o.source = ?2)
                     and (?3 is null or (a.since, a.order_key, a.key) > (?3, ?4, ?5))
                 order by a.since, a.order_key, a.key limit ?6",
            )
            .bind(filter.code.as_deref())
            .bind(filter.source.as_deref())
            .bind(after.map(|after| after.since.micros()))
            .bind(after.map(|after| after.order))
            .bind(after.map(|after| after.key.as_str()))
            .bind(filter.limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| Ok((shown_order(row)?, shown(row, 17)?)))
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- attention.list_all_attention
                 select o.key, o.source, o.state::text, o.created_at, o.updated_at, ask_phase, ask_step,
                     ask_answers, next_ask_at, asked_at, ask_wanted, ask_hinted, ask_token is not null,
                     ask_outcome, silent_status, silent_since, is_missed, a.code, a.key, a.text, a.since
                 from attention a join orders o on o.key = a.order_key
                 where ($1::text is null or a.code = $1) and ($2::text is null or o.source = $2)
                     and ($3::timestamptz is null
                         or (a.since, a.order_key, a.key) > ($3, $4::uuid, $5::text))
                 order by a.since, a.order_key, a.key limit $6",
            )
            .bind(filter.code.as_deref())
            .bind(filter.source.as_deref())
            .bind(after.map(|after| after.since.datetime()))
            .bind(after.map(|after| after.order))
            .bind(after.map(|after| after.key.as_str()))
            .bind(filter.limit)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(|row| Ok((shown_order(row)?, shown(row, 17)?)))
            .collect(),
        }
    }

    /// How many things wait for a person, by code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_attention(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        const COUNT: &str = "-- attention.count_attention
            select code, count(*) from attention group by code order by code";
        match self {
            Self::Sqlite(transaction) => {
                let rows = sqlx::query(COUNT).fetch_all(&mut **transaction).await?;
                rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
            }
            Self::Postgres(transaction) => {
                let rows = sqlx::query(COUNT).fetch_all(&mut **transaction).await?;
                rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
            }
        }
    }
}

/// Something that waits for a person, from this column on.
fn shown(row: &impl StoredRow, column: usize) -> Result<AttentionRow, StoreError> {
    Ok(AttentionRow {
        code: row.text(column)?,
        key: row.text(column + 1)?,
        text: row.text(column + 2)?,
        since: row.time(column + 3)?,
    })
}
