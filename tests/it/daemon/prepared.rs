//! Every statement of the store and of the embedded queue is prepared on its database: what is wrong
//! with one is found here, also where no other test runs it.

use sqlx::{Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};

use super::form::{Form, Own};

/// The statements in the sources: texts that begin with a comment which names them.
fn statements() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for folder in ["store", "queue"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let begins = text.match_indices("\"-- ").map(|(at, _)| at + 1);
                found.extend(begins.map(|at| text[at..].split('"').next().unwrap().to_owned()));
            }
        }
    }
    found
}

fn has_place(statement: &str, mark: char) -> bool {
    statement.split(mark).skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[tokio::test]
async fn every_statement_is_prepared_on_its_database() {
    let own = Own::new(Form::Distributed).await;
    let (store, _) = own.urls.as_ref().unwrap();
    pawl::store::postgres::Database::open(store.expose()).await.unwrap().close().await;
    let mut postgres = PgConnection::connect(store.expose()).await.unwrap();
    let path = own.folder.path().join("pawl.db");
    pawl::store::sqlite::Database::open(&path).await.unwrap().close().await;
    let mut sqlite =
        SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let (mut on_postgres, mut on_sqlite) = (0, 0);
    for statement in statements() {
        let sql = sqlx::AssertSqlSafe(statement.clone()).into_sql_str();
        let (is_postgres, is_sqlite) = (has_place(&statement, '$'), statement.contains('?'));
        // Without places it may be of either; it must be right on one of them.
        let on = if is_postgres {
            (&mut postgres).prepare(sql).await.map(|_| &mut on_postgres)
        } else if is_sqlite || (&mut sqlite).prepare(sql.clone()).await.is_ok() {
            (&mut sqlite).prepare(sql).await.map(|_| &mut on_sqlite)
        } else {
            (&mut postgres).prepare(sql).await.map(|_| &mut on_postgres)
        };
        *on.unwrap_or_else(|error| panic!("{error}\n{statement}")) += 1;
    }
    assert!(on_postgres > 20 && on_sqlite > 20, "{on_postgres} and {on_sqlite} statements found");
}
