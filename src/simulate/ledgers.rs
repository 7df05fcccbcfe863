//! The ledgers of a demonstration: an integrator that is told of everything twice over, by two sinks, and what
//! its books come to beside the providers' own.

use std::collections::BTreeMap;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::Shared;
use super::books::{Books, signed};
use super::check::{is_certain, issued};
use super::demo::Demo;
use super::found::Found;
use super::merchant::Merchant;
use super::outcome::Outcome;
use crate::order::slot::Leg;
use crate::provider::secret::Secret;
use crate::queue::rabbit::Tap;
use crate::store::Store;

/// The environment variable with what the requests of the demonstration's sinks are signed with.
const SECRET_ENV: &str = "LEDGER";

/// An integrator's ledgers, by the sink that fills each.
#[derive(Debug)]
pub(super) struct Ledgers {
    merchants: Vec<(String, Merchant)>,
    config: String,
}

impl Ledgers {
    /// Starts them: one that is told by HTTP what moves money, and one that is told everything, from an
    /// exchange where there is a broker. `sources` are the demonstration's own: a store may be shared.
    pub(super) async fn start(
        demo: &Demo,
        prefix: &str,
        env: &BTreeMap<String, String>,
        sources: &[String],
    ) -> anyhow::Result<Self> {
        let suffix = prefix.rsplit('-').next().unwrap_or(prefix);
        let (books, journal) = (format!("books-{suffix}"), format!("journal-{suffix}"));
        let secret = env.get(SECRET_ENV).context("the ledgers have no secret")?;
        let secret = Secret::new(secret.as_str())?;
        let retry = |name: &str| format!("[sink.{name}.retry]\nfirst_secs = 1\ncap_secs = 2\n");
        let http = |name: &str, address, types: &str| {
            format!(
                "[sink.{name}]\nkind = \"http\"\nurl = \"http://{address}/\"\nsecrets = [{{ env = \
                 \"{SECRET_ENV}\" }}]\nsources = {sources:?}\ntypes = [\"{types}\"]\n{}",
                retry(name)
            )
        };
        let (first, address) = Merchant::listen(demo.seed, 11, secret.clone()).await?;
        let mut config = http(&books, address, "pawl.effect.*");
        let second = match &demo.urls {
            None => {
                let (merchant, address) = Merchant::listen(demo.seed, 12, secret).await?;
                config.push_str(&http(&journal, address, "*"));
                merchant
            }
            Some((queue, _)) => {
                let (exchange, own) = (format!("{prefix}.events"), format!("{prefix}.journal"));
                let tap = Tap::open(queue.expose(), &exchange, &own, "#").await;
                config.push_str(&format!(
                    "[sink.{journal}]\nkind = \"amqp\"\nsources = {sources:?}\n{}",
                    retry(&journal)
                ));
                Merchant::tap(demo.seed, 12, tap.context("cannot take from the exchange")?)
            }
        };
        Ok(Self { merchants: vec![(books, first), (journal, second)], config })
    }

    /// The lines of their sinks.
    pub(super) fn config(&self) -> &str {
        &self.config
    }

    /// What they are signed with, by the name of its variable.
    pub(super) fn secret() -> (String, String) {
        let key = [Uuid::now_v7(), Uuid::now_v7()].map(Uuid::into_bytes).concat();
        (SECRET_ENV.to_owned(), format!("whsec_{}", BASE64_STANDARD.encode(key)))
    }

    /// From now on they take what they are told.
    pub(super) fn heal(&self) {
        self.merchants.iter().for_each(|(_, merchant)| merchant.heal());
    }

    /// Whether everything that is for them was taken.
    pub(super) async fn are_complete(&self, store: &Store) -> anyhow::Result<bool> {
        let mut reading = store.read().await?;
        let counts = reading.count_lines().await?;
        reading.rollback().await?;
        Ok(self.merchants.iter().all(|(sink, _)| !counts.contains_key(sink)))
    }

    /// The books of each, as they are.
    pub(super) fn books(&self) -> Vec<Books> {
        self.merchants.iter().map(|(_, merchant)| merchant.ledger.books()).collect()
    }

    /// Notes what went on at them.
    pub(super) fn note(&self, outcome: &mut Outcome) {
        let count =
            |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        for (sink, merchant) in &self.merchants {
            let (ledger, books) = (&merchant.ledger, merchant.ledger.books());
            outcome.told += count(&ledger.told);
            outcome.untaken += count(&ledger.failed);
            outcome.told_again += books.again;
            let strange = count(&ledger.strange);
            outcome.trespasses += strange;
            if strange > 0 {
                outcome.find(format!(
                    "{sink}: {strange} notices that nobody signed, or nobody can read"
                ));
            }
            // What is given back to a queue comes after what was given out meanwhile.
            if merchant.is_told_in_order() && books.disordered > 0 {
                outcome.backwards += books.disordered;
                let count = books.disordered;
                outcome
                    .find(format!("{sink}: {count} notices came before one that is before them"));
            }
        }
    }

    /// Ends them, and what the store knows of them.
    pub(super) async fn stop(self, store: &Store) -> anyhow::Result<()> {
        let mut transaction = store.begin().await?;
        for (sink, _) in &self.merchants {
            transaction.remove_sink(sink).await?;
        }
        transaction.commit().await?;
        for (_, merchant) in self.merchants {
            merchant.stop().await?;
        }
        Ok(())
    }
}

/// Holds the books against what left, order by order, and against the providers' own, currency by currency.
pub(super) fn compare(
    shared: &Shared,
    found: &BTreeMap<String, Found>,
    all: &[Books],
    outcome: &mut Outcome,
) {
    for books in all {
        for (id, order) in found {
            let (booked, left) = (books.of(&order.keys), issued(order));
            if booked != left {
                outcome.diverged += 1;
                outcome.find(format!(
                    "diverged: of {id} left {left:?}, and on the books is {booked:?}"
                ));
            }
        }
        let mut difference: BTreeMap<String, Decimal> = BTreeMap::new();
        for order in found.values() {
            for (currency, balance) in books.balances(&order.keys) {
                *difference.entry(currency).or_default() += balance;
            }
        }
        for plan in &shared.plans {
            let Some(order) = found.get(&plan.order_id) else { continue };
            // What is held back until a person looks is on nobody's books yet.
            let totals = if is_certain(shared, plan, order) {
                let ledger = shared.options.protocol.ledger(plan, plan.last());
                ledger
                    .totals
                    .iter()
                    .map(|(counter, total)| ((*counter).to_owned(), *total))
                    .collect()
            } else {
                issued(order)
            };
            for (counter, total) in totals {
                let leg = if counter.starts_with("from.") { Leg::From } else { Leg::To };
                if let Some(currency) = order.standing.currencies.get(&leg) {
                    *difference.entry(currency.to_string()).or_default() -= signed(&counter, total);
                }
            }
        }
        for (currency, difference) in difference {
            if !difference.is_zero() {
                outcome.find(format!(
                    "the books differ from the providers' by {difference} {currency}"
                ));
            }
            let known = outcome.ledger_difference.entry(currency).or_default();
            *known = (*known).max(difference.abs());
        }
    }
}
