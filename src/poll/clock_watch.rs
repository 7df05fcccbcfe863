//! Notices that the store's clock was put back.

use std::time::{Duration, Instant};

use crate::order::timestamp::Timestamp;

/// By how much it must have been put back to be seen.
const STEP: Duration = Duration::from_secs(1);

/// Holds the store's clock against one that nobody can put back.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    seen: Option<(Timestamp, Instant)>,
}

impl ClockWatch {
    /// Whether the clock was put back since we last looked; also at the first look, because it may have
    /// been while nobody was there.
    pub(super) fn has_stepped_back(&mut self, now: Timestamp) -> bool {
        let Some((at, instant)) = self.seen else { return true };
        let stepped = now.plus(STEP) < at.plus(instant.elapsed());
        if !stepped {
            self.take(now);
        }
        stepped
    }

    pub(super) fn take(&mut self, now: Timestamp) {
        self.seen = Some((now, Instant::now()));
    }
}
