//! What a person proposes, what it comes to, and what is offered to them.

use std::collections::BTreeSet;

use pawl::order::decide::{Seen, decide};
use pawl::order::joined::Order;
use pawl::order::name::Status;
use pawl::order::proposal::{Proposal, ProposedOperation};
use pawl::order::remedy::find_remedies;
use pawl::order::report::{Content, OperationName, Origin, Overrule, Report, Said, Until};
use pawl::order::resolve::ResolveError;
use pawl::order::rules::{Policy, Rules, Unregistered};
use pawl::order::standing::{AttentionCode, Standing};

use super::card::{callback, card, last, registered, resolved, usd};
use super::operation::credit_with;
use super::{amount, at, report};

fn propose(rules: &Rules, order: &Order, proposal: &Proposal) -> Result<Report, ResolveError> {
    let who = ("ada", "the bank says so");
    let resolution = proposal.resolve(rules, order, &BTreeSet::new(), who, at(0))?;
    Ok(resolved(77, resolution))
}

fn keys(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn to_dismiss_something_lets_no_money_leave() {
    let rules = card(Policy { account: Some("ours".to_owned()), ..Policy::default() });
    let paid = Said { account: Some("theirs".to_owned()), ..usd("paid", &[("captured", "10")]) };
    let order = last(&rules, &[callback(1, paid)]).order;
    let dismiss = Proposal { dismiss: keys(&["account=theirs"]), ..Proposal::default() };
    let refused = propose(&rules, &order, &dismiss).unwrap_err();
    assert_eq!(refused, ResolveError::NotDismissed("account=theirs".to_owned()));
    let accept = Proposal { accept: keys(&["account=theirs"]), ..Proposal::default() };
    let decision = decide(&rules, &order, &propose(&rules, &order, &accept).unwrap(), Seen::New);
    assert_eq!(decision.effects.len(), 1);
    let disputed = callback(1, usd("disputed", &[("captured", "10")]));
    let order = last(&card(Policy::default()), &[disputed]).order;
    let accept = Proposal { accept: keys(&["judgement:disputed"]), ..Proposal::default() };
    let refused = propose(&card(Policy::default()), &order, &accept).unwrap_err();
    assert_eq!(refused, ResolveError::NotAccepted("judgement:disputed".to_owned()));
}

#[test]
fn a_status_is_overruled_as_the_provider_spells_it_and_in_a_loop_up_to_its_time() {
    let rules = card(Policy::default());
    let timed = |event, status: &str, secs: i64| {
        callback(event, Said { time: Some(at(secs)), ..usd(status, &[]) })
    };
    let order = last(&rules, &[timed(1, "trying", -9), timed(2, "failed", -8)]).order;
    let overrule = BTreeSet::from([Status::new(" FAILED")]);
    let made = propose(&rules, &order, &Proposal { overrule, ..Proposal::default() }).unwrap();
    let Content::Resolved(made) = made.content else { panic!() };
    let until = Overrule::Status(Status::new("failed"), Until::Time(Some(at(-8))));
    assert_eq!(made.overrules, BTreeSet::from([until]));
}

#[test]
fn of_an_operation_with_two_amounts_one_is_named() {
    let rules = credit_with(Policy::default());
    let settle = |event, value: &str| {
        let content = Said {
            operation: Some(OperationName { name: "SETTLE".to_owned(), id: "s,1".to_owned() }),
            amounts: [("amount".to_owned(), amount(value))].into(),
            currencies: usd("x", &[]).currencies,
            ..Said::default()
        };
        report(event, Origin::Callback, Content::Said(content))
    };
    let order = last(&rules, &[settle(1, "80"), settle(2, "81")]).order;
    let operation = |amounts: Option<&str>| Proposal {
        overrule_operations: BTreeSet::from([ProposedOperation {
            name: "SETTLE".to_owned(),
            id: "s,1".to_owned(),
            amounts: amounts.map(|text| [("amount".to_owned(), amount(text))].into()),
        }]),
        ..Proposal::default()
    };
    for (which, versions) in [(None, 2), (Some("82"), 2)] {
        let refused = propose(&rules, &order, &operation(which)).unwrap_err();
        assert!(
            matches!(&refused, ResolveError::WhichVersion { versions: known, .. } if known.len() == versions),
            "{refused}"
        );
    }
    let made = propose(&rules, &order, &operation(Some("81"))).unwrap();
    let left = decide(&rules, &order, &made, Seen::New);
    assert!(!left.standing.attention.iter().any(|a| a.code == AttentionCode::Conflict));
    let Content::Resolved(made) = made.content else { panic!() };
    assert!(operation(Some("81.0")).is_made_by(&rules, &made));
    assert!(!operation(Some("80")).is_made_by(&rules, &made));
}

#[test]
fn the_same_proposal_is_the_same_event_and_money_is_not_made_up_for_by_two() {
    let proposal = Proposal { accept: keys(&["a=b"]), ..Proposal::default() };
    assert_eq!(proposal.digest("ada", "so"), proposal.digest("ada", "so"));
    assert_ne!(proposal.digest("ada", "so"), proposal.digest("bob", "so"));
    assert_ne!(proposal.digest("ad", "aso"), proposal.digest("ada", "so"));
    let slot = "to.credit_reversed".parse().unwrap();
    let compensate = [(slot, amount("10.0"))].into();
    let proposal = Proposal { compensate, ..proposal };
    assert_eq!(proposal.digest("ada", "so"), proposal.digest("bob", "because"));
}

/// Whatever waits for a person, something that is offered ends it; and all that is offered is taken.
#[test]
fn what_is_offered_would_be_taken_and_ends_what_waits() {
    let rules = card(Policy {
        unregistered: Unregistered::Wait,
        account: Some("ours".to_owned()),
        early_secs: Some(0),
        ..Policy::default()
    });
    let odd = |account: &str, currency: &str, status: &str| Said {
        account: Some(account.to_owned()),
        currencies: [(pawl::order::slot::Leg::To, currency.parse().unwrap())].into(),
        ..usd(status, &[("captured", "1"), ("refunded", "2"), ("total", "5")])
    };
    let sets = [
        vec![callback(1, odd("ours", "USD", "paid"))],
        vec![callback(1, usd("paid", &[])), registered("10", "USD")],
        vec![callback(1, odd("theirs", "USD", "refunded")), registered("1", "EUR")],
        vec![callback(1, odd("ours", "USD", "disputed")), callback(2, odd("x", "JPY", "hold"))],
        vec![callback(1, odd("ours", "JPY", "won")), callback(2, odd("ours", "JPY", "lost"))],
        vec![
            registered("1", "USD"),
            callback(1, odd("ours", "USD", "hold")),
            callback(2, odd("ours", "USD", "paid")),
            callback(3, odd("ours", "USD", "cancelled")),
        ],
        vec![callback(1, odd("ours", "USD", "no_such"))],
    ];
    for reports in sets {
        let order = last(&rules, &reports).order;
        let standing = Standing::of(&rules, &order, at(0));
        assert!(!standing.attention.is_empty());
        for waits in &standing.attention {
            let remedies = find_remedies(&rules, &order, &standing, &waits.key, at(0));
            let ends = remedies.iter().filter(|remedy| {
                let made = propose(&rules, &order, &remedy.proposal);
                let made = made.unwrap_or_else(|error| panic!("{remedy:?}: {error}"));
                let after = decide(&rules, &order, &made, Seen::New).standing;
                !after.attention.iter().any(|other| other.text == waits.text)
            });
            assert_eq!(ends.count(), remedies.len(), "{waits:?} {remedies:?}");
            assert!(!remedies.is_empty(), "{waits:?}");
        }
    }
}

/// What left too much, because claims stopped counting, is made up for once or left as it is.
#[test]
fn what_left_too_much_is_offered_to_be_made_up_for_once() {
    let rules = card(Policy::default());
    let overruled = resolved(3, super::card::resolution(&["paid"], &[]));
    let reports = [
        callback(1, usd("paid", &[("captured", "8")])),
        callback(2, usd("cancelled", &[])),
        overruled,
    ];
    let order = last(&rules, &reports).order;
    let standing = Standing::of(&rules, &order, at(0));
    let remedies = find_remedies(&rules, &order, &standing, "over_issued:to.credited=8", at(0));
    let whats: Vec<_> = remedies.iter().map(|remedy| remedy.what.as_str()).collect();
    assert_eq!(
        whats,
        ["make up for 8 that left as to.credited", "it is right that this much left"]
    );
    for remedy in &remedies {
        let made = propose(&rules, &order, &remedy.proposal).unwrap();
        let after = decide(&rules, &order, &made, Seen::New);
        assert!(after.standing.attention.is_empty(), "{remedy:?}");
    }
    let made = propose(&rules, &order, &remedies[0].proposal).unwrap();
    let after = decide(&rules, &order, &made, Seen::New).order;
    let refused = propose(&rules, &after, &remedies[0].proposal).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "16 would be undone in to.credit_reversed, more than the 8 that the books show as to.credited: less is \
         left to make up for"
    );
}

/// Behind a status that is overruled there may be another one that excludes the one that stays.
#[test]
fn all_that_excludes_what_stays_is_overruled() {
    let from = "[status.cancelled]\n";
    let to = "[status.voided]\nfinal = true\noutcome = \"failed\"\n[status.cancelled]\nedges = [\"voided\"]\n";
    let rules = super::card::card_with(from, to, Policy::default());
    let statuses = ["cancelled", "voided", "paid"].iter().enumerate();
    let reports: Vec<Report> =
        statuses.map(|(n, status)| callback(n, usd(status, &[("captured", "1")]))).collect();
    let order = last(&rules, &reports).order;
    let standing = Standing::of(&rules, &order, at(0));
    let remedies = find_remedies(&rules, &order, &standing, "conflict:payment=paid,voided", at(0));
    let paid = remedies.iter().find(|remedy| remedy.what == "`paid` stands").unwrap();
    assert_eq!(paid.proposal.overrule, ["cancelled", "voided"].map(Status::new).into());
}

#[test]
fn either_side_of_a_conflict_is_offered_and_what_left_is_made_up_for() {
    let rules = card(Policy::default());
    let reports = [
        callback(1, usd("hold", &[("total", "10")])),
        callback(2, usd("paid", &[("captured", "8")])),
        callback(3, usd("cancelled", &[])),
    ];
    let order = last(&rules, &reports).order;
    let standing = Standing::of(&rules, &order, at(0));
    let remedies =
        find_remedies(&rules, &order, &standing, "conflict:payment=cancelled,paid", at(0));
    let shown: Vec<_> = remedies
        .iter()
        .map(|remedy| {
            format!("{}: {}", remedy.what, serde_json::to_string(&remedy.proposal).unwrap())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "`cancelled` stands, and make up for 8 that left as to.credited (or --accept \
             over_issued:to.credited=8): {\"overrule\":[\"paid\"],\"compensate\":{\"to.credit_reversed\":\"8\"}}",
            "`paid` stands: {\"overrule\":[\"cancelled\"]}",
            "it is known: say no more of it, nothing moves: \
             {\"dismiss\":[\"conflict:payment=cancelled,paid\"]}",
        ]
    );
}
