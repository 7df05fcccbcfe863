//! Orders whose statuses carry totals, over random machines.

use pawl::order::joined::Order;
use pawl::order::name::Status;
use pawl::order::report::Content;
use pawl::order::rules::{Confirm, Policy, Rules};
use pawl::order::slot::{Counter, Leg, Slot};
use pawl::order::standing::Cause;
use pawl::order::{Report, Standing};
use proptest::prelude::*;
use proptest::sample::Index;

use super::plan::{Plan, case, name};
use super::{amount, cases, fold, is_held, is_in_conflict, join_all, model, nets, stand};

/// A set of reports in another order, some of them twice.
fn shuffle(reports: &[Report], seed: u64) -> Vec<Report> {
    let mut state = seed | 1;
    let mut pick = |below: usize| {
        // xorshift64: any mixing will do, as long as the seed says it all.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut all: Vec<Report> = reports.to_vec();
    for _ in 0..pick(4) {
        all.push(reports[pick(reports.len())].clone());
    }
    for last in (1..all.len()).rev() {
        all.swap(last, pick(last + 1));
    }
    all
}

/// One set of reports, taken in two ways, comes to the same. What left before an operator overruled
/// its reason stays issued, so what was issued is compared where nobody did.
fn check_same(rules: &Rules, one: &Order, other: &Order) -> Result<(), TestCaseError> {
    let (standing, others) = (stand(rules, one), stand(rules, other));
    prop_assert_eq!(&standing, &others);
    let forget = |order: &Order| Order {
        issued: std::collections::BTreeMap::new(),
        issued_at: std::collections::BTreeSet::new(),
        ..order.clone()
    };
    prop_assert_eq!(forget(one), forget(other), "the state is a function of the set");
    let is_settled = !is_over_issued(rules, one) && !is_over_issued(rules, other);
    if !is_held(&standing) && one.overruled.is_empty() && is_settled {
        prop_assert_eq!(nets(one), nets(other), "what was issued is a function of the set");
    }
    Ok(())
}

/// What was issued equals the totals whenever nothing is held back.
fn check_issued(plan: &Plan, rules: &Rules, order: &Order) -> Result<(), TestCaseError> {
    let standing = stand(rules, order);
    if is_held(&standing) || !order.overruled.is_empty() || is_over_issued(rules, order) {
        return Ok(());
    }
    for slot in Slot::all() {
        let is_level = matches!(slot.counter, Counter::Credited | Counter::CreditReversed);
        if plan.level && is_level && slot.leg == Leg::To {
            continue;
        }
        let total = standing.position.get(&slot).copied().unwrap_or_default();
        prop_assert_eq!(order.on_the_books(slot), total, "{}", slot);
    }
    Ok(())
}

/// Whether an answer settled a conflict against a head whose closings had left.
fn is_over_issued(rules: &Rules, order: &Order) -> bool {
    let standing = Standing::of(rules, order, super::at(0));
    standing.attention.iter().any(|attention| attention.key.starts_with("over_issued:"))
}

/// The policies under which all must hold: no answer demanded, always, for some claims.
fn demands() -> impl Strategy<Value = (Policy, Option<model::Demand>)> {
    let policy = |confirm| Policy { confirm, ..Policy::default() };
    let statuses = std::collections::BTreeSet::from([Status::new(name(1))]);
    let some = Confirm::When { above: Some(amount("2")), statuses };
    prop_oneof![
        2 => Just((policy(Confirm::Never), Some(model::Demand::None))),
        1 => Just((policy(Confirm::Always), Some(model::Demand::All))),
        1 => Just((policy(some), None)),
    ]
}

/// The library and the model agree on a set of reports.
fn check_model(plan: &Plan, standing: &Standing, said: &model::Said) -> Result<(), TestCaseError> {
    let heads = |side: bool| -> Vec<String> {
        let of_track = standing.heads.iter().filter(|(track, _)| track.is_payment() != side);
        let mut names: Vec<_> = of_track.flat_map(|(_, h)| h).map(ToString::to_string).collect();
        names.sort();
        names
    };
    let names = |heads: &std::collections::BTreeSet<usize>| -> Vec<String> {
        heads.iter().copied().map(name).collect()
    };
    prop_assert_eq!(heads(false), names(&said.payment_heads));
    prop_assert_eq!(heads(true), names(&said.side_heads));
    let in_conflict =
        said.payment_heads.len() > 1 || model::is_side_conflict(plan, &said.side_heads);
    prop_assert_eq!(is_in_conflict(standing), in_conflict);
    if !said.negative {
        let position = standing.position.iter().map(|(slot, v)| (slot.counter, v.to_string()));
        let wanted = said.position.iter().map(|(counter, v)| (*counter, v.to_string()));
        let position: std::collections::BTreeMap<_, _> = position.collect();
        prop_assert_eq!(position, wanted.collect());
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// Permutation, duplication and batching change neither where an order stands nor what it
    /// issued, and an independent model that folds the whole set at once agrees.
    #[test]
    fn an_order_is_a_function_of_the_set_of_its_reports(
        (plan, planned) in case(),
        (policy, demand) in demands(),
        seeds in any::<[u64; 3]>(),
    ) {
        let rules = plan.rules(policy);
        let reports = plan.reports(&planned);
        let one_by_one = fold(&rules, &reports);
        if let Some(demand) = demand {
            let said = model::fold(&plan, &planned, demand);
            check_model(&plan, &stand(&rules, &one_by_one), &said)?;
        }
        check_same(&rules, &one_by_one, &join_all(&rules, &reports))?;
        for seed in seeds {
            let shuffled = fold(&rules, &shuffle(&reports, seed));
            check_same(&rules, &one_by_one, &shuffled)?;
            check_issued(&plan, &rules, &shuffled)?;
        }
    }

    /// Without an operator, a head only ever moves to what it leads to. Where answers are demanded, it
    /// may also give way to one that an answer said.
    #[test]
    fn nothing_moves_an_order_backwards((plan, planned) in case(), (policy, _) in demands()) {
        let is_demanded = policy.confirm != Confirm::Never;
        let rules = plan.rules(policy);
        let mut reports = plan.reports(&planned);
        reports.retain(|report| !matches!(report.content, Content::Resolved(_)));
        let mut order = Order::default();
        for report in &reports {
            let seen = pawl::order::Seen::New;
            let decision = pawl::order::decide(&rules, &order, report, seen);
            let is_answered = |status: &Status| {
                decision.order.claims.iter().any(|c| c.confirmed && c.status == *status)
            };
            for step in &decision.moves {
                for from in &step.from {
                    let is_kept = step.to.contains(from);
                    let is_passed = step.to.iter().any(|to| rules.machine.leads(from, to));
                    let is_settled = is_demanded && step.to.iter().all(is_answered);
                    prop_assert!(is_kept || is_passed || is_settled, "{:?}", step);
                }
            }
            order = decision.order;
        }
    }

    /// A duplicate teaches nothing, whatever came between.
    #[test]
    fn a_repeated_report_issues_nothing((plan, planned) in case(), pick in any::<Index>()) {
        let rules = plan.rules(Policy::default());
        let reports = plan.reports(&planned);
        let order = fold(&rules, &reports);
        let again = &reports[pick.index(reports.len())];
        let decision = pawl::order::decide(&rules, &order, again, pawl::order::Seen::Same);
        prop_assert!(decision.effects.is_empty());
        prop_assert!(decision.moves.is_empty());
        prop_assert_eq!(decision.verdict, pawl::order::Verdict::Duplicate);
        prop_assert_eq!(decision.order, order);
    }

    /// Two orders that turn out to be one stand where one that had all the reports stands, and it
    /// does not matter which of them swallows the other.
    #[test]
    fn merging_two_orders_is_joining_their_reports(
        (plan, planned) in case(),
        split in any::<Index>(),
    ) {
        let rules = plan.rules(Policy::default());
        let reports = plan.reports(&planned);
        let (left, right) = reports.split_at(split.index(reports.len()));
        let (left, right) = (fold(&rules, left), fold(&rules, right));
        let merged = left.clone().merge(right.clone());
        prop_assert_eq!(&merged, &right.merge(left));
        let whole = stand(&rules, &fold(&rules, &reports));
        let mut standing = stand(&rules, &merged);
        standing.attention.retain(|a| a.key != "identity");
        prop_assert_eq!(standing, whole);
    }

    /// Where the provider's own answer is demanded, callbacks alone move no money, and with the
    /// answer it is the answer's money.
    #[test]
    fn what_must_be_confirmed_moves_no_money_before((plan, planned) in case()) {
        let rules = plan.rules(Policy { confirm: Confirm::Always, ..Policy::default() });
        let mut reports = plan.reports(&planned);
        reports.retain(|report| matches!(report.content, Content::Said(_)));
        let order = fold(&rules, &reports);
        let answers: Vec<Report> =
            reports.iter().filter(|report| report.origin.confirms()).cloned().collect();
        let confirmed = stand(&rules, &fold(&rules, &answers));
        for (slot, issued) in &order.issued {
            let is_level = plan.level && slot.with(slot.counter.opposite()).counter.undoes().is_some()
                && slot.counter == Counter::Credited;
            if is_level || (plan.level && slot.counter == Counter::CreditReversed) {
                continue;
            }
            // A closing needs the head as well, which callbacks may have moved on since.
            if slot.counter.undoes().is_some() && slot.counter != Counter::CreditReversed {
                let undone = slot.with(slot.counter.opposite());
                let ceiling = confirmed.position.get(&undone).copied().unwrap_or_default();
                prop_assert!(*issued <= ceiling, "{} {} of {}", slot, issued, ceiling);
                continue;
            }
            let ceiling = confirmed.position.get(slot).copied().unwrap_or_default();
            prop_assert!(*issued <= ceiling, "{} {} of {}", slot, issued, ceiling);
        }
    }
}

/// The state survives being stored.
#[test]
fn an_order_is_stored_and_read_back_whole() {
    let mut runner = proptest::test_runner::TestRunner::new(cases(500));
    runner
        .run(&case(), |(plan, planned)| {
            let rules = plan.rules(Policy::default());
            let order = fold(&rules, &plan.reports(&planned));
            let text = serde_json::to_string(&order).unwrap();
            let back: Order = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back, order);
            for report in plan.reports(&planned) {
                let text = serde_json::to_string(&report).unwrap();
                prop_assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
            }
            Ok(())
        })
        .unwrap();
}

/// A fall of a level counter is posted to its opposite; what was issued never falls.
#[test]
fn a_level_total_that_falls_is_posted_to_its_opposite() {
    let plan = Plan {
        statuses: vec![
            planned_status(&[1], &[(Counter::Credited, 0)]),
            planned_status(&[0], &[(Counter::CreditReversed, 1)]),
        ],
        level: true,
    };
    let rules = plan.rules(Policy::default());
    let said = |status, time, a| super::plan::Planned::Said {
        status,
        time: Some(time),
        a: Some(a),
        b: None,
        answer: false,
    };
    let refunded = plan.reports(&[said(0, -9, 100), said(1, -8, 30)]);
    let undone = plan.reports(&[said(0, -9, 100), said(1, -8, 30), said(1, -7, 10)]);
    let slot = |counter| Slot::new(Leg::To, counter);
    let order = fold(&rules, &refunded);
    assert_eq!(order.on_the_books(slot(Counter::CreditReversed)), amount("30"));
    let order = fold(&rules, &undone);
    assert_eq!(order.on_the_books(slot(Counter::CreditReversed)), amount("30"));
    assert_eq!(order.on_the_books(slot(Counter::Credited)), amount("120"));
    assert!(!stand(&rules, &order).is_held_by(Cause::Mismatch));
}

fn planned_status(edges: &[usize], totals: &[(Counter, usize)]) -> super::plan::PlannedStatus {
    super::plan::PlannedStatus {
        is_side: false,
        edges: edges.iter().copied().collect(),
        implies: None,
        totals: totals.iter().copied().collect(),
        closes: std::collections::BTreeSet::new(),
    }
}
