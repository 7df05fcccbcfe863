//! Attention: what waits for a person, order by order.

use sqlx::Row;
use uuid::Uuid;

use super::orders::time;
use super::{StoreError, Transaction};
use crate::order::standing::Attention;
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

impl Transaction {
    /// Makes an order's attention what it now is. What was there before keeps its time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn write_attention(
        &mut self,
        order: Uuid,
        attention: &[Attention],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        let keys: Vec<&str> = attention.iter().map(|attention| attention.key.as_str()).collect();
        sqlx::query(
            "-- attention.end
             delete from attention where order_key = ?
                 and key not in (select value from json_each(?))",
        )
        .bind(order)
        .bind(serde_json::to_string(&keys).map_err(super::orders::corrupt)?)
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
            .bind(&attention.text)
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
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- attention.list_attention
             select code, key, text, since from attention where order_key = ? order by since, key",
        )
        .bind(order)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AttentionRow {
                    code: row.try_get(0)?,
                    key: row.try_get(1)?,
                    text: row.try_get(2)?,
                    since: time(row.try_get(3)?)?,
                })
            })
            .collect()
    }

    /// How many things wait for a person, by code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_attention(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- attention.count_attention
             select code, count(*) from attention group by code",
        )
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}
