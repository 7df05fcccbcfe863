//! Every metric: its name, unit and help, in one place. Labels are names of sources and closed sets of
//! words, never an order's id nor text from outside.
//!
//! Counters and timings are set where the thing happens. What is counted in the database is only ever
//! set when it is asked for, in `gather`.

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Registry, TextEncoder,
};

use super::catalogue::Catalogue;
use super::feeds::FeedMetrics;
use super::sinks::SinkMetrics;
use crate::clock::Clock;
use crate::order::standing::AttentionCode;
use crate::order::timestamp::Timestamp;
use crate::poll::outcome::Outcome as AskOutcome;
use crate::queue::Queue;
use crate::relay::told::Told;
use crate::reload::Outcome as Reload;
use crate::store::Store;
use crate::work::apply::Outcome;
use crate::work::hints::Hinted;

/// How a request to the receive port ended, as the label `outcome`.
pub const CALLBACK_OUTCOMES: &[&str] = &[
    "accepted",
    "challenge",
    "bad_request",
    "unauthentic",
    "flood",
    "too_large",
    "unsupported",
    "slow",
    "busy",
    "unavailable",
    "panicked",
];

/// When, and about which sources, the store is asked for what it counts.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The configured ones.
    pub sources: &'a [&'a str],
    /// The time.
    pub clock: &'a Clock,
}

/// What is counted and measured.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    callbacks: IntCounterVec,
    verdicts: IntCounterVec,
    hints: IntCounterVec,
    dead: IntCounterVec,
    redriven: IntCounterVec,
    accept_seconds: HistogramVec,
    apply_lag_seconds: HistogramVec,
    in_flight: IntGauge,
    panics: IntCounter,
    queue_depth: IntGauge,
    queue_oldest_seconds: Gauge,
    dead_letters: IntGauge,
    attention: IntGaugeVec,
    up: IntGaugeVec,
    asks: IntCounterVec,
    feeds: FeedMetrics,
    sinks: SinkMetrics,
    ask_seconds: HistogramVec,
    missed: IntCounterVec,
    awaited: IntGaugeVec,
    oldest_open_seconds: GaugeVec,
    overdue_seconds: GaugeVec,
    paused_seconds: GaugeVec,
    reloads: IntCounterVec,
    loaded_at: IntGauge,
}

impl Metrics {
    /// The whole catalogue.
    ///
    /// # Errors
    /// Where two metrics have one name: never in a build that passed its tests.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let all = Catalogue(registry.clone());
        all.tell_version()?;
        Ok(Self {
            callbacks: all.outcomes(
                "pawl_callbacks_total",
                "Requests to the receive port, by how they were answered.",
            )?,
            verdicts: all.counters(
                "pawl_verdicts_total",
                "Reports that were decided, by what they turned out to be.",
                &["source", "verdict", "origin"],
            )?,
            hints: all.outcomes(
                "pawl_hints_total",
                "Callbacks that nobody vouches for, and asks because of them, by what became of them.",
            )?,
            dead: all.counters(
                "pawl_dead_callbacks_total",
                "Accepted callbacks that could not be read or applied.",
                &["source", "origin"],
            )?,
            redriven: all.counters(
                "pawl_redriven_callbacks_total",
                "Dead letters that were redriven: each has its verdict now, which is counted, too.",
                &["source"],
            )?,
            accept_seconds: all.times(
                "pawl_accept_duration_seconds",
                "From a request's headers to its answer, for accepted callbacks.",
                &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0],
            )?,
            apply_lag_seconds: all.times(
                "pawl_apply_lag_seconds",
                "From the receipt of a report to the commit of its verdict.",
                &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0],
            )?,
            in_flight: all
                .count("pawl_requests_in_flight", "Requests to the receive port under way.")?,
            panics: all.counter(
                "pawl_panics_total",
                "Faults of Pawl itself while something was received or asked. Any is one too many.",
            )?,
            queue_depth: all
                .count("pawl_queue_depth", "Callbacks on the queue that are not settled.")?,
            queue_oldest_seconds: all.add(Gauge::new(
                "pawl_queue_oldest_age_seconds",
                "How long the oldest callback on the queue has waited.",
            ))?,
            dead_letters: all.count("pawl_dead_letters", "Dead letters that are kept.")?,
            attention: all.counts("pawl_attention", "What waits for a person, by code.", "code")?,
            up: all.counts("pawl_up", "Whether store and queue could be asked just now.", "what")?,
            reloads: all.counters(
                "pawl_config_reloads_total",
                "Reloads of the configuration, by how they ended.",
                &["outcome"],
            )?,
            loaded_at: all.count(
                "pawl_config_last_reload_success_timestamp_seconds",
                "When the configuration that is in force was read.",
            )?,
            asks: all.outcomes(
                "pawl_asks_total",
                "Questions to providers about one order, by what came of them.",
            )?,
            feeds: FeedMetrics::new(&all)?,
            sinks: SinkMetrics::new(&all)?,
            ask_seconds: all.times(
                "pawl_ask_duration_seconds",
                "From a question to a provider until its answer is on the queue, or is given up.",
                &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
            )?,
            missed: all.counters(
                "pawl_missed_callbacks_total",
                "Callbacks that never came although the provider's answer had the news.",
                &["source"],
            )?,
            awaited: all.counts(
                "pawl_awaited_callbacks",
                "Callbacks that have not come yet although the provider's answer had the news.",
                "source",
            )?,
            oldest_open_seconds: all.ages(
                "pawl_order_oldest_open_age_seconds",
                "How long ago the oldest order that is not final was first heard of.",
            )?,
            overdue_seconds: all.ages(
                "pawl_ask_overdue_seconds",
                "For how long the order that waits longest to be asked about has been due.",
            )?,
            paused_seconds: all.ages(
                "pawl_source_paused_seconds",
                "For how long the provider is still left alone.",
            )?,
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

    /// Counts a question to a provider, and measures how long it took.
    pub fn count_ask(&self, source: &str, outcome: &AskOutcome, took: Duration) {
        self.asks.with_label_values(&[source, outcome.as_str()]).inc();
        self.ask_seconds.with_label_values(&[source]).observe(took.as_secs_f64());
    }

    /// Counts a question for a page of a feed.
    pub fn count_feed_page(&self, source: &str, outcome: &AskOutcome) {
        self.feeds.count_page(source, outcome);
    }

    /// Counts an attempt to tell a sink, and measures how long it took.
    pub fn count_delivery(&self, sink: &str, told: &Told, took: Duration) {
        self.sinks.count_delivery(sink, told, took);
    }

    /// Counts callbacks that never came.
    pub fn count_missed(&self, source: &str, count: u64) {
        self.missed.with_label_values(&[source]).inc_by(count);
    }

    /// Takes note that a configuration is in force from now on.
    pub fn note_loaded(&self, now: Timestamp) {
        self.loaded_at.set(now.micros() / 1_000_000);
        for outcome in Reload::ALL {
            // Seen as 0 before it first happens, so that its rise is seen.
            self.reloads.with_label_values(&[outcome.as_str()]);
        }
    }

    /// Counts a reload.
    pub fn count_reload(&self, outcome: Reload, now: Timestamp) {
        self.reloads.with_label_values(&[outcome.as_str()]).inc();
        if outcome == Reload::Applied {
            self.note_loaded(now);
        }
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
        if let Some(hint) = outcome.hint {
            self.count_hints(&outcome.source, hint, 1);
        }
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

    /// Counts what became of hints.
    pub fn count_hints(&self, source: &str, hint: Hinted, count: u64) {
        self.hints.with_label_values(&[source, hint.as_str()]).inc_by(count);
    }

    /// Counts what a dead letter turned out to be when it was redriven. How late that was says nothing
    /// about us.
    pub fn count_redriven(&self, outcome: &Outcome) {
        let Some(verdict) = outcome.verdict else { return };
        let labels = [outcome.source.as_str(), verdict.as_str(), outcome.origin.as_str()];
        self.verdicts.with_label_values(&labels).inc();
        self.redriven.with_label_values(&[&outcome.source]).inc();
    }

    async fn count_stored(&self, store: &Store, at: Asked<'_>) -> anyhow::Result<()> {
        let mut reading = store.read().await?;
        self.dead_letters.set(reading.count_dead_letters().await?);
        let counts = reading.count_attention().await?;
        let waits = reading.list_waits(at.sources).await?;
        let pauses = reading.list_pauses().await?;
        let feeds = reading.list_feeds().await?;
        let (sinks, lines) = (reading.list_sinks().await?, reading.count_lines().await?);
        let now = reading.now(at.clock).await?;
        reading.rollback().await?;
        // What was only true of sources that are gone is not said any more.
        for gauges in [&self.oldest_open_seconds, &self.overdue_seconds, &self.paused_seconds] {
            gauges.reset();
        }
        self.feeds.set_lags(&feeds, at.sources, now);
        self.sinks.set(&sinks, &lines, now);
        self.awaited.reset();
        for wait in waits {
            let source = [wait.source.as_str()];
            let age = |at: Option<Timestamp>| at.map_or(0.0, |at| now.since(at).as_secs_f64());
            self.oldest_open_seconds.with_label_values(&source).set(age(wait.oldest_open));
            self.overdue_seconds.with_label_values(&source).set(age(wait.next_ask));
            self.awaited.with_label_values(&source).set(wait.silent);
            let pause = pauses.iter().find(|(paused, ..)| *paused == wait.source);
            let left = pause.map_or(0.0, |(_, until, _)| until.since(now).as_secs_f64());
            self.paused_seconds.with_label_values(&source).set(left);
        }
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
    pub async fn gather(
        &self,
        store: Option<&Store>,
        queue: &Queue,
        at: Asked<'_>,
    ) -> anyhow::Result<String> {
        let queued = self.count_queued(queue).await;
        self.note_up("queue", queued);
        if let Some(store) = store {
            let stored = self.count_stored(store, at).await;
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
