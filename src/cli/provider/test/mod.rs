//! `pawl provider test`: what Pawl makes of a request that was kept, step by step. It is verified, read and
//! decided by the code that does so when it comes.

mod given;
mod kept;
mod print;
mod trial;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use time::OffsetDateTime;

use super::{Exit, OneProvider};
use crate::order::timestamp::Timestamp;
use trial::{Trial, try_answer, try_callback};

/// A request that was kept, and what to check it with.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    #[command(flatten)]
    one: OneProvider,
    /// The request's headers, one a line; the line with method and path may stand first.
    #[arg(long, value_name = "FILE")]
    headers: PathBuf,
    /// The request's body, byte by byte.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// A callback secret: the name of an environment variable or of a file, as `env:NAME` or `file:PATH` where
    /// that is not clear; with the key's name before it where callbacks name their key (`live=env:NAME`). With
    /// --answer, the credential that answers are signed with. Several are tried like those of a source.
    #[arg(long, value_name = "[ID=]ENV_OR_FILE")]
    secret: Vec<String>,
    /// How it was sent; else as the headers' first line says, else POST.
    #[arg(long)]
    method: Option<String>,
    /// The URL that it was sent to, as the provider has it.
    #[arg(long)]
    url: Option<String>,
    /// When it came, as RFC 3339 or in seconds since 1970; else now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// It is the answer to a question about an order, and not a callback.
    #[arg(long)]
    answer: bool,
    /// The way of signing that a source would choose.
    #[arg(long, value_name = "NAME")]
    signature: Option<String>,
    /// The books mode that a source would choose: of a kind, or of every kind that has it.
    #[arg(long, value_name = "[KIND=]MODE")]
    books: Vec<String>,
    /// The account that a source would demand.
    #[arg(long)]
    account: Option<String>,
    /// The currency that a source would say, where reports say none.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(test: &Test) -> anyhow::Result<Exit> {
    let provider = test.one.load()?;
    let kept = kept::read(&test.headers, &test.body)?;
    let at = read_time(test.at.as_deref())?;
    let source = given::source(test, provider)?;
    let trial: Trial = if test.answer {
        try_answer(&source, &kept, at)?
    } else {
        let method = test.method.as_deref().or(kept.method.as_deref()).unwrap_or("POST");
        let path = match &test.url {
            Some(url) => given::path(url),
            None => kept.path.clone().unwrap_or_else(|| "/callbacks/trial".to_owned()),
        };
        try_callback(&source, &kept, method, &path, at)
    };
    if test.json {
        println!("{}", serde_json::to_string(&trial)?);
    } else {
        print!("{}", print::page(&trial));
    }
    Ok(if trial.ok { Exit::Fine } else { Exit::Findings })
}

fn read_time(text: Option<&str>) -> anyhow::Result<Timestamp> {
    let Some(text) = text else {
        return Timestamp::from_datetime(OffsetDateTime::now_utc())
            .context("the system clock is outside of the years 1970 to 9999: set it");
    };
    let seconds = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    match seconds.and_then(Timestamp::from_micros) {
        Some(at) => Ok(at),
        None => text.parse().with_context(|| format!("--at: `{text}` is no time")),
    }
}
