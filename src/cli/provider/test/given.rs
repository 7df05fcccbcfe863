//! The source that the arguments stand for, checked like one of a configuration.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;

use super::Test;
use crate::cli::environment;
use crate::config::{Source, trial};
use crate::provider::Provider;

/// The source that the arguments stand for.
pub(super) fn source(test: &Test, provider: Provider) -> anyhow::Result<Source> {
    let mut lines = String::new();
    let secrets = test.secret.iter().enumerate().map(|(number, given)| {
        place(given).with_context(|| {
            // What stands there may be the secret itself, and is not repeated.
            format!(
                "--secret, number {}: there is no such environment variable, and no such file",
                number + 1
            )
        })
    });
    let secrets: Vec<String> = secrets.collect::<anyhow::Result<_>>()?;
    if test.answer {
        // Nobody calls back here; answers are checked with a credential.
        writeln!(lines, "signature = \"none\"")?;
        let signature = provider.ask.as_ref().and_then(|ask| ask.envelope.signature.as_ref());
        match (signature, secrets.first()) {
            (Some((credential, _)), Some(secret)) => {
                writeln!(lines, "credentials = {{ {credential} = {secret} }}")?;
            }
            (Some((credential, _)), None) => {
                anyhow::bail!(
                    "answers are signed: name their credential `{credential}` by --secret ENV_OR_FILE"
                )
            }
            (None, _) => {}
        }
    } else {
        if let Some(name) = &test.signature {
            writeln!(lines, "signature = {}", quote(name))?;
        }
        let chosen = test.signature.as_ref().and_then(|name| provider.signatures.get(name));
        let chosen = chosen.unwrap_or(&provider.signature);
        if secrets.is_empty() && !chosen.is_none() {
            anyhow::bail!(
                "callbacks are signed: name the secret by --secret ENV_OR_FILE; it must be {}",
                chosen.wanted_key()
            );
        }
        if chosen.needs_url() && test.url.is_none() {
            anyhow::bail!(
                "callbacks are signed with their URL: give it by --url, as the provider has it"
            );
        }
        writeln!(lines, "callback_secrets = [{}]", secrets.join(", "))?;
        if let Some(url) = &test.url {
            // What the source is told has no query; what came with one is looked at by the path.
            let url = url.split('?').next().unwrap_or_default();
            writeln!(lines, "public_url = {}", quote(url))?;
        }
    }
    if let Some(account) = &test.account {
        writeln!(lines, "account = {}", quote(account))?;
    }
    if let Some(currency) = &test.currency {
        writeln!(lines, "currency = {}", quote(currency))?;
    }
    let books = books(test, &provider);
    if !books.is_empty() {
        writeln!(lines, "books = {{ {} }}", books.join(", "))?;
    }
    trial(provider, &lines, &environment()).map_err(|wrong| anyhow::anyhow!(wrong.join("\n")))
}

/// Path and query of a URL.
pub(super) fn path(url: &str) -> String {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.find(['/', '?']).map_or_else(|| "/".to_owned(), |at| after[at..].to_owned())
}

/// Where a secret is, as a configuration says it; none where nothing is there.
fn place(secret: &str) -> Option<String> {
    let is_id = |id: &str| !id.is_empty() && !id.contains(['/', ':']);
    let (id, place) = match secret.split_once('=') {
        Some((id, place)) if is_id(id) => (Some(id), place),
        _ => (None, secret),
    };
    let (is_set, exists) =
        (|name: &str| std::env::var_os(name).is_some(), |path: &str| Path::new(path).exists());
    let (sort, name) = match (place.strip_prefix("env:"), place.strip_prefix("file:")) {
        (Some(name), _) if is_set(name) => ("env", name),
        (_, Some(path)) if exists(path) => ("file", path),
        (None, None) if is_set(place) => ("env", place),
        (None, None) if exists(place) => ("file", place),
        _ => return None,
    };
    let id = id.map(|id| format!(", id = {}", quote(id))).unwrap_or_default();
    Some(format!("{{ {sort} = {}{id} }}", quote(name)))
}

/// The books mode of each kind: of the one that is named, or of all that have it.
fn books(test: &Test, provider: &Provider) -> Vec<String> {
    let mut books = Vec::new();
    for given in &test.books {
        match given.split_once('=') {
            Some((kind, mode)) => books.push(format!("{} = {}", quote(kind), quote(mode))),
            None => {
                let of = provider.kinds.iter().filter(|(_, kind)| kind.modes.contains_key(given));
                let all: Vec<String> = of
                    .map(|(kind, _)| format!("{} = {}", quote(kind.as_str()), quote(given)))
                    .collect();
                // A mode that no kind has is a mistake, and named as one.
                let none = provider.kinds.keys().take(1).filter(|_| all.is_empty());
                let none = none.map(|kind| format!("{} = {}", quote(kind.as_str()), quote(given)));
                books.extend(none);
                books.extend(all);
            }
        }
    }
    books
}

fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}
