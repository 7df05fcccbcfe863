//! `pawl order`: register orders, look at them, and resolve them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::client::segment;
use super::shell::quote;
use super::{Daemon, Exit, Failure, ask, resolve};

/// What can be done with orders.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Tells Pawl what you know about an order: its kind, and what is meant to move.
    Register(Box<Register>),
    /// Orders, the newest first.
    List(List),
    /// An order by any of its ids: where it stands, and everything that was reported about it.
    Show(Show),
    /// Asks the provider about an order now.
    Ask(ask::Ask),
    /// Decides what an order waits for a person with: `pawl attention` shows what.
    Resolve(Box<resolve::Resolve>),
}

#[derive(Debug, clap::Args)]
pub(super) struct Register {
    /// The source that the order is of.
    source: String,
    /// Your own id of the order.
    order_id: String,
    /// What kind of order it is.
    #[arg(long)]
    kind: Option<String>,
    /// How much is meant to move, such as 49.90.
    #[arg(long, requires = "currency")]
    amount: Option<String>,
    /// Of what, such as EUR.
    #[arg(long, requires = "amount")]
    currency: Option<String>,
    /// For orders of two legs: what leaves, such as "100 USDT".
    #[arg(long, value_name = "AMOUNT CURRENCY", conflicts_with = "amount")]
    from: Option<String>,
    /// For orders of two legs: what arrives, such as "0.002 BTC".
    #[arg(long, value_name = "AMOUNT CURRENCY", conflicts_with = "amount")]
    to: Option<String>,
    /// What you have set aside for it yourself.
    #[arg(long, value_name = "AMOUNT")]
    held: Option<String>,
    /// What you have deducted for it yourself.
    #[arg(long, value_name = "AMOUNT", conflicts_with = "held")]
    debited: Option<String>,
    /// The provider's own id of it, by which some providers are asked.
    #[arg(long, value_name = "ID")]
    provider_id: Option<String>,
    /// A further id of it; may be given several times.
    #[arg(long = "other-id", value_name = "ID")]
    other_ids: Vec<String>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Of this source only.
    #[arg(long)]
    source: Option<String>,
    /// In this status only.
    #[arg(long)]
    status: Option<String>,
    /// Only those that wait for a person.
    #[arg(long)]
    attention: bool,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: u16,
    /// Where the last list said that it goes on.
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The source that the order is of.
    source: String,
    /// Any id of the order.
    order_id: String,
    #[command(flatten)]
    daemon: Daemon,
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Register(register) => run_register(&register),
        Command::List(list) => run_list(&list),
        Command::Show(show) => run_show(&show),
        Command::Ask(told) => ask::run(&told),
        Command::Resolve(told) => resolve::run(&told),
    }
}

fn run_register(told: &Register) -> Result<Exit, Failure> {
    let mut order = json!({ "source": told.source, "order_id": told.order_id });
    let mut legs = BTreeMap::new();
    for (leg, text) in [("from", &told.from), ("to", &told.to)] {
        let Some(text) = text else { continue };
        let Some((amount, currency)) = text.split_once(' ') else {
            let error = anyhow::anyhow!("--{leg} \"{text}\": write an amount and a currency");
            return Err(Failure::usage(error));
        };
        legs.insert(leg, json!({ "amount": amount, "currency": currency.trim() }));
    }
    let booked: BTreeMap<&str, &String> = [("held", &told.held), ("debited", &told.debited)]
        .into_iter()
        .filter_map(|(counter, amount)| Some((counter, amount.as_ref()?)))
        .collect();
    for (key, value) in [
        ("provider_id", told.provider_id.as_ref().map(|id| json!(id))),
        ("kind", told.kind.as_ref().map(|kind| json!(kind))),
        ("amount", told.amount.as_ref().map(|amount| json!(amount))),
        ("currency", told.currency.as_ref().map(|currency| json!(currency))),
        ("legs", (!legs.is_empty()).then(|| json!(legs))),
        ("booked", (!booked.is_empty()).then(|| json!(booked))),
        ("other_ids", (!told.other_ids.is_empty()).then(|| json!(told.other_ids))),
    ] {
        if let Some(value) = value {
            order[key] = value;
        }
    }
    let answer = told.daemon.client()?.post("/api/v1/orders", &order)?.ok()?;
    if told.daemon.json {
        println!("{answer}");
    } else {
        println!("{}: {}", told.order_id, text(&answer["result"]));
    }
    Ok(Exit::Fine)
}

fn run_list(list: &List) -> Result<Exit, Failure> {
    let mut path = format!("/api/v1/orders?limit={}&attention={}", list.limit, list.attention);
    for (name, value) in
        [("source", &list.source), ("status", &list.status), ("cursor", &list.cursor)]
    {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    let answer = list.daemon.client()?.get(&path)?.ok()?;
    if list.daemon.json {
        println!("{answer}");
        return Ok(Exit::Fine);
    }
    println!("{:<12} {:<28} {:<26} {:<20} updated", "source", "order", "kind", "status");
    for order in items(&answer) {
        let status = status(order);
        let (source, id) = (text(&order["source"]), text(&order["order_id"]));
        let (kind, updated) = (text(&order["kind"]), text(&order["updated_at"]));
        println!("{source:<12} {id:<28} {kind:<26} {status:<20} {updated}");
    }
    if let Some(cursor) = answer["next_cursor"].as_str() {
        println!("more: --cursor {cursor}");
    }
    Ok(Exit::Fine)
}

fn run_show(show: &Show) -> Result<Exit, Failure> {
    let client = show.daemon.client()?;
    let path = format!("/api/v1/orders/{}/{}", segment(&show.source), segment(&show.order_id));
    let mut order = client.get(&path)?.ok()?;
    let events = client.get(&format!("{path}/events"))?.ok()?;
    if show.daemon.json {
        order["events"] = events["items"].clone();
        println!("{order}");
        return Ok(Exit::Fine);
    }
    print_order(&order);
    println!("\ntimeline");
    let mut lines: Vec<[String; 5]> = items(&events).flat_map(timeline).collect();
    lines.sort();
    for [at, origin, said, verdict, reason] in lines {
        println!("  {at}  {origin:<12} {said:<20} {verdict:<14} {reason}");
    }
    Ok(Exit::Fine)
}

/// The lines of an event: the first time it came, and each time that it came again.
fn timeline(event: &Value) -> Vec<[String; 5]> {
    let said = match event["status"].as_str() {
        Some(_) => text(&event["status"]),
        None if event.get("registered").is_some() => "registered".to_owned(),
        None if event.get("resolved").is_some() => "resolved".to_owned(),
        None => text(&event["origin"]),
    };
    let line = |at: &Value, verdict: &Value, reason: String| {
        [text(at), text(&event["origin"]), said.clone(), text(verdict), reason]
    };
    let mut reason = text(&event["reason"]);
    if let Some(made) = event.get("resolved") {
        reason = format!("{reason} (by {}: {})", text(&made["by"]), text(&made["why"]));
    }
    let mut lines = vec![line(&event["received_at"], &event["verdict"], reason)];
    // The deliveries, the newest first; the oldest is the event itself.
    let repeats = usize::try_from(event["repeats"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    let again = event["deliveries"].as_array().into_iter().flatten().take(repeats);
    lines.extend(again.map(|d| line(&d["received_at"], &d["verdict"], "came again".to_owned())));
    lines
}

pub(super) fn print_order(order: &Value) {
    println!("{} of {}", text(&order["order_id"]), text(&order["source"]));
    let done = if order["final"] == true { ", final" } else { "" };
    println!("  status     {} ({}{done})", status(order), text(&order["outcome"]));
    println!("  kind       {}", text(&order["kind"]));
    for id in order["ids"].as_array().into_iter().flatten() {
        println!("  id         {} ({})", text(&id["id"]), text(&id["role"]));
    }
    for held in order["held_back"].as_array().into_iter().flatten() {
        println!("  held back  {}: {}", text(&held["cause"]), text(&held["text"]));
        for key in held["keys"].as_array().into_iter().flatten() {
            println!("             accepted by {}", quote(key.as_str().unwrap_or_default()));
        }
    }
    let held = |text: &Value| {
        order["held_back"].as_array().into_iter().flatten().any(|held| held["text"] == *text)
    };
    for wait in order["waits"].as_array().into_iter().flatten().filter(|wait| !held(&wait["text"]))
    {
        println!("  waits      {}, since {}", text(&wait["text"]), text(&wait["since"]));
    }
    if !order["conflict"].is_null() {
        print_claims(&order["claims"]);
    }
    for gone in order["overruled"].as_array().into_iter().flatten() {
        let what = match gone["status"].as_str() {
            Some(_) => text(&gone["status"]),
            None => format!("{} {}", text(&gone["operation"]), text(&gone["id"])),
        };
        let (by, at, why) = (text(&gone["by"]), text(&gone["at"]), text(&gone["why"]));
        println!("  overruled  {what}, by {by} at {at}: {why}");
    }
    for waits in order["attention"].as_array().into_iter().flatten() {
        println!("  attention  {}: {}", text(&waits["code"]), text(&waits["text"]));
    }
    let effects = order["effects"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !effects.is_empty() {
        println!("\neffects");
    }
    for effect in effects {
        let counter = format!("{}.{}", text(&effect["leg"]), text(&effect["counter"]));
        let (amount, currency) = (text(&effect["amount"]), text(&effect["currency"]));
        println!("  {}  {counter:<20} {amount} {currency}", text(&effect["issued_at"]));
    }
}

/// Claims, a line each: what, when by the provider's clock and by ours, and whether the provider's own
/// answer said so.
pub(super) fn print_claims(claims: &Value) {
    for claim in claims.as_array().into_iter().flatten() {
        let what = match claim["status"].as_str() {
            Some(_) => text(&claim["status"]),
            None => format!("{} {}", text(&claim["operation"]), text(&claim["id"])),
        };
        let amounts = claim["amounts"].as_object().into_iter().flatten();
        let amounts = amounts.map(|(name, amount)| format!(", {name} {}", text(amount)));
        let confirmed = match (claim["overruled"] == true, claim["confirmed"] == true) {
            (true, _) => "overruled",
            (false, true) => "confirmed by the provider's answer",
            (false, false) => "not confirmed",
        };
        println!(
            "  claimed    {what}: {}, received {}, {confirmed}{}",
            claim["time"].as_str().map_or("without a time".to_owned(), |at| format!("of {at}")),
            text(&claim["received_at"]),
            amounts.collect::<String>()
        );
    }
}

pub(super) fn status(order: &Value) -> String {
    match order["conflict"].as_array() {
        Some(heads) => {
            let heads: Vec<String> = heads.iter().map(text).collect();
            format!("conflict: {}", heads.join(" / "))
        }
        None => text(&order["status"]),
    }
}

pub(super) fn items(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["items"].as_array().into_iter().flatten()
}

/// A value as a person reads it. Control characters are shown, not obeyed: ids come from outside.
pub(super) fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text
            .chars()
            .flat_map(|c| match c {
                c if c.is_control() => c.escape_default().collect::<Vec<_>>(),
                c => vec![c],
            })
            .collect(),
        None if value.is_null() => "-".to_owned(),
        None => value.to_string(),
    }
}
