//! Planted faults: `PAWL_PLANT=name,name` switches some on, to see the tests that must catch it go red.
//! Only in builds with the feature `plants`, never in a default build.

/// Every fault that can be planted.
pub const NAMES: &[&str] = &[
    "skip_guard",
    "release_by_difference",
    "skip_missing_signature",
    "ack_before_commit",
    "dedupe_apart",
    "abort_before_commit",
    "abort_after_commit",
    "abort_before_redrive",
    "redrive_keeps_letter",
    "ignore_returns",
    "ignore_nacks",
    "unsorted_locks",
    "count_no_attempt",
    "skip_lease",
    "skip_token",
    "ignore_retry_after",
    "believe_unsigned_answers",
    "believe_hints",
    "cursor_before_confirm",
    "ignore_tolerance",
    "forget_order",
    "sequence_cursor",
    "outbox_apart",
    "resolve_unchecked",
    "resolve_anew",
    "wait_for_ever",
    "revive_losers",
];

/// Whether this fault is switched on.
///
/// # Panics
/// On a name that is not in [`NAMES`]: a misspelt plant would look like a caught one.
#[must_use]
pub fn is_planted(name: &str) -> bool {
    assert!(NAMES.contains(&name), "there is no planted fault `{name}`");
    let planted = std::env::var("PAWL_PLANT").unwrap_or_default();
    planted.split(',').any(|planted| planted == name)
}
