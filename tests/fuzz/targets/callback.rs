//! Any body in any channel of a definition that comes with Pawl: reading it never panics, and what it reports
//! about an order comes to the same in every order, and to nothing the second time.
//!
//! An input is one part or several, with 0xFF between them, which stands in no UTF-8. The first byte of each says
//! where it comes in, see `Channel::of`; that of the first part also by which definition all are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use pawl::order::decide::{Seen, decide};
use pawl::order::joined::Order;
use pawl::order::name::{Kind, OrderId};
use pawl::order::report::Report;
use pawl::order::rules::{Confirm, Policy, Rules};
use pawl::provider::headers::Headers;
use pawl::provider::json::Json;
use pawl::provider::{NO_BOOKS, Provider};

use crate::order::{at, fold, stand};

/// By the numbers that inputs call them. Only ever added to at the end: the corpus goes by it.
pub(crate) const PROVIDERS: [&str; 7] =
    ["azpay", "cardaq", "flypay", "mollie", "newday", "sdk-finance", "stripe"];

/// More parts would only take time.
const PARTS_MAX: usize = 4;

/// Where a body comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    Callback,
    Hint,
    Challenge,
    Answer,
    FeedItem,
}

impl Channel {
    /// By the low three bits of a byte. The fourth is for more: a header with an event's id, an answer with a date.
    fn of(byte: u8) -> Self {
        match byte % 8 {
            1 => Self::Hint,
            2 => Self::Challenge,
            3 => Self::Answer,
            4 => Self::FeedItem,
            _ => Self::Callback,
        }
    }
}

/// A definition and what its reports are decided by.
struct Reader {
    provider: Provider,
    rules: Vec<Rules>,
}

/// By which definition each part was read, through which channel, and whether it held a report.
pub(crate) fn run(bytes: &[u8]) -> Vec<(&'static str, Channel, bool)> {
    let Some(first) = bytes.first() else { return Vec::new() };
    let number = usize::from(first >> 4) % PROVIDERS.len();
    let reader = &readers()[number];
    let mut read = Vec::new();
    let mut reports = Vec::new();
    for part in bytes.split(|byte| *byte == 0xFF).take(PARTS_MAX) {
        let Some((first, body)) = part.split_first() else { continue };
        let channel = Channel::of(*first);
        let found = reader.read(channel, first & 8 != 0, body);
        read.push((PROVIDERS[number], channel, !found.is_empty()));
        reports.extend(found);
    }
    for rules in &reader.rules {
        check(rules, &reports);
    }
    read
}

fn readers() -> &'static [Reader] {
    static READERS: OnceLock<Vec<Reader>> = OnceLock::new();
    READERS.get_or_init(|| {
        let all = Provider::built_in().expect("they are tested");
        let find =
            |name: &str| all.iter().find(|p| p.name == name).expect("a definition of this name");
        PROVIDERS.iter().map(|name| Reader::new(find(name).clone())).collect()
    })
}

impl Reader {
    /// The definition's own books, with an answer demanded and without, and no books at all.
    fn new(provider: Provider) -> Self {
        let none = |kind: &Kind| (kind.clone(), NO_BOOKS.to_owned());
        let no_books: BTreeMap<Kind, String> = provider.kinds.keys().map(none).collect();
        let own = BTreeMap::new();
        let choices =
            [(&own, Confirm::Never), (&own, Confirm::Always), (&no_books, Confirm::Never)];
        let currency = provider.takes_currency().then(|| "EUR".parse().expect("a currency"));
        let rules = choices.map(|(books, confirm)| {
            let policy = Policy { confirm, currency: currency.clone(), ..Policy::default() };
            provider.rules(books, policy).expect("books that it has")
        });
        Self { provider, rules: rules.into() }
    }

    fn read(&self, channel: Channel, more: bool, body: &[u8]) -> Vec<Report> {
        let provider = &self.provider;
        match channel {
            Channel::Callback => {
                let name = provider.event_id_header().filter(|_| more);
                let headers: Headers = name.into_iter().map(|name| (name, "event-1")).collect();
                provider.read_callback(&headers, body, at(0)).unwrap_or_default()
            }
            Channel::Hint => {
                let _ = provider.read_hint(body);
                Vec::new()
            }
            Channel::Challenge => {
                let _ = provider.find_challenge(body);
                Vec::new()
            }
            Channel::Answer => {
                let Some(ask) = &provider.ask else { return Vec::new() };
                let asked = texts(body);
                let date = more.then(|| at(-5));
                if let Some(batch) = &ask.batch {
                    let _ = provider.split_answer(
                        ask,
                        batch,
                        std::slice::from_ref(&asked),
                        body,
                        at(0),
                    );
                }
                provider.read_answer(ask, &asked, body, date, at(0)).into_iter().collect()
            }
            Channel::FeedItem => {
                let Some(feed) = &provider.feed else { return Vec::new() };
                let _ = feed.read_page(body, None);
                provider.read_feed_item(feed, body, at(0)).into_iter().flatten().collect()
            }
        }
    }
}

/// Whatever an answer names is what was asked about: else hardly one would be about it.
fn texts(body: &[u8]) -> BTreeSet<OrderId> {
    let mut waiting: Vec<Json> = Json::read(body).into_iter().collect();
    let mut texts = BTreeSet::new();
    while let Some(value) = waiting.pop() {
        match value {
            Json::Null | Json::Bool(_) => {}
            Json::Number(text) | Json::Text(text) => texts.extend(OrderId::new(text).ok()),
            Json::List(items) => waiting.extend(items),
            Json::Object(members) => waiting.extend(members.into_iter().map(|(_, value)| value)),
        }
    }
    texts
}

fn check(rules: &Rules, reports: &[Report]) {
    let Some((last, _)) = reports.split_last() else { return };
    let order = fold(rules, reports);
    let again = decide(rules, &order, last, Seen::Same);
    assert_eq!(again.effects, [], "the same report moved money twice");
    assert_eq!(again.order, order, "the same report taught something the second time");
    let backwards: Vec<Report> = reports.iter().rev().cloned().collect();
    let other = fold(rules, &backwards);
    assert_eq!(stand(rules, &order), stand(rules, &other), "it stands as its reports came");
    assert_eq!(forget(order), forget(other), "what is known depends on what came first");
}

/// All but what left: that depends on what was known at the time.
fn forget(order: Order) -> Order {
    Order { issued: BTreeMap::new(), issued_at: BTreeSet::new(), ..order }
}
