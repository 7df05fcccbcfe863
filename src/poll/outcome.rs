//! What came of an ask.

use std::fmt;
use std::time::Duration;

use crate::budget::Came;
use crate::order::timestamp::Timestamp;

/// What came of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider said something about the order.
    Answered(Answer),
    /// It answered that it knows no such order. That is no status: the order may yet reach it.
    NotFound,
    /// It was asked too often.
    Throttled {
        /// With which status.
        status: u16,
        /// How long it wants to be left alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// It does not take our credentials. Nothing is known of the order.
    Forbidden(u16),
    /// What it said is no answer: no information.
    Unreadable(String),
    /// It said nothing.
    Unreachable(String),
    /// It answered, and the answer could not be put on the queue.
    Unqueued,
    /// No question can be made about the order yet.
    Unaskable(String),
}

/// An authentic answer about the order that was asked about.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The raw bytes.
    pub body: Vec<u8>,
    /// When it was given, by the provider's clock.
    pub said_at: Option<Timestamp>,
    /// It is one of several that came in one body.
    pub is_item: bool,
}

// By hand: the body is nobody's business in a log.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer of {} bytes", self.body.len())
    }
}

/// The label `outcome` of the metric of asks: every word of [`Outcome::as_str`].
pub const OUTCOMES: [&str; 8] = [
    "answered",
    "not_found",
    "throttled",
    "forbidden",
    "unreadable",
    "unreachable",
    "unqueued",
    "unaskable",
];

impl Outcome {
    /// The name in metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::NotFound => "not_found",
            Self::Throttled { .. } => "throttled",
            Self::Forbidden(_) => "forbidden",
            Self::Unreadable(_) => "unreadable",
            Self::Unreachable(_) => "unreachable",
            Self::Unqueued => "unqueued",
            Self::Unaskable(_) => "unaskable",
        }
    }

    /// What it says about the provider.
    #[must_use]
    pub fn came(&self) -> Came {
        match self {
            Self::Answered(_) | Self::NotFound | Self::Unqueued => Came::Well,
            Self::Throttled { retry_after: Some(after), .. } => {
                Came::Later(*after, self.to_string())
            }
            Self::Throttled { .. }
            | Self::Forbidden(_)
            | Self::Unreadable(_)
            | Self::Unreachable(_) => Came::Badly(self.to_string()),
            Self::Unaskable(_) => Came::Unasked,
        }
    }

    /// Whether the provider is there and said something that we understand, or was not asked at all.
    #[must_use]
    pub fn is_information(&self) -> bool {
        match self {
            Self::Answered(_) | Self::NotFound | Self::Unqueued | Self::Unaskable(_) => true,
            Self::Throttled { .. }
            | Self::Forbidden(_)
            | Self::Unreadable(_)
            | Self::Unreachable(_) => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(_) => f.write_str("answered"),
            Self::NotFound => f.write_str("the provider knows no such order"),
            Self::Throttled { status, retry_after: None } => {
                write!(f, "asked too often ({status})")
            }
            Self::Throttled { status, retry_after: Some(after) } => {
                write!(f, "asked too often ({status}): again after {} s", after.as_secs())
            }
            Self::Forbidden(status) => {
                write!(f, "the provider does not take the credentials ({status})")
            }
            Self::Unreadable(why) => write!(f, "no information: {why}"),
            Self::Unreachable(why) => write!(f, "no answer: {why}"),
            Self::Unqueued => f.write_str("answered, and the queue could not take it"),
            Self::Unaskable(why) => write!(f, "not asked: {why}"),
        }
    }
}
