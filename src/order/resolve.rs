//! Whether a person's resolution may be made.

use super::joined::Order;
use super::name::Status;
use super::report::{Overrule, Resolution};
use super::rules::Rules;
use super::standing::Standing;
use super::timestamp::Timestamp;

/// Why a resolution is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing was decided.
    #[error("the resolution decides nothing: overrule a status, accept a mismatch or dismiss one")]
    Empty,
    /// The overruled status was never claimed.
    #[error("`{0}` was never reported for this order, so it cannot be overruled")]
    NotClaimed(Status),
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
}

/// Checks a resolution against the order that it is about.
///
/// # Errors
/// [`ResolveError`] where it decides nothing, or would leave the order without a head or behind what
/// was issued.
pub fn check(
    rules: &Rules,
    order: &Order,
    resolution: &Resolution,
    now: Timestamp,
) -> Result<(), ResolveError> {
    let decides = !resolution.overrules.is_empty()
        || !resolution.waives.is_empty()
        || !resolution.compensates.is_empty();
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
    let mut joined = order.clone();
    joined.join_resolution(resolution);
    let after = Standing::of(rules, &joined, now);
    let has_head = |standing: &Standing| standing.heads.keys().any(|track| track.is_payment());
    if has_head(&before) && !has_head(&after) {
        return Err(ResolveError::NoHead);
    }
    let heads = after.heads.iter().filter(|(track, _)| track.is_payment()).flat_map(|(_, h)| h);
    for head in heads {
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
    Ok(())
}
