//! An order's whole life, drawn from the seed before it begins: what becomes of it does not depend on
//! who is faster.

use std::time::Duration;

use fastrand::Rng;

use super::money::Amounts;
use super::protocols::{Choices, Protocol, Tells};
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
    let (faults, protocol) = (&options.faults, options.protocol);
    let mut rng = generator(options.seed, index, 1);
    let kind = pick(&mut rng, protocol.kinds());
    let end = pick(&mut rng, protocol.ends(kind));
    let (order_id, uuid) = protocol.ids(options.seed, index, &mut rng);
    let begins = options.span.mul_f64(rng.f64());
    let steps = draw_steps(&mut rng, protocol.ways(kind, end), end);
    let is_ghost = rng.f64() < faults.ghost;
    let may_lie = !is_ghost && options.makes_claims() && protocol.is_asked();
    let lie = (may_lie && rng.f64() < faults.contradict)
        .then(|| another(&mut rng, protocol.ends(kind), end));
    // A lie that nothing else is said against is the truth as far as anyone can know.
    let is_lost = rng.f64() < faults.lose && lie.is_none() && protocol.is_asked();
    let is_told = rng.f64() >= faults.unregistered;
    let registers = match (is_told, options.is_cautious) {
        (true, _) => Some(Duration::ZERO),
        (false, true) => Some(millis(&mut rng, 500, 4000)),
        // One that nobody told us of, and nobody calls back about, could not be known of.
        (false, false) => (is_ghost || is_lost && !protocol.lists()).then_some(Duration::ZERO),
    };
    // Which the provider opened itself: no integrator has a name for it.
    let is_own = is_lost && registers.is_none() && protocol.opens_orders();
    let mut deliveries = Vec::new();
    if !is_ghost {
        let sender = Sender { faults, protocol, ends: protocol.ends(kind) };
        deliveries = sender.draw(&mut rng, &steps, is_lost, lie);
    }
    Plan {
        order_id: if is_own { uuid.clone() } else { order_id },
        uuid,
        kind,
        amounts: protocol.amounts(&mut rng, end),
        begins,
        steps,
        deliveries,
        registers,
        is_ghost,
        lie,
    }
}

/// Which statuses it reaches, and when.
fn draw_steps(
    rng: &mut Rng,
    ways: &[(&'static str, bool)],
    end: &'static str,
) -> Vec<(Duration, &'static str)> {
    let mut steps: Vec<(Duration, &'static str)> = Vec::new();
    let mut at = Duration::ZERO;
    for (status, must_be) in ways {
        if *must_be || rng.f64() < 0.8 {
            steps.push((at, status));
            at += millis(rng, 100, 1200);
        }
    }
    steps.push((at + millis(rng, 100, 1300), end));
    steps
}

/// Who sends callbacks.
struct Sender<'a> {
    faults: &'a Faults,
    protocol: &'static dyn Protocol,
    ends: Choices,
}

impl Sender<'_> {
    fn draw(
        &self,
        rng: &mut Rng,
        steps: &[(Duration, &'static str)],
        is_lost: bool,
        lie: Option<&'static str>,
    ) -> Vec<Delivery> {
        let faults = self.faults;
        let mut deliveries = Vec::new();
        let (ends, end) = steps.last().copied().unwrap_or_default();
        let is_chatty = rng.f64() < faults.chatty;
        let first = steps.first().map_or(end, |(_, status)| *status);
        let told = steps.iter().filter(|(_, status)| match self.protocol.tells() {
            Tells::Last => *status == end || is_chatty,
            Tells::Each => true,
            Tells::First => *status == first,
        });
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
            let status = another(rng, self.ends, end);
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
}

/// A final status that it does not have.
fn another(rng: &mut Rng, ends: Choices, end: &str) -> &'static str {
    let others: Vec<&str> =
        ends.iter().map(|(end, _)| *end).filter(|other| *other != end).collect();
    others[rng.usize(..others.len())]
}

fn millis(rng: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(rng.u64(least..=most))
}

fn pick(rng: &mut Rng, choices: Choices) -> &'static str {
    let mut left = rng.f64();
    for (choice, part) in choices {
        if left < *part {
            return choice;
        }
        left -= part;
    }
    choices.last().map_or("", |(choice, _)| choice)
}
