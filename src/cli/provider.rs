//! `pawl provider`: list, show and check providers' definitions.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Exit;
use crate::mistake::nearest;
use crate::order::machine::StatusRule;
use crate::order::name::Kind;
use crate::order::rules::{KindRules, Money};
use crate::order::timestamp::Timestamp;
use crate::provider::{BUILT_IN, KindModes, Provider, Trust};

/// What can be done with definitions.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The definitions that come with Pawl, a line each.
    List {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// A definition's statuses, edges and money.
    Show(OneProvider),
    /// Checks definitions and runs their samples; exits with 1 if anything is wrong.
    Check {
        /// Files, or names of definitions that come with Pawl; all of these if none is given.
        providers: Vec<String>,
    },
}

/// One definition.
#[derive(Debug, Args)]
pub(super) struct OneProvider {
    /// A file, or the name of a definition that comes with Pawl.
    provider: String,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List { json } => list(json),
        Command::Show(one) => show(&one),
        Command::Check { providers } => check(providers),
    }
}

fn list(json: bool) -> anyhow::Result<Exit> {
    let providers = Provider::built_in()?;
    if json {
        let items: Vec<Value> = providers.iter().map(brief).collect();
        println!("{}", json!({ "items": items }));
    } else {
        for provider in &providers {
            let kinds: Vec<&str> = provider.kinds.keys().map(Kind::as_str).collect();
            println!("{:<12} {}", provider.name, provider.title);
            println!("{:<12} {}", "", provider.about);
            println!("{:<12} kinds: {}", "", kinds.join(", "));
        }
    }
    Ok(Exit::Fine)
}

fn brief(provider: &Provider) -> Value {
    json!({
        "name": provider.name,
        "title": provider.title,
        "about": provider.about,
        "documents": provider.documents,
        "kinds": provider.kinds.keys().map(Kind::as_str).collect::<Vec<_>>(),
        "credentials": provider.credentials(),
    })
}

fn show(one: &OneProvider) -> anyhow::Result<Exit> {
    let provider = load(&one.provider)?;
    if one.json {
        println!("{}", whole(&provider));
    } else {
        print!("{}", describe(&provider)?);
    }
    Ok(Exit::Fine)
}

fn whole(provider: &Provider) -> Value {
    let status = |rule: &StatusRule| {
        json!({
            "name": rule.name,
            "track": rule.track,
            "final": rule.is_final,
            "outcome": rule.outcome,
            "edges": rule.edges,
            "rank": rule.rank,
            "implies": rule.implies,
            "aliases": rule.aliases,
        })
    };
    let mode = |rules: &KindRules| -> Value {
        let money = rules.money.iter().map(|(status, m)| (status.to_string(), json!(state(m))));
        Value::Object(money.collect())
    };
    let kind = |kind: &KindModes| {
        let modes = kind.modes.iter().map(|(name, rules)| (name.clone(), mode(rules)));
        json!({ "books": kind.default, "money": Value::Object(modes.collect()) })
    };
    let kinds = provider.kinds.iter().map(|(name, modes)| (name.to_string(), kind(modes)));
    let mut shown = brief(provider);
    shown["callbacks"] = json!(match provider.signature.trust() {
        Trust::Claims => "claims",
        Trust::Hint => "hints",
    });
    shown["statuses"] = provider.machine.statuses().iter().map(status).collect();
    shown["kinds"] = Value::Object(kinds.collect());
    shown
}

/// What a status does with money, a phrase each.
fn state(money: &Money) -> Vec<String> {
    let totals = money.totals.iter().map(|(slot, total)| format!("{slot} = {total}"));
    let closes = money.closes.iter().map(|slot| format!("{slot} := {}", slot.counter.opposite()));
    let person = money.judgement.iter().map(|judgement| {
        let only = judgement.only_with.as_ref().map(|name| format!(" where {name} is said"));
        format!("a person must look{}: {}", only.unwrap_or_default(), judgement.text)
    });
    totals.chain(closes).chain(person).collect()
}

fn describe(provider: &Provider) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{} ({})", provider.title, provider.name)?;
    writeln!(text, "{}", provider.about)?;
    for document in &provider.documents {
        writeln!(text, "  {document}")?;
    }
    for track in provider.machine.tracks() {
        writeln!(text, "\n{track} track")?;
        for rule in provider.machine.statuses().iter().filter(|rule| rule.track == *track) {
            let edges: Vec<&str> = rule.edges.iter().map(|edge| edge.as_str()).collect();
            let next = if edges.is_empty() { String::new() } else { edges.join(", ") };
            let mark = if rule.is_final { "final" } else { "" };
            let outcome = rule.outcome.as_str();
            let line = format!("  {:<20} {outcome:<10} {mark:<6} {next}", rule.name.as_str());
            writeln!(text, "{}", line.trim_end())?;
        }
    }
    for (kind, modes) in &provider.kinds {
        let default = &modes.default;
        let others: Vec<&str> =
            modes.modes.keys().map(String::as_str).filter(|mode| mode != default).collect();
        writeln!(text, "\n{kind}: books = \"{default}\" (or {})", others.join(", "))?;
        let Some(rules) = modes.modes.get(default) else {
            continue;
        };
        for rule in provider.machine.statuses() {
            for phrase in rules.money.get(&rule.name).map(state).unwrap_or_default() {
                writeln!(text, "  {:<20} {phrase}", rule.name.as_str())?;
            }
        }
    }
    let credentials: Vec<&str> = provider.credentials().into_iter().collect();
    writeln!(text, "\ncredentials for asking: {}", credentials.join(", "))?;
    writeln!(text, "callbacks: {}", trust(provider))?;
    Ok(text)
}

/// How far the callbacks are to be believed, as the definition has them signed.
fn trust(provider: &Provider) -> &'static str {
    let signature = &provider.signature;
    match signature.trust() {
        Trust::Claims if signature.is_of_sender_only() => {
            "their sender is known, but not that nobody changed what they say"
        }
        Trust::Claims => "what they say is signed",
        Trust::Hint if signature.is_none() => "not signed: a reason to ask, and nothing more",
        Trust::Hint => "signed, but not all that decides: a reason to ask, and nothing more",
    }
}

fn check(named: Vec<String>) -> anyhow::Result<Exit> {
    let all = || BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    let named: Vec<String> = if named.is_empty() { all() } else { named };
    let now = Timestamp::from_datetime(OffsetDateTime::now_utc())
        .context("the system clock is outside of the years 1970 to 9999: set it")?;
    let mut exit = Exit::Fine;
    for name in &named {
        let faults: Vec<String> = match load(name) {
            Err(error) => vec![format!("{error:#}")],
            Ok(provider) => {
                let check = |sample: &crate::provider::Sample| sample.check(&provider, now).err();
                let faults: Vec<_> = provider.samples.iter().filter_map(check).collect();
                if faults.is_empty() {
                    let statuses = provider.machine.statuses().len();
                    println!(
                        "{name}: fine; {statuses} statuses, {} kinds, {} samples",
                        provider.kinds.len(),
                        provider.samples.len()
                    );
                }
                faults.into_iter().map(|fault| format!("{name}: {fault}")).collect()
            }
        };
        for fault in faults {
            eprintln!("{fault}");
            exit = Exit::Findings;
        }
    }
    Ok(exit)
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
