//! Every metric: its name, unit and help, in one place. Labels are names of sources and closed sets of
//! words, never an order's id nor text from outside.
//!
//! Counters and timings are set where the thing happens. What is counted in the database is only ever
//! set when it is asked for, in `gather`.

use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::order::standing::AttentionCode;
use crate::order::timestamp::Timestamp;
use crate::queue::Queue;
use crate::store::Store;
use crate::work::apply::Outcome;

/// How a request to the receive port ended, as the label `outcome`.
pub const CALLBACK_OUTCOMES: &[&str] = &[
    "accepted",
    "bad_request",
    "unauthentic",
    "too_large",
    "unsupported",
    "slow",
    "busy",
    "unavailable",
    "panicked",
];

/// What is counted and measured.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    callbacks: IntCounterVec,
    verdicts: IntCounterVec,
    dead: IntCounterVec,
    accept_seconds: HistogramVec,
    apply_lag_seconds: HistogramVec,
    in_flight: IntGauge,
    panics: IntCounter,
    queue_depth: IntGauge,
    queue_oldest_seconds: Gauge,
    dead_letters: IntGauge,
    attention: IntGaugeVec,
    up: IntGaugeVec,
}

impl Metrics {
    /// The whole catalogue.
    ///
    /// # Errors
    /// Where two metrics have one name: never in a build that passed its tests.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let info = GaugeVec::new(
            Opts::new("pawl_build_info", "Always 1; the version is in the label."),
            &["version"],
        )?;
        registry.register(Box::new(info.clone()))?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let times = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let times = HistogramVec::new(options, &["source"])?;
            registry.register(Box::new(times.clone()))?;
            Ok::<_, prometheus::Error>(times)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let queue_oldest_seconds = Gauge::new(
            "pawl_queue_oldest_age_seconds",
            "How long the oldest callback on the queue has waited.",
        )?;
        registry.register(Box::new(queue_oldest_seconds.clone()))?;
        let attention = IntGaugeVec::new(
            Opts::new("pawl_attention", "What waits for a person, by code."),
            &["code"],
        )?;
        registry.register(Box::new(attention.clone()))?;
        let up = IntGaugeVec::new(
            Opts::new("pawl_up", "Whether the store and the queue could be asked just now."),
            &["what"],
        )?;
        registry.register(Box::new(up.clone()))?;
        let panics = IntCounter::new(
            "pawl_panics_total",
            "Faults of Pawl itself while a callback was received. Any is one too many.",
        )?;
        registry.register(Box::new(panics.clone()))?;
        Ok(Self {
            callbacks: counters(
                "pawl_callbacks_total",
                "Requests to the receive port, by how they were answered.",
                &["source", "outcome"],
            )?,
            verdicts: counters(
                "pawl_verdicts_total",
                "Reports that were decided, by what they turned out to be.",
                &["source", "verdict", "origin"],
            )?,
            dead: counters(
                "pawl_dead_callbacks_total",
                "Accepted callbacks that could not be read or applied.",
                &["source", "origin"],
            )?,
            accept_seconds: times(
                "pawl_accept_duration_seconds",
                "From a request's headers to its answer, for accepted callbacks.",
                &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0],
            )?,
            apply_lag_seconds: times(
                "pawl_apply_lag_seconds",
                "From the receipt of a report to the commit of its verdict.",
                &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0],
            )?,
            in_flight: gauge("pawl_requests_in_flight", "Requests to the receive port under way.")?,
            queue_depth: gauge("pawl_queue_depth", "Callbacks on the queue that are not settled.")?,
            dead_letters: gauge("pawl_dead_letters", "Dead letters that are kept.")?,
            queue_oldest_seconds,
            attention,
            up,
            panics,
            registry,
        })
    }

    /// Counts an answered request. `source` must be a configured name.
    pub fn count_callback(&self, source: &str, outcome: &'static str) {
        self.callbacks.with_label_values(&[source, outcome]).inc();
    }

    /// Measures how long an accepted callback took to be answered.
    pub fn time_accept(&self, source: &str, secs: f64) {
        self.accept_seconds.with_label_values(&[source]).observe(secs);
    }

    /// Counts a fault of ours.
    pub fn count_panic(&self) {
        self.panics.inc();
    }

    /// Counts requests that are under way.
    pub fn set_in_flight(&self, count: usize) {
        self.in_flight.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts what a callback turned out to be. A source that is not configured any more has one
    /// label for all: names come from what was once accepted, not from outside, but may be many.
    pub fn count_outcome(&self, outcome: &Outcome, now: Timestamp) {
        let origin = outcome.origin.as_str();
        match outcome.verdict {
            None => self.dead.with_label_values(&[&outcome.source, origin]).inc(),
            Some(verdict) => {
                let labels = [outcome.source.as_str(), verdict.as_str(), origin];
                self.verdicts.with_label_values(&labels).inc();
                let micros = now.micros().saturating_sub(outcome.received_at.micros()).max(0);
                let lag = std::time::Duration::from_micros(micros.unsigned_abs());
                let lags = self.apply_lag_seconds.with_label_values(&[&outcome.source]);
                lags.observe(lag.as_secs_f64());
            }
        }
    }

    async fn count_stored(&self, store: &Store) -> anyhow::Result<()> {
        let mut reading = store.read().await?;
        self.dead_letters.set(reading.count_dead_letters().await?);
        let counts = reading.count_attention().await?;
        reading.rollback().await?;
        for code in AttentionCode::ALL {
            let count = counts.iter().find(|(known, _)| known == code.as_str());
            self.attention.with_label_values(&[code.as_str()]).set(count.map_or(0, |(_, n)| *n));
        }
        Ok(())
    }

    async fn count_queued(&self, queue: &Queue) -> anyhow::Result<()> {
        let depth = queue.depth().await?;
        self.queue_depth.set(i64::try_from(depth.waiting).unwrap_or(i64::MAX));
        self.queue_oldest_seconds.set(depth.oldest_age_secs);
        Ok(())
    }

    /// Everything in Prometheus' text format, with what is counted in the database and on the queue as
    /// it is now. What cannot be asked now keeps its last value, and `pawl_up` says so: metrics are
    /// wanted most when something is down.
    ///
    /// # Errors
    /// Where the metrics cannot be written as text.
    pub async fn gather(&self, store: Option<&Store>, queue: &Queue) -> anyhow::Result<String> {
        let queued = self.count_queued(queue).await;
        self.note_up("queue", queued);
        if let Some(store) = store {
            let stored = self.count_stored(store).await;
            self.note_up("store", stored);
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8(text)?)
    }

    fn note_up(&self, what: &str, asked: anyhow::Result<()>) {
        if let Err(error) = &asked {
            tracing::warn!(
                error = format!("{error:#}"),
                "the {what} cannot be asked for its metrics"
            );
        }
        self.up.with_label_values(&[what]).set(i64::from(asked.is_ok()));
    }
}
