//! Signatures over raw bytes: a scheme is described by the definition, not coded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Sha256, Sha512};

use super::headers::Headers;
use super::secret::Secret;

/// Which hash an HMAC is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal; written in lower case, read in either.
    Hex,
    /// Base64 with padding (RFC 4648, part 4).
    Base64,
}

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
}

/// An HMAC (RFC 2104) of the whole body, in a header.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Always `hmac`.
    pub scheme: Scheme,
    /// The hash.
    pub hash: Hash,
    /// The header that carries it.
    pub header: String,
    /// How it is written there.
    pub encoding: Encoding,
    /// What stands before it there, such as `sha256=`.
    #[serde(default)]
    pub prefix: String,
    /// How the secret becomes the key.
    #[serde(default)]
    pub key: KeyEncoding,
}

/// Which mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// HMAC with a shared secret.
    Hmac,
}

/// Why a signature is not accepted. Logged and counted; a sender only learns that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is missing.
    #[error("the signature header is missing")]
    Missing,
    /// The header stands more than once.
    #[error("the signature header stands more than once")]
    Repeated,
    /// Not of the form that the definition describes.
    #[error("the signature is malformed")]
    Malformed,
    /// Made with another secret, or over another body.
    #[error("the signature does not match")]
    Wrong,
    /// There is no secret to check it with. Fails closed.
    #[error("no secret is good at this time")]
    NoSecret,
}

/// A secret that cannot be made into a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not in the encoding that the provider's definition says")]
pub struct KeyError;

impl Signature {
    /// Checks a body against its header, over the raw bytes and in constant time, with every secret
    /// that is good now.
    ///
    /// # Errors
    /// [`SignatureError`]; whatever the reason, the body must not be used.
    pub fn verify<'a>(
        &self,
        headers: &Headers,
        body: &[u8],
        secrets: impl IntoIterator<Item = &'a Secret>,
    ) -> Result<(), SignatureError> {
        let header = headers.only(&self.header).map_err(|_| SignatureError::Repeated)?;
        #[cfg(feature = "plants")]
        if header.is_none() && crate::plant::is_planted("skip_missing_signature") {
            return Ok(());
        }
        let header = header.ok_or(SignatureError::Missing)?;
        let text = header.strip_prefix(&self.prefix).ok_or(SignatureError::Malformed)?;
        let said = decode(self.encoding, text).ok_or(SignatureError::Malformed)?;
        if said.len() != self.len() {
            return Err(SignatureError::Malformed);
        }
        let mut result = Err(SignatureError::NoSecret);
        for secret in secrets {
            // One secret that is written wrongly must not shut out the good one beside it.
            let Ok(key) = self.key(secret) else {
                continue;
            };
            let is_match = match self.hash {
                Hash::Sha256 => mac::<Hmac<Sha256>>(&key, body).verify_slice(&said).is_ok(),
                Hash::Sha512 => mac::<Hmac<Sha512>>(&key, body).verify_slice(&said).is_ok(),
            };
            if is_match {
                return Ok(());
            }
            result = Err(SignatureError::Wrong);
        }
        result
    }

    /// The header's value for a body.
    ///
    /// # Errors
    /// [`KeyError`] where the secret is not in the encoding that the definition says.
    pub fn sign(&self, body: &[u8], secret: &Secret) -> Result<String, KeyError> {
        let key = self.key(secret)?;
        let bytes = match self.hash {
            Hash::Sha256 => mac::<Hmac<Sha256>>(&key, body).finalize().into_bytes().to_vec(),
            Hash::Sha512 => mac::<Hmac<Sha512>>(&key, body).finalize().into_bytes().to_vec(),
        };
        let text = match self.encoding {
            Encoding::Hex => hex::encode(bytes),
            Encoding::Base64 => STANDARD.encode(bytes),
        };
        Ok(format!("{}{text}", self.prefix))
    }

    /// Makes the key of a secret.
    ///
    /// # Errors
    /// [`KeyError`]; ask at start, so that a wrong secret is found before the first callback.
    pub fn key(&self, secret: &Secret) -> Result<Vec<u8>, KeyError> {
        let key = match self.key {
            KeyEncoding::Text => Some(secret.expose().as_bytes().to_vec()),
            KeyEncoding::Hex => decode(Encoding::Hex, secret.expose()),
            KeyEncoding::Base64 => decode(Encoding::Base64, secret.expose()),
        };
        key.filter(|key| !key.is_empty()).ok_or(KeyError)
    }

    fn len(&self) -> usize {
        match self.hash {
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], body: &[u8]) -> M {
    #[expect(clippy::expect_used, reason = "an HMAC takes a key of any length (RFC 2104, part 2)")]
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("an HMAC takes a key of any length");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flypay() -> Signature {
        Signature {
            scheme: Scheme::Hmac,
            hash: Hash::Sha256,
            header: "Signature".to_owned(),
            encoding: Encoding::Hex,
            prefix: String::new(),
            key: KeyEncoding::Text,
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text).expect("a secret")
    }

    const BODY: &[u8] = br#"{"order_id":"ord-1001"}"#;
    const SIGNED: &str = "0353dd32a89cd0f6c79662153acca70e11cbd3c58314d39c4677ec8ea6598597";

    fn verify(headers: &[(&str, &str)], body: &[u8]) -> Result<(), SignatureError> {
        let secrets = [secret("another"), secret("fp_secret_demo")];
        flypay().verify(&headers.iter().copied().collect(), body, &secrets)
    }

    #[test]
    fn a_known_vector_is_made_and_accepted() {
        assert_eq!(flypay().sign(BODY, &secret("fp_secret_demo")), Ok(SIGNED.to_owned()));
        assert_eq!(verify(&[("SIGNATURE", SIGNED)], BODY), Ok(()));
        assert_eq!(verify(&[("signature", &SIGNED.to_uppercase())], BODY), Ok(()));
    }

    #[test]
    fn rfc_4231_vectors_hold() {
        // Test case 2 of RFC 4231.
        let body = b"what do ya want for nothing?";
        assert_eq!(
            flypay().sign(body, &secret("Jefe")).expect("a signature"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let sha512 = Signature {
            hash: Hash::Sha512,
            encoding: Encoding::Base64,
            prefix: "v1=".to_owned(),
            key: KeyEncoding::Hex,
            ..flypay()
        };
        let signed = sha512.sign(body, &secret("4a656665")).expect("a signature");
        assert_eq!(
            signed,
            "v1=Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx/WECcM1+olBVSXWL91wFqZSm0DT2X48Ob9yuqxo01Ka0tjbgcKOLznNw=="
        );
        let headers = [("Signature", signed)].into_iter().collect();
        assert_eq!(sha512.verify(&headers, body, &[secret("4a656665")]), Ok(()));
    }

    #[test]
    fn a_missing_signature_is_never_accepted() {
        assert_eq!(verify(&[], BODY), Err(SignatureError::Missing));
        assert_eq!(verify(&[("signatur", SIGNED)], BODY), Err(SignatureError::Missing));
    }

    #[test]
    fn a_signature_that_is_not_one_is_refused() {
        use SignatureError as E;
        let other = format!("1{}", &SIGNED[1..]);
        assert_eq!(verify(&[("signature", &other)], BODY), Err(E::Wrong));
        assert_eq!(verify(&[("signature", SIGNED)], b"{}"), Err(E::Wrong));
        let twice = [("signature", SIGNED), ("signature", SIGNED)];
        assert_eq!(verify(&twice, BODY), Err(E::Repeated));
        for text in ["", " ", "zz", &SIGNED[1..], &SIGNED[2..], &format!("{SIGNED},{SIGNED}")] {
            assert_eq!(verify(&[("signature", text)], BODY), Err(E::Malformed), "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_written_wrongly_is_passed_over() {
        let hex = Signature { key: KeyEncoding::Hex, ..flypay() };
        let signed = hex.sign(BODY, &secret("abcd")).expect("a signature");
        let headers = [("signature", signed)].into_iter().collect();
        assert_eq!(hex.verify(&headers, BODY, &[secret("zz"), secret("abcd")]), Ok(()));
        assert_eq!(hex.verify(&headers, BODY, &[secret("zz")]), Err(SignatureError::NoSecret));
    }

    #[test]
    fn without_a_secret_nothing_is_accepted() {
        let headers = [("signature", SIGNED)].into_iter().collect();
        assert_eq!(flypay().verify(&headers, BODY, &[]), Err(SignatureError::NoSecret));
        assert!(Secret::new("").is_err());
        assert!(Secret::new(" \n").is_err());
        assert_eq!(format!("{:?}", secret("hush")), "[secret]");
    }
}
