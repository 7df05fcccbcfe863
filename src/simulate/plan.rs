//! An order's whole life, drawn from the seed before it begins: what becomes of it does not depend on
//! who is faster.

use std::time::Duration;

use fastrand::Rng;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::money::Amounts;
use super::{Faults, Options};

/// An order, from beginning to end.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The integrator's id.
    pub order_id: String,
    /// The provider's id.
    pub uuid: String,
    /// What sort of order.
    pub kind: &'static str,
    /// What it is worth.
    pub amounts: Amounts,
    /// When it begins, after the run has.
    pub begins: Duration,
    /// Its statuses, and when it reaches each, after it has begun.
    pub steps: Vec<(Duration, &'static str)>,
    /// What is sent about it.
    pub deliveries: Vec<Delivery>,
    /// When the integrator registers it, after it has begun; never for one that it does not.
    pub registers: Option<Duration>,
    /// The provider never made it.
    pub is_ghost: bool,
    /// A callback claims this final status, which it does not have.
    pub lie: Option<&'static str>,
}

/// Something that is sent to the daemon.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When, after the order has begun.
    pub after: Duration,
    /// The status that it tells.
    pub status: &'static str,
    /// How it is sent.
    pub manner: Manner,
}

/// How something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Signed, and again until it is answered 2xx.
    AtLeastOnce,
    /// Signed, once: it was sent before.
    Again,
    /// Signed, and the sender hangs up without waiting for the answer.
    HungUp,
    /// With the signature of another body.
    Forged,
    /// Without any.
    Unsigned,
}

impl Plan {
    /// The status at the end.
    #[must_use]
    pub fn last(&self) -> &'static str {
        self.steps.last().map_or("new", |(_, status)| status)
    }

    /// The status at a moment of the run; none before it begins.
    #[must_use]
    pub fn status_at(&self, moment: Duration) -> Option<&'static str> {
        let mut reached =
            self.steps.iter().rev().filter(|(after, _)| self.begins + *after <= moment);
        reached.next().map(|(_, status)| *status)
    }

    /// When it reaches a status, after the run has begun; for one that it never has, when it ends.
    #[must_use]
    pub fn reaches(&self, status: &str) -> Duration {
        let found = self.steps.iter().find(|(_, reached)| *reached == status);
        self.begins + found.or(self.steps.last()).map_or(Duration::ZERO, |(after, _)| *after)
    }
}

/// What part of all orders is of each kind.
const KINDS: [(&str, f64); 6] = [
    ("withdraw", 0.4),
    ("deposit", 0.2),
    ("exchange", 0.15),
    ("deposit_exchange", 0.1),
    ("exchange_withdraw", 0.1),
    ("deposit_exchange_withdraw", 0.05),
];

/// What part of all orders ends in each status.
const ENDS: [(&str, f64); 4] =
    [("completed", 0.75), ("canceled", 0.1), ("error", 0.1), ("completed_partially", 0.05)];

/// Draws all orders.
#[must_use]
pub fn draw(options: &Options) -> Vec<Plan> {
    (0..options.orders).map(|index| draw_one(options, index)).collect()
}

/// Each order has a generator of its own: one more order changes no other.
#[must_use]
pub fn generator(seed: u64, index: usize, purpose: u64) -> Rng {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    let mut mixed = Rng::with_seed(seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Rng::with_seed(mixed.u64(..) ^ index.wrapping_mul(0xbf58_476d_1ce4_e5b9))
}

fn draw_one(options: &Options, index: usize) -> Plan {
    let faults = &options.faults;
    let mut rng = generator(options.seed, index, 1);
    let kind = pick(&mut rng, &KINDS);
    let end = pick(&mut rng, &ENDS);
    let uuid = Uuid::from_u128(rng.u128(..)).to_string();
    let begins = options.span.mul_f64(rng.f64());
    let mut steps = vec![(Duration::ZERO, "new")];
    if rng.f64() < 0.8 {
        steps.push((millis(&mut rng, 100, 1200), "processing"));
    }
    let before = steps.last().map_or(Duration::ZERO, |(after, _)| *after);
    steps.push((before + millis(&mut rng, 100, 2500), end));
    let is_ghost = rng.f64() < faults.ghost;
    let lie = (!is_ghost && rng.f64() < faults.contradict).then(|| another(&mut rng, end));
    // A lie that nothing else is said against is the truth as far as anyone can know.
    let is_lost = rng.f64() < faults.lose && lie.is_none();
    let is_told = rng.f64() >= faults.unregistered;
    let registers = match (is_told, options.is_cautious) {
        (true, _) => Some(Duration::ZERO),
        (false, true) => Some(millis(&mut rng, 500, 4000)),
        // One that nobody told us of, and nobody calls back about, could not be known of.
        (false, false) => (is_ghost || is_lost).then_some(Duration::ZERO),
    };
    let deliveries =
        if is_ghost { Vec::new() } else { draw_deliveries(&mut rng, faults, &steps, is_lost, lie) };
    Plan {
        order_id: format!("{}-{index}", options.seed),
        uuid,
        kind,
        amounts: draw_amounts(&mut rng, end),
        begins,
        steps,
        deliveries,
        registers,
        is_ghost,
        lie,
    }
}

fn draw_deliveries(
    rng: &mut Rng,
    faults: &Faults,
    steps: &[(Duration, &'static str)],
    is_lost: bool,
    lie: Option<&'static str>,
) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    let (ends, end) = steps.last().copied().unwrap_or_default();
    let is_chatty = rng.f64() < faults.chatty;
    let told = steps.iter().filter(|(_, status)| *status == end || is_chatty);
    for (reached, status) in told.filter(|_| !is_lost) {
        let late = rng.f64() < faults.delay;
        let delay = if late { millis(rng, 500, 4000) } else { millis(rng, 0, 50) };
        let after = *reached + delay;
        let mut send = |after, manner| deliveries.push(Delivery { after, status, manner });
        if rng.f64() < faults.hang_up {
            send(after, Manner::HungUp);
        }
        send(after, Manner::AtLeastOnce);
        while rng.f64() < faults.repeat {
            send(after + millis(rng, 0, 3000), Manner::Again);
        }
    }
    if let Some(status) = lie {
        let after = ends + millis(rng, 0, 1500);
        deliveries.push(Delivery { after, status, manner: Manner::AtLeastOnce });
    }
    if rng.f64() < faults.forge {
        let manner = if rng.bool() { Manner::Forged } else { Manner::Unsigned };
        let status = another(rng, end);
        deliveries.push(Delivery { after: ends.mul_f64(rng.f64()), status, manner });
    }
    if rng.f64() < faults.replay {
        let sent: Vec<Delivery> =
            deliveries.iter().filter(|d| d.manner == Manner::AtLeastOnce).cloned().collect();
        deliveries.extend(sent.into_iter().map(|delivery| Delivery {
            after: delivery.after + millis(rng, 1000, 5000),
            manner: Manner::Again,
            ..delivery
        }));
    }
    deliveries
}

/// A final status that it does not have.
fn another(rng: &mut Rng, end: &str) -> &'static str {
    let others: Vec<&str> =
        ENDS.iter().map(|(end, _)| *end).filter(|other| *other != end).collect();
    others[rng.usize(..others.len())]
}

fn draw_amounts(rng: &mut Rng, end: &str) -> Amounts {
    let mut decimal = |least: i64, most: i64, scale| Decimal::new(rng.i64(least..=most), scale);
    let (expected_from, from_fee) = (decimal(500, 90_000, 2), decimal(0, 100, 2));
    let (expected_to, to_fee) = (decimal(100_000, 900_000_000, 8), decimal(0, 99_999, 8));
    let part = if end == "completed_partially" {
        Decimal::new(decimal(1, 9, 0).mantissa() as i64, 1)
    } else {
        Decimal::ONE
    };
    Amounts {
        expected_from,
        from: (expected_from * part).round_dp(2),
        from_fee,
        expected_to,
        to: (expected_to * part).round_dp(8),
        to_fee,
    }
}

fn millis(rng: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(rng.u64(least..=most))
}

fn pick(rng: &mut Rng, choices: &[(&'static str, f64)]) -> &'static str {
    let mut left = rng.f64();
    for (choice, part) in choices {
        if left < *part {
            return choice;
        }
        left -= part;
    }
    choices.last().map_or("", |(choice, _)| choice)
}
