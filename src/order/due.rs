//! What is due: the effects by which the integrator's books catch up with the counters.

use rust_decimal::Decimal;

use super::amount::{Amount, exact_sum};
use super::effect::Effect;
use super::joined::Order;
use super::rules::KindRules;
use super::slot::Slot;
use super::standing::Standing;

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
            due.push(Effect { slot, from, to, currency: currency.clone() });
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
