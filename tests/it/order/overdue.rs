//! What is waited for too long is told to a person, until it comes.

use std::collections::BTreeMap;

use pawl::order::decide::{Decision, Seen, decide, judge_again};
use pawl::order::joined::Order;
use pawl::order::name::Status;
use pawl::order::report::{OperationName, Origin, Report, Said};
use pawl::order::rules::{Confirm, Policy, Rules, Unregistered};
use pawl::order::standing::{AttentionCode, Standing};

use super::card::{answer, callback, card, card_with, last, registered, resolution, resolved, usd};
use super::operation::credit_with;
use super::{amount, at, said};

const HOUR: i64 = 3600;

fn told() -> Policy {
    Policy { early_secs: Some(3600), ..Policy::default() }
}

fn heard_at(secs: i64, report: Report) -> Report {
    Report { received_at: at(secs), ..report }
}

/// The keys of what is waited for too long at a time.
fn overdue(rules: &Rules, order: &Order, secs: i64) -> Vec<String> {
    let standing = Standing::of(rules, order, at(secs));
    let overdue = standing.attention.into_iter().filter(|a| a.code == AttentionCode::EarlyOverdue);
    overdue.map(|attention| attention.key.trim_start_matches("early_overdue:").to_owned()).collect()
}

/// A case: it waits for this since a time, is told of an hour later, and no more once a report has come.
fn check(rules: &Rules, reports: &[Report], (key, since): (&str, i64), comes: &Report) {
    let order = last(rules, reports).order;
    assert_eq!(overdue(rules, &order, since + HOUR - 1), [""; 0], "{key}");
    let before = Standing::of(rules, &order, at(since + HOUR - 1));
    assert_eq!(before.judge_again_at(), Some(at(since + HOUR)), "{key}");
    let (_, standing, effects) = judge_again(rules, &order, at(since + HOUR));
    assert!(effects.is_empty(), "{key}: to tell a person moves nothing");
    assert_eq!(overdue(rules, &order, since + HOUR), [key]);
    assert_eq!(standing.judge_again_at(), None, "{key}: once it is told, nothing comes by itself");
    let text =
        &standing.attention.iter().find(|a| a.code == AttentionCode::EarlyOverdue).unwrap().text;
    assert!(text.contains(&format!("waiting since {}", at(since))), "{text}");
    let come = heard_at(since + 2 * HOUR, comes.clone());
    let ended = decide(rules, &order, &come, Seen::New);
    assert_eq!(overdue(rules, &ended.order, since + 9 * HOUR), [""; 0], "{key}");
}

#[test]
fn each_thing_that_is_waited_for_is_told_after_the_deadline_and_ends_when_it_comes() {
    let paid = |captured: &str| usd("paid", &[("captured", captured)]);
    let hold = usd("hold", &[("total", "10")]);
    let waits = card(Policy { unregistered: Unregistered::Wait, ..told() });
    let early = [heard_at(5, callback(1, hold.clone())), heard_at(9, callback(2, paid("10")))];
    check(&waits, &early, ("registration", 5), &registered("10", "USD"));
    let plain = card(told());
    // What came before it was not waited with.
    let unsaid = [heard_at(5, callback(1, hold)), heard_at(HOUR, callback(2, usd("paid", &[])))];
    check(&plain, &unsaid, ("unsaid:to.credited@paid", HOUR), &answer(3, paid("10")));
    let nameless = Said { amounts: paid("10").amounts, ..said("paid") };
    let started = heard_at(1, callback(1, said("started")));
    let moneyless = [started, heard_at(70, callback(2, nameless))];
    check(&plain, &moneyless, ("currency=to", 70), &answer(3, paid("10")));
    let always = card(Policy { confirm: Confirm::Always, ..told() });
    let unconfirmed =
        [heard_at(20, callback(1, paid("10"))), heard_at(30, callback(2, paid("10")))];
    check(&always, &unconfirmed, ("unconfirmed:paid=10", 20), &answer(3, paid("10")));
    let confirm = Confirm::When { above: Some(amount("100")), statuses: [].into() };
    let above = card(Policy { confirm, ..told() });
    let more = [heard_at(0, answer(1, paid("90"))), heard_at(40, callback(2, paid("250")))];
    check(&above, &more, ("unconfirmed:paid=250", 40), &answer(3, paid("250")));
}

/// The provider's answers deny what a signed callback claimed: the money is held back, and somebody is told.
#[test]
fn a_claim_that_the_answers_deny_is_told_long_before_the_horizon() {
    let rules = card(Policy { confirm: Confirm::Always, ..told() });
    let claimed = heard_at(0, callback(1, usd("paid", &[("captured", "10")])));
    let denied = |n: i64| {
        let hold = usd("hold", &[("total", "10")]);
        heard_at(n * 600, answer(10 + usize::try_from(n).unwrap(), hold))
    };
    let reports: Vec<Report> = std::iter::once(claimed).chain((1..6).map(denied)).collect();
    let decision = last(&rules, &reports);
    assert!(decision.standing.attention.is_empty(), "{:?}", decision.standing.attention);
    assert_eq!(decision.standing.judge_again_at(), Some(at(HOUR)));
    assert_eq!(overdue(&rules, &decision.order, HOUR), ["unconfirmed:paid=10"]);
}

/// An answer without a time of its own is of the time at which it was given: the same answer again is no news.
#[test]
fn who_says_the_same_again_at_another_time_does_not_make_it_new() {
    let rules = card(told());
    let said = |n: i64| {
        let said = Said { time: Some(at(n * 600)), ..usd("paid", &[]) };
        heard_at(n * 600, answer(usize::try_from(n).unwrap(), said))
    };
    let mut reports: Vec<Report> = (1..9).map(said).collect();
    let order = last(&rules, &reports).order;
    assert_eq!(overdue(&rules, &order, 600 + HOUR - 1), [""; 0]);
    assert_eq!(overdue(&rules, &order, 600 + HOUR), ["unsaid:to.credited@paid"]);
    reports.reverse();
    assert_eq!(last(&rules, &reports).order.claims, order.claims);
}

#[test]
fn since_when_does_not_depend_on_the_order_in_which_reports_are_decided() {
    let rules =
        card(Policy { confirm: Confirm::Always, unregistered: Unregistered::Wait, ..told() });
    let reports = [
        heard_at(50, callback(1, usd("hold", &[("total", "10")]))),
        heard_at(10, callback(2, usd("paid", &[("captured", "10")]))),
        heard_at(30, callback(3, usd("paid", &[("captured", "10")]))),
        heard_at(40, callback(4, usd("refunded", &[("captured", "10"), ("refunded", "4")]))),
    ];
    let waits = |reports: &[&Report]| {
        let reports: Vec<Report> = reports.iter().map(|report| (*report).clone()).collect();
        let standing = last(&rules, &reports).standing;
        let mut waits: Vec<_> = standing.waits.into_iter().map(|w| (w.key, w.since)).collect();
        waits.sort();
        waits
    };
    let [a, b, c, d] = &reports;
    let expected = waits(&[a, b, c, d]);
    let since: BTreeMap<&str, _> = expected.iter().map(|(key, at)| (key.as_str(), *at)).collect();
    assert_eq!(since["registration"], at(10));
    assert_eq!(since["unconfirmed:paid=10"], at(10));
    assert_eq!(since["unconfirmed:refunded=4"], at(40));
    for order in [[d, c, b, a], [b, a, d, c], [c, d, a, b], [a, c, b, d], [d, a, c, b]] {
        assert_eq!(waits(&order), expected);
    }
}

#[test]
fn what_ends_by_itself_is_not_told() {
    let settle_after_secs = BTreeMap::from([(Status::new("failed"), 9000)]);
    let rules = card(Policy { settle_after_secs, ..told() });
    let decision = last(&rules, &[callback(1, usd("failed", &[]))]);
    assert_eq!(decision.standing.judge_again_at(), Some(at(9000)));
    assert_eq!(overdue(&rules, &decision.order, 8999), [""; 0]);
    let nobody = card(Policy { early_secs: None, ..told() });
    let early = last(&nobody, &[callback(1, usd("paid", &[]))]);
    assert_eq!(early.standing.judge_again_at(), None);
}

#[test]
fn who_dismisses_it_is_not_told_again_and_lifts_nothing() {
    let rules = card(told());
    let early = last(&rules, &[callback(1, usd("paid", &[]))]);
    let key = "early_overdue:unsaid:to.credited@paid";
    let later = heard_at(HOUR, resolved(2, resolution(&[], &[key])));
    let dismissed: Decision = decide(&rules, &early.order, &later, Seen::New);
    assert!(dismissed.standing.attention.is_empty());
    assert_eq!(dismissed.standing.holds.len(), 1, "it waits all the same");
    assert_eq!(overdue(&rules, &dismissed.order, 9 * HOUR), [""; 0]);
    // Something else that is waited for is told of all the same.
    let refund = heard_at(HOUR, callback(3, usd("refunded", &[("captured", "10")])));
    let more = decide(&rules, &dismissed.order, &refund, Seen::New);
    assert_eq!(overdue(&rules, &more.order, 3 * HOUR), ["unsaid:to.credit_reversed@refunded"]);
}

#[test]
fn a_kind_that_nobody_names_is_waited_for() {
    let rules = card_with("[event]\n", "[kind.other]\n[event]\nkind = \"/kind\"\n", told());
    let kind = Said {
        kind: Some(pawl::order::name::Kind::new("order")),
        ..usd("paid", &[("captured", "10")])
    };
    let early = [heard_at(3, callback(1, usd("paid", &[("captured", "10")])))];
    check(&rules, &early, ("kind", 3), &answer(2, kind));
}

#[test]
fn an_operation_that_waits_is_told_and_what_counts_leaves_meanwhile() {
    let rules = credit_with(told());
    let operation = |event, name: &str, id: &str, value: &str| {
        let content = Said {
            operation: Some(OperationName { name: name.to_owned(), id: id.to_owned() }),
            amounts: BTreeMap::from([("amount".to_owned(), amount(value))]),
            currencies: usd("x", &[]).currencies,
            ..Said::default()
        };
        super::report(event, Origin::Callback, pawl::order::report::Content::Said(content))
    };
    let settled = heard_at(30, operation(1, "SETTLE", "s-1", "80"));
    let again = heard_at(10, settled.clone());
    for reports in [[settled.clone(), again.clone()], [again, settled]] {
        check(
            &rules,
            &reports,
            ("operation=SETTLE:s-1", 10),
            &operation(2, "AUTHORISE", "a", "120"),
        );
    }
}
