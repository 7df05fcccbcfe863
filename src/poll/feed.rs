//! Reads one source's feed, page by page, and puts what it says on the queue.
//!
//! Invariants
//! - One page is read by one at a time: the source's row has a lease, and who lost it moves nothing.
//! - Every item of a page is on the queue, and confirmed, before the row says what comes after the page.
//!   Whoever dies in between leaves the page to be read again; the same news twice is one.
//! - Each page takes a token from the source's budget, and nobody reads while the source is paused.
//! - Nothing but the provider's own host is ever asked, whatever an answer says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Url;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::caller::Caller;
use super::note::note_budget;
use super::outcome::{Answer, Outcome};
use super::recent::Recent;
use super::round::{RoundRules, Said};
use super::{LEASE, LOOK};
use crate::clock::Clock;
use crate::config::{FeedSchedule, Source};
use crate::observe::metrics::Metrics;
use crate::order::report::Origin;
use crate::order::timestamp::Timestamp;
use crate::pause::Pauses;
use crate::provider::feed::{Feed, Page, Paging};
use crate::provider::headers::Headers;
use crate::provider::request::Asker;
use crate::queue::Queue;
use crate::queue::message::{Callback, CallbackHeader};
use crate::store::{Budget, FeedRow, LockedFeed, Store, StoreError};

/// How many items are on their way to the queue at once.
const IN_FLIGHT_MAX: usize = 100;

/// Reads the feed of one source.
#[derive(Debug)]
pub struct Reader {
    /// Where it is kept how far it was read.
    pub store: Store,
    /// Where items go.
    pub queue: Queue,
    /// Which source.
    pub source: Arc<Source>,
    /// When it is read.
    pub schedule: FeedSchedule,
    /// How it is spoken to.
    pub caller: Arc<Caller>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// What we put on the queue ourselves just now.
    pub recent: Recent,
}

/// A page that we are to read.
#[derive(Debug)]
struct Turn {
    row: FeedRow,
    token: Uuid,
    /// By our own clock that no one can put back: when we got the lease.
    began: Instant,
    /// By the store's clock.
    began_at: Timestamp,
}

/// What came of looking for a page to read.
#[derive(Debug)]
enum Look {
    /// This one is ours.
    Turn(Box<Turn>),
    /// None before so long.
    Wait(Duration),
}

impl Reader {
    /// Reads until it is told to stop; then the page that is under way is brought to its end.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pauses = Pauses::reconnect();
        while !stop.is_cancelled() {
            let wait = match self.step().await {
                Ok(wait) => {
                    pauses.reset();
                    wait
                }
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    let source = self.source.name.as_str();
                    tracing::error!(error = format!("{error:#}"), source, "cannot read the feed");
                    pauses.pause()
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Reads a page, if one is due; how long to wait before the next one.
    async fn step(&mut self) -> Result<Duration, StoreError> {
        let provider = Arc::clone(&self.source.provider);
        let Some(feed) = &provider.feed else { return Ok(LOOK) };
        let mut turn = match self.look(feed).await? {
            Look::Wait(wait) => return Ok(wait),
            Look::Turn(turn) => turn,
        };
        let started = Instant::now();
        let read = self.read(feed, &turn).await;
        let outcome = read.as_ref().err().cloned().unwrap_or_else(answered);
        self.caller.hush(&outcome);
        self.metrics.count_feed_page(&self.source.name, &outcome);
        self.log(&turn, &outcome, started.elapsed());
        self.end(feed, &mut turn, read).await?;
        let (key, limits) = (self.key(), &self.source);
        note_budget(&self.store, &self.clock, limits, (key, turn.began_at), &outcome).await?;
        Ok(Duration::ZERO)
    }

    /// What the feed is called where it stands for an order: in what is remembered of failures.
    fn key(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("feed of {}", self.source.name).as_bytes())
    }

    async fn look(&self, feed: &Feed) -> Result<Look, StoreError> {
        let rules = RoundRules { feed, schedule: &self.schedule };
        let mut reading = self.store.read().await?;
        let now = reading.now(&self.clock).await?;
        let next = reading.next_feed(&self.source.name).await?;
        reading.rollback().await?;
        if let Some(next) = next
            && next > now
            && next.since(now) <= rules.longest()
        {
            return Ok(Look::Wait(LOOK.min(next.since(now)).max(LOOK / 10)));
        }
        if self.caller.is_hushed() {
            return Ok(Look::Wait(LOOK));
        }
        // A task of its own: database work is never cancelled half-way.
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let (source, schedule) = (Arc::clone(&self.source), self.schedule.clone());
        let claiming = tokio::spawn(async move {
            let Some(feed) = &source.provider.feed else { return Ok(Look::Wait(LOOK)) };
            claim(&store, &clock, &source, RoundRules { feed, schedule: &schedule }).await
        });
        claiming.await.unwrap_or_else(|panic| Err(StoreError::Corrupt(panic.to_string())))
    }

    /// Asks for a page and puts its items on the queue.
    async fn read(&mut self, feed: &Feed, turn: &Turn) -> Result<Said, Outcome> {
        let source = Arc::clone(&self.source);
        let auth = &source.provider.auth;
        let stand = turn.row.stand();
        let make = |asker: &Asker<'_>| feed.question(auth, asker, stand);
        let may_begin = || match turn.began.elapsed() > LEASE / 3 {
            // We may have been frozen since: by now somebody else may be reading.
            true => Err(Outcome::Unaskable("we were away for longer than our turn".to_owned())),
            false => Ok(()),
        };
        let reply = self.caller.call(make, &feed.envelope.errors, may_begin).await?;
        let checked = reply.check(&feed.envelope, &source.credentials);
        checked.map_err(|outcome| match outcome == Outcome::NotFound {
            // There is no order that it could be about.
            true => Outcome::Unreadable(format!("it answered {}", reply.status)),
            false => outcome,
        })?;
        let page = feed.read_page(&reply.body, stand.cursor);
        let page = page.map_err(|error| Outcome::Unreadable(error.to_string()))?;
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("cursor_before_confirm") {
            let (next, is_last) = (page.next.clone(), page.is_last);
            self.move_on(feed, turn, Said { next, is_last, is_empty: false }).await.ok();
        }
        if !self.publish(&page).await {
            return Err(Outcome::Unqueued);
        }
        self.next(feed, turn, page)
    }

    /// Where the next page is. A link is followed to the provider's own host only.
    fn next(&self, feed: &Feed, turn: &Turn, page: Page<'_>) -> Result<Said, Outcome> {
        let (is_last, is_empty) = (page.is_last, page.items.is_empty());
        let next = match (&feed.paging, page.next) {
            (Paging::Link { .. }, Some(link)) => {
                let base_url = self.caller.base_url();
                let link = follow(base_url, turn.row.cursor.as_deref(), &link);
                let link = link.ok_or_else(|| {
                    let what = "the next page is at another host than the provider's";
                    Outcome::Unreadable(what.to_owned())
                })?;
                Some(link)
            }
            (_, next) => next,
        };
        Ok(Said { next, is_last, is_empty })
    }

    /// Puts items on the queue; whether all of them are there, but for those that we put there just now.
    async fn publish(&mut self, page: &Page<'_>) -> bool {
        let now = Instant::now();
        let recent = &mut self.recent;
        let new: Vec<&[u8]> =
            page.items.iter().copied().filter(|item| !recent.has(item, now)).collect();
        for items in new.chunks(IN_FLIGHT_MAX) {
            let published =
                items.iter().map(|item| self.queue.publish(self.callback(item.to_vec())));
            let published = join_all(published).await;
            if let Some(Err(error)) = published.iter().find(|published| published.is_err()) {
                let source = self.source.name.as_str();
                tracing::warn!(error = %error, source, "what the feed says is not queued");
                return false;
            }
        }
        for item in new {
            self.recent.note(item, now);
        }
        true
    }

    fn callback(&self, body: Vec<u8>) -> Callback {
        let header = CallbackHeader {
            id: Uuid::now_v7(),
            source: self.source.name.clone(),
            origin: Origin::Feed,
            received_at: self.clock.now(),
            headers: Headers::default(),
            attempt: 0,
            asked: std::collections::BTreeSet::new(),
            is_hint: false,
            is_item: false,
            said_at: None,
        };
        Callback { header, body }
    }

    /// Moves on, or stays with the page for another time.
    async fn end(
        &self,
        feed: &Feed,
        turn: &mut Turn,
        read: Result<Said, Outcome>,
    ) -> Result<(), StoreError> {
        let mut pauses = Pauses::reconnect();
        loop {
            let moved = match &read {
                Ok(said) => self.move_on(feed, turn, said.clone()).await,
                Err(outcome) => self.stay(feed, turn, outcome).await,
            };
            match moved {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    let source = self.source.name.as_str();
                    tracing::warn!(source, "somebody else reads the feed meanwhile");
                    return Ok(());
                }
                // The lease ends by itself: then the page is read again.
                Err(error) if turn.began.elapsed() > LEASE => return Err(error),
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    let source = self.source.name.as_str();
                    let error = format!("{error:#}");
                    tracing::error!(error, source, "cannot store how far the feed was read");
                    tokio::time::sleep(pauses.pause()).await;
                }
            }
        }
    }

    async fn move_on(&self, feed: &Feed, turn: &Turn, said: Said) -> Result<bool, StoreError> {
        let rules = RoundRules { feed, schedule: &self.schedule };
        self.change(turn, |row, now| row.advance(rules, said, now)).await
    }

    async fn stay(&self, feed: &Feed, turn: &Turn, outcome: &Outcome) -> Result<bool, StoreError> {
        let rules = RoundRules { feed, schedule: &self.schedule };
        let key = self.key();
        self.change(turn, |row, now| row.fail(rules, outcome.to_string(), key, now)).await
    }

    async fn change(
        &self,
        turn: &Turn,
        change: impl FnOnce(FeedRow, Timestamp) -> FeedRow,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.store.begin().await?;
        let now = transaction.now(&self.clock).await?;
        let row = change(turn.row.clone(), now);
        let (name, stood) = (self.source.name.as_str(), (turn.token, turn.row.moves));
        let is_ours = transaction.move_feed(name, stood, &row).await?;
        transaction.commit().await?;
        Ok(is_ours)
    }

    fn log(&self, turn: &Turn, outcome: &Outcome, took: Duration) {
        let (source, what) = (self.source.name.as_str(), outcome.as_str());
        let (pages, took_ms) = (turn.row.pages, took.as_millis());
        if outcome.is_information() {
            tracing::debug!(source, pages, outcome = what, took_ms, "a page of the feed is read");
        } else {
            tracing::warn!(source, outcome = what, reason = %outcome, "a page of the feed is not read");
        }
    }
}

/// Takes a lease on the feed's next page, and a token for it.
async fn claim(
    store: &Store,
    clock: &Clock,
    source: &Source,
    rules: RoundRules<'_>,
) -> Result<Look, StoreError> {
    let (name, limits) = (source.name.as_str(), &source.limits);
    let mut transaction = store.begin().await?;
    let now = transaction.now(clock).await?;
    let mut budget = transaction.lock_budget(name, &Budget::full(limits, now)).await?;
    let LockedFeed { row, lease_until } = transaction.lock_feed(name, now).await?;
    // Both may have been waited for. Before the store's clock is read: a lease is never taken for longer
    // than it is.
    let began = Instant::now();
    let now = transaction.now(clock).await?;
    budget.fill(limits, now);
    // A lease that lasts longer than any was written by a clock that has been put back since.
    let is_leased = lease_until.is_some_and(|until| until > now && until.since(now) <= LEASE);
    if is_leased || !row.is_due(rules, now) {
        transaction.rollback().await?;
        return Ok(Look::Wait(LOOK));
    }
    if budget.allowance(now) == 0 {
        transaction.rollback().await?;
        return Ok(Look::Wait(budget.ready_in(limits, now).clamp(LOOK / 10, LOOK)));
    }
    let (token, lease_until) = (Uuid::now_v7(), now.plus(LEASE));
    let row = row.begin(rules, now);
    transaction.lease_feed(name, &row, token, lease_until).await?;
    budget.spend(1, lease_until);
    transaction.write_budget(name, &budget).await?;
    transaction.commit().await?;
    Ok(Look::Turn(Box::new(Turn { row, token, began, began_at: now })))
}

/// An outcome for those who only look at whether there was an answer.
fn answered() -> Outcome {
    Outcome::Answered(Answer { body: Vec::new(), said_at: None, is_item: false })
}

/// Where a link leads, from the page that it is on, as path and query; `None` where it leads away from the
/// host of the base URL.
fn follow(base_url: &str, page: Option<&str>, link: &str) -> Option<String> {
    let base = Url::parse(base_url).ok()?;
    // A link without a path is seen from the page that it is on.
    let on = match page {
        Some(page) => base.join(page).ok()?,
        None => base.clone(),
    };
    let to = on.join(link).ok()?;
    let is_ours =
        to.origin() == base.origin() && to.username().is_empty() && to.password().is_none();
    is_ours.then(|| match to.query() {
        Some(query) => format!("{}?{query}", to.path()),
        None => to.path().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::follow;

    #[test]
    fn a_link_is_followed_to_the_providers_own_host_only() {
        let base = "https://api.example.com/v1";
        for (page, link, wanted) in [
            (None, "https://api.example.com/v1/feed?page=2", Some("/v1/feed?page=2")),
            (None, "https://API.example.com:443/v1/feed", Some("/v1/feed")),
            (None, "/v1/feed?page=2#top", Some("/v1/feed?page=2")),
            (Some("/v1/feed?page=2"), "?page=3", Some("/v1/feed?page=3")),
            (Some("/v1/feed?page=2"), "more", Some("/v1/more")),
            (None, "https://evil.example/v1/feed", None),
            (None, "//evil.example/v1/feed", None),
            (None, "\\\\evil.example\\feed", None),
            (None, "http://api.example.com/v1/feed", None),
            (None, "https://api.example.com:8443/v1/feed", None),
            (None, "https://api.example.com@evil.example/", None),
            (None, "https://user:word@api.example.com/v1/feed", None),
            (None, "https://api.example.com.evil.example/", None),
            (None, "javascript:alert(1)", None),
            (None, "https://", None),
        ] {
            assert_eq!(follow(base, page, link).as_deref(), wanted, "{link}");
        }
    }
}
