//! Sources: one configured account at a provider each.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::ask::SECS_MAX;
use super::file::{AmountWord, File, SecretTable, SourceTable, UnregisteredWord};
use super::sink::is_name;
use super::{Check, did_you_mean};
use crate::order::amount::{Amount, Currency};
use crate::order::asking::Schedule;
use crate::order::machine::Machine;
use crate::order::name::{Kind, Status};
use crate::order::rules::{AmountPolicy, Policy, Rules, Unregistered};
use crate::order::timestamp::Timestamp;
use crate::provider::request::Credentials;
use crate::provider::secret::{CallbackSecret, Secret};
use crate::provider::signature::{Request, Signature, SignatureError};
use crate::provider::{Provider, RulesError, Trust};

/// One configured account at a provider.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name: in the URL and in every key.
    pub name: String,
    /// The provider's definition.
    pub provider: Arc<Provider>,
    /// What its orders are decided by.
    pub rules: Arc<Rules>,
    /// How its callbacks are signed.
    pub signature: Signature,
    /// The URL that the provider was given for callbacks, where it is known.
    pub public_url: Option<String>,
    /// What its callbacks are signed with.
    pub callback_secrets: Vec<CallbackSecret>,
    /// Where the provider is asked.
    pub base_url: Option<String>,
    /// How we prove who we are when we ask.
    pub credentials: Credentials,
    /// When its orders are asked about.
    pub schedule: Schedule,
    /// When its feed is read, where the provider has one.
    pub feed: Option<FeedSchedule>,
    /// How often it may be asked.
    pub limits: Limits,
}

/// When a source's feed is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSchedule {
    /// How often.
    pub every: Duration,
    /// How much of what was read before is read again.
    pub overlap: Duration,
}

/// How often a source may be asked: a bucket of tokens, one a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many tokens a second come in.
    pub requests_per_second: u32,
    /// How many there are at most.
    pub burst: u32,
    /// How many hints a second are followed, each with a token of its own beside that of the request.
    pub hints_per_second: u32,
    /// How many at once.
    pub hint_burst: u32,
}

impl Source {
    /// Whether its callbacks are believed, where they are signed as they should be; else they are hints.
    #[must_use]
    pub fn makes_claims(&self) -> bool {
        self.signature.trust() == Trust::Claims
    }

    /// The secrets that are good at a time.
    pub fn secrets_at(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.callback_secrets.iter().filter(move |s| s.is_good_at(now)).map(|s| &s.secret)
    }

    /// Checks a callback over its raw bytes, and says how far it is to be believed.
    ///
    /// # Errors
    /// [`SignatureError`]; whatever the reason, the body must not be used.
    pub fn verify(&self, request: &Request<'_>) -> Result<Trust, SignatureError> {
        let request = Request { url: self.public_url.as_deref(), ..*request };
        let secrets = &self.callback_secrets;
        self.provider.verify_callback(&request, Some(&self.signature), secrets)
    }
}

impl Check<'_> {
    pub(super) fn sources(
        &mut self,
        file: &File,
        providers: &BTreeMap<String, Provider>,
    ) -> BTreeMap<String, Source> {
        let mut sources = BTreeMap::new();
        let mut secrets: Vec<(Secret, bool, Range<usize>, String)> = Vec::new();
        if file.source.is_empty() {
            let what =
                "there is no source: add one, such as [source.shop] with provider = \"flypay\"";
            self.mistakes.push(crate::mistake::Mistake::of_file(what));
        }
        for (name, table) in &file.source {
            let Some(source) = self.source(name, table, providers) else { continue };
            // A genuine body would count twice if two sources accepted it.
            let tells_account = source.rules.policy.account.is_some();
            for secret in &source.callback_secrets {
                let twin = secrets.iter().find(|(known, ..)| *known == secret.secret);
                if let Some((_, twin_tells, _, twin)) = twin
                    && !(tells_account && *twin_tells)
                {
                    let what = format!(
                        "the source `{}` has the same callback secret as `{twin}`: a genuine callback \
                         of one would also be accepted by the other, and count twice. Use two \
                         secrets, or set `account` in both",
                        name.get_ref()
                    );
                    self.wrong(table.span(), what);
                }
                let own = (secret.secret.clone(), tells_account, table.span(), source.name.clone());
                secrets.push(own);
            }
            sources.insert(source.name.clone(), source);
        }
        sources
    }

    fn source(
        &mut self,
        name: &Spanned<String>,
        spanned: &Spanned<SourceTable>,
        providers: &BTreeMap<String, Provider>,
    ) -> Option<Source> {
        let table = spanned.get_ref();
        if !is_name(name.get_ref()) {
            let what = format!(
                "`{}` is no name of a source: write lower-case letters, digits, `_` and `-`; it \
                 stands in the callback URL",
                name.get_ref()
            );
            self.wrong(name.span(), what);
        }
        let Some(provider) = providers.get(table.provider.get_ref()) else {
            let hint = did_you_mean(table.provider.get_ref(), providers.keys().map(String::as_str));
            let what = format!("there is no provider `{}`: {hint}", table.provider.get_ref());
            self.wrong(table.provider.span(), what);
            return None;
        };
        let signature = self.signature(table, provider);
        let policy = self.policy(table, provider, &signature);
        let books = self.books(table, provider);
        let rules = provider.rules(&books, policy);
        let rules = rules.map_err(|error| self.wrong(name.span(), error.to_string())).ok()?;
        self.check_asking(table, provider);
        Some(Source {
            name: name.get_ref().clone(),
            callback_secrets: self.callback_secrets(name, &table.callback_secrets, &signature),
            public_url: self.public_url(name, table, &signature),
            base_url: self.base_url(table.base_url.as_ref()),
            credentials: self.credentials(&table.credentials, provider),
            schedule: self.schedule(&table.ask),
            feed: self.feed(&table.feed, provider),
            limits: self.limits(&table.limits),
            signature,
            provider: Arc::new(provider.clone()),
            rules: Arc::new(rules),
        })
    }

    fn policy(
        &mut self,
        table: &SourceTable,
        provider: &Provider,
        signature: &Signature,
    ) -> Policy {
        let waits = table.unregistered == UnregisteredWord::Wait;
        let mut amount = BTreeMap::new();
        for (key, word) in &table.amount {
            let (kind, status) = match key.get_ref().split_once('.') {
                Some((kind, status)) => (kind, Some(Status::new(status))),
                None => (key.get_ref().as_str(), None),
            };
            self.kind(kind, &key.span(), provider);
            if let Some(status) = &status {
                self.status(status, &key.span(), &provider.machine);
            }
            if *word != AmountWord::Any && !waits {
                let what = format!(
                    "amounts of `{}` can only be compared with registered ones: add unregistered = \
                     \"wait\" to the source",
                    key.get_ref()
                );
                self.wrong(key.span(), what);
            }
            let policy = match word {
                AmountWord::Exact => AmountPolicy::Exact,
                AmountWord::AtMost => AmountPolicy::AtMost,
                AmountWord::Any => AmountPolicy::Any,
            };
            amount.insert((Kind::new(kind), status), policy);
        }
        for status in table.settle_after.keys() {
            self.status(&Status::new(status.get_ref()), &status.span(), &provider.machine);
        }
        let settle_after = table.settle_after.iter();
        Policy {
            unregistered: if waits { Unregistered::Wait } else { Unregistered::Accept },
            amount,
            tolerance: table
                .tolerance
                .as_ref()
                .map(|t| self.amount(t.get_ref(), &t.span()))
                .unwrap_or_default(),
            currency: self.currency(table.currency.as_ref(), provider),
            account: self.account(table.account.as_ref(), provider),
            confirm: self.confirm(table, provider, signature),
            settle_after_secs: settle_after.map(|(s, n)| (Status::new(s.get_ref()), *n)).collect(),
            early_secs: Some(self.number(table.early_secs.as_ref(), 3600, 1..=SECS_MAX) as u64),
        }
    }

    fn amount(&mut self, text: &str, span: &Range<usize>) -> Amount {
        text.parse().unwrap_or_else(|error: crate::order::amount::AmountError| {
            self.wrong(span.clone(), error.to_string());
            Amount::ZERO
        })
    }

    fn kind(&mut self, kind: &str, span: &Range<usize>, provider: &Provider) {
        if !provider.kinds.contains_key(kind) {
            let hint = did_you_mean(kind, provider.kinds.keys().map(Kind::as_str));
            let what = format!("{} has no kind `{kind}`: {hint}", provider.title);
            self.wrong(span.clone(), what);
        }
    }

    fn status(&mut self, status: &Status, span: &Range<usize>, machine: &Machine) {
        if machine.get(status).is_none() {
            let known = machine.statuses().iter().map(|rule| rule.name.as_str());
            let hint = did_you_mean(status.as_str(), known);
            self.wrong(span.clone(), format!("there is no status `{status}`: {hint}"));
        }
    }

    fn books(&mut self, table: &SourceTable, provider: &Provider) -> BTreeMap<Kind, String> {
        let mut books = BTreeMap::new();
        for (kind, mode) in &table.books {
            let named = Kind::new(kind.get_ref());
            let Some(modes) = provider.kinds.get(&named) else {
                self.kind(kind.get_ref(), &kind.span(), provider);
                continue;
            };
            if modes.modes.contains_key(mode.get_ref()) {
                books.insert(named, mode.get_ref().clone());
            } else {
                let error = RulesError::Mode {
                    kind: named,
                    mode: mode.get_ref().clone(),
                    known: modes.modes.keys().cloned().collect::<Vec<_>>().join(" or "),
                };
                self.wrong(mode.span(), error.to_string());
            }
        }
        books
    }

    fn account(
        &mut self,
        account: Option<&Spanned<String>>,
        provider: &Provider,
    ) -> Option<String> {
        let account = account?;
        if !provider.tells_account() {
            let what = format!("callbacks of {} name no account: remove `account`", provider.title);
            self.wrong(account.span(), what);
        }
        Some(account.get_ref().clone())
    }

    fn currency(
        &mut self,
        currency: Option<&Spanned<String>>,
        provider: &Provider,
    ) -> Option<Currency> {
        let currency = currency?;
        if !provider.takes_currency() {
            let what = format!("{} says itself what currency: remove `currency`", provider.title);
            self.wrong(currency.span(), what);
        }
        let code = currency.get_ref().parse::<Currency>();
        code.map_err(|error| self.wrong(currency.span(), error.to_string())).ok()
    }

    /// Money and credentials travel over TLS, or not beyond this machine.
    fn base_url(&mut self, url: Option<&Spanned<String>>) -> Option<String> {
        let url = url?;
        let text = url.get_ref().trim_end_matches('/');
        let host =
            |rest: &str| rest.split(['/', ':', '?', '#']).next().unwrap_or_default().to_owned();
        let is_plain_here = text.strip_prefix("http://").is_some_and(|rest| {
            rest.starts_with("[::1]") || matches!(host(rest).as_str(), "127.0.0.1" | "localhost")
        });
        let is_secure = text.strip_prefix("https://").is_some_and(|rest| !host(rest).is_empty());
        if !is_plain_here && !is_secure {
            let what = format!(
                "`{}` is no base URL: write \"https://...\"; plain http is for loopback only",
                url.get_ref()
            );
            self.wrong(url.span(), what);
        }
        Some(text.to_owned())
    }

    fn credentials(
        &mut self,
        tables: &BTreeMap<Spanned<String>, Spanned<SecretTable>>,
        provider: &Provider,
    ) -> Credentials {
        let known = provider.credentials();
        let mut credentials = Credentials::new();
        for (name, table) in tables {
            if !known.contains(name.get_ref().as_str()) {
                let hint = did_you_mean(name.get_ref(), known.iter().copied());
                let what =
                    format!("{} needs no credential `{}`: {hint}", provider.title, name.get_ref());
                self.wrong(name.span(), what);
            }
            let SecretTable { env, file } = table.get_ref();
            if let Some(secret) = self.secret(env.as_deref(), file.as_deref(), &table.span()) {
                credentials.insert(name.get_ref().clone(), secret);
            }
        }
        credentials
    }
}
