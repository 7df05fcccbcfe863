//! Feeds: lists of what happened to orders, read page by page. Built and read without I/O; the poller sends
//! the questions, and remembers where it stands.

use std::time::Duration;

use super::Provider;
use super::envelope::Envelope;
use super::json::{self, Json, Pointer};
use super::read::{Doc, Matching, Places, TimeFormat, Unreadable};
use super::request::{Asker, Auth, Question, QuestionError, Request};
use super::values::Values;
use crate::order::report::{Origin, Report};
use crate::order::timestamp::Timestamp;

/// How a provider's feed is read.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The question, with places for where the reader stands.
    pub request: Request,
    /// What makes an answer one.
    pub envelope: Envelope,
    /// Where the list is in an answer.
    pub items: Pointer,
    /// Where things are in one of its items.
    pub places: Places,
    /// Which items are about orders; all where nothing is said.
    pub only: Option<Matching>,
    /// Which are not.
    pub ignore: Vec<Matching>,
    /// How one page leads to the next.
    pub paging: Paging,
    /// Between which times the items lie, where the question says so.
    pub window: Option<Window>,
    /// How often it is read.
    pub every: Duration,
    /// How much of what was read before is read again: so late an item may come.
    pub overlap: Duration,
    /// How many pages are read at once.
    pub pages_max: u32,
}

/// How one page leads to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// There is one page.
    One,
    /// The answer has a text that is sent back.
    Cursor {
        /// Where it is.
        next: Pointer,
        /// What is sent before there is one; without it, its part of the question is left out.
        first: Option<String>,
    },
    /// Pages are numbered.
    Page {
        /// The first one's number.
        first: u64,
        /// How many items a page has that is not the last one.
        size: Option<usize>,
        /// Where the number of pages is in the answer.
        total: Option<Pointer>,
    },
    /// The answer has the URL of the next page.
    Link {
        /// Where it is.
        at: Pointer,
    },
}

/// Between which times the items lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// How the times are written.
    pub format: TimeFormat,
    /// How far back the first window reaches.
    pub reach: Duration,
}

/// Where a reader stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stand<'a> {
    /// What the last page said about the next one.
    pub cursor: Option<&'a str>,
    /// From when on.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// A page of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// Its items, each as it was written.
    pub items: Vec<&'a [u8]>,
    /// What it says about the next one: a cursor, a number, or a URL that is not looked at yet.
    pub next: Option<String>,
    /// Whether nothing more is to be read now.
    pub is_last: bool,
}

/// The longest cursor that is sent back, and the longest URL that is followed.
const CURSOR_BYTES_MAX: usize = 4_096;

impl Feed {
    /// Whether a cursor is good beyond the round in which it was had. Where a window says which items are
    /// meant, and where pages are counted from the newest item on, it is not.
    #[must_use]
    pub fn keeps_cursor(&self) -> bool {
        matches!(self.paging, Paging::Cursor { .. }) && self.window.is_none()
    }

    /// Makes the question for the next page.
    ///
    /// # Errors
    /// [`QuestionError`] where a credential is missing.
    pub fn question(
        &self,
        auth: &Auth,
        asker: &Asker<'_>,
        stand: Stand<'_>,
    ) -> Result<Question, QuestionError> {
        let mut values = Values::default();
        match (&self.paging, stand.cursor) {
            (Paging::Cursor { .. }, Some(cursor)) => values = values.with("cursor", cursor),
            (Paging::Cursor { first: Some(first), .. }, None) => {
                values = values.with("cursor", first.as_str());
            }
            (Paging::Cursor { first: None, .. }, None) => values = values.without("cursor"),
            (Paging::Page { first, .. }, None) => values = values.with("page", first.to_string()),
            (Paging::Page { .. }, Some(cursor)) => values = values.with("page", cursor),
            (Paging::One | Paging::Link { .. }, _) => {}
        }
        if let Some(window) = &self.window {
            for (place, at) in [("from", stand.from), ("until", stand.until)] {
                if let Some(at) = at {
                    values = values.with(place, window.format.write(at));
                }
            }
        }
        let link = stand.cursor.filter(|_| matches!(self.paging, Paging::Link { .. }));
        self.request.question(auth, asker, &values, link)
    }

    /// Reads an authentic answer to the question for a page. Its items are not read yet.
    ///
    /// # Errors
    /// [`Unreadable`]: nothing is known of the page.
    pub fn read_page<'a>(
        &self,
        body: &'a [u8],
        cursor: Option<&str>,
    ) -> Result<Page<'a>, Unreadable> {
        let missing = || Unreadable::Missing { what: "list", places: self.items.to_string() };
        let items = json::items(body, &self.items)?.ok_or_else(missing)?;
        let (next, is_last) = match &self.paging {
            Paging::One => (None, true),
            Paging::Cursor { next, .. } => {
                let next = text_at(body, next)?;
                // Beyond what there is so far there is an empty page, and perhaps a cursor.
                let is_over = items.is_empty() && self.window.is_none();
                let is_last = next.is_none() || next.as_deref() == cursor || is_over;
                (next, is_last)
            }
            Paging::Link { at } => {
                let next = text_at(body, at)?;
                let is_last = next.is_none();
                (next, is_last)
            }
            Paging::Page { first, size, total } => {
                let page = cursor.and_then(|page| page.parse().ok()).unwrap_or(*first);
                let total = match total {
                    None => None,
                    Some(total) => text_at(body, total)?.and_then(|total| total.parse().ok()),
                };
                let is_short = items.is_empty() || size.is_some_and(|size| items.len() < size);
                let is_counted =
                    total.is_some_and(|total: u64| page.saturating_sub(*first) + 1 >= total);
                (Some((page + 1).to_string()), is_short || is_counted)
            }
        };
        Ok(Page { items, next, is_last })
    }
}

/// A text or a number; nothing for an empty one.
fn text_at(body: &[u8], place: &Pointer) -> Result<Option<String>, Unreadable> {
    match json::value_at(body, place)? {
        None => Ok(None),
        Some(Json::Text(text) | Json::Number(text)) if text.len() <= CURSOR_BYTES_MAX => {
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        Some(other) => Err(Unreadable::Sort {
            what: "next page".to_owned(),
            place: place.to_string(),
            found: other.sort(),
            wanted: "a text of at most 4096 bytes",
        }),
    }
}

impl Provider {
    /// Reads one item of a feed into its report: none where it is not about orders.
    ///
    /// # Errors
    /// [`Unreadable`]; the item becomes a dead letter.
    pub fn read_feed_item(
        &self,
        feed: &Feed,
        item: &[u8],
        received_at: Timestamp,
    ) -> Result<Option<Report>, Unreadable> {
        let body = Json::read(item)?;
        let doc = Doc { body: &body, item: 0 };
        let is_meant = feed.only.as_ref().is_none_or(|only| only.holds(doc))
            && !feed.ignore.iter().any(|ignored| ignored.holds(doc));
        let read = || feed.places.read_one(&body, &self.words(), Origin::Feed, received_at);
        is_meant.then(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::body::BodyFormat;
    use crate::provider::request::{Credentials, Method};

    fn pointer(text: &str) -> Pointer {
        text.parse().expect("a pointer")
    }

    fn feed(path: &str, paging: Paging, window: Option<TimeFormat>) -> Feed {
        Feed {
            request: Request {
                method: Method::Get,
                path: path.parse().expect("a path"),
                bodies: Vec::new(),
                format: BodyFormat::Json,
            },
            envelope: Envelope::default(),
            items: pointer("/items"),
            places: Places::default(),
            only: None,
            ignore: Vec::new(),
            paging,
            window: window.map(|format| Window { format, reach: Duration::from_secs(60) }),
            every: Duration::from_secs(30),
            overlap: Duration::from_secs(120),
            pages_max: 10,
        }
    }

    fn path(feed: &Feed, stand: Stand<'_>) -> String {
        let credentials = Credentials::new();
        let asker = Asker {
            credentials: &credentials,
            token: None,
            uuid: uuid::Uuid::nil(),
            now: Timestamp::EPOCH,
            base_url: "https://provider.example",
        };
        feed.question(&Auth::default(), &asker, stand).expect("a question").path
    }

    /// How many items there are, what is next, and whether that is all.
    fn read(feed: &Feed, body: &str, cursor: Option<&str>) -> (usize, Option<String>, bool) {
        let page = feed.read_page(body.as_bytes(), cursor).expect("a page");
        (page.items.len(), page.next, page.is_last)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_cursor_is_sent_back_until_it_is_the_same_or_there_is_nothing_more() {
        let of = |first: Option<&str>, window| {
            let first = first.map(str::to_owned);
            feed("/f?since={cursor}&n=2", Paging::Cursor { next: pointer("/next"), first }, window)
        };
        let plain = of(None, None);
        let at = |cursor| Stand { cursor, ..Stand::default() };
        assert_eq!(path(&plain, at(None)), "/f?n=2");
        assert_eq!(path(&of(Some("0"), None), at(None)), "/f?since=0&n=2");
        assert_eq!(path(&plain, at(Some("a&b"))), "/f?since=a%26b&n=2");
        assert_eq!(read(&plain, r#"{"items":[1,2],"next":"c"}"#, None), (2, some("c"), false));
        assert_eq!(read(&plain, r#"{"items":[1],"next":7}"#, Some("6")), (1, some("7"), false));
        assert_eq!(read(&plain, r#"{"items":[1],"next":7}"#, Some("7")), (1, some("7"), true));
        assert_eq!(read(&plain, r#"{"items":[1],"next":null}"#, Some("7")), (1, None, true));
        assert_eq!(read(&plain, r#"{"items":[],"next":"d"}"#, Some("c")), (0, some("d"), true));
        // Within a window a page may be empty, and not be the last one.
        let windowed = of(None, Some(TimeFormat::Rfc3339));
        assert_eq!(read(&windowed, r#"{"items":[],"next":"d"}"#, Some("c")), (0, some("d"), false));
        assert!(plain.keeps_cursor() && !windowed.keeps_cursor());
    }

    #[test]
    fn pages_are_counted_up_to_the_last_one() {
        let of = |size, total: Option<&str>| {
            feed("/f?page={page}", Paging::Page { first: 1, size, total: total.map(pointer) }, None)
        };
        let at = |cursor| Stand { cursor, ..Stand::default() };
        let open = of(None, None);
        assert_eq!(
            (path(&open, at(None)), path(&open, at(Some("2")))),
            ("/f?page=1".into(), "/f?page=2".into())
        );
        assert_eq!(read(&open, r#"{"items":[1]}"#, None), (1, some("2"), false));
        assert_eq!(read(&open, r#"{"items":[]}"#, Some("2")), (0, some("3"), true));
        assert_eq!(read(&of(Some(2), None), r#"{"items":[1]}"#, None), (1, some("2"), true));
        let counted = of(Some(2), Some("/pages"));
        assert_eq!(read(&counted, r#"{"items":[1,2],"pages":2}"#, None), (2, some("2"), false));
        assert_eq!(read(&counted, r#"{"items":[1,2],"pages":2}"#, Some("2")), (2, some("3"), true));
    }

    #[test]
    fn a_window_is_written_as_the_provider_reads_it() {
        let at = Timestamp::EPOCH.plus_secs(1_763_628_192).plus(Duration::from_millis(900));
        let stand = Stand { cursor: None, from: Some(at), until: Some(at.plus_secs(60)) };
        for (format, written) in [
            (TimeFormat::Rfc3339, "/f?a=2025-11-20T08%3A43%3A12Z&b=2025-11-20T08%3A44%3A12Z"),
            (
                TimeFormat::DateTime(time::UtcOffset::UTC),
                "/f?a=2025-11-20%2008%3A43%3A12&b=2025-11-20%2008%3A44%3A12",
            ),
            (TimeFormat::EpochSeconds, "/f?a=1763628192&b=1763628252"),
            (TimeFormat::EpochMillis, "/f?a=1763628192900&b=1763628252900"),
        ] {
            assert_eq!(
                path(&feed("/f?a={from}&b={until}", Paging::One, Some(format)), stand),
                written
            );
        }
    }

    #[test]
    fn a_page_that_cannot_be_read_says_why() {
        let cursor = Paging::Cursor { next: pointer("/next"), first: None };
        let feed = feed("/f", cursor, None);
        for body in ["", "[]", "{}", r#"{"items":1}"#, r#"{"items":[],"next":{}}"#] {
            assert!(feed.read_page(body.as_bytes(), None).is_err(), "{body}");
        }
        // One item that means two things spoils no other.
        assert_eq!(read(&feed, r#"{"items":[{"a":1,"a":2},2]}"#, None), (2, None, true));
    }
}
