//! What operators see: metrics, health, the log.

mod catalogue;
mod feeds;
pub mod health;
pub mod log;
pub mod metrics;
pub mod notify;
mod sinks;
