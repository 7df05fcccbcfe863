//! `pawl serve`: the daemon.

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure};
use crate::clock::Clock;
use crate::config::{Config, Form, LogFormat};
use crate::observe::{log, notify};
use crate::roles::Roles;
use crate::run::Daemon;

pub(super) fn run(config: &Config, roles: &Roles) -> Result<Exit, Failure> {
    log::start(config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(anyhow::Error::new(error)))?;
    match runtime.block_on(serve(config, roles)) {
        Err(failure) if config.log_format == LogFormat::Json => {
            let error = format!("{:#}", failure.error);
            tracing::error!(error, "the daemon cannot go on");
            Ok(failure.exit())
        }
        result => result,
    }
}

async fn serve(config: &Config, roles: &Roles) -> Result<Exit, Failure> {
    // Before anything says that we are up: who asks us to stop from then on is heard.
    let signals = || -> std::io::Result<_> {
        Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
    };
    let (mut terminate, mut interrupt) =
        signals().map_err(|error| Failure::other(anyhow::Error::new(error)))?;
    let daemon = Daemon::start(config, roles, Clock::default()).await;
    let daemon = daemon.map_err(|error| Failure::unavailable(anyhow::Error::new(error)))?;
    say_where(config, roles, &daemon);
    notify::ready();
    tokio::spawn(notify::keep_alive());
    let told = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // The second one ends at once.
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(1);
        });
    };
    daemon.run(told, config.grace).await.map_err(Failure::other)?;
    Ok(Exit::Fine)
}

fn say_where(config: &Config, roles: &Roles, daemon: &Daemon) {
    let sources: Vec<&str> = config.sources.keys().map(String::as_str).collect();
    let (roles, sources) = (roles.names(), sources.join(", "));
    if let Some(address) = daemon.receive_address {
        tracing::info!("callbacks at http://{address}/callbacks/{{{sources}}}");
    }
    // Of the distributed form no URL: they may hold passwords.
    let kept = match &config.form {
        Form::Embedded { path } => path.display().to_string(),
        Form::Distributed { prefix, .. } => format!("RabbitMQ ({prefix}) and PostgreSQL"),
    };
    let admin = daemon.admin_address;
    tracing::info!("administration at http://{admin}, roles: {roles}, kept in {kept}");
}
