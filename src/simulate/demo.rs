//! A demonstration: the real daemon beside simulated providers on a bad day; and at the end its promises,
//! held against their ledgers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use uuid::Uuid;

use super::check::{check, has_converged};
use super::ledgers::Ledgers;
use super::outcome::Outcome;
use super::protocols::{self, Protocol};
use super::{Counts, Faults, Options, Peer, Shared, Simulation};
use crate::clock::Clock;
use crate::config::{Config, Source};
use crate::provider::secret::Secret;
use crate::queue::rabbit;
use crate::roles::Roles;
use crate::run::Daemon;
use crate::store::Store;

/// How long after the last order everything may take to come right.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often we look whether it has.
const LOOK: Duration = Duration::from_millis(200);

/// What is demonstrated.
#[derive(Clone, Debug)]
pub struct Demo {
    /// How long orders are made for.
    pub seconds: u64,
    /// How many orders, of all sources together.
    pub orders: usize,
    /// What everything is drawn from.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// Where the documents leave open how callbacks are signed, they are in another way than is assumed.
    pub is_otherwise: bool,
    /// The broker and the database, where it is not one file.
    pub urls: Option<(Secret, Secret)>,
}

impl Demo {
    fn other_signature(&self, protocol: &dyn Protocol) -> Option<&'static str> {
        self.is_otherwise.then(|| protocol.signatures().first().copied())?
    }
}

/// How it is going.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Since it began, in seconds.
    pub elapsed_secs: f64,
    /// Callbacks that were sent.
    pub sent: u64,
    /// Of those, how many were accepted.
    pub accepted: u64,
    /// Questions that were asked.
    pub asked: u64,
    /// Of those, how many were answered badly.
    pub answered_badly: u64,
    /// Orders that have begun.
    pub begun: u64,
    /// All orders that there will be.
    pub orders: u64,
    /// Nothing goes wrong any more, and everything comes right.
    pub is_healing: bool,
}

/// What it came to.
#[derive(Clone, Debug)]
pub struct Ended {
    /// All sources together.
    pub outcome: Outcome,
    /// Each of them, by name.
    pub by_source: Vec<(&'static str, Outcome)>,
    /// Whether everything came right in time.
    pub has_converged: bool,
    /// How long it took in all.
    pub took: Duration,
}

/// A source of a demonstration.
struct Party {
    name: &'static str,
    protocol: &'static dyn Protocol,
    is_cautious: bool,
}

const fn party(name: &'static str, protocol: &'static dyn Protocol) -> Party {
    Party { name, protocol, is_cautious: false }
}

impl Party {
    /// Its name in environment variables.
    fn caps(&self) -> String {
        self.name.to_uppercase().replace('-', "_")
    }
}

/// One of each; and of FlyPay a second one that registers every order, holds funds itself and has its source
/// wait for that.
const PARTIES: [Party; 8] = [
    party("shop", &protocols::flypay::FlyPay),
    Party { name: "wallet", protocol: &protocols::flypay::FlyPay, is_cautious: true },
    party("azpay", &protocols::azpay::AzPay),
    party("cardaq", &protocols::cardaq::Cardaq),
    party("newday", &protocols::newday::NewDay),
    party("sdk-finance", &protocols::sdk_finance::SdkFinance),
    party("stripe", &protocols::stripe::Stripe),
    party("mollie", &protocols::mollie::Mollie),
];

/// Runs it. `begun` is told where the daemon is, `watch` how it is going.
///
/// # Errors
/// Where the daemon cannot start or stop, or its store cannot be read.
pub async fn run(
    demo: &Demo,
    begun: impl FnOnce(&Daemon),
    mut watch: impl FnMut(Progress),
) -> anyhow::Result<Ended> {
    let own = Own::new(demo);
    let mut ports = Vec::new();
    for _ in &PARTIES {
        let port = Simulation::listen(([127, 0, 0, 1], 0).into()).await;
        ports.push(port.context("cannot listen on a port of this machine")?);
    }
    let addresses = ports.iter().map(|port| Ok(port.local_addr()?.to_string()));
    let addresses = addresses.collect::<anyhow::Result<Vec<_>>>()?;
    let names: Vec<String> = PARTIES.iter().map(|party| own.source_name(party)).collect();
    let ledgers = Ledgers::start(demo, &own.prefix, &own.env, &names).await?;
    let config = own.config(demo, &addresses, &ledgers)?;
    let daemon = Daemon::start(&config, &Roles::all(), Clock::default()).await?;
    begun(&daemon);
    let mut simulations = Vec::new();
    for (index, (party, port)) in PARTIES.iter().zip(ports).enumerate() {
        let peer = own.peer(party, &daemon)?;
        let options = Options {
            protocol: party.protocol,
            signature: demo.other_signature(party.protocol),
            seed: demo.seed.wrapping_add((index as u64) << 32),
            orders: (demo.orders + PARTIES.len() - 1 - index) / PARTIES.len(),
            // The last orders end within the time that was asked for.
            span: Duration::from_secs(demo.seconds).mul_f64(0.8),
            faults: demo.faults.clone(),
            is_cautious: party.is_cautious,
        };
        simulations.push(Simulation::start(options, peer, port)?);
    }
    let began = Instant::now();
    let shared: Vec<Arc<Shared>> = simulations.iter().map(|s| Arc::clone(&s.shared)).collect();
    let store = daemon.store().context("all roles have a store")?.clone();
    let heal_at = Duration::from_secs(demo.seconds);
    while began.elapsed() < heal_at {
        watch(progress(&shared, began, false));
        tokio::time::sleep(LOOK.min(heal_at.saturating_sub(began.elapsed()))).await;
    }
    simulations.iter().for_each(Simulation::heal);
    ledgers.heal();
    let give_up_at = Instant::now() + PATIENCE;
    let mut has_converged = false;
    while !has_converged && Instant::now() < give_up_at {
        watch(progress(&shared, began, true));
        tokio::time::sleep(LOOK).await;
        has_converged = is_over(&daemon, &store, &config, &mut simulations).await?
            && ledgers.are_complete(&store).await?;
    }
    let (mut outcome, mut by_source) = (Outcome::default(), Vec::new());
    let books = ledgers.books();
    for (party, shared) in PARTIES.iter().zip(&shared) {
        let now = Clock::default().now();
        let source = source(&config, &shared.peer.source)?;
        let of_source = check(shared, source, &store, &books, now).await?;
        by_source.push((party.name, of_source.clone()));
        outcome.add(of_source);
    }
    if !has_converged {
        outcome.findings.insert(0, format!("not everything came right within {PATIENCE:?}"));
    }
    ledgers.note(&mut outcome);
    let took = began.elapsed();
    ledgers.stop(&store).await?;
    drop(store);
    daemon.stop().await?;
    for simulation in simulations {
        simulation.stop().await;
    }
    own.remove(demo).await;
    Ok(Ended { outcome, by_source, has_converged, took })
}

/// Whether everything was sent and decided, and every order is where it will stay.
async fn is_over(
    daemon: &Daemon,
    store: &Store,
    config: &Config,
    simulations: &mut [Simulation],
) -> anyhow::Result<bool> {
    for simulation in simulations.iter_mut() {
        if !simulation.drain(Duration::ZERO).await {
            return Ok(false);
        }
    }
    if daemon.depth().await?.waiting > 0 {
        return Ok(false);
    }
    for simulation in simulations {
        let shared = &simulation.shared;
        let source = source(config, &shared.peer.source)?;
        if !has_converged(shared, source, store, Clock::default().now()).await? {
            return Ok(false);
        }
    }
    // What was taken from the queue is decided by now, or it would not have converged; a repeat that is
    // still being decided changes nothing but its count.
    Ok(daemon.depth().await?.waiting == 0)
}

fn source<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Source> {
    config.sources.get(name).with_context(|| format!("there is no source {name}"))
}

fn progress(shared: &[Arc<Shared>], began: Instant, is_healing: bool) -> Progress {
    let sum = |count: fn(&Counts) -> &std::sync::atomic::AtomicU64| {
        shared.iter().map(|shared| Counts::get(count(&shared.counts))).sum()
    };
    Progress {
        elapsed_secs: began.elapsed().as_secs_f64(),
        sent: sum(|counts| &counts.sent),
        accepted: sum(|counts| &counts.accepted),
        asked: sum(|counts| &counts.asked),
        answered_badly: sum(|counts| &counts.answered_badly),
        begun: sum(|counts| &counts.begun),
        orders: shared.iter().map(|shared| shared.plans.len() as u64).sum(),
        is_healing,
    }
}

/// What is a demonstration's own: a folder, or names on servers that are shared; and secrets.
struct Own {
    folder: PathBuf,
    prefix: String,
    env: BTreeMap<String, String>,
}

impl Own {
    fn new(demo: &Demo) -> Self {
        let id = Uuid::now_v7().simple().to_string();
        let secrets = PARTIES.iter().flat_map(|party| {
            let name = party.caps();
            ["CALLBACK", "API", "KEY"]
                .map(|what| (format!("{name}_{what}"), format!("{}-{name}-{what}-{id}", demo.seed)))
        });
        Self {
            folder: std::env::temp_dir().join(format!("pawl-demo-{id}")),
            prefix: format!("pawl-demo-{}", &id[16..]),
            env: secrets.chain([Ledgers::secret()]).collect(),
        }
    }

    fn secret(&self, party: &Party, what: &str) -> anyhow::Result<Secret> {
        let name = format!("{}_{what}", party.caps());
        let secret = self.env.get(&name).with_context(|| format!("there is no {name}"))?;
        Ok(Secret::new(secret.as_str())?)
    }

    fn peer(&self, party: &Party, daemon: &Daemon) -> anyhow::Result<Peer> {
        let receive = daemon.receive_address.context("all roles receive")?;
        Ok(Peer {
            source: self.source_name(party),
            receive_url: format!("http://{receive}"),
            admin_url: format!("http://{}", daemon.admin_address),
            callback_secret: self.secret(party, "CALLBACK")?,
            api_secret: self.secret(party, "API")?,
            api_key: self.secret(party, "KEY")?,
        })
    }

    /// On a database that others use too, nobody else has such a source.
    fn source_name(&self, party: &Party) -> String {
        format!("{}-{}", party.name, &self.prefix["pawl-demo-".len()..])
    }

    fn config(
        &self,
        demo: &Demo,
        addresses: &[String],
        ledgers: &Ledgers,
    ) -> anyhow::Result<Config> {
        let mut text = match &demo.urls {
            None => {
                std::fs::create_dir_all(&self.folder)
                    .with_context(|| format!("cannot make {}", self.folder.display()))?;
                format!("[store]\nurl = \"sqlite:{}/pawl.db\"\n", self.folder.display())
            }
            Some((queue, store)) => format!(
                "[store]\nurl = {:?}\n[queue]\nurl = {:?}\nprefix = \"{}\"\n",
                store.expose(),
                queue.expose(),
                self.prefix
            ),
        };
        text.push_str("[receive]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n");
        for (party, address) in PARTIES.iter().zip(addresses) {
            let (name, caps) = (self.source_name(party), party.caps());
            let protocol = party.protocol;
            let mut more = protocol.source().to_owned();
            let other = demo.other_signature(protocol);
            if let Some(signature) = other.or(protocol.signature_of_source()) {
                more.push_str(&format!("signature = \"{signature}\"\n"));
            }
            if other.map_or(protocol.is_signed(), |signature| signature != "none") {
                more.push_str(&format!("callback_secrets = [{{ env = \"{caps}_CALLBACK\" }}]\n"));
            }
            if protocol.is_asked() {
                more.push_str(&format!("base_url = \"http://{address}\"\n"));
            }
            let credentials = protocol.credentials().iter();
            let credentials: Vec<String> = credentials
                .map(|(name, what)| format!("{name} = {{ env = \"{caps}_{what}\" }}"))
                .collect();
            if !credentials.is_empty() {
                more.push_str(&format!("credentials = {{ {} }}\n", credentials.join(", ")));
            }
            let feed = match protocol.feed() {
                "" => String::new(),
                feed => format!("[source.{name}.feed]\n{feed}"),
            };
            let policy = if party.is_cautious {
                "unregistered = \"wait\"\namount = { withdraw = \"exact\", \
                 \"withdraw.completed_partially\" = \"at_most\" }\n"
            } else {
                ""
            };
            // A day of a provider's in some seconds: the delays are as short as they can be.
            text.push_str(&format!(
                "[source.{name}]\nprovider = \"{}\"\n{more}{policy}[source.{name}.ask]\nfirst_secs = 1\n\
                 cap_secs = 4\n{feed}[source.{name}.limits]\nrequests_per_second = 500\nburst = 100\n\
                 hints_per_second = 200\nhint_burst = 100\n",
                protocol.name()
            ));
        }
        text.push_str(ledgers.config());
        Ok(Config::read("the demonstration", &text, &self.env)?)
    }

    /// Removes the folder, or the queues. Its rows stay in a database that is shared: nobody reads them.
    async fn remove(&self, demo: &Demo) {
        std::fs::remove_dir_all(&self.folder).ok();
        if let Some((queue, _)) = &demo.urls
            && let Err(error) = rabbit::remove(queue.expose(), &self.prefix).await
        {
            tracing::warn!(error = %error, "the demonstration's queues stay on the broker");
        }
    }
}
