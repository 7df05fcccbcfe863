//! When orders are asked about: pure, over any schedule.

use std::time::Duration;

use pawl::order::asking::{AskRules, Asking, JITTER, News, Phase, Schedule};
use pawl::order::name::{Status, Track};
use pawl::order::standing::Standing;
use pawl::order::timestamp::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

const START: i64 = 1_800_000_000_000_000;

fn schedules() -> impl Strategy<Value = Schedule> {
    (1..100u64, 1..5u32, 0..2000u64, 1..200_000u64, 1..100_000u64, 0..40u32).prop_map(
        |(first, factor, more, horizon, watch, watch_answers)| Schedule {
            first: Duration::from_secs(first),
            factor,
            cap: Duration::from_secs(first + more),
            horizon: Duration::from_secs(horizon),
            watch: Duration::from_secs(watch),
            watch_answers,
        },
    )
}

/// An order of FlyPay in a status.
fn standing(status: &str) -> Standing {
    let status = Status::new(status);
    let provider = crate::flypay::flypay();
    let is_final = provider.machine.get(&status).unwrap().is_final;
    let track = Track::new(Track::PAYMENT);
    Standing {
        heads: [(track, vec![status.clone()])].into_iter().collect(),
        status: Some(status),
        is_final,
        ..Standing::default()
    }
}

fn report(moved: bool, is_answer: bool) -> News {
    News::Report { moved, wants_answer: false, is_answer }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_micros(START).unwrap().plus_secs(secs)
}

/// An order that just came to a status, and the rules that it is asked by.
fn begin(schedule: &Schedule, status: &str, run: impl FnOnce(AskRules<'_>, Asking)) {
    let provider = crate::flypay::flypay();
    let rules = AskRules { schedule, machine: &provider.machine, seed: Uuid::now_v7() };
    let asking = Asking::default().after(rules, &standing(status), report(true, false), at(0));
    run(rules, asking);
}

fn is_about(delay: Duration, wanted: Duration) -> bool {
    let (delay, wanted) = (delay.as_secs_f64(), wanted.as_secs_f64());
    (delay - wanted).abs() <= wanted * JITTER * 1.001 + 0.001
}

proptest! {
    #[test]
    fn delays_grow_by_the_factor_up_to_the_cap(schedule in schedules()) {
        begin(&schedule, "new", |rules, mut asking| {
            let mut now = at(0);
            let mut wanted = schedule.first;
            for _ in 0..20 {
                let delay = asking.next_at.unwrap().since(now);
                assert!(is_about(delay, wanted), "{delay:?} is not about {wanted:?}");
                now = asking.next_at.unwrap();
                asking = asking.begin(rules, now);
                wanted = (wanted * schedule.factor).min(schedule.cap);
            }
        });
    }

    #[test]
    fn an_order_that_is_always_answered_is_unresolved_after_the_horizon_and_then_watched(
        schedule in schedules(),
    ) {
        begin(&schedule, "processing", |rules, mut asking| {
            let standing = standing("processing");
            let (mut now, mut asks) = (at(0), 0u64);
            while asking.phase == Phase::Open {
                now = asking.next_at.expect("an open order is asked about");
                asking = asking.begin(rules, now).after(rules, &standing, report(false, true), now);
                asks += 1;
            }
            assert_eq!(asking.phase, Phase::Unresolved);
            let (passed, horizon) = (now.since(at(0)).as_secs_f64(), schedule.horizon.as_secs_f64());
            let last = schedule.cap.as_secs_f64();
            // The first delay passes before the first ask, and chance moves each.
            assert!(passed >= horizon * (1.0 - JITTER) - 0.01, "{passed} of {horizon}");
            assert!(passed <= (horizon + last) * (1.0 + JITTER) + 0.01, "{passed} of {horizon}");
            assert_eq!(asks, u64::from(schedule.answers_within(schedule.horizon)));
            let mut watched = 0;
            while let Some(next) = asking.next_at {
                assert!(is_about(next.since(now), schedule.watch));
                now = next;
                asking = asking.begin(rules, now).after(rules, &standing, report(false, true), now);
                watched += 1;
                assert_eq!(asking.phase, Phase::Unresolved);
            }
            assert_eq!(watched, schedule.watch_answers);
        });
    }

    #[test]
    fn outages_leave_no_order_unresolved_and_close_none(
        schedule in schedules(), asks in 1..500u32,
    ) {
        begin(&schedule, "new", |rules, mut asking| {
            for _ in 0..asks {
                let now = asking.next_at.expect("it goes on");
                asking = asking.begin(rules, now);
                assert_eq!(asking.phase, Phase::Open);
            }
            assert_eq!(asking.answers, 0);
        });
    }

    #[test]
    fn any_word_but_an_answer_that_says_the_same_ends_it(schedule in schedules(), moved: bool) {
        begin(&schedule, "new", |rules, asking| {
            let standing = standing("new");
            let unresolved = Asking { phase: Phase::Unresolved, next_at: None, ..asking };
            let now = at(1_000_000);
            let heard = unresolved.after(rules, &standing, report(moved, false), now);
            assert_eq!(heard.phase, Phase::Open);
            assert!(is_about(heard.next_at.unwrap().since(now), schedule.first));
            let answered = unresolved.after(rules, &standing, report(moved, true), now);
            assert_eq!(answered.phase, if moved { Phase::Open } else { Phase::Unresolved });
            let judged = unresolved.after(rules, &standing, News::Nothing, now);
            assert_eq!(judged, unresolved);
        });
    }

    #[test]
    fn what_wants_an_answer_waits_no_longer_than_the_first_delay_and_asks_no_sooner_again(
        schedule in schedules(), steps in 0..12u32, after_secs in 0..5000u64,
    ) {
        begin(&schedule, "new", |rules, mut asking| {
            let mut now = at(0);
            for _ in 0..steps {
                now = asking.next_at.unwrap();
                asking = asking.begin(rules, now);
            }
            let asked_at = asking.asked_at;
            now = now.plus_secs(after_secs);
            let wants = News::Report { moved: false, wants_answer: true, is_answer: false };
            let next = asking.after(rules, &standing("new"), wants, now).next_at.unwrap();
            assert!(next.since(now) <= schedule.first.mul_f64(1.0 + JITTER));
            if let Some(asked_at) = asked_at.filter(|_| steps > 0) {
                let soonest = asked_at.plus(schedule.first).min(asking.next_at.unwrap());
                assert!(next >= soonest);
            }
        });
    }
}

/// Anybody may hint, at any time and as often as the bucket allows.
#[test]
fn asks_because_of_hints_postpone_nothing_and_fill_no_horizon() {
    let schedule = Schedule { watch_answers: 3, ..Schedule::default() };
    for (phase, status) in [
        (Phase::Open, "processing"),
        (Phase::Unresolved, "processing"),
        (Phase::Watched, "completed"),
        (Phase::Closed, "completed"),
    ] {
        begin(&schedule, "processing", |rules, asking| {
            let next_at = (phase != Phase::Closed).then(|| at(100_000));
            let before = Asking { phase, step: 3, answers: 2, next_at, ..asking };
            let mut asking = before;
            for times in 0..200 {
                let now = at(100 + times);
                asking = asking.begin_hinted(rules, now);
                assert_eq!(asking.asked_at, Some(now), "an ask all the same");
                let news = if times % 2 == 0 { report(false, true) } else { News::NotFound };
                // FlyPay's final orders are closed; here it matters at which pace they are asked about.
                let standing = Standing { is_final: phase == Phase::Closed, ..standing(status) };
                if phase != Phase::Watched {
                    asking = asking.after(rules, &standing, news, now);
                } else {
                    asking.is_hinted = false;
                }
                assert_eq!(Asking { asked_at: before.asked_at, ..asking }, before, "{phase:?}");
            }
        });
    }
    // The ask that it is due for counts.
    begin(&schedule, "new", |rules, asking| {
        let due = asking.next_at.unwrap();
        assert_eq!(asking.begin_hinted(rules, due), asking.begin(rules, due));
    });
}

#[test]
fn the_default_asks_about_an_open_order_for_a_day_and_then_once_a_day_for_a_month() {
    let schedule = Schedule::default();
    let delays: Vec<u64> = (0..9).map(|step| schedule.delay(step).as_secs()).collect();
    assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
    assert_eq!(schedule.answers_within(schedule.horizon), 102);
    assert_eq!(schedule.watch_answers, 30);
}

/// Answers that somebody asked for out of turn fill no horizon, and are asked for until they are there.
#[test]
fn asks_out_of_turn_count_for_no_horizon_and_are_not_lost() {
    let schedule = Schedule { watch_answers: 0, ..Schedule::default() };
    for phase in [Phase::Open, Phase::Watched, Phase::Unresolved, Phase::Closed] {
        begin(&schedule, "new", |rules, asking| {
            let far = at(10_000_000);
            let mut asking = Asking { phase, next_at: Some(far), ..asking };
            for times in 0..200 {
                let now = at(10_000 * (times + 1));
                // Long before its turn.
                asking.next_at = asking.next_at.map(|_| far);
                asking = asking.hasten(now).begin(rules, now);
                let soon = asking.next_at.expect("it is asked for until there is an answer");
                assert!(soon.since(now) < schedule.cap.mul_f64(1.2), "{phase:?}: {soon}");
                let state = if phase == Phase::Closed || phase == Phase::Watched {
                    Standing { is_final: true, ..standing("completed") }
                } else {
                    standing("new")
                };
                // What is final and nothing can follow is closed by whatever is heard.
                if phase == Phase::Watched {
                    asking.phase = Phase::Closed;
                }
                asking = asking.after(rules, &state, report(false, true), now);
                assert_eq!(asking.answers, 0, "{phase:?}");
                assert!(!asking.is_wanted);
            }
            assert_ne!((phase, asking.phase), (Phase::Open, Phase::Unresolved));
        });
    }
}

#[test]
fn a_final_order_that_nothing_can_follow_is_never_asked_about() {
    begin(&Schedule::default(), "completed", |rules, asking| {
        assert_eq!((asking.phase, asking.next_at), (Phase::Closed, None));
        // A person wants to know: asked until there is an answer.
        let hastened = asking.hasten(at(100)).begin(rules, at(100));
        assert!(hastened.next_at.is_some());
        let answered = hastened.after(rules, &standing("completed"), report(false, true), at(101));
        assert_eq!((answered.phase, answered.next_at), (Phase::Closed, None));
    });
}

#[test]
fn a_final_order_that_may_still_be_refunded_is_watched() {
    let text = include_str!("refunds.toml");
    let provider = pawl::provider::Provider::load("refunds.toml", text);
    let provider = provider.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let schedule = Schedule { watch_answers: 3, ..Schedule::default() };
    let rules = AskRules { schedule: &schedule, machine: &provider.machine, seed: Uuid::now_v7() };
    let stand = |heads: &[(&str, &str)], is_final| Standing {
        heads: heads
            .iter()
            .map(|(track, status)| (Track::new(*track), vec![Status::new(*status)]))
            .collect(),
        status: Some(Status::new(heads[0].1)),
        is_final,
        ..Standing::default()
    };
    let paid = stand(&[("payment", "paid")], true);
    let mut asking = Asking::default().after(rules, &paid, report(true, false), at(0));
    assert_eq!(asking.phase, Phase::Watched);
    let mut now = at(0);
    for _ in 0..3 {
        let next = asking.next_at.expect("it is watched");
        assert!(is_about(next.since(now), schedule.watch));
        now = next;
        asking = asking.begin(rules, now).after(rules, &paid, report(false, true), now);
    }
    assert_eq!(asking.next_at, None, "the watch is over");
    // What is settled can be refunded, too, although `refunded` only implies that it was paid.
    let settled = stand(&[("payment", "settled")], true);
    let watched = Asking::default().after(rules, &settled, report(true, false), now);
    assert_eq!(watched.phase, Phase::Watched);
    // What was refunded wholly can go nowhere; what failed cannot be refunded.
    let refunded = stand(&[("payment", "settled"), ("refund", "refunded")], true);
    let over = asking.after(rules, &refunded, report(true, false), now);
    assert_eq!((over.phase, over.next_at), (Phase::Closed, None));
    let failed = stand(&[("payment", "failed")], true);
    let over = Asking::default().after(rules, &failed, report(true, false), now);
    assert_eq!(over.phase, Phase::Closed);
    // A hold lasts longer than a day: the status says so.
    let held = stand(&[("payment", "hold")], false);
    let mut asking = Asking::default().after(rules, &held, report(true, false), at(0));
    let mut now = at(0);
    while asking.phase == Phase::Open {
        now = asking.next_at.unwrap();
        asking = asking.begin(rules, now).after(rules, &held, report(false, true), now);
    }
    let days = now.since(at(0)).as_secs_f64() / 86_400.0;
    assert!((25.0..31.0).contains(&days), "{days}");
}
