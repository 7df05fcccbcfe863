//! The store: who may open it, and what it does with what it is told.

use std::collections::BTreeMap;

use pawl::order::Order;
use pawl::order::name::{OrderId, Role};
use pawl::order::timestamp::Timestamp;
use pawl::store::sqlite::{Database, OpenError};
use pawl::store::{NameRow, Store, StoreError, Written};
use uuid::Uuid;

async fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("pawl.db")).await.unwrap();
    (folder, Store::Sqlite(database))
}

fn written(key: Uuid, version: Option<i64>, order: &Order) -> Written<'_> {
    Written {
        key,
        source: "shop",
        version,
        order,
        event_count: 0,
        effect_count: 0,
        attention_count: 0,
        kind: None,
        status: None,
        outcome: None,
        is_final: false,
        is_held: false,
        judge_at: None,
        now: Timestamp::EPOCH,
    }
}

fn name(id: &str, key: Uuid) -> NameRow {
    let id = OrderId::new(id).unwrap();
    NameRow { source: "shop".to_owned(), id, key, role: Role::Merchant }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pawl.db");
    let first = Database::open(&path).await.unwrap();
    let second = Database::open(&path).await;
    assert!(matches!(second, Err(OpenError::Locked(_))), "{second:?}");
    first.close().await;
    drop(first);
    Database::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pawl.db");
    Database::open(&path).await.unwrap().close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let opened = Database::open(&path).await;
    assert!(matches!(opened, Err(OpenError::Migrate(_))), "{opened:?}");
}

#[tokio::test]
async fn a_write_of_a_version_that_was_not_read_is_refused() {
    let (_folder, store) = open().await;
    let key = Uuid::now_v7();
    let order = Order::default();
    let mut transaction = store.begin().await.unwrap();
    transaction.insert_names(&[name("1", key)]).await.unwrap();
    transaction.write_order(&written(key, None, &order)).await.unwrap();
    transaction.write_order(&written(key, Some(1), &order)).await.unwrap();
    let stale = transaction.write_order(&written(key, Some(1), &order)).await;
    assert!(matches!(stale, Err(StoreError::Raced)), "{stale:?}");
    let taken = transaction.insert_names(&[name("1", Uuid::now_v7())]).await;
    assert!(matches!(taken, Err(StoreError::Raced)), "{taken:?}");
    transaction.commit().await.unwrap();
    let mut reading = store.read().await.unwrap();
    assert_eq!(reading.lock_orders(&[key]).await.unwrap()[0].version, 2);
}

#[tokio::test]
async fn what_is_not_committed_never_was() {
    let (_folder, store) = open().await;
    let key = Uuid::now_v7();
    for end in ["drop", "rollback"] {
        let mut transaction = store.begin().await.unwrap();
        transaction.insert_names(&[name("1", key)]).await.unwrap();
        transaction.write_order(&written(key, None, &Order::default())).await.unwrap();
        if end == "rollback" {
            transaction.rollback().await.unwrap();
        }
    }
    let mut reading = store.begin().await.unwrap();
    assert!(reading.find_names(&[("shop", "1")]).await.unwrap().is_empty());
    // An id without its order is refused at the commit.
    reading.insert_names(&[name("2", key)]).await.unwrap();
    let refused = reading.commit().await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn ids_are_compared_byte_by_byte() {
    let (_folder, store) = open().await;
    let ids = ["a", "A", "a ", "é", "e\u{301}", "\u{200b}a", "a\r\n", "'; drop table orders; --"];
    let mut transaction = store.begin().await.unwrap();
    let mut keys = BTreeMap::new();
    for id in ids {
        let key = Uuid::now_v7();
        transaction.insert_names(&[name(id, key)]).await.unwrap();
        transaction.write_order(&written(key, None, &Order::default())).await.unwrap();
        keys.insert(("shop".to_owned(), id.to_owned()), key);
    }
    transaction.commit().await.unwrap();
    let wanted: Vec<_> = ids.iter().map(|id| ("shop", *id)).collect();
    assert_eq!(store.read().await.unwrap().find_names(&wanted).await.unwrap(), keys);
    assert!(store.read().await.unwrap().find_names(&[("SHOP", "a")]).await.unwrap().is_empty());
}
