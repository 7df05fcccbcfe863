//! What is due: the effects by which the integrator's books catch up with the counters.

use rust_decimal::Decimal;

use super::amount::{Amount, exact_sum};
use super::effect::Effect;
use super::joined::Order;
use super::rules::KindRules;
use super::slot::Slot;
use super::standing::{Cause, Standing};

/// A rise that cannot be held exactly: it is not issued, and a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InexactRise {
    /// Of this counter.
    pub slot: Slot,
}

/// What the counters are ahead of the books by. A counter whose currency is not known is left out:
/// a hold says so.
pub(super) fn collect_due(
    order: &Order,
    standing: &Standing,
    kind: &KindRules,
) -> Result<Vec<Effect>, InexactRise> {
    let mut due = Vec::new();
    if kind.is_silent {
        return Ok(due);
    }
    for slot in Slot::all() {
        let opposite = slot.with(slot.counter.opposite());
        let from = order.on_the_books(slot);
        let to = if kind.level.contains(&slot) || kind.level.contains(&opposite) {
            level_total(order, standing, slot, opposite).ok_or(InexactRise { slot })?
        } else {
            standing.position.get(&slot).copied().unwrap_or_default()
        };
        let Some(currency) = standing.currencies.get(&slot.leg) else { continue };
        if to > from {
            to.above(from).ok_or(InexactRise { slot })?;
            due.push(Effect { slot, from, to, currency: currency.clone(), compensates: None });
        }
    }
    // A debit leaves before the release that makes the held money available again.
    due.sort_by_key(|effect| (effect.slot.counter, effect.slot.leg));
    Ok(due)
}

/// What a counter must come to so that it and its opposite net what was said: a total that fell is
/// posted to the opposite counter, because what was issued never falls. `None` where that cannot be
/// held exactly.
fn level_total(order: &Order, standing: &Standing, slot: Slot, opposite: Slot) -> Option<Amount> {
    let net = |own: Amount, other: Amount| exact_sum(own.decimal(), -other.decimal());
    let said = |slot: &Slot| standing.position.get(slot).copied().unwrap_or_default();
    let own = order.on_the_books(slot);
    let wanted = net(said(&slot), said(&opposite))?;
    let booked = net(own, order.on_the_books(opposite))?;
    let rise = exact_sum(wanted, -booked)?.max(Decimal::ZERO);
    own.plus(Amount::from_decimal(rise)?)
}

/// What the books show above the counters, net of what a person had made up for: money that left for
/// a reason that counts no more. A level pair has none, because a fall is posted to its opposite; and
/// while heads contradict each other, nothing can be said of a counter that the head closes.
pub(super) fn collect_excess(
    order: &Order,
    standing: &Standing,
    kind: &KindRules,
) -> Vec<(Slot, Amount)> {
    let in_conflict = standing.is_held_by(Cause::Conflict);
    let is_closed = |slot: Slot| kind.money.values().any(|money| money.closes.contains(&slot));
    let is_level = |slot: Slot| {
        kind.level.contains(&slot) || kind.level.contains(&slot.with(slot.counter.opposite()))
    };
    Slot::all()
        .filter(|slot| !(is_level(*slot) || in_conflict && is_closed(*slot)))
        .filter_map(|slot| {
            let total = standing.position.get(&slot).copied().unwrap_or_default();
            let made_up = order.compensated(slot.with(slot.counter.opposite()));
            let books = order.on_the_books(slot);
            // What cannot be subtracted exactly is an excess all the same: the whole of it.
            let over = books.above(total).unwrap_or(books);
            let over = over.above(made_up).unwrap_or(over);
            (!over.is_zero()).then_some((slot, over))
        })
        .collect()
}

/// The key by which a person accepts that more left than counts.
pub(super) fn over_issued_key(slot: Slot, excess: Amount) -> String {
    format!("over_issued:{slot}={excess}")
}
