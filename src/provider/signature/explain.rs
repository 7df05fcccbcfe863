//! Why a signature fits or does not, step by step, for who connects a provider. What is said is what the
//! check itself comes to, never a check of its own; no secret is ever in it.

use super::encoding::Encoding;
use super::mac::Hash;
use super::request::{Place, Reading, Request};
use super::signed::{Piece, SignedText};
use super::{KeyEncoding, Scheme, Signature, SignatureError};
use crate::order::timestamp::Timestamp;
use crate::provider::Trust;
use crate::provider::secret::{CallbackSecret, Secret};

/// What became of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// How far the request is to be believed, or why it is refused: what the check says.
    pub trust: Result<Trust, SignatureError>,
    /// What exactly is wrong, where something is.
    pub why: Option<String>,
    /// What stands at the signature's place; never that of a token or of HTTP Basic, which is the secret.
    pub found: Option<String>,
    /// What was signed, where that is known.
    pub signed: Option<Vec<u8>>,
    /// When it was signed, where it says so.
    pub signed_at: Option<Timestamp>,
    /// What became of each secret, in their order.
    pub keys: Vec<KeyFit>,
    /// What would make it fit.
    pub hints: Vec<String>,
}

/// What became of one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFit {
    /// Whether the signature is made with it.
    pub fits: bool,
    /// For people.
    pub text: String,
}

impl Signature {
    /// Checks a request, and says what was found on the way.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>, secrets: &[CallbackSecret]) -> Explained {
        let trust = self.verify_request(request, secrets);
        let mut explained = Explained {
            trust,
            why: trust.err().map(|error| self.why(error, request)),
            found: None,
            signed: None,
            signed_at: None,
            keys: Vec::new(),
            hints: Vec::new(),
        };
        if self.is_none() {
            return explained;
        }
        let reading = Reading::new(request, self.format);
        if !self.is_of_sender_only() {
            explained.found = reading.at(&self.place).ok().flatten();
            let mut reading = Reading::new(request, self.format);
            let value = self.find_value(&reading).ok().flatten();
            let sealed = value.and_then(|value| self.read_sealed(&mut reading, &value).ok());
            if let Some(sealed) = sealed {
                explained.signed_at = sealed.signed_at.map(|(_, at)| at);
                explained.signed = Some(sealed.text.into_owned());
            }
        }
        explained.keys = secrets.iter().map(|secret| self.try_key(secret, request)).collect();
        if matches!(trust, Err(SignatureError::Wrong | SignatureError::Malformed)) {
            explained.hints = self.hints(request, secrets);
        }
        explained
    }

    fn try_key(&self, secret: &CallbackSecret, request: &Request<'_>) -> KeyFit {
        let not = |text: String| KeyFit { fits: false, text };
        if !secret.is_good_at(request.at) {
            return not("is not good at this time".to_owned());
        }
        if self.check_key(&secret.secret).is_err() {
            return not(format!("cannot be made into a key: it must be {}", self.wanted_key()));
        }
        match self.verify_request(request, std::slice::from_ref(secret)) {
            Ok(Trust::Hint) if self.is_optional && self.trust == Trust::Claims => {
                not("was not tried: there is no signature".to_owned())
            }
            Ok(_) | Err(SignatureError::OutOfTime) => {
                KeyFit { fits: true, text: "fits".to_owned() }
            }
            Err(SignatureError::Wrong) => not("does not fit".to_owned()),
            Err(SignatureError::UnknownKey) => {
                let own = secret.id.as_deref().unwrap_or("none");
                not(format!("was not tried: its id is `{own}`, and another key is named"))
            }
            Err(_) => not("was not tried".to_owned()),
        }
    }

    /// What exactly is wrong.
    fn why(&self, error: SignatureError, request: &Request<'_>) -> String {
        let mut reading = Reading::new(request, self.format);
        match error {
            SignatureError::Missing => {
                let came: Vec<&str> = request.headers.iter().map(|(name, _)| name).collect();
                match self.place {
                    Place::Header(_) => {
                        let came =
                            if came.is_empty() { "none".to_owned() } else { came.join(", ") };
                        format!("{} is missing; the headers that came: {came}", self.place)
                    }
                    Place::Field(_) | Place::Query(_) | Place::Listed(_) => {
                        format!("{} is missing", self.place)
                    }
                }
            }
            SignatureError::Repeated => {
                let twice = self.places().find(|place| reading.at(place).is_err());
                match twice {
                    Some(place) => format!("{place} stands more than once"),
                    None => "a field or a parameter stands more than once".to_owned(),
                }
            }
            SignatureError::Incomplete => {
                // The list is read first: the time may stand in it.
                if let Ok(Some(value)) = self.find_value(&reading) {
                    let _ = self.read_list(&mut reading, &value);
                }
                let missing = self.places().find(|place| matches!(reading.at(place), Ok(None)));
                match missing {
                    Some(place) => format!("{place} is missing, and belongs to what is signed"),
                    None => error.to_string(),
                }
            }
            SignatureError::Malformed => self.why_malformed(&mut reading),
            SignatureError::Wrong if self.is_of_sender_only() => {
                format!("what stands in {} is none of the secrets", self.place)
            }
            SignatureError::Wrong => {
                "no secret makes this signature of what is signed: another secret, or another text"
                    .to_owned()
            }
            SignatureError::OutOfTime => self.why_out_of_time(request),
            SignatureError::NoSecret | SignatureError::UnknownKey => error.to_string(),
        }
    }

    fn why_malformed(&self, reading: &mut Reading<'_>) -> String {
        let place = &self.place;
        let Ok(value) = self.find_value(reading) else {
            return format!("{place} does not begin with `{}`", self.prefix);
        };
        let value = value.unwrap_or_default();
        if self.is_of_sender_only() {
            return format!("{place} holds nothing that could be {}", self.scheme);
        }
        let Ok(signatures) = self.read_list(reading, &value) else {
            let names: Vec<String> = self
                .list
                .iter()
                .flat_map(|list| {
                    let pair = list.pair.as_deref().unwrap_or_default().to_owned();
                    list.signature.iter().map(move |name| format!("`{name}{pair}...`"))
                })
                .collect();
            let wanted = names.join(" or ");
            return format!(
                "{place} is no list with a signature of the version that is read: {wanted}"
            );
        };
        if self.decode(&signatures).is_err() {
            let (least, most) = (*self.scheme.lengths().start(), *self.scheme.lengths().end());
            let bytes =
                if least == most { least.to_string() } else { format!("{least} to {most}") };
            return format!("{place} is not {bytes} bytes in {}", self.encoding);
        }
        let stamp = self.stamp.as_ref().and_then(|stamp| {
            let text = reading.at(&stamp.place).ok()??;
            stamp.unit.read(&text).is_none().then_some((stamp, text))
        });
        if let Some((stamp, text)) = stamp {
            return format!(
                "{} is `{}`, which is no time in {}",
                stamp.place,
                text.escape_debug(),
                stamp.unit
            );
        }
        if self.signed.has(&Piece::Url) && reading.url().is_err() {
            return "the URL that is signed is not known, or was called with another query"
                .to_owned();
        }
        match reading.fields() {
            Err(_) if self.signed != SignedText::body() => {
                "the fields that are signed cannot be read: the body is not of its format"
                    .to_owned()
            }
            _ => {
                "a part of what is signed holds the text that parts it from the next one".to_owned()
            }
        }
    }

    fn why_out_of_time(&self, request: &Request<'_>) -> String {
        let mut reading = Reading::new(request, self.format);
        let value = self.find_value(&reading).ok().flatten().unwrap_or_default();
        let sealed = self.read_sealed(&mut reading, &value).ok();
        let Some((stamp, signed_at)) = sealed.and_then(|sealed| sealed.signed_at) else {
            return SignatureError::OutOfTime.to_string();
        };
        let (late, early) = (request.at.since(signed_at), signed_at.since(request.at));
        let apart = match late > early {
            true => format!("{} seconds before", late.as_secs()),
            false => format!("{} seconds after", early.as_secs()),
        };
        let most = stamp.tolerance.as_secs();
        format!("it was signed at {signed_at}, {apart} it came at {}; {most} at most", request.at)
    }

    /// Every place that is looked at.
    fn places(&self) -> impl Iterator<Item = Place> {
        let headers = self.signed.pieces().iter().filter_map(|piece| match piece {
            Piece::Header(name) => Some(Place::Header(name.clone())),
            Piece::Text(_)
            | Piece::Body
            | Piece::Timestamp
            | Piece::Id
            | Piece::Method
            | Piece::Url
            | Piece::Path
            | Piece::Field(_)
            | Piece::SortedFields => None,
        });
        let stamp = self.stamp.iter().map(|stamp| stamp.place.clone());
        let ids = self.id.iter().chain(&self.key_id).cloned();
        std::iter::once(self.place.clone()).chain(stamp).chain(ids).chain(headers)
    }

    /// What would make it fit, where one thing is other than the definition says: each is tried by the check
    /// itself.
    fn hints(&self, request: &Request<'_>, secrets: &[CallbackSecret]) -> Vec<String> {
        let fits = |signature: &Self, body: &[u8], secrets: &[CallbackSecret]| {
            let request = Request { body, ..*request };
            let verified = signature.verify_request(&request, secrets);
            matches!(verified, Ok(Trust::Claims) | Err(SignatureError::OutOfTime))
                || verified.is_ok() && !self.is_optional && !self.is_none()
        };
        let mut hints = Vec::new();
        for (text, other) in self.variants() {
            if fits(&other, request.body, secrets) {
                hints.push(format!("it fits {text}"));
            }
        }
        let without = [&b"\r\n"[..], b"\n"].iter().find_map(|end| request.body.strip_suffix(*end));
        if without.is_some_and(|body| fits(self, body, secrets)) {
            let text = "it fits without the new line at the end of the body: whoever kept the body added it";
            hints.push(text.to_owned());
        }
        let with = [request.body, b"\n"].concat();
        if fits(self, &with, secrets) {
            hints.push(
                "it fits with a new line at the end of the body: whoever kept it took it away"
                    .to_owned(),
            );
        }
        let trimmed = secrets.iter().filter_map(|secret| {
            let text = secret.secret.expose();
            let trimmed = Secret::new(text.trim()).ok().filter(|_| text.trim() != text)?;
            Some(CallbackSecret { secret: trimmed, ..secret.clone() })
        });
        let trimmed: Vec<CallbackSecret> = trimmed.collect();
        if !trimmed.is_empty() && fits(self, request.body, &trimmed) {
            hints.push("it fits without the blanks around the secret".to_owned());
        }
        hints
    }

    /// The same way of signing with one thing changed.
    fn variants(&self) -> Vec<(String, Self)> {
        let mut variants = Vec::new();
        if self.is_of_sender_only() {
            return variants;
        }
        let is_shared = matches!(self.scheme, Scheme::Hmac(_));
        let encodings = [KeyEncoding::Text, KeyEncoding::Hex, KeyEncoding::Base64];
        let key_names = ["text", "hex", "base64"];
        for (encoding, name) in encodings.into_iter().zip(key_names) {
            if is_shared && encoding != self.key.encoding {
                let mut other = self.clone();
                other.key.encoding = encoding;
                variants
                    .push((format!("with the secret read as {name} (key = \"{name}\")"), other));
            }
        }
        for (encoding, name) in [
            (Encoding::Hex, "hex"),
            (Encoding::Base64, "base64"),
            (Encoding::Base64url, "base64url"),
        ] {
            if encoding != self.encoding {
                let other = Self { encoding, ..self.clone() };
                variants.push((format!("as {name} (encoding = \"{name}\")"), other));
            }
        }
        for (hash, name) in
            [(Hash::Sha1, "sha1"), (Hash::Sha256, "sha256"), (Hash::Sha512, "sha512")]
        {
            if is_shared && self.scheme != Scheme::Hmac(hash) {
                let other = Self { scheme: Scheme::Hmac(hash), ..self.clone() };
                variants.push((format!("with another hash (hash = \"{name}\")"), other));
            }
        }
        if self.signed != SignedText::body() {
            let other = Self { signed: SignedText::body(), stamp: None, id: None, ..self.clone() };
            variants.push(("over the body alone (signed = \"{body}\")".to_owned(), other));
        }
        if !self.prefix.is_empty() {
            let other = Self { prefix: String::new(), ..self.clone() };
            variants.push(("without the prefix".to_owned(), other));
        }
        for prefix in ["sha256=", "sha1=", "sha512=", "Bearer "] {
            if self.prefix.is_empty() && self.list.is_none() {
                let other = Self { prefix: prefix.to_owned(), ..self.clone() };
                variants.push((format!("behind a prefix (prefix = \"{prefix}\")"), other));
            }
        }
        variants
    }
}
