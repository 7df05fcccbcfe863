//! Merges: two orders that turned out to be one.

use uuid::Uuid;

use super::{Loaded, StoreError, Transaction, exactly};

/// Of the order `$1` that stays and the order `$2` that goes, in this order. Both dialects read them.
const BY_KEYS: [&str; 6] = [
    "-- merge.names
     update order_ids set order_key = $1 where order_key = $2",
    "-- merge.repeated_events: both knew the event
     update events set repeats = repeats + 1 + (select o.repeats from events o
         where o.order_key = $2 and o.event_id = events.event_id)
     where order_key = $1 and event_id in (select event_id from events where order_key = $2)",
    "-- merge.drop_repeated_events
     delete from events where order_key = $2
         and event_id in (select event_id from events where order_key = $1)",
    "-- merge.bodies
     update event_bodies set order_key = $1 where order_key = $2",
    // What a sink did not take stays a matter for a person; all else is judged anew.
    "-- merge.drop_attention
     delete from attention where order_key = $2 and (code <> 'sink_stopped'
         or key in (select key from attention where order_key = $1))",
    "-- merge.attention
     update attention set order_key = $1 where order_key = $2",
];

/// Effects keep their identity, which was made of the key that they were issued under.
const BY_OFFSET: [&str; 2] = [
    "-- merge.events
     update events set order_key = $1, seq = seq + $3 where order_key = $2",
    "-- merge.effects
     update effects set order_key = $1, seq = seq + $3 where order_key = $2",
];

/// Notices keep the key that they name: those of the order that goes are delivered first.
const REMEMBER: &str = "-- merge.remember
    insert into order_merges (into_key, from_key) values ($1, $2)";

/// And those of orders that had become the one that goes.
const REMEMBER_EARLIER: &str = "-- merge.remember_earlier
    insert into order_merges (into_key, from_key)
    select $1, from_key from order_merges where into_key = $2 on conflict do nothing";

const DELETE_ORDER: &str = "-- merge.delete_order
    delete from orders where key = $1 and version = $2";

/// Both dialects run the same statements, each on its own sort of connection.
macro_rules! merge {
    ($transaction:ident, $from:ident, $into:ident, $offsets:ident) => {{
        for statement in BY_KEYS {
            let query = sqlx::query(statement).bind($into).bind($from.key);
            query.execute(&mut **$transaction).await?;
        }
        for (statement, offset) in BY_OFFSET.into_iter().zip($offsets) {
            let query = sqlx::query(statement).bind($into).bind($from.key).bind(offset);
            query.execute(&mut **$transaction).await?;
        }
        let query = sqlx::query(DELETE_ORDER).bind($from.key).bind($from.version);
        let deleted = query.execute(&mut **$transaction).await?.rows_affected();
        if deleted > 0 {
            for statement in [REMEMBER, REMEMBER_EARLIER] {
                let query = sqlx::query(statement).bind($into).bind($from.key);
                query.execute(&mut **$transaction).await?;
            }
        }
        deleted
    }};
}

impl Transaction {
    /// Moves everything of one order to another, and deletes what is left of it. Both are locked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn merge_orders(
        &mut self,
        from: &Loaded,
        into: Uuid,
        event_offset: i64,
        effect_offset: i64,
    ) -> Result<(), StoreError> {
        let offsets = [event_offset, effect_offset];
        let deleted = match self {
            Self::Sqlite(transaction) => merge!(transaction, from, into, offsets),
            Self::Postgres(transaction) => merge!(transaction, from, into, offsets),
        };
        exactly(1, deleted)
    }
}
