//! What a person may decide, and what stays decided.

use std::collections::{BTreeMap, BTreeSet};

use pawl::order::decide::{Seen, Verdict, decide};
use pawl::order::joined::Order;
use pawl::order::name::Status;
use pawl::order::report::{Content, Origin, Overrule, Report, Resolution, Said, Until};
use pawl::order::resolve::{self, ResolveError};
use pawl::order::rules::{Policy, Rules};
use pawl::order::slot::{Counter, Leg, Slot};
use pawl::order::standing::{Cause, Standing};
use pawl::order::timestamp::Timestamp;

use super::plan::{Plan, PlannedStatus};
use super::{amount, at, fold, report, said, stand};

fn check(
    rules: &Rules,
    order: &Order,
    resolution: &Resolution,
    now: Timestamp,
) -> Result<(), ResolveError> {
    resolve::check(rules, order, resolution, &BTreeSet::new(), now).map(drop)
}

/// s0 leads to s1 and to s2, which exclude each other; s1 leads to s3; s4 and s5 retry each other.
fn plan() -> Plan {
    let status = |edges: &[usize], credited: bool| PlannedStatus {
        is_side: false,
        edges: edges.iter().copied().collect(),
        implies: None,
        totals: credited.then_some((Counter::Credited, 0)).into_iter().collect(),
        closes: BTreeSet::new(),
    };
    Plan {
        statuses: vec![
            status(&[1, 2, 4], false),
            status(&[3], true),
            status(&[], false),
            status(&[], true),
            status(&[5, 2], false),
            status(&[4], false),
        ],
        level: false,
    }
}

fn callback(event: usize, status: &str, credited: &str) -> Report {
    let content = Said {
        amounts: BTreeMap::from([("a".to_owned(), amount(credited))]),
        currencies: BTreeMap::from([(Leg::To, "USD".parse().unwrap())]),
        ..said(status)
    };
    report(event, Origin::Callback, Content::Said(content))
}

fn resolution(overrules: impl IntoIterator<Item = Overrule>) -> Resolution {
    Resolution {
        by: "ada".to_owned(),
        why: "the bank says so".to_owned(),
        overrules: overrules.into_iter().collect(),
        waives: BTreeSet::new(),
        compensates: BTreeMap::new(),
        asks: false,
    }
}

fn overrule(status: &str) -> Overrule {
    Overrule::Status(Status::new(status), Until::Always)
}

fn resolved(resolution: Resolution) -> Report {
    report(99, Origin::Operator, Content::Resolved(resolution))
}

#[test]
fn an_overruled_loser_stays_overruled_when_it_is_delivered_again() {
    let rules = plan().rules(Policy::default());
    let (won, lost) = (callback(1, "s1", "10"), callback(2, "s2", "0"));
    let order = fold(&rules, &[lost.clone(), won, resolved(resolution([overrule("s2")]))]);
    assert_eq!(stand(&rules, &order).status, Some(Status::new("s1")));
    let credited = Slot::new(Leg::To, Counter::Credited);
    assert_eq!(order.on_the_books(credited), amount("10"));
    for seen in [Seen::Same, Seen::New] {
        let again = decide(&rules, &order, &lost, seen);
        assert_eq!(again.standing.status, Some(Status::new("s1")));
        assert!(again.effects.is_empty());
        assert_ne!(again.verdict, Verdict::Conflict);
    }
}

#[test]
fn a_report_ahead_of_an_overruled_claim_is_a_conflict_again() {
    let rules = plan().rules(Policy::default());
    let reports = [
        callback(1, "s1", "10"),
        callback(2, "s2", "0"),
        resolved(resolution([overrule("s1")])),
        callback(3, "s3", "10"),
    ];
    let order = fold(&rules, &reports);
    let heads: Vec<_> = stand(&rules, &order).heads.into_values().flatten().collect();
    assert_eq!(heads, [Status::new("s2"), Status::new("s3")]);
}

#[test]
fn in_a_loop_a_status_is_overruled_up_to_its_time_only() {
    let rules = plan().rules(Policy::default());
    let timed = |event, status: &str, secs| {
        let content = Said { time: Some(at(secs)), ..said(status) };
        report(event, Origin::Callback, Content::Said(content))
    };
    let order = fold(&rules, &[timed(1, "s4", -9), timed(2, "s5", -8)]);
    let overrule = Overrule::status(&rules.machine, &order, &Status::new("s5"));
    assert_eq!(overrule, Overrule::Status(Status::new("s5"), Until::Time(Some(at(-8)))));
    let resolved = resolved(resolution([overrule]));
    let order = fold(&rules, &[timed(1, "s4", -9), timed(2, "s5", -8), resolved.clone()]);
    assert_eq!(stand(&rules, &order).status, Some(Status::new("s4")));
    let order = fold(&rules, &[resolved, timed(3, "s5", -7), timed(1, "s4", -9)]);
    assert_eq!(stand(&rules, &order).status, Some(Status::new("s5")));
    let outside = Overrule::status(&rules.machine, &Order::default(), &Status::new("s2"));
    assert_eq!(outside, Overrule::Status(Status::new("s2"), Until::Always));
}

#[test]
fn a_resolution_may_not_leave_an_order_without_a_head_or_behind_its_money() {
    let rules = plan().rules(Policy::default());
    let refuse = |order: &Order, resolution: &Resolution| {
        check(&rules, order, resolution, at(0)).expect_err("it must be refused")
    };
    let order = fold(&rules, &[callback(1, "s0", "0"), callback(2, "s1", "10")]);
    assert_eq!(refuse(&order, &resolution([])), ResolveError::Empty);
    let all = resolution([overrule("s0"), overrule("s1")]);
    assert_eq!(refuse(&order, &all), ResolveError::NoHead);
    let missing = resolution([overrule("s2")]);
    assert_eq!(refuse(&order, &missing), ResolveError::NotClaimed(Status::new("s2")));
    let behind =
        ResolveError::BehindIssued { head: Status::new("s0"), issued_at: Status::new("s1") };
    assert_eq!(refuse(&order, &resolution([overrule("s1")])), behind);
}

#[test]
fn what_left_too_much_is_made_up_for_in_the_open_once() {
    let rules = plan().rules(Policy::default());
    let order = fold(&rules, &[callback(1, "s1", "10"), callback(2, "s2", "0")]);
    let credited = Slot::new(Leg::To, Counter::Credited);
    let reversed = credited.with(Counter::CreditReversed);
    let bare = resolution([overrule("s1")]);
    let refused = ResolveError::OverIssued { slot: credited, excess: amount("10") };
    assert_eq!(check(&rules, &order, &bare, at(0)), Err(refused.clone()));
    assert!(refused.to_string().contains("compensate 10 in to.credit_reversed"), "{refused}");
    let part = |text| Resolution {
        compensates: BTreeMap::from([(reversed, amount(text))]),
        ..bare.clone()
    };
    let refused = ResolveError::OverIssued { slot: credited, excess: amount("6") };
    assert_eq!(check(&rules, &order, &part("4"), at(0)), Err(refused));
    assert_eq!(check(&rules, &order, &part("10"), at(0)), Ok(()));

    let made_up = resolved(part("10"));
    let decision = decide(&rules, &order, &made_up, Seen::New);
    assert_eq!(decision.verdict, Verdict::Applied);
    let [effect] = &decision.effects[..] else { panic!("{:?}", decision.effects) };
    assert_eq!((effect.slot, effect.amount()), (reversed, amount("10")));
    assert_eq!(effect.compensates, Some(made_up.event_id.clone()));
    let key = uuid::Uuid::nil();
    let rise = pawl::order::effect::Effect { compensates: None, ..effect.clone() };
    assert_ne!(effect.id(key), rise.id(key), "it is not the rise of a counter");
    // Neither the counters nor what was issued know of it.
    assert_eq!(decision.order.issued, order.issued);
    assert!(decision.standing.holds.is_empty() && decision.standing.attention.is_empty());
    let again = decide(&rules, &decision.order, &made_up, Seen::Same);
    assert!(again.effects.is_empty());
    assert_eq!((again.verdict, again.order), (Verdict::Duplicate, decision.order));
}

#[test]
fn what_left_too_much_and_was_not_made_up_for_waits_for_a_person() {
    let rules = plan().rules(Policy::default());
    let reports =
        [callback(1, "s1", "10"), callback(2, "s2", "0"), resolved(resolution([overrule("s1")]))];
    let order = fold(&rules, &reports);
    let standing = Standing::of(&rules, &order, at(0));
    let keys: Vec<_> = standing.attention.iter().map(|attention| attention.key.as_str()).collect();
    assert_eq!(keys, ["over_issued:to.credited=10"]);
    // To leave it as it is can be accepted as well, also at once with the overrule.
    let waives = BTreeSet::from([keys[0].to_owned()]);
    let accepted = Resolution { waives, ..resolution([overrule("s1")]) };
    assert_eq!(check(&rules, &fold(&rules, &reports[..2]), &accepted, at(0)), Ok(()));
    let decision = decide(&rules, &order, &resolved(accepted), Seen::New);
    assert!(decision.standing.attention.is_empty());
}

#[test]
fn a_fall_of_a_level_total_by_overrule_makes_up_for_itself() {
    let mut plan = plan();
    plan.level = true;
    plan.statuses[0].totals.clear();
    plan.statuses[3].totals = BTreeMap::from([(Counter::CreditReversed, 0)]);
    let rules = plan.rules(Policy::default());
    let reports = [callback(1, "s1", "10"), callback(2, "s3", "4"), callback(3, "s2", "0")];
    let order = fold(&rules, &reports);
    let overruled = resolution([overrule("s2"), overrule("s3")]);
    let decision = decide(&rules, &order, &resolved(overruled), Seen::New);
    let effects: Vec<_> =
        decision.effects.iter().map(|e| format!("{} {}", e.slot, e.amount())).collect();
    assert_eq!(effects, ["to.credited 4"]);
    assert!(decision.standing.attention.is_empty());
}

#[test]
fn only_what_stands_can_be_accepted() {
    let rules = plan().rules(Policy::default());
    let order = fold(&rules, &[callback(1, "s1", "10"), callback(2, "s2", "0")]);
    let waive =
        |key: &str| Resolution { waives: BTreeSet::from([key.to_owned()]), ..resolution([]) };
    let error = check(&rules, &order, &waive("nonsense"), at(0)).expect_err("nothing goes by it");
    let conflict = "conflict:payment=s1,s2";
    let standing = vec![conflict.to_owned()];
    assert_eq!(error, ResolveError::UnknownKey { key: "nonsense".to_owned(), standing });
    assert!(error.to_string().contains(conflict), "{error}");
    // Whoever knows of a conflict is not reminded of it; it stands all the same.
    assert_eq!(check(&rules, &order, &waive(conflict), at(0)), Ok(()));
    let dismissed = decide(&rules, &order, &resolved(waive(conflict)), Seen::New);
    assert!(dismissed.standing.attention.is_empty());
    assert!(dismissed.standing.is_held_by(Cause::Conflict));
}
