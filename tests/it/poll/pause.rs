//! A source that is left alone: because the provider said so, or because several orders in a row brought
//! nothing. One order alone keeps no other waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use std::time::{Duration, Instant};

use pawl::poll::LOOK;

use super::{Provider, Say, start};
use crate::daemon::Pawl;
use crate::daemon::form::{Form, on_both_forms};

on_both_forms!(
    nobody_asks_before_the_time_that_the_provider_said,
    refused_credentials_stop_the_source_and_not_its_orders,
    one_order_that_is_refused_keeps_no_other_waiting,
    when_the_provider_is_back_one_goes_first,
);

/// Nobody asks out of itself before ten minutes have passed.
const FAST: &str = "[source.shop.ask]\nfirst_secs = 600\n[source.shop.limits]\nrequests_per_second = 1000\nburst = 1000\n";

async fn ask(pawl: &Pawl, id: &str) {
    let answer = pawl.post(&format!("/api/v1/orders/shop/{id}/ask"), "").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

/// For how long the source is left alone, as the metrics say.
async fn paused_secs(pawl: &Pawl) -> f64 {
    let metrics = pawl.get("/metrics").await.body;
    let line = metrics.lines().find(|line| line.starts_with("pawl_source_paused_seconds{"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
}

/// Waits until the source is left alone, or is not any more: that is stored a moment after the order.
async fn wait_for_pause(pawl: &Pawl, fits: impl Fn(f64) -> bool) -> f64 {
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    loop {
        let paused = paused_secs(pawl).await;
        if fits(paused) {
            return paused;
        }
        assert!(Instant::now() < give_up_at, "paused for {paused} s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An order is due, and the poller has looked since: three times, to be sure. That nothing happens is no
/// condition that could be waited for.
async fn let_it_look(pawl: &Pawl) {
    for _ in 0..3 {
        tokio::time::sleep(LOOK).await;
        assert_eq!(pawl.get("/readyz").await.status, 200);
    }
}

async fn nobody_asks_before_the_time_that_the_provider_said(form: Form) {
    for is_date in [true, false] {
        let provider = Provider::start(move |id, before| {
            let said = Say::status(429).with("date", "Sun, 06 Nov 1994 08:49:37 GMT");
            match (id == "wd-0" && before == 0, is_date) {
                (true, true) => said.with("retry-after", "Sun, 06 Nov 1994 09:39:37 GMT"),
                (true, false) => said.with("retry-after", 3000),
                (false, _) => Say::Status("completed"),
            }
        })
        .await;
        let pawl = start(form, &provider, FAST).await;
        let ids: Vec<String> = (0..5).map(|n| format!("wd-{n}")).collect();
        pawl.register(&ids).await;
        ask(&pawl, "wd-0").await;
        provider.wait_until_asked("wd-0", 1).await;
        let order = pawl
            .wait_for_order("wd-0", |order| {
                order["asking"]["under_way"] == false && !order["asking"]["outcome"].is_null()
            })
            .await;
        assert_eq!(order["asking"]["outcome"], "asked too often (429): again after 3000 s");
        let paused = wait_for_pause(&pawl, |secs| secs > 0.0).await;
        assert!((2000.0..=3000.0).contains(&paused), "{paused}");
        // What the process remembers itself is over; then only the store says so.
        tokio::time::sleep(pawl::poll::HUSH_MAX).await;
        // All are due, and a person wants to know.
        pawl.clock.step_secs(2000);
        ask(&pawl, "wd-1").await;
        let_it_look(&pawl).await;
        assert_eq!(provider.asked_in_all(), 1, "nobody is asked before it is over");
        pawl.clock.step_secs(1001);
        for id in &ids {
            pawl.wait_for_order(id, |order| order["final"] == true).await;
        }
    }
}

async fn refused_credentials_stop_the_source_and_not_its_orders(form: Form) {
    let is_fixed = Arc::new(AtomicBool::new(false));
    let fixed = Arc::clone(&is_fixed);
    let provider = Provider::start(move |_, _| match fixed.load(Ordering::Relaxed) {
        false => Say::status(401),
        true => Say::Status("completed"),
    })
    .await;
    let pawl = start(form, &provider, FAST).await;
    let ids: Vec<String> = (0..20).map(|n| format!("wd-{n}")).collect();
    pawl.register(&ids).await;
    for (asked, id) in ids[..3].iter().enumerate() {
        ask(&pawl, id).await;
        provider.wait_until_asked(id, 1).await;
        pawl.wait_for_order(id, |order| order["asking"]["under_way"] == false).await;
        assert_eq!(provider.asked_in_all(), asked + 1);
    }
    wait_for_pause(&pawl, |secs| secs > 0.0).await;
    ask(&pawl, "wd-4").await;
    // For as long as it is left alone, nobody is asked.
    loop {
        let asked = provider.asked_in_all();
        if paused_secs(&pawl).await == 0.0 || provider.asked_in_all() > 3 {
            break;
        }
        assert_eq!(asked, 3);
        tokio::time::sleep(LOOK).await;
    }
    for id in &ids {
        let order = pawl.order(id).await;
        assert_eq!((&order["final"], &order["attention"]), (&false.into(), &serde_json::json!([])));
    }
    // With each look the pause grows; all of it is over at some time.
    is_fixed.store(true, Ordering::Relaxed);
    pawl.clock.step_secs(1000);
    for id in &ids {
        pawl.wait_for_order(id, |order| order["final"] == true).await;
    }
    wait_for_pause(&pawl, |secs| secs == 0.0).await;
}

async fn one_order_that_is_refused_keeps_no_other_waiting(form: Form) {
    let provider = Provider::start(|id, _| match id {
        "wd-forbidden" => Say::status(403),
        "wd-throttled" => Say::status(429),
        _ => Say::Status("completed"),
    })
    .await;
    let pawl = start(form, &provider, FAST).await;
    let mut ids = vec!["wd-forbidden".to_owned(), "wd-throttled".to_owned()];
    pawl.register(&ids).await;
    for round in 0..4 {
        for id in &ids[..2] {
            let before = provider.asked(id);
            ask(&pawl, id).await;
            provider.wait_until_asked(id, before + 1).await;
            pawl.wait_for_order(id, |order| order["asking"]["under_way"] == false).await;
        }
        let fine = format!("wd-{round}");
        pawl.register(std::slice::from_ref(&fine)).await;
        ask(&pawl, &fine).await;
        pawl.wait_for_order(&fine, |order| order["final"] == true).await;
        ids.push(fine);
    }
    assert_eq!(paused_secs(&pawl).await, 0.0);
}

async fn when_the_provider_is_back_one_goes_first(form: Form) {
    let is_back = Arc::new(AtomicBool::new(false));
    let back = Arc::clone(&is_back);
    let provider = Provider::start(move |_, _| match back.load(Ordering::Relaxed) {
        false => Say::status(503),
        true => Say::Status("completed"),
    })
    .await;
    let pawl = start(form, &provider, FAST).await;
    let ids: Vec<String> = (0..40).map(|n| format!("wd-{n}")).collect();
    pawl.register(&ids).await;
    pawl.clock.step_secs(700);
    // All 40 were due at once, and were asked about at once.
    super::wait_until(|| provider.asked_in_all() >= 40, || "40 asks".to_owned()).await;
    for id in &ids {
        pawl.wait_for_order(id, |order| order["asking"]["under_way"] == false).await;
    }
    let before = provider.asked_in_all();
    wait_for_pause(&pawl, |secs| secs > 0.0).await;
    let mut steps = 0;
    while provider.asked_in_all() < before + 5 {
        // All are due again, and any pause is over: one looks whether the provider is back.
        let asked = provider.asked_in_all();
        pawl.clock.step_secs(1000);
        steps += 1;
        for _ in 0..20 {
            if provider.asked_in_all() > asked {
                break;
            }
            tokio::time::sleep(LOOK / 5).await;
        }
        let asked = provider.asked_in_all();
        assert!(asked <= before + steps, "{asked} asked, {before} before {steps} looks");
        assert!(steps < 60, "nobody looks whether it is back");
    }
    is_back.store(true, Ordering::Relaxed);
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    for id in &ids {
        while pawl.order(id).await["final"] != true {
            // The last look may still have found it away.
            pawl.clock.step_secs(1000);
            assert!(Instant::now() < give_up_at, "{id} is not found");
            tokio::time::sleep(LOOK).await;
        }
    }
}
