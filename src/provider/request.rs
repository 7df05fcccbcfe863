//! What a provider needs to be asked, and how its answer is checked. Built without I/O, so that a
//! test can read it; the poller sends it.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use uuid::Uuid;

use super::batch::Batch;
use super::body::{Body, BodyFormat};
use super::envelope::Envelope;
use super::headers::Headers;
use super::login::Login;
use super::read::Places;
use super::secret::Secret;
use super::signature::{self, KeyError, SignError, Signature};
use super::template::{PathTemplate, Template};
use super::values::Values;
use crate::order::name::{OrderId, Role};
use crate::order::timestamp::Timestamp;

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

impl Method {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A question, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// How.
    pub method: Method,
    /// Where: to be appended to the source's base URL.
    pub path: String,
    /// Or to its host alone.
    pub is_from_host: bool,
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

/// A request with places.
#[derive(Clone, Debug)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where.
    pub path: PathTemplate,
    /// What to send: the first of these whose places are all known.
    pub bodies: Vec<Body>,
    /// How it is written.
    pub format: BodyFormat,
}

/// Who asks, and what is of this request only.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The source's credentials.
    pub credentials: &'a Credentials,
    /// The token that a login brought.
    pub token: Option<&'a Secret>,
    /// What makes this request another one than the last: for `{uuid}`.
    pub uuid: Uuid,
    /// When.
    pub now: Timestamp,
    /// Where: what a question's path is appended to.
    pub base_url: &'a str,
}

/// How we prove who we are.
#[derive(Clone, Default)]
pub struct Auth {
    /// Headers, with places for credentials and for `{uuid}`.
    pub headers: BTreeMap<String, Template>,
    /// HTTP Basic: user and password.
    pub basic: Option<(Template, Template)>,
    /// A signature over the body, and the name of the credential that it is made with.
    pub sign: Option<(String, Signature)>,
    /// A request that brings a token, for all others.
    pub login: Option<Login>,
    /// Whether we show a certificate when we connect.
    pub has_client_certificate: bool,
}

/// The credentials of a client certificate: the certificate with its chain, and its key, in PEM.
pub const CLIENT_CERTIFICATE: [&str; 2] = ["client_certificate", "client_key"];

// By hand: an author may have written a credential into a header's text.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.keys().map(String::as_str).collect();
        f.debug_struct("Auth")
            .field("headers", &headers)
            .field("has_basic", &self.basic.is_some())
            .field("sign", &self.sign)
            .field("login", &self.login)
            .field("has_client_certificate", &self.has_client_certificate)
            .finish()
    }
}

/// How to ask about one order.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The question, with places for the order's ids.
    pub request: Request,
    /// Where things are in the answer.
    pub places: Places,
    /// What makes an answer one.
    pub envelope: Envelope,
    /// How to ask about several at once.
    pub batch: Option<Batch>,
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
    /// What the definition has signed is not there.
    #[error("the request cannot be signed: {0}")]
    Sign(SignError),
    /// HTTP Basic parts the two at the first `:`.
    #[error("the user's name for HTTP Basic must not hold a `:`")]
    User,
}

/// A source's credentials, by the names that the definition uses.
pub type Credentials = BTreeMap<String, Secret>;

impl Request {
    /// The path and the body, filled; `None` where something is not known.
    #[must_use]
    pub fn fill(&self, values: &Values<'_>) -> Option<(String, Vec<u8>)> {
        let path = self.path.fill(values)?;
        if self.bodies.is_empty() {
            return Some((path, Vec::new()));
        }
        Some((path, self.bodies.iter().find_map(|body| body.fill(self.format, values))?))
    }

    /// The request, ready to be sent; to a link on the provider's host, where there is one, instead of to its
    /// own path.
    ///
    /// # Errors
    /// [`QuestionError`] where an id or a credential is missing.
    pub(super) fn question(
        &self,
        auth: &Auth,
        asker: &Asker<'_>,
        values: &Values<'_>,
        link: Option<&str>,
    ) -> Result<Question, QuestionError> {
        let (own_path, body) = self.fill(values).ok_or(QuestionError::NoId)?;
        let path = link.map_or(own_path, str::to_owned);
        let is_from_host = link.is_some();
        let base = if is_from_host { origin(asker.base_url) } else { asker.base_url };
        let mut headers = auth.headers(asker, (self.method, &format!("{base}{path}")), &body)?;
        headers.push("accept", "application/json");
        if !body.is_empty() {
            headers.push("content-type", self.format.content_type());
        }
        Ok(Question { method: self.method, path, is_from_host, headers, body })
    }
}

impl Ask {
    /// Makes the question about an order that is known by these names.
    ///
    /// # Errors
    /// [`QuestionError`] where an id or a credential is missing.
    pub fn question(
        &self,
        auth: &Auth,
        asker: &Asker<'_>,
        names: &BTreeMap<OrderId, Role>,
    ) -> Result<Question, QuestionError> {
        self.request.question(auth, asker, &ids(names), None)
    }

    /// Whether the provider can be asked about an order that is known by these names.
    #[must_use]
    pub fn is_askable(&self, names: &BTreeMap<OrderId, Role>) -> bool {
        self.request.fill(&ids(names)).is_some()
    }
}

fn ids(names: &BTreeMap<OrderId, Role>) -> Values<'_> {
    let mut values = Values::default();
    for (place, role) in [("order_id", Role::Merchant), ("provider_id", Role::Provider)] {
        if let Some(id) = id_of(names, role) {
            values = values.with(place, id);
        }
    }
    values
}

/// The id by which the merchant, or the provider, knows an order.
pub(super) fn id_of(names: &BTreeMap<OrderId, Role>, wanted: Role) -> Option<&str> {
    names.iter().find(|(_, role)| **role == wanted).map(|(id, _)| id.as_str())
}

impl Auth {
    fn headers(
        &self,
        asker: &Asker<'_>,
        (method, url): (Method, &str),
        body: &[u8],
    ) -> Result<Headers, QuestionError> {
        let mut headers = Headers::default();
        // What the token is sent in takes the place of what else is sent there: it was had by that.
        let of_token = |name: &str| {
            let mut sent = self.login.iter().flat_map(|login| login.send.keys());
            asker.token.is_some() && sent.any(|sent| sent.eq_ignore_ascii_case(name))
        };
        for (name, template) in self.headers.iter().filter(|(name, _)| !of_token(name)) {
            headers.push(name, asker.fill(template)?);
        }
        if let (Some(login), Some(token)) = (&self.login, asker.token) {
            for (name, template) in &login.send {
                let known = |place: &str| match place {
                    "token" => Some(token.expose()),
                    _ => None,
                };
                let value = template.fill(&known);
                headers.push(name, value.ok_or(QuestionError::NoCredential("token".to_owned()))?);
            }
        }
        if let Some((user, password)) = self.basic.as_ref().filter(|_| !of_token("authorization")) {
            let (user, password) = (asker.fill(user)?, asker.fill(password)?);
            if user.contains(':') {
                return Err(QuestionError::User);
            }
            let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
            headers.push("authorization", format!("Basic {both}"));
        }
        if let Some((name, signature)) = &self.sign {
            let missing = || QuestionError::NoCredential(name.clone());
            let secret = asker.credentials.get(name).ok_or_else(missing)?;
            let at = asker.now;
            let (method, path) = (method.as_str(), path_of(url));
            let request =
                signature::Request { method, path, url: Some(url), headers: &headers, body, at };
            let uuid = asker.uuid.to_string();
            let signed = signature.sign_request(&request, Some(&uuid), None, secret);
            let signed = signed.map_err(|error| match error {
                SignError::Key(KeyError) => QuestionError::Key(name.clone()),
                SignError::Scheme | SignError::Incomplete | SignError::Place => {
                    QuestionError::Sign(error)
                }
            })?;
            signed.iter().for_each(|(name, value)| headers.push(name, value));
        }
        Ok(headers)
    }

    /// The names of the credentials that it needs.
    pub(super) fn credentials(&self) -> impl Iterator<Item = &str> {
        let basic = self.basic.iter().flat_map(|(user, password)| [user, password]);
        let places = self.headers.values().chain(basic).flat_map(Template::places);
        let login = self.login.iter().flat_map(Login::credentials);
        let certificate = CLIENT_CERTIFICATE.into_iter().filter(|_| self.has_client_certificate);
        let sign = self.sign.iter().map(|(name, _)| name.as_str());
        places.filter(|place| *place != "uuid").chain(login).chain(certificate).chain(sign)
    }
}

/// A URL without its path: scheme, host and port.
#[must_use]
pub fn origin(url: &str) -> &str {
    &url[..url.len() - from_path(url).len()]
}

/// Path and query of a URL.
fn path_of(url: &str) -> &str {
    match from_path(url) {
        "" => "/",
        path => path,
    }
}

fn from_path(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, rest)| rest);
    behind.find('/').map_or("", |at| &behind[at..])
}

impl Asker<'_> {
    /// A text with places for credentials.
    fn fill(&self, template: &Template) -> Result<String, QuestionError> {
        let uuid = self.uuid.to_string();
        let known = |place: &str| match place {
            "uuid" => Some(uuid.as_str()),
            place => self.credentials.get(place).map(Secret::expose),
        };
        template.fill(&known).ok_or_else(|| {
            let mut places = template.places().into_iter();
            let missing = places.find(|place| known(place).is_none()).unwrap_or_default();
            QuestionError::NoCredential(missing.to_owned())
        })
    }
}
