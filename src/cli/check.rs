//! `pawl check`: whether the daemon could start here, an item a line. It reads, and changes nothing.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::{At, Exit, Failure, environment};
use crate::config::{Config, ConfigError, Form, Sink, Source, Wants, Way};
use crate::order::timestamp::Timestamp;
use crate::poll::client::{client, reach};
use crate::queue::rabbit;
use crate::relay::outlet;
use crate::store::Schema;

/// How long one thing that is looked at may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What to look at.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Only the configuration, the definitions and the secrets: nothing is connected to.
    #[arg(long)]
    offline: bool,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// What one look came to.
struct Item {
    what: String,
    found: Result<String, String>,
    /// What the command exits with if it is wrong.
    exit: Exit,
}

pub(super) fn run(check: &Check) -> Result<Exit, Failure> {
    let mut items = Vec::new();
    match Config::find(check.at.config.as_deref(), &environment()) {
        Err(error) => {
            let is_missing = matches!(error, ConfigError::Missing(_));
            let found = if is_missing { format!("{error:#}") } else { error.to_string() };
            items.push(Item::wrong("configuration", found));
        }
        Ok(config) => {
            items.push(Item::fine("configuration", config.file.clone()));
            items.extend(config.sources.values().flat_map(of_source));
            items.extend(config.sinks.values().map(of_sink));
            if !check.offline {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| Failure::other(error.into()))?;
                items.extend(runtime.block_on(reach_all(&config)));
            }
        }
    }
    show(&items, check.json);
    let wrong = items.iter().filter(|item| item.found.is_err()).map(|item| item.exit);
    // What is wrong with the configuration is said first.
    Ok(wrong.max_by_key(|exit| *exit == Exit::Config).unwrap_or(Exit::Fine))
}

impl Item {
    fn fine(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), found: Ok(found.into()), exit: Exit::Fine }
    }

    fn wrong(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), found: Err(found.into()), exit: Exit::Config }
    }

    fn reached(what: impl Into<String>, found: Result<String, String>) -> Self {
        Self { what: what.into(), found, exit: Exit::Unavailable }
    }
}

fn show(items: &[Item], as_json: bool) {
    let is_fine = items.iter().all(|item| item.found.is_ok());
    if as_json {
        let item = |item: &Item| {
            let (Ok(text) | Err(text)) = &item.found;
            json!({ "what": item.what, "ok": item.found.is_ok(), "text": text })
        };
        let items: Vec<Value> = items.iter().map(item).collect();
        println!("{}", json!({ "ok": is_fine, "items": items }));
        return;
    }
    for Item { what, found, .. } in items {
        match found {
            Ok(text) => println!("{what:<20} fine: {text}"),
            Err(text) => println!("{what:<20} wrong: {text}"),
        }
    }
}

/// A source's secrets were read with the configuration; its definition must come to what its samples say.
fn of_source(source: &Source) -> Vec<Item> {
    let what = format!("source {}", source.name);
    let (secrets, credentials) = (source.callback_secrets.len(), source.credentials.len());
    let provider = &source.provider;
    let now = Timestamp::from_datetime(time::OffsetDateTime::now_utc());
    let mut items = vec![Item::fine(
        &what,
        format!("{}; callback secrets: {secrets}, credentials: {credentials}", provider.title),
    )];
    let Some(now) = now else {
        items.push(Item::wrong("clock", "it is outside of the years 1970 to 9999: set it"));
        return items;
    };
    if !source.signature.is_none() && source.secrets_at(now).next().is_none() {
        items.push(Item::wrong(&what, "no callback secret is good now: every callback is refused"));
    }
    if !source.makes_claims() && (source.base_url.is_none() || provider.ask.is_none()) {
        let why = "nothing it hears is believed, as its callbacks prove nothing, and it cannot ask: add \
                   base_url and credentials, or say how callbacks are signed (signature)";
        items.push(Item::wrong(&what, why));
    }
    if source.base_url.is_some()
        && let Err(error) = client(source)
    {
        items
            .push(Item::wrong(&what, format!("cannot speak to the provider: {}", describe(error))));
    }
    let faults = provider.samples.iter().filter_map(|sample| sample.check(provider, now).err());
    let definition = format!("provider {}", provider.name);
    items.extend(faults.map(|fault| Item::wrong(&definition, fault.to_string())));
    items
}

/// What a sink gets, and whether anything could be signed for it now.
fn of_sink(sink: &Sink) -> Item {
    let what = format!("sink {}", sink.name);
    let Wants { sources, types } = &sink.wants;
    let gets = format!("{} of {}", types.join(", "), sources.join(", "));
    match &sink.way {
        Way::Http { secrets, .. } => {
            let now = Timestamp::from_datetime(time::OffsetDateTime::now_utc());
            let good =
                secrets.iter().filter(|secret| now.is_some_and(|now| secret.is_good_at(now)));
            match good.count() {
                0 => Item::wrong(
                    what,
                    "no secret is good now: nothing can be signed, and so delivered",
                ),
                count => Item::fine(what, format!("{gets}; secrets that are good now: {count}")),
            }
        }
        Way::Amqp { exchange, .. } => Item::fine(what, format!("{gets}; exchange {exchange}")),
    }
}

async fn reach_all(config: &Config) -> Vec<Item> {
    let mut items = Vec::new();
    match &config.form {
        Form::Embedded { path } => {
            let looking = async {
                look_at_folder(path)?;
                let schema = Schema::of_sqlite(path).await.map_err(describe)?;
                usable(schema, format!("{}", path.display()))
            };
            items.push(Item::reached("store", within(looking).await));
        }
        Form::Distributed { store_url, queue_url, prefix } => {
            let looking = async {
                let schema = Schema::of_postgres(store_url.expose()).await.map_err(describe)?;
                usable(schema, "PostgreSQL".to_owned())
            };
            items.push(Item::reached("store", within(looking).await));
            let looking = async {
                let waiting = rabbit::look(queue_url.expose(), prefix).await.map_err(describe)?;
                Ok(match waiting {
                    Some(count) => format!("RabbitMQ, {count} messages on {prefix}.callbacks"),
                    None => "RabbitMQ, no queues yet: the first start makes them".to_owned(),
                })
            };
            items.push(Item::reached("queue", within(looking).await));
        }
    }
    for source in config.sources.values() {
        let Some(base_url) = &source.base_url else { continue };
        let looking =
            async { reach(source, base_url).await.map(|status| format!("{base_url} ({status})")) };
        items.push(Item::reached(format!("provider of {}", source.name), within(looking).await));
    }
    for sink in config.sinks.values() {
        items.push(Item::reached(format!("sink {}", sink.name), within(outlet::reach(sink)).await));
    }
    items
}

async fn within(looking: impl Future<Output = Result<String, String>>) -> Result<String, String> {
    let took_too_long = |_| Err(format!("no answer within {} seconds", DEADLINE.as_secs()));
    tokio::time::timeout(DEADLINE, looking).await.unwrap_or_else(took_too_long)
}

fn usable(schema: Schema, place: String) -> Result<String, String> {
    match schema {
        Schema::Foreign => Err(format!("{place}: {schema}")),
        Schema::Missing | Schema::Current | Schema::Behind(_) => Ok(format!("{place}, {schema}")),
    }
}

/// Whether the store's file could be made, where there is none.
fn look_at_folder(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    match std::fs::metadata(folder) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => Err(format!("{} is no folder", folder.display())),
        Err(error) => Err(format!("cannot use the folder {}: {error}", folder.display())),
    }
}

fn describe(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}
