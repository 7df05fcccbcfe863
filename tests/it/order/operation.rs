//! Orders whose money is a ledger of operations: the sums are the position, and the status follows.

use std::collections::BTreeMap;

use pawl::order::decide::{Seen, Verdict, decide};
use pawl::order::joined::Order;
use pawl::order::name::{Kind, Status};
use pawl::order::report::{Content, OperationName, Origin, Report, Said};
use pawl::order::rules::{Confirm, Policy, Rules};
use pawl::order::slot::{Counter, Leg, Slot};
use pawl::order::standing::Cause;
use pawl::provider::Provider;
use pawl::provider::headers::Headers;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{amount, cases, fold, is_held, join_all, report, stand};

/// A credit authorisation: it is held, then settled or reversed in parts, then refunded in parts.
const CREDIT: &str = r#"
name = "credit"
title = "Credit"

[callback.signature]
scheme = "hmac"
hash = "sha256"
header = "S"
encoding = "hex"

[event]
order_id = "/id"
status = "/status"
operation = "/operation"
operation_id = "/operation_id"
currency = "/currency"

[status.authorised]
edges = ["partially_reversed", "reversed", "partially_settled", "settled"]
[status.partially_reversed]
edges = ["reversed", "partially_settled", "settled"]
[status.partially_settled]
edges = ["settled", "partially_refunded", "refunded"]
[status.reversed]
final = true
outcome = "failed"
[status.settled]
final = true
outcome = "succeeded"
edges = ["partially_refunded", "refunded"]
[status.partially_refunded]
final = true
outcome = "succeeded"
edges = ["refunded"]
[status.refunded]
final = true
outcome = "succeeded"
[status.declined]
final = true
outcome = "failed"
[status.initiated]
edges = ["authorised", "declined"]

[kind.credit]
judged = "held"

[[kind.credit.operation]]
name = "AUTHORISE"
to.held = "amount"
[[kind.credit.operation]]
name = "REVERSE"
to.released = "amount"
requires = ["held"]
[[kind.credit.operation]]
name = "SETTLE"
to.released = "amount"
to.debited = "amount"
requires = ["held"]
[[kind.credit.operation]]
name = "REFUND"
to.debit_reversed = "amount"
requires = ["debited"]

[[kind.credit.status]]
is = "refunded"
when = ["debited > 0", "held - released <= 0", "debit_reversed >= debited"]
[[kind.credit.status]]
is = "partially_refunded"
when = ["debit_reversed > 0", "held - released <= 0"]
[[kind.credit.status]]
is = "settled"
when = ["debited > 0", "held - released <= 0"]
[[kind.credit.status]]
is = "partially_settled"
when = ["debited > 0"]
[[kind.credit.status]]
is = "reversed"
when = ["held > 0", "held - released <= 0"]
[[kind.credit.status]]
is = "partially_reversed"
when = ["released > 0"]
[[kind.credit.status]]
is = "authorised"
when = ["held > 0"]
"#;

fn provider() -> Provider {
    Provider::load("credit.toml", CREDIT).unwrap_or_else(|m| panic!("{m}"))
}

fn credit() -> Rules {
    credit_with(Policy::default())
}

pub(crate) fn credit_with(policy: Policy) -> Rules {
    provider().rules(&BTreeMap::new(), policy).unwrap()
}

fn operation(event: usize, name: &str, id: &str, value: &str) -> Report {
    let content = Said {
        operation: Some(OperationName { name: name.to_owned(), id: id.to_owned() }),
        amounts: BTreeMap::from([("amount".to_owned(), amount(value))]),
        currencies: BTreeMap::from([(Leg::To, "GBP".parse().unwrap())]),
        ..Said::default()
    };
    report(event, Origin::Action, Content::Said(content))
}

fn books(order: &Order) -> Vec<String> {
    let slots = Slot::all().filter(|slot| !order.on_the_books(*slot).is_zero());
    slots.map(|slot| format!("{} {}", slot.counter, order.on_the_books(slot))).collect()
}

#[test]
fn operations_add_up_and_the_status_follows() {
    let rules = credit();
    let steps = [
        (operation(1, "AUTHORISE", "a", "120"), "authorised"),
        (operation(2, "REVERSE", "b", "20"), "partially_reversed"),
        (operation(3, "REVERSE", "c", "20"), "partially_reversed"),
        (operation(4, "SETTLE", "d", "80"), "settled"),
        (operation(5, "REFUND", "e", "35.50"), "partially_refunded"),
        (operation(6, "REFUND", "f", "44.50"), "refunded"),
    ];
    let mut order = Order::default();
    for (report, status) in &steps {
        let decision = decide(&rules, &order, report, Seen::New);
        assert_eq!(decision.standing.status, Some(Status::new(*status)));
        order = decision.order;
    }
    assert_eq!(books(&order), ["held 120", "debited 80", "released 120", "debit_reversed 80"]);
}

#[test]
fn an_answer_and_its_notification_are_one_operation() {
    let rules = credit();
    let authorised = operation(1, "AUTHORISE", "a", "120");
    let notified = Report { origin: Origin::Callback, ..operation(2, "AUTHORISE", "a", "120.00") };
    let order = fold(&rules, &[authorised, notified]);
    assert_eq!(books(&order), ["held 120"]);
}

#[test]
fn one_operation_with_two_amounts_is_a_conflict() {
    let rules = credit();
    let reports = [operation(1, "AUTHORISE", "a", "120"), operation(2, "AUTHORISE", "a", "121")];
    let order = fold(&rules, &reports);
    let standing = stand(&rules, &order);
    assert!(standing.is_held_by(Cause::Conflict));
    assert_eq!(books(&order), ["held 120"], "what was issued before stays, and no more is");
}

#[test]
fn an_operation_that_comes_too_soon_waits_for_the_one_before_it() {
    let rules = credit();
    let settle = operation(1, "SETTLE", "d", "80");
    let refund = operation(2, "REFUND", "e", "10");
    let mut order = Order::default();
    for report in [&refund, &settle] {
        let decision = decide(&rules, &order, report, Seen::New);
        assert_eq!(decision.verdict, Verdict::Early);
        assert!(decision.effects.is_empty());
        order = decision.order;
    }
    let decision = decide(&rules, &order, &operation(3, "AUTHORISE", "a", "80"), Seen::New);
    assert_eq!(
        books(&decision.order),
        ["held 80", "debited 80", "released 80", "debit_reversed 10"]
    );
    assert_eq!(decision.standing.status, Some(Status::new("partially_refunded")));
}

#[test]
fn more_settled_than_was_held_moves_nothing() {
    let rules = credit();
    let reports = [operation(1, "AUTHORISE", "a", "80"), operation(2, "SETTLE", "b", "81")];
    let order = fold(&rules, &reports);
    assert!(stand(&rules, &order).is_held_by(Cause::Mismatch));
    assert_eq!(books(&order), ["held 80"]);
}

#[test]
fn an_operation_that_waits_is_asked_about_and_the_others_go_on() {
    let policy = Policy { confirm: Confirm::Always, ..Policy::default() };
    let rules = provider().rules(&BTreeMap::new(), policy).unwrap();
    let settled = [operation(1, "AUTHORISE", "a", "80"), operation(2, "SETTLE", "b", "80")];
    let order = fold(&rules, &settled);
    assert!(stand(&rules, &order).is_final);
    let refund = Report { origin: Origin::Callback, ..operation(3, "REFUND", "c", "10") };
    let waiting = decide(&rules, &order, &refund, Seen::New);
    assert_eq!(waiting.verdict, Verdict::Early);
    assert!(waiting.ask.is_some() && !waiting.standing.is_final);
    assert!(waiting.standing.wants_answer() && waiting.standing.holds.is_empty());
    let other = decide(&rules, &waiting.order, &operation(4, "REFUND", "d", "5"), Seen::New);
    assert_eq!((other.verdict, other.effects.len()), (Verdict::Applied, 1));
}

#[test]
fn an_operation_that_the_definition_does_not_know_asks_for_a_person() {
    let body =
        br#"{"id":"1","operation":"CHARGEBACK","operation_id":"9","amount":"5","currency":"GBP"}"#;
    let report =
        provider().read_callback(&Headers::default(), body, super::at(0)).unwrap().remove(0);
    let rules = credit();
    let decision = decide(&rules, &Order::default(), &report, Seen::New);
    assert_eq!(decision.verdict, Verdict::Mismatch);
    assert_eq!(decision.standing.attention[0].key, "operation=CHARGEBACK");
    let nameless = br#"{"id":"1","operation":"CHARGEBACK","amount":"5"}"#;
    assert!(
        provider().read_callback(&Headers::default(), nameless, super::at(0)).is_ok(),
        "it is not lost either"
    );
}

#[test]
fn an_operation_of_an_order_of_no_known_kind_waits_for_the_kind() {
    let text = CREDIT.replace("currency = ", "kind = \"/kind\"\ncurrency = ");
    let provider = Provider::load("credit.toml", &(text + "[kind.other]\n")).unwrap();
    let rules = provider.rules(&BTreeMap::new(), Policy::default()).unwrap();
    let authorised = operation(1, "AUTHORISE", "a", "80");
    let decision = decide(&rules, &Order::default(), &authorised, Seen::New);
    assert_eq!(decision.verdict, Verdict::Early);
    assert!(decision.ask.is_some());
}

#[test]
fn an_accepted_excess_gives_the_status_back() {
    let rules = credit();
    let reports = [operation(1, "AUTHORISE", "a", "80"), operation(2, "SETTLE", "b", "81")];
    let order = fold(&rules, &reports);
    assert_eq!(stand(&rules, &order).status, None);
    let accepted = super::card::resolution(&[], &["to.released=81"]);
    let decision = decide(&rules, &order, &super::card::resolved(3, accepted), Seen::New);
    assert_eq!(decision.standing.status, Some(Status::new("settled")));
    assert_eq!(books(&decision.order), ["held 80", "debited 81", "released 81"]);
}

#[test]
fn a_ledger_that_is_not_on_the_books_still_tells_the_status() {
    let books_of = BTreeMap::from([(Kind::new("credit"), "none".to_owned())]);
    let rules = provider().rules(&books_of, Policy::default()).unwrap();
    let reports = [operation(1, "AUTHORISE", "a", "80"), operation(2, "SETTLE", "b", "80")];
    let order = fold(&rules, &reports);
    assert_eq!(stand(&rules, &order).status, Some(Status::new("settled")));
    assert!(stand(&rules, &order).is_final && books(&order).is_empty());
}

#[test]
fn a_status_without_money_stands_beside_the_ledger() {
    let rules = credit();
    let declined = report(1, Origin::Answer, Content::Said(super::said("declined")));
    let order = fold(&rules, std::slice::from_ref(&declined));
    assert_eq!(stand(&rules, &order).status, Some(Status::new("declined")));
    let order = fold(&rules, &[declined, operation(2, "AUTHORISE", "a", "5")]);
    assert!(stand(&rules, &order).is_held_by(Cause::Conflict));
}

/// One hold, and operations on it that may repeat, contradict each other, or exceed it.
fn operations() -> impl Strategy<Value = Vec<Report>> {
    let name = prop_oneof![Just("SETTLE"), Just("REVERSE"), Just("REFUND")];
    let others = vec((name, 0_usize..4, 1_u32..4), 0..6);
    (proptest::option::weighted(0.9, 4_u32..12), others).prop_map(|(held, others)| {
        let held = held.map(|held| operation(0, "AUTHORISE", "hold", &held.to_string()));
        let others = others.into_iter().enumerate().map(|(event, (name, id, value))| {
            // An id belongs to one operation; its amount sometimes differs.
            operation(event + 1, name, &format!("{name}-{id}"), &(value / 2 + 1).to_string())
        });
        held.into_iter().chain(others).collect()
    })
}

/// The ledger, added up from the whole set at once by other means: the counters in halves of a unit,
/// or nothing where an operation has two amounts.
fn ledger(reports: &[Report]) -> Option<BTreeMap<Counter, String>> {
    let mut amounts: BTreeMap<(String, String), i64> = BTreeMap::new();
    for report in reports {
        let Content::Said(said) = &report.content else {
            continue;
        };
        let name = said.operation.clone().unwrap();
        let value: i64 = said.amounts["amount"].to_string().parse().unwrap();
        let known = amounts.entry((name.name, name.id)).or_insert(value);
        if *known != value {
            return None;
        }
    }
    let sum = |wanted: &str| -> Option<i64> {
        let values =
            amounts.iter().filter(|((name, _), _)| name == wanted).map(|(_, value)| *value);
        values.reduce(|a, b| a + b)
    };
    let held = sum("AUTHORISE");
    let settled = held.and_then(|_| sum("SETTLE"));
    let reversed = held.and_then(|_| sum("REVERSE"));
    let refunded = settled.and_then(|_| sum("REFUND"));
    let released = match (settled, reversed) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
    };
    let counters = [
        (Counter::Held, held),
        (Counter::Debited, settled),
        (Counter::Released, released),
        (Counter::DebitReversed, refunded),
    ];
    Some(counters.into_iter().filter_map(|(c, value)| Some((c, value?.to_string()))).collect())
}

proptest! {
    #![proptest_config(cases(3_000))]

    /// The same holds for ledgers: permutation, duplication and batching change nothing, and the
    /// position is the plain sum.
    #[test]
    fn a_ledger_is_a_function_of_the_set_of_its_operations(
        reports in operations(),
        picks in vec(any::<Index>(), 0..8),
        shuffled in vec(any::<u64>(), 16),
    ) {
        prop_assume!(!reports.is_empty());
        let rules = credit();
        let one_by_one = fold(&rules, &reports);
        let standing = stand(&rules, &one_by_one);
        match ledger(&reports) {
            None => prop_assert!(standing.is_held_by(Cause::Conflict)),
            Some(wanted) => {
                let position = standing.position.iter().map(|(slot, v)| (slot.counter, v.to_string()));
                let position: BTreeMap<_, _> = position.collect();
                prop_assert_eq!(position, wanted);
            }
        }
        let mut delivered = reports.clone();
        delivered.extend(picks.iter().map(|pick| reports[pick.index(reports.len())].clone()));
        let mut keyed: Vec<_> = delivered.into_iter().zip(shuffled.iter().cycle()).enumerate().collect();
        keyed.sort_by_key(|(index, (_, key))| (key.rotate_left(*index as u32), *index));
        let delivered: Vec<Report> = keyed.into_iter().map(|(_, (report, _))| report).collect();
        let other = fold(&rules, &delivered);
        prop_assert_eq!(&stand(&rules, &other), &standing);
        let batch = join_all(&rules, &delivered);
        prop_assert_eq!(&stand(&rules, &batch), &standing);
        if !is_held(&standing) {
            prop_assert_eq!(books(&one_by_one), books(&other));
            prop_assert_eq!(books(&one_by_one), books(&batch));
        }
    }

    /// With one hold, more operations only ever lead on.
    #[test]
    fn a_ledger_never_moves_an_order_backwards(reports in operations()) {
        let rules = credit();
        let mut order = Order::default();
        for report in &reports {
            let decision = decide(&rules, &order, report, Seen::New);
            for step in &decision.moves {
                for (from, to) in step.from.iter().zip(&step.to) {
                    prop_assert!(rules.machine.leads(from, to), "{:?}", step);
                }
            }
            order = decision.order;
        }
    }
}
