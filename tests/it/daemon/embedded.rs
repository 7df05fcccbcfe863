//! The embedded store: who may open its file.

use pawl::store::sqlite::{Database, OpenError};

use super::{Pawl, withdrawal};

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

/// Whoever has the file may be ending just now.
#[tokio::test]
async fn who_ends_just_now_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pawl.db");
    let first = Database::open(&path).await.unwrap();
    let ending = async move {
        first.close().await;
        drop(first);
    };
    let (second, ()) = tokio::join!(Database::open(&path), ending);
    second.unwrap();
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

/// The one connection that writes is shared: whoever else writes waits in line, and what is received goes first.
#[tokio::test]
async fn many_who_write_keep_no_callback_waiting() {
    let pawl = Pawl::start().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let mut writing = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (store, stop) = (pawl.store().clone(), stop.clone());
        writing.spawn(async move {
            while !stop.is_cancelled() {
                let transaction = store.begin().await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                transaction.rollback().await.unwrap();
            }
        });
    }
    // All of them are in line by now: together they take twice as long as the receiver waits.
    for n in 0..5 {
        let answer = pawl.send(&withdrawal(&format!("busy-{n}"), "completed")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    stop.cancel();
    while writing.join_next().await.is_some() {}
}
