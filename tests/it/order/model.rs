//! An independent, slow model of the theory: folds the whole set of reports at once, from the plan's
//! own data. It shares no code with what it checks, and keeps no state.

use std::collections::{BTreeMap, BTreeSet};

use pawl::order::slot::Counter;

use super::plan::{Plan, Planned};

/// What the model says about a set of reports.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub payment_heads: BTreeSet<usize>,
    pub side_heads: BTreeSet<usize>,
    /// Whole units; the plan's amounts are whole.
    pub position: BTreeMap<Counter, i64>,
    /// Something came out negative, so that nothing may move.
    pub negative: bool,
}

/// Which claims move money only after an answer said the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    None,
    All,
}

/// A claim as it was made: a status, a time, and the amounts said with it.
struct Claim {
    status: usize,
    time: Option<i64>,
    a: Option<i64>,
    b: Option<i64>,
    answer: bool,
}

pub(crate) fn fold(plan: &Plan, reports: &[Planned], demand: Demand) -> Said {
    let mut claims = collect_claims(plan, reports);
    let leads = plan.leads();
    let heads = |is_side: bool| -> BTreeSet<usize> {
        let on_track: Vec<_> =
            claims.iter().filter(|claim| plan.statuses[claim.status].is_side == is_side).collect();
        let is_head =
            |claim: &&&Claim| on_track.iter().all(|other| !is_before(&leads, claim, other));
        let heads: BTreeSet<usize> =
            on_track.iter().filter(is_head).map(|claim| claim.status).collect();
        let answered: BTreeSet<usize> =
            heads.iter().copied().filter(|head| is_answered(&leads, &claims, *head)).collect();
        let settles = demand == Demand::All && heads.len() > 1 && answered.len() == 1;
        if settles { answered } else { heads }
    };
    let (payment_heads, side_heads) = (heads(false), heads(true));
    let closes = |head: usize| demand == Demand::None || is_answered(&leads, &claims, head);
    let closing_head = match payment_heads.iter().collect::<Vec<_>>()[..] {
        [head] if !is_side_conflict(plan, &side_heads) && closes(*head) => Some(*head),
        _ => None,
    };
    if demand == Demand::All {
        claims.retain(|claim| claim.answer);
    }
    let mut negative = false;
    let mut position = BTreeMap::new();
    for counter in [Counter::Held, Counter::Debited, Counter::Credited, Counter::CreditReversed] {
        let said: Vec<(&Claim, i64)> = claims
            .iter()
            .filter_map(|claim| {
                let expression = plan.statuses[claim.status].totals.get(&counter)?;
                Some((claim, evaluate(*expression, claim)?))
            })
            .collect();
        negative |= said.iter().any(|(_, value)| *value < 0);
        let said = said.into_iter().filter(|(_, value)| *value >= 0);
        let value = if plan.level && counter == Counter::CreditReversed {
            let said: Vec<_> = said.collect();
            let is_last = |(claim, _): &&(&Claim, i64)| {
                said.iter().all(|(other, _)| !is_before(&leads, claim, other))
            };
            said.iter().filter(is_last).map(|(_, value)| *value).max()
        } else {
            said.map(|(_, value)| value).max()
        };
        let booked = reports.iter().filter_map(|report| match report {
            Planned::Registered { held } => (counter == Counter::Held).then_some(i64::from(*held)),
            Planned::Said { .. } | Planned::Overruled { .. } => None,
        });
        // Registrations that contradict each other say nothing until a person chooses.
        let booked: BTreeSet<i64> = booked.collect();
        let booked = booked.iter().copied().filter(|_| booked.len() == 1);
        if let Some(value) = value.into_iter().chain(booked).max() {
            position.insert(counter, value);
        }
    }
    if let Some(head) = closing_head {
        close(plan, &leads, head, &mut position);
    }
    Said { payment_heads, side_heads, position, negative }
}

fn collect_claims(plan: &Plan, reports: &[Planned]) -> Vec<Claim> {
    let mut claims = Vec::new();
    for report in reports {
        let Planned::Said { status, time, a, b, answer } = report else {
            continue;
        };
        let implied = plan.statuses[*status].implies;
        for status in [Some(*status), implied].into_iter().flatten() {
            // A time that lies ahead counts as none.
            let time = time.filter(|secs| *secs <= 300);
            claims.push(Claim {
                status,
                time,
                a: a.map(i64::from),
                b: b.map(i64::from),
                answer: *answer,
            });
        }
    }
    claims.retain(|claim| {
        !reports.iter().any(|report| match report {
            Planned::Overruled { status, until: None } => *status == claim.status,
            Planned::Overruled { status, until: Some(until) } => {
                *status == claim.status && claim.time.is_none_or(|time| time <= *until)
            }
            Planned::Said { .. } | Planned::Registered { .. } => false,
        })
    });
    claims
}

/// Whether an answer said a status; in a loop, the last time that it was said.
fn is_answered(leads: &[Vec<bool>], claims: &[Claim], status: usize) -> bool {
    let repeats = (0..leads.len()).any(|o| o != status && leads[o][status] && leads[status][o]);
    let of_status: Vec<_> = claims.iter().filter(|claim| claim.status == status).collect();
    let last = of_status.iter().map(|claim| claim.time).max().flatten();
    of_status.iter().any(|claim| claim.answer && (!repeats || claim.time == last))
}

/// Whether a claim is behind another; a claim of the same status only by its time.
fn is_before(leads: &[Vec<bool>], claim: &Claim, other: &Claim) -> bool {
    let (a, b) = (claim.status, other.status);
    if leads[a][b] && leads[b][a] {
        let stamp = |claim: &Claim| (claim.time.is_some(), claim.time, claim.status);
        return stamp(claim) < stamp(other);
    }
    let on_one_track = leads[a][b] || leads[b][a];
    on_one_track && leads[a][b]
}

/// Two heads on the side track exclude each other, and money moves there.
pub(crate) fn is_side_conflict(plan: &Plan, heads: &BTreeSet<usize>) -> bool {
    heads.len() > 1 && plan.statuses.iter().any(|s| s.is_side && !s.totals.is_empty())
}

fn close(plan: &Plan, leads: &[Vec<bool>], head: usize, position: &mut BTreeMap<Counter, i64>) {
    for (counter, undone) in
        [(Counter::Released, Counter::Held), (Counter::DebitReversed, Counter::Debited)]
    {
        let closes = |status: usize| {
            !plan.statuses[status].is_side && plan.statuses[status].closes.contains(&counter)
        };
        let is_closed = (0..leads.len()).any(|status| closes(status) && leads[status][head]);
        if let (true, Some(value)) = (is_closed, position.get(&undone).copied()) {
            position.insert(counter, value);
        }
    }
}

/// The four expressions of the plan, written out.
fn evaluate(expression: usize, claim: &Claim) -> Option<i64> {
    match expression {
        0 => claim.a,
        1 => Some(claim.a? + claim.b.unwrap_or(0)),
        2 => Some(claim.a? - claim.b?),
        _ => claim.b.or(claim.a),
    }
}
