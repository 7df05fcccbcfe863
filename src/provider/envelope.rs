//! What makes an answer one: its signature, what it says of itself, and what errors mean.

use super::headers::Headers;
use super::json::{self, Json, Pointer};
use super::meaning::Errors;
use super::read::Unreadable;
use super::request::Credentials;
use super::signature::{Signature, SignatureError};

/// What makes an answer one.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// What it must say.
    pub ok: Option<(Pointer, String)>,
    /// How it is signed, and the name of the credential that checks it.
    pub signature: Option<(String, Signature)>,
    /// What errors mean.
    pub errors: Errors,
}

impl Envelope {
    /// Checks that an answer was made by the provider, over its raw bytes.
    ///
    /// # Errors
    /// [`SignatureError`] where the provider signs its answers and this one is not signed so.
    pub fn verify(
        &self,
        headers: &Headers,
        body: &[u8],
        credentials: &Credentials,
    ) -> Result<(), SignatureError> {
        match &self.signature {
            None => Ok(()),
            Some((credential, signature)) => {
                signature.verify(headers, body, credentials.get(credential))
            }
        }
    }

    /// Checks that an answer says that it is one.
    ///
    /// # Errors
    /// [`Unreadable`] where it says something else, or nothing.
    pub fn check(&self, body: &[u8]) -> Result<(), Unreadable> {
        let Some((place, wanted)) = &self.ok else {
            return Ok(());
        };
        let said = match json::value_at(body, place)? {
            Some(Json::Text(said)) if said == *wanted => return Ok(()),
            Some(Json::Text(said)) => said.chars().take(40).collect(),
            Some(other) => other.sort().to_owned(),
            None => "nothing".to_owned(),
        };
        Err(Unreadable::NotOk { said, place: place.to_string(), wanted: wanted.clone() })
    }
}
