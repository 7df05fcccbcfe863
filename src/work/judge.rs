//! Judges orders again when the time has come that they had to wait for: a failure that has stood long
//! enough, and whose effects may now leave.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::apply::Apply;
use super::{Sources, Worker};
use crate::store::StoreError;

/// How often we look for orders whose time has come.
const PERIOD: Duration = Duration::from_secs(1);

/// How many orders one transaction judges.
const BATCH: i64 = 100;

impl Worker {
    /// Looks for orders whose time has come, until it is told to stop.
    pub async fn run_judge(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
            // A task of its own: database work is never cancelled half-way.
            let worker = self.clone();
            let pass = tokio::spawn(async move { worker.judge_due().await });
            match pass.await {
                Ok(Ok(0)) => {}
                Ok(Ok(judged)) => tracing::info!(judged, "judged {judged} orders again"),
                Ok(Err(error)) => {
                    let error = anyhow::Error::new(error);
                    tracing::error!(error = format!("{error:#}"), "cannot judge orders again");
                }
                Err(panic) => tracing::error!(error = %panic, "cannot judge orders again"),
            }
        }
    }

    /// Judges the orders whose time has come; how many there were.
    ///
    /// # Errors
    /// [`StoreError`]; then none of them was.
    pub async fn judge_due(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut reading = self.store.read().await?;
        let keys = reading.due_orders(now, BATCH).await?;
        reading.rollback().await?;
        if keys.is_empty() {
            return Ok(0);
        }
        let mut apply = Apply::load_keys(self.store.begin().await?, &keys, now).await?;
        let loaded: Vec<_> = apply.loaded().map(|(key, source)| (key, source.to_owned())).collect();
        for (key, source) in &loaded {
            judge_one(&self.sources, &mut apply, *key, source);
        }
        apply.write().await?;
        apply.commit().await?;
        Ok(loaded.len())
    }
}

fn judge_one(sources: &Sources, apply: &mut Apply, key: uuid::Uuid, source: &str) {
    // The orders of a source that is no longer configured stay as they are.
    if let Some(source) = sources.get(source) {
        apply.judge_again(source, key);
    }
}
