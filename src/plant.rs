//! Planted faults: `PAWL_PLANT=name` switches one on, to see the tests that must catch it go red.
//! Only in builds with the feature `plants`, never in a default build.

/// Every fault that can be planted.
pub const NAMES: &[&str] = &["skip_guard", "release_by_difference", "skip_missing_signature"];

/// Whether this fault is switched on.
///
/// # Panics
/// On a name that is not in [`NAMES`]: a misspelt plant would look like a caught one.
#[must_use]
pub fn is_planted(name: &str) -> bool {
    assert!(NAMES.contains(&name), "there is no planted fault `{name}`");
    std::env::var_os("PAWL_PLANT").is_some_and(|planted| planted == name)
}
