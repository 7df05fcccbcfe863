//! `pawl provider show`: all of a definition, or its machine as a drawing.

use clap::{Args, ValueEnum};

use super::{Exit, OneProvider};
use crate::provider::describe;
use crate::provider::drawing::{Drawing, dot, mermaid, svg};

/// What to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    one: OneProvider,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
    /// Its machine instead, as a drawing.
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    draw: Option<Language>,
}

/// What a drawing is written in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// A picture for browsers.
    Svg,
    /// For Graphviz.
    Dot,
    /// A flowchart, for Markdown pages.
    Mermaid,
}

pub(super) fn run(show: &Show) -> anyhow::Result<Exit> {
    let provider = show.one.load()?;
    let text = match show.draw {
        Some(Language::Svg) => svg::print(&Drawing::of(&provider)),
        Some(Language::Dot) => dot::print(&Drawing::of(&provider)),
        Some(Language::Mermaid) => mermaid::print(&Drawing::of(&provider)),
        None if show.json => format!("{}\n", describe::whole(&provider)),
        None => describe::page(&provider),
    };
    print!("{text}");
    Ok(Exit::Fine)
}
