//! The `pawl` program.

use std::process::ExitCode;

use clap::Parser;
use pawl::cli::{Cli, run};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("pawl: {:#}", failure.error);
            ExitCode::from(failure.code)
        }
    }
}
