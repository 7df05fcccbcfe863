//! HMAC (RFC 2104).

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// Which hash an HMAC is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    /// SHA-1. Broken for documents, not for an HMAC; still only for who signs with nothing better.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
}

impl Hash {
    /// How many bytes an HMAC has.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The HMAC of a text.
    pub(super) fn make(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, text).finalize().into_bytes().to_vec(),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, text).finalize().into_bytes().to_vec(),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, text).finalize().into_bytes().to_vec(),
        }
    }

    /// Whether any of these is the HMAC of a text, in constant time each. The text is read once only.
    pub(super) fn is_any(self, key: &[u8], text: &[u8], said: &[Vec<u8>]) -> bool {
        match self {
            Self::Sha1 => any(mac::<Hmac<Sha1>>(key, text), said),
            Self::Sha256 => any(mac::<Hmac<Sha256>>(key, text), said),
            Self::Sha512 => any(mac::<Hmac<Sha512>>(key, text), said),
        }
    }
}

fn any<M: Mac + Clone>(mac: M, said: &[Vec<u8>]) -> bool {
    said.iter().any(|said| mac.clone().verify_slice(said).is_ok())
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> M {
    #[expect(clippy::expect_used, reason = "an HMAC takes a key of any length (RFC 2104, part 2)")]
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("an HMAC takes a key of any length");
    mac.update(text);
    mac
}
