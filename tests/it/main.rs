//! The integration tests: one binary, a module a subject.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod config;
mod daemon;
mod definition;
mod demo;
mod flypay;
mod fuzz;
mod newday;
mod order;
mod poll;
mod rabbit;
mod reading;
mod relay;
mod schema;
mod signature;
mod soak;
mod tables;
mod tidy;
mod tools;
mod walks;
