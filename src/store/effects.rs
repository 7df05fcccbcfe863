//! Effects: written in the transaction that moved the order.

use sqlx::Row;
use uuid::Uuid;

use super::orders::time;
use super::{StoreError, Transaction};
use crate::order::effect::Effect;
use crate::order::timestamp::Timestamp;

/// An effect as it is shown.
#[derive(Clone, Debug)]
pub struct EffectRow {
    /// Its identity, which never changes.
    pub id: Uuid,
    /// Which one of the order's.
    pub seq: i64,
    /// The event that brought it.
    pub event_id: String,
    /// The leg.
    pub leg: String,
    /// The counter.
    pub counter: String,
    /// What the counter had come to.
    pub from_total: String,
    /// What it comes to with this.
    pub to_total: String,
    /// How much moves.
    pub amount: String,
    /// Of what.
    pub currency: String,
    /// When it was issued.
    pub issued_at: Timestamp,
}

impl Transaction {
    /// Writes an effect. Its identity is a primary key: the same rise cannot be issued twice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert_effect(
        &mut self,
        key: Uuid,
        seq: i64,
        event_id: &str,
        effect: &Effect,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Self::Sqlite(transaction) = self;
        sqlx::query(
            "-- effects.insert_effect
             insert into effects (id, order_key, event_id, seq, leg, counter, from_total, to_total,
                 amount, currency, issued_at)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(effect.id(key))
        .bind(key)
        .bind(event_id)
        .bind(seq)
        .bind(effect.slot.leg.as_str())
        .bind(effect.slot.counter.as_str())
        .bind(effect.from.to_string())
        .bind(effect.to.to_string())
        .bind(effect.amount().to_string())
        .bind(effect.currency.to_string())
        .bind(now.micros())
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// An order's effects, in the order in which they left.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_effects(&mut self, key: Uuid) -> Result<Vec<EffectRow>, StoreError> {
        let Self::Sqlite(transaction) = self;
        let rows = sqlx::query(
            "-- effects.list_effects
             select id, seq, event_id, leg, counter, from_total, to_total, amount, currency, issued_at
             from effects where order_key = ? order by seq",
        )
        .bind(key)
        .fetch_all(&mut **transaction)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(EffectRow {
                    id: row.try_get(0)?,
                    seq: row.try_get(1)?,
                    event_id: row.try_get(2)?,
                    leg: row.try_get(3)?,
                    counter: row.try_get(4)?,
                    from_total: row.try_get(5)?,
                    to_total: row.try_get(6)?,
                    amount: row.try_get(7)?,
                    currency: row.try_get(8)?,
                    issued_at: time(row.try_get(9)?)?,
                })
            })
            .collect()
    }
}
