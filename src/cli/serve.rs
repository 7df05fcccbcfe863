//! `pawl serve`: the daemon.

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure};
use crate::clock::Clock;
use crate::config::Config;
use crate::observe::log;
use crate::run::Daemon;

pub(super) fn run(config: &Config) -> Result<Exit, Failure> {
    log::start(config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(anyhow::Error::new(error)))?;
    runtime.block_on(serve(config))
}

async fn serve(config: &Config) -> Result<Exit, Failure> {
    let daemon = Daemon::start(config, Clock::default()).await;
    let daemon = daemon.map_err(|error| Failure::unavailable(anyhow::Error::new(error)))?;
    let (receive, admin) = (daemon.receive_address, daemon.admin_address);
    let sources: Vec<&str> = config.sources.keys().map(String::as_str).collect();
    let sources = sources.join(", ");
    tracing::info!(
        "callbacks at http://{receive}/callbacks/..., administration at http://{admin}, \
         sources: {sources}, store: {}",
        config.store_path.display()
    );
    let signals = || -> std::io::Result<_> {
        Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
    };
    let (mut terminate, mut interrupt) =
        signals().map_err(|error| Failure::other(anyhow::Error::new(error)))?;
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
