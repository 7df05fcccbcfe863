//! Effects: written in the transaction that moved the order.

use uuid::Uuid;

use super::row::StoredRow;
use super::{StoreError, Transaction};
use crate::order::effect::Effect;
use crate::order::timestamp::Timestamp;

/// An effect to be written.
#[derive(Clone, Debug)]
pub struct NewEffect<'a> {
    /// Its order.
    pub key: Uuid,
    /// Which one of the order's, counted from 1.
    pub seq: i64,
    /// The event that brought it.
    pub event_id: &'a str,
    /// What moves.
    pub effect: &'a Effect,
    /// Now.
    pub issued_at: Timestamp,
}

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
    /// Writes effects. Their identity is a primary key: the same rise cannot be issued twice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert_effects(&mut self, effects: &[NewEffect<'_>]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                for new in effects {
                    sqlx::query(
                        "-- effects.insert_effects
                         insert into effects (id, order_key, event_id, seq, leg, counter, from_total,
                             to_total, amount, currency, issued_at)
                         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    )
                    .bind(new.effect.id(new.key))
                    .bind(new.key)
                    .bind(new.event_id)
                    .bind(new.seq)
                    .bind(new.effect.slot.leg.as_str())
                    .bind(new.effect.slot.counter.as_str())
                    .bind(new.effect.from.to_string())
                    .bind(new.effect.to.to_string())
                    .bind(new.effect.amount().to_string())
                    .bind(new.effect.currency.to_string())
                    .bind(new.issued_at.micros())
                    .execute(&mut **transaction)
                    .await?;
                }
                Ok(())
            }
            Self::Postgres(_) if effects.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                // Money travels as canonical text, which numeric takes and gives back digit by digit.
                let texts = |column: fn(&Effect) -> String| -> Vec<String> {
                    effects.iter().map(|new| column(new.effect)).collect()
                };
                sqlx::query(
                    "-- effects.insert_effects
                     insert into effects (id, order_key, event_id, seq, leg, counter, from_total,
                         to_total, amount, currency, issued_at)
                     select id, order_key, event_id, seq, leg, counter, from_total::numeric,
                         to_total::numeric, amount::numeric, currency, issued_at
                     from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[],
                         $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[])
                         w (id, order_key, event_id, seq, leg, counter, from_total, to_total, amount,
                             currency, issued_at)",
                )
                .bind(effects.iter().map(|new| new.effect.id(new.key)).collect::<Vec<_>>())
                .bind(effects.iter().map(|new| new.key).collect::<Vec<_>>())
                .bind(effects.iter().map(|new| new.event_id).collect::<Vec<_>>())
                .bind(effects.iter().map(|new| new.seq).collect::<Vec<_>>())
                .bind(texts(|effect| effect.slot.leg.as_str().to_owned()))
                .bind(texts(|effect| effect.slot.counter.as_str().to_owned()))
                .bind(texts(|effect| effect.from.to_string()))
                .bind(texts(|effect| effect.to.to_string()))
                .bind(texts(|effect| effect.amount().to_string()))
                .bind(texts(|effect| effect.currency.to_string()))
                .bind(effects.iter().map(|new| new.issued_at.datetime()).collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
                Ok(())
            }
        }
    }

    /// An order's effects, in the order in which they left.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_effects(&mut self, key: Uuid) -> Result<Vec<EffectRow>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- effects.list_effects
                 select id, seq, event_id, leg, counter, from_total, to_total, amount, currency,
                     issued_at
                 from effects where order_key = ? order by seq",
            )
            .bind(key)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(shown)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- effects.list_effects
                 select id, seq, event_id, leg, counter, from_total::text, to_total::text, amount::text,
                     currency, issued_at
                 from effects where order_key = $1 order by seq",
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

fn shown(row: &impl StoredRow) -> Result<EffectRow, StoreError> {
    Ok(EffectRow {
        id: row.uuid(0)?,
        seq: row.int(1)?,
        event_id: row.text(2)?,
        leg: row.text(3)?,
        counter: row.text(4)?,
        from_total: row.text(5)?,
        to_total: row.text(6)?,
        amount: row.text(7)?,
        currency: row.text(8)?,
        issued_at: row.time(9)?,
    })
}
