//! Checks and compiles what a definition says about its feed.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;

use super::Found;
use super::ask::load_envelope;
use super::places::{Base, matching};
use super::request::{Allowed, Written, load_request};
use crate::provider::body::Body;
use crate::provider::feed::{Feed, Paging, Window};
use crate::provider::json::Pointer;
use crate::provider::request::Request;
use crate::provider::table::FeedTable;

/// How often a feed is read, how much of it is read again, and how many pages at once, where nobody says.
const EVERY_SECS: u64 = 30;
const OVERLAP_SECS: u64 = 120;
const PAGES_MAX: u64 = 100;

/// How far back the first window reaches where the definition does not say: a day.
const FIRST_SECS: u64 = 86_400;

/// Ten years: nobody means more.
const SECS_MAX: u64 = 315_360_000;

pub(super) fn load_feed(feed: &FeedTable, base: &Base<'_>, found: &mut Found) -> Option<Feed> {
    let paging = load_paging(feed, found);
    let window = feed.window.as_ref().map(|window| {
        let reach = number(window.get_ref().first_secs.as_ref(), FIRST_SECS, 1, SECS_MAX, found);
        Window {
            format: base.format_of(window.get_ref().format),
            reach: Duration::from_secs(reach),
        }
    });
    let known = [
        ("cursor", feed.cursor.is_some()),
        ("page", feed.page.is_some()),
        ("from", window.is_some()),
        ("until", window.is_some()),
    ];
    let places: Vec<&str> =
        known.into_iter().filter(|(_, is_known)| *is_known).map(|(place, _)| place).collect();
    let FeedTable { method, path, body, format, .. } = feed;
    let written = Written { method: *method, path, body: body.as_ref(), format: *format };
    let request = load_request(&written, Allowed { texts: Some(&places), lists: &[] }, found);
    let every = number(feed.every_secs.as_ref(), EVERY_SECS, 1, SECS_MAX, found);
    let overlap = number(feed.overlap_secs.as_ref(), OVERLAP_SECS, 0, SECS_MAX, found);
    let pages_max = number(feed.pages_max.as_ref(), PAGES_MAX, 1, 100_000, found);
    let items: Option<Pointer> = found.parse(feed.items.get_ref(), feed.items.span());
    let said = (feed.ok.as_ref(), feed.signature.as_ref());
    let own = base.places(None, feed.at.as_ref(), &feed.event, found);
    let only = feed.only.as_ref().map(|table| matching(table, found));
    let ignore = feed.ignore.iter().map(|table| matching(table, found)).collect();
    // What decides stands in the items, wherever those are.
    let list = items.clone().unwrap_or_default();
    let deciding = own.deciding(base.has_loops).iter().map(|at| list.then(at)).collect::<Vec<_>>();
    let envelope = load_envelope(said, &feed.error, &deciding, found);
    let request = request?;
    check_used(feed, &request, &places, found);
    if let Some(Paging::Cursor { first: None, .. }) = &paging
        && request.path.path_places().contains("cursor")
    {
        let what = "what stands at {cursor} before there is one? add first to [feed.cursor], or move it \
                    behind the `?`, where it can be left out";
        found.at(feed.path.span(), what);
    }
    Some(Feed {
        request,
        envelope,
        items: items?,
        places: own,
        only,
        ignore,
        paging: paging?,
        window,
        every: Duration::from_secs(every),
        overlap: Duration::from_secs(overlap),
        pages_max: u32::try_from(pages_max).unwrap_or(u32::MAX),
    })
}

fn load_paging(feed: &FeedTable, found: &mut Found) -> Option<Paging> {
    let spans = [
        feed.cursor.as_ref().map(Spanned::span),
        feed.page.as_ref().map(Spanned::span),
        feed.next_link.as_ref().map(Spanned::span),
    ];
    if let Some(second) = spans.into_iter().flatten().nth(1) {
        let what = "one page leads to the next in one way: write one of cursor, page and next_link";
        found.at(second, what);
    }
    if let Some(cursor) = &feed.cursor {
        let cursor = cursor.get_ref();
        let next = found.parse(cursor.next.get_ref(), cursor.next.span())?;
        return Some(Paging::Cursor { next, first: cursor.first.clone() });
    }
    if let Some(page) = &feed.page {
        let page = page.get_ref();
        let size = page.size.as_ref().map(|_| number(page.size.as_ref(), 1, 1, 1_000_000, found));
        let total = match &page.total {
            None => None,
            Some(total) => Some(found.parse(total.get_ref(), total.span())?),
        };
        let size = size.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        return Some(Paging::Page { first: page.first.unwrap_or(1), size, total });
    }
    if let Some(link) = &feed.next_link {
        let at = &link.get_ref().at;
        return Some(Paging::Link { at: found.parse(at.get_ref(), at.span())? });
    }
    Some(Paging::One)
}

/// What is had from an answer must be sent in the next question, or every page would be the first one.
fn check_used(feed: &FeedTable, request: &Request, places: &[&str], found: &mut Found) {
    let in_bodies = request.bodies.iter().flat_map(Body::places).map(|(place, _)| place);
    let used: BTreeSet<&str> = request.path.places().into_iter().chain(in_bodies).collect();
    for place in places.iter().filter(|place| !used.contains(*place)) {
        let what = format!(
            "the question has no place {{{place}}}: write it into the path or the body, such as \
             ?{place}={{{place}}}"
        );
        found.at(feed.path.span(), what);
    }
}

fn number(
    given: Option<&Spanned<u64>>,
    default: u64,
    least: u64,
    most: u64,
    found: &mut Found,
) -> u64 {
    let Some(given) = given else { return default };
    if !(least..=most).contains(given.get_ref()) {
        let what = format!("{} is out of range: write {least} to {most}", given.get_ref());
        found.at(given.span(), what);
    }
    *given.get_ref()
}
