//! Secrets, and until when each is good.

use std::fmt;

use zeroize::Zeroizing;

use crate::order::timestamp::Timestamp;

/// A text that is never shown and is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// An empty secret: whoever forgot to set it would accept everything that is signed with nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret is empty")]
pub struct EmptySecret;

impl Secret {
    /// Takes a secret.
    ///
    /// # Errors
    /// [`EmptySecret`], also for one of nothing but blanks.
    pub fn new(text: impl Into<String>) -> Result<Self, EmptySecret> {
        let text = Zeroizing::new(text.into());
        if text.trim().is_empty() { Err(EmptySecret) } else { Ok(Self(text)) }
    }

    /// The text, for the one place that signs or sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A secret that callbacks are signed with, and the time in which it is good: several overlap while
/// one takes another's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackSecret {
    /// The secret, or the public key.
    pub secret: Secret,
    /// What the provider calls it, where its callbacks name the key.
    pub id: Option<String>,
    /// Not good before.
    pub not_before: Option<Timestamp>,
    /// Not good from then on.
    pub not_after: Option<Timestamp>,
}

impl CallbackSecret {
    /// A secret that is always good.
    #[must_use]
    pub fn always(secret: Secret) -> Self {
        Self { secret, id: None, not_before: None, not_after: None }
    }

    /// Whether it is good at this time.
    #[must_use]
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|from| from <= now)
            && self.not_after.is_none_or(|until| now < until)
    }
}
