//! How the text of a secret becomes a key.

use serde::Deserialize;

use super::asymmetric::{Algorithm, from_bytes, from_pem};
use super::encoding::Encoding;
use crate::provider::secret::Secret;

/// How the text of a secret becomes the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyEncoding {
    /// Its bytes are the key.
    #[default]
    Text,
    /// It is the key in hexadecimal.
    Hex,
    /// It is the key in base64.
    Base64,
    /// It is a public key in PEM.
    Pem,
}

/// How the text of a secret becomes the key, and what may stand before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyForm {
    pub encoding: KeyEncoding,
    /// Taken off where it stands there.
    pub prefix: String,
}

/// A secret that cannot be made into a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not in the encoding that the provider's definition says")]
pub struct KeyError;

impl KeyForm {
    /// The key of a shared secret.
    pub(super) fn shared(&self, secret: &Secret) -> Option<Vec<u8>> {
        let text = self.text(secret);
        let key = match self.encoding {
            KeyEncoding::Text => Some(text.as_bytes().to_vec()),
            KeyEncoding::Hex => Encoding::Hex.decode(text),
            KeyEncoding::Base64 => Encoding::Base64.decode(text),
            KeyEncoding::Pem => None,
        };
        key.filter(|key| !key.is_empty())
    }

    /// A public key, as SubjectPublicKeyInfo.
    pub(super) fn public(&self, algorithm: Algorithm, secret: &Secret) -> Option<Vec<u8>> {
        let text = self.text(secret);
        match self.encoding {
            KeyEncoding::Pem => from_pem(algorithm, text),
            KeyEncoding::Hex => from_bytes(algorithm, Encoding::Hex.decode(text)?),
            KeyEncoding::Base64 => from_bytes(algorithm, Encoding::Base64.decode(text)?),
            KeyEncoding::Text => None,
        }
    }

    /// What the text should be, for a message.
    pub(super) fn wanted(&self) -> String {
        let encoding = match self.encoding {
            KeyEncoding::Text => "text",
            KeyEncoding::Hex => "hexadecimal",
            KeyEncoding::Base64 => "base64",
            KeyEncoding::Pem => "PEM, such as -----BEGIN PUBLIC KEY-----",
        };
        match self.prefix.as_str() {
            "" => encoding.to_owned(),
            prefix => format!("{encoding}, with or without `{prefix}` before it"),
        }
    }

    fn text<'a>(&self, secret: &'a Secret) -> &'a str {
        let text = secret.expose();
        text.strip_prefix(&self.prefix).unwrap_or(text)
    }
}
