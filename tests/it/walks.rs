//! Random walks over the largest machine that comes with Pawl: whatever order their reports come in, and however
//! often, they end where the walk ended.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use pawl::order::name::Status;
use pawl::order::report::Report;
use pawl::order::rules::{Policy, Rules};
use pawl::provider::Provider;
use pawl::provider::headers::Headers;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::order::{at, cases, fold, is_held, stand};

fn cardaq() -> &'static (Provider, Rules) {
    static CARDAQ: OnceLock<(Provider, Rules)> = OnceLock::new();
    CARDAQ.get_or_init(|| {
        let all = Provider::built_in().unwrap();
        let provider = all.into_iter().find(|provider| provider.name == "cardaq").unwrap();
        let rules = provider.rules(&BTreeMap::new(), Policy::default()).unwrap();
        (provider, rules)
    })
}

/// What Cardaq says of an order on its way: a step along the edges of a track each, refunds and disputes only
/// after it was paid, events of failed beginnings by their name only.
fn walk(provider: &Provider, choices: &[Index]) -> Vec<Report> {
    let machine = &provider.machine;
    let mut at_payment = Status::new("issued");
    let (mut at_refund, mut at_dispute): (Option<Status>, Option<Status>) = (None, None);
    let (mut refunded, mut reversed) = (0_u32, 0_u32);
    let mut reports = vec![read(provider, "issued", None, 0, 0, 0)];
    for (step, choice) in choices.iter().enumerate() {
        let secs = i64::try_from(step).unwrap() + 1;
        let side = if at_payment.as_str() == "paid" { choice.index(4) } else { 0 };
        let (current, starts): (Option<&Status>, &[&str]) = match side {
            1 | 2 => (at_refund.as_ref(), &["refund_initiated", "refund_init_failed", "refunded"]),
            3 => (at_dispute.as_ref(), &["retrieval", "fraud_advice", "chargeback", "good_faith"]),
            _ => (Some(&at_payment), &[]),
        };
        let next: Vec<Status> = match current {
            Some(status) => machine.get(status).unwrap().edges.clone(),
            None => starts.iter().map(|status| Status::new(*status)).collect(),
        };
        // A test order is another order; a reversal ends the payment, which is a walk of its own.
        let next: Vec<Status> = next
            .into_iter()
            .filter(|status| !matches!(status.as_str(), "test" | "reversed"))
            .filter(|status| status.as_str() != "refund_reversed" || reversed < refunded)
            .collect();
        if next.is_empty() {
            continue;
        }
        let status = next[choice.index(next.len())].clone();
        match status.as_str() {
            "refunded" => refunded = (refunded + 30).min(100),
            "refund_reversed" => reversed = refunded,
            _ => {}
        }
        let name = match status.as_str() {
            "refund_init_failed" => Some("order.refund_init_failure"),
            "reversal_init_failed" => Some("order.reversal_init_failure"),
            _ => None,
        };
        // Such an event has no status of its own: the order is where it was.
        let said = if name.is_some() { "paid" } else { status.as_str() };
        reports.push(read(provider, said, name, secs, refunded, reversed));
        match side {
            1 | 2 => at_refund = Some(status),
            3 => at_dispute = Some(status),
            _ => at_payment = status,
        }
    }
    reports
}

fn read(
    provider: &Provider,
    status: &str,
    name: Option<&str>,
    secs: i64,
    refunded: u32,
    reversed: u32,
) -> Report {
    let name = name.map(|name| format!(r#""event_type":"{name}","#)).unwrap_or_default();
    let modified = at(secs).micros() / 1_000_000;
    let body = format!(
        r#"{{{name}"id":"c-1","number":"INV-1","status":"{status}","currency":"EUR","total":100.00,
        "is_test":false,"skip_capture":false,"modified":{modified},"amount_refunded":{refunded},
        "amount_refund_reversal":{reversed}}}"#
    );
    let reports = provider.read_callback(&Headers::default(), body.as_bytes(), at(1000));
    reports.unwrap_or_else(|error| panic!("{body}: {error}")).remove(0)
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn shuffled_and_repeated_a_walk_ends_where_it_ended(
        choices in vec(any::<Index>(), 1..24),
        order in vec(any::<Index>(), 60),
    ) {
        let (provider, rules) = cardaq();
        let reports = walk(provider, &choices);
        let end = fold(rules, &reports);
        let mut left: Vec<Report> = reports.clone();
        let mut shuffled = Vec::new();
        for index in &order {
            if left.is_empty() || index.index(3) == 0 {
                shuffled.push(index.get(&reports).clone());
            } else {
                shuffled.push(left.swap_remove(index.index(left.len())));
            }
        }
        shuffled.append(&mut left);
        let other = fold(rules, &shuffled);
        let (standing, wanted) = (stand(rules, &other), stand(rules, &end));
        prop_assert_eq!(&standing, &wanted);
        if !is_held(&wanted) {
            prop_assert_eq!(&other.issued, &end.issued);
        }
    }
}

/// A later `paid` says that no refund is under way; one that something else implies does not.
#[test]
fn what_was_begun_is_over_when_the_payment_says_so_later() {
    let (provider, rules) = cardaq();
    let said = |status, secs| read(provider, status, None, secs, 0, 0);
    let refund = |reports: &[Report]| {
        let standing = stand(rules, &fold(rules, reports));
        let heads = standing.heads.get("refund").cloned().unwrap_or_default();
        heads.iter().map(|head| head.as_str().to_owned()).collect::<Vec<_>>()
    };
    let begun = [said("paid", 10), said("refund_initiated", 20)];
    assert_eq!(refund(&begun), ["refund_initiated"]);
    let with = |more: &[Report]| refund(&[&begun[..], more].concat());
    assert_eq!(with(&[said("paid", 20)]), ["refund_initiated"], "not later");
    assert_eq!(with(&[said("chargeback", 30)]), ["refund_initiated"], "it only implies `paid`");
    assert!(with(&[said("paid", 30)]).is_empty());
    assert!(with(&[said("chargeback", 25), said("paid", 30)]).is_empty());
    assert_eq!(with(&[said("paid", 30), said("refund_initiated", 40)]), ["refund_initiated"]);
    let before = read(provider, "refunded", None, 15, 30, 0);
    assert_eq!(with(&[before, said("paid", 30)]), ["refunded"], "what was refunded stays so");
}
