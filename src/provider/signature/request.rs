//! A request as a signature sees it, and where things are in it.

use std::cell::OnceCell;
use std::fmt;

use super::SignatureError;
use super::fields::{Fields, read_form};
use crate::order::timestamp::Timestamp;
use crate::provider::Format;
use crate::provider::headers::Headers;
use crate::provider::json::Pointer;

/// A request as a signature sees it: a callback that came, or one that is to be signed.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Such as `POST`.
    pub method: &'a str,
    /// Path and query, as they were requested here.
    pub path: &'a str,
    /// The URL that the sender was given, where it is known: what it sees before all proxies.
    pub url: Option<&'a str>,
    /// The headers.
    pub headers: &'a Headers,
    /// The body, byte by byte.
    pub body: &'a [u8],
    /// When it came, or is sent.
    pub at: Timestamp,
}

// By hand: headers, query and body may hold credentials.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{} {path} of {} with {:?}", self.method, self.at, self.headers)
    }
}

/// Where one thing of a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a header that may stand once only.
    Header(String),
    /// In a field of the body.
    Field(Pointer),
    /// In a parameter of the query.
    Query(String),
    /// In the list that the signature stands in, under this name.
    Listed(String),
}

/// A request in the reading: its fields are read when something asks for one, and once.
pub(super) struct Reading<'a> {
    pub request: &'a Request<'a>,
    format: Format,
    fields: OnceCell<Result<Fields<'a>, SignatureError>>,
    /// What stands in the signature's list.
    pub listed: Vec<(String, String)>,
}

/// A URL or path, and the part of it that the sender of the request chose.
pub(super) struct Address {
    pub text: String,
    /// From here on.
    pub free: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn new(request: &'a Request<'a>, format: Format) -> Self {
        Self { request, format, fields: OnceCell::new(), listed: Vec::new() }
    }

    pub(super) fn fields(&self) -> Result<&Fields<'a>, SignatureError> {
        let read = || Fields::read(self.format, self.request.body);
        self.fields.get_or_init(read).as_ref().map_err(|error| *error)
    }

    /// What is at a place: `None` where there is nothing.
    pub(super) fn at(&self, place: &Place) -> Result<Option<String>, SignatureError> {
        match place {
            Place::Header(name) => self.header(name),
            Place::Field(at) => Ok(self.fields()?.scalar(at)?.map(std::borrow::Cow::into_owned)),
            Place::Query(name) => {
                let query = self.query().unwrap_or_default();
                let parameters = read_form(query.as_bytes())?;
                Ok(parameters.into_iter().find(|(known, _)| known == name).map(|(_, value)| value))
            }
            Place::Listed(name) => {
                let mut found = self.listed.iter().filter(|(known, _)| known == name);
                match (found.next(), found.next()) {
                    (found, None) => Ok(found.map(|(_, value)| value.clone())),
                    (_, Some(_)) => Err(SignatureError::Repeated),
                }
            }
        }
    }

    pub(super) fn header(&self, name: &str) -> Result<Option<String>, SignatureError> {
        let value = self.request.headers.only(name).map_err(|_| SignatureError::Repeated)?;
        Ok(value.map(str::to_owned))
    }

    /// The URL as the sender sees it. A query that it was given with must be the one that came.
    pub(super) fn url(&self) -> Result<Address, SignatureError> {
        self.address(self.request.url.ok_or(SignatureError::Malformed)?)
    }

    /// Path and query as the sender sees them.
    pub(super) fn path(&self) -> Result<Address, SignatureError> {
        let Some(url) = self.request.url else {
            return self.address(self.request.path.split('?').next().unwrap_or_default());
        };
        let after = url.split_once("://").map_or(url, |(_, after)| after);
        let path = after.find(['/', '?']).map_or("/", |at| &after[at..]);
        if path.starts_with('?') { self.address(&format!("/{path}")) } else { self.address(path) }
    }

    fn address(&self, given: &str) -> Result<Address, SignatureError> {
        let free = given.len();
        let text = match (given.split_once('?'), self.query()) {
            (None, None) => given.to_owned(),
            (None, Some(query)) => format!("{given}?{query}"),
            (Some((_, wanted)), Some(query)) if wanted == query => given.to_owned(),
            (Some(_), _) => return Err(SignatureError::Malformed),
        };
        Ok(Address { text, free })
    }

    fn query(&self) -> Option<&'a str> {
        self.request.path.split_once('?').map(|(_, query)| query)
    }
}
