//! `pawl simulate`: a payment system on loopback, for trying out a daemon and what stands behind it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::{Exit, Failure};
use crate::provider::secret::Secret;
use crate::simulate::protocols::{self, Protocol};
use crate::simulate::{Counts, Faults, Options, Peer, Shared, Simulation};

/// How long callbacks may take to be answered at the end.
const PATIENCE: Duration = Duration::from_secs(600);

/// A payment system that signs, loses, repeats, delays, contradicts and forges callbacks about orders that it
/// makes up, registers them as an integrator would, and answers questions about them.
#[derive(Debug, clap::Args)]
pub(super) struct Told {
    /// Which one: the name of its definition.
    #[arg(long, default_value = "flypay", value_parser = protocol)]
    provider: &'static dyn Protocol,
    /// How callbacks are signed, where the documents leave it open: what the source says as `signature`.
    #[arg(long, value_name = "NAME")]
    signature: Option<String>,
    /// The daemon's receive port.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    to: String,
    /// The daemon's admin port.
    #[arg(long, default_value = "http://127.0.0.1:8081", value_name = "URL")]
    admin: String,
    /// The source's name at the daemon.
    #[arg(long, default_value = "shop")]
    source: String,
    /// Where questions are answered: the source's base_url.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The environment variable that holds what callbacks are signed with; FLYPAY_SECRET, and for others alike.
    #[arg(long, value_name = "NAME")]
    callback_secret_env: Option<String>,
    /// The same for what is signed between the two besides, or a password; FLYPAY_SECRET.
    #[arg(long, value_name = "NAME")]
    api_secret_env: Option<String>,
    /// The same for the API key, or a login; FLYPAY_API_KEY.
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,
    /// How many orders.
    #[arg(long, default_value_t = 100)]
    orders: usize,
    /// Over how many seconds they begin.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// What everything is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which part of all orders is never called back about, from 0 to 1; the other faults alike.
    #[arg(long, default_value_t = 0.2, value_parser = part)]
    lose: f64,
    /// Callbacks that come again.
    #[arg(long, default_value_t = 0.3, value_parser = part)]
    repeat: f64,
    /// Callbacks that come late.
    #[arg(long, default_value_t = 0.3, value_parser = part)]
    delay: f64,
    /// Orders whose statuses before the final one are called back too.
    #[arg(long, default_value_t = 0.3, value_parser = part)]
    chatty: f64,
    /// Orders of which a callback claims another final status.
    #[arg(long, default_value_t = 0.03, value_parser = part)]
    contradict: f64,
    /// Orders of which somebody else sends a callback.
    #[arg(long, default_value_t = 0.1, value_parser = part)]
    forge: f64,
    /// Questions that are answered badly.
    #[arg(long, default_value_t = 0.3, value_parser = part)]
    bad_answers: f64,
    /// Orders that are registered although the provider never made them.
    #[arg(long, default_value_t = 0.01, value_parser = part)]
    ghosts: f64,
    /// Register every order, some late, and hold the funds of withdrawals: for a source with
    /// unregistered = "wait".
    #[arg(long)]
    cautious: bool,
    /// Answer questions until the process is interrupted.
    #[arg(long)]
    stay: bool,
    /// Write what each order must have come to into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Speak to a daemon on another machine, which must be yours.
    #[arg(long)]
    allow_remote: bool,
}

impl Told {
    fn find_signature(&self) -> Result<Option<&'static str>, Failure> {
        let Some(name) = self.signature.as_deref() else { return Ok(None) };
        let own = self.provider.signature_of_source();
        let known: Vec<&str> = self.provider.signatures().iter().copied().chain(own).collect();
        let found = known.iter().copied().find(|known| *known == name);
        found.map(Some).ok_or_else(|| {
            let (provider, known) = (self.provider.name(), known.join(", "));
            let what =
                format!("{provider} is not simulated with signature \"{name}\"; there is: {known}");
            Failure::usage(anyhow::anyhow!(what))
        })
    }
}

fn protocol(name: &str) -> Result<&'static dyn Protocol, String> {
    protocols::find(name).ok_or_else(|| {
        let names: Vec<&str> = protocols::ALL.iter().map(|protocol| protocol.name()).collect();
        format!("write one of {}", names.join(", "))
    })
}

fn part(text: &str) -> Result<f64, String> {
    let part: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..=1.0).contains(&part) {
        Ok(part)
    } else {
        Err("write a number from 0 to 1".to_owned())
    }
}

pub(super) fn run(told: &Told) -> Result<Exit, Failure> {
    for url in [&told.to, &told.admin] {
        check_loopback(url, told.allow_remote)?;
    }
    let own = told.provider.name().to_uppercase().replace('-', "_");
    let secret = |name: &Option<String>, default: &str| {
        let name = name.clone().unwrap_or_else(|| format!("{own}_{default}"));
        let text = std::env::var(&name).ok().and_then(|text| Secret::new(text).ok());
        text.ok_or_else(|| {
            let error =
                format!("the environment variable {name} is not set: it is the daemon's, too");
            Failure::usage(anyhow::anyhow!(error))
        })
    };
    let peer = Peer {
        source: told.source.clone(),
        receive_url: told.to.trim_end_matches('/').to_owned(),
        admin_url: told.admin.trim_end_matches('/').to_owned(),
        callback_secret: secret(&told.callback_secret_env, "SECRET")?,
        api_secret: secret(&told.api_secret_env, "SECRET")?,
        api_key: secret(&told.api_key_env, "API_KEY")?,
    };
    let options = Options {
        protocol: told.provider,
        signature: told.find_signature()?,
        seed: told.seed,
        orders: told.orders,
        span: Duration::from_secs(told.seconds),
        faults: Faults {
            lose: told.lose,
            repeat: told.repeat,
            delay: told.delay,
            chatty: told.chatty,
            contradict: told.contradict,
            forge: told.forge,
            bad_answer: told.bad_answers,
            ghost: told.ghosts,
            ..Faults::bad_day()
        },
        is_cautious: told.cautious,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(anyhow::Error::new(error)))?;
    runtime.block_on(simulate(told, options, peer)).map_err(Failure::other)?;
    Ok(Exit::Fine)
}

/// Load goes to this machine, unless somebody says that another one is theirs.
fn check_loopback(url: &str, allow_remote: bool) -> Result<(), Failure> {
    let wrong = |what: String| Err(Failure::usage(anyhow::anyhow!(what)));
    let Ok(parsed) = reqwest::Url::parse(url) else {
        return wrong(format!("`{url}` is no URL: write http://HOST:PORT"));
    };
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback =
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_loopback || allow_remote {
        return Ok(());
    }
    wrong(format!(
        "{host} is not this machine: the simulator sends load, forged callbacks too; say --allow-remote if \
         the daemon there is yours"
    ))
}

async fn simulate(told: &Told, options: Options, peer: Peer) -> anyhow::Result<()> {
    let port = Simulation::listen(told.listen).await;
    let port = port.with_context(|| format!("cannot listen on {}", told.listen))?;
    let mut simulation = Simulation::start(options, peer, port)?;
    eprintln!("{} orders; base_url = \"http://{}\"", told.orders, simulation.address);
    let shared = std::sync::Arc::clone(&simulation.shared);
    let is_drained = simulation.drain(PATIENCE).await;
    simulation.heal();
    let counts = &shared.counts;
    eprintln!(
        "{} callbacks sent, {} accepted; {} questions{}",
        Counts::get(&counts.sent),
        Counts::get(&counts.accepted),
        Counts::get(&counts.asked),
        if is_drained { "" } else { "; some callbacks were never accepted" },
    );
    if told.stay {
        eprintln!("answering questions until interrupted");
        tokio::signal::ctrl_c().await.context("cannot wait to be interrupted")?;
    }
    // At the end: with it goes how often each order was asked about.
    if let Some(path) = &told.ledger {
        let text = write_ledger(&shared);
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    simulation.stop().await;
    anyhow::ensure!(is_drained, "not every callback was accepted");
    Ok(())
}

/// What each order must have come to.
fn write_ledger(shared: &Shared) -> String {
    let orders = shared.plans.iter().zip(shared.delivered()).map(|(plan, delivered)| {
        let worth = shared.options.protocol.ledger(plan, plan.last());
        let totals: std::collections::BTreeMap<_, String> =
            worth.totals.iter().map(|(counter, amount)| (*counter, amount.to_string())).collect();
        json!({
            "order_id": plan.order_id,
            "order_uuid": plan.uuid,
            "kind": plan.kind,
            "status": (!plan.is_ghost).then(|| plan.last()),
            "totals": totals,
            "contradicted_by": plan.lie,
            "called_back": delivered.statuses,
            "asked_after_secs": delivered.asked_at,
        })
    });
    format!("{:#}\n", json!({ "orders": orders.collect::<Vec<_>>() }))
}
