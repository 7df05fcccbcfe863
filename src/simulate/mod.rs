//! A payment system that behaves as its documents say, and as badly as it is told to: it signs, loses,
//! repeats, delays, contradicts, forges, throttles and stays silent, all of it from one seed. It keeps
//! a ledger of its own, by which the daemon is judged.
//!
//! Nothing here knows how Pawl decides: orders, bodies and what they are worth are the providers', written
//! down a second time.

pub mod answers;
pub mod books;
pub mod callbacks;
pub mod check;
pub mod demo;
mod found;
pub mod integrator;
mod ledgers;
pub mod merchant;
pub mod money;
pub mod outcome;
pub mod plan;
pub mod protocols;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::order::timestamp::Timestamp;
use crate::provider::secret::Secret;
use plan::Plan;
use protocols::{Protocol, Tells};

/// How the simulated provider and its integrator behave. One seed makes one run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which payment system it is.
    pub protocol: &'static dyn Protocol,
    /// How callbacks are signed, where the documents leave it open: as a source's `signature` says it.
    pub signature: Option<&'static str>,
    /// What everything is drawn from.
    pub seed: u64,
    /// How many orders there are.
    pub orders: usize,
    /// Over how long they begin.
    pub span: Duration,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// The integrator registers every order, some late, and holds the funds of a withdrawal itself: its
    /// source waits for that. Else it registers most, and holds nothing.
    pub is_cautious: bool,
}

impl Options {
    /// Whether callbacks are signed, and believed; else they are hints.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        match self.signature {
            Some(signature) => signature != "none",
            None => self.protocol.is_signed(),
        }
    }

    /// Whether callbacks claim what became of an order.
    #[must_use]
    pub fn makes_claims(&self) -> bool {
        self.is_signed() && self.protocol.tells() != Tells::First
    }
}

/// What goes wrong: each is a part of all cases, from 0 to 1.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Orders of which no callback is ever sent.
    pub lose: f64,
    /// Callbacks that come again after they were answered.
    pub repeat: f64,
    /// Callbacks that come late, and so in another order than they were meant in.
    pub delay: f64,
    /// Orders whose statuses before the final one are called back too, which FlyPay does not do.
    pub chatty: f64,
    /// Orders of which a callback claims another final status.
    pub contradict: f64,
    /// Orders of which somebody else sends a callback.
    pub forge: f64,
    /// Orders of which everything is sent once more at the end.
    pub replay: f64,
    /// Callbacks whose sender hangs up before it has the answer, and tries again.
    pub hang_up: f64,
    /// Questions that are answered badly: too often, broken, late, about another order, or not at all.
    pub bad_answer: f64,
    /// Orders that the integrator does not register; a cautious one does so late.
    pub unregistered: f64,
    /// Orders that the integrator registers although the provider never made them.
    pub ghost: f64,
}

impl Faults {
    /// A bad day: everything happens.
    #[must_use]
    pub fn bad_day() -> Self {
        Self {
            lose: 0.2,
            repeat: 0.3,
            delay: 0.3,
            chatty: 0.3,
            contradict: 0.03,
            forge: 0.1,
            replay: 0.1,
            hang_up: 0.05,
            bad_answer: 0.3,
            unregistered: 0.1,
            ghost: 0.01,
        }
    }

    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self {
            lose: 0.0,
            repeat: 0.0,
            delay: 0.0,
            chatty: 0.0,
            contradict: 0.0,
            forge: 0.0,
            replay: 0.0,
            hang_up: 0.0,
            bad_answer: 0.0,
            unregistered: 0.0,
            ghost: 0.0,
        }
    }
}

/// Where the daemon is, and how it and the provider know each other.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The source's name at the daemon.
    pub source: String,
    /// The receive port, such as `http://127.0.0.1:8080`.
    pub receive_url: String,
    /// The admin port, for the integrator.
    pub admin_url: String,
    /// What callbacks are signed with.
    pub callback_secret: Secret,
    /// What questions and answers are signed with.
    pub api_secret: Secret,
    /// What questions must carry.
    pub api_key: Secret,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Callbacks that were sent, forged ones too.
    pub sent: AtomicU64,
    /// Of those, how many were answered 2xx.
    pub accepted: AtomicU64,
    /// Questions that came.
    pub asked: AtomicU64,
    /// Of those, how many were answered badly.
    pub answered_badly: AtomicU64,
    /// Questions that came before the time that was said in `Retry-After`.
    pub asked_too_early: AtomicU64,
    /// Questions that were not authentic, or made no sense.
    pub bad_questions: AtomicU64,
    /// Callbacks of somebody else that were accepted.
    pub forged_accepted: AtomicU64,
    /// Orders that have begun.
    pub begun: AtomicU64,
    /// Orders that could not be registered.
    pub unregistered: AtomicU64,
}

impl Counts {
    fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// What a count has come to.
    #[must_use]
    pub fn get(count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed)
    }
}

/// What one order's deliveries have come to.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// The statuses of which an authentic callback was answered 2xx.
    pub statuses: std::collections::BTreeSet<&'static str>,
    /// When it was asked about, in seconds since the run began.
    pub asked_at: Vec<f64>,
}

/// What all parts of a simulation share.
#[derive(Debug)]
pub struct Shared {
    /// How it behaves.
    pub options: Options,
    /// Whom it speaks to.
    pub peer: Peer,
    /// Every order, from beginning to end.
    pub plans: Vec<Plan>,
    /// What has happened so far.
    pub counts: Counts,
    by_id: BTreeMap<String, usize>,
    began: Instant,
    began_at: Timestamp,
    delivered: Mutex<Vec<Delivered>>,
    callback_ids: Mutex<Vec<uuid::Uuid>>,
    refused: Mutex<BTreeMap<u16, u64>>,
    throttle: Mutex<answers::Throttle>,
    lists: AtomicU64,
    is_healed: AtomicBool,
}

impl Shared {
    /// How long ago it began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Where an order is among the plans, by any of its ids.
    #[must_use]
    pub fn index(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// An order and its status as it is now; none where the provider does not know it.
    #[must_use]
    pub fn now(&self, index: usize) -> Option<(&Plan, &'static str)> {
        let plan = self.plans.get(index).filter(|plan| !plan.is_ghost)?;
        Some((plan, plan.status_at(self.elapsed())?))
    }

    /// Whether a callback contradicts an order's truth, and an answer settles that.
    #[must_use]
    pub fn is_settled(&self, plan: &Plan) -> bool {
        plan.lie.is_some() && self.options.protocol.is_confirmed()
    }

    /// The wall clock at a moment of the run.
    #[must_use]
    pub fn at(&self, moment: Duration) -> Timestamp {
        self.began_at.plus(moment)
    }

    /// Whether the integrator's id is one of an order of this run.
    #[must_use]
    pub fn is_known(&self, order_id: &str) -> bool {
        self.by_id.get(order_id).is_some_and(|index| self.plans[*index].order_id == order_id)
    }

    /// Whether nothing goes wrong any more.
    #[must_use]
    pub fn is_healed(&self) -> bool {
        self.is_healed.load(Ordering::Relaxed)
    }

    /// What each order's deliveries have come to, in the order of the plans.
    #[must_use]
    pub fn delivered(&self) -> Vec<Delivered> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ids of all callbacks that were answered 2xx.
    #[must_use]
    pub fn callback_ids(&self) -> Vec<uuid::Uuid> {
        self.callback_ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many callbacks were answered otherwise, by status; 0 is no answer at all.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<u16, u64> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_delivered(&self, index: usize, note: impl FnOnce(&mut Delivered)) {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(delivered) = delivered.get_mut(index) {
            note(delivered);
        }
    }
}

/// A running simulation.
#[derive(Debug)]
pub struct Simulation {
    /// What all its parts share.
    pub shared: Arc<Shared>,
    /// Where questions are answered.
    pub address: SocketAddr,
    stop: CancellationToken,
    answering: JoinSet<()>,
    orders: JoinSet<()>,
}

impl Simulation {
    /// Opens the port that questions are answered on: the daemon must know it before it starts.
    ///
    /// # Errors
    /// Where the port cannot be listened on.
    pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    /// Begins: answers questions, and lets the first order begin.
    ///
    /// # Errors
    /// Where the port has no address, or TLS cannot be set up.
    pub fn start(options: Options, peer: Peer, port: TcpListener) -> anyhow::Result<Self> {
        let address = port.local_addr()?;
        let plans = plan::draw(&options);
        let ids = plans
            .iter()
            .enumerate()
            .flat_map(|(index, plan)| [(plan.order_id.clone(), index), (plan.uuid.clone(), index)]);
        let shared = Arc::new(Shared {
            by_id: ids.collect(),
            began: Instant::now(),
            began_at: crate::clock::Clock::default().now(),
            delivered: Mutex::new(vec![Delivered::default(); plans.len()]),
            callback_ids: Mutex::default(),
            refused: Mutex::default(),
            throttle: Mutex::default(),
            lists: AtomicU64::new(0),
            is_healed: AtomicBool::new(false),
            counts: Counts::default(),
            options,
            peer,
            plans,
        });
        let stop = CancellationToken::new();
        let mut answering = JoinSet::new();
        answering.spawn(answers::serve(Arc::clone(&shared), port, stop.clone()));
        let client = callbacks::client()?;
        let mut orders = JoinSet::new();
        for index in 0..shared.plans.len() {
            let (shared, client, stop) = (Arc::clone(&shared), client.clone(), stop.clone());
            orders.spawn(async move {
                let living = callbacks::live(shared, client, index);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = living => {}
                }
            });
        }
        Ok(Self { shared, address, stop, answering, orders })
    }

    /// From now on nothing goes wrong; what was delayed comes.
    pub fn heal(&self) {
        self.shared.is_healed.store(true, Ordering::Relaxed);
    }

    /// Waits until every order has ended and every callback that is to be sent was answered 2xx, or
    /// until then; whether it was so.
    pub async fn drain(&mut self, patience: Duration) -> bool {
        let drained = async { while self.orders.join_next().await.is_some() {} };
        tokio::time::timeout(patience, drained).await.is_ok()
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.orders.shutdown().await;
        while self.answering.join_next().await.is_some() {}
    }
}
