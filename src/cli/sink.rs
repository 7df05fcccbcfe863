//! `pawl sink`: what waits to be delivered, and what was given up.

use serde_json::{Value, json};

use super::client::segment;
use super::order::text;
use super::{Daemon, Exit, Failure};

/// What can be done with sinks.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// All sinks, and what waits for each.
    List {
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Delivers again to a sink that was disabled, and what was given up for it.
    Resume {
        /// The sink.
        name: String,
        /// Of one order only.
        #[arg(long, num_args = 2, value_names = ["SOURCE", "ORDER_ID"])]
        order: Option<Vec<String>>,
        /// Passes over the notice of that order that was not taken: the sink never gets it.
        #[arg(long, requires = "order")]
        skip: bool,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Forgets a sink that is not in the configuration any more, and all that waits for it.
    Remove {
        /// The sink.
        name: String,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        daemon: Daemon,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Person {
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who does it, for the audit log.
    #[arg(long, value_name = "NAME", env = "USER")]
    by: String,
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { daemon } => list(&daemon),
        Command::Resume { name, order, skip, person, daemon } => {
            let order = order.as_deref().and_then(|named| match named {
                [source, order_id] => Some(json!({ "source": source, "order_id": order_id })),
                _ => None,
            });
            let body = json!({ "by": person.by, "why": person.why, "order": order, "skip": skip });
            let path = format!("/api/v1/sinks/{}/resume", segment(&name));
            let answer = daemon.client()?.post(&path, &body)?.ok()?;
            if daemon.json {
                println!("{answer}");
            } else {
                println!("{} orders of {name} are delivered again", answer["orders_resumed"]);
            }
            Ok(Exit::Fine)
        }
        Command::Remove { name, person, daemon } => {
            let body = json!({ "by": person.by, "why": person.why });
            let path = format!("/api/v1/sinks/{}/remove", segment(&name));
            let answer = daemon.client()?.post(&path, &body)?.ok()?;
            if daemon.json {
                println!("{answer}");
            } else {
                println!("{name} is forgotten");
            }
            Ok(Exit::Fine)
        }
    }
}

fn list(daemon: &Daemon) -> Result<Exit, Failure> {
    let answer = daemon.client()?.get("/api/v1/sinks")?.ok()?;
    if daemon.json {
        println!("{answer}");
        return Ok(Exit::Fine);
    }
    for sink in answer["items"].as_array().into_iter().flatten() {
        print_sink(sink);
    }
    Ok(Exit::Fine)
}

fn print_sink(sink: &Value) {
    let name = text(&sink["name"]);
    let kind = sink["kind"].as_str().unwrap_or("not configured here");
    let (waiting, given_up) = (&sink["orders_waiting"], &sink["orders_given_up"]);
    let state = match (sink["disabled"].as_object(), sink["paused"].as_object()) {
        (Some(disabled), _) => {
            format!("disabled since {}: {}", text(&disabled["at"]), text(&disabled["reason"]))
        }
        (None, Some(paused)) => {
            format!("left alone until {}: {}", text(&paused["until"]), text(&paused["reason"]))
        }
        (None, None) => "delivering".to_owned(),
    };
    println!("{name:<16} {kind:<20} {waiting} orders wait, {given_up} given up; {state}");
    if let Some(since) = sink["waiting_since"].as_str() {
        println!("  the oldest waits since {since}");
    }
    for line in sink["given_up"].as_array().into_iter().flatten() {
        println!(
            "  given up: {} of order {} ({}), notice {}: {}",
            text(&line["type"]),
            text(&line["order_key"]),
            text(&line["source"]),
            line["seq"],
            text(&line["reason"])
        );
    }
}
