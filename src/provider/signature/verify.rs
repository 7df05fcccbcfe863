//! Checking signatures.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use hmac::digest::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::asymmetric::{self, Algorithm};
use super::encoding::Encoding;
use super::request::{Place, Reading, Request};
use super::stamp::Stamp;
use super::{SECRETS_MAX, Scheme, Signature, SignatureError};
use crate::order::timestamp::Timestamp;
use crate::provider::Trust;
use crate::provider::headers::Headers;
use crate::provider::secret::{CallbackSecret, Secret};

/// What stands in a request about its signature, and what is signed.
pub(super) struct Sealed<'a> {
    /// The signatures that came: any of them may fit.
    said: Vec<Vec<u8>>,
    /// The name of the key.
    pub key_id: Option<String>,
    /// When it was signed.
    pub signed_at: Option<(&'a Stamp, Timestamp)>,
    /// What is signed.
    pub text: Cow<'a, [u8]>,
}

impl Signature {
    /// Checks a request with the secrets that are good when it came, and says how far it is to be
    /// believed.
    ///
    /// # Errors
    /// [`SignatureError`]; whatever the reason, the body must not be used.
    pub fn verify_request(
        &self,
        request: &Request<'_>,
        secrets: &[CallbackSecret],
    ) -> Result<Trust, SignatureError> {
        let good = secrets.iter().filter(|secret| secret.is_good_at(request.at));
        self.check(request, good.map(|good| (&good.secret, good.id.as_deref())))
    }

    /// Checks an answer: its body and headers are all that can be signed.
    ///
    /// # Errors
    /// [`SignatureError`]; whatever the reason, the body must not be used.
    pub fn verify<'a>(
        &self,
        headers: &Headers,
        body: &[u8],
        secrets: impl IntoIterator<Item = &'a Secret>,
    ) -> Result<(), SignatureError> {
        let request =
            Request { method: "", path: "", url: None, headers, body, at: Timestamp::EPOCH };
        match self.check(&request, secrets.into_iter().map(|secret| (secret, None)))? {
            Trust::Claims => Ok(()),
            Trust::Hint => Err(SignatureError::Missing),
        }
    }

    fn check<'a>(
        &self,
        request: &Request<'_>,
        secrets: impl Iterator<Item = (&'a Secret, Option<&'a str>)>,
    ) -> Result<Trust, SignatureError> {
        if self.scheme == Scheme::None {
            return Ok(Trust::Hint);
        }
        let mut reading = Reading::new(request, self.format);
        let Some(value) = self.find_value(&reading)? else {
            #[cfg(feature = "plants")]
            if crate::plant::is_planted("skip_missing_signature") {
                return Ok(Trust::Claims);
            }
            return if self.is_optional { Ok(Trust::Hint) } else { Err(SignatureError::Missing) };
        };
        let secrets = secrets.take(SECRETS_MAX);
        match self.scheme {
            Scheme::None => Ok(Trust::Hint),
            Scheme::Token => is_secret(value.as_bytes(), secrets),
            Scheme::Basic => is_secret(&decode_basic(&value)?, secrets),
            Scheme::Hmac(_) | Scheme::RsaSha256 | Scheme::Ed25519 => {
                self.check_signed(&self.read_sealed(&mut reading, &value)?, request, secrets)
            }
        }
    }

    /// What stands at the signature's place behind its prefix; `None` where nothing is there.
    pub(super) fn find_value(
        &self,
        reading: &Reading<'_>,
    ) -> Result<Option<String>, SignatureError> {
        let Some(value) = reading.at(&self.place)? else { return Ok(None) };
        let value = value.strip_prefix(&self.prefix).ok_or(SignatureError::Malformed)?;
        Ok(Some(value.to_owned()))
    }

    /// The signatures in a list, or the only one.
    pub(super) fn read_list(
        &self,
        reading: &mut Reading<'_>,
        value: &str,
    ) -> Result<Vec<String>, SignatureError> {
        match &self.list {
            None => Ok(vec![value.to_owned()]),
            Some(list) => {
                let read = list.read(value)?;
                reading.listed = read.named;
                Ok(read.signatures)
            }
        }
    }

    /// The signatures that can be some by their length.
    pub(super) fn decode(&self, signatures: &[String]) -> Result<Vec<Vec<u8>>, SignatureError> {
        let lengths = self.scheme.lengths();
        let said: Vec<Vec<u8>> = signatures
            .iter()
            .filter_map(|text| self.encoding.decode(text))
            .filter(|bytes| lengths.contains(&bytes.len()))
            .collect();
        if said.is_empty() { Err(SignatureError::Malformed) } else { Ok(said) }
    }

    /// Reads all that a signature is checked by.
    pub(super) fn read_sealed<'a>(
        &'a self,
        reading: &mut Reading<'a>,
        value: &str,
    ) -> Result<Sealed<'a>, SignatureError> {
        let signatures = self.read_list(reading, value)?;
        let said = self.decode(&signatures)?;
        let find = |place: Option<&Place>| match place {
            None => Ok(None),
            Some(place) => reading.at(place)?.map(Some).ok_or(SignatureError::Incomplete),
        };
        let timestamp = find(self.stamp.as_ref().map(|stamp| &stamp.place))?;
        let (id, key_id) = (find(self.id.as_ref())?, find(self.key_id.as_ref())?);
        let signed_at = match (&self.stamp, &timestamp) {
            (Some(stamp), Some(text)) => {
                Some((stamp, stamp.unit.read(text).ok_or(SignatureError::Malformed)?))
            }
            (Some(_) | None, _) => None,
        };
        let text = self.signed.fill(reading, &self.known(timestamp.as_deref(), id.as_deref()))?;
        Ok(Sealed { said, key_id, signed_at, text })
    }

    /// Checks a signature of a text.
    fn check_signed<'a>(
        &self,
        sealed: &Sealed<'_>,
        request: &Request<'_>,
        secrets: impl Iterator<Item = (&'a Secret, Option<&'a str>)>,
    ) -> Result<Trust, SignatureError> {
        let key_id = sealed.key_id.as_deref();
        let mut result = Err(SignatureError::NoSecret);
        for (secret, secret_id) in secrets {
            if key_id.is_some() && key_id != secret_id {
                if result == Err(SignatureError::NoSecret) {
                    result = Err(SignatureError::UnknownKey);
                }
                continue;
            }
            // One secret that is written wrongly must not shut out the good one beside it.
            match self.fits(secret, sealed) {
                None => {}
                Some(false) => result = Err(SignatureError::Wrong),
                Some(true) => {
                    result = Ok(self.trust);
                    break;
                }
            }
        }
        let trust = result?;
        // Last, so that a clock that is wrong is told from a signature that is.
        if let Some((stamp, signed_at)) = sealed.signed_at {
            stamp.check(signed_at, request.at)?;
        }
        Ok(trust)
    }

    /// Whether any of the signatures is that of the text by a secret; `None` where the secret is not written
    /// as it should be.
    fn fits(&self, secret: &Secret, sealed: &Sealed<'_>) -> Option<bool> {
        let public = |algorithm| {
            let key = self.key.public(algorithm, secret)?;
            let fits = |said: &Vec<u8>| asymmetric::verify(algorithm, &key, &sealed.text, said);
            Some(sealed.said.iter().any(fits))
        };
        match self.scheme {
            Scheme::Hmac(hash) => {
                Some(hash.is_any(&self.key.shared(secret)?, &sealed.text, &sealed.said))
            }
            Scheme::RsaSha256 => public(Algorithm::RsaSha256),
            Scheme::Ed25519 => public(Algorithm::Ed25519),
            Scheme::Token | Scheme::Basic | Scheme::None => None,
        }
    }
}

impl Scheme {
    /// How many bytes a signature may have.
    pub(super) fn lengths(self) -> RangeInclusive<usize> {
        match self {
            Self::Hmac(hash) => hash.len()..=hash.len(),
            Self::RsaSha256 => Algorithm::RsaSha256.lengths(),
            Self::Ed25519 => Algorithm::Ed25519.lengths(),
            Self::Token | Self::Basic | Self::None => 1..=usize::MAX,
        }
    }
}

/// Whether this is one of the secrets, in a time that does not depend on how much of it is right.
fn is_secret<'a>(
    said: &[u8],
    secrets: impl Iterator<Item = (&'a Secret, Option<&'a str>)>,
) -> Result<Trust, SignatureError> {
    if said.is_empty() {
        return Err(SignatureError::Malformed);
    }
    // Digests are of one length, whatever the secrets' are.
    let digest = Sha256::digest(said);
    let (mut result, mut is_any) = (Err(SignatureError::NoSecret), subtle::Choice::from(0));
    for (secret, _) in secrets {
        is_any |= Sha256::digest(secret.expose()).ct_eq(&digest);
        result = Err(SignatureError::Wrong);
    }
    if bool::from(is_any) { Ok(Trust::Claims) } else { result }
}

/// `Basic dXNlcjpwYXNzd29yZA==`.
fn decode_basic(value: &str) -> Result<Vec<u8>, SignatureError> {
    let (scheme, text) = value.split_once(' ').ok_or(SignatureError::Malformed)?;
    let is_basic = scheme.eq_ignore_ascii_case("basic");
    let bytes = is_basic.then(|| Encoding::Base64.decode(text.trim())).flatten();
    bytes.ok_or(SignatureError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Provider;

    const BODY: &[u8] = br#"{"order_id":"ord-1001"}"#;
    const SIGNED: &str = "0353dd32a89cd0f6c79662153acca70e11cbd3c58314d39c4677ec8ea6598597";

    fn verify(headers: &[(&str, &str)]) -> Result<(), SignatureError> {
        let providers = Provider::built_in().expect("the definitions that come with Pawl");
        let flypay = providers.iter().find(|provider| provider.name == "flypay").expect("FlyPay");
        let secret = Secret::new("fp_secret_demo").expect("a secret");
        flypay.signature.verify(&headers.iter().copied().collect(), BODY, [&secret])
    }

    #[test]
    fn a_missing_signature_is_never_accepted() {
        assert_eq!(verify(&[("SIGNATURE", SIGNED)]), Ok(()));
        assert_eq!(verify(&[]), Err(SignatureError::Missing));
        assert_eq!(verify(&[("signatur", SIGNED)]), Err(SignatureError::Missing));
    }
}
