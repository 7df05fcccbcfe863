//! What is counted and measured of sinks.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts};

use super::catalogue::Catalogue;
use crate::order::timestamp::Timestamp;
use crate::relay::told::Told;
use crate::store::{LineCount, SinkRow};

/// What is counted and measured of sinks.
#[derive(Clone, Debug)]
pub(super) struct SinkMetrics {
    deliveries: IntCounterVec,
    delivery_seconds: HistogramVec,
    oldest_seconds: GaugeVec,
    waiting: IntGaugeVec,
    stopped: IntGaugeVec,
    disabled: IntGaugeVec,
}

impl SinkMetrics {
    pub(super) fn new(all: &Catalogue) -> prometheus::Result<Self> {
        let took = HistogramOpts::new(
            "pawl_delivery_duration_seconds",
            "From an attempt to tell a sink to its word, or until it is given up.",
        );
        let took =
            took.buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 25.0]);
        Ok(Self {
            deliveries: all.counters(
                "pawl_deliveries_total",
                "Attempts to tell a sink of a change or an effect, by what came of them.",
                &["sink", "outcome"],
            )?,
            delivery_seconds: all.add(HistogramVec::new(took, &["sink"]))?,
            oldest_seconds: all.add(GaugeVec::new(
                Opts::new(
                    "pawl_outbox_oldest_age_seconds",
                    "For how long the oldest notice that a sink has not taken has waited.",
                ),
                &["sink"],
            ))?,
            waiting: all.counts(
                "pawl_outbox_orders",
                "Orders of which a sink has not taken something.",
                "sink",
            )?,
            stopped: all.counts(
                "pawl_outbox_stopped_orders",
                "Of those, orders of which something was given up: a person is asked.",
                "sink",
            )?,
            disabled: all.counts(
                "pawl_sink_disabled",
                "Whether a sink said that it is gone, so that nothing is delivered to it.",
                "sink",
            )?,
        })
    }

    pub(super) fn count_delivery(&self, sink: &str, told: &Told, took: Duration) {
        self.deliveries.with_label_values(&[sink, told.as_str()]).inc();
        self.delivery_seconds.with_label_values(&[sink]).observe(took.as_secs_f64());
    }

    /// Of the sinks that the store knows.
    pub(super) fn set(
        &self,
        sinks: &[SinkRow],
        counts: &BTreeMap<String, LineCount>,
        now: Timestamp,
    ) {
        self.oldest_seconds.reset();
        for gauges in [&self.waiting, &self.stopped, &self.disabled] {
            gauges.reset();
        }
        for sink in sinks {
            let label = [sink.name.as_str()];
            let count = counts.get(&sink.name).cloned().unwrap_or_default();
            let age = count.oldest.map_or(0.0, |at| now.since(at).as_secs_f64());
            self.oldest_seconds.with_label_values(&label).set(age);
            self.waiting.with_label_values(&label).set(count.waiting);
            self.stopped.with_label_values(&label).set(count.stopped);
            self.disabled.with_label_values(&label).set(i64::from(sink.disabled.is_some()));
        }
    }
}
