//! Amounts: that they fit what was registered, and that they are exact.

use std::collections::BTreeMap;

use pawl::order::amount::Amount;
use pawl::order::decide::{Decision, Verdict};
use pawl::order::name::Kind;
use pawl::order::report::{Content, Expected, Origin, Registration, Report};
use pawl::order::rules::{AmountPolicy, Policy, Rules, Unregistered};
use pawl::order::slot::{Counter, Leg};
use proptest::prelude::*;

use super::card::{
    callback, card, effects, keys, last, registered, resolution, resolved, slot, usd,
};
use super::{amount, cases, report};

#[test]
fn an_amount_must_fit_the_registered_one_as_the_policy_says() {
    let policy = |kind: AmountPolicy| Policy {
        unregistered: Unregistered::Wait,
        amount: BTreeMap::from([((Kind::new("order"), None), kind)]),
        tolerance: amount("0.01"),
        ..Policy::default()
    };
    let verdict = |kind, moved: &str| {
        let paid = callback(1, usd("paid", &[("captured", moved), ("total", moved)]));
        last(&card(policy(kind)), &[registered("10", "USD"), paid]).verdict
    };
    use AmountPolicy::{Any, AtMost, Exact};
    for (kind, moved, wanted) in [
        (Exact, "10", Verdict::Applied),
        (Exact, "10.01", Verdict::Applied),
        (Exact, "9.99", Verdict::Applied),
        (Exact, "9.98", Verdict::Mismatch),
        (Exact, "10.02", Verdict::Mismatch),
        (AtMost, "1", Verdict::Applied),
        (AtMost, "10.02", Verdict::Mismatch),
        (Any, "2000", Verdict::Applied),
    ] {
        assert_eq!(verdict(kind, moved), wanted, "{kind:?} {moved}");
    }
}

fn judged(amount: AmountPolicy) -> Rules {
    card(Policy {
        unregistered: Unregistered::Wait,
        amount: BTreeMap::from([((Kind::new("order"), None), amount)]),
        ..Policy::default()
    })
}

#[test]
fn too_much_is_wrong_at_every_status_that_moves_money() {
    for policy in [AmountPolicy::Exact, AmountPolicy::AtMost] {
        let hold = |total| callback(1, usd("hold", &[("total", total)]));
        let decision = last(&judged(policy), &[registered("10", "USD"), hold("1000")]);
        assert_eq!(decision.verdict, Verdict::Mismatch);
        assert_eq!(keys(&decision), ["amount:to=1000"]);
        assert!(decision.effects.is_empty());
        // Too little may still become enough.
        let decision = last(&judged(policy), &[registered("10", "USD"), hold("9")]);
        assert_eq!(effects(&decision), ["to.held 9 USD"]);
    }
}

#[test]
fn a_success_that_does_not_say_the_judged_amount_waits_for_it() {
    let paid = callback(1, usd("paid", &[("captured", "1000")]));
    let decision = last(&judged(AmountPolicy::Exact), &[registered("10", "USD"), paid]);
    assert_eq!(decision.verdict, Verdict::Early);
    assert_eq!(keys(&decision), ["amount:to=unsaid"]);
    assert!(decision.ask.is_some() && decision.effects.is_empty());
}

#[test]
fn an_amount_that_is_registered_for_another_leg_fits_nothing() {
    let expected = Expected { amount: amount("10"), currency: "USD".parse().unwrap() };
    let registration = Registration {
        kind: Some(Kind::new("order")),
        expected: BTreeMap::from([(Leg::From, expected)]),
        booked: BTreeMap::new(),
    };
    let registered = report(9, Origin::Registration, Content::Registered(registration));
    let paid = callback(1, usd("paid", &[("captured", "10"), ("total", "10")]));
    let decision = last(&judged(AmountPolicy::AtMost), &[registered, paid]);
    assert_eq!(keys(&decision), ["amount:to=unregistered"]);
    assert!(decision.effects.is_empty());
}

/// One registration counts, for everything that is read from it.
#[test]
fn of_two_registrations_the_chosen_one_counts_alone() {
    let rules = judged(AmountPolicy::AtMost);
    let held = |event, text: &str| -> Report {
        let expected = Expected { amount: amount(text), currency: "USD".parse().unwrap() };
        let registration = Registration {
            kind: Some(Kind::new("order")),
            expected: BTreeMap::from([(Leg::To, expected)]),
            booked: BTreeMap::from([(slot(Counter::Held), amount(text))]),
        };
        report(event, Origin::Registration, Content::Registered(registration))
    };
    let (small, large) = (held(1, "10"), held(2, "1000"));
    let both = last(&rules, &[small.clone(), large.clone()]);
    let keys_of_both = keys(&both);
    let key = keys_of_both.iter().find(|key| key.contains("=10 ")).unwrap();
    let chosen = resolved(3, resolution(&[], &[key]));
    let then = |status: &str, total: &str| -> Decision {
        let said = usd(status, &[("captured", total), ("total", total)]);
        last(&rules, &[small.clone(), large.clone(), chosen.clone(), callback(4, said)])
    };
    assert_eq!(keys(&then("paid", "1000")), ["amount:to=1000"]);
    assert_eq!(effects(&then("paid", "10")), ["to.released 10 USD", "to.credited 10 USD"]);
    assert_eq!(effects(&then("cancelled", "10")), ["to.released 10 USD"]);
}

fn amounts() -> impl Strategy<Value = Amount> {
    // Many digits: what does not fit is as frequent as what does.
    "[1-9][0-9]{0,27}|[0-9]{1,14}\\.[0-9]{1,14}|0\\.[0-9]{1,27}|9{26,28}|9{13,14}\\.9{13,14}"
        .prop_map(|text| amount(&text))
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// Whatever was added up or taken off can be stored and read back as the same amount.
    #[test]
    fn a_sum_can_be_read_back((a, b) in (amounts(), amounts())) {
        for sum in [a.plus(b), a.above(b), b.above(a)].into_iter().flatten() {
            prop_assert_eq!(sum.to_string().parse::<Amount>(), Ok(sum));
            prop_assert_eq!(Amount::from_decimal(sum.decimal()), Some(sum));
        }
        if let Some(sum) = a.plus(b) {
            prop_assert_eq!(sum.above(b), Some(a), "nothing is lost on the way");
        }
    }
}
