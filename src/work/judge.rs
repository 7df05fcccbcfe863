//! Judges orders again when the time has come that they had to wait for: a failure that has stood long
//! enough, and whose effects may now leave. And lets go of what time alone makes old.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Worker;
use super::apply::{Apply, ApplyError};
use crate::order::asking::News;
use crate::store::StoreError;

/// How often we look for orders whose time has come.
const PERIOD: Duration = Duration::from_secs(1);

/// How many orders one transaction judges.
const BATCH: i64 = 100;

impl Worker {
    /// Looks for orders whose time has come, until it is told to stop.
    pub async fn run_judge(self, stop: CancellationToken) {
        // Orders that cannot be judged: left alone until the process starts again, so that they keep
        // nobody else waiting.
        let mut failing = BTreeSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
            if let Err(error) = self.count_missed().await {
                let error = anyhow::Error::new(error);
                tracing::error!(error = format!("{error:#}"), "cannot count missed callbacks");
            }
            if let Err(error) = self.forget_hints().await {
                let error = anyhow::Error::new(error);
                tracing::error!(error = format!("{error:#}"), "cannot forget old hints");
            }
            match self.judge_due(&mut failing).await {
                Ok(0) => {}
                Ok(judged) => tracing::info!(judged, "judged {judged} orders again"),
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::error!(error = format!("{error:#}"), "cannot judge orders again");
                }
            }
        }
    }

    /// Counts the callbacks that have not come although the provider's answer had the news, and for which
    /// the sender no longer tries.
    async fn count_missed(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut reading = self.store.read().await?;
        let sources = self.sources.now();
        let names: Vec<&str> = sources.keys().map(String::as_str).collect();
        let waits = reading.list_waits(&names).await?;
        reading.rollback().await?;
        for wait in waits.iter().filter(|wait| wait.silent > 0) {
            let Some(source) = sources.get(&wait.source) else { continue };
            let Some(until) = now.minus(source.provider.retry_window) else { continue };
            let mut transaction = self.store.begin().await?;
            let missed = transaction.mark_missed(&source.name, until).await?;
            transaction.commit().await?;
            self.metrics.count_missed(&source.name, missed);
        }
        Ok(())
    }

    /// Judges the orders whose time has come; how many there were. Those of a source that is no longer
    /// configured stay as they are.
    ///
    /// # Errors
    /// [`ApplyError`], where the store cannot be used now.
    pub async fn judge_due(&self, failing: &mut BTreeSet<Uuid>) -> Result<usize, ApplyError> {
        let sources = self.sources.now();
        let names: Vec<&str> = sources.keys().map(String::as_str).collect();
        let limit = BATCH.saturating_add(i64::try_from(failing.len()).unwrap_or(i64::MAX));
        let mut reading = self.store.read().await?;
        let mut keys = reading.due_orders(&names, self.clock.now(), limit).await?;
        reading.rollback().await?;
        keys.retain(|key| !failing.contains(key));
        match self.judge(keys.clone()).await {
            Ok(()) => return Ok(keys.len()),
            Err(ApplyError::Store(error @ StoreError::Unavailable(_))) => return Err(error.into()),
            Err(error) => tracing::warn!(error = %error, "judging {} orders singly", keys.len()),
        }
        let mut judged = 0;
        for key in keys {
            match self.judge(vec![key]).await {
                Ok(()) => judged += 1,
                // Somebody else wrote it: it is looked at again the next time.
                Err(ApplyError::Store(StoreError::Raced)) => {}
                Err(ApplyError::Store(error @ StoreError::Unavailable(_))) => {
                    return Err(error.into());
                }
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::error!(error = format!("{error:#}"), order = %key, "cannot judge an order");
                    failing.insert(key);
                }
            }
        }
        Ok(judged)
    }

    /// Judges orders in one transaction. A task of its own: database work is never cancelled half-way,
    /// and a panic is an error of these orders.
    async fn judge(&self, keys: Vec<Uuid>) -> Result<(), ApplyError> {
        if keys.is_empty() {
            return Ok(());
        }
        let (store, sources, now) = (self.store.clone(), self.sources.now(), self.clock.now());
        let task = tokio::spawn(async move {
            let mut apply = Apply::load_keys(store.begin().await?, &keys, now).await?;
            let loaded: Vec<_> =
                apply.loaded().map(|(key, source)| (key, source.to_owned())).collect();
            for (key, source) in loaded {
                if let Some(source) = sources.get(&source) {
                    apply.judge_again(source, key, News::Nothing);
                }
            }
            apply.write().await?;
            Ok(apply.commit().await?)
        });
        task.await.map_err(|panic| ApplyError::Panicked(panic.to_string()))?
    }
}
