//! The exchange and the queues. Declaring them again changes nothing.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::link::{LinkError, step};

/// How often the broker gives a message out before it takes it for dead by itself. Only a net below
/// our own counter, which ends earlier.
const DELIVERY_LIMIT: i64 = 50;

/// For the queue of the dead: a message is lost when it reaches the limit there, and newer brokers
/// have a low one unless told.
const DEAD_DELIVERY_LIMIT: i64 = 1_000_000;

/// The longest delay queue is of 2 to the power of this many seconds.
const DELAYS_MAX: u32 = 9;

/// What a message is for. All go through one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    /// To be worked on.
    Callbacks,
    /// To be worked on, each alone: it was in the hands of two processes that ended.
    Suspects,
    /// To be worked on after this many seconds.
    Retry(u32),
    /// Taken for dead by the broker: to be worked on, each alone.
    Dead,
}

impl Route {
    /// Every route that there may be.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let delays = (0..=DELAYS_MAX).map(|power| Self::Retry(1 << power));
        [Self::Callbacks, Self::Suspects, Self::Dead].into_iter().chain(delays)
    }

    /// The delay queue for a delay: the next doubling.
    pub(super) fn after(delay: Duration) -> Self {
        let whole = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let max = 1 << DELAYS_MAX;
        Self::Retry(u32::try_from(whole).unwrap_or(max).clamp(1, max).next_power_of_two())
    }

    /// The routing key.
    pub(super) fn key(self) -> String {
        match self {
            Self::Callbacks => "callbacks".to_owned(),
            Self::Suspects => "suspects".to_owned(),
            Self::Retry(secs) => format!("retry.{secs}s"),
            Self::Dead => "dead".to_owned(),
        }
    }
}

/// What the exchange and the queues are called.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The exchange, and what the queues' names begin with.
    pub prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Result<Self, LinkError> {
        let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = |byte: u8| is_fine(byte) || matches!(byte, b'_' | b'-' | b'.');
        if prefix.is_empty() || prefix.len() > 100 || !prefix.bytes().all(fits) {
            return Err(LinkError::Prefix(prefix.to_owned()));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// A queue's name.
    pub(super) fn queue(&self, route: Route) -> String {
        format!("{}.{}", self.prefix, route.key())
    }

    /// Declares the exchange and all queues but those for delays, which are declared when first used.
    pub(super) async fn declare(&self, channel: &Channel) -> Result<(), LinkError> {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let name = self.prefix.as_str().into();
        let arguments = FieldTable::default();
        let exchange = channel.exchange_declare(name, ExchangeKind::Direct, options, arguments);
        step("declare the exchange", exchange).await?;
        for route in [Route::Dead, Route::Callbacks, Route::Suspects] {
            self.declare_queue(channel, route).await?;
        }
        Ok(())
    }

    /// Declares one queue. A queue of that name with other arguments is an error.
    pub(super) async fn declare_queue(
        &self,
        channel: &Channel,
        route: Route,
    ) -> Result<(), LinkError> {
        let name = self.queue(route);
        let options = QueueDeclareOptions::durable();
        let arguments = self.arguments(route);
        let declaring = channel.queue_declare(name.as_str().into(), options, arguments);
        step("declare a queue", declaring).await?;
        let (exchange, key) = (self.prefix.as_str().into(), route.key().into());
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        let binding = channel.queue_bind(name.into(), exchange, key, options, arguments);
        step("bind a queue", binding).await
    }

    fn arguments(&self, route: Route) -> FieldTable {
        let mut arguments = FieldTable::default();
        let mut text = |name: &str, value: &str| {
            arguments.insert(name.into(), AMQPValue::LongString(value.into()));
        };
        text("x-queue-type", "quorum");
        // The default, which drops the oldest, would lose what was confirmed.
        text("x-overflow", "reject-publish");
        let dead_letters_to = match route {
            Route::Callbacks | Route::Suspects => Some(Route::Dead),
            Route::Retry(_) => Some(Route::Callbacks),
            Route::Dead => None,
        };
        if let Some(route) = dead_letters_to {
            text("x-dead-letter-exchange", &self.prefix);
            text("x-dead-letter-routing-key", &route.key());
            // A dead letter leaves its queue only when it is confirmed by the next one.
            text("x-dead-letter-strategy", "at-least-once");
        }
        let limit = match route {
            Route::Callbacks | Route::Suspects => Some(DELIVERY_LIMIT),
            Route::Dead => Some(DEAD_DELIVERY_LIMIT),
            // Nobody is given anything out of it.
            Route::Retry(_) => None,
        };
        if let Some(limit) = limit {
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(limit));
        }
        if let Route::Retry(secs) = route {
            let millis = i64::from(secs) * 1000;
            arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis));
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_goes_to_the_next_doubling() {
        let secs = |millis| match Route::after(Duration::from_millis(millis)) {
            Route::Retry(secs) => secs,
            Route::Callbacks | Route::Suspects | Route::Dead => panic!("not a delay"),
        };
        assert_eq!([secs(0), secs(1), secs(1000), secs(1001), secs(3000)], [1, 1, 1, 2, 4]);
        assert_eq!([secs(512_000), secs(u64::MAX)], [512, 512]);
    }

    #[test]
    fn a_prefix_is_checked() {
        assert!(Names::new("pawl").is_ok());
        for bad in ["", "a b", "amq/", "Pawl"] {
            assert!(Names::new(bad).is_err(), "{bad}");
        }
    }
}
