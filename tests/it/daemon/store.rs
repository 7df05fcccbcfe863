//! What every store does with what it is told: each case on a file of its own, and on a database of its
//! own.

use std::collections::{BTreeMap, BTreeSet};

use pawl::order::Order;
use pawl::order::decide::Verdict;
use pawl::order::effect::Effect;
use pawl::order::name::{OrderId, Role};
use pawl::order::report::{Content, Origin};
use pawl::order::standing::{Attention, AttentionCode};
use pawl::order::timestamp::Timestamp;
use pawl::queue::message::{Callback, CallbackHeader};
use pawl::store::{
    DeadLetter, Filter, LetterFilter, NameRow, NewEffect, NewEvent, Repeat, Settled, Store,
    StoreError, Written,
};
use uuid::Uuid;

use super::database::{Embedded, Server};
use crate::order::{amount, at, report, said};

macro_rules! on_every_store {
    ($($case:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                let embedded = super::Embedded::new().await;
                super::$case(&embedded.store).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                let server = super::Server::new().await;
                super::$case(&server.store).await;
                server.store.close().await;
            })*
        }
    };
}

on_every_store! {
    a_write_of_a_version_that_was_not_read_is_refused
    what_is_not_committed_never_was
    ids_are_compared_byte_by_byte
    every_statement_is_one_and_what_is_written_is_read_back
    a_repeat_is_counted_and_equal_bytes_are_kept_once
    attention_that_stays_keeps_its_time
    two_orders_become_one
    two_writers_of_a_new_order_end_in_one
    dead_letters_stay_as_they_are
    lists_go_from_the_newest_on
}

pub(super) fn written(key: Uuid, version: Option<i64>, order: &Order) -> Written<'_> {
    Written {
        key,
        source: "shop",
        version,
        order,
        event_count: 0,
        effect_count: 0,
        notice_count: 0,
        attention_count: 0,
        kind: None,
        status: None,
        outcome: None,
        is_final: false,
        is_held: false,
        judge_at: None,
        asking: pawl::order::Asking::default(),
        silence: None,
        now: Timestamp::EPOCH,
    }
}

pub(super) fn name(id: &str, key: Uuid) -> NameRow {
    let id = OrderId::new(id).unwrap();
    NameRow { source: "shop".to_owned(), id, key, role: Role::Merchant }
}

fn event(key: Uuid, seq: i64, report: &pawl::order::Report) -> NewEvent<'_> {
    NewEvent {
        key,
        seq,
        report,
        verdict: Verdict::Applied,
        reason: "it \0 says so",
        moved_from: None,
        moved_to: Some("paid"),
        decided_at: at(1),
    }
}

pub(super) fn settled(key: Uuid, event_id: &str) -> Settled<'_> {
    Settled {
        callback_id: Uuid::now_v7(),
        item: 0,
        key,
        event_id,
        verdict: Verdict::Applied,
        received_at: micros(7),
        body_sha256: b"digest",
        body: b"\0 raw bytes \xff",
    }
}

fn effect(to: &str) -> Effect {
    Effect {
        slot: "to.credited".parse().unwrap(),
        from: amount("0"),
        to: amount(to),
        currency: "EUR".parse().unwrap(),
        compensates: None,
    }
}

/// A time that is finer than a millisecond.
fn micros(micros: i64) -> Timestamp {
    Timestamp::from_micros(at(0).micros() + micros).unwrap()
}

async fn a_write_of_a_version_that_was_not_read_is_refused(store: &Store) {
    let key = Uuid::now_v7();
    let order = Order::default();
    let mut transaction = store.begin().await.unwrap();
    transaction.insert_names(&[name("1", key)]).await.unwrap();
    transaction.write_orders(&[written(key, None, &order)]).await.unwrap();
    transaction.write_orders(&[written(key, Some(1), &order)]).await.unwrap();
    let stale = transaction.write_orders(&[written(key, Some(1), &order)]).await;
    assert!(matches!(stale, Err(StoreError::Raced)), "{stale:?}");
    let taken = transaction.insert_names(&[name("1", Uuid::now_v7())]).await;
    assert!(matches!(taken, Err(StoreError::Raced)), "{taken:?}");
    transaction.commit().await.unwrap();
    let mut locking = store.begin().await.unwrap();
    assert_eq!(locking.lock_orders(&[key]).await.unwrap()[0].version, 2);
}

async fn what_is_not_committed_never_was(store: &Store) {
    let key = Uuid::now_v7();
    for end in ["drop", "rollback"] {
        let mut transaction = store.begin().await.unwrap();
        transaction.insert_names(&[name("1", key)]).await.unwrap();
        transaction.write_orders(&[written(key, None, &Order::default())]).await.unwrap();
        if end == "rollback" {
            transaction.rollback().await.unwrap();
        }
    }
    let mut writing = store.begin().await.unwrap();
    assert!(writing.find_names(&[("shop", "1")]).await.unwrap().is_empty());
    // An id without its order is refused at the commit.
    writing.insert_names(&[name("2", key)]).await.unwrap();
    let refused = writing.commit().await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
}

async fn ids_are_compared_byte_by_byte(store: &Store) {
    let ids = ["a", "A", "a ", "é", "e\u{301}", "\u{200b}a", "a\r\n", "'; drop table orders; --"];
    let mut transaction = store.begin().await.unwrap();
    let mut keys = BTreeMap::new();
    for id in ids {
        let key = Uuid::now_v7();
        transaction.insert_names(&[name(id, key)]).await.unwrap();
        transaction.write_orders(&[written(key, None, &Order::default())]).await.unwrap();
        keys.insert(("shop".to_owned(), id.to_owned()), key);
    }
    transaction.commit().await.unwrap();
    let wanted: Vec<_> = ids.iter().map(|id| ("shop", *id)).collect();
    assert_eq!(store.read().await.unwrap().find_names(&wanted).await.unwrap(), keys);
    assert!(store.read().await.unwrap().find_names(&[("SHOP", "a")]).await.unwrap().is_empty());
}

async fn every_statement_is_one_and_what_is_written_is_read_back(store: &Store) {
    let key = Uuid::now_v7();
    let report = report(1, Origin::Callback, Content::Said(said("paid")));
    let event_id = report.event_id.as_str();
    let (effect, delivery) = (effect("12345678901234567890.00001"), settled(key, event_id));
    let attention = [Attention {
        code: AttentionCode::Judgement,
        key: "judgement".to_owned(),
        text: "look".to_owned(),
    }];
    let new = NewEffect { key, seq: 1, event_id, effect: &effect, issued_at: micros(3) };
    let mut writing = store.begin().await.unwrap();
    assert!(writing.find_settled(&[delivery.callback_id]).await.unwrap().is_empty());
    writing.insert_names(&[name("b", key), name("a", key)]).await.unwrap();
    assert!(writing.lock_orders(&[key]).await.unwrap().is_empty());
    let empty = Order::default();
    let order = Written {
        event_count: 1,
        effect_count: 1,
        attention_count: 1,
        judge_at: Some(micros(1)),
        now: micros(2),
        ..written(key, None, &empty)
    };
    writing.write_orders(&[order]).await.unwrap();
    writing.insert_events(&[event(key, 1, &report)]).await.unwrap();
    writing.count_repeats(&[Repeat { key, event_id, received_at: micros(9) }]).await.unwrap();
    writing.insert_effects(&[new]).await.unwrap();
    writing.write_attention(&[(key, &attention)], micros(4)).await.unwrap();
    writing.settle(std::slice::from_ref(&delivery)).await.unwrap();
    writing.commit().await.unwrap();
    store.ping().await.unwrap();

    let mut reading = store.read().await.unwrap();
    let found = reading.get_order("shop", "a").await.unwrap().unwrap();
    assert_eq!((found.key, found.created_at, found.updated_at), (key, micros(2), micros(2)));
    assert!(reading.due_orders(&["shop"], micros(0), 9).await.unwrap().is_empty());
    assert!(reading.due_orders(&["gone"], micros(1), 9).await.unwrap().is_empty());
    assert_eq!(reading.due_orders(&["shop", "x"], micros(1), 9).await.unwrap(), [key]);
    let events = reading.list_events(key).await.unwrap();
    assert_eq!(events[0].report, report);
    assert_eq!((events[0].repeats, events[0].last_received_at), (1, micros(9)));
    assert_eq!(
        (events[0].moved_from.as_deref(), events[0].moved_to.as_deref()),
        (None, Some("paid"))
    );
    assert_eq!(events[0].reason, "it \u{fffd} says so");
    let effects = reading.list_effects(key).await.unwrap();
    assert_eq!(effects[0].id, effect.id(key));
    assert_eq!(effects[0].amount, "12345678901234567890.00001");
    assert_eq!((effects[0].from_total.as_str(), effects[0].issued_at), ("0", micros(3)));
    assert_eq!(reading.list_attention(key).await.unwrap()[0].since, micros(4));
    assert_eq!(reading.count_attention().await.unwrap(), [("judgement".to_owned(), 1)]);
    let deliveries = reading.list_deliveries(key, 9).await.unwrap();
    assert_eq!(
        (deliveries[0].callback_id, deliveries[0].received_at),
        (delivery.callback_id, micros(7))
    );
    let ids = [delivery.callback_id, Uuid::now_v7()];
    assert_eq!(reading.find_settled(&ids).await.unwrap(), BTreeSet::from([delivery.callback_id]));
    let known = reading.find_events(&[(key, event_id), (key, "other")]).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known[&(key, event_id.to_owned())].report, report);
    reading.rollback().await.unwrap();
    let mut locking = store.begin().await.unwrap();
    let loaded = locking.lock_orders(&[key, Uuid::now_v7()]).await.unwrap();
    let counts = (loaded[0].event_count, loaded[0].effect_count, loaded[0].attention_count);
    assert_eq!((loaded.len(), loaded[0].version, counts), (1, 1, (1, 1, 1)));
}

async fn a_repeat_is_counted_and_equal_bytes_are_kept_once(store: &Store) {
    let key = Uuid::now_v7();
    let report = report(1, Origin::Callback, Content::Said(said("paid")));
    let event_id = report.event_id.as_str();
    let mut writing = store.begin().await.unwrap();
    writing.write_orders(&[written(key, None, &Order::default())]).await.unwrap();
    writing.insert_events(&[event(key, 1, &report)]).await.unwrap();
    let repeat = |n| Repeat { key, event_id, received_at: micros(n) };
    writing.count_repeats(&[repeat(5), repeat(9), repeat(7)]).await.unwrap();
    writing.count_repeats(&[repeat(1)]).await.unwrap();
    let unknown = Repeat { key, event_id: "unknown", received_at: micros(1) };
    let unknown = writing.count_repeats(&[unknown]).await;
    assert!(matches!(unknown, Err(StoreError::Raced)), "{unknown:?}");
    let other = Settled { body: b"other", body_sha256: b"other", ..settled(key, event_id) };
    writing.settle(&[settled(key, event_id), other, settled(key, event_id)]).await.unwrap();
    writing.settle(&[settled(key, event_id)]).await.unwrap();
    let events = writing.list_events(key).await.unwrap();
    assert_eq!((events[0].repeats, events[0].last_received_at), (4, micros(9)));
    assert_eq!(writing.list_deliveries(key, 9).await.unwrap().len(), 4);
    assert_eq!(count_bodies(&mut writing).await, 2);
}

async fn count_bodies(transaction: &mut pawl::store::Transaction) -> i64 {
    use pawl::store::Transaction;
    use sqlx::Row;
    let count = "select count(body) from event_bodies";
    match transaction {
        Transaction::Sqlite(t) => sqlx::query(count).fetch_one(&mut **t).await.unwrap().get(0),
        Transaction::Postgres(t) => sqlx::query(count).fetch_one(&mut **t).await.unwrap().get(0),
    }
}

async fn attention_that_stays_keeps_its_time(store: &Store) {
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    let of = |key: &str, text: &str| Attention {
        code: AttentionCode::Judgement,
        key: key.to_owned(),
        text: text.to_owned(),
    };
    let mut writing = store.begin().await.unwrap();
    let order = Order::default();
    writing
        .write_orders(&[written(first, None, &order), written(second, None, &order)])
        .await
        .unwrap();
    let before = [of("stays", "old"), of("goes", "old")];
    writing.write_attention(&[(first, &before), (second, &before)], at(1)).await.unwrap();
    let after = [of("comes", "new"), of("stays", "new"), of("stays", "newest")];
    writing.write_attention(&[(first, &after), (second, &[])], at(2)).await.unwrap();
    let rows = writing.list_attention(first).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|a| (a.key.as_str(), a.text.as_str(), a.since)).collect();
    assert_eq!(rows, [("stays", "newest", at(1)), ("comes", "new", at(2))]);
    assert!(writing.list_attention(second).await.unwrap().is_empty());
}

async fn two_orders_become_one(store: &Store) {
    let (stays, goes) = (Uuid::now_v7(), Uuid::now_v7());
    let reports: Vec<_> =
        (1..=3).map(|n| report(n, Origin::Callback, Content::Said(said("paid")))).collect();
    let mut writing = store.begin().await.unwrap();
    let (order, effect) = (Order::default(), effect("5"));
    writing.insert_names(&[name("stays", stays), name("goes", goes)]).await.unwrap();
    writing
        .write_orders(&[written(goes, None, &order), written(stays, None, &order)])
        .await
        .unwrap();
    // Both know the second event.
    let events = [
        event(stays, 1, &reports[0]),
        event(stays, 2, &reports[1]),
        event(goes, 1, &reports[1]),
        event(goes, 2, &reports[2]),
    ];
    writing.insert_events(&events).await.unwrap();
    let again = Repeat { key: goes, event_id: "event-2", received_at: at(1) };
    writing.count_repeats(&[again]).await.unwrap();
    let new =
        |key| NewEffect { key, seq: 1, event_id: "event-2", effect: &effect, issued_at: at(1) };
    writing.insert_effects(&[new(stays), new(goes)]).await.unwrap();
    writing.settle(&[settled(goes, "event-2")]).await.unwrap();
    writing.commit().await.unwrap();

    let mut merging = store.begin().await.unwrap();
    let loaded = merging.lock_orders(&[stays, goes]).await.unwrap();
    assert_eq!(loaded.iter().map(|row| row.key).collect::<Vec<_>>(), [stays, goes]);
    merging.merge_orders(&loaded[1], stays, 2, 1).await.unwrap();
    let again = merging.merge_orders(&loaded[1], stays, 2, 1).await;
    assert!(matches!(again, Err(StoreError::Raced)), "{again:?}");
    merging.commit().await.unwrap();

    let mut reading = store.read().await.unwrap();
    assert_eq!(reading.get_order("shop", "goes").await.unwrap().unwrap().key, stays);
    let events = reading.list_events(stays).await.unwrap();
    let events: Vec<_> =
        events.iter().map(|e| (e.seq, e.report.event_id.as_str(), e.repeats)).collect();
    assert_eq!(events, [(1, "event-1", 0), (2, "event-2", 2), (4, "event-3", 0)]);
    let effects = reading.list_effects(stays).await.unwrap();
    let effects: Vec<_> = effects.iter().map(|e| (e.seq, e.id)).collect();
    assert_eq!(effects, [(1, effect.id(stays)), (2, effect.id(goes))]);
    assert_eq!(reading.list_deliveries(stays, 9).await.unwrap().len(), 1);
}

async fn two_writers_of_a_new_order_end_in_one(store: &Store) {
    let tasks: Vec<_> = (0..4).map(|_| tokio::spawn(find_or_make(store.clone()))).collect();
    let mut keys = BTreeSet::new();
    for task in tasks {
        keys.insert(task.await.unwrap());
    }
    assert_eq!(keys.len(), 1, "{keys:?}");
    let listed = Filter { limit: 9, ..Filter::default() };
    assert_eq!(store.read().await.unwrap().list_orders(&listed).await.unwrap().len(), 1);
}

async fn find_or_make(store: Store) -> Uuid {
    loop {
        let mut writing = store.begin().await.unwrap();
        let found = writing.find_names(&[("shop", "1")]).await.unwrap();
        if let Some(key) = found.into_values().next() {
            return key;
        }
        let key = Uuid::now_v7();
        match writing.insert_names(&[name("1", key)]).await {
            Err(StoreError::Raced) => continue,
            inserted => inserted.unwrap(),
        }
        writing.write_orders(&[written(key, None, &Order::default())]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        writing.commit().await.unwrap();
        return key;
    }
}

async fn dead_letters_stay_as_they_are(store: &Store) {
    let letter = |reason: &str| DeadLetter {
        callback: Callback {
            header: CallbackHeader {
                id: Uuid::now_v7(),
                source: "shop".to_owned(),
                origin: Origin::Callback,
                received_at: micros(1),
                headers: [("x-request-id", "\0")].into_iter().collect(),
                attempt: 0,
                asked: std::collections::BTreeSet::new(),
                is_hint: false,
                is_item: false,
                said_at: None,
            },
            body: b"\0\xff".to_vec(),
        },
        reason: reason.to_owned(),
        died_at: micros(2),
    };
    let letters = [letter("first"), letter("nul \0 byte")];
    let [first, second] = &letters;
    let mut writing = store.begin().await.unwrap();
    writing.bury(&letters).await.unwrap();
    writing.bury(&[DeadLetter { reason: "later".to_owned(), ..first.clone() }]).await.unwrap();
    assert_eq!(writing.count_dead_letters().await.unwrap(), 2);
    let found = writing.get_dead_letter(first.callback.header.id).await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{first:?}"));
    let second_id = second.callback.header.id;
    let all = LetterFilter { limit: 9, ..LetterFilter::default() };
    let newest = LetterFilter { limit: 1, ..all.clone() };
    let listed = writing.list_dead_letters(&newest).await.unwrap();
    assert_eq!((listed.len(), listed[0].reason.as_str()), (1, "nul \u{fffd} byte"));
    for (filter, wanted) in [
        (LetterFilter { before: Some(second_id), ..all.clone() }, &["first"][..]),
        (LetterFilter { reason_contains: Some("rst".to_owned()), ..all.clone() }, &["first"]),
        (LetterFilter { source: Some("other".to_owned()), ..all.clone() }, &[]),
    ] {
        let found = writing.list_dead_letters(&filter).await.unwrap();
        assert_eq!(found.iter().map(|l| l.reason.as_str()).collect::<Vec<_>>(), wanted);
    }
    assert_eq!(writing.find_settled(&[second_id]).await.unwrap(), BTreeSet::from([second_id]));
}

async fn lists_go_from_the_newest_on(store: &Store) {
    let mut writing = store.begin().await.unwrap();
    let keys: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    let order = Order::default();
    let orders = [
        written(keys[0], None, &order),
        Written { status: Some("paid"), ..written(keys[1], None, &order) },
        Written { source: "other", attention_count: 1, ..written(keys[2], None, &order) },
    ];
    writing.write_orders(&orders).await.unwrap();
    let all = Filter { limit: 9, ..Filter::default() };
    let cases = [
        (all.clone(), vec![keys[2], keys[1], keys[0]]),
        (Filter { limit: 2, ..all.clone() }, vec![keys[2], keys[1]]),
        (Filter { before: Some(keys[1]), ..all.clone() }, vec![keys[0]]),
        (Filter { source: Some("shop".to_owned()), ..all.clone() }, vec![keys[1], keys[0]]),
        (Filter { status: Some("paid".to_owned()), ..all.clone() }, vec![keys[1]]),
        (Filter { attention: true, ..all }, vec![keys[2]]),
    ];
    for (filter, wanted) in cases {
        let rows = writing.list_orders(&filter).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.key).collect::<Vec<_>>(), wanted, "{filter:?}");
    }
}
