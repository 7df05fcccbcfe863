//! An order that is being worked on: what was read of it, what was decided, and how that is written.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::writing::{Merge, Writing};
use crate::config::Source;
use crate::order::asking::{AskRules, Asking, News, Phase};
use crate::order::decide::{Decision, Seen, Verdict};
use crate::order::effect::Effect;
use crate::order::joined::Order;
use crate::order::name::{EventId, Kind, Status};
use crate::order::notice::{Notice, Teller};
use crate::order::report::{Origin, Report};
use crate::order::silence::Silence;
use crate::order::standing::{Attention, AttentionCode, Standing};
use crate::order::timestamp::Timestamp;
use crate::store::{AttentionRow, Loaded, NewEffect, NewEvent, NewNotice, Repeat, Written};

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
    notice_count: i64,
    /// What sinks are told, in this order.
    notices: Vec<Notice>,
    /// What waits for a person and is not judged here.
    kept_attention: i64,
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
            notice_count: 0,
            notices: Vec::new(),
            kept_attention: 0,
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
            notice_count: loaded.notice_count,
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
        self.tell(ask_rules.seed, report.event_id.as_str(), &decision, now);
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

    /// Tells sinks of a decision: first that the order moved, then what that does to the books.
    fn tell(&mut self, key: Uuid, event_id: &str, decision: &Decision, now: Timestamp) {
        let (order, standing) = (&decision.order, &decision.standing);
        let source = self.source.clone();
        let teller = Teller { source: &source, key, order, standing, at: now };
        if !decision.moves.is_empty() || decision.became_final {
            self.notices.push(teller.changed(self.next_seq(), event_id, &decision.moves));
        }
        self.tell_effects(teller, event_id, &decision.effects);
    }

    fn tell_effects(&mut self, teller: Teller<'_>, event_id: &str, effects: &[Effect]) {
        for effect in effects {
            self.notices.push(teller.effect(self.next_seq(), event_id, effect));
        }
    }

    fn next_seq(&self) -> i64 {
        self.notice_count + i64::try_from(self.notices.len()).unwrap_or(i64::MAX) + 1
    }

    /// Takes what was judged without a report, and what leaves because of it.
    pub(super) fn take_judged(
        &mut self,
        ask_rules: AskRules<'_>,
        (order, standing, effects): (Order, Standing, Vec<Effect>),
        news: News,
        now: Timestamp,
    ) {
        // No event brought them; what did is that time has passed.
        let event_id = format!("judged:{now}");
        let source = self.source.clone();
        let key = ask_rules.seed;
        let teller = Teller { source: &source, key, order: &order, standing: &standing, at: now };
        self.tell_effects(teller, &event_id, &effects);
        self.issue(&event_id, effects);
        self.stand(ask_rules, order, standing, news, now);
    }

    /// Takes effects that are issued, and what brought them.
    fn issue(&mut self, event_id: &str, effects: Vec<Effect>) {
        self.effects.extend(effects.into_iter().map(|effect| (event_id.to_owned(), effect)));
    }

    /// Tells sinks what waits for a person now and did not before, and the other way round.
    pub(super) fn tell_attention(&mut self, key: Uuid, before: &[AttentionRow], now: Timestamp) {
        let Some(standing) = &self.standing else { return };
        let known = |key: &str| before.iter().any(|row| row.key == key);
        let begun = self.attention.iter().filter(|attention| !known(&attention.key));
        let begun: Vec<Attention> = begun.cloned().collect();
        let (mut ended, mut kept) = (Vec::new(), BTreeSet::new());
        for row in before {
            match AttentionCode::find(&row.code) {
                Some(AttentionCode::SinkStopped) => {
                    kept.insert(row.key.as_str());
                }
                Some(code) if !self.attention.iter().any(|now| now.key == row.key) => {
                    ended.push(Attention { code, key: row.key.clone(), text: row.text.clone() });
                }
                Some(_) | None => {}
            }
        }
        self.kept_attention = i64::try_from(kept.len()).unwrap_or(i64::MAX);
        if begun.is_empty() && ended.is_empty() {
            return;
        }
        let (source, order) = (self.source.as_str(), &self.order);
        let teller = Teller { source, key, order, standing, at: now };
        let waiting = self.attention.len();
        self.notices.push(teller.attention(self.next_seq(), &begun, &ended, waiting));
    }

    /// The keys whose attention is this order's, where there may be any.
    pub(super) fn attention_keys(&self, key: Uuid) -> Vec<Uuid> {
        let of = |key: Uuid, count: i64| (count > 0).then_some(key);
        let merged = self.merged.iter().filter_map(|other| of(other.key, other.attention_count));
        of(key, self.attention_count).into_iter().chain(merged).collect()
    }

    /// What sinks are told, for the fault that writes it too late.
    #[cfg(feature = "plants")]
    pub(super) fn notices(&self) -> &[Notice] {
        &self.notices
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
            notice_count: self.notice_count + count(self.notices.len()),
            attention_count: count(self.attention.len()) + self.kept_attention,
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
        let new = self.notices.iter();
        writing.notices.extend(new.map(|notice| NewNotice { key, source: &self.source, notice }));
        if self.attention_count > 0 || !self.attention.is_empty() || !self.merged.is_empty() {
            writing.attention.push((key, &self.attention));
        }
    }
}

/// The head, where there is one.
fn only(heads: &[Status]) -> Option<String> {
    match heads {
        [head] => Some(head.to_string()),
        [] | [_, _, ..] => None,
    }
}
