//! What a source may still be asked, and when it is left alone: pure, over the row that all who ask
//! share.
//!
//! - A bucket of tokens: so many a second come in, and no more than a burst is kept.
//! - A pause: the provider said when to come again; or several orders in a row brought no information,
//!   and then longer each time, with one ask between two pauses to see whether it is back.
//! - One order alone never pauses a source: its own delays double anyway.

use std::time::Duration;

use uuid::Uuid;

use super::outcome::Outcome;
use crate::config::Limits;
use crate::order::asking::jitter;
use crate::order::timestamp::Timestamp;
use crate::store::Budget;

/// Millionths of a token.
const TOKEN: i64 = 1_000_000;

/// How many orders in a row must bring no information before the source is left alone.
pub const FAILURES_MAX: u32 = 3;

/// The first pause after that, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// The longest pause that a provider may ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);

/// How far the clock may be behind the row before it was put back.
const SKEW: Duration = Duration::from_secs(2);

impl Budget {
    /// A full bucket.
    #[must_use]
    pub fn full(limits: &Limits, now: Timestamp) -> Self {
        Self {
            tokens_micro: i64::from(limits.burst) * TOKEN,
            filled_at: now,
            turn: 0,
            paused_until: None,
            pause_reason: None,
            failures: 0,
            failed_key: None,
        }
    }

    /// Lets in what has come since.
    pub fn fill(&mut self, limits: &Limits, now: Timestamp) {
        if self.filled_at > now.plus(SKEW) {
            // The clock was put back: what it said before means nothing now.
            let longest = now.plus(RETRY_AFTER_MAX);
            let left = self.paused_until.map(|until| until.since(self.filled_at));
            self.paused_until = left.map(|left| now.plus(left).min(longest));
            self.filled_at = now;
        }
        let passed = i64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(i64::MAX);
        let came = passed.saturating_mul(i64::from(limits.requests_per_second));
        let most = i64::from(limits.burst) * TOKEN;
        self.tokens_micro = self.tokens_micro.saturating_add(came).min(most);
        self.filled_at = self.filled_at.max(now);
    }

    /// How many may be asked about now.
    #[must_use]
    pub fn allowance(&self, now: Timestamp) -> u32 {
        if self.paused_until.is_some_and(|until| until > now) {
            return 0;
        }
        let tokens = u32::try_from(self.tokens_micro / TOKEN).unwrap_or(0);
        if self.failures >= FAILURES_MAX { tokens.min(1) } else { tokens }
    }

    /// When there may be something to spend.
    #[must_use]
    pub fn ready_in(&self, limits: &Limits, now: Timestamp) -> Duration {
        let paused = self.paused_until.map_or(Duration::ZERO, |until| until.since(now));
        let lacking = (TOKEN - self.tokens_micro).max(0).unsigned_abs();
        let wait = Duration::from_micros(lacking / u64::from(limits.requests_per_second.max(1)));
        paused.max(wait)
    }

    /// Takes out what is asked; while it is not known whether the provider is back, nobody else asks
    /// until there is an answer or the lease is over.
    pub fn spend(&mut self, count: u32, lease_until: Timestamp) {
        self.tokens_micro -= i64::from(count) * TOKEN;
        self.turn = self.turn.saturating_add(i64::from(count));
        if self.failures >= FAILURES_MAX && count > 0 {
            self.paused_until = Some(lease_until);
        }
    }

    /// How many of the next asks are for old orders.
    #[must_use]
    pub fn old_share(&self, count: u32) -> u32 {
        let after = self.turn.saturating_add(i64::from(count));
        u32::try_from(after / 5 - self.turn / 5).unwrap_or(0)
    }

    /// Takes note of what came of an ask about an order.
    pub fn note(&mut self, key: Uuid, outcome: &Outcome, now: Timestamp) {
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("ignore_retry_after") {
            return;
        }
        if let Outcome::Throttled { retry_after: Some(after), .. } = outcome {
            let until = now.plus((*after).min(RETRY_AFTER_MAX));
            self.pause(until, format!("the provider said to come again later: {outcome}"));
            return;
        }
        if outcome.is_information() {
            // What somebody said meanwhile still stands.
            if self.failures >= FAILURES_MAX {
                self.paused_until = None;
                self.pause_reason = None;
            }
            self.failures = 0;
            self.failed_key = None;
            return;
        }
        if self.failed_key != Some(key) || self.failures >= FAILURES_MAX {
            self.failures = self.failures.saturating_add(1);
            self.failed_key = Some(key);
        }
        if self.failures >= FAILURES_MAX {
            let doubled = 1u32 << (self.failures - FAILURES_MAX).min(16);
            let pause = PAUSES.0.saturating_mul(doubled).min(PAUSES.1);
            let until = now.plus(jitter(pause, key, self.failures));
            // What asked for the pause of a probe ends with the probe.
            self.paused_until = None;
            self.pause(until, format!("{} asks in a row: {outcome}", self.failures));
        }
    }

    fn pause(&mut self, until: Timestamp, reason: String) {
        self.paused_until = self.paused_until.max(Some(until));
        self.pause_reason = Some(reason);
    }
}
