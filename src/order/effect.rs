//! Effects: the money movements that the integrator's books must make.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::amount::{Amount, Currency};
use super::name::EventId;
use super::slot::Slot;

/// The namespace of effects' identities: fixed for ever, like the identities themselves.
const EFFECTS: Uuid = Uuid::from_u128(0x9f0c_2a56_41f3_5c1e_8d6b_7be4_1a90_d3c7);

/// The rise of one counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Which counter.
    pub slot: Slot,
    /// What it had come to on the integrator's books.
    pub from: Amount,
    /// What it comes to with this effect.
    pub to: Amount,
    /// Of what.
    pub currency: Currency,
    /// The resolution by which a person had this much made up for: then it is no rise of a counter,
    /// but an entry of a ledger of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensates: Option<EventId>,
}

impl Effect {
    /// How much money moves.
    #[must_use]
    pub fn amount(&self) -> Amount {
        // An effect whose difference is not exact is never made: the order is in mismatch.
        self.to.above(self.from).unwrap_or_default()
    }

    /// Its identity, which never changes: of the order's key, the counter and what it comes to, and
    /// of the resolution where it compensates. The same rise can therefore never be issued under two
    /// names.
    #[must_use]
    pub fn id(&self, order_key: Uuid) -> Uuid {
        let mut name = format!("{order_key}/{}/{}", self.slot, self.to);
        if let Some(resolution) = &self.compensates {
            name = format!("{name}/compensates/{resolution}");
        }
        Uuid::new_v5(&EFFECTS, name.as_bytes())
    }
}
