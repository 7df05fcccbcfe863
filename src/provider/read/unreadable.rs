//! Why a body cannot be read.

use crate::order::amount::{AmountError, Currency, CurrencyError};
use crate::order::name::IdError;
use crate::provider::form::FormError;
use crate::provider::json::JsonError;

/// Why an authentic body cannot be read. It becomes a dead letter with its bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON that can be trusted to mean one thing.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not a form that can be trusted to mean one thing.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The list of reports is not there.
    #[error("there is no list at {0}")]
    NoList(String),
    /// One of several reports in a body. None of them is applied: the body is one callback.
    #[error("report {number} of {count}: {error}")]
    Item {
        /// Which, counted from 1.
        number: usize,
        /// Of how many.
        count: usize,
        /// What is wrong with it.
        error: Box<Unreadable>,
    },
    /// Something that every report must say is not there.
    #[error("there is no {what} at {places}")]
    Missing {
        /// What.
        what: &'static str,
        /// Where it was looked for.
        places: String,
    },
    /// Something is there, and is of another sort.
    #[error("the {what} at {place} is {found}, not {wanted}")]
    Sort {
        /// What.
        what: String,
        /// Where.
        place: String,
        /// What sort of value it is.
        found: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// An id that is none.
    #[error("the {what}: {error}")]
    Id {
        /// Which id.
        what: &'static str,
        /// What is wrong with it.
        error: IdError,
    },
    /// An amount that is none.
    #[error("the amount {name} {}", .error.what())]
    Amount {
        /// Which amount.
        name: String,
        /// What is wrong with it.
        error: AmountError,
    },
    /// An amount in minor units of a currency whose minor unit is not known.
    #[error(
        "the amount {name} is in minor units of {currency}, and how many digits those have is not known: add \
         {currency} to [event.exponents]"
    )]
    NoExponent {
        /// Which amount.
        name: String,
        /// Of which currency.
        currency: Currency,
    },
    /// A currency that is none.
    #[error("the currency is not a code: 1 to 16 letters, digits, `.`, `_` or `-`")]
    Currency(#[from] CurrencyError),
    /// An answer that does not say that it is one.
    #[error("the answer says `{said}` at {place}, not `{wanted}`")]
    NotOk {
        /// What it says.
        said: String,
        /// Where.
        place: String,
        /// What it should say.
        wanted: String,
    },
    /// An answer about another order than the one that was asked about.
    #[error("the answer is about another order than the one that was asked about")]
    OtherOrder,
}
