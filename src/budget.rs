//! What a source may still be asked, or a sink told, and when it is left alone: pure, over the row that all
//! who do it share.
//!
//! - A bucket of tokens: so many a second come in, and no more than a burst is kept.
//! - A pause that the provider asked for: nothing that comes in meanwhile shortens it.
//! - A pause after several orders in a row that brought no information; longer each time, with one ask
//!   between two pauses to see whether it is back. Only that one counts.
//! - One order alone never pauses a source: its own delays double anyway.
//! - A bucket of its own for hints: who follows one takes a token of each. Of every two asks at most one
//!   goes before orders that are due. Ids that nobody knows get what is left over, and whatever comes of
//!   them pauses nobody, unless the provider says that it is asked too often: a stranger chose them.

use std::time::Duration;

use uuid::Uuid;

use crate::config::Limits;
use crate::order::asking::jitter;
use crate::order::timestamp::Timestamp;
use crate::store::Budget;

/// What came of a request, as far as the one who was asked or told is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// It answers.
    Well,
    /// It wants to be left alone for so long, and said so in these words.
    Later(Duration, String),
    /// Nothing of use: why.
    Badly(String),
    /// It was not asked at all.
    Unasked,
}

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
            said_until: None,
            paused_at: None,
            paused_until: None,
            pause_reason: None,
            failures: 0,
            failed_key: None,
            hint_tokens_micro: i64::from(limits.hint_burst) * TOKEN,
        }
    }

    /// Lets in what has come since.
    pub fn fill(&mut self, limits: &Limits, now: Timestamp) {
        if self.filled_at > now.plus(SKEW) {
            // The clock was put back: what it said before means nothing now.
            let back = self.filled_at.since(now);
            let put_back = |at: Option<Timestamp>| at.map(|at| at.minus(back).unwrap_or(now));
            self.said_until = put_back(self.said_until);
            self.paused_at = put_back(self.paused_at);
            self.paused_until = put_back(self.paused_until);
            self.filled_at = now;
        }
        let passed = i64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(i64::MAX);
        let fill = |tokens: i64, per_second: u32, burst: u32| {
            let came = passed.saturating_mul(i64::from(per_second));
            tokens.saturating_add(came).min(i64::from(burst) * TOKEN)
        };
        self.tokens_micro = fill(self.tokens_micro, limits.requests_per_second, limits.burst);
        self.hint_tokens_micro =
            fill(self.hint_tokens_micro, limits.hints_per_second, limits.hint_burst);
        self.filled_at = self.filled_at.max(now);
    }

    /// How many may be asked about now.
    #[must_use]
    pub fn allowance(&self, now: Timestamp) -> u32 {
        if self.pause(now) > Duration::ZERO {
            return 0;
        }
        let tokens = u32::try_from(self.tokens_micro / TOKEN).unwrap_or(0);
        if self.failures >= FAILURES_MAX { tokens.min(1) } else { tokens }
    }

    /// When there may be something to spend.
    #[must_use]
    pub fn ready_in(&self, limits: &Limits, now: Timestamp) -> Duration {
        let lacking = (TOKEN - self.tokens_micro).max(0).unsigned_abs();
        let wait = Duration::from_micros(lacking / u64::from(limits.requests_per_second.max(1)));
        self.pause(now).max(wait)
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

    /// How many of the next asks may follow hints before orders that are due.
    #[must_use]
    pub fn hint_share(&self, count: u32) -> u32 {
        let after = self.turn.saturating_add(i64::from(count));
        u32::try_from(after / 2 - self.turn / 2).unwrap_or(0)
    }

    /// How many hints may be followed now.
    #[must_use]
    pub fn hint_allowance(&self) -> u32 {
        u32::try_from(self.hint_tokens_micro / TOKEN).unwrap_or(0)
    }

    /// Takes out the hints that are followed, beside what is asked.
    pub fn spend_hints(&mut self, count: u32) {
        self.hint_tokens_micro -= i64::from(count) * TOKEN;
    }

    /// How many ids that nobody knows may be asked about now: those that leave the bucket half full. None
    /// while something is wrong at the source.
    #[must_use]
    pub fn spare(&self, limits: &Limits, now: Timestamp) -> u32 {
        let half = i64::from(limits.burst) * TOKEN / 2;
        if self.failures > 0 || self.pause(now) > Duration::ZERO || self.tokens_micro < half {
            return 0;
        }
        // Of a bucket that holds one token, that one is spare.
        u32::try_from(self.tokens_micro / TOKEN - half / TOKEN)
            .unwrap_or(0)
            .min(self.hint_allowance())
    }

    /// Takes out what is asked about ids that nobody knows. It is nobody's turn.
    pub fn spend_spare(&mut self, count: u32) {
        self.tokens_micro -= i64::from(count) * TOKEN;
        self.spend_hints(count);
    }

    /// For how long nobody asks, for whatever reason.
    fn pause(&self, now: Timestamp) -> Duration {
        self.said_until.max(self.paused_until).map_or(Duration::ZERO, |until| until.since(now))
    }

    /// Takes note of what came of a request about an order that began then.
    pub fn note(&mut self, key: Uuid, came: &Came, began_at: Timestamp, now: Timestamp) {
        match came {
            Came::Later(after, reason) if *after > Duration::ZERO => {
                #[cfg(feature = "plants")]
                if crate::plant::is_planted("ignore_retry_after") {
                    return;
                }
                let until = now.plus((*after).min(RETRY_AFTER_MAX));
                self.said_until = self.said_until.max(Some(until));
                self.pause_reason = Some(reason.clone());
                // Where that was the look whether it is back, there is an answer, and the look is over.
                if self.paused_at.is_none_or(|at| began_at >= at) {
                    self.paused_until = self.paused_until.filter(|_| self.failures < FAILURES_MAX);
                }
            }
            // Whoever was under way when the source began to be left alone says nothing new.
            _ if self.paused_at.is_some_and(|at| began_at < at) => {}
            // If it was to see whether the provider is back, somebody else may.
            Came::Unasked => {
                self.paused_until = self.paused_until.filter(|_| self.failures < FAILURES_MAX);
            }
            Came::Well => {
                (self.failures, self.failed_key) = (0, None);
                (self.paused_at, self.paused_until) = (None, None);
            }
            Came::Later(_, reason) | Came::Badly(reason) => self.note_failure(key, reason, now),
        }
    }

    fn note_failure(&mut self, key: Uuid, reason: &str, now: Timestamp) {
        if self.failed_key == Some(key) && self.failures < FAILURES_MAX {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.failed_key = Some(key);
        if self.failures >= FAILURES_MAX {
            let doubled = 1u32 << (self.failures - FAILURES_MAX).min(16);
            let pause = PAUSES.0.saturating_mul(doubled).min(PAUSES.1);
            self.paused_at = Some(now);
            self.paused_until = Some(now.plus(jitter(pause, key, self.failures)));
            self.pause_reason = Some(format!("{} in a row: {reason}", self.failures));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).expect("a time").plus_secs(secs)
    }

    fn limits() -> Limits {
        Limits { requests_per_second: 5, burst: 10, hints_per_second: 1, hint_burst: 5 }
    }

    fn budget() -> Budget {
        Budget::full(&limits(), at(0))
    }

    fn failed() -> Came {
        Came::Badly("it answered 500".to_owned())
    }

    fn later(secs: u64) -> Came {
        Came::Later(Duration::from_secs(secs), "it answered 429".to_owned())
    }

    /// A budget after that many orders in a row brought nothing, each asked about at its own second.
    fn failing(orders: u64) -> Budget {
        let mut budget = budget();
        for second in 0..orders {
            budget.note(Uuid::now_v7(), &failed(), at(second), at(second));
        }
        budget
    }

    #[test]
    fn what_the_provider_said_outlives_whatever_else_happens() {
        let orders: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
        for others in [failed(), Came::Well, Came::Unasked] {
            let mut budget = failing(3);
            budget.note(orders[0], &later(3600), at(3), at(3));
            for order in &orders {
                budget.note(*order, &others, at(2), at(13));
                budget.note(*order, &others, at(20), at(21));
            }
            assert_eq!(budget.allowance(at(3602)), 0, "{others:?}");
        }
        let mut budget = budget();
        budget.note(orders[0], &later(3600), at(0), at(0));
        budget.note(orders[1], &later(10), at(0), at(1));
        assert_eq!((budget.allowance(at(3599)), budget.allowance(at(3600))), (0, 10));
    }

    #[test]
    fn one_burst_that_fails_is_one_pause_and_only_probes_make_it_longer() {
        let mut budget = budget();
        for _ in 0..64 {
            budget.note(Uuid::now_v7(), &failed(), at(0), at(10));
        }
        // The first pause is of 5 seconds, moved a little by chance.
        assert_eq!((budget.allowance(at(14)), budget.allowance(at(16))), (0, 1));
        budget.spend(1, at(46));
        assert_eq!(budget.allowance(at(17)), 0, "one looks whether it is back");
        budget.note(Uuid::now_v7(), &failed(), at(16), at(17));
        assert_eq!((budget.allowance(at(25)), budget.allowance(at(29))), (0, 1), "then of 10");
        budget.note(Uuid::now_v7(), &Came::Well, at(29), at(30));
        assert!(budget.allowance(at(30)) > 1, "it is back");
    }

    #[test]
    fn a_look_that_is_told_to_come_later_is_over_then() {
        let mut budget = failing(3);
        // After the first pause one looks, under a lease until second 70.
        budget.spend(1, at(70));
        budget.note(Uuid::now_v7(), &later(2), at(10), at(11));
        assert_eq!((budget.allowance(at(12)), budget.allowance(at(13))), (0, 1));
        // One that was under way before says nothing of the look.
        budget.spend(1, at(80));
        budget.note(Uuid::now_v7(), &later(2), at(1), at(14));
        assert_eq!(budget.allowance(at(20)), 0);
    }

    #[test]
    fn one_order_alone_never_pauses_a_source_and_no_delay_is_no_pause() {
        let (mut budget, order) = (budget(), Uuid::now_v7());
        for second in 0..20 {
            budget.note(order, &failed(), at(second), at(second));
        }
        assert_eq!(budget.allowance(at(20)), 10);
        for second in 20..23 {
            budget.note(Uuid::now_v7(), &later(0), at(second), at(second));
        }
        assert_eq!(budget.allowance(at(23)), 0, "to come again at once is no answer either");
    }

    #[test]
    fn hints_have_a_bucket_of_their_own_and_strangers_get_what_is_left() {
        let (limits, mut budget) = (limits(), budget());
        let mut shares = Vec::new();
        for _ in 0..6 {
            shares.push(budget.hint_share(1));
            budget.spend(1, at(0));
        }
        assert_eq!(shares, [0, 1, 0, 1, 0, 1], "every other ask may follow a hint");
        assert_eq!(
            (budget.spare(&limits, at(0)), budget.allowance(at(0))),
            (0, 4),
            "not half full"
        );
        budget.fill(&limits, at(1));
        assert_eq!(budget.spare(&limits, at(1)), 4);
        let (turn, old) = (budget.turn, budget.old_share(1));
        budget.spend_spare(4);
        assert_eq!((budget.turn, budget.old_share(1)), (turn, old), "it was nobody's turn");
        assert_eq!((budget.spare(&limits, at(1)), budget.hint_allowance()), (0, 1));
        budget.fill(&limits, at(3));
        assert_eq!(budget.hint_allowance(), 3, "one a second");
        budget.fill(&limits, at(60));
        assert_eq!(budget.hint_allowance(), 5, "and no more than the burst");
        budget.note(Uuid::now_v7(), &failed(), at(60), at(60));
        assert_eq!(budget.spare(&limits, at(60)), 0, "something is wrong there");
        let one = Limits { burst: 1, ..limits };
        assert_eq!(Budget::full(&one, at(0)).spare(&one, at(0)), 1);
    }

    #[test]
    fn a_clock_that_is_put_back_takes_pauses_with_it() {
        let limits = limits();
        let mut budget = budget();
        budget.fill(&limits, at(7200));
        budget.note(Uuid::now_v7(), &later(60), at(7200), at(7200));
        budget.fill(&limits, at(0));
        assert_eq!((budget.allowance(at(59)), budget.allowance(at(61))), (0, 10));
    }
}
