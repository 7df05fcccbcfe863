//! How a source's provider is asked: when, and how often.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;

use super::Check;
use super::file::{AskTable, FeedTable, LimitsTable, SourceTable};
use super::source::{FeedSchedule, Limits};
use crate::order::asking::Schedule;
use crate::provider::Provider;

/// Ten years: nobody means more.
pub(super) const SECS_MAX: usize = 315_360_000;

impl Check<'_> {
    pub(super) fn schedule(&mut self, table: &AskTable) -> Schedule {
        let first = self.seconds(table.first_secs.as_ref(), 10);
        let cap = self.cap(table.cap_secs.as_ref(), 900, first);
        let horizon = self.seconds(table.horizon_secs.as_ref(), 86_400);
        let watch = self.seconds(table.watch_secs.as_ref(), 86_400);
        let watch_secs = u64::from(self.count(table.watch_days.as_ref(), 30, 0..=3650)) * 86_400;
        Schedule {
            first,
            factor: self.count(table.factor.as_ref(), 2, 1..=100),
            cap,
            horizon,
            watch,
            watch_answers: u32::try_from(watch_secs / watch.as_secs().max(1)).unwrap_or(u32::MAX),
        }
    }

    /// A time of at least a second.
    pub(super) fn seconds(&mut self, given: Option<&Spanned<u64>>, default: usize) -> Duration {
        Duration::from_secs(self.number(given, default, 1..=SECS_MAX) as u64)
    }

    /// The longest of delays that begin with a first one.
    pub(super) fn cap(
        &mut self,
        given: Option<&Spanned<u64>>,
        default: usize,
        first: Duration,
    ) -> Duration {
        let cap = self.seconds(given, default);
        if let Some(given) = given.filter(|_| cap < first) {
            let what = "the longest delay is shorter than the first one: make cap_secs at least \
                        first_secs";
            self.wrong(given.span(), what);
        }
        cap
    }

    pub(super) fn limits(&mut self, table: &LimitsTable) -> Limits {
        Limits {
            requests_per_second: self.count(table.requests_per_second.as_ref(), 5, 1..=10_000),
            burst: self.count(table.burst.as_ref(), 10, 1..=10_000),
            hints_per_second: self.count(table.hints_per_second.as_ref(), 1, 1..=10_000),
            hint_burst: self.count(table.hint_burst.as_ref(), 5, 1..=10_000),
        }
    }

    pub(super) fn feed(&mut self, table: &FeedTable, provider: &Provider) -> Option<FeedSchedule> {
        let (every, overlap) = (table.every_secs.as_ref(), table.overlap_secs.as_ref());
        let Some(feed) = &provider.feed else {
            for given in [every, overlap].into_iter().flatten() {
                let title = &provider.title;
                let what =
                    format!("{title} has no feed: its definition has no [feed]; remove this");
                self.wrong(given.span(), what);
            }
            return None;
        };
        let mut secs = |given: Option<&Spanned<u64>>, default: Duration, least| {
            let default = usize::try_from(default.as_secs()).unwrap_or(SECS_MAX);
            Duration::from_secs(self.number(given, default, least..=SECS_MAX) as u64)
        };
        Some(FeedSchedule {
            every: secs(every, feed.every, 1),
            overlap: secs(overlap, feed.overlap, 0),
        })
    }

    pub(super) fn count(
        &mut self,
        given: Option<&Spanned<u64>>,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> u32 {
        u32::try_from(self.number(given, default, range)).unwrap_or(u32::MAX)
    }

    /// A base URL alone asks nobody: what asking needs must be there with it.
    pub(super) fn check_asking(&mut self, table: &SourceTable, provider: &Provider) {
        let Some(url) = &table.base_url else { return };
        if provider.ask.is_none() && provider.feed.is_none() {
            let what = format!(
                "{} cannot be asked about an order: its definition has no [ask]; remove base_url",
                provider.title
            );
            return self.wrong(url.span(), what);
        }
        let given = |name: &str| table.credentials.keys().any(|key| key.get_ref() == name);
        let missing: Vec<&str> =
            provider.credentials().into_iter().filter(|name| !given(name)).collect();
        if !missing.is_empty() {
            let names = missing.join(" and ");
            let what = format!(
                "{} is asked with the credentials that are missing here: {names}; add credentials = {{ {} = \
                 {{ env = \"...\" }} }}",
                provider.title, missing[0]
            );
            self.wrong(url.span(), what);
        }
    }
}
