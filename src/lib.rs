//! Pawl turns what payment providers say about orders into one truth for each order, which only
//! moves forward, and into money effects that are issued exactly once.
//!
//! The source reads in the order in which data flows. `order` and `provider` are pure: values in,
//! values out, neither a clock nor I/O.

pub mod admin;
pub mod budget;
pub mod cli;
pub mod clock;
pub mod config;
pub mod mistake;
pub mod observe;
pub mod open;
pub mod order;
pub mod pause;
#[cfg(feature = "plants")]
pub mod plant;
pub mod poll;
pub mod provider;
pub mod queue;
pub mod receive;
pub mod relay;
pub mod reload;
pub mod roles;
pub mod run;
pub mod simulate;
pub mod sources;
pub mod store;
pub mod work;
