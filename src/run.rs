//! Runs the daemon: opens what its roles need, starts its loops, stops them in order.
//!
//! A stop: not ready; no request is accepted; those under way are answered; what was begun on the
//! queue is brought to its end. All of it within the grace; a second signal ends at once. A loop that
//! returns or panics before it is told to ends the process: whoever watches it starts it again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::clock::Clock;
use crate::config::Config;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::observe::notify;
use crate::open::{OpenError, Opened};
use crate::poll::pollers::{self, Pollers};
use crate::queue::{ConsumeError, Depth, Queue};
use crate::receive::{Receiver, serve::serve};
use crate::relay::relays::Relays;
use crate::relay::{self, outlet};
use crate::reload::Reloader;
use crate::roles::{Role, Roles};
use crate::sources::{Sinks, Sources};
use crate::store::Store;
use crate::work::Worker;

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store or the queue cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A port cannot be listened on.
    #[error("cannot listen on {address} for {what}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// For what.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    /// Where callbacks are received, in that role.
    pub receive_address: Option<SocketAddr>,
    /// Where people and programs look and act, and where health is told.
    pub admin_address: SocketAddr,
    /// What reads the configuration again while it runs.
    pub reloader: Reloader,
    opened: Opened,
    health: Health,
    /// Ends what takes in or asks for more: receiver and pollers.
    stop_receiving: CancellationToken,
    /// Ends everything else.
    stop: CancellationToken,
    receiving: JoinSet<&'static str>,
    loops: JoinSet<&'static str>,
}

impl Daemon {
    /// Opens what the roles need and the ports, and starts.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: &Config, roles: &Roles, clock: Clock) -> Result<Self, StartError> {
        let opened = Opened::open(&config.form, roles, &clock).await?;
        let metrics = Metrics::new().context("cannot make the metrics")?;
        let sources = Sources::new(config.sources.clone());
        let sinks = Sinks::new(config.sinks.clone());
        pollers::check(&sources.now()).context("cannot speak to providers")?;
        outlet::check(&config.sinks).context("cannot speak to sinks")?;
        let receiving_port = match roles.has(Role::Receive) {
            true => Some(listen(config.receive.listen, "callbacks").await?),
            false => None,
        };
        let admin_port = listen(config.admin.listen, "administration").await?;
        let address = |port: &TcpListener| port.local_addr().context("a port without an address");
        let mut daemon = Self {
            receive_address: receiving_port.as_ref().map(address).transpose()?,
            admin_address: address(&admin_port)?,
            reloader: Reloader {
                started: config.clone(),
                sources: sources.clone(),
                sinks: sinks.clone(),
                metrics: metrics.clone(),
                clock: clock.clone(),
            },
            opened,
            health: Health::default(),
            stop_receiving: CancellationToken::new(),
            stop: CancellationToken::new(),
            receiving: JoinSet::new(),
            loops: JoinSet::new(),
        };
        let queue = daemon.opened.queue.clone();
        let health = daemon.health.clone();
        if let Some(port) = receiving_port {
            let receiver = Arc::new(Receiver {
                queue: queue.clone(),
                sources: sources.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                health: health.clone(),
                limits: config.receive.clone(),
                in_flight: Arc::new(AtomicUsize::new(0)),
                gate: Arc::default(),
            });
            daemon.spawn_receive(receiver, port);
        }
        let bell = Arc::new(Notify::new());
        if let Some(store) = daemon.opened.store.clone() {
            // Known before anything is decided: what is decided now is for them, too.
            let known = relay::register(&store, &clock, &config.sinks).await;
            known.context("cannot make the sinks known to the store")?;
            let (clock, sinks, stop) = (clock.clone(), sinks.clone(), daemon.stop.clone());
            daemon.loops.spawn(async move {
                relay::keep(store, clock, sinks, stop).await;
                "sinks"
            });
        }
        if let Some(store) = daemon.opened.store.clone().filter(|_| roles.has(Role::Relay)) {
            daemon.spawn_relay(Relays {
                store,
                sinks: sinks.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                bell: Arc::clone(&bell),
            });
        }
        if let Some(store) = daemon.opened.store.clone().filter(|_| roles.has(Role::Work)) {
            let worker = Worker {
                store,
                sources: sources.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                limits: config.work.clone(),
                bell,
            };
            daemon.spawn_work(worker, &queue);
        }
        if let Some(store) = daemon.opened.store.clone().filter(|_| roles.has(Role::Poll)) {
            daemon.spawn_poll(Pollers {
                store,
                queue: queue.clone(),
                sources: sources.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
            });
        }
        let admin = Admin {
            store: daemon.opened.store.clone(),
            is_api: roles.has(Role::Admin),
            queue,
            sources,
            sinks,
            clock,
            metrics,
            health,
            token: config.admin.token.clone(),
        };
        daemon.spawn_admin(admin, admin_port);
        daemon.reloader.metrics.note_loaded(daemon.reloader.clock.now());
        daemon.health.start();
        Ok(daemon)
    }

    fn spawn_receive(&mut self, receiver: Arc<Receiver>, port: TcpListener) {
        let stop = self.stop_receiving.clone();
        let panicked = Arc::clone(&receiver);
        self.receiving.spawn(async move {
            let answer = move |request| {
                let receiver = Arc::clone(&receiver);
                async move { receiver.answer(request).await }
            };
            serve(port, answer, move || panicked.answer_panic(), stop).await;
            "receive"
        });
    }

    fn spawn_work(&mut self, worker: Worker, queue: &Queue) {
        let (consumer, stop) = (queue.consumer(), self.stop.clone());
        let working = worker.clone();
        self.loops.spawn(async move {
            working.run(consumer, stop).await;
            "work"
        });
        let stop = self.stop.clone();
        self.loops.spawn(async move {
            worker.run_judge(stop).await;
            "judge"
        });
    }

    fn spawn_poll(&mut self, pollers: Pollers) {
        let stop = self.stop_receiving.clone();
        self.loops.spawn(async move {
            pollers.run(stop).await;
            "poll"
        });
    }

    fn spawn_relay(&mut self, relays: Relays) {
        let stop = self.stop.clone();
        self.loops.spawn(async move {
            relays.run(stop).await;
            "relay"
        });
    }

    fn spawn_admin(&mut self, admin: Admin, port: TcpListener) {
        let (router, stop) = (admin.router(), self.stop.clone());
        self.loops.spawn(async move {
            let answer = move |request| admin::answer(router.clone(), request);
            serve(port, answer, admin::answer_panic, stop).await;
            "admin"
        });
    }

    /// Runs until `told` resolves, or until a loop ends that should not. Then stops.
    ///
    /// # Errors
    /// A loop that ended by itself, or one that did not end when it was told to.
    pub async fn run(
        mut self,
        told: impl Future<Output = ()>,
        grace: Duration,
    ) -> anyhow::Result<()> {
        // A set that is empty has no end to wait for.
        let is_receiving = !self.receiving.is_empty();
        let ended = tokio::select! {
            () = told => None,
            ended = self.receiving.join_next(), if is_receiving => Some(ended),
            ended = self.loops.join_next() => Some(ended),
        };
        if let Some(ended) = &ended {
            tracing::error!("a loop ended by itself: {ended:?}");
        }
        let stopped = tokio::time::timeout(grace, self.stop()).await;
        stopped.with_context(|| format!("still working after {} seconds", grace.as_secs()))??;
        match ended {
            None => Ok(()),
            Some(ended) => anyhow::bail!("a loop ended by itself: {ended:?}"),
        }
    }

    /// Where orders are kept, where a role needs that.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.opened.store.as_ref()
    }

    /// Where callbacks wait.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.opened.queue
    }

    /// How much waits on the queue.
    ///
    /// # Errors
    /// [`ConsumeError`].
    pub async fn depth(&self) -> Result<Depth, ConsumeError> {
        self.opened.queue.depth().await
    }

    /// Ends everything where it stands, as a crash would, but for what the store and the queue keep open in
    /// this process.
    pub async fn abort(mut self) {
        self.receiving.shutdown().await;
        self.loops.shutdown().await;
        self.opened.close().await;
    }

    /// Stops: what was accepted is on the queue, what was begun is ended.
    ///
    /// # Errors
    /// A loop that panicked.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        tracing::info!("stopping");
        notify::stopping();
        self.health.stop();
        self.stop_receiving.cancel();
        while let Some(ended) = self.receiving.join_next().await {
            ended.context("a loop panicked")?;
        }
        self.stop.cancel();
        while let Some(ended) = self.loops.join_next().await {
            ended.context("a loop panicked")?;
        }
        self.opened.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

async fn listen(address: SocketAddr, what: &'static str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Listen { address, what, source })
}
