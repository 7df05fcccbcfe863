//! The log: a line an occurrence, for people or for programs, on standard error.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts to log, once for the whole process. `RUST_LOG` stands above the configuration.
pub fn start(config: &Config) {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(&config.log_level))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    match config.log_format {
        LogFormat::Text => lines.try_init().ok(),
        LogFormat::Json => {
            std::panic::set_hook(Box::new(log_panic));
            lines.json().flatten_event(true).try_init().ok()
        }
    };
}

/// What Rust itself would print is no object.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let reason = panic.payload_as_str().unwrap_or_default();
    tracing::error!(place, reason, "a fault in Pawl itself");
}
