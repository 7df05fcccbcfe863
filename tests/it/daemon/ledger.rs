//! What must hold in a store after any number of crashes, read with SQL and held against what was
//! answered.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// Each is a count that must be 0.
const NEVER: &[(&str, &str)] = &[
    ("a dead letter", "select count(*) from dead_letters"),
    (
        "issued twice",
        "select count(*) from (select 1 from effects group by order_key, leg, counter, to_total
             having count(*) > 1) doubled",
    ),
    (
        "a gap between what was issued and what is issued next",
        "select count(*) from effects e where cast(from_total as real) > 0 and not exists
             (select 1 from effects o where o.order_key = e.order_key and o.leg = e.leg
                 and o.counter = e.counter and o.to_total = e.from_total)",
    ),
    (
        "completed, and not debited once",
        "select count(*) from orders o where status = 'completed' and (select count(*)
             from effects e where e.order_key = o.key and e.counter = 'debited') <> 1",
    ),
    (
        "repeats that are not counted once each",
        "select count(*) from events e where repeats + 1 <> (select count(*)
             from event_bodies b where b.order_key = e.order_key and b.event_id = e.event_id)",
    ),
];

/// Holds a store against the callbacks that were answered 200. `count` runs a statement that counts,
/// `verdicts` how many verdicts each callback has.
pub(crate) async fn check<F: Future<Output = i64>>(
    accepted: &BTreeSet<String>,
    verdicts: BTreeMap<Uuid, i64>,
    count: impl Fn(&'static str) -> F,
) {
    for id in accepted {
        let found = verdicts.get(&id.parse().unwrap());
        assert_eq!(found, Some(&1), "{id} was answered 200 and has not its one verdict");
    }
    for (what, statement) in NEVER {
        assert_eq!(count(statement).await, 0, "{what}");
    }
}
