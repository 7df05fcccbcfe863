//! `pawl provider`: what can be done with providers' definitions.

mod check;
mod list;
mod new;
mod show;
mod test;

use std::path::Path;

use anyhow::Context;
use clap::Args;

use super::Exit;
use crate::mistake::nearest;
use crate::provider::{BUILT_IN, Provider};

/// What a definition may say.
const SCHEMA: &str = include_str!("../../provider/definitions/schema.json");

/// What can be done with definitions.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The definitions that come with Pawl, a line each.
    List {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// All of a definition: how callbacks come, statuses, edges and money, how it is asked, and an example of
    /// a source.
    Show(show::Show),
    /// Checks definitions and runs their samples; exits with 1 if anything is wrong.
    Check {
        /// Files, or names of definitions that come with Pawl; all of these if none is given.
        providers: Vec<String>,
    },
    /// Says what Pawl makes of a request that was kept: its signature, its reports, and what an order would do
    /// with them. Exits with 1 where it would be refused or could not be read.
    Test(Box<test::Test>),
    /// Writes a definition to begin with, which leads through what to fill in.
    New(new::New),
    /// The JSON Schema of definitions, for editors.
    Schema,
}

/// One definition.
#[derive(Debug, Args)]
struct OneProvider {
    /// A file, or the name of a definition that comes with Pawl.
    provider: String,
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List { json } => list::run(json),
        Command::Show(show) => show::run(&show),
        Command::Check { providers } => check::run(providers),
        Command::Test(test) => test::run(&test),
        Command::New(new) => new::run(&new),
        Command::Schema => {
            print!("{SCHEMA}");
            Ok(Exit::Fine)
        }
    }
}

impl OneProvider {
    fn load(&self) -> anyhow::Result<Provider> {
        load(&self.provider)
    }
}

/// A definition by the name of a built-in one, or from a file.
fn load(named: &str) -> anyhow::Result<Provider> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == named) {
        return Ok(Provider::load(&format!("{name}.toml"), text)?);
    }
    if !Path::new(named).exists() {
        let known = BUILT_IN.iter().map(|(name, _)| *name);
        let hint = nearest(named, known.clone()).map(|near| format!("did you mean `{near}`?"));
        let all =
            || format!("those that come with Pawl are {}", known.collect::<Vec<_>>().join(", "));
        anyhow::bail!("there is no definition `{named}`, nor a file: {}", hint.unwrap_or_else(all));
    }
    let text = std::fs::read_to_string(named).with_context(|| format!("cannot read {named}"))?;
    Ok(Provider::load(named, &text)?)
}
