//! The sources that are in force now, for everybody who works by them. A reload puts others in their
//! place at once; whoever handles a request or a batch takes one snapshot, and keeps to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Source;

/// The sources of one moment, by name.
pub type Snapshot = Arc<BTreeMap<String, Source>>;

/// The sources, whichever are in force. Clones are of the same.
#[derive(Clone, Debug)]
pub struct Sources(watch::Sender<Snapshot>);

impl Sources {
    /// Puts the first ones in force.
    #[must_use]
    pub fn new(sources: BTreeMap<String, Source>) -> Self {
        Self(watch::Sender::new(Arc::new(sources)))
    }

    /// Those that are in force now.
    #[must_use]
    pub fn now(&self) -> Snapshot {
        Arc::clone(&self.0.borrow())
    }

    /// Puts others in force.
    pub fn replace(&self, sources: BTreeMap<String, Source>) {
        self.0.send_replace(Arc::new(sources));
    }

    /// Tells when others are put in force.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.0.subscribe()
    }
}
