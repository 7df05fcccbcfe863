//! Several relays on one outbox, and transactions that are slower than others.

use std::collections::BTreeMap;

use pawl::clock::Clock;
use pawl::config::Config;
use pawl::order::name::{EventId, OrderId, Role};
use pawl::order::report::{Content, Origin, Report};
use pawl::roles::{self, Roles};
use pawl::run::Daemon;
use pawl::work::apply::Apply;

use super::{Answer, FAST, Receiver, send, start};
use crate::daemon::form::{Form, Own};
use crate::daemon::{Pawl, env};
use crate::order::said;
use crate::poll::wait_until;

/// Each of two processes delivers, and an order is one's at a time.
#[tokio::test]
async fn of_two_relays_each_order_is_ones_at_a_time() {
    let receiver = Receiver::start(|body, before| {
        let id = body["id"].as_str().unwrap();
        let is_bad = before == 0 && id.bytes().map(u32::from).sum::<u32>() % 4 == 0;
        Answer::Status(if is_bad { 500 } else { 200 })
    })
    .await;
    let own = Own::new(Form::Distributed).await;
    let text = own.config(&receiver.sink("books", FAST));
    let config = Config::read("pawl.toml", &text, &env()).unwrap();
    let roles = Roles::of(&[roles::Role::Relay]);
    let other = Daemon::start(&config, &roles, Clock::default()).await.unwrap();
    let pawl = Pawl::start_by(own, text).await;
    for status in ["new", "processing", "completed"] {
        for n in 0..60 {
            send(&pawl, &format!("w-{n}"), status).await;
        }
    }
    for n in 0..60 {
        let id = format!("w-{n}");
        let is_done = || receiver.taken_of(&id).iter().any(|kind| kind == "pawl.effect.released");
        wait_until(is_done, || format!("{id}: {:?}", receiver.taken_of(&id))).await;
    }
    receiver.check_order();
    let heard = receiver.heard();
    let again = heard.iter().filter(|heard| heard.is_taken()).count() - receiver.taken().len();
    assert_eq!(again, 0, "what was taken came again, although nobody was away");
    other.stop().await.unwrap();
}

/// A number that counts up would be read past before the slow one is there.
#[tokio::test]
async fn a_transaction_that_was_slow_is_not_overlooked() {
    let receiver = Receiver::willing().await;
    let pawl = start(Form::Distributed, &receiver, "").await;
    let config = Config::read("pawl.toml", pawl.text(), &env()).unwrap();
    let source = &config.sources["shop"];
    let slow = Report {
        origin: Origin::Callback,
        event_id: EventId::new("slow-1").unwrap(),
        received_at: pawl.clock.now(),
        names: BTreeMap::from([(OrderId::new("slow").unwrap(), Role::Merchant)]),
        content: Content::Said(said("processing")),
    };
    // Decided and written, by a process that takes its time.
    let transaction = pawl.store().begin().await.unwrap();
    let now = pawl.clock.now();
    let mut apply = Apply::load(transaction, &[(source, &slow)], now).await.unwrap();
    apply.decide(source, &slow);
    apply.write().await.unwrap();
    // What was decided later is there first, and delivered.
    send(&pawl, "fast", "new").await;
    receiver.wait_for("fast", 1).await;
    assert!(receiver.taken_of("slow").is_empty(), "it is not committed");
    apply.commit().await.unwrap();
    receiver.wait_for("slow", 1).await;
    receiver.check_order();
}
