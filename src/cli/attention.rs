//! `pawl attention`: what waits for a person, and the commands that would resolve it.

use serde_json::Value;

use super::client::segment;
use super::order::{items, print_claims, status, text};
use super::resolve::{self, At};
use super::shell::{command, quote};
use super::{Daemon, Exit, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Attention {
    /// Of this code only, such as conflict.
    #[arg(long)]
    code: Option<String>,
    /// Of this source only.
    #[arg(long)]
    source: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: u16,
    /// Where the last list said that it goes on.
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

pub(super) fn run(told: &Attention) -> Result<Exit, Failure> {
    let mut path = format!("/api/v1/attention?limit={}", told.limit);
    for (name, value) in [("code", &told.code), ("source", &told.source), ("cursor", &told.cursor)]
    {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    let answer = told.daemon.client()?.get(&path)?.ok()?;
    if told.daemon.json {
        println!("{answer}");
        return Ok(Exit::Fine);
    }
    if items(&answer).next().is_none() {
        println!("nothing waits for a person");
        return Ok(Exit::Fine);
    }
    println!("{:<16} {:<12} {:<28} {:<28} since", "code", "source", "order", "status");
    for item in items(&answer) {
        print(item, &told.daemon);
    }
    println!("\nSay why, for the audit log, before such a command: WHY=\"the bank says so\"");
    if let Some(cursor) = answer["next_cursor"].as_str() {
        println!("more: --cursor {cursor}");
    }
    Ok(Exit::Fine)
}

fn print(item: &Value, daemon: &Daemon) {
    let (code, source, id) = (text(&item["code"]), text(&item["source"]), text(&item["order_id"]));
    let (status, since) = (status(item), text(&item["since"]));
    println!("\n{code:<16} {source:<12} {id:<28} {status:<28} {since}");
    println!("  {}", text(&item["text"]));
    print_claims(&item["claims"]);
    for action in item["actions"].as_array().into_iter().flatten() {
        let (source, id) = (&item["source"], &item["order_id"]);
        let at = At {
            source: source.as_str().unwrap_or_default(),
            order_id: id.as_str().unwrap_or_default(),
            daemon,
        };
        println!("  {}:", text(&action["what"]));
        let words = match (action.get("register"), action["resume"].as_str()) {
            (Some(told), _) => register(&at, told),
            (None, Some(sink)) => resume(&at, sink),
            (None, None) => resolve::write_command(&at, &action["resolve"]),
        };
        println!("    {words}");
    }
}

/// The command that delivers again to a sink what was given up of an order.
fn resume(at: &At<'_>, sink: &str) -> String {
    let flags = at.flags();
    let own = command(["pawl", "sink", "resume", sink, "--order", at.source, at.order_id]);
    let more = command(flags.iter().map(String::as_str));
    format!("{own} {more}{}--why \"$WHY\"", if more.is_empty() { "" } else { " " })
}

/// The command that registers an order; how much of what, only its owner knows.
fn register(at: &At<'_>, told: &Value) -> String {
    let kind = told["kind"].as_str().map_or("KIND".to_owned(), quote);
    let mut flags = vec![format!("--kind {kind} --amount AMOUNT --currency CURRENCY")];
    let daemon = at.flags();
    if !daemon.is_empty() {
        flags.push(command(daemon.iter().map(String::as_str)));
    }
    at.write("pawl order register", &flags.join(" "))
}
