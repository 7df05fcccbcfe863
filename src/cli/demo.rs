//! `pawl demo`: the real daemon beside simulated providers, and its promises held against their ledgers.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use serde_json::json;

use super::{Exit, Failure};
use crate::provider::secret::Secret;
use crate::simulate::Faults;
use crate::simulate::demo::{Demo, Ended, Progress, run as run_demo};
use crate::simulate::outcome::Outcome;

/// How many orders a second there are where nobody says.
const ORDERS_PER_SECOND: u64 = 25;

#[derive(Debug, clap::Args)]
pub(super) struct Told {
    /// How long orders are made for. What went wrong then comes right, which takes some seconds more.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How many orders; 25 a second if nothing is said.
    #[arg(long)]
    orders: Option<usize>,
    /// What everything is drawn from: the same seed draws the same orders and faults.
    #[arg(long)]
    seed: Option<u64>,
    /// Where documents leave open how callbacks are signed, they are in another way than is assumed.
    #[arg(long)]
    otherwise: bool,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
    /// The broker, such as amqp://guest:guest@localhost:5672/%2f, instead of one SQLite file.
    #[arg(long, requires = "store", value_name = "URL")]
    queue: Option<String>,
    /// The database, such as postgres://pawl@localhost/pawl.
    #[arg(long, requires = "queue", value_name = "URL")]
    store: Option<String>,
}

pub(super) fn run(told: &Told) -> Result<Exit, Failure> {
    let seed = told.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let secret = |url: &Option<String>| -> Result<Option<Secret>, Failure> {
        let secret = url.as_ref().map(|url| Secret::new(url.as_str())).transpose();
        secret.map_err(|error| Failure::usage(anyhow::Error::new(error)))
    };
    let demo = Demo {
        seconds: told.seconds,
        orders: told
            .orders
            .unwrap_or(usize::try_from(told.seconds * ORDERS_PER_SECOND).unwrap_or(usize::MAX)),
        seed,
        faults: Faults::bad_day(),
        is_otherwise: told.otherwise,
        urls: secret(&told.queue)?.zip(secret(&told.store)?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(anyhow::Error::new(error)))?;
    let mut screen = Screen::new(seed, &demo);
    let ended = runtime.block_on(run_demo(
        &demo,
        |daemon| eprintln!("look on: curl http://{}/api/v1/orders\n", daemon.admin_address),
        |progress| screen.show(progress),
    ));
    let ended = ended.context("the demonstration could not be run").map_err(Failure::other)?;
    screen.end();
    if told.json {
        println!("{}", as_json(&demo, &ended));
    } else {
        print_summary(&demo, &ended);
    }
    let is_ok = ended.outcome.is_ok() && ended.has_converged;
    Ok(if is_ok { Exit::Fine } else { Exit::Findings })
}

/// How it is going, on a terminal in one line that is written anew, elsewhere a line every few seconds.
struct Screen {
    is_terminal: bool,
    last_secs: f64,
}

impl Screen {
    fn new(seed: u64, demo: &Demo) -> Self {
        let form = if demo.urls.is_some() { "RabbitMQ and PostgreSQL" } else { "one SQLite file" };
        eprintln!(
            "Eight simulated accounts at seven providers have a bad day for {} s: {} orders, seed {seed}. The daemon is the \
             real one, on {form}.",
            demo.seconds, demo.orders
        );
        Self { is_terminal: std::io::stderr().is_terminal(), last_secs: f64::MIN }
    }

    fn show(&mut self, now: Progress) {
        let every_secs = if self.is_terminal { 0.0 } else { 5.0 };
        if now.elapsed_secs < self.last_secs + every_secs {
            return;
        }
        self.last_secs = now.elapsed_secs;
        let (start, end) = if self.is_terminal { ("\r\x1b[2K", "") } else { ("", "\n") };
        let phase = if now.is_healing { "coming right" } else { "bad day" };
        eprint!(
            "{start}{:>5.1} s  {phase:<12}  orders {}/{}  callbacks {} sent, {} accepted  asks {}, {} \
             answered badly{end}",
            now.elapsed_secs,
            now.begun,
            now.orders,
            now.sent,
            now.accepted,
            now.asked,
            now.answered_badly
        );
        std::io::stderr().flush().ok();
    }

    fn end(&self) {
        if self.is_terminal {
            eprintln!();
        }
    }
}

fn as_json(demo: &Demo, ended: &Ended) -> serde_json::Value {
    let Ended { outcome, by_source, has_converged, took } = ended;
    let by_source: serde_json::Map<String, serde_json::Value> =
        by_source.iter().map(|(name, of)| ((*name).to_owned(), of_source(of))).collect();
    let (store, queue) = match &demo.urls {
        None => ("sqlite", "embedded"),
        Some(_) => ("postgres", "amqp"),
    };
    let refused: std::collections::BTreeMap<String, u64> =
        outcome.refused.iter().map(|(status, count)| (status.to_string(), *count)).collect();
    // What is said of each source is said of all of them together.
    let mut shown = of_source(outcome);
    shown["schema"] = json!(1);
    shown["ok"] = json!(outcome.is_ok() && *has_converged);
    shown["seed"] = json!(demo.seed);
    shown["seconds"] = json!((took.as_secs_f64() * 10.0).round() / 10.0);
    shown["store"] = json!(store);
    shown["queue"] = json!(queue);
    shown["refused"] = json!(outcome.refused.values().sum::<u64>());
    shown["refused_by_status"] = json!(refused);
    shown["verdicts"] = json!(outcome.verdicts);
    shown["by_source"] = json!(by_source);
    let difference = outcome.ledger_difference.iter();
    let difference: serde_json::Map<String, serde_json::Value> = difference
        .map(|(currency, by)| (currency.clone(), json!(by.normalize().to_string())))
        .collect();
    shown["ledger_difference"] = json!(difference);
    shown["notices"] = json!({
        "told": outcome.told, "not_taken": outcome.untaken, "repeated": outcome.told_again,
    });
    shown["findings"] = json!(outcome.findings);
    shown
}

fn of_source(outcome: &Outcome) -> serde_json::Value {
    json!({
        "ok": outcome.is_ok(),
        "callbacks_sent": outcome.sent,
        "callbacks_accepted": outcome.accepted,
        "asks": outcome.asked,
        "orders": outcome.orders,
        "final": outcome.finals,
        "attention": outcome.attention,
        "found_by_polling": outcome.found_by_polling,
        "missed_by_simulator": outcome.missed,
        "lost": outcome.lost,
        "doubled": outcome.doubled,
        "backwards": outcome.backwards,
        "diverged": outcome.diverged,
        "trespasses": outcome.trespasses,
        "asked_too_early": outcome.asked_too_early,
    })
}

fn print_summary(demo: &Demo, ended: &Ended) {
    let outcome = &ended.outcome;
    let refused: u64 = outcome.refused.values().sum();
    let by_status: Vec<String> = outcome
        .refused
        .iter()
        .map(|(status, count)| match status {
            0 => format!("{count} without an answer"),
            _ => format!("{count} with {status}"),
        })
        .collect();
    println!();
    println!(
        "callbacks   {} sent, {} accepted, {refused} refused ({})",
        outcome.sent,
        outcome.accepted,
        by_status.join(", ")
    );
    println!("questions   {}", outcome.asked);
    println!(
        "orders      {}, {} final, {} wait for a person",
        outcome.orders, outcome.finals, outcome.attention
    );
    for (name, of) in &ended.by_source {
        println!(
            "  {:<12}{:>4} callbacks accepted, {:>4} questions, {:>3} orders, {:>3} final, {:>2} wait{}",
            name,
            of.accepted,
            of.asked,
            of.orders,
            of.finals,
            of.attention,
            if of.is_ok() { "" } else { "   BROKEN" }
        );
    }
    println!(
        "notices     {} told by two sinks, {} not taken at once, {} of them were on the books already",
        outcome.told, outcome.untaken, outcome.told_again
    );
    let verdicts: Vec<String> =
        outcome.verdicts.iter().filter(|(_, n)| **n > 0).map(|(v, n)| format!("{v} {n}")).collect();
    println!("verdicts    {}", verdicts.join(", "));
    println!();
    let held = |is_held: bool| if is_held { "held  " } else { "BROKEN" };
    let zero = |what: &str, count: u64| println!("  {} {what}: {count}", held(count == 0));
    zero("accepted callbacks that are nowhere", outcome.lost);
    zero("money that was issued twice", outcome.doubled);
    zero("orders that moved backwards", outcome.backwards);
    zero("orders that came to something else than the providers' ledgers", outcome.diverged);
    zero(
        "forged callbacks that were accepted, and questions that made no sense",
        outcome.trespasses,
    );
    zero("questions before a provider's Retry-After was over", outcome.asked_too_early);
    let (found, missed) = (outcome.found_by_polling, outcome.missed);
    println!(
        "  {} orders that no callback told of: {missed}; found by asking: {found}",
        held(found == missed)
    );
    let difference = &outcome.ledger_difference;
    let differs: Vec<String> = difference
        .iter()
        .filter(|(_, by)| !by.is_zero())
        .map(|(currency, by)| format!("{by} {currency}"))
        .collect();
    println!(
        "  {} the integrator's books beside the providers', in {} currencies: {}",
        held(differs.is_empty()),
        difference.len(),
        if differs.is_empty() { "no difference".to_owned() } else { differs.join(", ") }
    );
    println!();
    for finding in &outcome.findings {
        println!("  {finding}");
    }
    let is_ok = outcome.is_ok() && ended.has_converged;
    let verdict = if is_ok { "Every promise was held" } else { "A promise was broken" };
    println!("{verdict} ({:.1} s; again with --seed {})", ended.took.as_secs_f64(), demo.seed);
}
