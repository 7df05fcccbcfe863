//! Rounds: where a feed is read next, as a function of where it was read and of what came of it. Pure; the
//! times are told.
//!
//! - A round goes page by page to the end. Where one is interrupted, the next reader goes on there.
//! - What was read before is read again once a round, at its beginning, and not on every page: so late an
//!   item may come. With a window that is a time; with a cursor it is where an earlier round stood.
//! - Whoever has nothing to go on by reads the whole list in every round.

use std::time::Duration;

use uuid::Uuid;

use crate::config::FeedSchedule;
use crate::order::asking::jitter;
use crate::order::timestamp::Timestamp;
use crate::provider::feed::{Feed, Stand};
use crate::store::{FeedRow, Mark};

/// The longest pause after a page of which nothing came.
const PAUSE_MAX: Duration = Duration::from_secs(900);

/// How many earlier rounds are remembered at most.
const MARKS_MAX: usize = 64;

/// What rounds go by.
#[derive(Clone, Copy, Debug)]
pub struct RoundRules<'a> {
    /// The provider's.
    pub feed: &'a Feed,
    /// The source's.
    pub schedule: &'a FeedSchedule,
}

impl RoundRules<'_> {
    /// No pause is longer. A time that is further ahead was written by a clock that has been put back since.
    #[must_use]
    pub fn longest(self) -> Duration {
        self.schedule.every.max(PAUSE_MAX).saturating_mul(2)
    }
}

/// What a page said about what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Where the next page is.
    pub next: Option<String>,
    /// Whether nothing more is to be read now.
    pub is_last: bool,
    /// Whether there was nothing on it.
    pub is_empty: bool,
}

impl FeedRow {
    /// Whether a page is to be read now.
    #[must_use]
    pub fn is_due(&self, rules: RoundRules<'_>, now: Timestamp) -> bool {
        self.next_at <= now || self.next_at.since(now) > rules.longest()
    }

    /// Where the next page is asked for: the first one of a new round, unless one is under way.
    #[must_use]
    pub fn begin(mut self, rules: RoundRules<'_>, now: Timestamp) -> Self {
        if self.round_at.is_some() {
            return self;
        }
        let RoundRules { feed, schedule } = rules;
        (self.round_at, self.pages) = (Some(now), 0);
        self.cursor = if feed.keeps_cursor() { self.start(schedule, now) } else { None };
        self.filled_cursor = self.cursor.clone();
        if let Some(window) = &feed.window {
            let last = self.until.filter(|until| *until <= now);
            let from = match last {
                Some(until) => until.minus(schedule.overlap),
                None => now.minus(window.reach),
            };
            (self.from, self.until) = (Some(from.unwrap_or(Timestamp::EPOCH)), Some(now));
        }
        self
    }

    /// Where a round with a cursor begins: where the last round ended that began long enough ago. Where none
    /// did, a page before the end of the oldest one that is known has to do.
    fn start(&self, schedule: &FeedSchedule, now: Timestamp) -> Option<String> {
        let old = now.minus(schedule.overlap).unwrap_or(Timestamp::EPOCH);
        match (self.trail.iter().rev().find(|mark| mark.at <= old), self.trail.first()) {
            (Some(mark), _) => mark.cursor.clone(),
            (None, Some(mark)) => mark.before.clone(),
            (None, None) => self.cursor.clone(),
        }
    }

    /// Where the next page is asked for once one was read, and all that it said is on the queue.
    #[must_use]
    pub fn advance(mut self, rules: RoundRules<'_>, said: Said, now: Timestamp) -> Self {
        let RoundRules { feed, schedule } = rules;
        let Said { next, is_last, is_empty } = said;
        if !is_empty {
            self.filled_cursor.clone_from(&self.cursor);
        }
        let began = self.round_at.unwrap_or(now);
        self.moves = self.moves.saturating_add(1);
        self.pages = self.pages.saturating_add(1);
        (self.failures, self.outcome) = (0, Some("answered".to_owned()));
        self.next_at = now;
        if is_last {
            if feed.keeps_cursor() {
                self.mark(schedule, began, now);
                self.cursor = next.or(self.cursor);
            } else {
                self.cursor = None;
            }
            (self.round_at, self.read_at) = (None, began);
            self.next_at = now.plus(schedule.every);
        } else {
            self.cursor = next;
            if self.pages >= feed.pages_max {
                // Others want to be asked, too.
                self.pages = 0;
                self.next_at = now.plus(schedule.every);
            }
        }
        self
    }

    /// Remembers where a round ended.
    fn mark(&mut self, schedule: &FeedSchedule, at: Timestamp, now: Timestamp) {
        if self.trail.last().is_none_or(|mark| mark.cursor != self.cursor) {
            let (cursor, before) = (self.cursor.clone(), self.filled_cursor.clone());
            self.trail.push(Mark { cursor, before, at });
        }
        // Of those that are old enough the newest is the one to begin from.
        let old = now.minus(schedule.overlap).unwrap_or(Timestamp::EPOCH);
        let newest = self.trail.iter().rposition(|mark| mark.at <= old).unwrap_or(0);
        self.trail.drain(..newest);
        if self.trail.len() > MARKS_MAX {
            // Rather too much is read again than too little.
            let mut index = 0;
            self.trail.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
    }

    /// What is remembered when nothing came of a page: it is asked for again after a pause that doubles.
    #[must_use]
    pub fn fail(
        mut self,
        rules: RoundRules<'_>,
        outcome: String,
        seed: Uuid,
        now: Timestamp,
    ) -> Self {
        let doubled = 1u32 << self.failures.min(16);
        let pause = rules.schedule.every.saturating_mul(doubled).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.moves = self.moves.saturating_add(1);
        self.next_at = now.plus(jitter(pause, seed, self.failures));
        self.outcome = Some(outcome);
        self
    }

    /// Where it stands, for the question.
    #[must_use]
    pub fn stand(&self) -> Stand<'_> {
        Stand { cursor: self.cursor.as_deref(), from: self.from, until: self.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::body::BodyFormat;
    use crate::provider::envelope::Envelope;
    use crate::provider::feed::{Paging, Window};
    use crate::provider::json::Pointer;
    use crate::provider::read::{Places, TimeFormat};
    use crate::provider::request::{Method, Request};

    fn at(secs: u64) -> Timestamp {
        Timestamp::EPOCH.plus_secs(secs)
    }

    fn feed(paging: Paging, has_window: bool) -> Feed {
        let window = Window { format: TimeFormat::Rfc3339, reach: Duration::from_secs(1000) };
        Feed {
            request: Request {
                method: Method::Get,
                path: "/feed".parse().expect("a path"),
                bodies: Vec::new(),
                format: BodyFormat::Json,
            },
            envelope: Envelope::default(),
            items: Pointer::default(),
            places: Places::default(),
            only: None,
            ignore: Vec::new(),
            paging,
            window: has_window.then_some(window),
            every: Duration::from_secs(30),
            overlap: Duration::from_secs(120),
            pages_max: 3,
        }
    }

    fn by_cursor() -> Feed {
        feed(Paging::Cursor { next: Pointer::member("next"), first: None }, false)
    }

    const SCHEDULE: FeedSchedule =
        FeedSchedule { every: Duration::from_secs(30), overlap: Duration::from_secs(120) };

    fn row() -> FeedRow {
        FeedRow {
            cursor: None,
            filled_cursor: None,
            from: None,
            until: None,
            round_at: None,
            pages: 0,
            moves: 0,
            trail: Vec::new(),
            next_at: at(0),
            read_at: at(0),
            failures: 0,
            outcome: None,
        }
    }

    /// A round of pages, each the cursor of the next and whether there was anything on it.
    fn round(row: FeedRow, feed: &Feed, pages: &[(&str, bool)], now: u64) -> FeedRow {
        let rules = RoundRules { feed, schedule: &SCHEDULE };
        let mut row = row.begin(rules, at(now));
        for (index, (next, is_filled)) in pages.iter().enumerate() {
            let is_last = index + 1 == pages.len();
            let said = Said { next: Some((*next).to_owned()), is_last, is_empty: !is_filled };
            row = row.begin(rules, at(now)).advance(rules, said, at(now));
        }
        row
    }

    fn start(row: &FeedRow, feed: &Feed, now: u64) -> Option<String> {
        row.clone().begin(RoundRules { feed, schedule: &SCHEDULE }, at(now)).cursor
    }

    #[test]
    fn a_round_begins_where_the_last_one_ended_that_began_long_enough_ago() {
        let feed = by_cursor();
        let row = round(row(), &feed, &[("1", true), ("2", true), ("2", false)], 1000);
        assert_eq!((row.round_at, row.read_at, row.next_at), (None, at(1000), at(1030)));
        // Until that is so, a page before its end.
        assert_eq!(start(&row, &feed, 1030).as_deref(), Some("1"));
        assert_eq!(start(&row, &feed, 1120).as_deref(), Some("2"));
        let row = round(row, &feed, &[("2", true), ("3", true), ("3", false)], 1060);
        assert_eq!(start(&row, &feed, 1120).as_deref(), Some("2"));
        assert_eq!(start(&row, &feed, 1180).as_deref(), Some("3"));
        // Rounds that bring nothing leave no mark, and old ones go.
        let mut idle = row;
        for now in 40..60 {
            idle = round(idle, &feed, &[("3", false)], now * 30);
        }
        assert_eq!(idle.trail.len(), 1, "{:?}", idle.trail);
        assert_eq!(start(&idle, &feed, 1800).as_deref(), Some("3"));
    }

    #[test]
    fn a_round_that_is_interrupted_goes_on_where_it_was() {
        let feed = by_cursor();
        let rules = RoundRules { feed: &feed, schedule: &SCHEDULE };
        let said =
            |next: &str| Said { next: Some(next.to_owned()), is_last: false, is_empty: false };
        let begun = row().begin(rules, at(1000)).advance(rules, said("1"), at(1001));
        assert_eq!(begun.next_at, at(1001), "the next page at once");
        let failed = begun.fail(rules, "nothing".to_owned(), Uuid::nil(), at(1002));
        assert!(failed.next_at > at(1028) && !failed.is_due(rules, at(1020)));
        let again = failed.begin(rules, at(2000));
        assert_eq!((again.cursor.as_deref(), again.round_at), (Some("1"), Some(at(1000))));
        let third = again.advance(rules, said("2"), at(2000)).advance(rules, said("3"), at(2001));
        assert_eq!((third.next_at, third.failures), (at(2031), 0), "a pause after three pages");
        assert_eq!(third.begin(rules, at(2031)).cursor.as_deref(), Some("3"));
    }

    #[test]
    fn pauses_double_and_a_clock_that_was_put_back_makes_none_longer() {
        let feed = by_cursor();
        let rules = RoundRules { feed: &feed, schedule: &SCHEDULE };
        let mut row = row();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            row = row.fail(rules, String::new(), Uuid::nil(), at(1000));
            pauses.push(row.next_at.since(at(1000)).as_secs());
        }
        assert!(pauses.is_sorted_by(|a, b| a < b || *b > 800), "{pauses:?}");
        assert!(pauses.iter().all(|pause| (27..=990).contains(pause)), "{pauses:?}");
        row.next_at = at(100_000);
        assert!(row.is_due(rules, at(1000)));
    }

    #[test]
    fn a_window_goes_from_where_the_last_one_ended_less_the_overlap() {
        let feed = feed(Paging::Page { first: 1, size: None, total: None }, true);
        let first = round(row(), &feed, &[("2", true), ("3", false)], 5000);
        assert_eq!((first.from, first.until), (Some(at(4000)), Some(at(5000))));
        assert_eq!(first.cursor, None, "pages begin anew");
        let rules = RoundRules { feed: &feed, schedule: &SCHEDULE };
        let second = first.clone().begin(rules, at(6000));
        assert_eq!((second.from, second.until), (Some(at(4880)), Some(at(6000))));
        // The clock was put back: what it said before means nothing.
        let back = first.begin(rules, at(3000));
        assert_eq!((back.from, back.until), (Some(at(2000)), Some(at(3000))));
    }
}
