//! `pawl migrate`: brings the store's tables up to date, and ends.

use clap::Args;
use serde_json::json;

use super::{At, Exit, Failure};
use crate::config::Form;
use crate::store::{Schema, postgres, sqlite};

/// Which store.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(migrate: &Migrate) -> Result<Exit, Failure> {
    let config = migrate.at.load()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(error.into()))?;
    let before = runtime.block_on(bring_up_to_date(&config.form)).map_err(Failure::unavailable)?;
    let (has_changed, text) = match before {
        Schema::Current => (false, "the store's tables were up to date".to_owned()),
        Schema::Missing => (true, "the store's tables are made".to_owned()),
        Schema::Behind(steps) => {
            (true, format!("the store's tables are up to date; they were {steps} steps behind"))
        }
        Schema::Foreign => (false, before.to_string()),
    };
    if migrate.json {
        println!("{}", json!({ "changed": has_changed, "text": text }));
    } else {
        println!("{text}");
    }
    Ok(Exit::Fine)
}

/// How the tables stood before.
async fn bring_up_to_date(form: &Form) -> anyhow::Result<Schema> {
    match form {
        Form::Embedded { path } => {
            let before = Schema::of_sqlite(path).await?;
            sqlite::Database::open(path).await?.close().await;
            Ok(before)
        }
        Form::Distributed { store_url, .. } => {
            let before = Schema::of_postgres(store_url.expose()).await?;
            postgres::Database::open(store_url.expose()).await?.close().await;
            Ok(before)
        }
    }
}
