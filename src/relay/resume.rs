//! What people do to sinks: take up again what was given up, or end a sink for good. Each with a line in the
//! audit log, in the transaction that does it.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::clock::Clock;
use crate::order::timestamp::Timestamp;
use crate::store::{Audited, Store, StoreError, Transaction};

/// How many lines are taken up in one transaction.
const PAGE: i64 = 500;

/// For how long after a process last said that it has a sink it may still have it.
const IN_USE: Duration = Duration::from_secs(60);

/// Whose doing it is, and why.
#[derive(Clone, Debug)]
pub struct Person {
    /// By the name that they gave themselves.
    pub by: String,
    /// Why they do it.
    pub why: String,
}

/// What is taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The sink itself, and every order of which something was given up.
    All,
    /// One order.
    Order {
        /// Its key.
        key: Uuid,
        /// The notice that was not taken is passed over: it is never delivered to this sink.
        is_skipped: bool,
    },
}

/// Takes up what was given up. How many orders; none where there is no such sink.
///
/// # Errors
/// [`StoreError`]; some orders may have been taken up all the same.
pub async fn resume(
    store: &Store,
    clock: &Clock,
    sink: &str,
    which: Which,
    person: &Person,
) -> Result<Option<u64>, StoreError> {
    let mut transaction = store.begin().await?;
    let now = transaction.now(clock).await?;
    let is_known = match which {
        Which::All => transaction.enable_sink(sink).await?,
        Which::Order { .. } => {
            transaction.list_sinks().await?.iter().any(|known| known.name == sink)
        }
    };
    if !is_known {
        transaction.rollback().await?;
        return Ok(None);
    }
    let mut resumed = 0;
    if let Which::Order { key, is_skipped } = which {
        // Those of orders that turned out to be this one, too; but only one notice is passed over.
        let lines = transaction.list_lines(key).await?;
        let stopped =
            lines.into_iter().filter(|line| line.sink == sink && line.stopped_at.is_some());
        for (index, line) in stopped.enumerate() {
            let is_skipped = is_skipped && index == 0;
            let target = (line.key, line.done_seq + 1);
            resumed += take_up(&mut transaction, sink, target, is_skipped, person, now).await?;
        }
        transaction.commit().await?;
        return Ok(Some(resumed));
    }
    let detail = json!({ "why": person.why });
    note(&mut transaction, "sink.resume", sink.to_owned(), person, detail, now).await?;
    transaction.commit().await?;
    loop {
        let mut transaction = store.begin().await?;
        let stopped = transaction.list_stopped(sink, PAGE).await?;
        let count = stopped.len();
        // All at once, in the order in which everybody locks them.
        let mut orders = Vec::new();
        for line in &stopped {
            orders.push(transaction.follow_merges(line.key).await?);
        }
        transaction.lock_orders(&orders).await?;
        for line in stopped {
            let target = (line.key, line.done_seq + 1);
            resumed += take_up(&mut transaction, sink, target, false, person, now).await?;
        }
        transaction.commit().await?;
        if count < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(Some(resumed));
        }
    }
}

async fn take_up(
    transaction: &mut Transaction,
    sink: &str,
    (key, seq): (Uuid, i64),
    is_skipped: bool,
    person: &Person,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let order = transaction.follow_merges(key).await?;
    transaction.lock_orders(&[order]).await?;
    if !transaction.resume_line(sink, (key, seq - 1), is_skipped, now).await? {
        return Ok(0);
    }
    transaction.end_stops(sink, Some(order)).await?;
    let what = if is_skipped { "sink.skip" } else { "sink.retry" };
    let notice = transaction.read_notices(key, seq - 1, 1).await?;
    let id = notice.first().map(|notice| notice.id);
    let detail = json!({ "why": person.why, "order_key": order, "seq": seq, "notice": id });
    note(transaction, what, sink.to_owned(), person, detail, now).await?;
    Ok(1)
}

/// What came of removing a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is forgotten.
    Done,
    /// A process had it in its configuration a moment ago.
    InUse,
    /// There is none.
    Missing,
}

/// Ends a sink: it is forgotten, and what waits for it is never delivered.
///
/// # Errors
/// [`StoreError`]; then some of what waited for it may be gone, and it is still there.
pub async fn remove(
    store: &Store,
    clock: &Clock,
    sink: &str,
    person: &Person,
) -> Result<Removed, StoreError> {
    let mut transaction = store.begin().await?;
    let now = transaction.now(clock).await?;
    let known = transaction.list_sinks().await?.into_iter().find(|known| known.name == sink);
    let waiting = transaction.count_lines().await?.get(sink).map_or(0, |count| count.waiting);
    transaction.rollback().await?;
    match known {
        None => return Ok(Removed::Missing),
        Some(known) if now.since(known.seen_at) < IN_USE => return Ok(Removed::InUse),
        Some(_) => {}
    }
    // There may be any number of them: no transaction is long.
    loop {
        let mut transaction = store.begin().await?;
        let count = transaction.drop_lines(sink, PAGE).await?;
        transaction.commit().await?;
        if count == 0 {
            break;
        }
    }
    let mut transaction = store.begin().await?;
    transaction.end_stops(sink, None).await?;
    transaction.commit().await?;
    let mut transaction = store.begin().await?;
    transaction.remove_sink(sink).await?;
    let detail = json!({ "why": person.why, "orders_waiting": waiting });
    note(&mut transaction, "sink.remove", sink.to_owned(), person, detail, now).await?;
    transaction.commit().await?;
    Ok(Removed::Done)
}

async fn note(
    transaction: &mut Transaction,
    what: &str,
    subject: String,
    person: &Person,
    detail: serde_json::Value,
    at: Timestamp,
) -> Result<(), StoreError> {
    transaction.audit(&Audited { at, who: &person.by, what, subject, detail }).await
}
