//! Health: alive means that the process runs; ready means that it can do its work now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the process takes work.
#[derive(Clone, Debug, Default)]
pub struct Health {
    is_started: Arc<AtomicBool>,
    is_stopping: Arc<AtomicBool>,
}

impl Health {
    /// Everything listens and runs.
    pub fn start(&self) {
        self.is_started.store(true, Ordering::Relaxed);
    }

    /// No more work is taken.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Why no work is taken, if none is.
    #[must_use]
    pub fn unready(&self) -> Option<&'static str> {
        if self.is_stopping.load(Ordering::Relaxed) {
            Some("stopping")
        } else if !self.is_started.load(Ordering::Relaxed) {
            Some("starting")
        } else {
            None
        }
    }
}
