//! The command line: a file a command.

mod provider;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// List, show and check providers' definitions.
    #[command(subcommand)]
    Provider(provider::Command),
}

/// What a command came to. The exit codes are documented in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// It failed, or found something.
    Failure,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::Failure => Self::from(1),
        }
    }
}

/// Runs the command that the arguments name.
///
/// # Errors
/// What kept it from running to its end.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Provider(command) => provider::run(command),
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
