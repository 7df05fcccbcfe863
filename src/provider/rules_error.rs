//! What a source may not choose.

use crate::order::name::Kind;

/// A source chose something that its provider's definition does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// No such kind.
    #[error("the provider `{provider}` has no kind `{kind}`: its kinds are {known}")]
    Kind {
        /// Whose definition.
        provider: String,
        /// What was asked for.
        kind: String,
        /// What there is.
        known: String,
    },
    /// No such books mode.
    #[error("the kind `{kind}` has no books mode `{mode}`: write {known}")]
    Mode {
        /// Of which kind.
        kind: Kind,
        /// What was asked for.
        mode: String,
        /// What there is.
        known: String,
    },
}
