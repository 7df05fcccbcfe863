//! The ids of orders: any of them finds the order.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::row::{StoredRow, json};
use super::{StoreError, Transaction, exactly};
use crate::order::name::{OrderId, Role};

/// An id of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameRow {
    /// Within this source.
    pub source: String,
    /// The id.
    pub id: OrderId,
    /// The order's key.
    pub key: Uuid,
    /// Whose id it is.
    pub role: Role,
}

impl Transaction {
    /// Finds the orders that ids belong to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_names(
        &mut self,
        names: &[(&str, &str)],
    ) -> Result<BTreeMap<(String, String), Uuid>, StoreError> {
        match self {
            Self::Sqlite(transaction) => sqlx::query(
                "-- names.find_names
                 select n.source, n.id, n.order_key from json_each(?) wanted
                 join order_ids n on n.source = wanted.value ->> 0 and n.id = wanted.value ->> 1",
            )
            .bind(json(&names)?)
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(found)
            .collect(),
            Self::Postgres(transaction) => sqlx::query(
                "-- names.find_names
                 select n.source, n.id, n.order_key from unnest($1::text[], $2::text[]) w (source, id)
                 join order_ids n on n.source = w.source and n.id = w.id",
            )
            .bind(names.iter().map(|(source, _)| *source).collect::<Vec<_>>())
            .bind(names.iter().map(|(_, id)| *id).collect::<Vec<_>>())
            .fetch_all(&mut **transaction)
            .await?
            .iter()
            .map(found)
            .collect(),
        }
    }

    /// Adds ids that no order has yet. Sorted, so that two writers cannot wait for each other: even
    /// `on conflict do nothing` waits for whoever adds the same id, to see whether they commit.
    ///
    /// # Errors
    /// [`StoreError::Raced`] where somebody else added one in between. Which order it is then only a
    /// new statement can see, so the whole is tried again.
    pub async fn insert_names(&mut self, names: &[NameRow]) -> Result<(), StoreError> {
        let mut names: Vec<&NameRow> = names.iter().collect();
        #[cfg(feature = "plants")]
        let given = names.clone();
        names.sort_by_key(|name| (name.source.as_str(), name.id.as_str()));
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("unsorted_locks") {
            names = given;
        }
        match self {
            Self::Sqlite(transaction) => {
                for name in names {
                    let done = sqlx::query(
                        "-- names.insert_names
                         insert into order_ids (source, id, order_key, role) values (?, ?, ?, ?)
                         on conflict do nothing",
                    )
                    .bind(&name.source)
                    .bind(name.id.as_str())
                    .bind(name.key)
                    .bind(name.role.as_str())
                    .execute(&mut **transaction)
                    .await?;
                    exactly(1, done.rows_affected())?;
                }
                Ok(())
            }
            Self::Postgres(_) if names.is_empty() => Ok(()),
            Self::Postgres(transaction) => {
                // Rows go in as the arrays list them.
                let done = sqlx::query(
                    "-- names.insert_names
                     insert into order_ids (source, id, order_key, role)
                     select * from unnest($1::text[], $2::text[], $3::uuid[], $4::text[])
                     on conflict do nothing",
                )
                .bind(names.iter().map(|name| name.source.as_str()).collect::<Vec<_>>())
                .bind(names.iter().map(|name| name.id.as_str()).collect::<Vec<_>>())
                .bind(names.iter().map(|name| name.key).collect::<Vec<_>>())
                .bind(names.iter().map(|name| name.role.as_str()).collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
                exactly(names.len(), done.rows_affected())
            }
        }
    }
}

fn found(row: &impl StoredRow) -> Result<((String, String), Uuid), StoreError> {
    Ok(((row.text(0)?, row.text(1)?), row.uuid(2)?))
}
