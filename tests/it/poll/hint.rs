//! Callbacks that nobody vouches for: they make us ask, and nothing else.

use std::time::Instant;

use pawl::order::report::Origin;
use pawl::queue::message::{Callback, CallbackHeader};
use pawl::store::Transaction;
use sqlx::Row;
use uuid::Uuid;

use super::{Provider, Say, start};
use crate::daemon::Pawl;
use crate::daemon::form::{Form, on_both_forms};
use crate::daemon::withdrawal;

on_both_forms!(
    strangers_make_no_order_and_starve_nobody,
    a_hint_about_a_known_order_makes_us_ask_early_and_once,
    hints_postpone_nothing,
    a_clock_that_was_put_back_leases_nothing,
    an_id_that_nobody_knows_becomes_an_order_only_by_the_providers_answer,
    two_ids_in_a_hint_are_not_one_order,
    what_cannot_be_read_is_settled_and_is_no_dead_letter,
    what_brings_no_answer_is_followed_a_few_times,
);

const LATE: &str = "[source.shop.ask]\nfirst_secs = 600\n";

fn hint(pawl: &Pawl, body: &str) -> Callback {
    let header = CallbackHeader {
        id: Uuid::now_v7(),
        source: "shop".to_owned(),
        origin: Origin::Callback,
        received_at: pawl.clock.now(),
        headers: [("user-agent", "anybody")].into_iter().collect(),
        attempt: 0,
        asked: std::collections::BTreeSet::new(),
        is_hint: true,
        is_item: false,
        said_at: None,
    };
    Callback { header, body: body.as_bytes().to_vec() }
}

impl Pawl {
    /// Has a hint come that claims whatever its body says.
    async fn hint(&self, body: &str) {
        self.queue().publish(hint(self, body)).await.unwrap();
    }

    /// Waits until so many hints are settled, and returns the metrics.
    async fn wait_until_settled(&self, hints: u64) -> String {
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        loop {
            let metrics = self.get("/metrics").await.body;
            let settled = sum(&metrics, "pawl_verdicts_total{", "verdict=\"hint\"");
            if settled == hints {
                return metrics;
            }
            assert!(Instant::now() < give_up_at, "{settled} of {hints} hints");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn count(&self, statement: &'static str) -> i64 {
        count(&mut self.store().read().await.unwrap(), statement).await
    }

    /// Waits until an order was asked about so often, and no hint is left.
    async fn wait_until_followed_by(&self, provider: &Provider, id: &str, times: usize) {
        provider.wait_until_asked(id, times).await;
        self.wait_until_followed().await;
    }

    /// Waits until no hint is left.
    async fn wait_until_followed(&self) {
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        while self.count("select count(*) from hints").await > 0 {
            assert!(Instant::now() < give_up_at, "a hint is left");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn dead_letters(&self) -> usize {
        let letters = self.get("/api/v1/dead-letters").await.json();
        letters["items"].as_array().unwrap().len()
    }
}

async fn count(transaction: &mut Transaction, statement: &'static str) -> i64 {
    match transaction {
        Transaction::Sqlite(t) => sqlx::query(statement).fetch_one(&mut **t).await.unwrap().get(0),
        Transaction::Postgres(t) => {
            sqlx::query(statement).fetch_one(&mut **t).await.unwrap().get(0)
        }
    }
}

fn sum(metrics: &str, name: &str, label: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

async fn strangers_make_no_order_and_starve_nobody(form: Form) {
    let provider = Provider::start(|id, _| match id.starts_with("wd-") {
        true => Say::Status("processing"),
        false => Say::status(404),
    })
    .await;
    let pawl = start(form, &provider, "").await;
    let began = Instant::now();
    let ids: Vec<String> = (0..20).map(|n| format!("wd-{n}")).collect();
    pawl.register(&ids).await;
    let orders: Vec<_> = ids.iter().map(|id| pawl.order(id)).collect();
    let orders = futures_util::future::join_all(orders).await;
    // Half a thousand about orders that are known, and most about what nobody ever heard of.
    let bodies = (0..10_000).map(|n| match n % 20 {
        0 => withdrawal(&format!("wd-{}", n / 20 % 20), "completed"),
        _ => withdrawal(&format!("stranger-{n}"), "completed"),
    });
    let hints: Vec<Callback> = bodies.map(|body| hint(&pawl, &body)).collect();
    for hints in hints.chunks(500) {
        let published = hints.iter().map(|hint| pawl.queue().publish(hint.clone()));
        for published in futures_util::future::join_all(published).await {
            published.unwrap();
        }
    }
    let metrics = pawl.wait_until_settled(10_000).await;
    let became = |metrics: &str, word: &str| {
        sum(metrics, "pawl_hints_total{", &format!("outcome=\"{word}\""))
    };
    let all = ["recorded", "coalesced", "over_limit"].map(|word| became(&metrics, word));
    assert_eq!(all.iter().sum::<u64>(), 10_000, "{all:?}");
    assert!(all[2] >= 8_000, "most are not even remembered: {all:?}");
    assert_eq!(pawl.count("select count(*) from orders").await, 20);
    assert_eq!(
        pawl.count("select count(*) from event_bodies where verdict = 'hint'").await,
        10_000
    );
    assert_eq!(pawl.count("select count(body) from event_bodies where verdict = 'hint'").await, 0);
    assert!(pawl.count("select count(*) from hints").await <= 1_020);
    assert_eq!(pawl.dead_letters().await, 0);
    // Those that are known are asked about when they are due, whatever strangers want.
    let (mut stepped, strangers) = (0, |provider: &Provider| {
        provider.asked_in_all() - ids.iter().map(|id| provider.asked(id)).sum::<usize>()
    });
    for id in &ids {
        while provider.asked(id) == 0 {
            pawl.clock.step_secs(1);
            stepped += 1;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            assert!(stepped < 600, "{id} is never asked about");
        }
    }
    let metrics = pawl.get("/metrics").await.body;
    // What the bucket holds, and one for each second that has passed since, by the clock that it is filled by.
    let most = 5.0 + began.elapsed().as_secs_f64() + f64::from(stepped) + 1.0;
    let asked = became(&metrics, "asked");
    assert!(asked as f64 <= most && strangers(&provider) as f64 <= most, "{asked} of {most}");
    for (id, before) in ids.iter().zip(orders) {
        let order = pawl.wait_for_order(id, |order| order["status"] == "processing").await;
        assert_eq!((&order["key"], &order["final"]), (&before["key"], &false.into()));
    }
    assert_eq!(provider.faults(), Vec::<String>::new());
}

async fn a_hint_about_a_known_order_makes_us_ask_early_and_once(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("completed")).await;
    let pawl = start(form, &provider, LATE).await;
    pawl.register(&["wd-1".to_owned()]).await;
    // It claims something else, and twice.
    for _ in 0..2 {
        pawl.hint(&withdrawal("wd-1", "error")).await;
    }
    let order = pawl.wait_for_order("wd-1", |order| order["final"] == true).await;
    assert_eq!(order["status"], "completed", "only the answer counts");
    pawl.wait_until_settled(2).await;
    pawl.clock.step_secs(601);
    pawl.wait_until_followed().await;
    let asked = provider.asked("wd-1");
    assert!(asked <= 2, "two hints are at most two asks: {asked}");
    let events = pawl.events("wd-1").await;
    let origins: Vec<_> = events.iter().map(|event| event["origin"].as_str().unwrap()).collect();
    assert_eq!(origins, ["registration", "answer"]);
    // Also about one that is closed: once.
    pawl.clock.step_secs(601);
    pawl.hint(&withdrawal("wd-1", "completed")).await;
    pawl.wait_until_followed_by(&provider, "wd-1", asked + 1).await;
    pawl.clock.step_secs(40 * 86_400);
    pawl.register(&["probe".to_owned()]).await;
    pawl.clock.step_secs(700);
    provider.wait_until_asked("probe", 1).await;
    assert_eq!(provider.asked("wd-1"), asked + 1, "it is left alone");
    let order = pawl.order("wd-1").await;
    assert_eq!(
        (&order["asking"]["phase"], &order["asking"]["next_at"]),
        (&"closed".into(), &().into())
    );
}

async fn hints_postpone_nothing(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("processing")).await;
    let pawl = start(form, &provider, LATE).await;
    assert_eq!(pawl.send(&withdrawal("wd-1", "processing")).await.status, 200);
    let before = pawl.wait_for_order("wd-1", |order| order["status"] == "processing").await;
    pawl.hint(&withdrawal("wd-1", "completed")).await;
    pawl.wait_until_followed_by(&provider, "wd-1", 1).await;
    // The answer says what the callback said.
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    while pawl.events("wd-1").await[0]["repeats"] != 1 {
        assert!(Instant::now() < give_up_at, "{:?}", pawl.events("wd-1").await);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let order = pawl.wait_for_order("wd-1", |o| o["asking"]["under_way"] == false).await;
    for what in ["phase", "next_at", "asks_since_move", "answers_since_move", "wanted"] {
        assert_eq!(order["asking"][what], before["asking"][what], "{what}");
    }
    assert_eq!(order["awaited_callback"], before["awaited_callback"]);
    // Not again before the first delay is over, whoever hints how often.
    for _ in 0..3 {
        pawl.hint(&withdrawal("wd-1", "completed")).await;
    }
    pawl.wait_until_settled(4).await;
    pawl.hint(&withdrawal("probe", "completed")).await;
    provider.wait_until_asked("probe", 1).await;
    assert_eq!(provider.asked("wd-1"), 1);
    // By the schedule it is asked about as if nothing had been: and that answers all of them.
    pawl.clock.step_secs(700);
    pawl.wait_until_followed_by(&provider, "wd-1", 2).await;
    assert_eq!(provider.asked("wd-1"), 2);
}

async fn a_clock_that_was_put_back_leases_nothing(form: Form) {
    let provider = Provider::start(|_, _| Say::Status("processing")).await;
    let pawl = start(form, &provider, LATE).await;
    pawl.register(&["wd-1".to_owned()]).await;
    pawl.hint(&withdrawal("wd-1", "completed")).await;
    pawl.wait_until_followed_by(&provider, "wd-1", 1).await;
    // The next one is not followed before the first delay is over.
    pawl.hint(&withdrawal("wd-1", "completed")).await;
    pawl.wait_until_settled(2).await;
    pawl.wait_for_order("wd-1", |order| order["asking"]["under_way"] == false).await;
    let mut transaction = pawl.store().begin().await.unwrap();
    let now = transaction.now(&pawl.clock).await.unwrap();
    let before = now.minus(std::time::Duration::from_secs(60)).unwrap();
    let until = before.plus_secs(240);
    transaction.mend_hints("shop", before, until).await.unwrap();
    let mended = transaction.mend_asks("shop", before, before, until).await.unwrap();
    assert_eq!(mended, 1);
    for (statement, wanted) in [
        ("select count(*) from hints", 1),
        ("select count(*) from hints where lease_until is not null", 0),
        ("select count(*) from orders where next_ask_at is not null", 1),
        ("select count(*) from orders where ask_lease_until is not null", 0),
    ] {
        assert_eq!(count(&mut transaction, statement).await, wanted, "{statement}");
    }
    transaction.rollback().await.unwrap();
}

async fn an_id_that_nobody_knows_becomes_an_order_only_by_the_providers_answer(form: Form) {
    let provider = Provider::start(|id, _| match id {
        "real" => Say::Status("processing"),
        _ => Say::status(404),
    })
    .await;
    let pawl = start(form, &provider, LATE).await;
    pawl.hint(&withdrawal("real", "completed")).await;
    let order = pawl.wait_for_order("real", |_| true).await;
    assert_eq!((&order["status"], &order["final"]), (&"processing".into(), &false.into()));
    let events = pawl.events("real").await;
    assert_eq!((events.len(), &events[0]["origin"]), (1, &"answer".into()));
    assert_eq!(order["effects"].as_array().unwrap().len(), 1, "what the answer says is held");
    // One that says no more than an id, as some providers do.
    pawl.hint(r#"{"order_uuid":"uuid-ghost"}"#).await;
    pawl.wait_until_settled(2).await;
    pawl.wait_until_followed_by(&provider, "ghost", 1).await;
    assert_eq!(pawl.get("/api/v1/orders/shop/uuid-ghost").await.status, 404);
    assert_eq!(pawl.count("select count(*) from orders").await, 1);
    assert_eq!((provider.asked("ghost"), provider.asked("real")), (1, 1));
    assert_eq!(pawl.dead_letters().await, 0);
    assert_eq!(provider.faults(), Vec::<String>::new());
}

async fn two_ids_in_a_hint_are_not_one_order(form: Form) {
    let provider = Provider::start(|_, _| Say::status(404)).await;
    let pawl = start(form, &provider, LATE).await;
    pawl.register(&["wd-1".to_owned(), "wd-2".to_owned()]).await;
    let keys = [pawl.order("wd-1").await["key"].clone(), pawl.order("wd-2").await["key"].clone()];
    pawl.hint(r#"{"order_uuid":"wd-2","user_order_id":"wd-1","status":"completed"}"#).await;
    pawl.hint(r#"{"order_uuid":"new","user_order_id":"wd-1","status":"completed"}"#).await;
    provider.wait_until_asked("wd-1", 1).await;
    provider.wait_until_asked("wd-2", 1).await;
    pawl.wait_until_settled(2).await;
    pawl.clock.step_secs(601);
    pawl.wait_until_followed().await;
    for (id, key) in ["wd-1", "wd-2"].iter().zip(keys) {
        let order = pawl.order(id).await;
        assert_eq!((&order["key"], order["ids"].as_array().unwrap().len()), (&key, 1));
        assert_eq!(order["status"], serde_json::Value::Null);
    }
    assert_eq!(pawl.count("select count(*) from order_ids").await, 2);
    assert_eq!(provider.asked("new"), 0, "the order is asked about by what is known of it");
}

async fn what_cannot_be_read_is_settled_and_is_no_dead_letter(form: Form) {
    let provider = Provider::start(|_, _| Say::status(404)).await;
    let pawl = start(form, &provider, LATE).await;
    for body in ["not json", "{}", r#"{"status":"completed"}"#, r#"{"order_uuid":"a\u0000"}"#] {
        pawl.hint(body).await;
    }
    let mut gone = hint(&pawl, &withdrawal("wd-1", "completed"));
    gone.header.source = "gone".to_owned();
    let again = hint(&pawl, "[]");
    for callback in [gone, again.clone(), again.clone(), again] {
        pawl.queue().publish(callback).await.unwrap();
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        while pawl.queue().depth().await.unwrap().waiting > 0 {
            assert!(Instant::now() < give_up_at, "it is not settled");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    pawl.hint(&withdrawal("last", "completed")).await;
    let metrics = pawl.wait_until_settled(7).await;
    pawl.wait_until_followed().await;
    assert_eq!(sum(&metrics, "pawl_hints_total{", "outcome=\"unreadable\""), 6);
    assert_eq!(sum(&metrics, "pawl_dead_callbacks_total{", ""), 0);
    assert_eq!(pawl.dead_letters().await, 0);
    let settled = "select count(*) from event_bodies where verdict = 'hint'";
    assert_eq!(pawl.count(settled).await, 7, "each once, however often it comes");
    assert_eq!(pawl.count("select count(*) from orders").await, 0);
}

async fn what_brings_no_answer_is_followed_a_few_times(form: Form) {
    let provider = Provider::start(|_, _| Say::status(500)).await;
    let pawl = start(form, &provider, LATE).await;
    pawl.hint(&withdrawal("stranger", "completed")).await;
    for times in 1..=4 {
        provider.wait_until_asked("stranger", times).await;
        pawl.clock.step_secs(300);
    }
    pawl.wait_until_followed().await;
    assert_eq!(provider.asked("stranger"), 4);
    // It says nothing about the source: an order that is known is asked about at once.
    pawl.register(&["wd-1".to_owned()]).await;
    pawl.hint(&withdrawal("wd-1", "completed")).await;
    provider.wait_until_asked("wd-1", 1).await;
    let metrics = pawl.wait_until_settled(2).await;
    assert_eq!(sum(&metrics, "pawl_hints_total{", "outcome=\"given_up\""), 1);
}
