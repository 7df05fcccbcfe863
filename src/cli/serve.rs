//! `pawl serve`: the daemon.

use tokio::signal::unix::{SignalKind, signal};

use super::{At, Exit, Failure, Serve, environment};
use crate::clock::Clock;
use crate::config::{Config, Form, LogFormat};
use crate::observe::{log, notify};
use crate::reload::Reloader;
use crate::roles::Roles;
use crate::run::Daemon;

pub(super) fn run(arguments: &Serve) -> Result<Exit, Failure> {
    let (config, roles) = (&arguments.at.load()?, &Roles::of(&arguments.roles));
    log::start(config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(anyhow::Error::new(error)))?;
    match runtime.block_on(serve(config, roles, &arguments.at)) {
        Err(failure) if config.log_format == LogFormat::Json => {
            let error = format!("{:#}", failure.error);
            tracing::error!(error, "the daemon cannot go on");
            Ok(failure.exit())
        }
        result => result,
    }
}

async fn serve(config: &Config, roles: &Roles, at: &At) -> Result<Exit, Failure> {
    // Before anything says that we are up: who asks us to stop from then on is heard.
    let heard = |kind| signal(kind).map_err(|error| Failure::other(anyhow::Error::new(error)));
    let mut terminate = heard(SignalKind::terminate())?;
    let mut interrupt = heard(SignalKind::interrupt())?;
    let mut hang_up = heard(SignalKind::hangup())?;
    let daemon = Daemon::start(config, roles, Clock::default()).await;
    let daemon = daemon.map_err(|error| Failure::unavailable(anyhow::Error::new(error)))?;
    say_where(config, roles, &daemon);
    notify::ready();
    tokio::spawn(notify::keep_alive());
    let (reloader, at) = (daemon.reloader.clone(), at.clone());
    let told = async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => reload(&reloader, &at).await,
            }
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

async fn reload(reloader: &Reloader, at: &At) {
    notify::reloading();
    let (reloader, at) = (reloader.clone(), at.clone());
    // It reads files.
    let reading = tokio::task::spawn_blocking(move || {
        reloader.reload(Config::find(at.config.as_deref(), &environment()));
    });
    if let Err(panic) = reading.await {
        tracing::error!(error = %panic, "the configuration is not reloaded");
    }
    notify::ready();
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
