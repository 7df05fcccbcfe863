//! A soak: the simulator's bad day against processes that are killed, frozen and restarted at random, and
//! on the distributed form broker and database beneath them. Some minutes; tests/night runs it.
//!
//! `PAWL_SOAK_SECS` says for how long, `PAWL_SOAK_SEED` repeats a run.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pawl::clock::Clock;
use pawl::config::Config;
use pawl::provider::secret::Secret;
use pawl::simulate::check::{check, has_converged};
use pawl::simulate::outcome::Outcome;
use pawl::simulate::{Faults, Options, Peer, Simulation};
use pawl::store::{Store, postgres, sqlite};

use crate::daemon::form::{Form, Own};
use crate::daemon::outage::{Servers, control};
use crate::daemon::process::Process;
use crate::daemon::{SECRET, env};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Ports that are free now: processes that come back come back to them.
fn free_ports(count: usize) -> Vec<SocketAddr> {
    let held: Vec<_> =
        (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|port| port.local_addr().unwrap()).collect()
}

/// The processes of a soak: the roles of each, its ports, and it itself while it runs.
struct Slot {
    roles: &'static str,
    receive: SocketAddr,
    admin: SocketAddr,
    process: Option<Process>,
}

impl Slot {
    async fn start(&mut self, own: &Own, more: &str) {
        let text = own.config(more);
        let text =
            text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{}\"", self.receive), 1);
        let text =
            text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{}\"", self.admin), 1);
        let file = own.folder.path().join(format!("pawl-{}.toml", self.admin.port()));
        std::fs::write(&file, text).unwrap();
        self.process = Some(Process::start_file(&file, self.roles).await);
    }
}

async fn soak(form: Form, roles: &[&'static str]) {
    let (secs, seed) =
        (number("PAWL_SOAK_SECS", 60), number("PAWL_SOAK_SEED", fastrand::u64(..1_000_000)));
    eprintln!("soak of {secs} s on {form:?}: PAWL_SOAK_SEED={seed}");
    let _servers = if form == Form::Breakable { Some(Servers::take().await) } else { None };
    let own = Own::new(form).await;
    let port = Simulation::listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    let more = format!(
        "base_url = \"http://{}\"\ncredentials = {{ api_key = {{ env = \"SECRET_2\" }}, secret = {{ env = \
         \"SECRET\" }} }}\n[source.shop.ask]\nfirst_secs = 1\ncap_secs = 4\n[source.shop.limits]\n\
         requests_per_second = 200\nburst = 50\n",
        port.local_addr().unwrap()
    );
    let ports = free_ports(2 * roles.len());
    let mut slots: Vec<Slot> = Vec::new();
    for (index, roles) in roles.iter().enumerate() {
        let (receive, admin) = (ports[2 * index], ports[2 * index + 1]);
        let mut slot = Slot { roles, receive, admin, process: None };
        slot.start(&own, &more).await;
        slots.push(slot);
    }
    let with = |role: &str| slots.iter().find(|slot| slot.roles.contains(role)).unwrap();
    let secret = |text: &str| Secret::new(text).unwrap();
    let peer = Peer {
        source: "shop".to_owned(),
        receive_url: format!("http://{}", with("receive").receive),
        admin_url: format!("http://{}", with("admin").admin),
        callback_secret: secret(SECRET),
        api_secret: secret(SECRET),
        api_key: secret("another"),
    };
    let options = Options {
        protocol: &pawl::simulate::protocols::flypay::FlyPay,
        signature: None,
        seed,
        orders: usize::try_from(secs * 10).unwrap(),
        span: Duration::from_secs(secs),
        faults: Faults::bad_day(),
        is_cautious: false,
    };
    let mut simulation = Simulation::start(options, peer, port).unwrap();
    let done = disturb(&own, &more, &mut slots, seed, secs).await;
    // A process that starts while a server is down ends with 69, as it should: whoever watches it starts
    // it again. Here nothing is down any more.
    simulation.heal();
    assert!(simulation.drain(Duration::from_secs(180)).await, "callbacks are never accepted");
    let config = Config::read("pawl.toml", &own.config(&more), &env()).unwrap();
    let source = &config.sources["shop"];
    if form == Form::Embedded {
        // One process has the file: everything must have come right before it is read.
        wait_until_drained(slots[0].admin).await;
        let mut process = slots[0].process.take().unwrap();
        process.signal("TERM");
        assert_eq!(process.child.wait().await.unwrap().code(), Some(0));
    }
    let store = match &own.urls {
        Some((store, _)) => {
            Store::Postgres(postgres::Database::open(store.expose()).await.unwrap())
        }
        None => {
            Store::Sqlite(sqlite::Database::open(&own.folder.path().join("pawl.db")).await.unwrap())
        }
    };
    let shared = &simulation.shared;
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    while !has_converged(shared, source, &store, Clock::default().now()).await.unwrap()
        && Instant::now() < give_up_at
        && form != Form::Embedded
    {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let outcome = check(shared, source, &store, &[], Clock::default().now()).await.unwrap();
    eprintln!(
        "{} callbacks sent, {} accepted, {} orders, {} asks; {} killed, {} frozen, {} stopped, {} servers \
         restarted; lost {}, doubled {}, backwards {}, diverged {}, found by polling {} of {}",
        outcome.sent,
        outcome.accepted,
        outcome.orders,
        outcome.asked,
        done[0],
        done[1],
        done[2],
        done[3],
        outcome.lost,
        outcome.doubled,
        outcome.backwards,
        outcome.diverged,
        outcome.found_by_polling,
        outcome.missed
    );
    // Who was frozen before it sent a question sends it later, whatever was said meanwhile.
    let outcome = Outcome { asked_too_early: 0, ..outcome };
    assert!(outcome.is_ok(), "PAWL_SOAK_SEED={seed}: {outcome:#?}");
    store.close().await;
    simulation.stop().await;
}

/// Kills, freezes and stops processes, and restarts servers, for some seconds; how often each.
async fn disturb(own: &Own, more: &str, slots: &mut [Slot], seed: u64, secs: u64) -> [u32; 4] {
    let mut rng = fastrand::Rng::with_seed(seed);
    let ends_at = Instant::now() + Duration::from_secs(secs);
    let mut done = [0u32; 4];
    while Instant::now() < ends_at {
        tokio::time::sleep(Duration::from_millis(rng.u64(300..2500))).await;
        let index = rng.usize(..slots.len());
        let slot = &mut slots[index];
        match rng.u32(..10) {
            0..6 => {
                slot.process.take().unwrap().kill().await;
                slot.start(own, more).await;
                done[0] += 1;
            }
            6..8 => {
                let process = slot.process.as_ref().unwrap();
                process.signal("STOP");
                tokio::time::sleep(Duration::from_millis(rng.u64(200..5000))).await;
                process.signal("CONT");
                done[1] += 1;
            }
            8 => {
                let mut process = slot.process.take().unwrap();
                process.signal("TERM");
                assert_eq!(process.child.wait().await.unwrap().code(), Some(0), "{}", slot.roles);
                slot.start(own, more).await;
                done[2] += 1;
            }
            9 if slots.len() > 1 => {
                let server = if rng.bool() { "rabbit" } else { "postgres" };
                control(&["stop", server]).await;
                control(&["start", server]).await;
                done[3] += 1;
            }
            _ => {}
        }
    }
    done
}

/// Waits until no order is open that exists, as the metrics and the API say.
async fn wait_until_drained(admin: SocketAddr) {
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    loop {
        let get = |path: &str| {
            let request =
                format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            async move { crate::daemon::exchange(admin, &request).await }
        };
        let mut open = 0;
        let mut path = "/api/v1/orders?limit=500".to_owned();
        loop {
            let list = get(&path).await.json();
            let items = list["items"].as_array().unwrap();
            let is_open = |order: &&serde_json::Value| {
                order["final"] == false && order["conflict"].is_null() && !order["status"].is_null()
            };
            open += items.iter().filter(is_open).count();
            match list["next_cursor"].as_str() {
                Some(cursor) => path = format!("/api/v1/orders?limit=500&cursor={cursor}"),
                None => break,
            }
        }
        let metrics = get("/metrics").await.body;
        if open == 0 && metrics.contains("\npawl_queue_depth 0") {
            return;
        }
        assert!(Instant::now() < give_up_at, "{open} orders are still open");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: tests/night"]
async fn one_process_is_killed_and_frozen_at_random() {
    soak(Form::Embedded, &["receive,work,poll,relay,admin"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: tests/night"]
async fn many_processes_and_their_servers_are_killed_and_frozen_at_random() {
    soak(Form::Breakable, &["receive", "work", "work", "poll", "poll", "admin"]).await;
}
