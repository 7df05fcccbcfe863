//! Reads the configuration again while the daemon runs, and puts its sources and sinks in force: with their secrets
//! and definitions, and for everybody at once, or not at all.

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::observe::metrics::Metrics;
use crate::poll::pollers;
use crate::relay::outlet;
use crate::sources::{Sinks, Sources};

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new sources are in force.
    Applied,
    /// The old ones still are.
    Refused,
}

impl Outcome {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Applied, Self::Refused];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

/// Reloads a running daemon.
#[derive(Clone, Debug)]
pub struct Reloader {
    /// What the daemon was started with.
    pub started: Config,
    /// What it works by.
    pub sources: Sources,
    /// What it delivers to.
    pub sinks: Sinks,
    /// What is counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
}

impl Reloader {
    /// Puts a configuration's sources in force, if it is right; else says what is wrong with it.
    pub fn reload(&self, read: Result<Config, ConfigError>) -> Outcome {
        let outcome = match read.map_err(|error| error.to_string()).and_then(check) {
            Ok(config) => {
                self.apply(config);
                Outcome::Applied
            }
            Err(error) => {
                // A line a mistake: each has its place.
                for reason in error.lines() {
                    tracing::error!(reason, "the configuration is not reloaded: {reason}");
                }
                Outcome::Refused
            }
        };
        self.metrics.count_reload(outcome, self.clock.now());
        outcome
    }

    fn apply(&self, config: Config) {
        for section in self.started.differs_beside_sources(&config) {
            tracing::warn!(section, "[{section}] has changed, and is ignored until the next start");
        }
        let before = self.sources.now();
        let names = |has: &dyn Fn(&&String) -> bool, of: &mut dyn Iterator<Item = &String>| {
            of.filter(has).cloned().collect::<Vec<_>>().join(", ")
        };
        let added = names(&|name| !before.contains_key(*name), &mut config.sources.keys());
        let removed = names(&|name| !config.sources.contains_key(*name), &mut before.keys());
        let count = config.sources.len();
        self.sources.replace(config.sources);
        self.sinks.replace(config.sinks);
        tracing::info!(count, added, removed, "the configuration is reloaded: {count} sources");
    }
}

/// What can only be seen to be wrong when it is used.
fn check(config: Config) -> Result<Config, String> {
    pollers::check(&config.sources)
        .map_err(|error| format!("cannot speak to providers: {error}"))?;
    outlet::check(&config.sinks).map_err(|error| format!("cannot speak to sinks: {error:#}"))?;
    Ok(config)
}
