//! The sources and the sinks that are in force now, for everybody who works by them. A reload puts others in
//! their place at once; whoever handles a request or a batch takes one snapshot, and keeps to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{Sink, Source};

/// The sources, or the sinks, of one moment, by name.
pub type Snapshot<T = Source> = Arc<BTreeMap<String, T>>;

/// The sources, whichever are in force.
pub type Sources = InForce<Source>;

/// The sinks, whichever are in force.
pub type Sinks = InForce<Sink>;

/// What is in force. Clones are of the same.
#[derive(Debug)]
pub struct InForce<T>(watch::Sender<Snapshot<T>>);

// By hand: a derived one would want what is in force to be cloned.
impl<T> Clone for InForce<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> InForce<T> {
    /// Puts the first ones in force.
    #[must_use]
    pub fn new(first: BTreeMap<String, T>) -> Self {
        Self(watch::Sender::new(Arc::new(first)))
    }

    /// Those that are in force now.
    #[must_use]
    pub fn now(&self) -> Snapshot<T> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts others in force.
    pub fn replace(&self, others: BTreeMap<String, T>) {
        self.0.send_replace(Arc::new(others));
    }

    /// Tells when others are put in force.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Snapshot<T>> {
        self.0.subscribe()
    }
}
