//! `pawl dead`: accepted callbacks that could not be read or applied.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::order::text;
use super::{Daemon, Exit, Failure};

/// How many letters are listed in one request.
const PAGE: u16 = 500;

/// What can be done with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Dead letters, the newest first.
    List {
        #[command(flatten)]
        wanted: Wanted,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u16,
        /// Where the last list said that it goes on.
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// One dead letter, with its original bytes.
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Reads dead letters again and applies them, once the reason is mended; exits with 1 if some
    /// still cannot be.
    Redrive(Redrive),
    /// Drops dead letters for good. The digest of their bytes and the reason stay in the audit log.
    Drop(Drop),
}

/// Which letters.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// Of this source only.
    #[arg(long)]
    source: Option<String>,
    /// Only those whose reason contains this.
    #[arg(long, value_name = "TEXT")]
    reason_contains: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Redrive {
    /// Their ids.
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// All that there are now, the oldest first.
    #[arg(long)]
    all: bool,
    /// With --all: of this source only.
    #[arg(long, requires = "all")]
    source: Option<String>,
    /// With --all: only those whose reason contains this.
    #[arg(long, value_name = "TEXT", requires = "all")]
    reason_contains: Option<String>,
    /// Shows what it would come to, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Who does it, for the audit log.
    #[arg(long, value_name = "NAME", env = "USER")]
    by: String,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, clap::Args)]
pub(super) struct Drop {
    /// Their ids.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who does it, for the audit log.
    #[arg(long, value_name = "NAME", env = "USER")]
    by: String,
    #[command(flatten)]
    daemon: Daemon,
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { wanted, limit, cursor, daemon } => {
            list(&wanted, limit, cursor.as_deref(), &daemon)
        }
        Command::Show { id, daemon } => show(&id, &daemon),
        Command::Redrive(told) => redrive(told),
        Command::Drop(told) => {
            let body = json!({ "by": told.by, "why": told.why });
            each(&told.daemon.client()?, &told.ids, "drop", &body, told.daemon.json)
        }
    }
}

fn list(
    wanted: &Wanted,
    limit: u16,
    cursor: Option<&str>,
    daemon: &Daemon,
) -> Result<Exit, Failure> {
    let answer = page(&daemon.client()?, wanted, limit, cursor)?;
    if daemon.json {
        println!("{answer}");
        return Ok(Exit::Fine);
    }
    for letter in items(&answer) {
        let (id, source) = (text(&letter["id"]), text(&letter["source"]));
        let (at, reason) = (text(&letter["received_at"]), text(&letter["reason"]));
        println!("{id}  {at}  {source:<12} {reason}");
    }
    if let Some(cursor) = answer["next_cursor"].as_str() {
        println!("more: --cursor {cursor}");
    }
    Ok(Exit::Fine)
}

fn page(
    client: &Client,
    wanted: &Wanted,
    limit: u16,
    cursor: Option<&str>,
) -> Result<Value, Failure> {
    let mut path = format!("/api/v1/dead-letters?limit={limit}");
    for (name, value) in [
        ("source", wanted.source.as_deref()),
        ("reason_contains", wanted.reason_contains.as_deref()),
        ("cursor", cursor),
    ] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        }
    }
    client.get(&path)?.ok()
}

fn items(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["items"].as_array().into_iter().flatten()
}

fn show(id: &str, daemon: &Daemon) -> Result<Exit, Failure> {
    let letter = daemon.client()?.get(&format!("/api/v1/dead-letters/{}", segment(id)))?.ok()?;
    if daemon.json {
        println!("{letter}");
        return Ok(Exit::Fine);
    }
    for key in ["id", "source", "origin", "received_at", "died_at", "reason"] {
        println!("{key:<12} {}", text(&letter[key]));
    }
    let body = letter.get("body").unwrap_or(&letter["body_hex"]);
    println!("\n{}", text(body));
    Ok(Exit::Fine)
}

fn redrive(told: Redrive) -> Result<Exit, Failure> {
    let client = told.daemon.client()?;
    let ids = match told.all {
        false => told.ids,
        true => {
            let (source, reason_contains) = (told.source, told.reason_contains);
            all(&client, &Wanted { source, reason_contains })?
        }
    };
    let body = json!({ "by": told.by, "dry_run": told.dry_run });
    each(&client, &ids, "redrive", &body, told.daemon.json)
}

/// The ids of all that there are, the oldest first, so that callbacks keep their order.
fn all(client: &Client, wanted: &Wanted) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let answer = page(client, wanted, PAGE, cursor.as_deref())?;
        ids.extend(items(&answer).filter_map(|letter| Some(letter["id"].as_str()?.to_owned())));
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    ids.reverse();
    Ok(ids)
}

/// Does the same to each, a line each. One that cannot be done keeps no other one waiting.
fn each(
    client: &Client,
    ids: &[String],
    action: &str,
    body: &Value,
    as_json: bool,
) -> Result<Exit, Failure> {
    let (mut exit, mut shown) = (Exit::Fine, Vec::new());
    for id in ids {
        let path = format!("/api/v1/dead-letters/{}/{action}", segment(id));
        let answer = client.post(&path, body)?;
        let is_done = answer.status.is_success() && answer.body["result"] != "still_dead";
        if !is_done {
            exit = Exit::Findings;
        }
        match (as_json, answer.status.is_success()) {
            (true, true) => shown.push(answer.body),
            (true, false) => {
                let (status, detail) = (answer.status.as_u16(), &answer.body["detail"]);
                shown.push(json!({ "id": id, "result": null, "status": status, "detail": detail }));
            }
            (false, true) => print(&answer.body),
            (false, false) => eprintln!("{id}  {}", text(&answer.body["detail"])),
        }
    }
    if as_json {
        println!("{}", json!({ "items": shown }));
    } else if ids.is_empty() {
        println!("there is no such dead letter");
    }
    Ok(exit)
}

fn print(answer: &Value) {
    let result = match (answer["result"].as_str(), answer["dry_run"] == true) {
        (Some("redriven"), true) => "would be redriven".to_owned(),
        (Some("still_dead"), _) => format!("stays a dead letter: {}", text(&answer["reason"])),
        _ => text(&answer["result"]),
    };
    println!("{}  {result}", text(&answer["id"]));
    for verdict in answer["verdicts"].as_array().into_iter().flatten() {
        let (source, order) = (text(&verdict["source"]), text(&verdict["order_id"]));
        let line = format!("  {} of {source}: {}", order, text(&verdict["verdict"]));
        match verdict["reason"].as_str() {
            Some(_) => println!("{line}, {}", text(&verdict["reason"])),
            None => println!("{line}"),
        }
    }
    for effect in answer["effects"].as_array().into_iter().flatten() {
        let counter = format!("{}.{}", text(&effect["leg"]), text(&effect["counter"]));
        println!("  {counter:<20} {} {}", text(&effect["amount"]), text(&effect["currency"]));
    }
}
