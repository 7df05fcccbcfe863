//! The broker's word on what was published: which message does it have?

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use lapin::{Confirmation, PublisherConfirm};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::queue::PublishError;

/// A message under way.
pub(super) struct InFlight {
    /// Its own id, which a return carries.
    pub id: Uuid,
    pub replies: Vec<oneshot::Sender<Result<(), PublishError>>>,
    pub confirm: PublisherConfirm,
    pub sent: Instant,
}

impl InFlight {
    /// Tells all who wait for it.
    pub(super) fn answer(self, result: Result<(), &str>) {
        for reply in self.replies {
            let result = result.map_err(|why| PublishError::Unavailable(why.to_owned()));
            reply.send(result).ok();
        }
    }
}

/// What the confirms have told.
pub(super) struct Confirmed {
    /// The connection is of no use any more.
    pub is_lost: bool,
    /// A message had nowhere to go.
    pub is_returned: bool,
}

/// Answers for the messages whose confirms have come.
///
/// The library hands a returned message to the confirm that it resolves next, whosever that is, so a
/// message's own confirm says nothing about its return. But it resolves them one after the other, and
/// the broker sends a return before the confirm of the same message. So: once a confirm is seen, the
/// return of its message is in a confirm that was resolved before. One more look at all the others
/// finds it, and only then is the message answered for.
pub(super) fn poll_confirms(
    in_flight: &mut Vec<InFlight>,
    context: &mut Context<'_>,
) -> Poll<Confirmed> {
    let mut done = Vec::new();
    let mut returned = BTreeSet::new();
    let (mut is_lost, mut is_returned) = (false, false);
    loop {
        let before = done.len();
        let mut at = 0;
        while at < in_flight.len() {
            let Poll::Ready(result) = Pin::new(&mut in_flight[at].confirm).poll(context) else {
                at += 1;
                continue;
            };
            // Nothing but an ack is one: without confirms the library says `NotRequested`.
            let is_ack = result.as_ref().is_ok_and(Confirmation::is_ack);
            #[cfg(feature = "plants")]
            let is_ack = is_ack || crate::plant::is_planted("ignore_nacks");
            is_lost |= result.is_err();
            if let Ok(confirmation) = result
                && let Some(message) = confirmation.take_message()
            {
                is_returned = true;
                let id = message.delivery.properties.message_id();
                let id = id.as_ref().and_then(|id| id.as_str().parse::<Uuid>().ok());
                // Ours all have one. If this has none, nothing is known about any of them.
                is_lost |= id.is_none();
                returned.extend(id);
            }
            done.push((in_flight.remove(at), is_ack));
        }
        if done.len() == before {
            break;
        }
    }
    #[cfg(feature = "plants")]
    if crate::plant::is_planted("ignore_returns") {
        returned.clear();
    }
    if done.is_empty() {
        return Poll::Pending;
    }
    for (sent, is_ack) in done {
        if returned.contains(&sent.id) {
            tracing::error!("the broker returned a message: no queue is bound to our exchange");
            sent.answer(Err("the broker has no queue for it"));
        } else if is_lost {
            sent.answer(Err("the broker's confirm is lost"));
        } else if is_ack {
            sent.answer(Ok(()));
        } else {
            tracing::error!("the broker refused a message: the queue is full, or cannot keep it");
            sent.answer(Err("the broker refused it"));
        }
    }
    Poll::Ready(Confirmed { is_lost, is_returned })
}
