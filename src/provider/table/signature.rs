//! `[callback.signature]`, and the same shape wherever a signature is described.

use serde::Deserialize;
use toml::Spanned;

use crate::provider::signature::encoding::Encoding;
use crate::provider::signature::key::KeyEncoding;
use crate::provider::signature::mac::Hash;
use crate::provider::signature::stamp::Unit;

/// A key of the file, with its place.
pub(crate) type Key<T> = Option<Spanned<T>>;

/// How a request is signed. Every key may be left out: a preset may say it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SignatureTable {
    pub preset: Key<String>,
    pub scheme: Key<SchemeWord>,
    pub hash: Key<Hash>,
    pub header: Key<String>,
    pub at: Key<String>,
    pub query: Key<String>,
    pub prefix: Key<String>,
    pub encoding: Key<Encoding>,
    pub key: Key<KeyEncoding>,
    pub key_prefix: Key<String>,
    pub signed: Key<String>,
    pub sorted_fields: Key<SortedFieldsTable>,
    pub list: Key<ListTable>,
    pub timestamp: Key<StampTable>,
    pub id: Key<PlaceTable>,
    pub key_id: Key<PlaceTable>,
    pub missing: Key<MissingWord>,
}

/// Which mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SchemeWord {
    Hmac,
    RsaSha256,
    Ed25519,
    Token,
    Basic,
    None,
}

/// What a request without any signature is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MissingWord {
    #[default]
    Refuse,
    Hint,
}

/// How the value at the signature's place is a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ListTable {
    pub split: Option<String>,
    pub pair: Option<String>,
    pub signature: Option<Vec<String>>,
    pub timestamp: Option<String>,
    pub id: Option<String>,
    pub key_id: Option<String>,
}

/// Where one thing of a request is: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PlaceTable {
    pub header: Option<String>,
    pub at: Option<String>,
    pub query: Option<String>,
}

/// Where the time of signing is, and how far it may be from ours.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StampTable {
    pub header: Option<String>,
    pub at: Option<String>,
    pub query: Option<String>,
    pub unit: Option<Unit>,
    pub tolerance_secs: Option<u64>,
}

/// How `{sorted_fields}` is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SortedFieldsTable {
    pub pair: Option<String>,
    pub join: Option<String>,
    pub skip_empty: Option<bool>,
    pub names: Option<bool>,
    pub without: Vec<String>,
}

impl SignatureTable {
    /// What this table says, and where it says nothing, what the other one does. Inner tables are laid
    /// over each other key by key.
    pub(crate) fn over(self, under: Self) -> Self {
        Self {
            preset: self.preset,
            scheme: self.scheme.or(under.scheme),
            hash: self.hash.or(under.hash),
            header: self.header.or(under.header),
            at: self.at.or(under.at),
            query: self.query.or(under.query),
            prefix: self.prefix.or(under.prefix),
            encoding: self.encoding.or(under.encoding),
            key: self.key.or(under.key),
            key_prefix: self.key_prefix.or(under.key_prefix),
            signed: self.signed.or(under.signed),
            sorted_fields: self.sorted_fields.or(under.sorted_fields),
            list: lay(self.list, under.list, ListTable::over),
            timestamp: lay(self.timestamp, under.timestamp, StampTable::over),
            id: self.id.or(under.id),
            key_id: self.key_id.or(under.key_id),
            missing: self.missing.or(under.missing),
        }
    }
}

fn lay<T>(upper: Key<T>, under: Key<T>, over: impl Fn(T, T) -> T) -> Key<T> {
    match (upper, under) {
        (Some(upper), Some(under)) => {
            let span = upper.span();
            Some(Spanned::new(span, over(upper.into_inner(), under.into_inner())))
        }
        (upper, under) => upper.or(under),
    }
}

impl ListTable {
    fn over(self, under: Self) -> Self {
        Self {
            split: self.split.or(under.split),
            pair: self.pair.or(under.pair),
            signature: self.signature.or(under.signature),
            timestamp: self.timestamp.or(under.timestamp),
            id: self.id.or(under.id),
            key_id: self.key_id.or(under.key_id),
        }
    }
}

impl StampTable {
    fn over(self, under: Self) -> Self {
        let says_where = self.header.is_some() || self.at.is_some() || self.query.is_some();
        let under_place = if says_where { Self::default() } else { under.clone() };
        Self {
            header: self.header.or(under_place.header),
            at: self.at.or(under_place.at),
            query: self.query.or(under_place.query),
            unit: self.unit.or(under.unit),
            tolerance_secs: self.tolerance_secs.or(under.tolerance_secs),
        }
    }

    pub(crate) fn place(&self) -> PlaceTable {
        PlaceTable { header: self.header.clone(), at: self.at.clone(), query: self.query.clone() }
    }
}
