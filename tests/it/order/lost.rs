//! Money that a report passed over: it is waited for, or a person is asked, never left out.

use std::collections::BTreeMap;

use pawl::order::amount::Amount;
use pawl::order::decide::{Decision, Seen, Verdict, decide};
use pawl::order::name::{Kind, Status};
use pawl::order::report::{Content, Expected, Origin, Registration, Report, Said};
use pawl::order::rules::{Policy, Rules};
use pawl::order::slot::{Counter, Leg, Slot};

use super::card::{
    answer, callback, card, card_with, effects, keys, last, resolution, resolved, slot, usd,
};
use super::{amount, report};
use crate::flypay::flypay;

/// `settled` comes after `paid` and says nothing of money.
fn settling(paid: &str) -> Rules {
    let from = "[status.paid]\n";
    let settled = "[status.settled]\nfinal = true\noutcome = \"succeeded\"\n";
    let to = format!("{settled}{from}edges = [\"settled\"]\n");
    let rules = card_with(from, &to, Policy::default());
    if paid.is_empty() {
        return rules;
    }
    let text = super::card::CARD.replacen(from, &to, 1);
    let text = text.replacen("to.credited = \"captured\"", paid, 1);
    let provider = pawl::provider::Provider::load("card.toml", &text).unwrap();
    provider.rules(&BTreeMap::new(), Policy::default()).unwrap()
}

#[test]
fn a_total_that_a_passed_status_did_not_say_is_waited_for() {
    let rules = settling("");
    let reports = [callback(1, usd("paid", &[])), callback(2, usd("settled", &[]))];
    let decision = last(&rules, &reports);
    assert_eq!(decision.standing.status, Some(Status::new("settled")));
    assert_eq!(keys(&decision), ["unsaid:to.credited@paid"]);
    assert!(decision.ask.is_some() && !decision.standing.is_final);
    let told =
        decide(&rules, &decision.order, &answer(3, usd("paid", &[("captured", "7")])), Seen::New);
    assert_eq!(effects(&told), ["to.credited 7 USD"]);
    // A hold that was never said needs no release: the money that was captured is all there is.
    let hold = callback(1, usd("hold", &[]));
    let paid = callback(2, usd("paid", &[("captured", "7")]));
    assert_eq!(effects(&last(&rules, &[hold, paid])), ["to.credited 7 USD"]);
}

#[test]
fn a_status_whose_requirement_is_not_met_moves_nothing_when_it_is_passed() {
    let rules = settling("to.credited = \"captured\"\nrequires = [\"fee\"]");
    let paid = |amounts: &[(&str, &str)]| usd("paid", amounts);
    let reports = [callback(1, paid(&[("captured", "7")])), callback(2, usd("settled", &[]))];
    let decision = last(&rules, &reports);
    assert_eq!(decision.standing.position.get(&slot(Counter::Credited)), None);
    assert_eq!(keys(&decision), ["unsaid:fee@paid"]);
    let told = callback(3, paid(&[("fee", "1")]));
    let told = decide(&rules, &decision.order, &told, Seen::New);
    assert_eq!(effects(&told), ["to.credited 7 USD"]);
}

fn booked(counter: Counter, text: &str) -> Report {
    let expected = Expected { amount: amount(text), currency: "USD".parse().unwrap() };
    let registration = Registration {
        kind: Some(Kind::new("withdraw")),
        expected: BTreeMap::from([(Leg::To, expected)]),
        booked: BTreeMap::from([(slot(counter), amount(text))]),
    };
    report(1, Origin::Registration, Content::Registered(registration))
}

fn withdraw(mode: &str, reports: &[Report]) -> Decision {
    let books = BTreeMap::from([(Kind::new("withdraw"), mode.to_owned())]);
    last(&flypay().rules(&books, Policy::default()).unwrap(), reports)
}

#[test]
fn what_was_booked_and_has_no_way_back_asks_for_a_person() {
    let canceled = callback(2, Said { kind: Some(Kind::new("withdraw")), ..usd("canceled", &[]) });
    let deducted = booked(Counter::Debited, "151");
    let decision = withdraw("hold", &[deducted.clone(), canceled.clone()]);
    assert_eq!(decision.verdict, Verdict::Mismatch);
    assert_eq!(keys(&decision), ["booked:to.debited"]);
    let decision = withdraw("deduct", &[deducted.clone(), canceled.clone()]);
    assert_eq!(effects(&decision), ["to.debit_reversed 151 USD"]);
    let held = withdraw("hold", &[booked(Counter::Held, "151"), canceled]);
    assert_eq!(effects(&held), ["to.released 151 USD"]);
    // What was deducted and not paid out in full cannot be told from a fee.
    let paid = [("amount_to", "60"), ("amount_to_fee", "1")];
    let partially = Said { kind: Some(Kind::new("withdraw")), ..usd("completed_partially", &paid) };
    let decision = withdraw("deduct", &[deducted, callback(2, partially)]);
    assert!(decision.effects.is_empty());
    assert_eq!(decision.standing.attention[0].key, "judgement:completed_partially");
}

/// A total belongs to the currency that was said with it.
#[test]
fn what_was_said_in_another_currency_does_not_count() {
    let rules = card(Policy::default());
    let said = |currency: &str, captured: &str| Said {
        currencies: BTreeMap::from([(Leg::To, currency.parse().unwrap())]),
        ..usd("paid", &[("captured", captured)])
    };
    let chosen = resolved(3, resolution(&[], &["currency of leg to=USD"]));
    let reports =
        [callback(1, said("USD", "10")), callback(2, said("JPY", "1500")), chosen.clone()];
    let decision = last(&rules, &reports);
    assert_eq!(decision.standing.position[&slot(Counter::Credited)], amount("10"));
    let nameless = Said { currencies: BTreeMap::new(), ..said("USD", "12") };
    let more = decide(&rules, &decision.order, &callback(4, nameless), Seen::New);
    assert_eq!(effects(&more), ["to.credited 2 USD"]);
    // What only the other currency said is not said.
    let usd_without = Said { amounts: BTreeMap::new(), ..said("USD", "0") };
    let reports = [callback(1, usd_without), callback(2, said("JPY", "1500")), chosen];
    assert_eq!(keys(&last(&rules, &reports)), ["unsaid:to.credited@paid"]);
}

#[test]
fn merging_a_booked_order_with_an_issued_one_asks_for_a_person() {
    let rules = card(Policy::default());
    let issued = last(&rules, &[callback(1, usd("hold", &[("total", "10")]))]).order;
    let held: BTreeMap<Slot, Amount> = BTreeMap::from([(slot(Counter::Held), amount("10"))]);
    let registration = Registration { booked: held, ..Registration::default() };
    let booked = report(2, Origin::Registration, Content::Registered(registration));
    let booked = last(&rules, &[booked]).order;
    assert!(issued.clone().merge(booked.clone()).merged_after_issue);
    assert!(booked.clone().merge(issued).merged_after_issue);
    assert!(!booked.clone().merge(booked).merged_after_issue, "one registration, told twice");
}
