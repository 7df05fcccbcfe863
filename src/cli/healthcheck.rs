//! `pawl healthcheck`: whether a running daemon is ready, for containers and supervisors. It exits with
//! 0 or 1 and nothing else.

use std::time::Duration;

use clap::Args;

use super::client::Client;
use super::{At, Exit, environment};
use crate::config::Config;

/// How long the answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Which daemon, and what about it.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// Whether the process is alive, and not whether it is ready.
    #[arg(long)]
    live: bool,
    /// Its admin port; else the one that the configuration names.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(healthcheck: &Healthcheck) -> Exit {
    match ask(healthcheck) {
        Ok(text) => {
            print!("{text}");
            Exit::Fine
        }
        Err(text) => {
            eprintln!("pawl: {}", text.trim_end());
            Exit::Findings
        }
    }
}

fn ask(healthcheck: &Healthcheck) -> Result<String, String> {
    let client = match &healthcheck.url {
        Some(url) => Client::of(Some(url), None),
        None => {
            let listen = Config::find_listen(healthcheck.at.config.as_deref(), &environment());
            let mut listen = listen.map_err(|error| error.to_string())?;
            // Everywhere is also here.
            if listen.ip().is_unspecified() {
                listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            Client::of(Some(&format!("http://{listen}")), None)
        }
    };
    let client = client.map_err(|failure| format!("{:#}", failure.error))?;
    let path = if healthcheck.live { "/livez" } else { "/readyz" };
    let (status, text) =
        client.get_text(path, DEADLINE).map_err(|failure| format!("{:#}", failure.error))?;
    if status.is_success() { Ok(text) } else { Err(text) }
}
