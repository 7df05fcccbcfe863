//! Names: of statuses, kinds, orders and events. Each a type of its own, so that none is taken for
//! another.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// How long an id from outside may be, in bytes.
pub const ID_BYTES_MAX: usize = 255;

/// A text that cannot be an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing, or nothing but blanks.
    #[error("an id is empty")]
    Empty,
    /// Longer than any real one.
    #[error("an id has {0} bytes, more than {ID_BYTES_MAX}")]
    TooLong(usize),
    /// PostgreSQL's text cannot hold it.
    #[error("an id contains a NUL character")]
    Nul,
}

fn check_id(text: &str) -> Result<(), IdError> {
    if text.trim().is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong(text.len()));
    }
    if text.contains('\0') { Err(IdError::Nul) } else { Ok(()) }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        text_type!($(#[$doc])* $name);

        impl $name {
            /// Takes a text from outside as it is: compared byte by byte, never normalised.
            ///
            /// # Errors
            /// [`IdError`] for an empty text, an overlong one, and one with a NUL character.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check_id(&text).map(|()| Self(text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! word_type {
    ($(#[$doc:meta])* $name:ident) => {
        text_type!($(#[$doc])* $name);

        impl $name {
            /// A word of a definition, or one that a provider says.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self)
            }
        }
    };
}

id_type! {
    /// One of an order's ids, unique within a source.
    OrderId
}
id_type! {
    /// What one event of an order is known by: the provider's id, or a digest of what it says.
    EventId
}
word_type! {
    /// A status of a provider's machine, as the definition writes it.
    Status
}
word_type! {
    /// What sort of order it is; decides what a status means for money.
    Kind
}
word_type! {
    /// A named part of a machine with a head of its own: `payment`, `refund`, `dispute`.
    Track
}

impl EventId {
    /// The event of a resolution that is only being considered.
    pub(super) fn considered() -> Self {
        Self("considered".to_owned())
    }
}

impl Kind {
    /// A provider's word for a kind that the definition has no name for. The mark keeps it from
    /// being taken for the definition's own name of another kind.
    #[must_use]
    pub fn unknown(word: &str) -> Self {
        Self(format!("?{word}"))
    }
}

impl Track {
    /// The order's life; every other track runs beside it.
    pub const PAYMENT: &'static str = "payment";

    /// Whether this is the order's life.
    #[must_use]
    pub fn is_payment(&self) -> bool {
        self.0 == Self::PAYMENT
    }
}

/// Whose id of an order it is. Where two reports disagree, the earlier one here stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The integrator's own.
    Merchant,
    /// The provider's.
    Provider,
    /// Any other: a request, a process.
    Other,
}

impl Role {
    /// The name in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merchant => "merchant",
            Self::Provider => "provider",
            Self::Other => "other",
        }
    }
}
