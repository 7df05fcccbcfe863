//! How one sink is told.

use std::collections::BTreeMap;

use super::http::{CONTENT_TYPE, Http};
use super::told::Told;
use crate::config::{Sink, Way};
use crate::order::timestamp::Timestamp;
use crate::queue::rabbit::{self, Exchange, Message};
use crate::store::NoticeRow;

/// Whether all sinks can be spoken to.
///
/// # Errors
/// Where TLS cannot be set up, or a broker's URL is none.
pub fn check(sinks: &BTreeMap<String, Sink>) -> anyhow::Result<()> {
    for sink in sinks.values() {
        match &sink.way {
            Way::Http { url, secrets, signature, allow_private } => {
                Http::new(url, secrets, signature, *allow_private, sink.timeout)?;
            }
            Way::Amqp { url, .. } => rabbit::check_url(url.expose())?,
        }
    }
    Ok(())
}

/// Whether anything answers where a sink is, by the way that notices go; it is told nothing.
///
/// # Errors
/// Why nothing does.
pub async fn reach(sink: &Sink) -> Result<String, String> {
    match &sink.way {
        Way::Http { url, secrets, signature, allow_private } => {
            let http = Http::new(url, secrets, signature, *allow_private, sink.timeout);
            let http = http.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
            http.reach().await.map(|status| format!("{url} ({status})"))
        }
        Way::Amqp { url, .. } => {
            let reached = rabbit::reach(url.expose()).await;
            reached.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
            Ok("the broker answers".to_owned())
        }
    }
}

/// How one sink is told.
#[derive(Debug)]
pub(super) enum Outlet {
    Http(Box<Http>),
    Amqp(Exchange),
}

impl Outlet {
    pub(super) fn of(sink: &Sink) -> anyhow::Result<Self> {
        match &sink.way {
            Way::Http { url, secrets, signature, allow_private } => {
                let http = Http::new(url, secrets, signature, *allow_private, sink.timeout)?;
                Ok(Self::Http(Box::new(http)))
            }
            Way::Amqp { url, exchange } => Ok(Self::Amqp(Exchange::start(url.expose(), exchange)?)),
        }
    }

    /// Tells it, and waits for its word.
    pub(super) async fn tell(&self, notice: &NoticeRow, now: Timestamp) -> Told {
        match self {
            Self::Http(http) => http.tell(notice, now).await,
            Self::Amqp(exchange) => {
                let message = Message {
                    id: notice.id,
                    topic: format!("{}.{}", notice.kind, notice.source),
                    content_type: CONTENT_TYPE,
                    body: notice.body.clone(),
                };
                match exchange.publish(message).await {
                    Ok(()) => Told::Taken,
                    Err(error) => Told::Failed(error.to_string()),
                }
            }
        }
    }
}
