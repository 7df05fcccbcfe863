//! Notices: what sinks are told of an order, as CloudEvents 1.0 in JSON. Made in the decision that they are
//! of, and never changed: what is sent is these bytes, however often.

use serde::Serialize;
use uuid::Uuid;

use super::amount::{Amount, Currency};
use super::decide::Move;
use super::effect::Effect;
use super::joined::Order;
use super::machine::Outcome;
use super::name::{Kind, OrderId, Role, Status};
use super::slot::{Counter, Leg};
use super::standing::{Attention, Standing};
use super::timestamp::Timestamp;

/// The namespace of the identities of notices that are not effects.
const NOTICES: Uuid = Uuid::from_u128(0x3d1e_86f0_0b7c_5a47_9e52_c8d4_6f21_b09a);

/// An order moved, or is final now.
pub const CHANGED: &str = "pawl.order.changed";

/// Something waits for a person, or does no more.
pub const ATTENTION: &str = "pawl.order.attention";

/// What a sink is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which one of the order's, counted from 1.
    pub seq: i64,
    /// Its identity: the effect's own, or one made of the order's key and `seq`.
    pub id: Uuid,
    /// What it is, such as `pawl.effect.credited`.
    pub kind: &'static str,
    /// The whole of it, in JSON.
    pub body: String,
}

/// An order at the moment at which sinks are told of it.
#[derive(Clone, Copy, Debug)]
pub struct Teller<'a> {
    /// Its source.
    pub source: &'a str,
    /// Its key.
    pub key: Uuid,
    /// All that is known about it.
    pub order: &'a Order,
    /// Where it stands.
    pub standing: &'a Standing,
    /// When it was decided.
    pub at: Timestamp,
}

/// The type of an effect's notice.
#[must_use]
pub fn effect_kind(counter: Counter) -> &'static str {
    match counter {
        Counter::Held => "pawl.effect.held",
        Counter::Debited => "pawl.effect.debited",
        Counter::Released => "pawl.effect.released",
        Counter::Credited => "pawl.effect.credited",
        Counter::DebitReversed => "pawl.effect.debit_reversed",
        Counter::CreditReversed => "pawl.effect.credit_reversed",
    }
}

/// Every type of notice.
#[must_use]
pub fn kinds() -> Vec<&'static str> {
    [CHANGED, ATTENTION].into_iter().chain(Counter::ALL.map(effect_kind)).collect()
}

/// CloudEvents 1.0 (JSON format), with the extension `sequence`: texts that sort as the numbers do.
#[derive(Serialize)]
struct Envelope<'a, T> {
    specversion: &'static str,
    id: Uuid,
    source: String,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: &'a str,
    time: Timestamp,
    datacontenttype: &'static str,
    sequence: String,
    data: Data<'a, T>,
}

/// What every notice says, and what this one does.
#[derive(Serialize)]
struct Data<'a, T> {
    source: &'a str,
    order_key: Uuid,
    order_id: &'a str,
    ids: Vec<Id<'a>>,
    kind: Option<&'a Kind>,
    status: Option<&'a Status>,
    outcome: Option<Outcome>,
    #[serde(rename = "final")]
    is_final: bool,
    #[serde(flatten)]
    own: T,
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a OrderId,
    role: Role,
}

#[derive(Serialize)]
struct Moved<'a> {
    event_id: &'a str,
    moves: &'a [Move],
}

#[derive(Serialize)]
struct Money<'a> {
    event_id: &'a str,
    leg: Leg,
    counter: &'static str,
    from: Amount,
    to: Amount,
    amount: Amount,
    currency: &'a Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    compensates: Option<&'a str>,
}

#[derive(Serialize)]
struct Waiting<'a> {
    begun: Vec<Waits<'a>>,
    ended: Vec<Waits<'a>>,
    waiting: usize,
}

#[derive(Serialize)]
struct Waits<'a> {
    code: &'static str,
    key: &'a str,
    text: &'a str,
}

impl Teller<'_> {
    /// That the order moved by an event; by none of its moves where it only became final.
    #[must_use]
    pub fn changed(&self, seq: i64, event_id: &str, moves: &[Move]) -> Notice {
        self.notice(seq, None, CHANGED, Moved { event_id, moves })
    }

    /// That money moves. Its identity is the effect's.
    #[must_use]
    pub fn effect(&self, seq: i64, event_id: &str, effect: &Effect) -> Notice {
        let own = Money {
            event_id,
            leg: effect.slot.leg,
            counter: effect.slot.counter.as_str(),
            from: effect.from,
            to: effect.to,
            amount: effect.amount(),
            currency: &effect.currency,
            compensates: effect.compensates.as_ref().map(super::name::EventId::as_str),
        };
        let kind = effect_kind(effect.slot.counter);
        self.notice(seq, Some(effect.id(self.key)), kind, own)
    }

    /// What waits for a person now, and what does no more; `waiting` is how much does in all.
    #[must_use]
    pub fn attention(
        &self,
        seq: i64,
        begun: &[Attention],
        ended: &[Attention],
        waiting: usize,
    ) -> Notice {
        let own = Waiting { begun: waits(begun), ended: waits(ended), waiting };
        self.notice(seq, None, ATTENTION, own)
    }

    fn notice(
        &self,
        seq: i64,
        id: Option<Uuid>,
        kind: &'static str,
        own: impl Serialize,
    ) -> Notice {
        let Self { source, key, order, standing, at } = *self;
        let id = id.unwrap_or_else(|| Uuid::new_v5(&NOTICES, format!("{key}/{seq}").as_bytes()));
        // Every order was heard of by an id.
        let order_id = order.main_id().map_or("", OrderId::as_str);
        let envelope = Envelope {
            specversion: "1.0",
            id,
            source: format!("/pawl/{source}"),
            kind,
            subject: order_id,
            time: at,
            datacontenttype: "application/json",
            sequence: format!("{seq:010}"),
            data: Data {
                source,
                order_key: key,
                order_id,
                ids: order.names.iter().map(|(id, role)| Id { id, role: *role }).collect(),
                kind: standing.kind.as_ref(),
                status: standing.status.as_ref(),
                outcome: standing.outcome,
                is_final: standing.is_final,
                own,
            },
        };
        #[expect(clippy::expect_used, reason = "a fault of ours: the batch then fails whole")]
        let body = serde_json::to_string(&envelope).expect("a notice can be written as JSON");
        Notice { seq, id, kind, body }
    }
}

fn waits(attention: &[Attention]) -> Vec<Waits<'_>> {
    let waiting = attention.iter();
    waiting.map(|a| Waits { code: a.code.as_str(), key: &a.key, text: &a.text }).collect()
}
