//! Reports decided one by one, and where they lead. Also built into the fuzz targets (tests/fuzz), so nothing
//! here may need the other tests.

use pawl::order::decide::{Seen, decide};
use pawl::order::joined::Order;
use pawl::order::report::Report;
use pawl::order::rules::Rules;
use pawl::order::standing::Standing;
use pawl::order::timestamp::Timestamp;

/// The time at which every report is received, unless a test says otherwise.
pub(crate) const NOW: i64 = 1_800_000_000_000_000;

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_micros(NOW + secs * 1_000_000).unwrap()
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

/// Where an order stands, but for what is due and for what left too much: the part that must be a
/// function of the set.
pub(crate) fn stand(rules: &Rules, order: &Order) -> Standing {
    let mut standing = Standing { due: Vec::new(), ..Standing::of(rules, order, at(0)) };
    standing.attention.retain(|attention| !attention.key.starts_with("over_issued:"));
    standing
}
