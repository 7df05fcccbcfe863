//! Hints in the store: bounded, coalesced, leased, and never a dead letter.

use std::collections::BTreeMap;
use std::time::Duration;

use pawl::order::Order;
use pawl::order::name::{OrderId, Role};
use pawl::order::report::Origin;
use pawl::order::timestamp::Timestamp;
use pawl::queue::message::{Callback, CallbackHeader};
use pawl::store::{DeadLetter, Hinted, LetterFilter, NewHint, STRANGERS_MAX, Store, TRIES_MAX};
use uuid::Uuid;

use super::database::{Embedded, Server};
use super::store::{name, settled, written};
use crate::order::at;

macro_rules! on_every_store {
    ($($case:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&super::Embedded::new().await.store).await;
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
    a_hint_is_never_buried
    what_settles_hints_goes_after_a_while_and_nothing_else_does
    hints_about_one_order_are_one_and_those_of_strangers_are_bounded
    known_orders_are_found_by_any_hint_about_them_and_asked_about_once
    a_hint_is_one_askers_and_is_given_up_after_a_few_tries
}

fn stranger(id: &str) -> NewHint {
    let names = BTreeMap::from([(OrderId::new(id).unwrap(), Role::Provider)]);
    NewHint { source: "shop".to_owned(), order_id: id.to_owned(), key: None, names }
}

fn known(id: &str, key: Uuid) -> NewHint {
    NewHint { key: Some(key), names: BTreeMap::new(), ..stranger(id) }
}

async fn record(store: &Store, hints: &[NewHint], now: Timestamp) {
    let mut writing = store.begin().await.unwrap();
    writing.record_hints(hints, now).await.unwrap();
    writing.commit().await.unwrap();
}

async fn strangers(store: &Store, now: Timestamp) -> Vec<String> {
    let mut writing = store.begin().await.unwrap();
    let hints = writing.strangers_hints("shop", now, 2000).await.unwrap();
    writing.rollback().await.unwrap();
    hints.into_iter().map(|hint| hint.order_id).collect()
}

/// Orders that hints are about.
async fn hinted(store: &Store, now: Timestamp, besides: &[Uuid]) -> Vec<Uuid> {
    let mut writing = store.begin().await.unwrap();
    let which = Hinted { source: "shop", now, unasked_since: at(0), besides, limit: 9 };
    let asks = writing.hinted_asks(which).await.unwrap();
    writing.rollback().await.unwrap();
    asks.into_iter().map(|ask| ask.due.key).collect()
}

async fn a_hint_is_never_buried(store: &Store) {
    let header = |is_hint| CallbackHeader {
        id: Uuid::now_v7(),
        source: "shop".to_owned(),
        origin: Origin::Callback,
        received_at: at(1),
        headers: pawl::provider::headers::Headers::default(),
        attempt: 0,
        asked: std::collections::BTreeSet::new(),
        is_hint,
        is_item: false,
        said_at: None,
    };
    let letter = |is_hint| DeadLetter {
        callback: Callback { header: header(is_hint), body: b"{}".to_vec() },
        reason: "it ended two processes".to_owned(),
        died_at: at(2),
    };
    let letters = [letter(true), letter(false)];
    let ids = letters.clone().map(|letter| letter.callback.header.id);
    let mut writing = store.begin().await.unwrap();
    writing.bury(&letters).await.unwrap();
    writing.commit().await.unwrap();
    let mut reading = store.read().await.unwrap();
    let filter = LetterFilter { limit: 9, ..LetterFilter::default() };
    let kept = reading.list_dead_letters(&filter).await.unwrap();
    assert_eq!(kept.iter().map(|l| l.callback.header.id).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(reading.find_settled(&ids).await.unwrap().len(), 2, "both are settled");
    assert!(reading.find_verdicts(ids[0]).await.unwrap().is_empty(), "and it is no order's");
}

async fn what_settles_hints_goes_after_a_while_and_nothing_else_does(store: &Store) {
    let key = Uuid::now_v7();
    let other = pawl::store::Settled { received_at: at(1), ..settled(key, "event") };
    let hints: Vec<(Uuid, Timestamp)> = (1..=10).map(|n| (Uuid::now_v7(), at(n))).collect();
    let mut writing = store.begin().await.unwrap();
    writing.write_orders(&[written(key, None, &Order::default())]).await.unwrap();
    writing.settle(std::slice::from_ref(&other)).await.unwrap();
    writing.settle_hints(&hints).await.unwrap();
    writing.commit().await.unwrap();
    let mut writing = store.begin().await.unwrap();
    for (limit, gone) in [(4, 4), (4, 3), (4, 0)] {
        assert_eq!(writing.forget_settled_hints(at(8), limit).await.unwrap(), gone);
    }
    let ids: Vec<Uuid> = hints.iter().map(|(id, _)| *id).chain([other.callback_id]).collect();
    let left = writing.find_settled(&ids).await.unwrap();
    assert_eq!(left.into_iter().collect::<Vec<_>>().len(), 4, "three hints and the other one");
    // Hints that wait go, too, when they are no news any more.
    writing.record_hints(&[stranger("old")], at(1)).await.unwrap();
    writing.record_hints(&[stranger("young")], at(9)).await.unwrap();
    assert_eq!(writing.forget_hints(at(5), 9).await.unwrap(), 1);
    writing.commit().await.unwrap();
    assert_eq!(strangers(store, at(9)).await, ["young"]);
}

async fn hints_about_one_order_are_one_and_those_of_strangers_are_bounded(store: &Store) {
    let key = Uuid::now_v7();
    let mut writing = store.begin().await.unwrap();
    writing.insert_names(&[name("b", key), name("a", key)]).await.unwrap();
    writing.write_orders(&[written(key, None, &Order::default())]).await.unwrap();
    let first = writing.hint_ids(&[key, Uuid::now_v7()]).await.unwrap();
    assert_eq!(first, BTreeMap::from([(key, "a".to_owned())]), "whichever of its ids a hint names");
    writing.commit().await.unwrap();
    for second in 1..=3 {
        record(store, &[known("a", key), stranger("x"), stranger("y")], at(second)).await;
    }
    // Also when it gets another id that comes before it.
    let mut writing = store.begin().await.unwrap();
    writing.insert_names(&[name("0", key)]).await.unwrap();
    let first = writing.hint_ids(&[key]).await.unwrap();
    assert_eq!(first, BTreeMap::from([(key, "a".to_owned())]));
    writing.rollback().await.unwrap();
    let mut reading = store.read().await.unwrap();
    let names = [("shop", "a"), ("shop", "x"), ("shop", "z"), ("other", "x")];
    assert_eq!(reading.find_hints(&names).await.unwrap().len(), 2);
    let room = reading.room_for_strangers("shop").await.unwrap();
    assert_eq!(i64::try_from(room).unwrap(), STRANGERS_MAX - 2);
    assert_eq!(
        i64::try_from(reading.room_for_strangers("other").await.unwrap()).unwrap(),
        STRANGERS_MAX
    );
    reading.rollback().await.unwrap();
    let many: Vec<NewHint> = (0..room + 5).map(|n| stranger(&format!("s-{n}"))).collect();
    record(store, &many, at(4)).await;
    let mut reading = store.read().await.unwrap();
    assert_eq!(reading.room_for_strangers("shop").await.unwrap(), 0);
}

async fn known_orders_are_found_by_any_hint_about_them_and_asked_about_once(store: &Store) {
    let keys: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    record(store, &[stranger("a"), stranger("nobody")], at(1)).await;
    let mut writing = store.begin().await.unwrap();
    let ids = [("a", keys[0]), ("a2", keys[0]), ("b", keys[1]), ("c", keys[2])];
    writing.insert_names(&ids.map(|(id, key)| name(id, key))).await.unwrap();
    let order = Order::default();
    let orders: Vec<_> = keys.iter().map(|key| written(*key, None, &order)).collect();
    writing.write_orders(&orders).await.unwrap();
    writing.commit().await.unwrap();
    // One hint came before its order was known, and one after two had become one.
    record(store, &[known("a2", keys[0]), known("c", Uuid::now_v7())], at(2)).await;
    record(store, &[known("b", keys[1])], at(3)).await;
    assert_eq!(hinted(store, at(9), &[]).await, [keys[0], keys[2], keys[1]], "the oldest first");
    assert_eq!(hinted(store, at(9), &[keys[0], keys[2]]).await, [keys[1]]);
    assert_eq!(strangers(store, at(9)).await, ["nobody"]);
    // An answer ends all hints about its order that came before the ask, and no other.
    let mut writing = store.begin().await.unwrap();
    writing.answer_hints("shop", Some(keys[0]), None, at(9)).await.unwrap();
    writing.answer_hints("shop", Some(keys[1]), Some("b"), at(2)).await.unwrap();
    writing.answer_hints("shop", Some(keys[0]), Some("a"), at(9)).await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(hinted(store, at(9), &[]).await, [keys[2], keys[1]]);
}

async fn a_hint_is_one_askers_and_is_given_up_after_a_few_tries(store: &Store) {
    record(store, &[stranger("x")], at(1)).await;
    let (mut now, lease) = (at(2), Duration::from_secs(30));
    for tries in 1..=TRIES_MAX {
        assert_eq!(strangers(store, now).await, ["x"]);
        let token = Uuid::now_v7();
        let mut writing = store.begin().await.unwrap();
        writing.begin_hints("shop", &["x"], token, now, lease).await.unwrap();
        writing.commit().await.unwrap();
        let over = now.plus(lease * (1 << (tries - 1)));
        assert!(strangers(store, now.plus_secs(29)).await.is_empty(), "somebody asks");
        let mut writing = store.begin().await.unwrap();
        assert!(!writing.has_hints("shop", now.plus_secs(29)).await.unwrap());
        assert!(!writing.give_up_hint("shop", "x", Uuid::now_v7()).await.unwrap(), "not ours");
        assert_eq!(writing.has_hints("shop", over).await.unwrap(), tries < TRIES_MAX);
        let is_gone = writing.give_up_hint("shop", "x", token).await.unwrap();
        assert_eq!(is_gone, tries == TRIES_MAX);
        writing.commit().await.unwrap();
        now = over;
    }
    // One that comes while it is being asked about waits anew, at once and for as many tries.
    record(store, &[stranger("x")], at(1)).await;
    let mut writing = store.begin().await.unwrap();
    writing.begin_hints("shop", &["x"], Uuid::now_v7(), at(2), lease).await.unwrap();
    writing.commit().await.unwrap();
    record(store, &[stranger("x")], at(3)).await;
    let mut writing = store.begin().await.unwrap();
    writing.answer_hints("shop", None, Some("x"), at(2)).await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(strangers(store, at(3)).await, ["x"]);
    // A clock that is put back takes it along.
    let mut writing = store.begin().await.unwrap();
    writing.begin_hints("shop", &["x"], Uuid::now_v7(), at(9000), lease).await.unwrap();
    writing.mend_hints("shop", at(1), at(5)).await.unwrap();
    assert!(writing.has_hints("shop", at(5)).await.unwrap());
    writing.answer_hints("shop", None, Some("x"), at(1)).await.unwrap();
    writing.commit().await.unwrap();
    assert!(strangers(store, at(9000)).await.is_empty());
}
