//! The clock: a value that is handed to whoever needs the time, so that a test can step it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;

use crate::order::timestamp::Timestamp;

/// The wall clock, and by how much a test has put it forward or back.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    /// The time. A system clock outside of the years 1970 to 9999 counts as 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let real = Timestamp::from_datetime(OffsetDateTime::now_utc());
        self.shift(real.unwrap_or(Timestamp::EPOCH))
    }

    /// A time of another clock, put forward or back as this one is.
    #[must_use]
    pub fn shift(&self, at: Timestamp) -> Timestamp {
        let offset = self.offset_micros.load(Ordering::Relaxed);
        Timestamp::from_micros(at.micros().saturating_add(offset)).unwrap_or(Timestamp::EPOCH)
    }

    /// Puts the clock forward, or back with a negative number.
    pub fn step_secs(&self, secs: i64) {
        self.offset_micros.fetch_add(secs.saturating_mul(1_000_000), Ordering::Relaxed);
    }
}
