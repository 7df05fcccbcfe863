//! Tells whoever supervises us how we are, as systemd wants to be told (`sd_notify`). Where nobody wants
//! to be told, nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;

/// Everything listens, and the store can be used; also after a reload.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again; [`ready`] ends it.
pub fn reloading() {
    // Newer systemds want to know since when.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(error = %error, "the monotonic clock cannot be read"),
    }
}

/// We stop.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says again and again that we are alive, if somebody wants to hear it (`WATCHDOG_USEC`). It says so from
/// a task beside all others: when none of them is run any more, it falls silent, too.
pub async fn keep_alive() {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    // Twice as often as is asked for, so that one that is late does no harm.
    let period = (within / 2).max(Duration::from_millis(1));
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(error = %error, "the supervisor cannot be told how we are");
    }
}
