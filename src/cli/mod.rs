//! The command line: a file a command.

mod ask;
mod attention;
mod check;
mod client;
mod config;
mod dead;
mod demo;
mod healthcheck;
mod init;
mod migrate;
mod order;
mod pages;
mod provider;
mod resolve;
mod serve;
mod shell;
mod simulate;
mod sink;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::roles::Role;

/// Turns payment callbacks into orders that only move forward, and into money effects issued exactly
/// once.
#[derive(Debug, Parser)]
#[command(name = "pawl", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon.
    Serve(Serve),
    /// Shows what Pawl does: the real daemon beside simulated providers on a bad day, and its promises held
    /// against their ledgers.
    Demo(demo::Told),
    /// Writes a configuration to begin with: six lines.
    Init(init::Init),
    /// Checks that the daemon could start here: configuration, definitions, secrets, store, queue,
    /// providers.
    Check(check::Check),
    /// Brings the store's tables up to date, and ends. The daemon does so itself when it starts.
    Migrate(migrate::Migrate),
    /// Asks a running daemon whether it is ready; exits with 0 or 1.
    Healthcheck(healthcheck::Healthcheck),
    /// Registers orders, looks at them and resolves them, at a running daemon.
    #[command(subcommand)]
    Order(order::Command),
    /// What waits for a person, what waits longest first, with the commands that would resolve it; at a
    /// running daemon.
    Attention(attention::Attention),
    /// Looks at accepted callbacks that could not be read or applied, and redrives or drops them, at a
    /// running daemon.
    #[command(subcommand)]
    Dead(dead::Command),
    /// Looks at where changes and effects are delivered, and takes up again what was given up, at a running
    /// daemon.
    #[command(subcommand)]
    Sink(sink::Command),
    /// Simulates a payment system on this machine, for a daemon to be tried with.
    Simulate(Box<simulate::Told>),
    /// Lists, shows and checks providers' definitions.
    #[command(subcommand)]
    Provider(provider::Command),
    /// Shows the configuration as it works, its schema, and an example.
    #[command(subcommand)]
    Config(config::Command),
    /// Prints what a shell needs to complete commands.
    Completions(pages::Completions),
    /// Prints the manual page, or writes one for each command.
    Man(pages::Man),
}

/// What the daemon does.
#[derive(Debug, Args)]
struct Serve {
    /// What this process does, of receive, work, poll and admin; all of it if nothing is named.
    #[arg(long, value_delimiter = ',', value_name = "ROLE,...")]
    roles: Vec<Role>,
    #[command(flatten)]
    at: At,
}

/// Where the configuration is.
#[derive(Clone, Debug, Args)]
struct At {
    /// The configuration file; else ./pawl.toml, else /etc/pawl/pawl.toml.
    #[arg(long, env = "PAWL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which daemon to speak to, and how to print what it says.
#[derive(Debug, Args)]
struct Daemon {
    /// Its admin port; else the one that the configuration names.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

impl At {
    fn load(&self) -> Result<Config, Failure> {
        Config::find(self.config.as_deref(), &environment()).map_err(Failure::config)
    }
}

/// The environment. A variable that is not text cannot be a key or a secret of ours.
fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

impl Daemon {
    fn client(&self) -> Result<client::Client, Failure> {
        let admin = Config::find_admin(self.at.config.as_deref(), &environment());
        // With a URL, a configuration only adds the token, and need not be there.
        let admin = match (admin, &self.url) {
            (Ok(admin), _) => Some(admin),
            (Err(ConfigError::Missing(_)), Some(_)) => None,
            (Err(error), _) => return Err(Failure::config(error)),
        };
        client::Client::of(self.url.as_deref(), admin.as_ref())
    }
}

/// What a command came to. The exit codes are documented in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// It found something.
    Findings,
    /// Something that is needed cannot be reached (EX_UNAVAILABLE of sysexits).
    Unavailable,
    /// The configuration is wrong (EX_CONFIG of sysexits).
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::Findings => Self::from(1),
            Exit::Unavailable => Self::from(69),
            Exit::Config => Self::from(78),
        }
    }
}

/// What kept a command from running to its end, and the exit code that says so.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What went wrong.
    pub error: anyhow::Error,
}

impl Failure {
    fn other(error: anyhow::Error) -> Self {
        Self { code: 1, error }
    }

    /// It was called wrongly.
    fn usage(error: anyhow::Error) -> Self {
        Self { code: 2, error }
    }

    /// Something that it needs cannot be reached (EX_UNAVAILABLE of sysexits).
    fn unavailable(error: anyhow::Error) -> Self {
        Self { code: 69, error }
    }

    /// What the command comes to, once its error is said.
    fn exit(&self) -> Exit {
        if self.code == 69 { Exit::Unavailable } else { Exit::Findings }
    }

    /// The configuration is wrong (EX_CONFIG of sysexits).
    fn config(error: ConfigError) -> Self {
        Self { code: 78, error: error.into() }
    }
}

/// Runs the command that the arguments name.
///
/// # Errors
/// [`Failure`], with the exit code.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Demo(told) => demo::run(&told),
        Command::Order(command) => order::run(command),
        Command::Attention(told) => attention::run(&told),
        Command::Dead(command) => dead::run(command),
        Command::Sink(command) => sink::run(command),
        Command::Simulate(told) => simulate::run(&told),
        Command::Provider(command) => provider::run(command).map_err(Failure::other),
        Command::Config(command) => config::run(&command),
        Command::Init(init) => init::run(&init),
        Command::Check(check) => check::run(&check),
        Command::Migrate(migrate) => migrate::run(&migrate),
        Command::Healthcheck(healthcheck) => Ok(healthcheck::run(&healthcheck)),
        Command::Completions(completions) => pages::complete(&completions),
        Command::Man(man) => pages::man(&man),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_is_sound() {
        super::Cli::command().debug_assert();
    }
}
