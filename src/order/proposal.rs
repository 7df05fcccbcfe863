//! What a person wants decided, in the words in which an order is shown; and how that becomes a
//! resolution of the order as it then stands.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::amount::Amount;
use super::joined::Order;
use super::name::Status;
use super::report::{Amounts, OperationName, Overrule, Resolution};
use super::resolve::{Held, ResolveError, check};
use super::rules::Rules;
use super::slot::Slot;
use super::timestamp::Timestamp;

/// What a person wants decided about an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proposal {
    /// Statuses that count no more; one that may come again, as far as it was claimed by now.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub overrule: BTreeSet<Status>,
    /// Versions of operations that count no more.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub overrule_operations: BTreeSet<ProposedOperation>,
    /// Keys of what holds money back and is accepted, and of values that are chosen.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub accept: BTreeSet<String>,
    /// Keys of what is known and need not be told any more. No money moves by it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub dismiss: BTreeSet<String>,
    /// What the integrator's books must make up for, by counter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub compensate: BTreeMap<Slot, Amount>,
    /// The provider is asked now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ask: bool,
}

/// An operation that counts no more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposedOperation {
    /// Which operation, by the definition's name.
    pub name: String,
    /// Its id at the provider.
    pub id: String,
    /// Which version of it, by its amounts; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amounts: Option<Amounts>,
}

impl Proposal {
    /// The id of the event that it becomes, where nobody gives one: the same proposal is the same event.
    /// Who makes it, and why, counts too, so that a choice can be taken back and made again; but not where
    /// money is made up for, which two people must not do twice.
    #[must_use]
    pub fn digest(&self, by: &str, why: &str) -> String {
        let mut digest = Sha256::new();
        digest.update(serde_json::to_string(self).unwrap_or_default());
        if self.compensate.is_empty() {
            // Neither can contain a NUL, so they cannot run into each other.
            for text in [by, why] {
                digest.update([0]);
                digest.update(text);
            }
        }
        format!("resolution:{}", &hex::encode(digest.finalize())[..32])
    }

    /// The resolution that it comes to for an order. `told` are the keys of all that a person was told
    /// about the order, beside where it stands.
    ///
    /// # Errors
    /// [`ResolveError`] where it may not be made.
    pub fn resolve(
        &self,
        rules: &Rules,
        order: &Order,
        told: &BTreeSet<String>,
        (by, why): (&str, &str),
        now: Timestamp,
    ) -> Result<Resolution, ResolveError> {
        let mut overrules = BTreeSet::new();
        for status in &self.overrule {
            let known = find(rules, status);
            overrules.insert(Overrule::status(&rules.machine, order, &known));
        }
        for operation in &self.overrule_operations {
            overrules.insert(operation.find(order)?);
        }
        let resolution = Resolution {
            by: by.to_owned(),
            why: why.to_owned(),
            overrules,
            waives: self.accept.union(&self.dismiss).cloned().collect(),
            compensates: self.compensate.clone(),
            asks: self.ask,
        };
        #[cfg(feature = "plants")]
        if crate::plant::is_planted("resolve_unchecked") {
            return Ok(resolution);
        }
        let held = check(rules, order, &resolution, told, now)?;
        self.check_words(order, &held)?;
        Ok(resolution)
    }

    /// To dismiss something must not let money leave, and who accepts something must not believe that it
    /// does where it does not.
    fn check_words(&self, order: &Order, held: &Held) -> Result<(), ResolveError> {
        if let Some(key) = self.dismiss.iter().find(|key| held.0.contains(*key)) {
            return Err(ResolveError::NotDismissed(key.clone()));
        }
        let is_accepted = |key: &&String| held.0.contains(*key) || order.waived.contains_key(*key);
        match self.accept.iter().find(|key| !is_accepted(key)) {
            Some(key) => Err(ResolveError::NotAccepted(key.clone())),
            None => Ok(()),
        }
    }

    /// Whether a resolution that was made is what this one wants.
    #[must_use]
    pub fn is_made_by(&self, rules: &Rules, made: &Resolution) -> bool {
        let own: BTreeSet<Status> = self.overrule.iter().map(|own| find(rules, own)).collect();
        let statuses = made.overrules.iter().filter_map(|overrule| match overrule {
            Overrule::Status(status, _) => Some(status.clone()),
            Overrule::Operation(..) => None,
        });
        let operations = made.overrules.iter().filter_map(|overrule| match overrule {
            Overrule::Status(..) => None,
            Overrule::Operation(name, amounts) => Some((name, amounts)),
        });
        let operations: Vec<_> = operations.collect();
        let is_named = |own: &ProposedOperation| {
            operations.iter().any(|(name, amounts)| {
                own.is(name) && own.amounts.as_ref().is_none_or(|own| own == *amounts)
            })
        };
        own == statuses.collect()
            && self.overrule_operations.len() == operations.len()
            && self.overrule_operations.iter().all(is_named)
            && self.accept.union(&self.dismiss).eq(made.waives.iter())
            && self.compensate == made.compensates
            && self.ask == made.asks
    }
}

/// A status by the definition's name, where it has one for what a person wrote.
fn find(rules: &Rules, status: &Status) -> Status {
    rules.machine.find(status.as_str()).map_or(status, |rule| &rule.name).clone()
}

impl ProposedOperation {
    fn is(&self, name: &OperationName) -> bool {
        name.name == self.name && name.id == self.id
    }

    fn find(&self, order: &Order) -> Result<Overrule, ResolveError> {
        let of_name = order.operations.iter().filter(|operation| self.is(&operation.name));
        let versions: BTreeSet<&Amounts> = of_name.map(|operation| &operation.amounts).collect();
        let (name, id) = (self.name.clone(), self.id.clone());
        let chosen = match (&self.amounts, versions.iter().collect::<Vec<_>>().as_slice()) {
            (_, []) => return Err(ResolveError::NoOperation { name, id }),
            (None, [only]) => **only,
            (Some(amounts), _) if versions.contains(amounts) => amounts,
            _ => {
                let versions = versions.iter().map(|amounts| write_amounts(amounts)).collect();
                return Err(ResolveError::WhichVersion { name, id, versions });
            }
        };
        Ok(Overrule::Operation(OperationName { name, id }, chosen.clone()))
    }
}

/// Amounts as a person writes them: `amount=10,fee=0.5`.
#[must_use]
pub fn write_amounts(amounts: &Amounts) -> String {
    let all: Vec<_> = amounts.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    all.join(",")
}
