//! The two forms, each with everything of its own: a folder; or a database and a prefix on the broker.

use pawl::provider::secret::Secret;
use sqlx::{Connection, PgConnection};

/// Which form a test is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// SQLite, one process.
    Embedded,
    /// RabbitMQ and PostgreSQL.
    Distributed,
    /// The same on the second pair of servers, which tests may break.
    Breakable,
}

/// What is a test's own.
pub(crate) struct Own {
    pub folder: tempfile::TempDir,
    /// The database's URL, and the broker's.
    pub urls: Option<(Secret, Secret)>,
    /// The database's name, and what the names of queues begin with.
    pub name: String,
}

/// A URL that the test script gives.
pub(crate) fn url(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run"))
}

impl Own {
    pub(crate) async fn new(form: Form) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("pawl_{}", uuid::Uuid::now_v7().simple());
        let servers = match form {
            Form::Embedded => None,
            Form::Distributed => Some(("PAWL_TEST_POSTGRES_URL", "PAWL_TEST_AMQP_URL")),
            Form::Breakable => Some(("PAWL_TEST_SECOND_POSTGRES_URL", "PAWL_TEST_SECOND_AMQP_URL")),
        };
        let mut urls = None;
        if let Some((postgres, amqp)) = servers {
            let maintenance = url(postgres);
            execute(&maintenance, format!("create database {name}")).await;
            let (server, _) = maintenance.rsplit_once('/').unwrap();
            let secret = |text: String| Secret::new(text).unwrap();
            urls = Some((secret(format!("{server}/{name}")), secret(url(amqp))));
        }
        Self { folder, urls, name }
    }

    /// A configuration on free ports, with more lines, the first of them of the source.
    pub(crate) fn config(&self, more: &str) -> String {
        let form = match &self.urls {
            None => format!("[store]\nurl = \"sqlite:{}/pawl.db\"\n", self.folder.path().display()),
            Some((store, queue)) => format!(
                "[store]\nurl = \"{}\"\n[queue]\nurl = \"{}\"\nprefix = \"{}\"\n",
                store.expose(),
                queue.expose(),
                self.name
            ),
        };
        format!(
            "{form}[receive]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [source.shop]\nprovider = \"flypay\"\ncallback_secrets = [{{ env = \"SECRET\" }}]\n{more}"
        )
    }
}

async fn execute(url: &str, statement: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Runs each case on both forms.
macro_rules! on_both_forms {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test] async fn $case() { super::$case($crate::daemon::form::Form::Embedded).await; })+
        }
        mod distributed {
            $(#[tokio::test] async fn $case() { super::$case($crate::daemon::form::Form::Distributed).await; })+
        }
    };
}
pub(crate) use on_both_forms;
