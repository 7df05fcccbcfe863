//! In what two configurations differ that cannot change while a daemon runs.

use super::{Config, Form};

impl Config {
    /// The sections, beside the sources and the definitions, in which another one differs.
    #[must_use]
    pub fn differs_beside_sources(&self, other: &Self) -> Vec<&'static str> {
        let (store, queue) = self.form.differs(&other.form);
        let log = (self.log_format, &self.log_level) != (other.log_format, &other.log_level);
        let sections = [
            ("store", store),
            ("queue", queue),
            ("receive", self.receive != other.receive),
            ("work", self.work != other.work),
            ("admin", self.admin != other.admin),
            ("log", log),
            ("stop", self.grace != other.grace),
        ];
        sections.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

impl Form {
    /// Whether store and queue are others.
    fn differs(&self, other: &Self) -> (bool, bool) {
        match (self, other) {
            (Self::Embedded { path }, Self::Embedded { path: other }) => (path != other, false),
            (
                Self::Distributed { store_url, queue_url, prefix },
                Self::Distributed { store_url: store, queue_url: queue, prefix: name },
            ) => (store_url != store, queue_url != queue || prefix != name),
            (Self::Embedded { .. }, Self::Distributed { .. })
            | (Self::Distributed { .. }, Self::Embedded { .. }) => (true, true),
        }
    }
}
