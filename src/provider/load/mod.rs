//! Checks a definition and compiles it. Everything that can be found wrong is found here, once, at
//! load, and all of it is reported.

mod ask;
mod auth;
pub(super) mod callback;
mod feed;
mod kind;
mod machine;
mod operation;
mod places;
mod preset;
mod request;
pub(super) mod signature;
mod signature_places;
mod source;

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use ask::load_ask;
use auth::load_auth;
use callback::{
    load_called_back, load_challenge, load_confirm, load_content_types, load_reply, load_signatures,
};
use feed::load_feed;
use kind::load_kinds;
use machine::load_machine;
use operation::load_operations;
use places::{
    Base, check_places, collect_amounts, load_exponents, load_names, load_time_format, matching,
};

use super::Provider;
use super::json::Pointer;
use super::sample::Sample;
use super::table::{Definition, MatchingTable};
use crate::mistake::{Mistake, read_toml};
use crate::order::machine::normalise;
use crate::order::name::Kind;

pub(super) fn load(text: &str) -> Result<Provider, Vec<Mistake>> {
    let definition: Definition = read_toml(text).map_err(|mistake| vec![mistake])?;
    let mut found = Found::default();
    check_name(&definition.name, &mut found);
    // Kinds and places lean on the machine: without one, what they say about statuses is noise.
    let machine = load_machine(&definition).map_err(|mut mistakes| {
        mistakes.append(&mut found.mistakes);
        mistakes
    })?;
    let kinds = load_kinds(&definition.kind, &machine, &mut found);
    let kind_words = collect_kind_words(&definition, &mut found);
    let amounts = collect_amounts(&definition.event, &kinds, &mut found);
    let operations = load_operations(&definition, &mut found);
    let events = load_names(&definition, &machine, &mut found);
    let time_format = load_time_format(&definition.event, &mut found);
    let exponents = load_exponents(&definition.event, &mut found);
    let has_loops = machine.statuses().iter().any(|rule| machine.repeats(&rule.name));
    let base = Base {
        event: &definition.event,
        amounts: &amounts,
        time_format,
        exponents: &exponents,
        operations: &operations,
        kinds: kinds_by_sign(&definition),
        has_loops,
    };
    let callback = &definition.callback;
    let parse = |list: &Spanned<String>| found.parse::<Pointer>(list.get_ref(), list.span());
    let items = callback.items.as_ref().and_then(parse);
    let places = base.places(items.clone(), callback.at.as_ref(), &callback.event, &mut found);
    let item = items.clone().map(Pointer::each).unwrap_or_default();
    let mut in_item = |table| {
        let mut matching = matching(table, &mut found);
        matching.at = matching.at.iter().map(|place| item.then(place)).collect();
        matching
    };
    let only = callback.only.as_ref().map(&mut in_item);
    let ignore = callback.ignore.iter().map(in_item).collect();
    let content_types = load_content_types(callback, &mut found);
    let reply = load_reply(&callback.reply, &mut found);
    let challenge = callback.challenge.as_ref().and_then(|c| load_challenge(c, &mut found));
    check_places(&definition, &places, &mut found);
    let called_back = load_called_back(callback.statuses.as_deref(), &machine, &mut found);
    let retry_window = Duration::from_secs(callback.retry_window_secs.unwrap_or(RETRY_WINDOW_SECS));
    let ask = definition.ask.as_ref().map(|ask| load_ask(ask, &base, &mut found));
    let feed = definition.feed.as_ref().map(|feed| load_feed(feed, &base, &mut found));
    let auth = load_auth(&definition.auth, &mut found);
    let (signature, signatures) =
        load_signatures(callback, &places.deciding(has_loops), &mut found);
    let confirm = callback.confirm.as_ref().map(|value| load_confirm(value, &machine, &mut found));
    let samples: Vec<Sample> = definition.sample.iter().map(Sample::of).collect();
    let Some(signature) = signature.filter(|_| found.mistakes.is_empty()) else {
        return Err(found.mistakes);
    };
    Ok(Provider {
        name: definition.name.get_ref().clone(),
        title: definition.title.clone(),
        about: definition.about.clone(),
        documents: definition.documents.clone(),
        machine: Arc::new(machine),
        kinds,
        signature,
        signatures,
        confirm,
        auth,
        ask: ask.flatten(),
        feed: feed.flatten(),
        samples,
        format: callback.format,
        content_types,
        reply,
        challenge,
        items,
        only,
        ignore,
        callback: places,
        events,
        called_back,
        retry_window,
        kind_words,
        takes_currency: definition.event.currency_from_source.is_some_and(Spanned::into_inner),
    })
}

/// For how long a sender tries again where the definition does not say: three days, like most.
const RETRY_WINDOW_SECS: u64 = 259_200;

/// The mistakes that were found so far.
#[derive(Default)]
pub(crate) struct Found {
    pub(super) mistakes: Vec<Mistake>,
}

impl Found {
    pub(super) fn at(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.mistakes.push(Mistake::at(span, what));
    }

    /// Parses a text, or notes what is wrong with it at its place.
    pub(super) fn parse<T: FromStr<Err: ToString>>(
        &mut self,
        text: &str,
        span: Range<usize>,
    ) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.at(span, error.to_string())).ok()
    }
}

fn check_name(name: &Spanned<String>, found: &mut Found) {
    let text = name.get_ref();
    let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if !is_name {
        let what = format!("`{text}` is no name: write lower-case letters, digits, `_` and `-`");
        found.at(name.span(), what);
    }
}

/// The kinds that something else than a word tells, in the order of the file: the first that holds counts.
fn kinds_by_sign(definition: &Definition) -> Vec<(&MatchingTable, Kind)> {
    let mut kinds: Vec<_> = definition
        .kind
        .iter()
        .filter_map(|(name, table)| Some((name, table.when.as_ref()?)))
        .collect();
    kinds.sort_by_key(|(_, when)| when.span().start);
    kinds.into_iter().map(|(name, when)| (when.get_ref(), Kind::new(name.get_ref()))).collect()
}

fn collect_kind_words(definition: &Definition, found: &mut Found) -> BTreeMap<String, Kind> {
    let mut words = BTreeMap::new();
    for (name, table) in &definition.kind {
        let own = [name.get_ref().clone()];
        let said = if table.is.is_empty() { &own[..] } else { &table.is[..] };
        for word in said {
            if let Some(other) = words.insert(normalise(word), Kind::new(name.get_ref())) {
                let what = format!("`{word}` already stands for the kind `{other}`");
                found.at(name.span(), what);
            }
        }
    }
    words
}
