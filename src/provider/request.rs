//! What a provider needs to be asked, and how its answer is checked. Built without I/O, so that a
//! test can read it; the poller sends it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::headers::Headers;
use super::json::{Json, Pointer};
use super::read::{Places, Unreadable};
use super::secret::Secret;
use super::signature::{KeyError, Signature, SignatureError};
use super::template::Template;
use crate::order::name::{OrderId, Role};

/// An HTTP method that questions use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Method {
    /// GET.
    #[serde(rename = "GET")]
    Get,
    /// POST.
    #[serde(rename = "POST")]
    Post,
}

/// A question, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// How.
    pub method: Method,
    /// Where: to be appended to the source's base URL.
    pub path: String,
    /// With these headers. They hold credentials.
    pub headers: Headers,
    /// With this body; empty for none.
    pub body: Vec<u8>,
}

// By hand: the headers' values are credentials.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name).collect();
        write!(f, "{:?} {} with {}", self.method, self.path, names.join(", "))
    }
}

/// How we prove who we are.
#[derive(Clone, Default)]
pub struct Auth {
    /// Headers, with places for credentials.
    pub headers: BTreeMap<String, Template>,
    /// A signature over the body, and the name of the credential that it is made with.
    pub sign: Option<(String, Signature)>,
}

// By hand: an author may have written a credential into a header's text.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.keys().map(String::as_str).collect();
        f.debug_struct("Auth").field("headers", &headers).field("sign", &self.sign).finish()
    }
}

/// How to ask about one order.
#[derive(Clone, Debug)]
pub struct Ask {
    /// How.
    pub method: Method,
    /// Where, with places for the order's ids.
    pub path: Template,
    /// What to send, as a JSON object: the first of these whose places are all known.
    pub bodies: Vec<BTreeMap<String, Template>>,
    /// Where things are in the answer.
    pub places: Places,
    /// What an answer must say to be one.
    pub ok: Option<(Pointer, String)>,
    /// How the answer is signed, and the name of the credential that checks it.
    pub signature: Option<(String, Signature)>,
}

/// Why no question can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// The provider cannot be asked.
    #[error("the provider's definition has no [ask]: there is no way to ask about an order")]
    NoAsk,
    /// No id that the provider knows the order by is known yet.
    #[error("no id is known yet by which the provider could be asked about the order")]
    NoId,
    /// A credential is not configured.
    #[error("the credential `{0}` is missing: add it to the source's `credentials`")]
    NoCredential(String),
    /// A credential cannot be made into a key.
    #[error("the credential `{0}` is not in the encoding that the provider's definition says")]
    Key(String),
}

/// A source's credentials, by the names that the definition uses.
pub type Credentials = BTreeMap<String, Secret>;

impl Ask {
    /// Makes the question about an order that is known by these names.
    ///
    /// # Errors
    /// [`QuestionError`] where an id or a credential is missing.
    pub fn question(
        &self,
        auth: &Auth,
        names: &BTreeMap<OrderId, Role>,
        credentials: &Credentials,
    ) -> Result<Question, QuestionError> {
        let id = |wanted: Role| {
            names.iter().find(|(_, role)| **role == wanted).map(|(id, _)| id.as_str())
        };
        let known = |place: &str| match place {
            "order_id" => id(Role::Merchant),
            "provider_id" => id(Role::Provider),
            _ => None,
        };
        let path = self.path.fill_path(&known).ok_or(QuestionError::NoId)?;
        let body = if self.bodies.is_empty() {
            Vec::new()
        } else {
            let fill = |body: &BTreeMap<String, Template>| -> Option<BTreeMap<String, String>> {
                body.iter().map(|(key, value)| Some((key.clone(), value.fill(&known)?))).collect()
            };
            let filled = self.bodies.iter().find_map(fill).ok_or(QuestionError::NoId)?;
            // Values are texts, escaped by the serializer: an id cannot add a field.
            serde_json::to_vec(&filled).map_err(|_| QuestionError::NoId)?
        };
        let mut headers = auth.headers(credentials, &body)?;
        headers.push("accept", "application/json");
        if !body.is_empty() {
            headers.push("content-type", "application/json");
        }
        Ok(Question { method: self.method, path, headers, body })
    }

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

    /// Whether an answer says that it is one.
    pub(super) fn check_ok(&self, body: &Json) -> Result<(), Unreadable> {
        let Some((place, wanted)) = &self.ok else {
            return Ok(());
        };
        match body.at(place) {
            Some(Json::Text(said)) if said == wanted => Ok(()),
            said => Err(Unreadable::NotOk {
                said: match said {
                    Some(Json::Text(said)) => said.chars().take(40).collect(),
                    Some(other) => other.sort().to_owned(),
                    None => "nothing".to_owned(),
                },
                place: place.to_string(),
                wanted: wanted.clone(),
            }),
        }
    }
}

impl Auth {
    fn headers(&self, credentials: &Credentials, body: &[u8]) -> Result<Headers, QuestionError> {
        let missing = |name: &str| QuestionError::NoCredential(name.to_owned());
        let known = |name: &str| credentials.get(name).map(Secret::expose);
        let mut headers = Headers::default();
        for (name, template) in &self.headers {
            let value = template.fill(&known).ok_or_else(|| {
                let places = template.places();
                missing(places.into_iter().find(|place| known(place).is_none()).unwrap_or(name))
            })?;
            headers.push(name, value);
        }
        if let Some((name, signature)) = &self.sign {
            let secret = credentials.get(name).ok_or_else(|| missing(name))?;
            let signed = signature.sign(body, secret);
            let value = signed.map_err(|KeyError| QuestionError::Key(name.clone()))?;
            headers.push(&signature.header, value);
        }
        Ok(headers)
    }

    /// The names of the credentials that it needs.
    pub(super) fn credentials(&self) -> impl Iterator<Item = &str> {
        let places = self.headers.values().flat_map(Template::places);
        places.chain(self.sign.iter().map(|(name, _)| name.as_str()))
    }
}
