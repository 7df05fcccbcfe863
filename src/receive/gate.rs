//! How many callbacks that nobody vouches for are let in: so many a second of each source. Anybody may send
//! them, and each takes room on the queue. Nothing that the provider signed passes here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How many a second are let in, of each source and by each process.
pub const PER_SECOND: f64 = 50.0;

/// How many at once.
pub const BURST: f64 = 200.0;

/// A bucket for each source. Only names of configured sources come here.
#[derive(Debug, Default)]
pub struct Gate(Mutex<BTreeMap<String, Bucket>>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Gate {
    /// Whether one more is let in.
    pub fn admit(&self, source: &str, now: Instant) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(source) {
            buckets.insert(source.to_owned(), Bucket { tokens: BURST, filled_at: now });
        }
        let Some(bucket) = buckets.get_mut(source) else { return false };
        let passed = now.saturating_duration_since(bucket.filled_at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * PER_SECOND).min(BURST);
        bucket.filled_at = bucket.filled_at.max(now);
        let is_admitted = bucket.tokens >= 1.0;
        if is_admitted {
            bucket.tokens -= 1.0;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_let_in_at_the_pace_of_the_bucket_and_each_source_has_its_own() {
        let (gate, began) = (Gate::default(), Instant::now());
        let admitted = |source, at| (0..1000).filter(|_| gate.admit(source, at)).count();
        assert_eq!(admitted("shop", began), 200);
        assert_eq!(admitted("shop", began), 0);
        assert_eq!(admitted("other", began), 200);
        assert_eq!(admitted("shop", began + Duration::from_secs(1)), 50);
        assert_eq!(admitted("shop", began), 0, "a moment that is over fills nothing");
        assert_eq!(admitted("shop", began + Duration::from_secs(3600)), 200);
    }
}
