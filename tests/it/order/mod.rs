//! The core: properties over random machines, held against an independent model.

mod amount;
mod card;
mod confirm;
mod hold;
mod lost;
mod model;
mod operation;
mod plan;
mod resolution;
mod total;

use std::collections::BTreeMap;

use pawl::order::amount::Amount;
use pawl::order::decide::{Seen, decide, judge_again};
use pawl::order::joined::Order;
use pawl::order::name::{EventId, OrderId, Role};
use pawl::order::report::{Content, Origin, Report, Said};
use pawl::order::rules::Rules;
use pawl::order::slot::Slot;
use pawl::order::standing::{Cause, Standing};
use pawl::order::timestamp::Timestamp;
use proptest::test_runner::Config;

/// The time at which every report is received, unless a test says otherwise.
pub(crate) const NOW: i64 = 1_800_000_000_000_000;

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_micros(NOW + secs * 1_000_000).unwrap()
}

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

/// Decides reports one by one, as the worker does, and checks what must hold at every step.
pub(crate) fn fold(rules: &Rules, reports: &[Report]) -> Order {
    let mut order = Order::default();
    let mut known: Vec<&Report> = Vec::new();
    for report in reports {
        let seen = match known.iter().find(|known| known.event_id == report.event_id) {
            None => Seen::New,
            Some(known) if known.content == report.content => Seen::Same,
            Some(_) => Seen::Differently,
        };
        let decision = decide(rules, &order, report, seen);
        assert!(
            decision.effects.iter().all(|effect| effect.compensates.is_some())
                || decision.standing.holds.is_empty(),
            "an effect left although something held it back: {:?}",
            decision.standing.holds
        );
        for effect in decision.effects.iter().filter(|effect| effect.compensates.is_none()) {
            assert!(effect.to > effect.from, "issued only rises: {effect:?}");
            assert_eq!(effect.from, order.on_the_books(effect.slot), "effects are gapless");
        }
        order = decision.order;
        known.push(report);
    }
    order
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

/// Where an order stands, but for what is due and for what left too much: the part that must be a
/// function of the set.
pub(crate) fn stand(rules: &Rules, order: &Order) -> Standing {
    let mut standing = Standing { due: Vec::new(), ..Standing::of(rules, order, at(0)) };
    standing.attention.retain(|attention| !attention.key.starts_with("over_issued:"));
    standing
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
