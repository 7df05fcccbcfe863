//! The target `definition` for libFuzzer.
#![no_main]

#[expect(dead_code, reason = "its clock is all that is needed of it")]
#[path = "../it/order/fold.rs"]
mod order;
#[path = "targets/definition.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    target::run(bytes);
});
