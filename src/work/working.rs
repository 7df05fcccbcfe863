//! An order that is being worked on: what was read of it, what was decided, and how that is written.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::config::Source;
use crate::order::asking::{AskRules, Asking, News, Phase};
use crate::order::decide::{Decision, Seen, Verdict};
use crate::order::effect::Effect;
use crate::order::joined::Order;
use crate::order::name::{EventId, Kind, Status};
use crate::order::report::{Origin, Report};
use crate::order::silence::Silence;
use crate::order::standing::{Attention, AttentionCode, Standing};
use crate::order::timestamp::Timestamp;
use crate::store::{Loaded, NewEffect, NewEvent, Repeat, StoreError, Transaction, Written};

/// An order that is being worked on.
#[derive(Debug)]
pub(super) struct Working {
    pub source: String,
    version: Option<i64>,
    pub order: Order,
    event_count: i64,
    effect_count: i64,
    attention_count: i64,
    asking: Asking,
    silence: Option<Silence>,
    /// Where it stands, once something was decided.
    standing: Option<Standing>,
    /// What then waits for a person.
    attention: Vec<Attention>,
    /// Events that are known, of those that were asked for.
    pub known: BTreeMap<EventId, Report>,
    events: Vec<Event>,
    repeats: Vec<(EventId, Timestamp)>,
    effects: Vec<(String, Effect)>,
    /// Orders that turned out to be this one.
    pub merged: Vec<Loaded>,
}

/// An event that was decided.
#[derive(Debug)]
struct Event {
    report: Report,
    verdict: Verdict,
    reason: String,
    moved: Option<(Option<String>, Option<String>)>,
}

impl Working {
    /// An order that nothing was known of.
    pub(super) fn new(source: String) -> Self {
        Self {
            source,
            version: None,
            order: Order::default(),
            event_count: 0,
            effect_count: 0,
            attention_count: 0,
            asking: Asking::default(),
            silence: None,
            standing: None,
            attention: Vec::new(),
            known: BTreeMap::new(),
            events: Vec::new(),
            repeats: Vec::new(),
            effects: Vec::new(),
            merged: Vec::new(),
        }
    }

    /// An order as it was read.
    pub(super) fn of(loaded: Loaded) -> Self {
        Self {
            version: Some(loaded.version),
            order: loaded.order,
            event_count: loaded.event_count,
            effect_count: loaded.effect_count,
            attention_count: loaded.attention_count,
            asking: loaded.asking,
            silence: loaded.silence,
            ..Self::new(loaded.source)
        }
    }

    /// Takes in another order that turned out to be this one.
    pub(super) fn swallow(&mut self, other: Loaded) {
        self.order = std::mem::take(&mut self.order).merge(other.order.clone());
        self.asking = self.asking.merge(other.asking);
        self.silence = self.silence.take().or(other.silence.clone());
        self.merged.push(other);
    }

    /// Takes what was decided about a report.
    pub(super) fn take(
        &mut self,
        ask_rules: AskRules<'_>,
        source: &Source,
        (report, seen): (&Report, Seen),
        decision: Decision,
        now: Timestamp,
    ) {
        let machine = &source.rules.machine;
        // A hint tells nobody what it was about: whether one came for this news is not known.
        let calls_back =
            |status: &Status| source.makes_claims() && source.provider.calls_back(status);
        let silence = self.silence.take();
        self.silence = Silence::after(silence, machine, calls_back, &self.order, report);
        let news = match report.origin {
            // A person who takes note of something is no news of the order.
            Origin::Operator if decision.moves.is_empty() => News::Nothing,
            Origin::Callback
            | Origin::Feed
            | Origin::Answer
            | Origin::Action
            | Origin::Registration
            | Origin::Operator => News::Report {
                moved: !decision.moves.is_empty(),
                wants_answer: decision.ask.is_some(),
                is_answer: report.origin == Origin::Answer,
            },
        };
        if seen == Seen::New {
            let payment = decision.moves.iter().find(|step| step.track.is_payment());
            let moved = payment.map(|step| (only(&step.from), only(&step.to)));
            self.known.insert(report.event_id.clone(), report.clone());
            self.events.push(Event {
                report: report.clone(),
                verdict: decision.verdict,
                reason: decision.reason,
                moved,
            });
        } else {
            self.repeats.push((report.event_id.clone(), report.received_at));
        }
        self.issue(report.event_id.as_str(), decision.effects);
        self.stand(ask_rules, decision.order, decision.standing, news, now);
    }

    /// Takes effects that are issued, and what brought them.
    pub(super) fn issue(&mut self, event_id: &str, effects: Vec<Effect>) {
        self.effects.extend(effects.into_iter().map(|effect| (event_id.to_owned(), effect)));
    }

    /// The effects that were issued.
    pub(super) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().map(|(_, effect)| effect)
    }

    /// Takes where it stands now, and why that was looked at.
    pub(super) fn stand(
        &mut self,
        ask_rules: AskRules<'_>,
        order: Order,
        standing: Standing,
        news: News,
        now: Timestamp,
    ) {
        self.asking = self.asking.after(ask_rules, &standing, news, now);
        self.attention = standing.attention.clone();
        if self.asking.phase == Phase::Unresolved {
            let (stays, text) = match &standing.status {
                Some(status) => (
                    status.as_str(),
                    format!(
                        "the provider was asked again and again, and still says `{status}`: ask it by \
                         other means what became of the order"
                    ),
                ),
                None => (
                    "unknown",
                    "the provider was asked again and again, and nothing certain is known of the order: \
                     ask it by other means whether it exists"
                        .to_owned(),
                ),
            };
            // By where it stayed: to know of one is not to know of the next.
            let (code, key) = (AttentionCode::Unresolved, format!("unresolved={stays}"));
            if !order.waived.contains_key(&key) {
                self.attention.push(Attention { code, key, text });
            }
        }
        self.order = order;
        self.standing = Some(standing);
    }

    /// Adds what was decided to what is to be written.
    pub(super) fn collect<'a>(&'a self, key: Uuid, now: Timestamp, writing: &mut Writing<'a>) {
        let Some(standing) = &self.standing else { return };
        let (mut event_count, mut effect_count) = (self.event_count, self.effect_count);
        let count = |many: usize| i64::try_from(many).unwrap_or(i64::MAX);
        let merged_events: i64 = self.merged.iter().map(|other| other.event_count).sum();
        let merged_effects: i64 = self.merged.iter().map(|other| other.effect_count).sum();
        writing.orders.push(Written {
            key,
            source: &self.source,
            version: self.version,
            order: &self.order,
            event_count: event_count + merged_events + count(self.events.len()),
            effect_count: effect_count + merged_effects + count(self.effects.len()),
            attention_count: count(self.attention.len()),
            kind: standing.kind.as_ref().map(Kind::as_str),
            status: standing.status.as_ref().map(Status::as_str),
            outcome: standing.outcome.map(crate::order::machine::Outcome::as_str),
            is_final: standing.is_final,
            is_held: !standing.holds.is_empty(),
            judge_at: standing.judge_again_at(),
            asking: self.asking,
            silence: self.silence.as_ref(),
            now,
        });
        for from in &self.merged {
            writing.merges.push(Merge { from, into: key, event_count, effect_count });
            event_count += from.event_count;
            effect_count += from.effect_count;
        }
        for event in &self.events {
            event_count += 1;
            let (moved_from, moved_to) = match &event.moved {
                Some((from, to)) => (from.as_deref(), to.as_deref()),
                None => (None, None),
            };
            writing.events.push(NewEvent {
                key,
                seq: event_count,
                report: &event.report,
                verdict: event.verdict,
                reason: &event.reason,
                moved_from,
                moved_to,
                decided_at: now,
            });
        }
        for (event_id, received_at) in &self.repeats {
            let (event_id, received_at) = (event_id.as_str(), *received_at);
            writing.repeats.push(Repeat { key, event_id, received_at });
        }
        for (event_id, effect) in &self.effects {
            effect_count += 1;
            writing.effects.push(NewEffect {
                key,
                seq: effect_count,
                event_id,
                effect,
                issued_at: now,
            });
        }
        if self.attention_count > 0 || !self.attention.is_empty() || !self.merged.is_empty() {
            writing.attention.push((key, &self.attention));
        }
    }
}

/// An order that goes, and what the order that stays had before it.
#[derive(Debug)]
struct Merge<'a> {
    from: &'a Loaded,
    into: Uuid,
    event_count: i64,
    effect_count: i64,
}

/// What is to be written of a batch of orders, a statement a table.
#[derive(Debug, Default)]
pub(super) struct Writing<'a> {
    orders: Vec<Written<'a>>,
    merges: Vec<Merge<'a>>,
    events: Vec<NewEvent<'a>>,
    repeats: Vec<Repeat<'a>>,
    effects: Vec<NewEffect<'a>>,
    attention: Vec<(Uuid, &'a [Attention])>,
}

impl Writing<'_> {
    /// Writes it all. The orders go first: everything else hangs on them.
    pub(super) async fn write(
        &self,
        transaction: &mut Transaction,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        transaction.write_orders(&self.orders).await?;
        for merge in &self.merges {
            let (events, effects) = (merge.event_count, merge.effect_count);
            transaction.merge_orders(merge.from, merge.into, events, effects).await?;
        }
        transaction.insert_events(&self.events).await?;
        transaction.count_repeats(&self.repeats).await?;
        transaction.insert_effects(&self.effects).await?;
        transaction.write_attention(&self.attention, now).await
    }
}

/// The head, where there is one.
fn only(heads: &[Status]) -> Option<String> {
    match heads {
        [head] => Some(head.to_string()),
        [] | [_, _, ..] => None,
    }
}
