//! What is signed: a text with places.

use std::borrow::Cow;
use std::fmt;

use super::SignatureError;
use super::fields::{SortedFields, ends_at};
use super::request::{Address, Place, Reading};
use crate::provider::json::Pointer;

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedText {
    pieces: Vec<Piece>,
}

/// A piece of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Body,
    Timestamp,
    Id,
    Method,
    Url,
    Path,
    Header(String),
    Field(Pointer),
    SortedFields,
}

/// What is known of a request beside the request itself.
pub(super) struct Known<'a> {
    pub timestamp: Option<&'a str>,
    pub id: Option<&'a str>,
    pub sorted: &'a SortedFields,
    /// The name of the signature's own field.
    pub own: Option<&'a str>,
}

/// A text that does not say what is signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place here: write {{body}}, {{timestamp}}, {{id}}, {{method}}, {{url}}, {{path}}, \
     {{header.x-name}}, {{field:/json/pointer}} or {{sorted_fields}}"
)]
pub(crate) struct SignedTextError(String);

impl std::str::FromStr for SignedText {
    type Err = SignedTextError;

    fn from_str(text: &str) -> Result<Self, SignedTextError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let error = || SignedTextError(format!("{{{after}"));
            let (name, behind) = after.split_once('}').ok_or_else(error)?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(place(name).ok_or_else(|| SignedTextError(format!("{{{name}}}")))?);
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces })
    }
}

impl fmt::Display for SignedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => write!(f, "{}", text.escape_debug()),
            Piece::Body => f.write_str("{body}"),
            Piece::Timestamp => f.write_str("{timestamp}"),
            Piece::Id => f.write_str("{id}"),
            Piece::Method => f.write_str("{method}"),
            Piece::Url => f.write_str("{url}"),
            Piece::Path => f.write_str("{path}"),
            Piece::Header(name) => write!(f, "{{header.{name}}}"),
            Piece::Field(at) => write!(f, "{{field:{at}}}"),
            Piece::SortedFields => f.write_str("{sorted_fields}"),
        })
    }
}

fn place(name: &str) -> Option<Piece> {
    Some(match name {
        "body" => Piece::Body,
        "timestamp" => Piece::Timestamp,
        "id" => Piece::Id,
        "method" => Piece::Method,
        "url" => Piece::Url,
        "path" => Piece::Path,
        "sorted_fields" => Piece::SortedFields,
        _ => match (name.strip_prefix("header."), name.strip_prefix("field:")) {
            (Some(header), _) if is_header(header) => Piece::Header(header.to_owned()),
            // The whole body is `{body}`.
            (_, Some(at)) if !at.is_empty() => Piece::Field(at.parse().ok()?),
            _ => return None,
        },
    })
}

/// Whether a text can be a header's name.
pub(crate) fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl SignedText {
    /// The whole body and nothing else.
    pub(crate) fn body() -> Self {
        Self { pieces: vec![Piece::Body] }
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(crate) fn has(&self, piece: &Piece) -> bool {
        self.pieces.contains(piece)
    }

    /// Whether what is at a pointer is inside of what is signed, name and all.
    pub(crate) fn covers(&self, at: &Pointer, sorted: &SortedFields, own: Option<&str>) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Body => true,
            Piece::Field(signed) => at.is_within(signed),
            Piece::SortedFields => {
                let is_left_out =
                    |name| own == Some(name) || sorted.without.iter().any(|w| w == name);
                sorted.is_unambiguous() && at.name().is_some_and(|name| !is_left_out(name))
            }
            Piece::Text(_)
            | Piece::Timestamp
            | Piece::Id
            | Piece::Method
            | Piece::Url
            | Piece::Path
            | Piece::Header(_) => false,
        })
    }

    /// Whether two places meet without a text between them, so that what is in one can be shifted into
    /// the other under the same signature. A time and a method have an end of their own.
    pub(crate) fn is_ambiguous(&self) -> bool {
        let pivot = self.pivot();
        (0..self.pieces.len()).filter(|index| *index != pivot).any(|index| {
            let is_open =
                matches!(self.pieces[index], Piece::Id | Piece::Header(_) | Piece::Field(_));
            is_open && self.separator(index).is_none()
        })
    }

    /// The one piece whose ends are found by what is before and behind it: it may hold anything.
    fn pivot(&self) -> usize {
        let last = |wanted: fn(&Piece) -> bool| self.pieces.iter().rposition(wanted);
        last(|piece| matches!(piece, Piece::Body | Piece::SortedFields))
            .or_else(|| last(|piece| !matches!(piece, Piece::Text(_))))
            .unwrap_or_default()
    }

    /// The text between a piece and its neighbour on the pivot's side.
    fn separator(&self, index: usize) -> Option<&str> {
        let next = if index < self.pivot() { Some(index + 1) } else { index.checked_sub(1) };
        match self.pieces.get(next?) {
            Some(Piece::Text(text)) => Some(text),
            Some(_) | None => None,
        }
    }

    /// What is signed of a request.
    pub(super) fn fill<'a>(
        &self,
        reading: &Reading<'a>,
        known: &Known<'_>,
    ) -> Result<Cow<'a, [u8]>, SignatureError> {
        if self.pieces == [Piece::Body] {
            return Ok(Cow::Borrowed(reading.request.body));
        }
        let mut text = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            let part = match piece {
                Piece::Body => {
                    text.extend_from_slice(reading.request.body);
                    continue;
                }
                Piece::Text(part) => part.clone(),
                Piece::Method => reading.request.method.to_owned(),
                Piece::Timestamp => known.timestamp.ok_or(SignatureError::Incomplete)?.to_owned(),
                Piece::Url => self.fixed(index, reading.url()?)?,
                Piece::Path => self.fixed(index, reading.path()?)?,
                Piece::SortedFields => reading.fields()?.sorted(known.sorted, known.own)?,
                Piece::Id => {
                    let id = known.id.filter(|id| !id.is_empty());
                    self.apart(index, id.ok_or(SignatureError::Incomplete)?.to_owned())?
                }
                Piece::Header(name) => {
                    let value = reading.at(&Place::Header(name.clone()))?;
                    self.apart(index, value.ok_or(SignatureError::Incomplete)?)?
                }
                // A field that is not there is signed as nothing, as senders join them.
                Piece::Field(at) => {
                    let value = reading.fields()?.whole(at)?.unwrap_or_default();
                    self.apart(index, value.into_owned())?
                }
            };
            text.extend_from_slice(part.as_bytes());
        }
        Ok(Cow::Owned(text))
    }

    /// A part whose end is found by the text between it and its neighbour: it must not hold that text
    /// itself, or a piece of it could be shifted into the neighbour under the same signature.
    fn apart(&self, index: usize, part: String) -> Result<String, SignatureError> {
        let is_apart = match self.separator(index) {
            // Nothing more follows, or the whole is a hint anyway.
            None => true,
            Some(_) if index == self.pivot() => true,
            Some(text) if index < self.pivot() => ends_at(&part, text),
            Some(text) => format!("{text}{part}").rfind(text) == Some(0),
        };
        if is_apart { Ok(part) } else { Err(SignatureError::Malformed) }
    }

    /// The same for a URL: only its query can be chosen by whoever sends the request.
    fn fixed(&self, index: usize, address: Address) -> Result<String, SignatureError> {
        let free = &address.text[address.free.min(address.text.len())..];
        let is_apart = free.is_empty()
            || index == self.pivot()
            || index < self.pivot()
                && self.separator(index).is_some_and(|text| ends_at(free, text));
        if is_apart { Ok(address.text) } else { Err(SignatureError::Malformed) }
    }
}
