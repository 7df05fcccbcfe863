//! Making signatures: of our own requests, and of what a simulated provider sends.

use super::encoding::Encoding;
use super::request::{Place, Reading, Request};
use super::signed::Known;
use super::{KeyError, Scheme, Signature};
use crate::order::timestamp::Timestamp;
use crate::provider::headers::Headers;
use crate::provider::secret::Secret;

/// Why a request cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The secret is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The scheme needs a private key, or signs nothing.
    #[error("nothing can be signed by this scheme: only hmac, token and basic")]
    Scheme,
    /// Something that is signed is missing.
    #[error("something that is signed is missing from the request")]
    Incomplete,
    /// It stands in the body or in the query, which are made before it.
    #[error("the signature does not stand in a header")]
    Place,
}

impl Signature {
    /// The header's value for a body, where nothing else is signed.
    ///
    /// # Errors
    /// [`KeyError`] where the secret is not in the encoding that the definition says, and where more is
    /// signed than a body: [`Self::sign_request`] signs that.
    pub fn sign(&self, body: &[u8], secret: &Secret) -> Result<String, KeyError> {
        let headers = Headers::default();
        let at = Timestamp::EPOCH;
        let request = Request { method: "", path: "", url: None, headers: &headers, body, at };
        if self.stamp.is_some() || self.id.is_some() || self.key_id.is_some() {
            return Err(KeyError);
        }
        let value = self.value(&request, &[], None, None, secret).map_err(|_| KeyError)?;
        Ok(format!("{}{value}", self.prefix))
    }

    /// The headers to be added to a request: the signature and, where they stand in headers, the time
    /// (the request's own), the id and the name of the key.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_request(
        &self,
        request: &Request<'_>,
        id: Option<&str>,
        key_id: Option<&str>,
        secret: &Secret,
    ) -> Result<Headers, SignError> {
        let Place::Header(name) = &self.place else { return Err(SignError::Place) };
        let mut headers = Headers::default();
        let mut listed = Vec::new();
        let reading = Reading::new(request, self.format);
        let mut put = |place: Option<&Place>, value: Option<&str>| match place {
            None => Ok(None),
            Some(Place::Header(name)) => {
                let value = value.ok_or(SignError::Incomplete)?;
                headers.push(name, value);
                Ok(Some(value.to_owned()))
            }
            Some(Place::Listed(name)) => {
                let value = value.ok_or(SignError::Incomplete)?;
                listed.push((name.clone(), value.to_owned()));
                Ok(Some(value.to_owned()))
            }
            // What is in body or query must be there by now.
            Some(place @ (Place::Field(_) | Place::Query(_))) => {
                reading.at(place).ok().flatten().map(Some).ok_or(SignError::Incomplete)
            }
        };
        let now = self.stamp.as_ref().map(|stamp| stamp.unit.write(request.at));
        let timestamp = put(self.stamp.as_ref().map(|stamp| &stamp.place), now.as_deref())?;
        let id = put(self.id.as_ref(), id)?;
        put(self.key_id.as_ref(), key_id)?;
        let listed: Vec<(&str, &str)> =
            listed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let value = self.value(request, &listed, timestamp.as_deref(), id.as_deref(), secret)?;
        headers.push(name, format!("{}{value}", self.prefix));
        Ok(headers)
    }

    /// What stands behind the prefix.
    fn value(
        &self,
        request: &Request<'_>,
        listed: &[(&str, &str)],
        timestamp: Option<&str>,
        id: Option<&str>,
        secret: &Secret,
    ) -> Result<String, SignError> {
        let hash = match self.scheme {
            Scheme::Hmac(hash) => hash,
            Scheme::Token => return Ok(secret.expose().to_owned()),
            Scheme::Basic => {
                return Ok(format!(
                    "Basic {}",
                    Encoding::Base64.encode(secret.expose().as_bytes())
                ));
            }
            Scheme::RsaSha256 | Scheme::Ed25519 | Scheme::None => return Err(SignError::Scheme),
        };
        let key = self.key.shared(secret).ok_or(KeyError)?;
        let reading = Reading::new(request, self.format);
        let known: Known<'_> = self.known(timestamp, id);
        let text = self.signed.fill(&reading, &known).map_err(|_| SignError::Incomplete)?;
        let signature = self.encoding.encode(&hash.make(&key, &text));
        Ok(match &self.list {
            None => signature,
            Some(list) => list.write(listed, &signature),
        })
    }
}
