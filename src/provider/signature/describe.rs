//! A way of signing in words, for people who have to find out why a signature does not fit.

use std::fmt;

use super::encoding::Encoding;
use super::mac::Hash;
use super::request::Place;
use super::stamp::Unit;
use super::{Scheme, Signature};

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac(Hash::Sha1) => "HMAC-SHA1",
            Self::Hmac(Hash::Sha256) => "HMAC-SHA256",
            Self::Hmac(Hash::Sha512) => "HMAC-SHA512",
            Self::RsaSha256 => "RSA-SHA256 (PKCS#1 v1.5)",
            Self::Ed25519 => "Ed25519",
            Self::Token => "a token",
            Self::Basic => "HTTP Basic",
            Self::None => "none",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "the header {name}"),
            Self::Field(at) => write!(f, "the body's field {at}"),
            Self::Query(name) => write!(f, "the query's parameter {name}"),
            Self::Listed(name) => write!(f, "`{name}` in the signature's list"),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hex => "hexadecimal",
            Self::Base64 => "base64",
            Self::Base64url => "base64url",
        })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds since 1970",
            Self::Millis => "milliseconds since 1970",
            Self::Rfc3339 => "RFC 3339",
        })
    }
}

impl Signature {
    /// What it is in words: a name and a text each.
    #[must_use]
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let mut words = vec![("scheme", self.scheme.to_string())];
        if self.is_none() {
            return words;
        }
        let prefix = match self.prefix.as_str() {
            "" => String::new(),
            prefix => format!(", behind `{prefix}`"),
        };
        words.push(("at", format!("{}{prefix}", self.place)));
        if !self.is_of_sender_only() {
            words.push(("encoding", self.encoding.to_string()));
            words.push(("signed", self.signed.to_string()));
        }
        if let Some(list) = &self.list {
            let names = match &list.pair {
                None => String::new(),
                Some(pair) => {
                    let names: Vec<String> =
                        list.signature.iter().map(|name| format!("`{name}{pair}`")).collect();
                    format!(", signatures behind {}", names.join(" or "))
                }
            };
            words.push(("list", format!("parted by `{}`{names}", list.split.escape_debug())));
        }
        if let Some(stamp) = &self.stamp {
            let secs = stamp.tolerance.as_secs();
            let (place, unit) = (&stamp.place, stamp.unit);
            let time = format!("{place}, in {unit}, at most {secs} seconds from ours");
            words.push(("time", time));
        }
        words.extend(self.id.iter().map(|place| ("id", place.to_string())));
        words.extend(self.key_id.iter().map(|place| ("key_id", place.to_string())));
        words.push(("secret", self.wanted_key()));
        if self.is_optional {
            words.push(("missing", "without any signature a callback is a hint".to_owned()));
        }
        words
    }

    /// The same in one line, but for how the secret is written.
    #[must_use]
    pub fn sentence(&self) -> String {
        let words = self.describe().into_iter().filter(|(name, _)| *name != "secret");
        let words = words.map(|(name, text)| match name {
            "at" => format!("in {text}"),
            "signed" => format!("of {text}"),
            "key_id" => format!("the key's name in {text}"),
            "scheme" | "encoding" | "missing" => text,
            name => format!("{name}: {text}"),
        });
        words.collect::<Vec<_>>().join("; ")
    }
}
