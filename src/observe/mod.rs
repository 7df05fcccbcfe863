//! What operators see: metrics, health, the log.

pub mod health;
pub mod log;
pub mod metrics;
pub mod notify;
