//! The tools for who writes a definition: `pawl provider show`, `test`, `new` and `schema`.

mod drawing;
mod fifteen;
mod new;
mod schema;
mod show;
mod trial;

use std::process::{Command, Output};

/// Runs `pawl provider` with these arguments.
fn pawl(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pawl"))
        .arg("provider")
        .args(arguments)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

/// What a command that must end well printed.
fn printed(arguments: &[&str]) -> String {
    let output = pawl(arguments, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A definition with a loop, a side track, operations of every sort of request.
const WHOLE: &str = include_str!("whole.toml");
