//! A definition as JSON, for programs.

use serde_json::{Map, Value, json};

use super::question::{self, Words};
use super::{confirmed, money, says, source, trust};
use crate::order::machine::StatusRule;
use crate::order::name::Kind;
use crate::order::rules::{Confirm, KindRules};
use crate::provider::reply::Challenge;
use crate::provider::signature::Signature;
use crate::provider::{Format, KindModes, Provider, Trust};

/// What a definition is, and what a source of it needs.
#[must_use]
pub fn brief(provider: &Provider) -> Value {
    json!({
        "name": provider.name,
        "title": provider.title,
        "about": provider.about,
        "documents": provider.documents,
        "kinds": provider.kinds.keys().map(Kind::as_str).collect::<Vec<_>>(),
        "credentials": provider.credentials(),
    })
}

/// All of a definition.
#[must_use]
pub fn whole(provider: &Provider) -> Value {
    let kinds =
        provider.kinds.iter().map(|(name, modes)| (name.to_string(), kind(provider, name, modes)));
    let events = provider.events.iter().map(|(name, status)| (name.clone(), json!(status)));
    let mut shown = brief(provider);
    shown["callbacks"] = json!(believed(&provider.signature));
    shown["callback"] = callback(provider);
    shown["statuses"] = provider.machine.statuses().iter().map(status).collect();
    shown["events"] = Value::Object(events.collect());
    shown["kinds"] = Value::Object(kinds.collect());
    shown["auth"] = words(question::auth(provider));
    shown["ask"] = provider.ask.as_ref().map_or(Value::Null, |ask| words(question::ask(ask)));
    shown["feed"] = provider.feed.as_ref().map_or(Value::Null, |feed| words(question::feed(feed)));
    shown["samples"] = provider.samples.iter().map(|sample| sample.name.clone()).collect();
    shown["source"] = json!(source(provider));
    shown
}

fn believed(signature: &Signature) -> &'static str {
    match signature.trust() {
        Trust::Claims => "claims",
        Trust::Hint => "hints",
    }
}

fn callback(provider: &Provider) -> Value {
    let texts =
        |all: &[crate::provider::read::Matching]| -> Value { all.iter().map(says).collect() };
    let signatures = provider.signatures.iter().map(|(name, own)| (name.clone(), signature(own)));
    let called_back = provider.called_back.as_ref();
    json!({
        "format": match provider.format { Format::Json => "json", Format::Form => "form" },
        "content_types": provider.content_types,
        "items": provider.items.as_ref().map(ToString::to_string),
        "signature": signature(&provider.signature),
        "signatures": Value::Object(signatures.collect()),
        "confirm": match &provider.confirm {
            Some(Confirm::Always) => json!("always"),
            Some(Confirm::Never) => json!("never"),
            Some(Confirm::When { .. }) => json!(confirmed(provider)),
            None if provider.signature.is_of_sender_only() => json!("always"),
            None => json!("never"),
        },
        "statuses": called_back.map(|statuses| statuses.iter().collect::<Vec<_>>()),
        "only": texts(provider.only.as_slice()),
        "ignore": texts(&provider.ignore),
        "challenge": provider.challenge.as_ref().map(challenge),
        "reply": {
            "status": provider.reply.status,
            "body": provider.reply.body,
            "content_type": provider.reply.content_type,
        },
        "event_id_header": provider.event_id_header(),
        "names_account": provider.tells_account(),
        "names_currency": !provider.takes_currency(),
        "name_alone": provider.callback.name_alone,
        "retry_window_secs": provider.retry_window.as_secs(),
    })
}

fn signature(signature: &Signature) -> Value {
    let described = signature.describe().into_iter();
    let mut shown: Map<String, Value> =
        described.map(|(name, text)| (name.to_owned(), json!(text))).collect();
    shown.insert("callbacks".to_owned(), json!(believed(signature)));
    shown.insert("trust".to_owned(), json!(trust(signature)));
    Value::Object(shown)
}

pub(super) fn challenge(challenge: &Challenge) -> String {
    match challenge {
        Challenge::Query { name, token: None } => format!("a GET with {name} in its query"),
        Challenge::Query { name, token: Some(token) } => {
            format!("a GET with {name} in its query, and a callback secret as {token}")
        }
        Challenge::Body { at, when } => {
            let at: Vec<String> = at.iter().map(ToString::to_string).collect();
            let when = when.as_ref().map(|when| format!(", where {}", says(when)));
            format!("a callback with {}{}", at.join(" or "), when.unwrap_or_default())
        }
    }
}

fn status(rule: &StatusRule) -> Value {
    json!({
        "name": rule.name,
        "track": rule.track,
        "final": rule.is_final,
        "outcome": rule.outcome,
        "edges": rule.edges,
        "rank": rule.rank,
        "implies": rule.implies,
        "until": rule.until,
        "aliases": rule.aliases,
        "horizon_secs": rule.horizon.map(|horizon| horizon.as_secs()),
    })
}

fn kind(provider: &Provider, name: &Kind, kind: &KindModes) -> Value {
    let modes = kind.modes.iter().map(|(name, rules)| (name.clone(), mode(rules)));
    let rules = money::default_rules(kind);
    json!({
        "books": kind.default,
        "told_by": money::told_by(provider, name),
        "money": Value::Object(modes.collect()),
        "operations": rules.map(|rules| money::operations(provider, rules)).unwrap_or_default().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "derived": rules.map(money::derived).unwrap_or_default().into_iter()
            .map(|(status, when)| json!({ "status": status, "when": when })).collect::<Vec<_>>(),
        "notes": rules.map(money::notes).unwrap_or_default(),
    })
}

fn mode(rules: &KindRules) -> Value {
    let money =
        rules.money.iter().map(|(status, own)| (status.to_string(), json!(money::state(own))));
    Value::Object(money.collect())
}

/// What is said more than once, such as an error, is a list.
fn words(words: Words) -> Value {
    let mut shown: Map<String, Value> = Map::new();
    for (name, text) in words {
        match shown.get_mut(name) {
            None => {
                shown.insert(name.to_owned(), json!([text]));
            }
            Some(texts) => {
                if let Some(texts) = texts.as_array_mut() {
                    texts.push(json!(text));
                }
            }
        }
    }
    Value::Object(shown)
}
