//! The audit log: what people did. Who writes a line does it in the transaction that does the thing.

use serde_json::Value;
use uuid::Uuid;

use super::row::{json, without_nul};
use super::{StoreError, Transaction};
use crate::order::timestamp::Timestamp;

/// A line of the audit log.
#[derive(Clone, Debug)]
pub struct Audited<'a> {
    /// When.
    pub at: Timestamp,
    /// Who, by the name that they gave themselves.
    pub who: &'a str,
    /// What was done.
    pub what: &'a str,
    /// To what.
    pub subject: String,
    /// Why, what was there before, and what came of it.
    pub detail: Value,
}

impl Transaction {
    /// Adds a line to the audit log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit(&mut self, line: &Audited<'_>) -> Result<(), StoreError> {
        let (who, subject) = (without_nul(line.who), without_nul(&line.subject));
        match self {
            Self::Sqlite(transaction) => {
                sqlx::query(
                    "-- audit.add
                     insert into audit_log (id, at, who, what, subject, detail)
                     values (?, ?, ?, ?, ?, ?)",
                )
                .bind(Uuid::now_v7())
                .bind(line.at.micros())
                .bind(who)
                .bind(line.what)
                .bind(subject)
                .bind(json(&line.detail)?)
                .execute(&mut **transaction)
                .await?;
            }
            Self::Postgres(transaction) => {
                sqlx::query(
                    "-- audit.add
                     insert into audit_log (id, at, who, what, subject, detail)
                     values ($1, $2, $3, $4, $5, $6::text::json)",
                )
                .bind(Uuid::now_v7())
                .bind(line.at.datetime())
                .bind(who)
                .bind(line.what)
                .bind(subject)
                .bind(json(&line.detail)?)
                .execute(&mut **transaction)
                .await?;
            }
        }
        Ok(())
    }
}
