//! Writes what came of lines: what is done, what is tried again and when, what stops.

use std::time::Duration;

use uuid::Uuid;

use super::run::Ended;
use super::told::Told;
use super::{Relay, budget_name};
use crate::order::asking::jitter;
use crate::order::timestamp::Timestamp;
use crate::store::{Budget, SettledLine, SinkRow, StoreError, Transaction};

/// How exactly it is known when a sink last took something.
const TAKEN: Duration = Duration::from_secs(1);

/// How long a line is put off whose notices are not there.
const MISSING: Duration = Duration::from_secs(3600);

impl Relay {
    /// Settles lines, in one transaction; those that are written are taken out.
    pub(super) async fn settle(&self, ended: &mut Vec<Ended>) -> Result<(), StoreError> {
        if ended.is_empty() {
            return Ok(());
        }
        let name = self.sink.name.as_str();
        let mut transaction = self.store.begin().await?;
        let now = transaction.now(&self.clock).await?;
        self.note_budget(&mut transaction, ended, now).await?;
        let known = transaction.list_sinks().await?.into_iter().find(|sink| sink.name == name);
        let gone = ended.iter().any(|ended| ended.told == Some(Told::Gone));
        // To the second is enough, and spares the row that all relays share.
        let is_recent = |sink: &SinkRow| sink.taken_at.is_some_and(|at| now.since(at) < TAKEN);
        let has_taken =
            ended.iter().any(|ended| ended.taken > 0) && !known.as_ref().is_some_and(is_recent);
        if gone || has_taken {
            let gone = gone.then(|| Told::Gone.to_string());
            let place = self.sink.place();
            transaction.note_sink((name, &place), has_taken, gone.as_deref(), now).await?;
        }
        let settled: Vec<SettledLine> =
            ended.iter().map(|ended| self.judge(ended, known.as_ref(), now)).collect();
        let stopped: Vec<&SettledLine> = settled.iter().filter(|line| line.is_stopped).collect();
        let mut orders = Vec::new();
        for stopped in &stopped {
            orders.push(transaction.follow_merges(stopped.line.key).await?);
        }
        transaction.lock_orders(&orders).await?;
        let ours = transaction.settle_lines(name, &settled, now).await?;
        // Of a line that is somebody else's by now, they say what became of it.
        for (stopped, order) in stopped.iter().zip(orders) {
            if ours.contains(&stopped.line.key) {
                self.stop(&mut transaction, stopped, order, now).await?;
            }
        }
        transaction.commit().await?;
        if ours.len() < ended.len() {
            let lost = ended.len() - ours.len();
            tracing::warn!(
                sink = name,
                "{lost} lines took longer than their lease: they are delivered again"
            );
        }
        if gone {
            tracing::error!(
                sink = name,
                "the sink is disabled: it answered 410 (pawl sink resume {name})"
            );
        }
        ended.clear();
        Ok(())
    }

    async fn note_budget(
        &self,
        transaction: &mut Transaction,
        ended: &[Ended],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (name, limits) = (budget_name(&self.sink.name), &self.sink.limits);
        let full = Budget::full(limits, now);
        let mut budget = transaction.lock_budget(&name, &full).await?;
        budget.fill(limits, now);
        let before = budget.clone();
        for ended in ended {
            if let Some(told) = &ended.told {
                budget.note(ended.line.key, &told.came(), ended.began_at, now);
            }
        }
        if budget != before {
            transaction.write_budget(&name, &budget).await?;
        }
        let sink = self.sink.name.as_str();
        match (before.paused_until, budget.paused_until) {
            (was, Some(until)) if was < Some(until) => {
                let reason = budget.pause_reason.as_deref().unwrap_or_default();
                tracing::warn!(sink, until = %until, reason, "the sink is left alone");
            }
            (Some(_), None) => tracing::info!(sink, "the sink takes what it is told again"),
            (_, _) => {}
        }
        Ok(())
    }

    /// When a line is due again, and whether it stops.
    fn judge(&self, ended: &Ended, known: Option<&SinkRow>, now: Timestamp) -> SettledLine {
        let mut line = ended.line.clone();
        if ended.taken > 0 {
            (line.tries, line.failing_since) = (0, None);
        }
        let failed = ended.told.as_ref().filter(|told| **told != Told::Taken);
        let Some(told) = failed else {
            if ended.is_empty {
                let (sink, order) = (self.sink.name.as_str(), line.key);
                tracing::error!(sink, %order, "the outbox has no notice for a line: this should never be");
                let reason = Some("the outbox has no notice for it".to_owned());
                let due_at = now.plus(MISSING);
                return SettledLine { line, due_at, reason, is_stopped: false };
            }
            return SettledLine { line, due_at: now, reason: None, is_stopped: false };
        };
        let reason = Some(told.to_string());
        let delay = jitter(self.sink.schedule.delay(line.tries), line.key, line.tries);
        // To come again at once is no answer: it is tried again like what failed.
        let is_asked_to_wait =
            matches!(told, Told::Later { retry_after: Some(after), .. } if !after.is_zero());
        if is_asked_to_wait || *told == Told::Gone {
            // That is the sink's matter: the budget waits for it.
            return SettledLine { line, due_at: now, reason, is_stopped: false };
        }
        line.tries = line.tries.saturating_add(1);
        let since = *line.failing_since.get_or_insert(now);
        // As long as a sink takes nothing from anybody it is down, and that is no matter of this order.
        let takes_others = known.and_then(|sink| sink.taken_at).is_some_and(|at| at > since);
        let is_over = now.since(since) >= self.sink.horizon;
        let is_stopped = is_over && (told.is_refusal() || takes_others);
        SettledLine { line, due_at: now.plus(delay), reason, is_stopped }
    }

    /// Asks a person about a line that is given up, of an order that is locked.
    async fn stop(
        &self,
        transaction: &mut Transaction,
        stopped: &SettledLine,
        key: Uuid,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = self.sink.name.as_str();
        let (seq, tries) = (stopped.line.done_seq + 1, stopped.line.tries);
        let reason = stopped.reason.as_deref().unwrap_or_default();
        let text = format!(
            "the sink `{name}` did not take notice {seq} of this order in {tries} attempts ({reason}); it and all \
             after it wait: mend the receiver, then `pawl sink resume {name}`"
        );
        tracing::error!(sink = name, order = %key, seq, reason, "a notice is given up");
        transaction.begin_stop(key, name, &text, now).await
    }
}
