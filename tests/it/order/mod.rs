//! The core: properties over random machines, held against an independent model.

mod amount;
mod card;
mod confirm;
mod fold;
mod hold;
mod lost;
mod model;
mod operation;
mod overdue;
mod plan;
mod proposal;
mod reason;
mod resolution;
mod total;

use std::collections::BTreeMap;

use pawl::order::amount::Amount;
use pawl::order::decide::judge_again;
use pawl::order::joined::Order;
use pawl::order::name::{EventId, OrderId, Role};
use pawl::order::report::{Content, Origin, Report, Said};
use pawl::order::rules::Rules;
use pawl::order::slot::Slot;
use pawl::order::standing::{Cause, Standing};
use proptest::test_runner::Config;

pub(crate) use fold::{at, fold, stand};

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

pub(crate) fn report(event: usize, origin: Origin, content: Content) -> Report {
    Report {
        origin,
        event_id: EventId::new(format!("event-{event}")).unwrap(),
        received_at: at(0),
        names: BTreeMap::from([(OrderId::new("order").unwrap(), Role::Merchant)]),
        content,
    }
}

pub(crate) fn said(status: &str) -> Said {
    Said { status: Some(status.to_owned()), ..Said::default() }
}

/// Joins everything first and decides once: one batch.
pub(crate) fn join_all(rules: &Rules, reports: &[Report]) -> Order {
    let mut order = Order::default();
    for report in reports {
        match &report.content {
            Content::Said(said) => order.join_said(&rules.machine, report, said),
            Content::Registered(registration) => order.join_registration(report, registration),
            Content::Resolved(resolution) => {
                order.join_resolution(&report.event_id, report.received_at, resolution);
            }
            Content::Hint => {}
        }
    }
    judge_again(rules, &order, at(0)).0
}

/// The net of each leg's pairs on the integrator's books.
pub(crate) fn nets(order: &Order) -> BTreeMap<Slot, (Amount, Amount)> {
    let pairs = Slot::all().filter(|slot| slot.counter.undoes().is_some());
    pairs
        .map(|slot| {
            let done = order.on_the_books(slot.with(slot.counter.opposite()));
            let undone = order.on_the_books(slot);
            let net = (done.above(undone).unwrap(), undone.above(done).unwrap());
            (slot, net)
        })
        .collect()
}

pub(crate) fn is_held(standing: &Standing) -> bool {
    !standing.holds.is_empty()
}

pub(crate) fn is_in_conflict(standing: &Standing) -> bool {
    standing.is_held_by(Cause::Conflict)
}

/// How many cases a property is tried on: `PAWL_CASES` times as many where it is set.
pub(crate) fn cases(count: u32) -> Config {
    let factor = std::env::var("PAWL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let config = Config { cases: count * factor, failure_persistence: None, ..Config::default() };
    // A planted fault must be found; nobody reads by how little it could have been.
    let is_planted = std::env::var_os("PAWL_PLANT").is_some();
    Config { max_shrink_iters: if is_planted { 0 } else { config.max_shrink_iters }, ..config }
}
