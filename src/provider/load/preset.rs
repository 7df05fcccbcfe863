//! Ways of signing that many providers share, by name.

use std::ops::Range;

use toml::Spanned;

use crate::provider::signature::KeyEncoding;
use crate::provider::signature::encoding::Encoding;
use crate::provider::signature::mac::Hash;
use crate::provider::signature::stamp::Unit;
use crate::provider::table::{Key, ListTable, PlaceTable, SchemeWord, SignatureTable, StampTable};

/// The names of all presets.
pub(super) const PRESETS: [&str; 2] = ["standard_webhooks", "timestamped"];

/// The keys that a preset stands for, at the place where it is named.
pub(super) fn preset(
    name: &str,
    scheme: Option<SchemeWord>,
    span: &Range<usize>,
) -> Option<SignatureTable> {
    let scheme = scheme.unwrap_or(SchemeWord::Hmac);
    match name {
        "standard_webhooks" => Some(standard_webhooks(scheme, span)),
        "timestamped" => Some(timestamped(scheme, span)),
        _ => None,
    }
}

fn at<T>(span: &Range<usize>, value: T) -> Key<T> {
    Some(Spanned::new(span.clone(), value))
}

/// Standard Webhooks 1.0: `webhook-signature: v1,BASE64 v1,BASE64` over `id.timestamp.body`; with
/// `scheme = "ed25519"` its `v1a`.
fn standard_webhooks(scheme: SchemeWord, span: &Range<usize>) -> SignatureTable {
    let is_public = scheme == SchemeWord::Ed25519;
    let (version, prefix) = if is_public { ("v1a", "whpk_") } else { ("v1", "whsec_") };
    let header = |name: &str| Some(name.to_owned());
    SignatureTable {
        scheme: at(span, scheme),
        hash: if scheme == SchemeWord::Hmac { at(span, Hash::Sha256) } else { None },
        header: at(span, "webhook-signature".to_owned()),
        encoding: at(span, Encoding::Base64),
        key: at(span, KeyEncoding::Base64),
        key_prefix: at(span, prefix.to_owned()),
        signed: at(span, "{id}.{timestamp}.{body}".to_owned()),
        list: at(
            span,
            ListTable {
                split: Some(" ".to_owned()),
                pair: Some(",".to_owned()),
                signature: Some(vec![version.to_owned()]),
                ..ListTable::default()
            },
        ),
        timestamp: at(
            span,
            StampTable {
                header: header("webhook-timestamp"),
                unit: Some(Unit::Seconds),
                tolerance_secs: Some(300),
                ..StampTable::default()
            },
        ),
        id: at(span, PlaceTable { header: header("webhook-id"), ..PlaceTable::default() }),
        ..SignatureTable::default()
    }
}

/// `t=1764500000,v1=HEX,v1=HEX` over `timestamp.body`, in a header that the definition names.
fn timestamped(scheme: SchemeWord, span: &Range<usize>) -> SignatureTable {
    SignatureTable {
        scheme: at(span, scheme),
        hash: if scheme == SchemeWord::Hmac { at(span, Hash::Sha256) } else { None },
        encoding: at(span, Encoding::Hex),
        signed: at(span, "{timestamp}.{body}".to_owned()),
        list: at(
            span,
            ListTable {
                split: Some(",".to_owned()),
                pair: Some("=".to_owned()),
                signature: Some(vec!["v1".to_owned()]),
                timestamp: Some("t".to_owned()),
                ..ListTable::default()
            },
        ),
        timestamp: at(
            span,
            StampTable {
                unit: Some(Unit::Seconds),
                tolerance_secs: Some(300),
                ..StampTable::default()
            },
        ),
        ..SignatureTable::default()
    }
}
