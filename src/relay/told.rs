//! What came of telling a sink.

use std::fmt;
use std::time::Duration;

use crate::budget::Came;

/// What came of telling a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It has it.
    Taken,
    /// It wants to be left alone.
    Later {
        /// With which status.
        status: u16,
        /// For how long, where it says so.
        retry_after: Option<Duration>,
    },
    /// It answered, and does not take it: this one, or none.
    Refused(String),
    /// It cannot take anything now.
    Failed(String),
    /// It said nothing.
    Unreachable(String),
    /// It says that it is gone for good.
    Gone,
}

/// The label `outcome` of the metric of deliveries: every word of [`Told::as_str`].
pub const TOLDS: [&str; 6] = ["taken", "later", "refused", "failed", "unreachable", "gone"];

impl Told {
    /// The name in metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Later { .. } => "later",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::Unreachable(_) => "unreachable",
            Self::Gone => "gone",
        }
    }

    /// What it says about the sink.
    #[must_use]
    pub fn came(&self) -> Came {
        match self {
            Self::Taken => Came::Well,
            Self::Later { retry_after: Some(after), .. } => Came::Later(*after, self.to_string()),
            Self::Later { .. } | Self::Refused(_) | Self::Failed(_) | Self::Unreachable(_) => {
                Came::Badly(self.to_string())
            }
            Self::Gone => Came::Unasked,
        }
    }

    /// Whether it is a matter of this notice as well as of the sink: it was answered, and not taken.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("it was taken"),
            Self::Later { status, retry_after: Some(after) } => {
                write!(f, "it answered {status}: come again after {} s", after.as_secs())
            }
            Self::Later { status, retry_after: None } => write!(f, "it answered {status}"),
            Self::Refused(why) | Self::Failed(why) | Self::Unreachable(why) => f.write_str(why),
            Self::Gone => f.write_str("it answered 410: it is gone"),
        }
    }
}
