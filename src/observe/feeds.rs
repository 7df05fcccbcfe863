//! What is counted and measured of feeds.

use prometheus::{GaugeVec, IntCounterVec};

use super::catalogue::Catalogue;
use crate::order::timestamp::Timestamp;
use crate::poll::outcome::Outcome;

/// What is counted and measured of feeds.
#[derive(Clone, Debug)]
pub(super) struct FeedMetrics {
    pages: IntCounterVec,
    lag_seconds: GaugeVec,
}

impl FeedMetrics {
    pub(super) fn new(all: &Catalogue) -> prometheus::Result<Self> {
        Ok(Self {
            pages: all.counters(
                "pawl_feed_pages_total",
                "Questions to providers for a page of their feed, by what came of them.",
                &["source", "outcome"],
            )?,
            lag_seconds: all.ages(
                "pawl_feed_lag_seconds",
                "How long ago the last reading of the feed began that came to its end.",
            )?,
        })
    }

    pub(super) fn count_page(&self, source: &str, outcome: &Outcome) {
        self.pages.with_label_values(&[source, outcome.as_str()]).inc();
    }

    /// Of the sources that are configured, each by when the last reading began that came to its end.
    pub(super) fn set_lags(&self, read: &[(String, Timestamp)], sources: &[&str], now: Timestamp) {
        self.lag_seconds.reset();
        for (source, read_at) in read.iter().filter(|(name, _)| sources.contains(&name.as_str())) {
            let lag = now.since(*read_at).as_secs_f64();
            self.lag_seconds.with_label_values(&[source]).set(lag);
        }
    }
}
