//! Holds what the daemon came to against the simulation's own ledger.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::books::Books;
use super::found::{Found, load};
use super::ledgers::compare;
use super::money::Ledger;
use super::outcome::Outcome;
use super::plan::Plan;
use super::{Counts, Shared, integrator};
use crate::config::Source;
use crate::order::decide::Verdict;
use crate::order::name::Status;
use crate::order::report::Origin;
use crate::order::standing::AttentionCode;
use crate::order::timestamp::Timestamp;
use crate::store::{EventRow, LetterFilter, Store, StoreError};

/// How many dead letters are looked at.
const PAGE: i64 = 500;

/// Whether every order is where it will stay: final, or a person is asked; and none is asked about. Not
/// those that do not exist.
///
/// # Errors
/// [`StoreError`].
pub async fn has_converged(
    shared: &Shared,
    source: &Source,
    store: &Store,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let found = load(source, store, now).await?;
    Ok(shared.plans.iter().filter(|plan| !plan.is_ghost).all(|plan| {
        found.get(&plan.order_id).is_some_and(|order| {
            let waits = |code: AttentionCode| order.attention.iter().any(|a| a == code.as_str());
            let is_contradicted = plan.lie.is_some() && waits(AttentionCode::Conflict);
            let is_held = !order.standing.holds.is_empty();
            // What was claimed besides waits for an answer that never comes.
            let is_settled = shared.is_settled(plan)
                && order.standing.status.as_ref().map(Status::as_str) == Some(plan.last());
            is_contradicted || is_settled || order.standing.is_final && !is_held
        })
    }))
}

/// Holds a run against the ledger.
///
/// # Errors
/// [`StoreError`].
pub async fn check(
    shared: &Shared,
    source: &Source,
    store: &Store,
    books: &[Books],
    now: Timestamp,
) -> Result<Outcome, StoreError> {
    let counts = &shared.counts;
    let [forged, bad, refused] =
        [&counts.forged_accepted, &counts.bad_questions, &counts.unregistered].map(Counts::get);
    let mut outcome = Outcome {
        sent: Counts::get(&counts.sent),
        accepted: Counts::get(&counts.accepted),
        refused: shared.refused(),
        asked: Counts::get(&counts.asked),
        trespasses: forged + bad + refused,
        asked_too_early: Counts::get(&counts.asked_too_early),
        verdicts: Verdict::ALL.into_iter().map(|verdict| (verdict.as_str(), 0)).collect(),
        ..Outcome::default()
    };
    if outcome.trespasses > 0 {
        outcome.find(format!(
            "{forged} forged callbacks accepted, {bad} questions that made no sense, {refused} orders that \
             could not be registered"
        ));
    }
    if outcome.asked_too_early > 0 {
        outcome.find(format!("{} questions before Retry-After was over", outcome.asked_too_early));
    }
    check_lost(shared, store, &mut outcome).await?;
    check_dead(source, store, &mut outcome).await?;
    let found = load(source, store, now).await?;
    check_moves(shared, source, store, &found, &mut outcome).await?;
    outcome.orders = found.len() as u64;
    outcome.finals = found.values().filter(|order| order.standing.is_final).count() as u64;
    outcome.attention = found.values().filter(|order| !order.attention.is_empty()).count() as u64;
    outcome.found_by_polling =
        found.values().filter(|order| order.row.silence.is_some()).count() as u64;
    // A hint tells nothing that could have been missed.
    let is_told = shared.options.makes_claims();
    for (plan, delivered) in shared.plans.iter().zip(shared.delivered()) {
        if is_told && !plan.is_ghost && !delivered.statuses.contains(plan.last()) {
            outcome.missed += 1;
        }
        check_order(shared, plan, found.get(&plan.order_id), &mut outcome);
    }
    compare(shared, &found, books, &mut outcome);
    // Nobody made any other orders: one that is there all the same hides what belongs elsewhere.
    for id in found.keys().filter(|id| !shared.is_known(id)) {
        outcome.diverged += 1;
        outcome.find(format!("diverged: {id} is an order of nobody's"));
    }
    if outcome.found_by_polling != outcome.missed {
        let (found, missed) = (outcome.found_by_polling, outcome.missed);
        outcome
            .find(format!("{found} orders were found by polling, and callbacks missed {missed}"));
    }
    Ok(outcome)
}

/// Every callback that was answered 2xx has its verdict, or is a dead letter.
async fn check_lost(
    shared: &Shared,
    store: &Store,
    outcome: &mut Outcome,
) -> Result<(), StoreError> {
    let ids = shared.callback_ids();
    // An answer that does not say which callback it is about cannot be looked for.
    outcome.lost = outcome.accepted.saturating_sub(ids.len() as u64);
    for ids in ids.chunks(1000) {
        let mut transaction = store.begin().await?;
        let settled = transaction.find_settled(ids).await?;
        *outcome.verdicts.entry(Verdict::Hint.as_str()).or_default() +=
            transaction.count_hints(ids).await?;
        transaction.rollback().await?;
        let missing: Vec<&Uuid> = ids.iter().filter(|id| !settled.contains(id)).collect();
        outcome.lost += missing.len() as u64;
        for id in missing {
            outcome.find(format!("lost: the callback {id} was answered 2xx and is nowhere"));
        }
    }
    Ok(())
}

/// All that is sent can be read: a dead letter is one too many.
async fn check_dead(
    source: &Source,
    store: &Store,
    outcome: &mut Outcome,
) -> Result<(), StoreError> {
    let mut reading = store.read().await?;
    let source = Some(source.name.clone());
    let filter = LetterFilter { source, reason_contains: None, before: None, limit: PAGE };
    let letters = reading.list_dead_letters(&filter).await?;
    reading.rollback().await?;
    for letter in letters {
        outcome.diverged += 1;
        outcome.find(format!("diverged: a dead letter: {}", letter.reason));
    }
    Ok(())
}

/// What all reports turned out to be, and whether any moved an order backwards.
async fn check_moves(
    shared: &Shared,
    source: &Source,
    store: &Store,
    found: &BTreeMap<String, Found>,
    outcome: &mut Outcome,
) -> Result<(), StoreError> {
    let mut reading = store.read().await?;
    for (id, order) in found {
        let events: Vec<EventRow> = reading.list_events(order.row.key).await?;
        for event in events.iter().filter(|event| event.report.origin != Origin::Registration) {
            let verdict = Verdict::ALL.into_iter().find(|known| known.as_str() == event.verdict);
            if let Some(verdict) = verdict {
                *outcome.verdicts.entry(verdict.as_str()).or_default() += 1;
            }
            let repeats = u64::try_from(event.repeats).unwrap_or(0);
            *outcome.verdicts.entry(Verdict::Duplicate.as_str()).or_default() += repeats;
            let (Some(from), Some(to)) = (&event.moved_from, &event.moved_to) else { continue };
            // An answer settled what callbacks contradicted each other about.
            let plan = shared.index(id).and_then(|index| shared.plans.get(index));
            let is_settled = plan.is_some_and(|plan| shared.is_settled(plan) && to == plan.last());
            if !is_settled && !source.rules.machine.leads(&Status::new(from), &Status::new(to)) {
                outcome.backwards += 1;
                outcome.find(format!("backwards: {id} went from {from} to {to}"));
            }
        }
    }
    reading.rollback().await
}

fn check_order(shared: &Shared, plan: &Plan, found: Option<&Found>, outcome: &mut Outcome) {
    let Some(order) = found else {
        outcome.diverged += 1;
        outcome.find(format!("diverged: {} is not known", plan.order_id));
        return;
    };
    let protocol = shared.options.protocol;
    let truth = protocol.ledger(plan, plan.last());
    let said = [Some(plan.last()), plan.lie].into_iter().flatten();
    let said: Vec<Ledger> = said.map(|status| protocol.ledger(plan, status)).collect();
    let issued = issued(order);
    let booked = match integrator::holds_itself(shared, plan) {
        true => truth.hold.get("to").copied().unwrap_or_default(),
        false => Decimal::ZERO,
    };
    check_doubled(plan, &issued, &said, booked, outcome);
    let is_contradicted = is_contradicted(plan, order);
    let is_waiting = is_waiting(shared, plan, order);
    let status = order.standing.status.as_ref().map(Status::as_str);
    let why = if plan.is_ghost {
        (status.is_some() || !issued.is_empty()).then(|| "it does not exist".to_owned())
    } else if is_contradicted {
        None
    } else if status != Some(plan.last()) {
        Some(format!("it is {}, and should be {}", status.unwrap_or("nothing"), plan.last()))
    } else if is_waiting {
        None
    } else {
        differs(&issued, &truth, booked)
    };
    if let Some(why) = why {
        outcome.diverged += 1;
        outcome.find(format!("diverged: {} ({}): {why}", plan.order_id, plan.kind));
    }
}

fn is_contradicted(plan: &Plan, order: &Found) -> bool {
    plan.lie.is_some() && order.attention.iter().any(|code| code == "conflict")
}

/// What was claimed besides keeps the money where it is until a person looks.
fn is_waiting(shared: &Shared, plan: &Plan, order: &Found) -> bool {
    shared.is_settled(plan) && !order.standing.holds.is_empty()
}

/// Whether an order must have come to what the provider's ledger says.
pub(super) fn is_certain(shared: &Shared, plan: &Plan, order: &Found) -> bool {
    !plan.is_ghost && !is_contradicted(plan, order) && !is_waiting(shared, plan, order)
}

/// What was issued of each counter: the sum of all effects, so that one that left twice counts twice.
pub(super) fn issued(order: &Found) -> BTreeMap<String, Decimal> {
    let mut issued: BTreeMap<String, Decimal> = BTreeMap::new();
    for effect in &order.effects {
        let amount: Decimal = effect.amount.parse().unwrap_or(Decimal::MAX);
        *issued.entry(format!("{}.{}", effect.leg, effect.counter)).or_default() += amount;
    }
    issued
}

/// Counters that were issued above what was ever claimed.
fn check_doubled(
    plan: &Plan,
    issued: &BTreeMap<String, Decimal>,
    said: &[Ledger],
    booked: Decimal,
    outcome: &mut Outcome,
) {
    for (counter, total) in issued {
        let (leg, name) = counter.split_once('.').unwrap_or_default();
        let hold = || said.iter().filter_map(|ledger| ledger.hold.get(leg)).max().copied();
        let most = match name {
            "held" => hold().unwrap_or_default() - booked,
            "released" => hold().unwrap_or_default(),
            _ => said
                .iter()
                .filter_map(|ledger| ledger.totals.get(counter.as_str()))
                .max()
                .copied()
                .unwrap_or_default(),
        };
        if *total > most {
            outcome.doubled += 1;
            outcome.find(format!(
                "doubled: {} issued {total} as {counter}, and the ledger has {most}",
                plan.order_id
            ));
        }
    }
}

/// What was issued other than the ledger says, at the end of an order.
fn differs(issued: &BTreeMap<String, Decimal>, truth: &Ledger, booked: Decimal) -> Option<String> {
    let zero = Decimal::ZERO;
    let get = |counter: &str| issued.get(counter).copied().unwrap_or(zero);
    for counter in [
        "from.debited",
        "from.credited",
        "to.debited",
        "to.credited",
        "to.debit_reversed",
        "to.credit_reversed",
    ] {
        let wanted = truth.totals.get(counter).copied().unwrap_or(zero);
        if get(counter) != wanted {
            return Some(format!("{counter} is {}, and should be {wanted}", get(counter)));
        }
    }
    for leg in ["from", "to"] {
        let own = if leg == "to" { booked } else { zero };
        let held = get(&format!("{leg}.held")) + own;
        let released = get(&format!("{leg}.released"));
        if held != released {
            return Some(format!("{leg}: {held} was held, and {released} released"));
        }
        let whole = truth.hold.get(leg).copied().unwrap_or(zero);
        if held != zero && held != whole {
            return Some(format!(
                "{leg}: {held} was held, and should have been {whole} or nothing"
            ));
        }
    }
    None
}
