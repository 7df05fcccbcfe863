//! One run along a line: notices of one order, one after the other, for as long as they are taken.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::outlet::Outlet;
use super::told::Told;
use super::{Claimed, LEASE, Relay};
use crate::order::timestamp::Timestamp;
use crate::store::{Line, NoticeRow};

/// What came of a run along a line.
#[derive(Debug)]
pub(super) struct Ended {
    /// With all that was taken counted as done.
    pub line: Line,
    /// When it began, by the clock that pauses go by.
    pub began_at: Timestamp,
    /// There was nothing to deliver.
    pub is_empty: bool,
    /// How many were taken.
    pub taken: u64,
    /// What came of the last that was told, where one was.
    pub told: Option<Told>,
}

impl Relay {
    /// Delivers a line's notices in their order. The first that is not taken ends it: what comes after that
    /// waits for it.
    pub(super) async fn deliver(
        self: Arc<Self>,
        outlet: Arc<Outlet>,
        claimed: Claimed,
        stop: CancellationToken,
    ) -> Ended {
        let Claimed { mut line, notices, wants, at: began_at } = claimed;
        let began = Instant::now();
        let is_empty = notices.is_empty();
        let (mut taken, mut last) = (0, None);
        for notice in notices {
            if !wants.has(&notice.source, &notice.kind) {
                line.done_seq = notice.seq;
                continue;
            }
            // An attempt that begins ends within the lease; none begins once we are told to stop.
            if began.elapsed() + self.sink.timeout > LEASE || stop.is_cancelled() {
                break;
            }
            let told = self.tell(&outlet, &notice).await;
            let is_taken = told == Told::Taken;
            last = Some(told);
            if is_taken {
                taken += 1;
                line.done_seq = notice.seq;
                continue;
            }
            break;
        }
        Ended { line, began_at, is_empty, taken, told: last }
    }

    async fn tell(&self, outlet: &Outlet, notice: &NoticeRow) -> Told {
        let began = Instant::now();
        let told = outlet.tell(notice, self.clock.now()).await;
        let sink = self.sink.name.as_str();
        self.metrics.count_delivery(sink, &told, began.elapsed());
        let (id, order, seq) = (notice.id, notice.key, notice.seq);
        if told == Told::Taken {
            tracing::debug!(sink, %id, %order, seq, kind = notice.kind, "delivered");
        } else {
            tracing::warn!(sink, %id, %order, seq, reason = %told, "a notice is not taken");
        }
        told
    }
}
