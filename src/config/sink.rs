//! Sinks: where changes and effects are delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::file::{CallbackSecretTable, File, RetryTable, SinkKind, SinkTable};
use super::{Check, Form, Limits, did_you_mean};
use crate::order::asking::Schedule;
use crate::order::notice;
use crate::provider::secret::{CallbackSecret, Secret};
use crate::provider::signature::Signature;
use crate::relay::address::{is_own, is_private};

/// How long a secret is at least, in bytes (Standard Webhooks 1.0).
const KEY_BYTES_MIN: usize = 24;

/// Where changes and effects are delivered.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Its name: in the store, in metrics and in messages.
    pub name: String,
    /// How it is told.
    pub way: Way,
    /// What it gets.
    pub wants: Wants,
    /// When what it did not take is tried again.
    pub schedule: Schedule,
    /// How long one notice is tried in vain before it is given up and a person is asked.
    pub horizon: Duration,
    /// How often it may be told.
    pub limits: Limits,
    /// How many orders' notices are under way at once, in one process.
    pub in_flight_max: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// How a sink is told.
#[derive(Clone, Debug)]
pub enum Way {
    /// By signed HTTP requests (Standard Webhooks).
    Http {
        /// Where to.
        url: String,
        /// What requests are signed with: all that are good now, so that the receiver may change from one to
        /// the next.
        secrets: Vec<CallbackSecret>,
        /// How they are signed.
        signature: Box<Signature>,
        /// It may be at a private address.
        allow_private: bool,
    },
    /// By messages to a topic exchange.
    Amqp {
        /// The broker.
        url: Secret,
        /// The exchange.
        exchange: String,
    },
}

/// What a sink gets: patterns, of which `*` at the end stands for anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    /// Of sources' names.
    pub sources: Vec<String>,
    /// Of types of notices.
    pub types: Vec<String>,
}

impl Wants {
    /// Whether a notice of this type about an order of this source is among it.
    #[must_use]
    pub fn has(&self, source: &str, kind: &str) -> bool {
        let fits = |patterns: &[String], text| patterns.iter().any(|pattern| fits(pattern, text));
        fits(&self.sources, source) && fits(&self.types, kind)
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}

impl Sink {
    /// A digest of where it goes.
    #[must_use]
    pub fn place(&self) -> String {
        let place = match &self.way {
            Way::Http { url, .. } => url.clone(),
            Way::Amqp { url, exchange } => format!("{} {exchange}", url.expose()),
        };
        hex::encode(&Sha256::digest(place)[..16])
    }

    /// How it is told, in a word.
    #[must_use]
    pub fn way_name(&self) -> &'static str {
        match self.way {
            Way::Http { .. } => "http",
            Way::Amqp { .. } => "amqp",
        }
    }
}

impl Check<'_> {
    pub(super) fn sinks(&mut self, file: &File, form: Option<&Form>) -> BTreeMap<String, Sink> {
        let sinks = file.sink.iter().filter_map(|(name, table)| self.sink(file, form, name, table));
        sinks.map(|sink| (sink.name.clone(), sink)).collect()
    }

    fn sink(
        &mut self,
        file: &File,
        form: Option<&Form>,
        name: &Spanned<String>,
        spanned: &Spanned<SinkTable>,
    ) -> Option<Sink> {
        let table = spanned.get_ref();
        if !is_name(name.get_ref()) {
            let what = format!(
                "`{}` is no name of a sink: write 1 to 64 lower-case letters, digits, `_` and `-`",
                name.get_ref()
            );
            self.wrong(name.span(), what);
        }
        let way = match table.kind.get_ref() {
            SinkKind::Http => self.http(name, table)?,
            SinkKind::Amqp => self.amqp(name, table, form)?,
        };
        let (schedule, horizon) = self.retry(&table.retry);
        let limits = &table.limits;
        let timeout = self.number(table.timeout_secs.as_ref(), 15, 1..=25);
        Some(Sink {
            name: name.get_ref().clone(),
            way,
            wants: Wants {
                sources: self.sources_wanted(file, table),
                types: self.types_wanted(table),
            },
            schedule,
            horizon,
            limits: Limits {
                requests_per_second: self.count(
                    limits.requests_per_second.as_ref(),
                    1000,
                    1..=100_000,
                ),
                burst: self.count(limits.burst.as_ref(), 1000, 1..=100_000),
                hints_per_second: 1,
                hint_burst: 1,
            },
            in_flight_max: self.number(limits.in_flight_max.as_ref(), 32, 1..=1024),
            timeout: Duration::from_secs(timeout as u64),
        })
    }

    /// What is for one way of telling only, and stands at another.
    fn misplaced(&mut self, key: &str, of: &str, span: std::ops::Range<usize>) {
        self.wrong(span, format!("`{key}` is for a sink of kind \"{of}\" only: remove it"));
    }

    fn http(&mut self, name: &Spanned<String>, table: &SinkTable) -> Option<Way> {
        if let Some(exchange) = &table.exchange {
            self.misplaced("exchange", "amqp", exchange.span());
        }
        let allow_private = table.allow_private.as_ref().is_some_and(|allow| *allow.get_ref());
        let Some(url) = &table.url else {
            let what =
                format!("the sink `{}` has no url: add url = \"https://...\"", name.get_ref());
            self.wrong(name.span(), what);
            return None;
        };
        self.sink_url(url, allow_private);
        if table.secrets.is_empty() {
            let what = format!(
                "the sink `{}` has no secrets: add secrets = [{{ file = \"...\" }}], or its receiver could not \
                 tell what comes from here",
                name.get_ref()
            );
            self.wrong(name.span(), what);
        }
        let signature = Signature::standard_webhooks();
        let signature = signature.map_err(|mistake| self.mistakes.push(mistake)).ok()?;
        let secrets = table.secrets.iter();
        let secrets = secrets.filter_map(|table| self.sink_secret(table, &signature)).collect();
        let url = url.get_ref().clone();
        Some(Way::Http { url, secrets, signature: Box::new(signature), allow_private })
    }

    fn sink_secret(
        &mut self,
        spanned: &Spanned<CallbackSecretTable>,
        signature: &Signature,
    ) -> Option<CallbackSecret> {
        if spanned.get_ref().id.is_some() {
            self.wrong(
                spanned.span(),
                "requests do not name the key that they are signed with: remove id",
            );
        }
        let secret = self.callback_secret(spanned, signature)?;
        let text = secret.secret.expose().trim_start_matches("whsec_");
        let is_long = BASE64_STANDARD.decode(text).is_ok_and(|key| key.len() >= KEY_BYTES_MIN);
        if !is_long {
            let what = format!(
                "the secret has fewer than {KEY_BYTES_MIN} bytes: make one with head -c 24 /dev/urandom | base64"
            );
            self.wrong(spanned.span(), what);
        }
        Some(secret)
    }

    /// What the integrator's books rest on travels over TLS, or not beyond this machine.
    fn sink_url(&mut self, spanned: &Spanned<String>, allow_private: bool) {
        let text = spanned.get_ref();
        let url = Url::parse(text).ok().filter(Url::has_host);
        let is_own = url.as_ref().is_some_and(is_own);
        let is_fine = url.as_ref().is_some_and(|url| match url.scheme() {
            "https" => true,
            "http" => is_own,
            _ => false,
        });
        if !is_fine {
            let what = format!(
                "`{text}` is no URL of a sink: write \"https://...\"; plain http is for loopback only"
            );
            self.wrong(spanned.span(), what);
            return;
        }
        let literal = url.as_ref().and_then(crate::relay::address::literal);
        if let Some(address) = literal.filter(|address| !is_own && is_private(*address))
            && !allow_private
        {
            let what = format!(
                "{address} is a private address: add allow_private = true to the sink, if it is meant"
            );
            self.wrong(spanned.span(), what);
        }
    }

    fn amqp(
        &mut self,
        name: &Spanned<String>,
        table: &SinkTable,
        form: Option<&Form>,
    ) -> Option<Way> {
        if let Some(first) = table.secrets.first() {
            self.misplaced("secrets", "http", first.span());
        }
        if let Some(allow) = &table.allow_private {
            self.misplaced("allow_private", "http", allow.span());
        }
        let (queue_url, prefix) = match form {
            Some(Form::Distributed { queue_url, prefix, .. }) => {
                (Some(queue_url.clone()), prefix.as_str())
            }
            Some(Form::Embedded { .. }) | None => (None, "pawl"),
        };
        let url = match &table.url {
            Some(url) => {
                let is_amqp = ["amqp://", "amqps://"].iter().any(|s| url.get_ref().starts_with(s));
                if !is_amqp {
                    let what = "a sink of kind \"amqp\" has a url such as \"amqp://...\"";
                    self.wrong(url.span(), what);
                }
                Secret::new(url.get_ref().as_str()).ok()
            }
            None => queue_url,
        };
        if url.is_none() {
            let what = format!(
                "the sink `{}` has no url: add url = \"amqp://...\"; there is no broker in [queue]",
                name.get_ref()
            );
            self.wrong(name.span(), what);
        }
        let exchange = match &table.exchange {
            Some(exchange) => exchange.get_ref().clone(),
            None => format!("{prefix}.events"),
        };
        Some(Way::Amqp { url: url?, exchange })
    }

    fn retry(&mut self, table: &RetryTable) -> (Schedule, Duration) {
        let first = self.seconds(table.first_secs.as_ref(), 5);
        let schedule = Schedule {
            first,
            factor: self.count(table.factor.as_ref(), 2, 1..=100),
            cap: self.cap(table.cap_secs.as_ref(), 3600, first),
            ..Schedule::default()
        };
        (schedule, self.seconds(table.horizon_secs.as_ref(), 259_200))
    }

    fn sources_wanted(&mut self, file: &File, table: &SinkTable) -> Vec<String> {
        let known = || file.source.keys().map(|name| name.get_ref().as_str());
        let Some(patterns) = &table.sources else { return vec!["*".to_owned()] };
        for pattern in patterns {
            if !known().any(|name| fits(pattern.get_ref(), name)) {
                let names: Vec<&str> = known().collect();
                let hint = did_you_mean(pattern.get_ref(), names.iter().copied());
                let what = format!("no source is called `{}`: {hint}", pattern.get_ref());
                self.wrong(pattern.span(), what);
            }
        }
        patterns.iter().map(|pattern| pattern.get_ref().clone()).collect()
    }

    fn types_wanted(&mut self, table: &SinkTable) -> Vec<String> {
        let Some(patterns) = &table.types else { return vec!["*".to_owned()] };
        let kinds = notice::kinds();
        for pattern in patterns {
            if !kinds.iter().any(|kind| fits(pattern.get_ref(), kind)) {
                let hint = did_you_mean(pattern.get_ref(), kinds.iter().copied());
                let what = format!("there is no type `{}`: {hint}", pattern.get_ref());
                self.wrong(pattern.span(), what);
            }
        }
        patterns.iter().map(|pattern| pattern.get_ref().clone()).collect()
    }
}

/// Whether a text may name a source or a sink.
pub(super) fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_words_or_their_beginning() {
        let wants = |sources: &[&str], types: &[&str]| {
            let list = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect();
            Wants { sources: list(sources), types: list(types) }
        };
        let effects = wants(&["*"], &["pawl.effect.*"]);
        assert!(effects.has("shop", "pawl.effect.credited"));
        assert!(!effects.has("shop", "pawl.order.changed"));
        let shop = wants(&["shop"], &["*"]);
        assert!(shop.has("shop", "pawl.order.changed"));
        assert!(!shop.has("shop2", "pawl.order.changed"));
        assert!(!wants(&[], &["*"]).has("shop", "pawl.order.changed"));
    }
}
