//! Each reason that holds effects back says what it is, and goes with the report that ends it.

use std::collections::{BTreeMap, BTreeSet};

use pawl::order::decide::{Seen, decide, judge_again};
use pawl::order::name::{Kind, Status};
use pawl::order::report::{Report, Said};
use pawl::order::rules::{AmountPolicy, Confirm, Policy, Rules, Unregistered};
use pawl::order::slot::Leg;

use super::card::{answer, callback, card, card_with, effects, last, registered, usd};
use super::{amount, at, said};

/// It is held back for this reason, also by the next report that brings nothing; then something ends it.
fn check(rules: &Rules, reports: &[Report], reason: &str, ends: Option<&Report>) {
    let held = last(rules, reports);
    let texts = |standing: &pawl::order::Standing| -> Vec<String> {
        standing.holds.iter().map(|hold| hold.text.clone()).collect()
    };
    assert_eq!(texts(&held.standing), [reason]);
    assert_eq!(held.reason, reason, "the report's own verdict says so");
    assert!(held.effects.is_empty());
    let nothing = callback(80, usd("started", &[]));
    let again = decide(rules, &held.order, &nothing, Seen::New);
    assert_eq!((texts(&again.standing), effects(&again)), (vec![reason.to_owned()], vec![]));
    let Some(ends) = ends else { return };
    let ended = decide(rules, &again.order, ends, Seen::New);
    assert_eq!(texts(&ended.standing), [""; 0]);
    assert!(!ended.effects.is_empty(), "{reason}");
}

#[test]
fn each_reason_is_said_and_ends() {
    let paid = |captured: &str| usd("paid", &[("captured", captured), ("total", captured)]);
    let judged = |kind| {
        card(Policy {
            unregistered: Unregistered::Wait,
            amount: BTreeMap::from([((Kind::new("order"), None), kind)]),
            tolerance: amount("0.5"),
            ..Policy::default()
        })
    };
    let plain = card(Policy::default());
    let early = [callback(1, paid("10"))];
    let waits = card(Policy { unregistered: Unregistered::Wait, ..Policy::default() });
    check(&waits, &early, "the order is not registered", Some(&registered("10", "USD")));
    let less = [registered("10", "USD"), callback(1, paid("9"))];
    let reason = "9 moved on leg to, registered was exactly 10, with a tolerance of 0.5";
    check(&judged(AmountPolicy::Exact), &less, reason, Some(&callback(2, paid("9.6"))));
    let more = [registered("10", "USD"), callback(1, paid("11"))];
    let reason = "11 moved on leg to, registered was at most 10, with a tolerance of 0.5";
    check(&judged(AmountPolicy::AtMost), &more, reason, None);
    let ours = card(Policy { account: Some("ours".to_owned()), ..Policy::default() });
    let theirs = [callback(1, Said { account: Some("theirs".to_owned()), ..paid("10") })];
    let reason = "it was said to belong to the account `theirs`, not to `ours`";
    check(&ours, &theirs, reason, None);
    let yen = Said { currencies: [(Leg::To, "JPY".parse().unwrap())].into(), ..said("paid") };
    let both = [callback(1, paid("10")), callback(2, yen.clone())];
    assert_eq!(last(&plain, &both[..1]).effects.len(), 1, "one currency is no contradiction");
    let yen = [callback(2, yen), callback(1, paid("10"))];
    check(&plain, &yen, "the currency of leg to was said to be JPY and USD", None);
    let reason = "`paid` does not say to.credited: captured";
    check(&plain, &[callback(1, usd("paid", &[]))], reason, Some(&answer(2, paid("10"))));
    let required = "to.credited = \"captured\"\nrequires = [\"fee\"]";
    let requires = card_with("to.credited = \"captured\"", required, Policy::default());
    let fee = usd("paid", &[("captured", "10"), ("fee", "1")]);
    let reason = "`paid` requires fee, which was not said";
    let held = last(&requires, &early);
    assert!(
        held.standing.holds.iter().any(|hold| hold.text == reason),
        "{:?}",
        held.standing.holds
    );
    assert_eq!(effects(&decide(&requires, &held.order, &answer(2, fee), Seen::New)).len(), 1);
    let always = card(Policy { confirm: Confirm::Always, ..Policy::default() });
    let reason = "`paid` waits for the provider's own answer";
    check(&always, &early, reason, Some(&answer(2, paid("10"))));
    let confirm = Confirm::When { above: Some(amount("9.99")), statuses: BTreeSet::new() };
    let above = card(Policy { confirm, ..Policy::default() });
    let reason = "`paid` waits for the provider's own answer: 10 is above 9.99";
    check(&above, &early, reason, Some(&answer(2, paid("10"))));
    let both = [callback(1, paid("10")), callback(2, usd("cancelled", &[]))];
    let reason = "`cancelled` and `paid` were both reported, and neither leads to the other";
    assert_eq!(last(&plain, &both).reason, reason);
}

#[test]
fn a_grace_says_how_long_and_ends_by_itself() {
    let settle_after_secs = BTreeMap::from([(Status::new("failed"), 600)]);
    let from = "[[kind.order.money]]\nat = [\"cancelled\"]";
    let to = "[[kind.order.money]]\nat = [\"failed\"]\nto.held = \"total\"\n[[kind.order.money]]\nat = [\"cancelled\"]";
    let rules = card_with(from, to, Policy { settle_after_secs, ..Policy::default() });
    let failed = [callback(1, usd("failed", &[("total", "10")]))];
    check(&rules, &failed, "`failed` must stand 600 seconds before its effects leave", None);
    let order = last(&rules, &failed).order;
    assert_eq!(judge_again(&rules, &order, at(600)).2.len(), 1);
}
