//! The core: an order is the join of all that was reported about it. Pure; no clock, no I/O.
//!
//! - [`report`]: what is said about an order, in one form.
//! - [`joined`]: the order itself, the join of its reports.
//! - [`machine`], [`rules`], [`expression`]: what a provider's words mean.
//! - [`standing`]: where an order stands, worked out in `judge`, `known`, `fit`, `remainder` and `wait`: its `heads`, its
//!   [`position`], what holds its effects back and since when, and what is `due`.
//! - [`asking`]: when the provider is asked about an order.
//! - [`notice`]: what sinks are told of it.
//! - [`silence`]: a callback that has not come although the answer had the news.
//! - [`mod@decide`]: one report, one order, one decision; [`resolve`]: what a person may decide, out of a
//!   [`proposal`]; [`remedy`]: what there is to decide.

pub mod amount;
pub mod asking;
mod chosen;
pub mod decide;
mod due;
pub mod effect;
pub mod expression;
mod fit;
mod heads;
pub mod joined;
mod judge;
mod known;
pub mod machine;
pub mod name;
pub mod notice;
pub mod position;
pub mod proposal;
mod remainder;
pub mod remedy;
pub mod report;
pub mod resolve;
pub mod rules;
pub mod silence;
pub mod slot;
pub mod standing;
pub mod timestamp;
mod wait;

pub use asking::{Asking, Schedule};
pub use decide::{Decision, Seen, Verdict, decide};
pub use joined::Order;
pub use report::Report;
pub use rules::Rules;
pub use standing::Standing;
