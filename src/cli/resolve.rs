//! `pawl order resolve`: what a person decides about an order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::client::segment;
use super::order::{print_order, text};
use super::shell::command;
use super::{Daemon, Exit, Failure};
use crate::order::amount::Amount;

#[derive(Debug, clap::Args)]
pub(super) struct Resolve {
    /// The source that the order is of.
    source: String,
    /// Any id of the order.
    order_id: String,
    /// A status that counts no more; one that may come again, as far as it was reported by now. May be
    /// given several times, as may be all of these.
    #[arg(long, value_name = "STATUS")]
    overrule: Vec<String>,
    /// An operation that counts no more; where it was reported with several amounts, with those that do
    /// not count: settle:op-1,amount=10.
    #[arg(long, value_name = "NAME:ID")]
    overrule_operation: Vec<String>,
    /// The key of something that holds money back and is accepted, or of a value that is chosen.
    #[arg(long, value_name = "KEY")]
    accept: Vec<String>,
    /// The key of something that is known and need not be told any more. No money moves by it.
    #[arg(long, value_name = "KEY")]
    dismiss: Vec<String>,
    /// What your books must make up for: to.debit_reversed=10.
    #[arg(long, value_name = "LEG.COUNTER=AMOUNT")]
    compensate: Vec<String>,
    /// Asks the provider about the order now.
    #[arg(long)]
    ask: bool,
    /// Who decides, for the audit log.
    #[arg(long, value_name = "NAME", env = "USER", visible_alias = "by")]
    who: String,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// What the resolution is known by: the same again changes nothing. Else its content.
    #[arg(long)]
    id: Option<String>,
    /// Shows what it would come to, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    daemon: Daemon,
}

pub(super) fn run(told: &Resolve) -> Result<Exit, Failure> {
    let mut body = json!({
        "by": told.who,
        "why": told.why,
        "dry_run": told.dry_run,
        "ask": told.ask,
        "overrule": told.overrule,
        "accept": told.accept,
        "dismiss": told.dismiss,
    });
    let operations: Result<Vec<Value>, Failure> =
        told.overrule_operation.iter().map(|text| read_operation(text)).collect();
    body["overrule_operations"] = json!(operations?);
    let mut compensate = BTreeMap::new();
    for told in &told.compensate {
        let Some((slot, amount)) = told.split_once('=') else {
            return Err(usage(format!("--compensate {told}: write to.debit_reversed=10")));
        };
        if compensate.insert(slot, amount).is_some() {
            return Err(usage(format!("--compensate {told}: {slot} is given twice")));
        }
    }
    body["compensate"] = json!(compensate);
    if let Some(id) = &told.id {
        body["id"] = json!(id);
    }
    let path =
        format!("/api/v1/orders/{}/{}/resolve", segment(&told.source), segment(&told.order_id));
    let answer = told.daemon.client()?.post(&path, &body)?.ok()?;
    if told.daemon.json {
        println!("{answer}");
    } else {
        print(&answer, told.dry_run);
    }
    Ok(Exit::Fine)
}

fn print(answer: &Value, is_dry_run: bool) {
    let result = match (answer["result"].as_str(), is_dry_run) {
        (Some("resolved"), true) => "would be resolved".to_owned(),
        _ => text(&answer["result"]),
    };
    println!("{result}: {}", text(&answer["reason"]));
    for effect in answer["effects"].as_array().into_iter().flatten() {
        let counter = format!("{}.{}", text(&effect["leg"]), text(&effect["counter"]));
        let left = if is_dry_run { "would leave" } else { "left" };
        println!("  {left} {counter} {} {}", text(&effect["amount"]), text(&effect["currency"]));
    }
    println!();
    print_order(&answer["order"]);
}

/// `settle:op-1`, and the amounts of one version of it after commas. An id may have commas of its own.
fn read_operation(told: &str) -> Result<Value, Failure> {
    let Some((name, rest)) = told.split_once(':') else {
        return Err(usage(format!("--overrule-operation {told}: write NAME:ID")));
    };
    let (mut id, mut amounts) = (rest, BTreeMap::new());
    while let Some((before, last)) = id.rsplit_once(',') {
        let Some((key, amount)) = last.split_once('=') else { break };
        if amount.parse::<Amount>().is_err() {
            break;
        }
        amounts.insert(key, amount);
        id = before;
    }
    let mut operation = json!({ "name": name, "id": id });
    if !amounts.is_empty() {
        operation["amounts"] = json!(amounts);
    }
    Ok(operation)
}

fn usage(what: String) -> Failure {
    Failure::usage(anyhow::anyhow!(what))
}

/// Which order a command is about, and at which daemon.
pub(super) struct At<'a> {
    pub source: &'a str,
    pub order_id: &'a str,
    pub daemon: &'a Daemon,
}

impl At<'_> {
    /// The flags by which the same daemon is spoken to.
    pub(super) fn flags(&self) -> Vec<String> {
        let url = self.daemon.url.iter().flat_map(|url| ["--url".to_owned(), url.clone()]);
        let file = self.daemon.at.config.iter();
        let file = file.flat_map(|file| ["--config".to_owned(), file.display().to_string()]);
        url.chain(file).collect()
    }

    /// A command about the order, with flags as the shell takes them. An id that begins with a dash is no
    /// flag.
    pub(super) fn write(&self, first: &str, flags: &str) -> String {
        let names = command([self.source, self.order_id]);
        match self.order_id.starts_with('-') {
            false => format!("{first} {names} {flags}"),
            true => format!("{first} {flags} -- {names}"),
        }
    }
}

/// The command that makes a proposal. Why, the shell's variable WHY says: without it, it is refused.
pub(super) fn write_command(at: &At<'_>, proposal: &Value) -> String {
    let mut words = at.flags();
    let list = |key: &str| proposal[key].as_array().cloned().unwrap_or_default();
    for (key, flag) in
        [("overrule", "--overrule"), ("accept", "--accept"), ("dismiss", "--dismiss")]
    {
        for value in list(key).iter().filter_map(Value::as_str) {
            words.extend([flag.to_owned(), value.to_owned()]);
        }
    }
    for operation in list("overrule_operations") {
        let part = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
        let mut word = format!("{}:{}", part("name"), part("id"));
        for (name, amount) in operation["amounts"].as_object().into_iter().flatten() {
            word.push_str(&format!(",{name}={}", amount.as_str().unwrap_or_default()));
        }
        words.extend(["--overrule-operation".to_owned(), word]);
    }
    for (slot, amount) in proposal["compensate"].as_object().into_iter().flatten() {
        let word = format!("{slot}={}", amount.as_str().unwrap_or_default());
        words.extend(["--compensate".to_owned(), word]);
    }
    if proposal["ask"] == true {
        words.push("--ask".to_owned());
    }
    // The one word that the shell is to obey.
    words.push("--why".to_owned());
    let flags = command(words.iter().map(String::as_str));
    at.write("pawl order resolve", &format!("{flags} \"$WHY\""))
}
