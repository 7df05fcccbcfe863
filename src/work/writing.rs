//! What is to be written of a batch of orders, a statement a table.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::order::standing::Attention;
use crate::order::timestamp::Timestamp;
use crate::store::{
    Loaded, NewEffect, NewEvent, NewLine, NewNotice, Repeat, StoreError, Transaction, Written,
};

/// An order that goes, and what the order that stays had before it.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    pub from: &'a Loaded,
    pub into: Uuid,
    pub event_count: i64,
    pub effect_count: i64,
}

/// What is to be written of a batch of orders, a statement a table.
#[derive(Debug, Default)]
pub(super) struct Writing<'a> {
    pub orders: Vec<Written<'a>>,
    pub merges: Vec<Merge<'a>>,
    pub events: Vec<NewEvent<'a>>,
    pub repeats: Vec<Repeat<'a>>,
    pub effects: Vec<NewEffect<'a>>,
    pub attention: Vec<(Uuid, &'a [Attention])>,
    pub notices: Vec<NewNotice<'a>>,
}

impl Writing<'_> {
    /// Writes it all. The orders go first: everything else hangs on them. What leaves is written with what
    /// it is about, or neither is.
    pub(super) async fn write(
        &self,
        transaction: &mut Transaction,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction.write_orders(&self.orders).await?;
        for merge in &self.merges {
            let (events, effects) = (merge.event_count, merge.effect_count);
            transaction.merge_orders(merge.from, merge.into, events, effects).await?;
        }
        transaction.insert_events(&self.events).await?;
        transaction.count_repeats(&self.repeats).await?;
        transaction.insert_effects(&self.effects).await?;
        transaction.write_attention(&self.attention, now).await?;
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("outbox_apart") {
            return Ok(());
        }
        write_notices(transaction, &self.notices, now).await
    }
}

/// Writes notices, each order's in their order, and lets the sinks that want them have them.
pub(super) async fn write_notices(
    transaction: &mut Transaction,
    notices: &[NewNotice<'_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    if notices.is_empty() {
        return Ok(());
    }
    transaction.insert_notices(notices, now).await?;
    transaction.guard_sinks(false).await?;
    let sinks = transaction.list_sinks().await?;
    let mut lines: BTreeMap<(Uuid, &str), NewLine<'_>> = BTreeMap::new();
    for new in notices {
        let seq = new.notice.seq;
        for sink in sinks.iter().filter(|sink| sink.wants.has(new.source, new.notice.kind)) {
            let (key, sink) = (new.key, sink.name.as_str());
            let line = NewLine { key, sink, first_seq: seq, last_seq: seq };
            lines.entry((key, sink)).or_insert(line).last_seq = seq;
        }
    }
    let lines: Vec<NewLine<'_>> = lines.into_values().collect();
    transaction.extend_lines(&lines, now).await
}
