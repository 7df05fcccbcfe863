//! `pawl dead`: accepted callbacks that could not be read or applied.

use super::client::segment;
use super::order::text;
use super::{Daemon, Exit, Failure};

/// What can be done with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Dead letters, the newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u16,
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
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { limit, daemon } => {
            let answer =
                daemon.client()?.get(&format!("/api/v1/dead-letters?limit={limit}"))?.ok()?;
            if daemon.json {
                println!("{answer}");
                return Ok(Exit::Fine);
            }
            for letter in answer["items"].as_array().into_iter().flatten() {
                let (id, source) = (text(&letter["id"]), text(&letter["source"]));
                let (at, reason) = (text(&letter["received_at"]), text(&letter["reason"]));
                println!("{id}  {at}  {source:<12} {reason}");
            }
        }
        Command::Show { id, daemon } => {
            let path = format!("/api/v1/dead-letters/{}", segment(&id));
            let letter = daemon.client()?.get(&path)?.ok()?;
            if daemon.json {
                println!("{letter}");
                return Ok(Exit::Fine);
            }
            for key in ["id", "source", "origin", "received_at", "died_at", "reason"] {
                println!("{key:<12} {}", text(&letter[key]));
            }
            let body = letter.get("body").unwrap_or(&letter["body_hex"]);
            println!("\n{}", text(body));
        }
    }
    Ok(Exit::Fine)
}
