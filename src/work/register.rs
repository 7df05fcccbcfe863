//! Registers orders: what the integrator knows, joined like any other report, but answered at once.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::apply::{Apply, ApplyError};
use crate::clock::Clock;
use crate::config::Source;
use crate::order::name::{EventId, OrderId, Role};
use crate::order::report::{Content, Origin, Registration, Report};
use crate::store::Store;

/// What a registration came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The order was not registered before.
    Created,
    /// It was, with the same content.
    Unchanged,
    /// It was, with other content: nothing was changed.
    Conflict,
}

impl Registered {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Conflict => "conflict",
        }
    }
}

/// Registers one order.
///
/// # Errors
/// [`ApplyError`]; then nothing was changed, as far as we know. It may be tried again.
pub async fn register(
    store: &Store,
    clock: &Clock,
    source: &Source,
    names: BTreeMap<OrderId, Role>,
    registration: Registration,
) -> Result<Registered, ApplyError> {
    let now = clock.now();
    let said = serde_json::to_vec(&registration).unwrap_or_default();
    let event_id = format!("registration:{}", &hex::encode(Sha256::digest(said))[..32]);
    let report = Report {
        origin: Origin::Registration,
        event_id: EventId::new(event_id)
            .map_err(|error| ApplyError::Panicked(error.to_string()))?,
        received_at: now,
        names,
        content: Content::Registered(registration.clone()),
    };
    let mut apply = Apply::load(store.begin().await?, &[(source, &report)], now).await?;
    let known = apply.order(source, &report).map(|order| order.registrations.clone());
    let known = known.unwrap_or_default();
    if !known.is_empty() && !known.contains(&registration) {
        apply.rollback().await?;
        return Ok(Registered::Conflict);
    }
    apply.decide(source, &report);
    apply.write().await?;
    apply.commit().await?;
    Ok(if known.is_empty() { Registered::Created } else { Registered::Unchanged })
}
