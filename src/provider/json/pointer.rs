//! Where something is in a JSON value.

use std::fmt;

/// A JSON pointer (RFC 6901): the empty text for the whole, else `/` before each step, with `~1` for
/// `/` and `~0` for `~`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    pub(super) steps: Vec<String>,
    /// Before which step each item of a list is meant.
    pub(super) item: Option<usize>,
}

/// A text that is no JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a JSON pointer: write `/key/inner`, or an empty text for the whole body")]
pub struct PointerError(String);

impl std::str::FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let error = || PointerError(text.to_owned());
        if text.is_empty() {
            return Ok(Self::default());
        }
        let steps = text.strip_prefix('/').ok_or_else(error)?.split('/').map(|step| {
            // A tilde stands only before 0 or 1.
            let is_valid = step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
            is_valid.then(|| step.replace("~1", "/").replace("~0", "~")).ok_or_else(error)
        });
        Ok(Self { steps: steps.collect::<Result<_, _>>()?, item: None })
    }
}

impl Pointer {
    /// The pointer to a member of the whole.
    #[must_use]
    pub fn member(name: &str) -> Self {
        Self { steps: vec![name.to_owned()], item: None }
    }

    /// The pointer to each item of the list that this one points to.
    #[must_use]
    pub fn each(mut self) -> Self {
        self.item = Some(self.steps.len());
        self
    }

    /// The member's name, where it points to a member of the whole.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match (&self.steps[..], self.item) {
            ([name], None) => Some(name),
            _ => None,
        }
    }

    /// Whether it points to what another one points to, or into it.
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        let is_before_items = self.item.is_none_or(|item| outer.steps.len() <= item);
        outer.item.is_none() && is_before_items && self.steps.starts_with(&outer.steps)
    }

    /// This pointer, continued by another.
    #[must_use]
    pub fn then(&self, inner: &Self) -> Self {
        let steps = self.steps.iter().chain(&inner.steps).cloned().collect();
        let item = self.item.or(inner.item.map(|item| self.steps.len() + item));
        Self { steps, item }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            if self.item == Some(index) {
                f.write_str("/*")?;
            }
            write!(f, "/{}", step.replace('~', "~0").replace('/', "~1"))?;
        }
        if self.item == Some(self.steps.len()) { f.write_str("/*") } else { Ok(()) }
    }
}
