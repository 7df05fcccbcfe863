//! What every report means for an order in every status, for every kind: the whole table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pawl::order::decide::{Decision, Seen, decide};
use pawl::order::joined::Order;
use pawl::order::name::Kind;
use pawl::order::report::{Content, Origin, Report, Said};
use pawl::order::slot::Leg;

use super::{KINDS, STATUSES, rules};
use crate::order::{amount, fold, is_held, join_all, report, said, stand};

/// What FlyPay sends about an order of 100 USDT, out of which 0.002 BTC come.
fn says(kind: &str, status: &str) -> Report {
    let is_final = !matches!(status, "new" | "processing");
    let is_moved = is_final && !matches!(status, "canceled");
    let is_partial = status == "completed_partially";
    let mut amounts = BTreeMap::new();
    let mut add = |name: &str, text: &str| amounts.insert(name.to_owned(), amount(text));
    add("expected_amount_from", "100");
    add("expected_amount_to", "0.002");
    add("amount_to_fee", "0.0001");
    if is_moved {
        add("amount_from", if is_partial { "60" } else { "100" });
        add("amount_from_fee", "1");
        add("amount_to", if is_partial { "0.0012" } else { "0.002" });
    }
    let content = Said {
        kind: Some(Kind::new(kind)),
        amounts,
        currencies: BTreeMap::from([
            (Leg::From, "USDT".parse().unwrap()),
            (Leg::To, "BTC".parse().unwrap()),
        ]),
        ..said(status)
    };
    let event = STATUSES.iter().position(|known| *known == status).unwrap();
    report(event, Origin::Callback, Content::Said(content))
}

fn row(from: &str, status: &str, decision: &Decision) -> String {
    let standing = &decision.standing;
    let head = standing.status.as_ref().map_or("-", |status| status.as_str());
    let effects: Vec<_> =
        decision.effects.iter().map(|e| format!("{} +{}", e.slot, e.amount())).collect();
    let attention: Vec<_> = standing.attention.iter().map(|a| format!("!{}", a.code)).collect();
    let verdict = decision.verdict.as_str();
    let what = [effects, attention].concat().join("  ");
    format!("{from:<20}{status:<20}{verdict:<10}{head:<20}{what}").trim_end().to_owned()
}

#[test]
fn the_whole_decision_table() {
    let rules = rules();
    let mut table = String::new();
    for kind in KINDS {
        writeln!(
            table,
            "\n{kind}\n{:<20}{:<20}{:<10}{:<20}leaves",
            "at", "report", "verdict", "head"
        )
        .unwrap();
        for from in [None].into_iter().chain(STATUSES.map(Some)) {
            let before: Vec<Report> = from.map(|from| says(kind, from)).into_iter().collect();
            let order = fold(&rules, &before);
            for status in STATUSES {
                let seen = if from == Some(status) { Seen::Same } else { Seen::New };
                let decision = decide(&rules, &order, &says(kind, status), seen);
                writeln!(table, "{}", row(from.unwrap_or("-"), status, &decision)).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// Every sequence of up to five reports, with repeats: 9,330 for each kind. Those that say the same
/// set end the same.
#[test]
fn every_short_sequence_ends_where_its_set_ends() {
    let rules = rules();
    for kind in KINDS {
        let reports: Vec<Report> = STATUSES.iter().map(|status| says(kind, status)).collect();
        let mut ends: BTreeMap<u32, Order> = BTreeMap::new();
        let mut sequence = Vec::new();
        visit(&mut sequence, &mut |sequence: &[usize]| {
            let said: Vec<Report> = sequence.iter().map(|i| reports[*i].clone()).collect();
            let order = fold(&rules, &said);
            let set = sequence.iter().fold(0, |set, i| set | 1 << i);
            let end = ends.entry(set).or_insert_with(|| join_all(&rules, &said));
            let standing = stand(&rules, &order);
            assert_eq!(standing, stand(&rules, end), "{kind} {sequence:?}");
            if !is_held(&standing) {
                assert_eq!(order.issued, end.issued, "{kind} {sequence:?}");
            }
        });
        assert_eq!(ends.len(), 62, "every set of one to five of six statuses");
    }
}

fn visit(sequence: &mut Vec<usize>, check: &mut impl FnMut(&[usize])) {
    if !sequence.is_empty() {
        check(sequence);
    }
    if sequence.len() < 5 {
        for status in 0..STATUSES.len() {
            sequence.push(status);
            visit(sequence, check);
            sequence.pop();
        }
    }
}
