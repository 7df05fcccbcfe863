//! Asking: when the provider is to be asked about an order, as a function of what was heard and of
//! what was answered. Pure; the times are told.
//!
//! - Delays double from the first one up to a cap, and begin anew when a head moves.
//! - The attempt is counted before the call, so that whoever dies in it cannot hammer the provider.
//! - Horizons count answers and not hours: an outage of the provider closes nothing and gives nothing
//!   up.
//! - An order that stays open is never invented closed: it is *unresolved*, waits for a person, and is
//!   still asked about now and then.

use std::time::Duration;

use uuid::Uuid;

use super::machine::Machine;
use super::name::{Status, Track};
use super::standing::Standing;
use super::timestamp::Timestamp;

/// How far a delay is moved by chance at most, to either side, as a part of it: what became due
/// together does not stay together.
pub const JITTER: f64 = 0.1;

/// From this many asks in a row on, an order is old: fresh ones are asked about before it.
pub const OLD_STEP: u32 = 4;

/// When a source's orders are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The first delay after a head has moved.
    pub first: Duration,
    /// What each further delay is multiplied by.
    pub factor: u32,
    /// The longest delay of an order that is open.
    pub cap: Duration,
    /// For how long an order that stays where it is is asked about at that pace, as long as every ask
    /// is answered.
    pub horizon: Duration,
    /// The delay of the slow watch, over what is final and over what is unresolved.
    pub watch: Duration,
    /// How many answers end the slow watch.
    pub watch_answers: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        let day = 86_400;
        Self {
            first: Duration::from_secs(10),
            factor: 2,
            cap: Duration::from_secs(900),
            horizon: Duration::from_secs(day),
            watch: Duration::from_secs(day),
            watch_answers: 30,
        }
    }
}

impl Schedule {
    /// The delay after so many asks in a row, before chance moves it.
    #[must_use]
    pub fn delay(&self, step: u32) -> Duration {
        let factor = self.factor.checked_pow(step).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.cap.max(self.first))
    }

    /// How many answers fit into a horizon where every ask is answered at once.
    #[must_use]
    pub fn answers_within(&self, horizon: Duration) -> u32 {
        let mut passed = Duration::ZERO;
        let mut answers = 0;
        while passed < horizon {
            let delay = self.delay(answers).max(Duration::from_millis(1));
            answers += 1;
            if self.delay(answers) == delay {
                // From here on all delays are the same.
                let rest = horizon.saturating_sub(passed).as_millis().div_ceil(delay.as_millis());
                return (answers - 1).saturating_add(u32::try_from(rest).unwrap_or(u32::MAX));
            }
            passed += delay;
        }
        answers.max(1)
    }
}

/// At which pace an order is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Its outcome, or its money, is not known yet.
    #[default]
    Open,
    /// It stayed where it was for the whole horizon: a person is asked, the provider now and then.
    Unresolved,
    /// Final, and something may still come after it.
    Watched,
    /// Final, and nothing can come after it: it is left alone.
    Closed,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 4] = [Self::Open, Self::Unresolved, Self::Watched, Self::Closed];

    /// The name in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unresolved => "unresolved",
            Self::Watched => "watched",
            Self::Closed => "closed",
        }
    }

    /// By its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }

    /// Where an order that stands so belongs, as long as nothing was asked in vain.
    fn of(machine: &Machine, standing: &Standing) -> Self {
        match standing.is_final {
            false => Self::Open,
            true if can_move(machine, standing) => Self::Watched,
            true => Self::Closed,
        }
    }
}

/// Whether anything can still come: after a head in its own track, or on a side track that has not
/// begun.
fn can_move(machine: &Machine, standing: &Standing) -> bool {
    let heads = |track: &Track| standing.heads.get(track).map_or(&[][..], |heads| &heads[..]);
    let payment: Vec<&Status> =
        standing.heads.iter().filter(|(t, _)| t.is_payment()).flat_map(|(_, h)| h).collect();
    machine.tracks().into_iter().any(|track| match heads(track) {
        [] => {
            machine.statuses().iter().filter(|rule| rule.track == *track).any(|rule| {
                match &rule.implies {
                    // It tells nothing about the payment, so it may come whatever the payment is.
                    None => true,
                    // What it implies may lie ahead of the payment, or behind it.
                    Some(implied) => payment
                        .iter()
                        .any(|head| machine.leads(head, implied) || machine.leads(implied, head)),
                }
            })
        }
        // On a side track a status that is not final may come again with more, such as a second refund.
        heads => heads.iter().any(|head| {
            let is_final = machine.get(head).is_some_and(|rule| rule.is_final);
            machine.has_exit(head) || !track.is_payment() && !is_final
        }),
    })
}

/// What is remembered of asking about one order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// At which pace.
    pub phase: Phase,
    /// How often it was asked about since a head moved.
    pub step: u32,
    /// How often that was answered.
    pub answers: u32,
    /// When it is to be asked about next.
    pub next_at: Option<Timestamp>,
    /// When it was last asked about.
    pub asked_at: Option<Timestamp>,
    /// Somebody waits for an answer, out of turn: it counts for no horizon, and until it is there it is
    /// asked for at the pace of an open order.
    pub is_wanted: bool,
    /// The last ask was because of a hint, and its answer is not there yet: whatever it says, it counts for
    /// no horizon and changes no delay, unless a head moves.
    pub is_hinted: bool,
}

/// What happened to an order that asking about it goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Something was reported.
    Report {
        /// A head moved.
        moved: bool,
        /// The provider should be asked about what was reported.
        wants_answer: bool,
        /// It is the provider's answer.
        is_answer: bool,
    },
    /// The provider answered that it knows no such order.
    NotFound,
    /// Nothing but that time has passed.
    Nothing,
}

/// What asking goes by, beside what happened.
#[derive(Clone, Copy, Debug)]
pub struct AskRules<'a> {
    /// The source's.
    pub schedule: &'a Schedule,
    /// The provider's.
    pub machine: &'a Machine,
    /// What moves delays by chance: the same order and the same step always by the same.
    pub seed: Uuid,
}

impl Asking {
    /// What is remembered after something has happened to an order that now stands so.
    #[must_use]
    pub fn after(
        self,
        rules: AskRules<'_>,
        standing: &Standing,
        news: News,
        now: Timestamp,
    ) -> Self {
        let phase = Phase::of(rules.machine, standing);
        let (moved, wants_answer, is_answer) = match news {
            News::Report { moved, wants_answer, is_answer } => (moved, wants_answer, is_answer),
            News::NotFound => (false, false, true),
            News::Nothing => (false, false, false),
        };
        let is_other = match self.phase {
            Phase::Unresolved => phase != Phase::Open,
            Phase::Open | Phase::Watched | Phase::Closed => phase != self.phase,
        };
        let is_heard_of = self.phase == Phase::Unresolved
            && matches!(news, News::Report { is_answer: false, .. });
        let is_new = self.phase == Phase::Open && self.step == 0 && self.next_at.is_none();
        let mut after = self;
        if moved || is_other || is_heard_of || is_new {
            after = Self { phase, asked_at: self.asked_at, ..Self::default() };
            after.next_at = after.next(rules, now);
        } else if is_answer {
            after.count_answer(rules, standing, now);
        }
        if wants_answer {
            // At once, and no sooner again than after the first delay.
            let soonest = self.asked_at.map_or(now, |at| now.max(at.plus(rules.schedule.first)));
            after = after.hasten(soonest);
        }
        after
    }

    /// Another answer that moved nothing.
    fn count_answer(&mut self, rules: AskRules<'_>, standing: &Standing, now: Timestamp) {
        if std::mem::take(&mut self.is_hinted) {
            return;
        }
        if std::mem::take(&mut self.is_wanted) {
            // It came out of turn; what is watched goes back to its own pace.
            if self.phase != Phase::Open {
                let is_over = self.answers >= rules.schedule.watch_answers;
                self.next_at = if is_over { None } else { self.next(rules, now) };
            }
            return;
        }
        self.answers = self.answers.saturating_add(1);
        match self.phase {
            Phase::Open if self.answers >= answers_max(rules, standing) => {
                let (phase, asked_at) = (Phase::Unresolved, self.asked_at);
                *self = Self { phase, asked_at, ..Self::default() };
                self.next_at = self.next(rules, now);
            }
            Phase::Closed => self.next_at = None,
            Phase::Unresolved | Phase::Watched if self.answers >= rules.schedule.watch_answers => {
                self.next_at = None;
            }
            Phase::Open | Phase::Unresolved | Phase::Watched => {}
        }
    }

    /// What is remembered once an ask has begun.
    #[must_use]
    pub fn begin(mut self, rules: AskRules<'_>, now: Timestamp) -> Self {
        self.step = self.step.saturating_add(1);
        self.asked_at = Some(now);
        self.is_hinted = false;
        // Until there is the answer that somebody waits for, it is asked about like an open order.
        let phase = if self.is_wanted { Phase::Open } else { self.phase };
        self.next_at = Self { phase, ..self }.next(rules, now);
        self
    }

    /// What is remembered once an ask has begun because of a hint. Anybody may hint, as often as they like:
    /// it neither postpones the next ask nor makes the delays longer. Where the order is due anyway, this
    /// is the ask that it was due for.
    #[must_use]
    pub fn begin_hinted(mut self, rules: AskRules<'_>, now: Timestamp) -> Self {
        if self.next_at.is_some_and(|next| next <= now) {
            return self.begin(rules, now);
        }
        self.asked_at = Some(now);
        self.is_hinted = true;
        self
    }

    /// What is remembered when an answer is wanted by then, out of turn.
    #[must_use]
    pub fn hasten(mut self, at: Timestamp) -> Self {
        if self.next_at.is_none_or(|next| at < next) {
            self.next_at = Some(at);
            self.is_wanted = true;
        }
        self
    }

    /// What is remembered of two orders that turned out to be one: the sooner ask stands.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.is_wanted |= other.is_wanted;
        self.next_at = match (self.next_at, other.next_at) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        self
    }

    fn next(&self, rules: AskRules<'_>, now: Timestamp) -> Option<Timestamp> {
        let delay = match self.phase {
            Phase::Open => rules.schedule.delay(self.step),
            Phase::Unresolved | Phase::Watched if rules.schedule.watch_answers > 0 => {
                rules.schedule.watch
            }
            Phase::Unresolved | Phase::Watched | Phase::Closed => return None,
        };
        Some(now.plus(jitter(delay, rules.seed, self.step)))
    }
}

/// After how many answers that moved nothing an open order is unresolved.
fn answers_max(rules: AskRules<'_>, standing: &Standing) -> u32 {
    let head = standing.status.as_ref().and_then(|status| rules.machine.get(status));
    let horizon = head.and_then(|rule| rule.horizon).unwrap_or(rules.schedule.horizon);
    rules.schedule.answers_within(horizon)
}

/// A delay, moved by up to [`JITTER`] of it. What moves it is the order and the step, so that a test
/// that fails fails again.
#[must_use]
pub fn jitter(delay: Duration, seed: Uuid, step: u32) -> Duration {
    // splitmix64, over the part of a UUIDv7 that is random.
    let mut mixed = seed.as_u64_pair().1 ^ u64::from(step).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let part = f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    delay.mul_f64(1.0 - JITTER + 2.0 * JITTER * part)
}
