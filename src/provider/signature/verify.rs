//! Checking signatures.

use std::ops::RangeInclusive;

use hmac::digest::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::asymmetric::{self, Algorithm};
use super::encoding::Encoding;
use super::request::{Place, Reading, Request};
use super::{SECRETS_MAX, Scheme, Signature, SignatureError};
use crate::order::timestamp::Timestamp;
use crate::provider::Trust;
use crate::provider::headers::Headers;
use crate::provider::secret::{CallbackSecret, Secret};

/// Whether any of some signatures is that of a text by a secret; `None` where the secret is not written
/// as it should be.
type Matches<'a> = dyn Fn(&Secret, &[u8], &[Vec<u8>]) -> Option<bool> + 'a;

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
        let Some(value) = reading.at(&self.place)? else {
            #[cfg(feature = "plants")]
            if crate::plant::is_planted("skip_missing_signature") {
                return Ok(Trust::Claims);
            }
            return if self.is_optional { Ok(Trust::Hint) } else { Err(SignatureError::Missing) };
        };
        let value = value.strip_prefix(&self.prefix).ok_or(SignatureError::Malformed)?;
        let secrets = secrets.take(SECRETS_MAX);
        match self.scheme {
            Scheme::None => Ok(Trust::Hint),
            Scheme::Token => is_secret(value.as_bytes(), secrets),
            Scheme::Basic => is_secret(&decode_basic(value)?, secrets),
            Scheme::Hmac(hash) => {
                let matches = |key: &Secret, text: &[u8], said: &[Vec<u8>]| {
                    Some(hash.is_any(&self.key.shared(key)?, text, said))
                };
                self.check_signed(&mut reading, value, hash.len()..=hash.len(), secrets, &matches)
            }
            Scheme::RsaSha256 => {
                self.check_public(&mut reading, value, Algorithm::RsaSha256, secrets)
            }
            Scheme::Ed25519 => self.check_public(&mut reading, value, Algorithm::Ed25519, secrets),
        }
    }

    fn check_public<'a>(
        &self,
        reading: &mut Reading<'_>,
        value: &str,
        algorithm: Algorithm,
        secrets: impl Iterator<Item = (&'a Secret, Option<&'a str>)>,
    ) -> Result<Trust, SignatureError> {
        let matches = |key: &Secret, text: &[u8], said: &[Vec<u8>]| {
            let key = self.key.public(algorithm, key)?;
            Some(said.iter().any(|said| asymmetric::verify(algorithm, &key, text, said)))
        };
        self.check_signed(reading, value, algorithm.lengths(), secrets, &matches)
    }

    /// Checks a signature of a text.
    fn check_signed<'a>(
        &self,
        reading: &mut Reading<'_>,
        value: &str,
        lengths: RangeInclusive<usize>,
        secrets: impl Iterator<Item = (&'a Secret, Option<&'a str>)>,
        matches: &Matches<'_>,
    ) -> Result<Trust, SignatureError> {
        let signatures = match &self.list {
            None => vec![value.to_owned()],
            Some(list) => {
                let read = list.read(value)?;
                reading.listed = read.named;
                read.signatures
            }
        };
        let said: Vec<Vec<u8>> = signatures
            .iter()
            .filter_map(|text| self.encoding.decode(text))
            .filter(|bytes| lengths.contains(&bytes.len()))
            .collect();
        if said.is_empty() {
            return Err(SignatureError::Malformed);
        }
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
        let mut result = Err(SignatureError::NoSecret);
        for (secret, secret_id) in secrets {
            if key_id.is_some() && key_id.as_deref() != secret_id {
                if result == Err(SignatureError::NoSecret) {
                    result = Err(SignatureError::UnknownKey);
                }
                continue;
            }
            // One secret that is written wrongly must not shut out the good one beside it.
            match matches(secret, &text, &said) {
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
        if let Some((stamp, signed_at)) = signed_at {
            stamp.check(signed_at, reading.request.at)?;
        }
        Ok(trust)
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
