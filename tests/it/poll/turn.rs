//! An order's way from question to answer, on both forms.

use super::{Provider, Say, secs, start, wait_until};
use crate::daemon::form::{Form, on_both_forms};
use crate::daemon::withdrawal;

on_both_forms!(
    without_any_callback_every_order_converges_and_is_then_left_alone,
    delays_double_and_begin_anew_after_a_move,
    a_callback_that_moves_nothing_postpones_nothing,
    an_order_is_asked_about_on_demand,
    a_contradiction_makes_us_ask_and_an_answer_about_it_does_not,
    an_answer_confirms_what_a_callback_said,
    nobody_asks_more_often_than_the_budget,
    a_clock_that_is_put_back_stops_nobody_from_asking,
    a_callback_that_never_comes_is_counted_when_its_sender_has_given_up,
);

async fn without_any_callback_every_order_converges_and_is_then_left_alone(form: Form) {
    let provider = Provider::start(|_, before| match before {
        0 => Say::Status("new"),
        1 => Say::Status("processing"),
        _ => Say::Status("completed"),
    })
    .await;
    let limits = "[source.shop.ask]\nfirst_secs = 1\ncap_secs = 1\n[source.shop.limits]\n\
                  requests_per_second = 1000\nburst = 1000\n";
    let pawl = start(form, &provider, limits).await;
    let ids: Vec<String> = (0..30).map(|n| format!("wd-{n}")).collect();
    pawl.register(&ids).await;
    for id in &ids {
        let order = pawl.wait_for_order(id, |order| order["final"] == true).await;
        assert_eq!(order["status"], "completed");
        assert_eq!(order["asking"]["phase"], "closed");
        assert_eq!(order["asking"]["next_at"], serde_json::Value::Null, "it is left alone");
        assert_eq!(order["awaited_callback"]["status"], "completed");
        let effects: Vec<_> = order["effects"].as_array().unwrap().iter().collect();
        assert_eq!(effects.len(), 3, "held, debited, released: {effects:?}");
        let events = pawl.events(id).await;
        assert_eq!(events.len(), 4, "the registration and three answers: {events:?}");
        assert!(events[1..].iter().all(|event| event["origin"] == "answer"));
    }
    assert_eq!(provider.faults(), Vec::<String>::new());
    // Whatever time passes, nobody asks about what is closed.
    let asked = provider.asked_in_all();
    pawl.clock.step_secs(3600 * 24 * 40);
    pawl.register(&["probe".to_owned()]).await;
    provider.wait_until_asked("probe", 1).await;
    assert_eq!(provider.asked_in_all() - provider.asked("probe"), asked);
}

async fn delays_double_and_begin_anew_after_a_move(form: Form) {
    let provider = Provider::start(|_, before| match before {
        0..4 => Say::Status("new"),
        _ => Say::Status("processing"),
    })
    .await;
    let pawl = start(form, &provider, "").await;
    pawl.register(&["wd-1".to_owned()]).await;
    let order = pawl.order("wd-1").await;
    let delay = secs(&order["asking"]["next_at"]) - secs(&order["created_at"]);
    assert!((9.0..=11.0).contains(&delay), "the first ask after about 10 s: {delay}");
    // The status `new` is itself a move of the head, and so is `processing`.
    for (times, step, wanted) in
        [(1, 0, 10.0), (2, 1, 20.0), (3, 2, 40.0), (4, 3, 80.0), (5, 0, 10.0), (6, 1, 20.0)]
    {
        let due = secs(&pawl.order("wd-1").await["asking"]["next_at"]);
        pawl.clock.step_secs(1 + (due - now(&pawl)).max(0.0).ceil() as i64);
        provider.wait_until_asked("wd-1", times).await;
        let order = pawl
            .wait_for_order("wd-1", |order| {
                order["asking"]["under_way"] == false
                    && order["asking"]["asks_since_move"] == step
                    && order["asking"]["outcome"] == "answered"
            })
            .await;
        let asking = &order["asking"];
        let delay = secs(&asking["next_at"]) - secs(&asking["asked_at"]);
        let (least, most) = (wanted * 0.9, wanted * 1.1 + 5.0);
        assert!((least..=most).contains(&delay), "ask {times}: {delay}, not about {wanted}");
        assert_eq!(provider.asked("wd-1"), times);
    }
}

fn now(pawl: &crate::daemon::Pawl) -> f64 {
    std::time::Duration::from_micros(pawl.clock.now().micros().unsigned_abs()).as_secs_f64()
}

async fn a_callback_that_moves_nothing_postpones_nothing(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("processing")).await;
    let late = "[source.shop.ask]\nfirst_secs = 600\n";
    let pawl = start(form, &provider, late).await;
    assert_eq!(pawl.send(&withdrawal("wd-1", "processing")).await.status, 200);
    let order = pawl.wait_for_order("wd-1", |order| order["status"] == "processing").await;
    for _ in 0..2 {
        assert_eq!(pawl.send(&withdrawal("wd-1", "processing")).await.status, 200);
        assert_eq!(pawl.send(&withdrawal("wd-1", "new")).await.status, 200);
    }
    pawl.wait_until_drained().await;
    assert_eq!(pawl.order("wd-1").await["asking"], order["asking"]);
}

async fn an_order_is_asked_about_on_demand(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("processing")).await;
    let pawl = start(form, &provider, "").await;
    pawl.register(&["wd-1".to_owned()]).await;
    let answer = pawl.post("/api/v1/orders/shop/wd-1/ask", "").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    pawl.wait_for_order("wd-1", |order| order["status"] == "processing").await;
    assert_eq!(pawl.post("/api/v1/orders/shop/wd-2/ask", "").await.status, 404);
    // Also about one that is closed: once, and then it is left alone again.
    assert_eq!(pawl.send(&withdrawal("wd-1", "completed")).await.status, 200);
    pawl.wait_for_order("wd-1", |order| order["final"] == true).await;
    provider.say(|_, _| Say::Status("completed"));
    let before = provider.asked("wd-1");
    assert_eq!(pawl.post("/api/v1/orders/shop/wd-1/ask", "").await.status, 202);
    pawl.wait_for_order("wd-1", |order| {
        provider.asked("wd-1") > before
            && order["asking"]["next_at"].is_null()
            && order["asking"]["under_way"] == false
    })
    .await;
    assert_eq!(provider.asked("wd-1"), before + 1);
}

async fn a_contradiction_makes_us_ask_and_an_answer_about_it_does_not(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("completed")).await;
    let pawl = start(form, &provider, "").await;
    for status in ["completed", "error"] {
        assert_eq!(pawl.send(&withdrawal("wd-1", status)).await.status, 200);
        pawl.wait_until_drained().await;
    }
    // Nobody waited ten seconds.
    provider.wait_until_asked("wd-1", 1).await;
    let order = pawl
        .wait_for_order("wd-1", |order| {
            let asking = &order["asking"];
            asking["under_way"] == false
                && asking["wanted"] == false
                && !asking["outcome"].is_null()
        })
        .await;
    // The answer settles nothing, because callbacks count as much here; but it is no reason to ask again.
    assert_eq!(order["conflict"], serde_json::json!(["completed", "error"]));
    let delay = secs(&order["asking"]["next_at"]) - secs(&order["asking"]["asked_at"]);
    assert!(delay > 8.0, "{delay}");
    assert_eq!(order["attention"][0]["code"], "conflict");
}

async fn an_answer_confirms_what_a_callback_said(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("completed")).await;
    let pawl = start(form, &provider, "confirm = \"always\"\n").await;
    assert_eq!(pawl.send(&withdrawal("wd-1", "completed")).await.status, 200);
    let order = pawl.wait_for_order("wd-1", |order| order["final"] == true).await;
    assert_eq!(provider.asked("wd-1"), 1);
    assert_eq!(order["effects"][0]["counter"], "debited");
    let verdicts: Vec<_> =
        pawl.events("wd-1").await.iter().map(|event| event["verdict"].clone()).collect();
    assert_eq!(verdicts[0], "early", "the money waited for the answer");
    assert_eq!(order["awaited_callback"], serde_json::Value::Null, "the callback was there first");
}

async fn nobody_asks_more_often_than_the_budget(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("completed")).await;
    // Longer than it takes to decide an answer, however busy the machine is: none is due a second time.
    let more = "[source.shop.ask]\nfirst_secs = 600\n[source.shop.limits]\nrequests_per_second = 1\nburst = 3\n";
    let pawl = start(form, &provider, more).await;
    let ids: Vec<String> = (0..12).map(|n| format!("wd-{n}")).collect();
    pawl.register(&ids).await;
    let started = std::time::Instant::now();
    pawl.clock.step_secs(700);
    let mut stepped = 0;
    while provider.asked_in_all() < ids.len() {
        let asked = provider.asked_in_all();
        pawl.clock.step_secs(1);
        stepped += 1;
        wait_until(|| provider.asked_in_all() > asked || stepped < 4, || format!("{asked} asked"))
            .await;
        let most = 3.0 + started.elapsed().as_secs_f64() + f64::from(stepped);
        assert!((provider.asked_in_all() as f64) <= most, "{} of {most}", provider.asked_in_all());
    }
    for id in &ids {
        let order = pawl.wait_for_order(id, |order| order["final"] == true).await;
        assert_eq!(order["asking"]["asks_since_move"], 0);
    }
    assert_eq!(provider.asked_in_all(), ids.len(), "a refusal by the budget is no ask");
}

async fn a_clock_that_is_put_back_stops_nobody_from_asking(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("new")).await;
    let pawl = start(form, &provider, "").await;
    pawl.register(&["wd-1".to_owned()]).await;
    pawl.clock.step_secs(20);
    provider.wait_until_asked("wd-1", 1).await;
    pawl.wait_for_order("wd-1", |order| order["asking"]["under_way"] == false).await;
    pawl.clock.step_secs(-7200);
    // What was put off by a clock that was ahead is due.
    provider.wait_until_asked("wd-1", 2).await;
    let order =
        pawl.wait_for_order("wd-1", |order| order["asking"]["answers_since_move"] == 1).await;
    let ahead = secs(&order["asking"]["next_at"]) - now(&pawl);
    assert!(ahead < 60.0, "it goes on by the schedule: {ahead}");
    // And forward: due at once, and once.
    pawl.clock.step_secs(7200);
    provider.wait_until_asked("wd-1", 3).await;
    pawl.wait_for_order("wd-1", |order| order["asking"]["answers_since_move"] == 2).await;
    assert_eq!(provider.asked("wd-1"), 3);
}

async fn a_callback_that_never_comes_is_counted_when_its_sender_has_given_up(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("completed")).await;
    let pawl = start(form, &provider, "").await;
    pawl.register(&["late".to_owned(), "never".to_owned()]).await;
    pawl.clock.step_secs(20);
    for id in ["late", "never"] {
        let order = pawl.wait_for_order(id, |order| order["final"] == true).await;
        assert_eq!(order["awaited_callback"]["missed"], false);
    }
    assert!(pawl.get("/metrics").await.body.contains("pawl_awaited_callbacks{source=\"shop\"} 2"));
    assert_eq!(pawl.send(&withdrawal("late", "completed")).await.status, 200);
    pawl.wait_for_order("late", |order| order["awaited_callback"].is_null()).await;
    // Twenty retries that double end after twelve days.
    pawl.clock.step_secs(13 * 86_400);
    pawl.wait_for_order("never", |order| order["awaited_callback"]["missed"] == true).await;
    let missed = "pawl_missed_callbacks_total{source=\"shop\"} 1";
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    while !pawl.get("/metrics").await.body.contains(missed) {
        assert!(std::time::Instant::now() < give_up_at, "it is not counted");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
