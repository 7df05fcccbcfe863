//! What holds effects back, and what a report then turns out to be.

use std::collections::{BTreeMap, BTreeSet};

use pawl::order::decide::{Seen, Verdict, decide, judge_again};
use pawl::order::joined::Order;
use pawl::order::name::{Kind, OrderId, Role, Status};
use pawl::order::report::{Content, Origin, Report, Resolution, Said};
use pawl::order::rules::{Policy, Unregistered};
use pawl::order::slot::{Counter, Leg, Slot};
use pawl::order::standing::{AttentionCode, Cause};

use super::card::{
    answer, callback, card, effects, keys, last, registered, resolution, resolved, usd,
};
use super::{amount, at, report};

#[test]
fn a_first_callback_is_applied_and_its_repeat_is_a_duplicate() {
    let rules = card(Policy::default());
    let paid = callback(1, usd("paid", &[("captured", "10")]));
    let first = last(&rules, std::slice::from_ref(&paid));
    assert_eq!(
        (first.verdict, effects(&first)),
        (Verdict::Applied, vec!["to.credited 10 USD".into()])
    );
    let again = decide(&rules, &first.order, &paid, Seen::Same);
    assert_eq!((again.verdict, effects(&again)), (Verdict::Duplicate, vec![]));
    // Another event that says the same brings nothing new, and is no duplicate.
    let other =
        decide(&rules, &first.order, &callback(2, usd("paid", &[("captured", "10")])), Seen::New);
    assert_eq!(other.verdict, Verdict::Unchanged);
}

#[test]
fn an_older_status_is_stale_unless_its_amounts_were_missing() {
    let rules = card(Policy::default());
    let paid = callback(1, usd("paid", &[("captured", "8")]));
    let started = last(&rules, &[paid.clone(), callback(2, usd("started", &[]))]);
    assert_eq!(started.verdict, Verdict::Stale);
    assert_eq!(started.reason, "`started` is behind `paid`");
    // The hold was missed: what was held is known only now, and is released at once.
    let hold = last(&rules, &[paid, callback(2, usd("hold", &[("total", "10")]))]);
    assert_eq!(hold.verdict, Verdict::Applied);
    assert_eq!(effects(&hold), ["to.held 10 USD", "to.released 10 USD"]);
}

#[test]
fn a_known_event_with_other_content_is_joined_and_asked_about() {
    let rules = card(Policy::default());
    let first = last(&rules, &[callback(1, usd("paid", &[("captured", "8")]))]);
    let more = callback(1, usd("paid", &[("captured", "9")]));
    let decision = decide(&rules, &first.order, &more, Seen::Differently);
    assert_eq!(decision.verdict, Verdict::Applied);
    assert_eq!(effects(&decision), ["to.credited 1 USD"]);
    assert_eq!(decision.ask.as_deref(), Some("one event came with two contents"));
}

#[test]
fn statuses_that_exclude_each_other_are_a_conflict_until_one_leads_on() {
    let rules = card(Policy::default());
    let hold = callback(1, usd("hold", &[("total", "10")]));
    let paid = callback(2, usd("paid", &[("captured", "10")]));
    let cancelled = callback(3, usd("cancelled", &[]));
    let decision = last(&rules, &[hold, cancelled, paid]);
    assert_eq!(decision.verdict, Verdict::Conflict);
    assert_eq!(decision.standing.status, None);
    assert!(decision.effects.is_empty());
    assert_eq!(decision.standing.attention[0].code, AttentionCode::Conflict);
    assert!(decision.ask.is_some());
    // Nothing leads on from both here. In the loop, something does.
    let failed = callback(1, Said { time: Some(at(-9)), ..usd("failed", &[]) });
    let started = last(&rules, &[failed, callback(2, usd("hold", &[("total", "4")]))]);
    assert_eq!(started.verdict, Verdict::Applied);
}

#[test]
fn a_dispute_that_contradicts_itself_asks_for_a_person_and_holds_no_money() {
    let rules = card(Policy::default());
    let reports = [
        callback(1, usd("won", &[])),
        callback(2, usd("lost", &[])),
        callback(3, usd("paid", &[("captured", "10")])),
    ];
    let decision = last(&rules, &reports);
    assert_eq!(effects(&decision), ["to.credited 10 USD"]);
    let codes: Vec<_> = decision.standing.attention.iter().map(|a| a.code).collect();
    assert_eq!(codes, [AttentionCode::Conflict]);
}

#[test]
fn a_side_status_claims_what_it_implies_with_its_own_amounts() {
    let rules = card(Policy::default());
    let refunded = callback(1, usd("refunded", &[("refunded", "3"), ("captured", "10")]));
    let decision = last(&rules, &[refunded]);
    assert_eq!(decision.standing.status, Some(Status::new("paid")));
    assert_eq!(effects(&decision), ["to.credited 10 USD", "to.credit_reversed 3 USD"]);
    // Without the amount that `paid` needs, nothing leaves: not even the refund.
    let decision = last(&rules, &[callback(1, usd("refunded", &[("refunded", "3")]))]);
    assert_eq!(decision.verdict, Verdict::Early);
    assert!(decision.effects.is_empty());
    assert!(!decision.standing.is_final);
    let judged = last(&rules, &[callback(1, usd("disputed", &[("captured", "10")]))]);
    assert_eq!(judged.standing.attention[0].code, AttentionCode::Judgement);
}

#[test]
fn a_final_status_without_its_amount_is_early_and_asked_about() {
    let rules = card(Policy::default());
    let paid = callback(1, usd("paid", &[]));
    let decision = last(&rules, std::slice::from_ref(&paid));
    assert_eq!(decision.verdict, Verdict::Early);
    assert_eq!(decision.reason, "`paid` does not say to.credited: captured");
    assert!(decision.ask.is_some());
    assert!(!decision.standing.is_final, "there is something left to ask");
    let decision = last(&rules, &[paid, answer(2, usd("paid", &[("captured", "10")]))]);
    assert_eq!(effects(&decision), ["to.credited 10 USD"]);
    assert!(decision.standing.is_final);
    assert_eq!(decision.ask, None);
}

#[test]
fn an_unknown_status_changes_nothing_but_asks_for_a_person() {
    let rules = card(Policy::default());
    let hold = callback(1, usd("hold", &[("total", "10")]));
    let odd = callback(2, usd("captured_twice", &[("captured", "99"), ("total", "99")]));
    let decision = last(&rules, &[hold.clone(), odd]);
    assert_eq!(decision.verdict, Verdict::UnknownStatus);
    assert_eq!(decision.standing.status, Some(Status::new("hold")));
    assert!(decision.effects.is_empty());
    assert_eq!(decision.standing.attention[0].code, AttentionCode::UnknownStatus);
    let repeated =
        decide(&rules, &decision.order, &callback(2, usd("captured_twice", &[])), Seen::Same);
    assert_eq!(repeated.verdict, Verdict::Duplicate);
    // Spelled otherwise, a known status is known.
    let spelled = last(&rules, &[callback(1, usd(" HOLD ", &[("total", "10")]))]);
    assert_eq!(spelled.verdict, Verdict::Applied);
}

#[test]
fn a_hint_moves_nothing_and_makes_us_ask() {
    let rules = card(Policy::default());
    let decision =
        decide(&rules, &Order::default(), &report(1, Origin::Callback, Content::Hint), Seen::New);
    assert_eq!(decision.verdict, Verdict::Hint);
    assert_eq!(decision.order, Order::default());
    assert!(decision.ask.is_some());
}

#[test]
fn an_unregistered_order_waits_where_the_source_says_so() {
    let rules = card(Policy { unregistered: Unregistered::Wait, ..Policy::default() });
    let paid = callback(1, usd("paid", &[("captured", "10")]));
    let early = last(&rules, std::slice::from_ref(&paid));
    assert_eq!(early.verdict, Verdict::Early);
    assert_eq!(early.standing.status, Some(Status::new("paid")), "the head moves all the same");
    assert!(early.standing.is_final, "asking the provider would not help");
    let decision = last(&rules, &[paid, registered("10", "USD")]);
    assert_eq!(effects(&decision), ["to.credited 10 USD"]);
}

#[test]
fn a_foreign_currency_or_account_holds_everything_back() {
    let rules = card(Policy { account: Some("ours".to_owned()), ..Policy::default() });
    let paid = |account: &str, currency: &str| {
        callback(
            1,
            Said {
                account: Some(account.to_owned()),
                currencies: BTreeMap::from([(Leg::To, currency.parse().unwrap())]),
                ..usd("paid", &[("captured", "10")])
            },
        )
    };
    assert_eq!(last(&rules, &[paid("ours", "USD")]).verdict, Verdict::Applied);
    assert_eq!(last(&rules, &[paid("theirs", "USD")]).verdict, Verdict::Mismatch);
    assert_eq!(
        last(&rules, &[registered("10", "EUR"), paid("ours", "USD")]).verdict,
        Verdict::Mismatch
    );
    // A dollar does not pay for two thousand, nor does another account's order pay for ours; and
    // what arrives later does not undo it.
    let decision = last(&rules, &[paid("theirs", "USD"), paid("ours", "USD")]);
    assert!(decision.effects.is_empty());
}

#[test]
fn a_total_above_what_it_undoes_is_a_mismatch() {
    let rules = card(Policy::default());
    let refunded = usd("refunded", &[("captured", "10"), ("refunded", "11")]);
    let decision = last(&rules, &[callback(1, refunded)]);
    assert_eq!(decision.verdict, Verdict::Mismatch);
    assert_eq!(decision.reason, "to.credit_reversed came to 11, more than 10 credited");
    assert!(decision.effects.is_empty());
}

#[test]
fn a_failure_that_may_be_followed_by_success_must_stand_before_its_effects_leave() {
    let settle_after_secs = BTreeMap::from([(Status::new("failed"), 600)]);
    let rules = card(Policy { settle_after_secs, ..Policy::default() });
    let hold = callback(1, usd("hold", &[("total", "10")]));
    // `failed` leads to `hold`, so the hold is ahead; here it is the failure alone that must stand.
    let failed = callback(2, usd("failed", &[]));
    let decision = last(&rules, &[failed]);
    assert_eq!(decision.verdict, Verdict::Early);
    assert_eq!(decision.standing.judge_again_at(), Some(at(600)));
    let (_, later, _) = judge_again(&rules, &decision.order, at(600));
    assert!(later.holds.is_empty());
    let ahead = decide(&rules, &decision.order, &hold, Seen::New);
    assert_eq!(effects(&ahead), ["to.held 10 USD"]);
}

#[test]
fn a_second_failure_must_stand_as_long_as_the_first() {
    let settle_after_secs = BTreeMap::from([(Status::new("failed"), 600)]);
    let rules = card(Policy { settle_after_secs, ..Policy::default() });
    let timed = |event, status: &str, secs| {
        let said = Said { time: Some(at(secs)), ..usd(status, &[]) };
        Report { received_at: at(secs), ..callback(event, said) }
    };
    let first = timed(1, "failed", 0);
    let reports = [first.clone(), timed(2, "trying", 1000), timed(3, "failed", 2000), first];
    assert_eq!(last(&rules, &reports[..3]).standing.judge_again_at(), Some(at(2600)));
    let mut order = last(&rules, &reports).order;
    assert_eq!(judge_again(&rules, &order, at(2599)).1.judge_again_at(), Some(at(2600)));
    (order, ..) = judge_again(&rules, &order, at(2600));
    assert!(judge_again(&rules, &order, at(2600)).1.holds.is_empty());
}

#[test]
fn of_two_choices_the_later_one_stands() {
    let rules = card(Policy::default());
    let euro = |text: &str| Said {
        currencies: BTreeMap::from([(Leg::To, text.parse().unwrap())]),
        ..usd("paid", &[("captured", "10")])
    };
    let choose = |event, secs, currency: &str| {
        let key = format!("currency of leg to={currency}");
        Report { received_at: at(secs), ..resolved(event, resolution(&[], &[&key])) }
    };
    let said = [callback(1, euro("USD")), callback(2, euro("JPY"))];
    let (first, then) = (choose(3, 5, "JPY"), choose(4, 9, "USD"));
    for chosen in [[first.clone(), then.clone()], [then.clone(), first.clone()]] {
        let reports = [said.to_vec(), chosen.to_vec()].concat();
        let standing = last(&rules, &reports).standing;
        assert_eq!(standing.currencies[&Leg::To].to_string(), "USD");
        assert!(standing.keys().contains("currency of leg to=JPY"), "it can be chosen again");
    }
}

/// Whatever waits for a person goes when the person says so by its key.
#[test]
fn every_attention_goes_by_its_key() {
    let rules = card(Policy { account: Some("ours".to_owned()), ..Policy::default() });
    let odd = |account: &str, currency: &str, status: &str| Said {
        account: Some(account.to_owned()),
        kind: Some(Kind::new(if currency == "USD" { "order" } else { "swap" })),
        currencies: BTreeMap::from([(Leg::To, currency.parse().unwrap())]),
        ..usd(status, &[("captured", "1"), ("refunded", "2")])
    };
    let sets = [
        vec![
            callback(1, odd("theirs", "USD", "refunded")),
            callback(2, odd("x", "JPY", "disputed")),
        ],
        vec![callback(1, odd("ours", "JPY", "won")), callback(2, odd("ours", "JPY", "lost"))],
        vec![callback(1, odd("ours", "USD", "paid")), callback(2, odd("ours", "USD", "cancelled"))],
        vec![callback(1, odd("ours", "USD", "no_such"))],
    ];
    for reports in sets {
        let decision = last(&rules, &reports);
        assert!(!decision.standing.attention.is_empty());
        for attention in &decision.standing.attention {
            let waived = resolved(9, resolution(&[], &[&attention.key]));
            let after = decide(&rules, &decision.order, &waived, Seen::New).standing.attention;
            assert!(!after.iter().any(|other| other.text == attention.text), "{attention:?}");
        }
    }
}

#[test]
fn a_total_that_is_not_said_can_be_left_out_by_a_person() {
    let rules = card(Policy::default());
    let paid = last(&rules, &[callback(1, usd("paid", &[]))]);
    assert_eq!(keys(&paid), ["unsaid:to.credited@paid"]);
    let waived = resolved(2, resolution(&[], &["unsaid:to.credited@paid"]));
    let lifted = decide(&rules, &paid.order, &waived, Seen::New);
    assert!(lifted.standing.holds.is_empty() && lifted.standing.is_final);
}

#[test]
fn in_a_loop_the_later_time_wins_and_doubt_is_asked_about() {
    let rules = card(Policy::default());
    let timed = |event, status: &str, secs: Option<i64>| {
        callback(event, Said { time: secs.map(at), ..usd(status, &[]) })
    };
    let by_time = last(&rules, &[timed(1, "failed", Some(-9)), timed(2, "trying", Some(-8))]);
    assert_eq!(by_time.standing.status, Some(Status::new("trying")));
    assert_eq!(by_time.ask, None);
    let by_rank = last(&rules, &[timed(1, "failed", Some(-8)), timed(2, "trying", Some(-8))]);
    assert_eq!(by_rank.standing.status, Some(Status::new("failed")));
    assert_eq!(by_rank.ask.as_deref(), Some("only rank tells `trying` from `failed`"));
    let without = last(&rules, &[timed(1, "failed", Some(-8)), timed(2, "trying", None)]);
    assert_eq!(without.verdict, Verdict::Stale);
    assert!(without.ask.is_some());
    // An hour ahead of us, beyond any skew: as good as no time.
    let ahead = last(&rules, &[timed(1, "failed", Some(-8)), timed(2, "trying", Some(3600))]);
    assert_eq!(ahead.standing.status, Some(Status::new("failed")));
    assert_eq!(
        ahead.ask.as_deref(),
        Some("`trying` came with a time that lies ahead, which counts as none")
    );
}

#[test]
fn any_name_of_an_order_is_kept_with_its_role() {
    let rules = card(Policy::default());
    let name = |id: &str| OrderId::new(id).unwrap();
    let mut first = callback(1, usd("hold", &[("total", "10")]));
    first.names = BTreeMap::from([(name("m-1"), Role::Other)]);
    let mut second = callback(2, usd("paid", &[("captured", "10")]));
    second.names = BTreeMap::from([(name("m-1"), Role::Merchant), (name("p-1"), Role::Provider)]);
    let decision = last(&rules, &[first, second]);
    let names: Vec<_> = decision.order.names.into_iter().map(|(n, r)| (n.to_string(), r)).collect();
    assert_eq!(names, [("m-1".to_owned(), Role::Merchant), ("p-1".to_owned(), Role::Provider)]);
}

#[test]
fn two_orders_that_both_issued_and_turn_out_to_be_one_ask_for_a_person() {
    let rules = card(Policy::default());
    let hold = last(&rules, &[callback(1, usd("hold", &[("total", "10")]))]).order;
    let other = last(&rules, &[callback(2, usd("hold", &[("total", "10")]))]).order;
    let merged = hold.clone().merge(other);
    let (merged, standing, effects) = judge_again(&rules, &merged, at(0));
    assert!(effects.is_empty());
    assert_eq!(
        merged.issued[&Slot::new(Leg::To, Counter::Held)],
        amount("20"),
        "as the books saw it"
    );
    assert_eq!(standing.attention[0].code, AttentionCode::Identity);
    // Two of which one issued are one, and nothing more needs to be said.
    let merged = hold.merge(Order::default());
    assert!(judge_again(&rules, &merged, at(0)).1.attention.is_empty());
}

#[test]
fn a_contradiction_of_facts_waits_until_a_person_chooses() {
    let rules = card(Policy { unregistered: Unregistered::Wait, ..Policy::default() });
    let paid = callback(1, usd("paid", &[("captured", "10")]));
    let mismatch = last(&rules, &[registered("10", "EUR"), paid.clone()]);
    let hold = mismatch.standing.holds.iter().find(|hold| hold.cause == Cause::Mismatch).unwrap();
    assert_eq!(hold.keys, ["currency of leg to=EUR", "currency of leg to=USD"]);
    let resolution = Resolution {
        by: "ada".to_owned(),
        why: "the shop registered the wrong currency".to_owned(),
        overrules: BTreeSet::new(),
        waives: BTreeSet::from([hold.keys[1].clone()]),
        compensates: BTreeMap::new(),
        asks: false,
    };
    let resolved = report(9, Origin::Operator, Content::Resolved(resolution));
    let decision = last(&rules, &[registered("10", "EUR"), paid, resolved]);
    assert_eq!(effects(&decision), ["to.credited 10 USD"]);
}
