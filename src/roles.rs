//! Roles: what a process does. All of them by default; some with `--roles`, where several processes
//! share the work.

use std::collections::BTreeSet;
use std::str::FromStr;

/// What a process can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Receives callbacks and puts them on the queue.
    Receive,
    /// Takes them from the queue and applies them.
    Work,
    /// Asks providers about orders that callbacks may have missed.
    Poll,
    /// Delivers what leaves to sinks.
    Relay,
    /// Answers people and programs. Health and metrics are answered by every process.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Receive, Self::Work, Self::Poll, Self::Relay, Self::Admin];

    /// The name on the command line and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Work => "work",
            Self::Poll => "poll",
            Self::Relay => "relay",
            Self::Admin => "admin",
        }
    }
}

/// A text that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role: the roles are receive, work, poll, relay and admin")]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| RoleError(text.to_owned()))
    }
}

/// What a process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self(Role::ALL.into_iter().collect())
    }

    /// Some of them; all where none is named.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        if roles.is_empty() { Self::all() } else { Self(roles.iter().copied().collect()) }
    }

    /// Whether it does this.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> String {
        self.0.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
    }
}
