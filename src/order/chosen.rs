//! What counts where several values were said: the only one, or the one that a person chose last.

use sha2::{Digest, Sha256};

use super::amount::Amount;
use super::joined::Order;
use super::report::Registration;
use super::slot::Slot;

/// How the choice between registrations is called.
pub(super) const REGISTRATION: &str = "registration";

/// The key by which a person chooses a value.
pub(super) fn choice_key(what: &str, value: &str) -> String {
    format!("{what}={value}")
}

impl Order {
    /// The one of several named values that counts; none while they contradict each other.
    pub(super) fn chosen<'v, T>(&self, what: &str, values: &'v [(String, T)]) -> Option<&'v T> {
        if let [(_, only)] = values {
            return Some(only);
        }
        let chosen = values.iter().filter_map(|(name, value)| {
            let at = self.waived.get(&choice_key(what, name))?;
            Some((at, name, value))
        });
        chosen.max_by_key(|(at, name, _)| (*at, *name)).map(|(_, _, value)| value)
    }

    /// The registration that counts: amount, booked and expected currency are all read from it.
    #[must_use]
    pub fn registration(&self) -> Option<&Registration> {
        self.chosen(REGISTRATION, &self.named_registrations()).copied()
    }

    pub(super) fn named_registrations(&self) -> Vec<(String, &Registration)> {
        self.registrations
            .iter()
            .map(|registration| (fingerprint(registration), registration))
            .collect()
    }

    /// What the integrator booked itself.
    #[must_use]
    pub fn booked(&self, slot: Slot) -> Option<Amount> {
        self.registration().and_then(|registration| registration.booked.get(&slot).copied())
    }

    /// What the integrator's books show: what was issued and what it booked itself.
    #[must_use]
    pub fn on_the_books(&self, slot: Slot) -> Amount {
        let issued = self.issued.get(&slot).copied().unwrap_or_default();
        issued.max(self.booked(slot).unwrap_or_default())
    }
}

/// A short name for a registration, by which a person chooses it.
fn fingerprint(registration: &Registration) -> String {
    let digest = Sha256::digest(serde_json::to_string(registration).unwrap_or_default());
    let expected: Vec<_> =
        registration.expected.values().map(|e| format!("{} {}", e.amount, e.currency)).collect();
    format!("{}#{}", expected.join("/"), &hex::encode(digest)[..8])
}
