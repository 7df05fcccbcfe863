//! A store for a test: its own file, or its own database on the server of `PAWL_TEST_POSTGRES_URL`.

use pawl::store::{Store, postgres, sqlite};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// A file of its own, removed when the test ends.
pub(crate) struct Embedded {
    pub store: Store,
    _folder: tempfile::TempDir,
}

impl Embedded {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = sqlite::Database::open(&folder.path().join("pawl.db")).await.unwrap();
        Self { store: Store::Sqlite(database), _folder: folder }
    }
}

/// A database of its own, dropped when the test ends.
pub(crate) struct Server {
    pub store: Store,
    name: String,
}

impl Server {
    pub(crate) async fn new() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(make_template).await;
        let name = format!("pawl_test_{}", Uuid::now_v7().simple());
        run(&server_url(), format!("create database {name} template {template}")).await;
        let database = postgres::Database::open(&url_of(&name)).await.unwrap();
        Self { store: Store::Postgres(database), name }
    }

    pub(crate) fn url(&self) -> String {
        url_of(&self.name)
    }

    /// A connection beside the store's.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.url()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let statement = format!("drop database if exists {} with (force)", self.name);
        let dropped = std::thread::spawn(move || block_on(run(&server_url(), statement)));
        assert!(dropped.join().is_ok() || std::thread::panicking(), "a database is left behind");
    }
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future);
}

/// The database that every test's own is a copy of, made once for a state of the migrations.
async fn make_template() -> String {
    let migrations = sqlx::migrate::Migrator::new(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres"),
    );
    let checksums: String = migrations
        .await
        .unwrap()
        .iter()
        .map(|migration| hex::encode(&migration.checksum[..8]))
        .collect();
    let name = format!("pawl_template_{}", &hex::encode(sha(&checksums))[..16]);
    let mut server = connect(&server_url()).await;
    // Another process of tests may be at it.
    sqlx::query("select pg_advisory_lock(hashtext('pawl_template'))")
        .execute(&mut server)
        .await
        .unwrap();
    let known = sqlx::query("select from pg_database where datname = $1").bind(&name);
    if known.fetch_optional(&mut server).await.unwrap().is_none() {
        let half = format!("{name}_half");
        run(&server_url(), format!("drop database if exists {half} with (force)")).await;
        run(&server_url(), format!("create database {half}")).await;
        postgres::Database::open(&url_of(&half)).await.unwrap().close().await;
        run(&server_url(), format!("alter database {half} rename to {name}")).await;
    }
    server.close().await.unwrap();
    name
}

fn sha(text: &str) -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest(text).to_vec()
}

fn server_url() -> String {
    std::env::var("PAWL_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "PAWL_TEST_POSTGRES_URL is not set: these tests need a PostgreSQL server, by the URL of a \
             superuser such as postgres://postgres:secret@127.0.0.1:5432/postgres"
        )
    })
}

fn url_of(database: &str) -> String {
    let options: PgConnectOptions = server_url().parse().unwrap();
    options.database(database).to_url_lossy().to_string()
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap_or_else(|error| panic!("no PostgreSQL: {error}"))
}

async fn run(url: &str, statement: String) {
    let mut server = connect(url).await;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut server).await.unwrap();
    server.close().await.unwrap();
}
