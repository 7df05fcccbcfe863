//! What a provider says is left of an order, held against what is left by its operations.
//!
//! Each operation says what was left right after it, and whatever came later only lowered it. So the least
//! that was said is the most that can be left now; where more is left by what was reported, a report is
//! missing. And an operation cannot leave more than all there ever was, less what it took itself.

use super::amount::Amount;
use super::joined::Operation;
use super::judge::Judge;
use super::position::{Basis, Position};
use super::slot::Slot;
use super::timestamp::Timestamp;

impl Judge<'_> {
    /// Holds everything back while the provider's remainder and ours differ in a way that no order of the
    /// operations explains.
    pub(super) fn judge_remainder(&mut self, basis: Basis<'_>, position: &Position) {
        let Some(rule) = &basis.kind.remainder else { return };
        let Some(all) = position.counter(rule.of) else { return };
        let counts = |operation: &&Operation| {
            basis.kind.operations.contains_key(&operation.name.name)
                && !position.waiting.contains(&operation.name)
                && basis.counts(rule.of.leg, &operation.currencies)
        };
        let own = |operation: &Operation, slot: Slot| {
            let adds = basis.kind.operations.get(&operation.name.name)?.adds.get(&slot)?;
            adds.amount(&|name| operation.amounts.get(name).copied()).ok().flatten()
        };
        let mut remainders: Vec<(Amount, Option<Timestamp>)> = Vec::new();
        for operation in basis.order.live_operations().filter(counts) {
            let Some(said) = operation.amounts.get(&rule.said).copied() else { continue };
            remainders.push((said, operation.since));
            let taken = own(operation, rule.less).unwrap_or_default();
            if said.plus(taken).is_none_or(|before| before > all) {
                let (name, slot) = (&operation.name, rule.of);
                let text = format!(
                    "{} {} took {taken} and says that {said} is left, of no more than {all} {slot}",
                    name.name, name.id
                );
                self.mismatch(format!("remainder:{}={}:{said}", name.name, name.id), text);
            }
        }
        let gone = position.counter(rule.less).unwrap_or_default();
        let ours = all.above(gone).unwrap_or_default();
        let least = remainders.iter().map(|(said, _)| *said).min();
        if let Some(least) = least.filter(|least| *least < ours) {
            let of_least = remainders.iter().filter(|(said, _)| *said == least);
            let since = of_least.filter_map(|(_, since)| *since).min();
            let text = format!(
                "the provider says that {least} is left, and by what was reported it is {ours}: a report is \
                 missing"
            );
            self.early(format!("remainder={least}"), text, since);
        }
    }
}
