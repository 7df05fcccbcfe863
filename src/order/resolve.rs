//! Whether a person's resolution may be made.

use std::collections::{BTreeMap, BTreeSet};

use super::amount::Amount;
use super::due::{collect_excess, over_issued_key};
use super::joined::Order;
use super::name::{EventId, Status};
use super::report::{Overrule, Resolution};
use super::rules::Rules;
use super::slot::{Leg, Slot};
use super::standing::{Cause, Standing};
use super::timestamp::Timestamp;

/// Why a resolution is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing was decided.
    #[error(
        "the resolution decides nothing: overrule a status or an operation, accept or dismiss by a key, \
         compensate, or ask"
    )]
    Empty,
    /// The overruled status was never claimed.
    #[error("`{0}` was never reported for this order, so it cannot be overruled")]
    NotClaimed(Status),
    /// The overruled operation was never reported.
    #[error("the operation `{name}` with the id `{id}` was never reported for this order")]
    NoOperation {
        /// Which operation.
        name: String,
        /// Its id at the provider.
        id: String,
    },
    /// The overruled operation has several versions, or not this one.
    #[error(
        "`{name}` with the id `{id}` was reported as {}: say which one is overruled, by its amounts",
        versions.join(" and as ")
    )]
    WhichVersion {
        /// Which operation.
        name: String,
        /// Its id at the provider.
        id: String,
        /// The amounts of each version.
        versions: Vec<String>,
    },
    /// To dismiss it would let money move.
    #[error(
        "`{0}` is about money, which would move: accept it if that is meant, it cannot be dismissed"
    )]
    NotDismissed(String),
    /// To accept it would let no money move.
    #[error("`{0}` can be dismissed, not accepted: money does not move by it")]
    NotAccepted(String),
    /// Every claim would be overruled.
    #[error("no status would be left: keep one, or wait for the provider to report another")]
    NoHead,
    /// The order would stand behind a status at which money was issued.
    #[error(
        "the order would stand at `{head}`, behind `{issued_at}` at which money was issued: overrule \
         the claim that excludes `{issued_at}` instead, or keep both and compensate"
    )]
    BehindIssued {
        /// Where the order would stand.
        head: Status,
        /// The status at which money was issued.
        issued_at: Status,
    },
    /// More left than would count.
    #[error(
        "{excess} more would have left as {slot} than counts then: compensate {excess} in \
         {}.{}, or keep the claim", slot.leg, slot.counter.opposite()
    )]
    OverIssued {
        /// In which counter.
        slot: Slot,
        /// By how much.
        excess: Amount,
    },
    /// More would be made up for than there is to make up for.
    #[error(
        "{total} would be undone in {slot}, more than the {undone} that the books show as {}.{}: less is \
         left to make up for", slot.leg, slot.counter.opposite()
    )]
    OverCompensated {
        /// In which counter.
        slot: Slot,
        /// What it would come to, compensations included.
        total: Amount,
        /// What there is to undo.
        undone: Amount,
    },
    /// What would be compensated has no currency.
    #[error("the currency of leg {0} is not known, so nothing can be compensated on it: choose it")]
    NoCurrency(Leg),
    /// Nothing goes by that key.
    #[error("nothing stands by the key `{key}`: {}", list(standing))]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that do stand.
        standing: Vec<String>,
    },
}

impl ResolveError {
    /// Whether it is the order that stands against it, and not the resolution itself that makes no sense.
    #[must_use]
    pub fn is_of_order(&self) -> bool {
        matches!(
            self,
            Self::NoHead
                | Self::BehindIssued { .. }
                | Self::OverIssued { .. }
                | Self::OverCompensated { .. }
        )
    }
}

/// The keys by which money may move, before a resolution or by what it brings up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held(pub BTreeSet<String>);

fn list(standing: &[String]) -> String {
    if standing.is_empty() {
        return "there is nothing to accept or to dismiss".to_owned();
    }
    let keys: Vec<_> = standing.iter().map(|key| format!("`{key}`")).collect();
    format!("write {}", keys.join(" or "))
}

/// Checks a resolution against the order that it is about. `told` are the keys of all that a person was
/// told about the order, beside where it stands.
///
/// # Errors
/// [`ResolveError`] where it decides nothing, or would leave the order without a head or behind what
/// was issued.
pub fn check(
    rules: &Rules,
    order: &Order,
    resolution: &Resolution,
    told: &BTreeSet<String>,
    now: Timestamp,
) -> Result<Held, ResolveError> {
    let decides = resolution.asks
        || !resolution.overrules.is_empty()
        || !resolution.waives.is_empty()
        || resolution.compensates.values().any(|amount| !amount.is_zero());
    if !decides {
        return Err(ResolveError::Empty);
    }
    for overrule in &resolution.overrules {
        if let Overrule::Status(status, _) = overrule
            && !order.claims.iter().any(|claim| claim.status == *status)
        {
            return Err(ResolveError::NotClaimed(status.clone()));
        }
    }
    let before = Standing::of(rules, order, now);
    let (mut joined, event) = (order.clone(), EventId::considered());
    // What is overruled may bring up what the same resolution accepts.
    joined.join_resolution(
        &event,
        now,
        &Resolution { waives: BTreeSet::new(), ..resolution.clone() },
    );
    let overruled = Standing::of(rules, &joined, now);
    let standing: BTreeSet<&str> = before.keys().union(&overruled.keys()).copied().collect();
    let is_known = |key: &&String| {
        standing.contains(key.as_str()) || told.contains(*key) || order.waived.contains_key(*key)
    };
    if let Some(key) = resolution.waives.iter().find(|key| !is_known(key)) {
        let standing: BTreeSet<&str> =
            standing.into_iter().chain(told.iter().map(String::as_str)).collect();
        let standing = standing.into_iter().map(str::to_owned).collect();
        return Err(ResolveError::UnknownKey { key: key.clone(), standing });
    }
    joined.join_resolution(&event, now, resolution);
    let after = Standing::of(rules, &joined, now);
    let has_head = |standing: &Standing| standing.heads.keys().any(|track| track.is_payment());
    if has_head(&before) && !has_head(&after) {
        return Err(ResolveError::NoHead);
    }
    let heads = after.heads.iter().filter(|(track, _)| track.is_payment()).flat_map(|(_, h)| h);
    let was_head = |head: &&Status| before.heads.values().flatten().any(|before| before == *head);
    for head in heads.filter(|head| !was_head(head)) {
        let behind = order.issued_at.iter().find(|issued_at| {
            rules.machine.leads(head, issued_at) && !rules.machine.leads(issued_at, head)
        });
        if let Some(issued_at) = behind {
            return Err(ResolveError::BehindIssued {
                head: head.clone(),
                issued_at: issued_at.clone(),
            });
        }
    }
    let unknown = |slot: &&Slot| !after.currencies.contains_key(&slot.leg);
    if let Some(slot) = resolution.compensates.keys().find(unknown) {
        return Err(ResolveError::NoCurrency(slot.leg));
    }
    check_compensated(&joined, resolution, &after)?;
    let stood: BTreeMap<Slot, Amount> = if before.is_held_by(Cause::Conflict) {
        // What a head closes is not known before there is one.
        BTreeMap::new()
    } else {
        find_excess(rules, order, &before).into_iter().collect()
    };
    let over = find_excess(rules, &joined, &after).into_iter().find(|(slot, excess)| {
        let is_accepted = joined.waived.contains_key(&over_issued_key(*slot, *excess));
        !is_accepted && stood.get(slot).is_none_or(|stood| stood < excess)
    });
    match over {
        Some((slot, excess)) => Err(ResolveError::OverIssued { slot, excess }),
        None => {
            let keys = before.accepted_keys().chain(overruled.accepted_keys());
            Ok(Held(keys.cloned().collect()))
        }
    }
}

/// Nothing is undone that the books do not show: money that somebody has made up for already, perhaps.
fn check_compensated(
    joined: &Order,
    resolution: &Resolution,
    after: &Standing,
) -> Result<(), ResolveError> {
    let books = |slot: Slot| {
        let due = after.due.iter().find(|effect| effect.slot == slot).map(|effect| effect.to);
        let issued = due.unwrap_or_else(|| joined.on_the_books(slot));
        let compensated = joined.compensated(slot);
        // Too long to add exactly cannot be less than the larger of both.
        issued.plus(compensated).unwrap_or_else(|| issued.max(compensated))
    };
    let undoing = resolution.compensates.keys().filter(|slot| slot.counter.undoes().is_some());
    for slot in undoing {
        let (total, undone) = (books(*slot), books(slot.with(slot.counter.opposite())));
        if total > undone {
            return Err(ResolveError::OverCompensated { slot: *slot, total, undone });
        }
    }
    Ok(())
}

fn find_excess(rules: &Rules, order: &Order, standing: &Standing) -> Vec<(Slot, Amount)> {
    let kind = standing.kind.as_ref().and_then(|kind| rules.kinds.get(kind));
    kind.map(|kind| collect_excess(order, standing, kind)).unwrap_or_default()
}
