//! `pawl completions` and `pawl man`: what shells and `man` know about the command line.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit, Failure};

/// Which shell.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell that reads them.
    shell: Shell,
}

/// Which manual pages.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// A folder into which a page a command is written; without it, the page of `pawl` is printed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn complete(completions: &Completions) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "pawl", &mut text);
    print(&text)
}

pub(super) fn man(man: &Man) -> Result<Exit, Failure> {
    let Some(dir) = &man.dir else {
        let mut text = Vec::new();
        let page = clap_mangen::Man::new(Cli::command()).render(&mut text);
        page.map_err(|error| Failure::other(error.into()))?;
        return print(&text);
    };
    let writing = || format!("cannot write manual pages into {}", dir.display());
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .with_context(writing);
    written.map(|()| Exit::Fine).map_err(Failure::other)
}

/// Who reads no further, such as `head`, has read enough.
fn print(text: &[u8]) -> Result<Exit, Failure> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::other(error.into()))
        }
        Ok(()) | Err(_) => Ok(Exit::Fine),
    }
}
