//! Makes metrics: each is registered as it is made, so that none is forgotten.

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

/// Makes metrics and registers them.
pub(super) struct Catalogue(pub(super) Registry);

impl Catalogue {
    pub(super) fn add<M: prometheus::core::Collector + Clone + 'static>(
        &self,
        metric: prometheus::Result<M>,
    ) -> prometheus::Result<M> {
        let metric = metric?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.add(IntCounter::new(name, help))
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        by: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.add(IntCounterVec::new(Opts::new(name, help), by))
    }

    /// Of what came of things, by source.
    pub(super) fn outcomes(&self, name: &str, help: &str) -> prometheus::Result<IntCounterVec> {
        self.counters(name, help, &["source", "outcome"])
    }

    /// Of whole things.
    pub(super) fn count(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.add(IntGauge::new(name, help))
    }

    /// Of whole things.
    pub(super) fn counts(
        &self,
        name: &str,
        help: &str,
        by: &str,
    ) -> prometheus::Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(Opts::new(name, help), &[by]))
    }

    pub(super) fn tell_version(&self) -> prometheus::Result<()> {
        let about = "Always 1; the version is in the label.";
        let info = self.counts("pawl_build_info", about, "version")?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(())
    }

    /// Of seconds, by source.
    pub(super) fn ages(&self, name: &str, help: &str) -> prometheus::Result<GaugeVec> {
        self.add(GaugeVec::new(Opts::new(name, help), &["source"]))
    }

    /// Of seconds, by source.
    pub(super) fn times(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> prometheus::Result<HistogramVec> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(HistogramVec::new(options, &["source"]))
    }
}
