//! The shape of the configuration file, as TOML gives it, with the environment laid over it. What it
//! means is checked in `mod`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::mistake::{Mistake, explain_toml};
use crate::provider::{ConfirmValue, SignatureTable};

/// A whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub store: StoreTable,
    pub queue: QueueTable,
    pub receive: ReceiveTable,
    pub work: WorkTable,
    pub admin: AdminTable,
    pub log: LogTable,
    pub stop: StopTable,
    pub providers: ProvidersTable,
    pub source: BTreeMap<Spanned<String>, Spanned<SourceTable>>,
    pub sink: BTreeMap<Spanned<String>, Spanned<SinkTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreTable {
    pub url: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QueueTable {
    pub url: Option<Spanned<String>>,
    pub prefix: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReceiveTable {
    pub listen: Option<Spanned<String>>,
    pub body_bytes_max: Option<Spanned<u64>>,
    pub in_flight_max: Option<Spanned<u64>>,
    pub confirm_timeout_ms: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WorkTable {
    pub batch_max: Option<Spanned<u64>>,
    pub linger_ms: Option<Spanned<u64>>,
    pub attempts_max: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdminTable {
    pub listen: Option<Spanned<String>>,
    pub token: Option<Spanned<SecretTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogTable {
    pub format: LogFormat,
    pub level: Option<Spanned<String>>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line, for programs.
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StopTable {
    pub grace_secs: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProvidersTable {
    pub dir: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    pub provider: Spanned<String>,
    pub base_url: Option<Spanned<String>>,
    #[serde(default)]
    pub unregistered: UnregisteredWord,
    #[serde(default)]
    pub callback_secrets: Vec<Spanned<CallbackSecretTable>>,
    pub signature: Option<Spanned<SignatureValue>>,
    pub public_url: Option<Spanned<String>>,
    #[serde(default)]
    pub credentials: BTreeMap<Spanned<String>, Spanned<SecretTable>>,
    #[serde(default)]
    pub amount: BTreeMap<Spanned<String>, AmountWord>,
    pub tolerance: Option<Spanned<String>>,
    #[serde(default)]
    pub books: BTreeMap<Spanned<String>, Spanned<String>>,
    pub account: Option<Spanned<String>>,
    pub currency: Option<Spanned<String>>,
    pub confirm: Option<Spanned<ConfirmValue>>,
    #[serde(default)]
    pub settle_after: BTreeMap<Spanned<String>, u64>,
    pub early_secs: Option<Spanned<u64>>,
    #[serde(default)]
    pub ask: AskTable,
    #[serde(default)]
    pub feed: FeedTable,
    #[serde(default)]
    pub limits: LimitsTable,
}

/// When a source's orders are asked about.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AskTable {
    pub first_secs: Option<Spanned<u64>>,
    pub factor: Option<Spanned<u64>>,
    pub cap_secs: Option<Spanned<u64>>,
    pub horizon_secs: Option<Spanned<u64>>,
    pub watch_secs: Option<Spanned<u64>>,
    pub watch_days: Option<Spanned<u64>>,
}

/// When a source's feed is read.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FeedTable {
    pub every_secs: Option<Spanned<u64>>,
    pub overlap_secs: Option<Spanned<u64>>,
}

/// How often a source may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    pub requests_per_second: Option<Spanned<u64>>,
    pub burst: Option<Spanned<u64>>,
    pub hints_per_second: Option<Spanned<u64>>,
    pub hint_burst: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkTable {
    pub kind: Spanned<SinkKind>,
    pub url: Option<Spanned<String>>,
    #[serde(default)]
    pub secrets: Vec<Spanned<CallbackSecretTable>>,
    pub exchange: Option<Spanned<String>>,
    pub sources: Option<Vec<Spanned<String>>>,
    pub types: Option<Vec<Spanned<String>>>,
    pub allow_private: Option<Spanned<bool>>,
    pub timeout_secs: Option<Spanned<u64>>,
    #[serde(default)]
    pub retry: RetryTable,
    #[serde(default)]
    pub limits: SinkLimitsTable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SinkKind {
    Http,
    Amqp,
}

/// When what a sink did not take is tried again.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetryTable {
    pub first_secs: Option<Spanned<u64>>,
    pub factor: Option<Spanned<u64>>,
    pub cap_secs: Option<Spanned<u64>>,
    pub horizon_secs: Option<Spanned<u64>>,
}

/// How often a sink is told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SinkLimitsTable {
    pub requests_per_second: Option<Spanned<u64>>,
    pub burst: Option<Spanned<u64>>,
    pub in_flight_max: Option<Spanned<u64>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum UnregisteredWord {
    #[default]
    Accept,
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AmountWord {
    Exact,
    AtMost,
    Any,
}

/// The name of a way of signing that the definition has, or a description of one.
#[derive(Debug)]
pub(super) enum SignatureValue {
    Named(String),
    Described(Box<SignatureTable>),
}

// By hand, because an untagged enum says nothing useful about what is wrong.
impl<'de> Deserialize<'de> for SignatureValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> serde::de::Visitor<'de> for Read {
            type Value = SignatureValue;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name, or a table that says how callbacks are signed")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<SignatureValue, E> {
                Ok(SignatureValue::Named(name.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<SignatureValue, A::Error> {
                let table = serde::de::value::MapAccessDeserializer::new(map);
                SignatureTable::deserialize(table).map(Box::new).map(SignatureValue::Described)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Where a secret is. It is never written here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretTable {
    pub env: Option<String>,
    pub file: Option<String>,
}

/// A callback secret, and when it is good.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackSecretTable {
    pub env: Option<String>,
    pub file: Option<String>,
    pub id: Option<String>,
    pub not_before: Option<String>,
    pub not_after: Option<String>,
}

/// Reads a file with the environment laid over it: `PAWL_SECTION__KEY=value` for each key.
pub(super) fn read(text: &str, env: &BTreeMap<String, String>) -> Result<File, Mistake> {
    Ok(read_both(text, env)?.0)
}

/// The same, as a table that has the shape of a [`File`].
pub(super) fn read_table(
    text: &str,
    env: &BTreeMap<String, String>,
) -> Result<toml::Table, Mistake> {
    Ok(read_both(text, env)?.1)
}

fn read_both(text: &str, env: &BTreeMap<String, String>) -> Result<(File, toml::Table), Mistake> {
    let overrides: Vec<(&String, &String)> =
        env.iter().filter(|(name, _)| name.starts_with("PAWL_") && name.contains("__")).collect();
    let mut as_text = vec![false; overrides.len()];
    loop {
        let mut root = DeTable::parse(text).map_err(|error| place(text, &overrides, &error))?;
        for (index, (name, value)) in overrides.iter().enumerate() {
            let span = marker(text, index);
            let path: Vec<String> =
                name["PAWL_".len()..].split("__").map(str::to_ascii_lowercase).collect();
            let value = if as_text[index] { None } else { scalar(value) }
                .unwrap_or_else(|| DeValue::String((*value).clone().into()));
            insert(root.get_mut(), &path, Spanned::new(span.clone(), value), &span).map_err(
                |()| Mistake::of_file(format!("{name}: there is no such section to set a key in")),
            )?;
        }
        let file = File::deserialize(Deserializer::from(root.clone()));
        let both =
            file.and_then(|file| Ok((file, toml::Table::deserialize(Deserializer::from(root))?)));
        let error = match both {
            Ok(both) => return Ok(both),
            Err(error) => error,
        };
        // `PAWL_SOURCE__SHOP__ACCOUNT=123` is a number until a text is wanted.
        let marked = error.span().and_then(|span| span.start.checked_sub(text.len() + 1));
        match marked.filter(|index| as_text.get(*index) == Some(&false)) {
            Some(index) if error.message().starts_with("invalid type") => as_text[index] = true,
            _ => return Err(place(text, &overrides, &error)),
        }
    }
}

/// A place past the end of the text stands for an environment variable.
fn marker(text: &str, index: usize) -> std::ops::Range<usize> {
    text.len() + 1 + index..text.len() + 1 + index
}

fn place(text: &str, overrides: &[(&String, &String)], error: &toml::de::Error) -> Mistake {
    let what = explain_toml(error.message());
    locate(
        text,
        overrides.iter().map(|(name, _)| name.as_str()),
        Mistake { span: error.span(), what },
    )
}

/// Names the environment variable, where a mistake is in one.
pub(super) fn locate<'a>(
    text: &str,
    mut overrides: impl Iterator<Item = &'a str>,
    mistake: Mistake,
) -> Mistake {
    let index = mistake.span.as_ref().and_then(|span| span.start.checked_sub(text.len() + 1));
    match index.and_then(|index| overrides.nth(index)) {
        Some(name) => Mistake::of_file(format!("{name}: {}", mistake.what)),
        None => mistake,
    }
}

fn scalar(text: &str) -> Option<DeValue<'_>> {
    let value = DeValue::parse(text).ok()?.into_inner();
    matches!(value, DeValue::Integer(_) | DeValue::Boolean(_)).then_some(value)
}

fn insert<'i>(
    table: &mut DeTable<'i>,
    path: &[String],
    value: Spanned<DeValue<'i>>,
    span: &std::ops::Range<usize>,
) -> Result<(), ()> {
    let [first, rest @ ..] = path else { return Err(()) };
    let key = Spanned::new(span.clone(), first.clone().into());
    if rest.is_empty() {
        table.insert(key, value);
        return Ok(());
    }
    let inner = table
        .entry(key)
        .or_insert_with(|| Spanned::new(span.clone(), DeValue::Table(DeTable::default())));
    match inner.get_mut() {
        DeValue::Table(inner) => insert(inner, rest, value, span),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => Err(()),
    }
}
