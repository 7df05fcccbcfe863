//! Resolves orders: what a person decided, joined like any other report, but checked before and answered
//! at once.
//!
//! Invariants
//! - A resolution is checked against the order under its lock, and is of one transaction with its line in
//!   the audit log.
//! - What is refused, or has been made before, writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::apply::{Apply, ApplyError, Outcome};
use crate::clock::Clock;
use crate::config::Source;
use crate::observe::metrics::Metrics;
use crate::order::effect::Effect;
use crate::order::name::{EventId, OrderId, Role};
use crate::order::proposal::Proposal;
use crate::order::report::{Content, Origin, Report, Resolution};
use crate::order::resolve::ResolveError;
use crate::store::{
    AttentionRow, Audited, EffectRow, OrderRow, Store, StoreError, Transaction, Undelivered,
};

/// How often a resolution is tried again because somebody else wrote the order meanwhile.
const RACES_MAX: u32 = 100;

/// What orders are resolved with.
#[derive(Clone, Debug)]
pub struct Resolver {
    /// Where orders are kept.
    pub store: Store,
    /// What the order is decided by.
    pub source: Source,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
}

/// A resolution that somebody asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Any id of the order.
    pub order_id: OrderId,
    /// What is to be decided.
    pub proposal: Proposal,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// What its event is known by; else its content.
    pub id: Option<EventId>,
    /// It is only tried.
    pub is_dry_run: bool,
}

/// What a resolution came to.
#[derive(Debug)]
pub enum Resolved {
    /// It is made.
    Made(Box<Made>),
    /// It was made before: nothing was changed.
    Unchanged(Box<Made>),
    /// It may not be made.
    Refused(ResolveError),
    /// Another resolution of the order goes by its id.
    Taken(EventId),
    /// There is no such order.
    Missing,
}

/// A resolution that is made, and what the order then is.
#[derive(Debug)]
pub struct Made {
    /// What its event is known by.
    pub event_id: EventId,
    /// What it turned out to be; none where it was made before.
    pub outcome: Option<Outcome>,
    /// How it was made before, where that is still kept.
    pub before: Option<Box<Report>>,
    /// What left because of it.
    pub effects: Vec<Effect>,
    /// The order.
    pub order: OrderRow,
    /// What still waits for a person.
    pub attention: Vec<AttentionRow>,
    /// All that has left.
    pub issued: Vec<EffectRow>,
    /// What people decided about it.
    pub resolutions: Vec<Report>,
    /// What no sink has taken of it yet.
    pub undelivered: Vec<Undelivered>,
}

/// What is known of a resolution before it is made.
enum Known {
    /// Nothing.
    New,
    /// It was made; how, where that is still kept.
    Same(Option<Box<Report>>),
    /// Another one goes by its id.
    Other,
}

impl Resolver {
    /// Resolves an order; or does all of it and takes it back, to see what it would come to.
    ///
    /// # Errors
    /// [`ApplyError`], where the store cannot be used now: nothing was changed, unless the commit itself
    /// was lost. It may be tried again.
    pub async fn resolve(&self, asked: &Asked) -> Result<Resolved, ApplyError> {
        let mut races = 0;
        loop {
            let (resolver, asked) = (self.clone(), asked.clone());
            // A task of its own: database work is never cancelled half-way, and a panic is an error.
            let task = tokio::spawn(async move { resolver.try_once(&asked).await });
            match task.await.map_err(|panic| ApplyError::Panicked(panic.to_string()))? {
                Err(ApplyError::Store(StoreError::Raced)) if races < RACES_MAX => races += 1,
                result => return result,
            }
        }
    }

    async fn try_once(&self, asked: &Asked) -> Result<Resolved, ApplyError> {
        let now = self.clock.now();
        let digest = || asked.proposal.digest(&asked.by, &asked.why);
        #[cfg(feature = "plants")]
        let digest = || match crate::plant::is_planted("resolve_anew") {
            true => uuid::Uuid::now_v7().to_string(),
            false => digest(),
        };
        let event_id = match &asked.id {
            Some(id) => id.clone(),
            None => EventId::new(digest()).map_err(|e| ApplyError::Panicked(e.to_string()))?,
        };
        let content = |resolution| Content::Resolved(resolution);
        let mut report = Report {
            origin: Origin::Operator,
            event_id,
            received_at: now,
            // Whose id it is, the order knows.
            names: BTreeMap::from([(asked.order_id.clone(), Role::Other)]),
            content: content(Resolution::of_nothing(&asked.by, &asked.why)),
        };
        let mut transaction = self.store.begin().await?;
        let name = (self.source.name.as_str(), asked.order_id.as_str());
        if transaction.find_names(&[name]).await?.is_empty() {
            transaction.rollback().await?;
            return Ok(Resolved::Missing);
        }
        let mut apply = Apply::load(transaction, &[(&self.source, &report)], now).await?;
        match self.find_made(&apply, asked, &report) {
            Known::New => {}
            Known::Other => {
                apply.rollback().await?;
                return Ok(Resolved::Taken(report.event_id));
            }
            Known::Same(before) => {
                let made = self.read(apply.transaction(), asked, report.event_id).await?;
                apply.rollback().await?;
                return Ok(Resolved::Unchanged(Box::new(Made { before, ..made })));
            }
        }
        let resolution = match self.check(&mut apply, asked, &report).await? {
            Ok(resolution) => resolution,
            Err(refused) => {
                apply.rollback().await?;
                return Ok(Resolved::Refused(refused));
            }
        };
        report.content = content(resolution);
        self.make(apply, asked, report).await
    }

    /// Whether a resolution was made before. What was made up for the order itself remembers, also when its
    /// event is long gone.
    fn find_made(&self, apply: &Apply, asked: &Asked, report: &Report) -> Known {
        let (source, proposal) = (&self.source, &asked.proposal);
        let is_same = match apply.known(source, report) {
            Some(Report { content: Content::Resolved(made), .. }) => {
                proposal.is_made_by(&source.rules, made)
            }
            Some(_) => false,
            None => {
                let order = apply.order(source, report);
                match order.and_then(|order| order.compensations.get(&report.event_id)) {
                    Some(made) => *made == proposal.compensate,
                    None => return Known::New,
                }
            }
        };
        if is_same {
            Known::Same(apply.known(source, report).cloned().map(Box::new))
        } else {
            Known::Other
        }
    }

    /// Checks a resolution against the order, which is locked.
    async fn check(
        &self,
        apply: &mut Apply,
        asked: &Asked,
        report: &Report,
    ) -> Result<Result<Resolution, ResolveError>, ApplyError> {
        let (source, id) = (&self.source, &asked.order_id);
        let row = apply.transaction().get_order(&source.name, id.as_str()).await?;
        let key = row.ok_or(StoreError::Raced)?.key;
        let told = apply.transaction().list_attention(key).await?;
        // What a sink did not take is no matter of the order: it is taken up at the sink.
        let own = told.into_iter().filter(|attention| !attention.is_of_sink());
        let told: BTreeSet<String> = own.map(|attention| attention.key).collect();
        let order = apply.order(source, report).ok_or(StoreError::Raced)?;
        let who = (asked.by.as_str(), asked.why.as_str());
        Ok(asked.proposal.resolve(&source.rules, order, &told, who, report.received_at))
    }

    async fn make(
        &self,
        mut apply: Apply,
        asked: &Asked,
        report: Report,
    ) -> Result<Resolved, ApplyError> {
        let applied = apply.decide(&self.source, &report);
        let (key, outcome) = (applied.key, Outcome::from(applied));
        let effects: Vec<Effect> = apply.effects().cloned().collect();
        apply.write().await?;
        let transaction = apply.transaction();
        if asked.proposal.ask {
            let at = transaction.now(&self.clock).await?;
            transaction.hasten_ask(key, at).await?;
        }
        let detail = json!({
            "source": self.source.name,
            "order_id": asked.order_id,
            "event_id": report.event_id,
            "why": asked.why,
            "resolution": report.content,
            "verdict": outcome.verdict,
            "effects": effects,
        });
        let (at, subject) = (report.received_at, key.to_string());
        let line = Audited { at, who: &asked.by, what: "order.resolve", subject, detail };
        transaction.audit(&line).await?;
        let made = self.read(transaction, asked, report.event_id).await?;
        let made = Made { outcome: Some(outcome.clone()), effects, ..made };
        if asked.is_dry_run {
            apply.rollback().await?;
            return Ok(Resolved::Made(Box::new(made)));
        }
        apply.commit().await?;
        self.metrics.count_outcome(&outcome, self.clock.now());
        let (source, order) = (self.source.name.as_str(), asked.order_id.as_str());
        let (by, why) = (asked.by.as_str(), asked.why.as_str());
        tracing::warn!(source, order, by, why, "an order was resolved");
        Ok(Resolved::Made(Box::new(made)))
    }

    /// The order as it is in a transaction, also before that is committed.
    async fn read(
        &self,
        transaction: &mut Transaction,
        asked: &Asked,
        event_id: EventId,
    ) -> Result<Made, ApplyError> {
        let row = transaction.get_order(&self.source.name, asked.order_id.as_str()).await?;
        let order = row.ok_or(StoreError::Raced)?;
        let attention = transaction.list_attention(order.key).await?;
        let issued = transaction.list_effects(order.key).await?;
        let resolutions = transaction.list_resolutions(order.key).await?;
        let undelivered = transaction.list_undelivered(order.key).await?;
        let (outcome, before, effects) = (None, None, Vec::new());
        Ok(Made {
            event_id,
            outcome,
            before,
            effects,
            order,
            attention,
            issued,
            resolutions,
            undelivered,
        })
    }
}
