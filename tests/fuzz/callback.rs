//! The target `callback` for libFuzzer.
#![no_main]

#[path = "../it/order/fold.rs"]
mod order;
#[path = "targets/callback.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    target::run(bytes);
});
