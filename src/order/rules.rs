//! What `decide` goes by: a provider's machine, what each status means for money in each kind, and
//! the policy of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::amount::{Amount, Currency};
use super::expression::{Condition, Expression};
use super::machine::Machine;
use super::name::{Kind, Status};
use super::slot::{Leg, Slot};

/// What `decide` goes by, for one source.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The provider's statuses and edges.
    pub machine: Arc<Machine>,
    /// What statuses mean for money, by kind; for the books mode that the source chose.
    pub kinds: Arc<BTreeMap<Kind, KindRules>>,
    /// What the source's owner demands.
    pub policy: Policy,
}

/// What statuses and operations mean for money in one kind of order.
#[derive(Clone, Debug, Default)]
pub struct KindRules {
    /// What each status says.
    pub money: BTreeMap<Status, Money>,
    /// What each operation adds to the counters. Empty where statuses carry totals.
    pub operations: BTreeMap<String, OperationMoney>,
    /// The payment status by the counters, for kinds that count operations: the first that holds.
    pub derived: Vec<Derived>,
    /// What the provider says is left, for kinds that count operations.
    pub remainder: Option<Remainder>,
    /// The amount that an amount policy compares with the registered one.
    pub judged: BTreeMap<Leg, Expression>,
    /// Counters whose total may fall by right.
    pub level: BTreeSet<Slot>,
    /// Nothing of this kind is on the integrator's books: the counters only tell the status.
    pub is_silent: bool,
}

/// What one status means for money.
#[derive(Clone, Debug, Default)]
pub struct Money {
    /// Cumulative amounts at this status.
    pub totals: BTreeMap<Slot, Expression>,
    /// Counters that this status brings up to what they undo: `to.released` means all that is held.
    pub closes: BTreeSet<Slot>,
    /// What must be known before this status moves money.
    pub requires: Vec<Requirement>,
    /// A person must look at an order in this status.
    pub judgement: Option<Judgement>,
}

/// What one operation adds.
#[derive(Clone, Debug, Default)]
pub struct OperationMoney {
    /// What it adds to each counter.
    pub adds: BTreeMap<Slot, Expression>,
    /// Counters that must be known before it counts.
    pub requires: BTreeSet<Slot>,
}

/// What a provider says is left of an order, with some of its operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remainder {
    /// The amount that says so.
    pub said: String,
    /// The counter of which something is left.
    pub of: Slot,
    /// The counter by which it falls.
    pub less: Slot,
}

/// A status that follows from the counters.
#[derive(Clone, Debug)]
pub struct Derived {
    /// The status.
    pub status: Status,
    /// All of these must hold.
    pub when: Vec<Condition>,
}

/// Something that must be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// An amount, said at this status.
    Amount(String),
    /// A counter, known from anywhere.
    Counter(Slot),
}

/// Why a person must look, and when.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// What the person must know.
    pub text: String,
    /// Only where this amount was said and is not zero; always where `None`.
    pub only_with: Option<String>,
}

/// What the source's owner demands.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What to do with money of orders that the integrator did not register.
    pub unregistered: Unregistered,
    /// How an order's amount must fit the registered one; the more special key stands.
    pub amount: BTreeMap<(Kind, Option<Status>), AmountPolicy>,
    /// By how much it may differ.
    pub tolerance: Amount,
    /// The currency of orders of which neither a report nor the registration says one.
    pub currency: Option<Currency>,
    /// The account at the provider that every report must name, where it names one.
    pub account: Option<String>,
    /// Which claims move money only after an answer said the same.
    pub confirm: Confirm,
    /// How many seconds a status must stand before its effects are issued.
    pub settle_after_secs: BTreeMap<Status, u64>,
    /// For how many seconds an order may wait for what is not known yet, before a person is told; `None`
    /// tells nobody.
    pub early_secs: Option<u64>,
}

/// What to do with money of orders that the integrator did not register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unregistered {
    /// Issue it.
    #[default]
    Accept,
    /// Hold it back until the order is registered.
    Wait,
}

/// How the amount that moved must fit the registered one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AmountPolicy {
    /// Equal, but for the tolerance.
    Exact,
    /// Equal or less.
    AtMost,
    /// Whatever the provider says.
    #[default]
    Any,
}

impl fmt::Display for AmountPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exactly",
            Self::AtMost => "at most",
            Self::Any => "any of",
        })
    }
}

/// Which claims move money only after an answer said the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// None.
    #[default]
    Never,
    /// Every claim that moves money.
    Always,
    /// Claims of these statuses, and claims that move more than this amount in any counter.
    When {
        /// More than this.
        above: Option<Amount>,
        /// These statuses.
        statuses: BTreeSet<Status>,
    },
}

impl KindRules {
    /// The counters that a payment status closes: its own closings and those of every status that
    /// leads to it, because what was lifted or reversed stays so.
    pub fn closes<'a>(
        &'a self,
        machine: &'a Machine,
        head: &'a Status,
    ) -> impl Iterator<Item = Slot> + 'a {
        let on_payment =
            |status: &Status| machine.get(status).is_some_and(|rule| rule.track.is_payment());
        let earlier =
            self.money.iter().filter(move |(s, _)| on_payment(s) && machine.leads(s, head));
        earlier.flat_map(|(_, money)| money.closes.iter().copied())
    }

    /// Whether a status moves money in this kind: by totals, or by closing a counter, be it only
    /// because a status that leads to it does.
    #[must_use]
    pub fn moves_money(&self, machine: &Machine, status: &Status) -> bool {
        self.money.get(status).is_some_and(|m| !m.totals.is_empty() || !m.closes.is_empty())
            || self.closes(machine, status).next().is_some()
    }

    /// The names of all amounts that this kind reads.
    #[must_use]
    pub fn amount_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for money in self.money.values() {
            names.extend(money.totals.values().flat_map(Expression::names));
            names.extend(money.requires.iter().filter_map(|requirement| match requirement {
                Requirement::Amount(name) => Some(name.as_str()),
                Requirement::Counter(_) => None,
            }));
            names.extend(money.judgement.iter().filter_map(|j| j.only_with.as_deref()));
        }
        names.extend(self.remainder.iter().map(|remainder| remainder.said.as_str()));
        for operation in self.operations.values() {
            names.extend(operation.adds.values().flat_map(Expression::names));
        }
        // With operations, the judged expression is over counters.
        if self.operations.is_empty() {
            names.extend(self.judged.values().flat_map(Expression::names));
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// The legs that this kind moves money on.
    #[must_use]
    pub fn legs(&self) -> BTreeSet<Leg> {
        let stated = self.money.values().flat_map(|m| m.totals.keys().chain(&m.closes));
        let added = self.operations.values().flat_map(|operation| operation.adds.keys());
        stated.chain(added).map(|slot| slot.leg).chain(self.judged.keys().copied()).collect()
    }
}

impl Rules {
    /// The rules of a kind. A provider with one kind need not name it.
    #[must_use]
    pub fn kind(&self, name: Option<&Kind>) -> Option<(&Kind, &KindRules)> {
        match name {
            Some(name) => self.kinds.get_key_value(name),
            None if self.kinds.len() == 1 => self.kinds.first_key_value(),
            None => None,
        }
    }

    /// How an order's amount must fit, in a status of a kind.
    #[must_use]
    pub fn amount_policy(&self, kind: &Kind, status: &Status) -> AmountPolicy {
        let special = self.policy.amount.get(&(kind.clone(), Some(status.clone())));
        let general = || self.policy.amount.get(&(kind.clone(), None));
        special.or_else(general).copied().unwrap_or_default()
    }
}
