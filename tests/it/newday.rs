//! NewDay: a ledger of operations that are told in any order, in parts, and more than once.

use std::collections::BTreeMap;

use pawl::order::decide::{Seen, decide};
use pawl::order::report::Report;
use pawl::order::rules::{Policy, Rules};
use pawl::order::slot::{Counter, Leg, Slot};
use pawl::order::standing::Cause;
use pawl::provider::Provider;
use pawl::provider::headers::Headers;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::order::{amount, at, cases, fold, is_held, join_all, stand};

fn newday() -> (Provider, Rules) {
    let all = Provider::built_in().unwrap();
    let provider = all.into_iter().find(|provider| provider.name == "newday").unwrap();
    let rules = provider.rules(&BTreeMap::new(), Policy::default()).unwrap();
    (provider, rules)
}

fn read(provider: &Provider, body: &str) -> Report {
    let reports = provider.read_callback(&Headers::default(), body.as_bytes(), at(0));
    reports.unwrap_or_else(|error| panic!("{body}: {error}")).remove(0)
}

/// What NewDay knows of one authorisation, in pence.
#[derive(Clone, Debug, Default)]
struct Account {
    authorised: u64,
    settled: u64,
    reversed: u64,
    refunded: u64,
    /// Of each transaction, what is not refunded yet.
    transactions: Vec<u64>,
    bodies: Vec<String>,
}

impl Account {
    fn open(pence: u64) -> Self {
        let mut account = Self { authorised: pence, ..Self::default() };
        account.tell(
            "AUTHORISE",
            pence,
            r#""orderReference":"o-1","authorisationId":"a-1","result":"Authorised","#,
        );
        account
    }

    fn remaining(&self) -> u64 {
        self.authorised - self.settled - self.reversed
    }

    fn tell(&mut self, operation: &str, pence: u64, more: &str) {
        self.bodies.push(format!(
            r#"{{"operation":"{operation}",{more}"amount":{{"value":{}.{:02},"currencyCode":"GBP"}}}}"#,
            pence / 100,
            pence % 100
        ));
    }

    /// A part, or all, of what is left for an operation; nothing where nothing is.
    fn step(&mut self, (what, part, which): (u8, u64, Index)) {
        let number = self.bodies.len();
        let left = self.remaining();
        let some = |left: u64| if part == 10 { left } else { (left * part / 10).max(1).min(left) };
        match what {
            0 if left > 0 => {
                let pence = some(left);
                self.settled += pence;
                self.transactions.push(pence);
                let ids = format!(
                    r#""authorisationId":"a-1","transactionId":"t-{}","#,
                    self.transactions.len()
                );
                self.tell("SETTLE", pence, &ids);
            }
            1 if left > 0 => {
                let pence = some(left);
                self.reversed += pence;
                let left = self.remaining();
                let more = format!(
                    r#""authorisationId":"a-1","authorisationReversalId":"r-{number}","remainingFloat":{{"value":{}.{:02},"currencyCode":"GBP"}},"#,
                    left / 100,
                    left % 100
                );
                self.tell("REVERSE", pence, &more);
            }
            2 if self.transactions.iter().any(|left| *left > 0) => {
                let open: Vec<usize> =
                    (0..self.transactions.len()).filter(|n| self.transactions[*n] > 0).collect();
                let index = *which.get(&open);
                let pence = some(self.transactions[index]);
                self.transactions[index] -= pence;
                self.refunded += pence;
                let ids = format!(
                    r#""transactionId":"t-{}","refundTransactionId":"f-{number}","#,
                    index + 1
                );
                self.tell("REFUND", pence, &ids);
            }
            _ => {}
        }
    }

    fn status(&self) -> &'static str {
        match (self.remaining(), self.settled, self.refunded) {
            (0, 0, _) => "reversed",
            (0, settled, refunded) if settled == refunded => "refunded",
            (0, _, 0) => "settled",
            (0, ..) => "partially_refunded",
            (_, 0, _) if self.reversed == 0 => "authorised",
            (_, 0, _) => "partially_reversed",
            (..) => "partially_settled",
        }
    }
}

fn pence(value: u64) -> pawl::order::amount::Amount {
    amount(&format!("{}.{:02}", value / 100, value % 100))
}

proptest! {
    #![proptest_config(cases(300))]

    /// However its operations come: authorised = settled + reversed + remaining, and each moves money once.
    #[test]
    fn any_interleaving_keeps_the_account(
        held in 1_u64..30_000,
        steps in vec((0_u8..3, 1_u64..=10, any::<Index>()), 0..14),
        order in vec(any::<Index>(), 40),
    ) {
        let (provider, rules) = newday();
        let mut account = Account::open(held);
        steps.into_iter().for_each(|step| account.step(step));
        let reports: Vec<Report> = account.bodies.iter().map(|body| read(&provider, body)).collect();
        let mut left = reports.clone();
        let mut told = Vec::new();
        for index in &order {
            if left.is_empty() || index.index(4) == 0 {
                told.push(index.get(&reports).clone());
            } else {
                told.push(left.swap_remove(index.index(left.len())));
            }
        }
        told.append(&mut left);
        // That of which nothing leaves too early is asserted at each step.
        let joined = fold(&rules, &told);
        let standing = stand(&rules, &joined);
        prop_assert!(!is_held(&standing), "{:?}", standing.holds);
        prop_assert_eq!(standing.status.as_ref().map(|s| s.as_str()), Some(account.status()));
        for (counter, value) in [
            (Counter::Held, account.authorised),
            (Counter::Debited, account.settled),
            (Counter::Released, account.settled + account.reversed),
            (Counter::DebitReversed, account.refunded),
        ] {
            let slot = Slot::new(Leg::To, counter);
            prop_assert_eq!(standing.position.get(&slot).copied().unwrap_or_default(), pence(value));
            prop_assert_eq!(joined.on_the_books(slot), pence(value), "{} is on the books", slot);
        }
        prop_assert_eq!(&stand(&rules, &join_all(&rules, &told)), &standing);
    }

    /// As long as one is missing whose absence shows in what NewDay says is left, nothing leaves.
    #[test]
    fn a_report_that_is_missing_shows(
        held in 100_u64..30_000,
        steps in vec((0_u8..2, 1_u64..=6, any::<Index>()), 2..10),
        lost in any::<Index>(),
    ) {
        let (provider, rules) = newday();
        let mut account = Account::open(held);
        steps.into_iter().for_each(|step| account.step(step));
        let lost = 1 + lost.index(account.bodies.len() - 1);
        let last = account.bodies.len() - 1;
        // What is taken afterwards hides it.
        let shows = lost != last && account.bodies[last].contains("REVERSE");
        let kept = account.bodies.iter().enumerate().filter(|(index, _)| *index != lost);
        let reports: Vec<Report> = kept.map(|(_, body)| read(&provider, body)).collect();
        let standing = stand(&rules, &fold(&rules, &reports));
        prop_assert!(standing.is_held_by(Cause::Early) || !shows, "{:?}", account);
    }
}

#[test]
fn more_cannot_be_left_than_there_was() {
    let (provider, rules) = newday();
    let mut account = Account::open(12_000);
    let more = r#""authorisationId":"a-1","authorisationReversalId":"r-1","remainingFloat":{"value":60.01},"#;
    account.tell("REVERSE", 6_000, more);
    let reports: Vec<Report> = account.bodies.iter().map(|body| read(&provider, body)).collect();
    let standing = stand(&rules, &fold(&rules, &reports));
    assert!(standing.is_held_by(Cause::Mismatch));
    let text = &standing.attention[0].text;
    assert!(text.contains("took 60 and says that 60.01 is left, of no more than 120"), "{text}");
}

#[test]
fn what_was_not_authorised_holds_nothing() {
    let (provider, rules) = newday();
    for (body, status) in [
        (
            r#"{"operation":"AUTHORISE","orderReference":"o","result":"Declined","amount":{"value":5,"currencyCode":"GBP"}}"#,
            Some("declined"),
        ),
        (
            r#"{"operation":"AUTHORISE","orderReference":"o","result":"Unknown","amount":{"value":5,"currencyCode":"GBP"}}"#,
            Some("auth_unknown"),
        ),
        (
            r#"{"operation":"AUTHORISE","orderReference":"o","result":"Referred","amount":{"value":5,"currencyCode":"GBP"}}"#,
            None,
        ),
        (
            r#"{"operation":"INITIATE","orderReference":"o","scaStatus":"Exempt"}"#,
            Some("initiated"),
        ),
    ] {
        let standing = stand(&rules, &fold(&rules, &[read(&provider, body)]));
        assert_eq!(standing.status.as_ref().map(|s| s.as_str()), status, "{body}");
        assert!(standing.position.is_empty(), "{body}");
    }
    // An operation without an id of its own would be lost among others: nobody guesses which it is.
    let body =
        r#"{"operation":"REFUND","transactionId":"t-1","amount":{"value":5,"currencyCode":"GBP"}}"#;
    let error = provider.read_callback(&Headers::default(), body.as_bytes(), at(0)).unwrap_err();
    assert!(error.to_string().contains("/refundTransactionId"), "{error}");
}

/// What every operation means for an authorisation of 120 GBP, wherever it stands.
#[test]
fn newday_decides() {
    let (provider, rules) = newday();
    let operation = |name: &str, more: &str, value: u32| {
        format!(
            r#"{{"operation":"{name}",{more},"amount":{{"value":{value},"currencyCode":"GBP"}}}}"#
        )
    };
    let authorised = operation(
        "AUTHORISE",
        r#""authorisationId":"a","orderReference":"o","result":"Authorised""#,
        120,
    );
    let declined = operation("AUTHORISE", r#""orderReference":"o","result":"Declined""#, 120);
    let reverse = |id: &str, value| {
        operation(
            "REVERSE",
            &format!(r#""authorisationId":"a","authorisationReversalId":"{id}""#),
            value,
        )
    };
    let settle = |id: &str, value| {
        operation("SETTLE", &format!(r#""authorisationId":"a","transactionId":"{id}""#), value)
    };
    let refund = |id: &str, value| {
        operation("REFUND", &format!(r#""transactionId":"t","refundTransactionId":"{id}""#), value)
    };
    let from: [(&str, Vec<String>); 9] = [
        ("-", vec![]),
        ("declined", vec![declined.clone()]),
        ("authorised", vec![authorised.clone()]),
        ("partially reversed: 20", vec![authorised.clone(), reverse("r", 20)]),
        ("partially settled: 40", vec![authorised.clone(), settle("t", 40)]),
        ("settled", vec![authorised.clone(), settle("t", 120)]),
        ("reversed", vec![authorised.clone(), reverse("r", 120)]),
        ("partially refunded: 35", vec![authorised.clone(), settle("t", 120), refund("f", 35)]),
        ("refunded", vec![authorised.clone(), settle("t", 120), refund("f", 120)]),
    ];
    let then = [
        ("authorised", authorised.clone()),
        ("declined", declined.clone()),
        (
            "sca",
            r#"{"operation":"INITIATE","orderReference":"o","scaStatus":"Required"}"#.to_owned(),
        ),
        ("reverse 20", reverse("r2", 20)),
        ("the same reversal with 21", reverse("r", 21)),
        ("settle 100", settle("t2", 100)),
        ("settle 130", settle("t2", 130)),
        ("refund 35", refund("f2", 35)),
        ("an operation that nobody knows", operation("CAPTURE", r#""authorisationId":"a""#, 1)),
    ];
    let mut table = String::new();
    for (title, bodies) in from {
        let before: Vec<Report> = bodies.iter().map(|body| read(&provider, body)).collect();
        let order = fold(&rules, &before);
        table.push_str(&format!("{title}\n"));
        for (what, body) in &then {
            let report = read(&provider, body);
            let seen = if bodies.contains(body) { Seen::Same } else { Seen::New };
            let decision = decide(&rules, &order, &report, seen);
            let effects: Vec<String> = decision
                .effects
                .iter()
                .map(|e| format!("{} +{}", e.slot.counter, e.amount()))
                .collect();
            let status = decision.standing.status.as_ref().map_or("-", |s| s.as_str());
            let held: Vec<&str> =
                decision.standing.holds.iter().map(|hold| hold.text.as_str()).collect();
            let held =
                if held.is_empty() { String::new() } else { format!(" HELD: {}", held.join("; ")) };
            table.push_str(&format!(
                "    {what}: {} [{status}] {}{held}\n",
                decision.verdict,
                effects.join(", ")
            ));
        }
    }
    insta::assert_snapshot!(table);
}
