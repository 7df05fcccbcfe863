//! Money that waits for the provider's own answer.

use std::collections::BTreeSet;

use pawl::order::decide::{Seen, Verdict, decide};
use pawl::order::name::Status;
use pawl::order::report::Said;
use pawl::order::rules::{Confirm, Policy, Rules};
use pawl::order::slot::Counter;
use pawl::order::standing::Cause;

use super::card::{
    answer, callback, card, card_with, effects, keys, last, resolution, resolved, slot, usd,
};
use super::{amount, at};

fn always() -> Rules {
    card(Policy { confirm: Confirm::Always, ..Policy::default() })
}

fn above(limit: &str) -> Policy {
    let confirm = Confirm::When { above: Some(amount(limit)), statuses: BTreeSet::new() };
    Policy { confirm, ..Policy::default() }
}

#[test]
fn money_waits_for_the_providers_own_answer_where_that_is_demanded() {
    let confirm = Confirm::When { above: Some(amount("100")), statuses: BTreeSet::new() };
    let rules = card(Policy { confirm, ..Policy::default() });
    let paid = |captured: &str| usd("paid", &[("captured", captured)]);
    assert_eq!(last(&rules, &[callback(1, paid("100"))]).verdict, Verdict::Applied);
    let early = last(&rules, &[callback(1, paid("100.01"))]);
    assert_eq!(early.verdict, Verdict::Early);
    assert!(early.ask.is_some());
    // The answer says less: it is the answer's money that moves; the rest still waits.
    let decision = last(&rules, &[callback(1, paid("5000")), answer(2, paid("100"))]);
    assert_eq!(decision.standing.status, Some(Status::new("paid")));
    let decision = last(&rules, &[callback(1, paid("5000")), answer(2, paid("5000"))]);
    assert_eq!(effects(&decision), ["to.credited 5000 USD"]);
}

#[test]
fn an_answer_settles_a_conflict_only_among_unconfirmed_claims() {
    let always = card(Policy { confirm: Confirm::Always, ..Policy::default() });
    let reports = [
        callback(1, usd("cancelled", &[])),
        callback(2, usd("paid", &[("captured", "10")])),
        answer(3, usd("paid", &[("captured", "10")])),
    ];
    let settled = last(&always, &reports);
    assert_eq!(settled.standing.status, Some(Status::new("paid")));
    assert_eq!(effects(&settled), ["to.credited 10 USD"]);
    let never = last(&card(Policy::default()), &reports);
    assert!(never.standing.is_held_by(Cause::Conflict));
}

#[test]
fn a_claim_behind_what_an_answer_confirmed_holds_nothing_and_does_not_count() {
    let reports = [
        callback(1, usd("hold", &[("total", "10")])),
        callback(2, usd("paid", &[("captured", "10")])),
        answer(3, usd("paid", &[("captured", "10")])),
    ];
    let decision = last(&always(), &reports);
    assert_eq!(effects(&decision), ["to.credited 10 USD"]);
    assert_eq!(decision.standing.position.get(&slot(Counter::Held)), None);
    // As long as nothing that was asked for stands ahead of it, it is waited for.
    let unasked = last(&always(), &[reports[0].clone(), callback(2, usd("disputed", &[]))]);
    assert_eq!(keys(&unasked), ["unconfirmed:hold=10", "unsaid:to.credited@paid"]);
}

#[test]
fn more_money_at_the_heads_own_status_waits_for_the_answer_too() {
    let rules = card(above("100"));
    let paid = |captured: &str| usd("paid", &[("captured", captured)]);
    let reports = [callback(1, paid("90")), callback(2, paid("250"))];
    let decision = last(&rules, &reports);
    assert_eq!(decision.verdict, Verdict::Early);
    assert!(decision.ask.is_some());
    assert_eq!(keys(&decision), ["unconfirmed:paid=250"]);
    assert!(!decision.standing.is_final);
    // A person who knows better lifts the hold; the claim still counts for nothing.
    let waived = resolved(3, resolution(&[], &["unconfirmed:paid=250"]));
    let lifted = decide(&rules, &decision.order, &waived, Seen::New);
    assert!(lifted.standing.holds.is_empty() && lifted.standing.is_final);
    assert_eq!(lifted.standing.position[&slot(Counter::Credited)], amount("90"));
    let confirmed = decide(&rules, &decision.order, &answer(3, paid("250")), Seen::New);
    assert_eq!(effects(&confirmed), ["to.credited 160 USD"]);
}

#[test]
fn the_fall_of_a_level_total_waits_for_the_answer_like_a_rise() {
    let policy = Policy { confirm: Confirm::Always, ..Policy::default() };
    let rules = card_with("judged", "level = [\"credit_reversed\"]\njudged", policy);
    let refunded = |sum: &str, secs| Said {
        time: Some(at(secs)),
        ..usd("refunded", &[("captured", "100"), ("refunded", sum)])
    };
    let before = answer(1, refunded("30", -9));
    let fell = last(&rules, &[before.clone(), callback(2, refunded("10", -8))]);
    assert_eq!(keys(&fell), ["unconfirmed:refunded=10"]);
    // Said before the other, it changes nothing.
    let older = last(&rules, &[before, callback(2, refunded("10", -10))]);
    assert_eq!(keys(&older), [""; 0]);
}

#[test]
fn a_closing_moves_what_it_closes() {
    let held = answer(1, usd("hold", &[("total", "5000")]));
    let cancelled = callback(2, usd("cancelled", &[]));
    for rules in [card(above("100")), always()] {
        let decision = last(&rules, &[held.clone(), cancelled.clone()]);
        assert_eq!(decision.standing.status, Some(Status::new("cancelled")));
        assert_eq!(keys(&decision), ["unconfirmed:cancelled=5000"]);
        assert!(decision.effects.is_empty() && decision.ask.is_some());
        let answered = answer(3, usd("cancelled", &[]));
        let confirmed = decide(&rules, &decision.order, &answered, Seen::New);
        assert_eq!(effects(&confirmed), ["to.released 5000 USD"]);
    }
    let small = [answer(1, usd("hold", &[("total", "100")])), cancelled];
    assert_eq!(effects(&last(&card(above("100")), &small)), ["to.released 100 USD"]);
}

#[test]
fn an_inherited_closing_moves_money_as_well() {
    let archived = "[status.archived]\nfinal = true\noutcome = \"failed\"\n";
    let from = "[status.cancelled]\n";
    let to = format!("{archived}{from}edges = [\"archived\"]\n");
    let rules = card_with(from, &to, Policy { confirm: Confirm::Always, ..Policy::default() });
    let held = answer(1, usd("hold", &[("total", "50")]));
    let decision = last(&rules, &[held, callback(2, usd("archived", &[]))]);
    assert_eq!(keys(&decision), ["unconfirmed:archived=50"]);
    assert!(decision.effects.is_empty());
}

#[test]
fn only_an_answer_settles_a_conflict() {
    let statuses = BTreeSet::from([Status::new("paid")]);
    let confirm = Confirm::When { above: None, statuses };
    let rules = card(Policy { confirm, ..Policy::default() });
    let cancelled = callback(1, usd("cancelled", &[]));
    let paid = usd("paid", &[("captured", "10")]);
    // That a cancellation needs no answer does not make it truer than a payment that does.
    let open = last(&rules, &[cancelled.clone(), callback(2, paid.clone())]);
    assert!(open.standing.is_held_by(Cause::Conflict));
    let settled = last(&rules, &[cancelled, callback(2, paid.clone()), answer(3, paid.clone())]);
    assert_eq!(effects(&settled), ["to.credited 10 USD"]);
    let both = [answer(1, usd("cancelled", &[])), answer(2, paid)];
    assert!(last(&rules, &both).standing.is_held_by(Cause::Conflict));
}
