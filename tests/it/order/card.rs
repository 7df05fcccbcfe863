//! A card payment, its reports, and what they come to: what the tests of single cases share.

use std::collections::{BTreeMap, BTreeSet};

use pawl::order::decide::{Decision, Seen, decide};
use pawl::order::joined::Order;
use pawl::order::name::{Kind, Status};
use pawl::order::report::{
    Content, Expected, Origin, Overrule, Registration, Report, Resolution, Said, Until,
};
use pawl::order::rules::{Policy, Rules};
use pawl::order::slot::{Counter, Leg, Slot};
use pawl::provider::Provider;

use super::{amount, report, said};

/// A card payment: a retry loop, a hold, a capture, and refunds beside it.
pub(crate) const CARD: &str = r#"
name = "card"
title = "Card"

[callback.signature]
scheme = "hmac"
hash = "sha256"
header = "S"
encoding = "hex"

[event]
order_id = "/id"
status = "/status"
account = "/account"
currency = "/currency"

[track.refund]
[track.dispute]

[status.started]
edges = ["trying", "hold", "paid", "cancelled"]
[status.trying]
rank = 1
edges = ["failed", "hold", "paid"]
[status.failed]
rank = 2
outcome = "failed"
edges = ["trying", "cancelled"]
[status.hold]
edges = ["paid", "cancelled"]
[status.paid]
final = true
outcome = "succeeded"
[status.cancelled]
final = true
outcome = "failed"
[status.refunded]
track = "refund"
implies = "paid"
[status.disputed]
track = "dispute"
implies = "paid"
edges = ["won", "lost"]
[status.won]
track = "dispute"
[status.lost]
track = "dispute"

[kind.order]
judged = "total"
[[kind.order.money]]
at = ["hold"]
to.held = "total"
[[kind.order.money]]
at = ["paid"]
to.credited = "captured"
closes = ["to.released"]
[[kind.order.money]]
at = ["cancelled"]
closes = ["to.released"]
[[kind.order.money]]
at = ["refunded"]
to.credit_reversed = "refunded"
[[kind.order.money]]
at = ["disputed"]
judgement = "the customer's bank disputes the payment"
"#;

pub(crate) fn card(policy: Policy) -> Rules {
    let provider =
        Provider::load("card.toml", CARD).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    provider.rules(&BTreeMap::new(), policy).unwrap()
}

pub(crate) fn usd(status: &str, amounts: &[(&str, &str)]) -> Said {
    Said {
        amounts: amounts.iter().map(|(name, text)| ((*name).to_owned(), amount(text))).collect(),
        currencies: BTreeMap::from([(Leg::To, "USD".parse().unwrap())]),
        ..said(status)
    }
}

pub(crate) fn callback(event: usize, said: Said) -> Report {
    report(event, Origin::Callback, Content::Said(said))
}

pub(crate) fn answer(event: usize, said: Said) -> Report {
    report(event, Origin::Answer, Content::Said(said))
}

pub(crate) fn registered(total: &str, currency: &str) -> Report {
    let expected = Expected { amount: amount(total), currency: currency.parse().unwrap() };
    let registration = Registration {
        kind: Some(Kind::new("order")),
        expected: BTreeMap::from([(Leg::To, expected)]),
        booked: BTreeMap::new(),
    };
    report(900, Origin::Registration, Content::Registered(registration))
}

/// Decides one by one; the last decision.
pub(crate) fn last(rules: &Rules, reports: &[Report]) -> Decision {
    let mut order = Order::default();
    let mut last = None;
    for report in reports {
        let decision = decide(rules, &order, report, Seen::New);
        order = decision.order.clone();
        last = Some(decision);
    }
    last.unwrap()
}

pub(crate) fn effects(decision: &Decision) -> Vec<String> {
    let text =
        |e: &pawl::order::effect::Effect| format!("{} {} {}", e.slot, e.amount(), e.currency);
    decision.effects.iter().map(text).collect()
}

/// A definition with something of it replaced.
pub(crate) fn card_with(from: &str, to: &str, policy: Policy) -> Rules {
    assert!(CARD.contains(from), "{from}");
    let text = CARD.replacen(from, to, 1);
    let provider =
        Provider::load("card.toml", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    provider.rules(&BTreeMap::new(), policy).unwrap()
}

pub(crate) fn slot(counter: Counter) -> Slot {
    Slot::new(Leg::To, counter)
}

pub(crate) fn resolution(overrules: &[&str], waives: &[&str]) -> Resolution {
    let overrule = |status: &&str| Overrule::Status(Status::new(*status), Until::Always);
    Resolution {
        by: "ada".to_owned(),
        why: "the bank says so".to_owned(),
        overrules: overrules.iter().map(overrule).collect::<BTreeSet<_>>(),
        waives: waives.iter().map(|key| (*key).to_owned()).collect(),
        compensates: BTreeMap::new(),
        asks: false,
    }
}

pub(crate) fn resolved(event: usize, resolution: Resolution) -> Report {
    report(event, Origin::Operator, Content::Resolved(resolution))
}

/// The keys of all that holds effects back.
pub(crate) fn keys(decision: &Decision) -> Vec<String> {
    decision.standing.holds.iter().flat_map(|hold| hold.keys.clone()).collect()
}
