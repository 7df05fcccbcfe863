//! What kinds of orders there are, and what they mean for money, in words.

use crate::order::name::Kind;
use crate::order::rules::{KindRules, Money, Requirement};
use crate::provider::{KindModes, Provider};

/// What a status does with money, a phrase each.
pub(super) fn state(money: &Money) -> Vec<String> {
    let totals = money.totals.iter().map(|(slot, total)| format!("{slot} = {total}"));
    let closes = money.closes.iter().map(|slot| format!("{slot} := {}", slot.counter.opposite()));
    let required: Vec<String> = money
        .requires
        .iter()
        .map(|requirement| match requirement {
            Requirement::Amount(name) => name.clone(),
            Requirement::Counter(slot) => slot.to_string(),
        })
        .collect();
    let requires = (!required.is_empty()).then(|| format!("once known: {}", required.join(", ")));
    let person = money.judgement.iter().map(|judgement| {
        let only = judgement.only_with.as_ref().map(|name| format!(" where {name} is said"));
        format!("a person must look{}: {}", only.unwrap_or_default(), judgement.text)
    });
    totals.chain(closes).chain(requires).chain(person).collect()
}

/// What each operation adds, by its name.
pub(super) fn operations(provider: &Provider, rules: &KindRules) -> Vec<(String, Vec<String>)> {
    let of = rules.operations.iter().map(|(name, operation)| {
        let adds = operation.adds.iter().map(|(slot, amount)| format!("{slot} += {amount}"));
        let required: Vec<String> = operation.requires.iter().map(ToString::to_string).collect();
        let requires =
            (!required.is_empty()).then(|| format!("once known: {}", required.join(", ")));
        let told = provider.callback.operations.get(name);
        let done = told.and_then(|told| told.when.as_ref());
        let done = done.map(|when| format!("only where {}", super::says(when)));
        (name.clone(), adds.chain(requires).chain(done).collect())
    });
    of.collect()
}

/// The statuses that follow from the counters, in the order in which they are tried.
pub(super) fn derived(rules: &KindRules) -> Vec<(String, String)> {
    let of = rules.derived.iter().map(|derived| {
        let when: Vec<String> = derived.when.iter().map(ToString::to_string).collect();
        (derived.status.to_string(), when.join(" and "))
    });
    of.collect()
}

/// How a report tells a kind: by a word, or by something else that it says.
pub(super) fn told_by(provider: &Provider, kind: &Kind) -> Vec<String> {
    let words = provider.kind_words.iter().filter(|(_, own)| *own == kind);
    let words: Vec<&str> = words.map(|(word, _)| word.as_str()).collect();
    let places: Vec<String> = provider.callback.kind.iter().map(ToString::to_string).collect();
    let by_word = (!places.is_empty() && !words.is_empty())
        .then(|| format!("{} is {}", places.join(" or "), words.join(" or ")));
    let signs = provider.callback.kind_if.iter().filter(|(_, own)| own == kind);
    signs.map(|(matching, _)| super::says(matching)).chain(by_word).collect()
}

/// The amounts that a source's policy compares with the registered ones, what may fall by right, and what must be left.
pub(super) fn notes(rules: &KindRules) -> Vec<String> {
    let judged = rules.judged.iter().map(|(leg, amount)| format!("judged {leg}: {amount}"));
    let level = rules.level.iter().map(|slot| format!("{slot} may fall"));
    let left = rules.remainder.iter().map(|own| {
        let (said, of, less) = (&own.said, own.of, own.less);
        format!("{said} is what must be left of {of} less {less}")
    });
    judged.chain(level).chain(left).collect()
}

/// The rules of the books mode where a source does not choose.
pub(super) fn default_rules(kind: &KindModes) -> Option<&KindRules> {
    kind.modes.get(&kind.default)
}
