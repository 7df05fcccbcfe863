//! What was put on the queue just now: an overlap need not be put there again. A saving and no more: what
//! comes twice is one in the store.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// For how long something is just now. Whatever was lost after all is then put there again.
const KEPT: Duration = Duration::from_secs(900);

/// How many there are at most.
const ITEMS_MAX: usize = 10_000;

type Hash = [u8; 32];

/// Digests of what was put on the queue just now.
#[derive(Debug, Default)]
pub struct Recent {
    known: BTreeSet<Hash>,
    /// In the order in which they came.
    order: VecDeque<(Instant, Hash)>,
}

impl Recent {
    /// Whether an item was put there just now.
    pub(super) fn has(&mut self, item: &[u8], now: Instant) -> bool {
        while let Some((at, hash)) = self.order.front()
            && (self.order.len() > ITEMS_MAX || now.duration_since(*at) > KEPT)
        {
            self.known.remove(hash);
            self.order.pop_front();
        }
        self.known.contains(&hash_of(item))
    }

    /// Takes note that it is there, and confirmed.
    pub(super) fn note(&mut self, item: &[u8], now: Instant) {
        let hash = hash_of(item);
        if self.known.insert(hash) {
            self.order.push_back((now, hash));
        }
    }
}

fn hash_of(item: &[u8]) -> Hash {
    Sha256::digest(item).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_there_is_known_for_a_while_and_not_without_end() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        assert!(!recent.has(b"a", now));
        recent.note(b"a", now);
        assert!(recent.has(b"a", now + KEPT) && !recent.has(b"b", now));
        assert!(!recent.has(b"a", now + KEPT + Duration::from_secs(1)));
        for number in 0..=ITEMS_MAX {
            recent.note(&number.to_be_bytes(), now);
        }
        assert!(!recent.has(&0_usize.to_be_bytes(), now), "the oldest goes");
        assert!(recent.has(&ITEMS_MAX.to_be_bytes(), now));
    }
}
