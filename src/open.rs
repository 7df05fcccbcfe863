//! Opens the queue and the store that the roles of a process need, in the form that is configured.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::config::Form;
use crate::queue::{Queue, embedded, rabbit};
use crate::roles::{Role, Roles};
use crate::store::{Store, postgres, sqlite};

/// What a process works with.
#[derive(Debug)]
pub struct Opened {
    /// Where orders are kept; none where no role needs it: a receiver goes on while the database is
    /// down.
    pub store: Option<Store>,
    /// Where callbacks wait.
    pub queue: Queue,
}

/// What cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The embedded store.
    #[error("cannot open the store {path}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: sqlite::OpenError,
    },
    /// The embedded queue.
    #[error("cannot open the queue in the store's file")]
    Embedded(#[source] sqlx::Error),
    /// The database.
    #[error("cannot use the PostgreSQL database of [store] url")]
    Postgres(#[source] postgres::OpenError),
    /// The broker.
    #[error("cannot use the RabbitMQ broker of [queue] url")]
    Rabbit(#[source] rabbit::LinkError),
    /// Roles in the embedded form.
    #[error(
        "the embedded form is one process with all roles: leave out --roles, or use RabbitMQ and PostgreSQL"
    )]
    Roles,
}

impl Opened {
    /// Opens what the roles need.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(form: &Form, roles: &Roles, clock: &Clock) -> Result<Self, OpenError> {
        match form {
            Form::Embedded { path } => {
                if *roles != Roles::all() {
                    return Err(OpenError::Roles);
                }
                let database = sqlite::Database::open(path)
                    .await
                    .map_err(|source| OpenError::Sqlite { path: path.clone(), source })?;
                let queue = embedded::Queue::open(&database, clock.clone()).await;
                let queue = Queue::Embedded(queue.map_err(OpenError::Embedded)?);
                Ok(Self { store: Some(Store::Sqlite(database)), queue })
            }
            Form::Distributed { store_url, queue_url, prefix } => {
                let store = if [Role::Work, Role::Poll, Role::Relay, Role::Admin]
                    .into_iter()
                    .any(|role| roles.has(role))
                {
                    let database = postgres::Database::open(store_url.expose()).await;
                    Some(Store::Postgres(database.map_err(OpenError::Postgres)?))
                } else {
                    None
                };
                let queue = rabbit::Queue::open(queue_url.expose(), prefix, clock.clone()).await;
                Ok(Self { store, queue: Queue::Rabbit(queue.map_err(OpenError::Rabbit)?) })
            }
        }
    }

    /// Closes the store, as soon as what is under way has ended. The queue ends with its last user.
    pub async fn close(&self) {
        if let Some(store) = &self.store {
            store.close().await;
        }
    }
}
