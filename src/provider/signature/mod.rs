//! Signatures over raw bytes: a scheme is described by the definition, not coded.
//!
//! Invariants
//! - Fails closed: what is missing, stands twice, or cannot be read is refused.
//! - What makes claims lies inside of what is signed; whatever else is sent is a hint.
//! - Secrets and signatures are compared in constant time, and a bounded number of times.

mod asymmetric;
mod der;
mod describe;
pub mod encoding;
pub mod explain;
pub mod fields;
pub mod key;
mod list;
pub mod mac;
pub mod request;
mod sign;
mod signed;
pub mod stamp;
mod verify;

use super::json::Pointer;
use super::secret::Secret;
use super::{Format, Trust};
use asymmetric::Algorithm;
use encoding::Encoding;
use fields::SortedFields;
pub(crate) use key::KeyForm;
pub use key::{KeyEncoding, KeyError};
pub(crate) use list::List;
use mac::Hash;
pub(crate) use request::Place;
pub use request::Request;
pub use sign::SignError;
use signed::Known;
pub(crate) use signed::{Piece, SignedText, is_header};
pub(crate) use stamp::Stamp;

/// How many secrets a source may have, and so how many a request is checked with.
pub const SECRETS_MAX: usize = 16;

/// How requests are signed, or how else their sender is known: checked, and ready to verify and sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub(crate) scheme: Scheme,
    /// Where the signature is.
    pub(crate) place: Place,
    /// What stands in front of it there.
    pub(crate) prefix: String,
    pub(crate) list: Option<List>,
    pub(crate) encoding: Encoding,
    pub(crate) key: KeyForm,
    pub(crate) signed: SignedText,
    pub(crate) sorted: SortedFields,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) id: Option<Place>,
    pub(crate) key_id: Option<Place>,
    /// Whether a request without any signature is a hint.
    pub(crate) is_optional: bool,
    pub(crate) format: Format,
    /// What a good signature makes of a request.
    pub(crate) trust: Trust,
}

/// Which mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Hmac(Hash),
    RsaSha256,
    Ed25519,
    /// The secret itself stands there.
    Token,
    /// HTTP Basic (RFC 7617).
    Basic,
    /// Anybody may send.
    None,
}

/// Why a signature is not accepted. Logged and counted; a sender only learns that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("the signature is missing")]
    Missing,
    /// A header, field or parameter stands more than once.
    #[error("the signature, or something that is signed, stands more than once")]
    Repeated,
    /// Not of the form that the definition describes.
    #[error("the signature, or what is signed, is malformed")]
    Malformed,
    /// Something that is signed is not there.
    #[error("something that is signed is missing")]
    Incomplete,
    /// Made with another secret, or over another text.
    #[error("the signature does not match")]
    Wrong,
    /// Signed too long ago, or in the future.
    #[error("the signature matches, and its time is too far from ours: look at both clocks")]
    OutOfTime,
    /// There is no secret to check it with. Fails closed.
    #[error("no secret is good at this time")]
    NoSecret,
    /// It names a key that is none of ours.
    #[error("no secret that is good at this time has the id that the signature names")]
    UnknownKey,
}

impl Signature {
    /// No signature: whatever comes is a hint.
    #[must_use]
    pub fn none() -> Self {
        Self {
            scheme: Scheme::None,
            place: Place::Header(String::new()),
            prefix: String::new(),
            list: None,
            encoding: Encoding::Hex,
            key: KeyForm::default(),
            signed: SignedText::body(),
            sorted: SortedFields::default(),
            stamp: None,
            id: None,
            key_id: None,
            is_optional: false,
            format: Format::default(),
            trust: Trust::Hint,
        }
    }

    fn known<'a>(&'a self, timestamp: Option<&'a str>, id: Option<&'a str>) -> Known<'a> {
        Known { timestamp, id, sorted: &self.sorted, own: self.own_field() }
    }

    /// The name of the signature's own field, where it stands in one.
    fn own_field(&self) -> Option<&str> {
        match &self.place {
            Place::Field(at) => at.name(),
            Place::Header(_) | Place::Query(_) | Place::Listed(_) => None,
        }
    }

    /// Whether what is at a pointer is inside of what is signed.
    pub(crate) fn covers(&self, at: &Pointer) -> bool {
        self.signed.covers(at, &self.sorted, self.own_field())
    }

    /// Checks that a secret can be made into a key. Ask at start, so that a wrong one is found before
    /// the first callback.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn check_key(&self, secret: &Secret) -> Result<(), KeyError> {
        let is_key = match self.scheme {
            Scheme::Hmac(_) => self.key.shared(secret).is_some(),
            Scheme::RsaSha256 => self.key.public(Algorithm::RsaSha256, secret).is_some(),
            Scheme::Ed25519 => self.key.public(Algorithm::Ed25519, secret).is_some(),
            Scheme::Basic => {
                let (user, password) = secret.expose().split_once(':').unwrap_or_default();
                !(user.is_empty() && password.is_empty())
            }
            Scheme::Token | Scheme::None => true,
        };
        if is_key { Ok(()) } else { Err(KeyError) }
    }

    /// What a secret must be, for a message.
    #[must_use]
    pub fn wanted_key(&self) -> String {
        match self.scheme {
            Scheme::Hmac(_) | Scheme::Token => format!("a secret in {}", self.key.wanted()),
            Scheme::RsaSha256 => {
                format!("a public RSA key of 2048 to 8192 bits in {}", self.key.wanted())
            }
            Scheme::Ed25519 => format!("a public Ed25519 key in {}", self.key.wanted()),
            Scheme::Basic => "user:password".to_owned(),
            Scheme::None => "left out".to_owned(),
        }
    }

    /// Whether there is nothing to check, and so no need of a secret.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.scheme == Scheme::None
    }

    /// Whether it tells who sends, and not that nobody changed what is sent.
    #[must_use]
    pub fn is_of_sender_only(&self) -> bool {
        matches!(self.scheme, Scheme::Token | Scheme::Basic)
    }

    /// Whether it is over the URL, which the source must then know.
    #[must_use]
    pub fn needs_url(&self) -> bool {
        self.signed.has(&Piece::Url)
    }

    /// Whether it says which secret it is made with.
    #[must_use]
    pub fn names_key(&self) -> bool {
        self.key_id.is_some()
    }

    /// What a good signature makes of a request.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// The header that carries it; empty where it is elsewhere.
    #[must_use]
    pub fn header(&self) -> &str {
        match &self.place {
            Place::Header(name) => name,
            Place::Field(_) | Place::Query(_) | Place::Listed(_) => "",
        }
    }
}
