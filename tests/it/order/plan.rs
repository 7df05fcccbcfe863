//! Random machines, random money, random sets of reports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pawl::order::joined::CLOCK_SKEW_SECS;
use pawl::order::name::{Kind, Status};
use pawl::order::report::{
    Content, Expected, Origin, Overrule, Registration, Report, Resolution, Said, Until,
};
use pawl::order::rules::{Policy, Rules};
use pawl::order::slot::{Counter, Leg, Slot};
use pawl::provider::Provider;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{amount, at, report};

/// The expressions that random money uses, over the amounts `a` and `b`.
pub(crate) const EXPRESSIONS: [&str; 4] = ["a", "a + b?", "a - b", "b | a"];

/// A provider, as data that an independent model can read too.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub statuses: Vec<PlannedStatus>,
    /// Whether the refund total may fall.
    pub level: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct PlannedStatus {
    pub is_side: bool,
    pub edges: BTreeSet<usize>,
    /// For a side status: the payment status that it implies.
    pub implies: Option<usize>,
    /// Totals by counter, as an index into `EXPRESSIONS`.
    pub totals: BTreeMap<Counter, usize>,
    pub closes: BTreeSet<Counter>,
}

/// One report of a random set.
#[derive(Clone, Debug)]
pub(crate) enum Planned {
    Said { status: usize, time: Option<i64>, a: Option<u32>, b: Option<u32>, answer: bool },
    Registered { held: u32 },
    Overruled { status: usize, until: Option<i64> },
}

pub(crate) fn name(status: usize) -> String {
    format!("s{status}")
}

impl Plan {
    pub(crate) fn leads(&self) -> Vec<Vec<bool>> {
        let count = self.statuses.len();
        let mut leads = vec![vec![false; count]; count];
        for (from, status) in self.statuses.iter().enumerate() {
            leads[from][from] = true;
            status.edges.iter().for_each(|to| leads[from][*to] = true);
        }
        // Warshall's closure; the library walks the graph instead.
        for middle in 0..count {
            for from in 0..count {
                for to in 0..count {
                    leads[from][to] |= leads[from][middle] && leads[middle][to];
                }
            }
        }
        leads
    }

    fn toml(&self) -> String {
        let mut text = String::from(
            "name = \"random\"\ntitle = \"Random\"\n\n[callback.signature]\nscheme = \"hmac\"\n\
             hash = \"sha256\"\nheader = \"S\"\nencoding = \"hex\"\n\n[event]\norder_id = \"/id\"\n\
             status = \"/status\"\ncurrency = \"/currency\"\n\n[track.side]\n\n",
        );
        for (index, status) in self.statuses.iter().enumerate() {
            let edges: Vec<_> =
                status.edges.iter().map(|to| format!("\"{}\"", name(*to))).collect();
            writeln!(text, "[status.{}]\nrank = {index}", name(index)).unwrap();
            writeln!(text, "edges = [{}]", edges.join(", ")).unwrap();
            if status.is_side {
                writeln!(text, "track = \"side\"").unwrap();
            }
            if let Some(implied) = status.implies {
                writeln!(text, "implies = \"{}\"", name(implied)).unwrap();
            }
            text.push('\n');
        }
        writeln!(text, "[kind.k]").unwrap();
        if self.level {
            writeln!(text, "level = [\"to.credit_reversed\"]").unwrap();
        }
        for (index, status) in self.statuses.iter().enumerate() {
            writeln!(text, "\n[[kind.k.money]]\nat = [\"{}\"]", name(index)).unwrap();
            for (counter, expression) in &status.totals {
                writeln!(text, "to.{counter} = \"{}\"", EXPRESSIONS[*expression]).unwrap();
            }
            let closes: Vec<_> = status.closes.iter().map(|c| format!("\"to.{c}\"")).collect();
            writeln!(text, "closes = [{}]", closes.join(", ")).unwrap();
        }
        text
    }

    /// The rules, through the real loader.
    pub(crate) fn rules(&self, policy: Policy) -> Rules {
        let text = self.toml();
        let provider = Provider::load("random.toml", &text)
            .unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
        provider.rules(&BTreeMap::new(), policy).unwrap()
    }

    pub(crate) fn reports(&self, planned: &[Planned]) -> Vec<Report> {
        planned.iter().enumerate().map(|(event, planned)| planned.report(event)).collect()
    }
}

impl Planned {
    fn report(&self, event: usize) -> Report {
        match self {
            Self::Said { status, time, a, b, answer } => {
                let amounts = [("a", a), ("b", b)].into_iter().filter_map(|(name, value)| {
                    value.map(|value| (name.to_owned(), amount(&value.to_string())))
                });
                let content = Content::Said(Said {
                    status: Some(name(*status)),
                    time: time.map(at),
                    amounts: amounts.collect(),
                    currencies: BTreeMap::from([(Leg::To, "USD".parse().unwrap())]),
                    ..Said::default()
                });
                report(event, if *answer { Origin::Answer } else { Origin::Callback }, content)
            }
            Self::Registered { held } => {
                let held = amount(&held.to_string());
                let expected = Expected { amount: held, currency: "USD".parse().unwrap() };
                let booked = BTreeMap::from([(Slot::new(Leg::To, Counter::Held), held)]);
                let registration = Registration {
                    kind: Some(Kind::new("k")),
                    expected: BTreeMap::from([(Leg::To, expected)]),
                    booked,
                };
                report(event, Origin::Registration, Content::Registered(registration))
            }
            Self::Overruled { status, until } => {
                let until = until.map_or(Until::Always, |secs| Until::Time(Some(at(secs))));
                let overrule = Overrule::Status(Status::new(name(*status)), until);
                let resolution = Resolution {
                    by: "someone".to_owned(),
                    why: "it never happened".to_owned(),
                    overrules: BTreeSet::from([overrule]),
                    waives: BTreeSet::new(),
                    compensates: BTreeMap::new(),
                    asks: false,
                };
                report(event, Origin::Operator, Content::Resolved(resolution))
            }
        }
    }
}

fn status(index: usize, payment: usize, count: usize) -> impl Strategy<Value = PlannedStatus> {
    let is_side = index >= payment;
    let peers = if is_side { payment..count } else { 0..payment };
    // Most edges lead on, some back: loops are common, one loop of everything is not.
    let edge = move |to: usize| {
        let weight = if to > index { 0.45 } else { 0.15 };
        proptest::bool::weighted(if to == index { 0.0 } else { weight })
    };
    let edges: Vec<_> = peers.clone().map(edge).collect();
    let start = peers.start;
    let counters = [Counter::Held, Counter::Debited, Counter::Credited, Counter::CreditReversed];
    let total = proptest::option::weighted(0.35, 0..EXPRESSIONS.len());
    let closes = if is_side { 0.0 } else { 0.3 };
    (
        edges,
        proptest::option::of(0..payment),
        vec(total, counters.len()),
        proptest::bool::weighted(closes),
        proptest::bool::weighted(closes / 2.0),
    )
        .prop_map(move |(edges, implies, totals, released, debit_reversed)| {
            let edges = edges.iter().enumerate().filter(|(_, is_edge)| **is_edge);
            let totals = counters.into_iter().zip(totals);
            let closes = [(Counter::Released, released), (Counter::DebitReversed, debit_reversed)];
            PlannedStatus {
                is_side,
                edges: edges.map(|(offset, _)| start + offset).collect(),
                implies: implies.filter(|_| is_side),
                totals: totals.filter_map(|(counter, total)| Some((counter, total?))).collect(),
                closes: closes.into_iter().filter(|(_, closes)| *closes).map(|(c, _)| c).collect(),
            }
        })
}

/// Makes a random plan one that loads: every status connected within its track, and the members of a
/// loop closing the same.
fn mend(mut plan: Plan) -> Plan {
    for side in [false, true] {
        let track: Vec<usize> =
            (0..plan.statuses.len()).filter(|s| plan.statuses[*s].is_side == side).collect();
        for pair in track.windows(2) {
            let is_alone = |status: usize| {
                plan.statuses[status].edges.is_empty()
                    && !plan.statuses.iter().any(|other| other.edges.contains(&status))
            };
            if is_alone(pair[0]) || is_alone(pair[1]) {
                plan.statuses[pair[0]].edges.insert(pair[1]);
            }
        }
    }
    let leads = plan.leads();
    for (status, led) in leads.iter().enumerate() {
        let share_loop = |other: &usize| led[*other] && leads[*other][status];
        for other in (0..leads.len()).filter(share_loop) {
            plan.statuses[other].closes = plan.statuses[status].closes.clone();
        }
    }
    plan
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    (2_usize..6, 0_usize..4, any::<bool>()).prop_flat_map(|(payment, side, level)| {
        let count = payment + side;
        let statuses: Vec<_> = (0..count).map(|index| status(index, payment, count)).collect();
        statuses.prop_map(move |statuses| mend(Plan { statuses, level }))
    })
}

pub(crate) fn planned(statuses: usize) -> impl Strategy<Value = Planned> {
    let skew = i64::try_from(CLOCK_SKEW_SECS).unwrap();
    // Few times and few amounts, so that ties are common; one time that is too far ahead to count.
    let time = prop_oneof![
        2 => Just(None),
        6 => (-4_i64..0).prop_map(Some),
        1 => Just(Some(skew + 1)),
    ];
    let value = proptest::option::weighted(0.8, 0_u32..5);
    prop_oneof![
        10 => (0..statuses, time, value.clone(), value, any::<bool>()).prop_map(
            |(status, time, a, b, answer)| Planned::Said { status, time, a, b, answer }
        ),
        1 => (1_u32..5).prop_map(|held| Planned::Registered { held }),
        1 => (0..statuses, proptest::option::of(-4_i64..0))
            .prop_map(|(status, until)| Planned::Overruled { status, until }),
    ]
}

/// A plan and a set of reports about one order.
pub(crate) fn case() -> impl Strategy<Value = (Plan, Vec<Planned>)> {
    plan().prop_flat_map(|plan| {
        let reports = vec(planned(plan.statuses.len()), 1..8);
        (Just(plan), reports)
    })
}
