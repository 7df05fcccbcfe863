//! A sink that is down, throttles, or is slow: nothing is lost, nobody else waits, and it is not hammered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Answer, Receiver, send, wait_for_gauge};
use crate::daemon::Pawl;
use crate::daemon::form::{Form, on_both_forms};
use crate::poll::wait_until;

on_both_forms!(
    a_sink_that_is_down_for_hours_gets_everything_in_order_and_at_its_rate,
    nobody_is_told_before_the_time_that_it_said,
    to_come_again_at_once_is_no_answer,
);

/// An outage of two hours by the clock that is stepped.
async fn a_sink_that_is_down_for_hours_gets_everything_in_order_and_at_its_rate(form: Form) {
    let is_down = Arc::new(AtomicUsize::new(1));
    let when = Arc::new(Mutex::new(Vec::new()));
    let down = {
        let (is_down, when) = (Arc::clone(&is_down), Arc::clone(&when));
        Receiver::start(move |_, _| {
            if is_down.load(Ordering::SeqCst) > 0 {
                return Answer::Status(500);
            }
            when.lock().unwrap().push(Instant::now());
            Answer::Status(200)
        })
        .await
    };
    let other = Receiver::willing().await;
    let limits = "[sink.books.limits]\nrequests_per_second = 40\nburst = 1\n";
    let more = [down.sink("books", limits), other.sink("other", "")].concat();
    let pawl = Pawl::start_on(form, &more).await;
    for status in ["new", "processing", "completed"] {
        for n in 0..20 {
            send(&pawl, &format!("w-{n}"), status).await;
        }
    }
    for n in 0..20 {
        other.wait_for(&format!("w-{n}"), 5).await;
    }
    // Two hours go by, half a minute at a time: it is left alone but for a look now and then.
    for _ in 0..240 {
        pawl.clock.step_secs(30);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(down.taken().is_empty());
    let looks = down.heard().len();
    assert!(looks < 60, "{looks} attempts at a sink that takes nothing");
    assert_eq!(
        pawl.get("/api/v1/orders?attention=true").await.json()["items"],
        serde_json::json!([])
    );
    is_down.store(0, Ordering::SeqCst);
    pawl.clock.step_secs(3600);
    for n in 0..20 {
        down.wait_for(&format!("w-{n}"), 5).await;
    }
    down.check_order();
    let taken = when.lock().unwrap().clone();
    let took = taken[taken.len() - 1].duration_since(taken[0]);
    // 40 a second, of which the first is there at once; the clock was not stepped meanwhile.
    let least = Duration::from_secs_f64((taken.len() - 2) as f64 / 40.0);
    assert!(took >= least.mul_f64(0.9), "{} in {took:?}", taken.len());
    wait_for_gauge(&pawl, "pawl_outbox_orders", |waiting| waiting == 0.0).await;
    wait_for_gauge(&pawl, "pawl_outbox_oldest_age_seconds", |age| age == 0.0).await;
}

async fn nobody_is_told_before_the_time_that_it_said(form: Form) {
    let receiver = Receiver::start(|_, _| Answer::With(429, "retry-after", "600".to_owned())).await;
    let pawl = super::start(form, &receiver, "").await;
    send(&pawl, "w-1", "new").await;
    wait_until(|| !receiver.heard().is_empty(), || "never told".to_owned()).await;
    let sinks = |fits: fn(&serde_json::Value) -> bool| {
        pawl.wait_for("/api/v1/sinks", move |sinks| fits(&sinks["items"][0]["paused"]))
    };
    sinks(|paused| paused["reason"].as_str().is_some_and(|reason| reason.contains("429"))).await;
    receiver.answer(|_, _| Answer::Status(200));
    for n in 2..5 {
        send(&pawl, &format!("w-{n}"), "new").await;
    }
    pawl.clock.step_secs(590);
    wait_for_gauge(&pawl, "pawl_outbox_oldest_age_seconds", |age| age >= 590.0).await;
    assert_eq!(receiver.heard().len(), 1, "it said when to come again");
    pawl.clock.step_secs(20);
    for n in 1..5 {
        receiver.wait_for(&format!("w-{n}"), 1).await;
    }
}

async fn to_come_again_at_once_is_no_answer(form: Form) {
    let receiver = Receiver::start(|_, _| Answer::With(429, "retry-after", "0".to_owned())).await;
    let pawl = super::start(form, &receiver, "[sink.books.retry]\nfirst_secs = 600\n").await;
    send(&pawl, "w-1", "new").await;
    let path = "/api/v1/orders/shop/w-1";
    let order = pawl.wait_for(path, |order| order["undelivered"][0]["attempts"] == 1).await;
    assert!(order["undelivered"][0]["reason"].as_str().unwrap().contains("429"), "{order}");
    assert_eq!(receiver.heard().len(), 1, "it waits as after any other failure");
}
