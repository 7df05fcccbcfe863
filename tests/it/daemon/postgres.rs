//! The store on a server: what only many writers, and a network, can do to it.

use std::sync::Arc;
use std::time::Duration;

use pawl::order::Order;
use pawl::store::postgres::{Database, OpenError};
use pawl::store::{NameRow, Store, StoreError, Transaction};
use sqlx::Row;
use tokio::sync::Barrier;
use uuid::Uuid;

use super::database::Server;
use super::store::{name, settled, written};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_of_the_same_ids_never_wait_for_each_other() {
    let server = Server::new().await;
    for round in 0..10 {
        let ids: Vec<String> = (0..1500).map(|n| format!("{round}-{n:05}")).collect();
        let barrier = Arc::new(Barrier::new(2));
        let writers: Vec<_> = [false, true]
            .map(|is_reversed| {
                let mut ids = ids.clone();
                if is_reversed {
                    ids.reverse();
                }
                tokio::spawn(claim(server.store.clone(), ids, barrier.clone()))
            })
            .into_iter()
            .collect();
        let mut ends = Vec::new();
        for writer in writers {
            ends.push(writer.await.unwrap());
        }
        // One claims them all, the other finds them taken; nobody is the victim of a deadlock.
        ends.sort_unstable();
        assert_eq!(ends, ["claimed", "taken"]);
    }
    let mut connection = server.connect().await;
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    server.store.close().await;
    let row = sqlx::query(deadlocks).fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 0, "deadlocks");
}

async fn claim(store: Store, ids: Vec<String>, barrier: Arc<Barrier>) -> &'static str {
    let key = Uuid::now_v7();
    let names: Vec<NameRow> = ids.iter().map(|id| name(id, key)).collect();
    let mut writing = store.begin().await.unwrap();
    barrier.wait().await;
    match writing.insert_names(&names).await {
        Ok(()) => {
            writing.write_orders(&[written(key, None, &Order::default())]).await.unwrap();
            writing.commit().await.unwrap();
            "claimed"
        }
        Err(StoreError::Raced) => {
            writing.rollback().await.unwrap();
            "taken"
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_begin_that_is_dropped_half_way_poisons_nothing() {
    let server = Server::new().await;
    let mut beside = server.connect().await;
    for polls in 1..=4 {
        // Every connection of the pool is opened, then used, so that a poll is one step further: what is
        // asked before it is handed out, BEGIN, its answer. Each time they are all given back.
        for _ in 0..2 {
            let mut all = Vec::new();
            for _ in 0..10 {
                all.push(server.store.begin().await.unwrap());
            }
            drop(all);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut begins: Vec<_> = (0..10).map(|_| Some(Box::pin(server.store.begin()))).collect();
        for _ in 0..polls {
            for begin in &mut begins {
                let step = std::future::poll_fn(|context| {
                    let ended = begin.as_mut().is_some_and(|b| b.as_mut().poll(context).is_ready());
                    std::task::Poll::Ready(ended)
                });
                if step.await {
                    *begin = None;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(begins);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let open = sqlx::query(
            "select count(*) from pg_stat_activity
             where datname = current_database() and state like 'idle in transaction%'",
        );
        let open: i64 = open.fetch_one(&mut beside).await.unwrap().get(0);
        assert_eq!(open, 0, "transactions are left open after {polls} polls");
    }
    let key = Uuid::now_v7();
    let mut writing = server.store.begin().await.unwrap();
    writing.insert_names(&[name("1", key)]).await.unwrap();
    writing.write_orders(&[written(key, None, &Order::default())]).await.unwrap();
    writing.commit().await.unwrap();
    let row = sqlx::query("select count(*) from order_ids").fetch_one(&mut beside).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 1, "what was committed is seen by others");
    server.store.close().await;
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_and_what_is_lost_is_for_later() {
    let server = Server::new().await;
    let mut writing = server.store.begin().await.unwrap();
    let row = NameRow { source: "nul \0 byte".to_owned(), ..name("1", Uuid::now_v7()) };
    let refused = writing.insert_names(&[row]).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    drop(writing);

    let mut writing = server.store.begin().await.unwrap();
    let mut beside = server.connect().await;
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .execute(&mut beside)
    .await
    .unwrap();
    let lost = writing.find_names(&[("shop", "1")]).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    drop(writing);
    server.store.begin().await.unwrap().rollback().await.unwrap();
    server.store.close().await;
}

#[tokio::test]
async fn a_write_to_a_replica_is_for_later_and_its_connection_is_dropped() {
    let server = Server::new().await;
    let mut writing = server.store.begin().await.unwrap();
    tell(&mut writing, "set transaction read only").await;
    let refused = writing.insert_names(&[name("1", Uuid::now_v7())]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    drop(writing);
    // What it is to be connected to a primary that has become a replica: open, and of no use.
    let mut writing = server.store.begin().await.unwrap();
    let demoted = "set session characteristics as transaction read only";
    let of_no_use = tell(&mut writing, demoted).await;
    writing.commit().await.unwrap();
    // It is given back to the pool in the background.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut all = Vec::new();
    for n in 0..5 {
        let mut writing = server.store.begin().await.unwrap();
        assert_ne!(tell(&mut writing, "select 1").await, of_no_use);
        writing.insert_names(&[name(&n.to_string(), Uuid::now_v7())]).await.unwrap();
        all.push(writing);
    }
    drop(all);
    server.store.close().await;
}

/// Runs a statement; which connection that was.
async fn tell(transaction: &mut Transaction, statement: &'static str) -> i32 {
    let Transaction::Postgres(transaction) = transaction else { panic!("not a server") };
    sqlx::raw_sql(statement).execute(&mut **transaction).await.unwrap();
    let pid = sqlx::query("select pg_backend_pid()");
    pid.fetch_one(&mut **transaction).await.unwrap().get(0)
}

#[tokio::test]
async fn a_database_that_does_not_keep_its_commits_is_refused() {
    let server = Server::new().await;
    let separator = if server.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}options=-c%20synchronous_commit%3Doff", server.url());
    let opened = Database::open(&url).await;
    assert!(matches!(opened, Err(OpenError::NotDurable { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let server = Server::new().await;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'from the future', true, '', 0)",
    )
    .execute(&mut server.connect().await)
    .await
    .unwrap();
    let opened = Database::open(&server.url()).await;
    assert!(matches!(opened, Err(OpenError::Migrate(_))), "{opened:?}");
}

#[tokio::test]
async fn every_connection_has_its_limits() {
    let server = Server::new().await;
    let mut writing = server.store.begin().await.unwrap();
    let Transaction::Postgres(transaction) = &mut writing else { panic!("not a server") };
    for (setting, wanted) in [
        ("statement_timeout", "10s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "15s"),
        ("application_name", "pawl"),
        ("transaction_isolation", "read committed"),
    ] {
        let query = sqlx::query("select current_setting($1)").bind(setting);
        let found: String = query.fetch_one(&mut **transaction).await.unwrap().get(0);
        assert_eq!(found, wanted, "{setting}");
    }
}

/// A callback that is found settled may have been settled by a commit that no replica has yet.
#[tokio::test]
async fn what_is_found_settled_is_committed_anew() {
    let server = Server::new().await;
    let key = Uuid::now_v7();
    let settled = settled(key, "event");
    let mut writing = server.store.begin().await.unwrap();
    writing.settle(std::slice::from_ref(&settled)).await.unwrap();
    writing.commit().await.unwrap();
    for (id, is_written) in [(Uuid::now_v7(), false), (settled.callback_id, true)] {
        let mut again = server.store.begin().await.unwrap();
        assert_eq!(again.find_settled(&[id]).await.unwrap().is_empty(), !is_written);
        let Transaction::Postgres(transaction) = &mut again else { panic!("not a server") };
        let written = sqlx::query("select pg_current_xact_id_if_assigned() is not null");
        let row = written.fetch_one(&mut **transaction).await.unwrap();
        assert_eq!(row.get::<bool, _>(0), is_written);
    }
}
