//! `pawl config`: the configuration as it works, its schema, and an example.

use super::{At, Exit, Failure, environment};
use crate::config::{Effective, example, schema};

/// What can be known about the configuration.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The configuration as it works: the file, the environment above it, the defaults beneath. Secrets
    /// are shown as where they are, passwords in URLs as `***`.
    Print {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// The JSON Schema of the configuration file, for editors.
    Schema,
    /// A whole configuration, with every key and its default.
    Example,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Print { json, at } => {
            let effective = Effective::find(at.config.as_deref(), &environment());
            let effective = effective.map_err(Failure::config)?;
            if *json {
                println!("{}", effective.to_json());
            } else {
                print!("{}", effective.to_toml());
            }
        }
        Command::Schema => println!("{:#}", schema()),
        Command::Example => print!("{}", example()),
    }
    Ok(Exit::Fine)
}
