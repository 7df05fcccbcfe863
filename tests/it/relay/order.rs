//! One order's notices keep their order, and nobody else waits for them.

use super::{Answer, FAST, Receiver, send, start};
use crate::daemon::form::{Form, on_both_forms};
use crate::poll::wait_until;

on_both_forms!(
    what_is_not_taken_is_not_overtaken_by_what_follows,
    an_order_that_is_slow_keeps_no_other_waiting,
    many_orders_at_once_each_keep_their_order,
);

async fn what_is_not_taken_is_not_overtaken_by_what_follows(form: Form) {
    // Each is refused twice before it is taken, in ways of its own.
    let receiver =
        Receiver::start(|body, before| match (before, body["sequence"].as_str().unwrap()) {
            (0, "0000000001") => Answer::Status(404),
            (0, _) => Answer::Status(500),
            (1, _) => Answer::With(302, "location", "/elsewhere".to_owned()),
            (_, _) => Answer::Status(200),
        })
        .await;
    let pawl = start(form, &receiver, FAST).await;
    for status in ["new", "processing", "completed"] {
        send(&pawl, "w-1", status).await;
    }
    wait_until(
        || receiver.taken_of("w-1").iter().any(|kind| kind == "pawl.effect.released"),
        || format!("{:?}", receiver.taken_of("w-1")),
    )
    .await;
    receiver.check_order();
    let taken = receiver.taken();
    let heard = receiver.heard();
    assert_eq!(heard.len(), taken.len() * 3, "each came until it was taken, and not after");
}

async fn an_order_that_is_slow_keeps_no_other_waiting(form: Form) {
    let receiver = Receiver::start(|body, _| match body["subject"].as_str().unwrap() {
        "slow" => Answer::Never,
        "bad" => Answer::Status(422),
        _ => Answer::Status(200),
    })
    .await;
    let pawl = start(form, &receiver, FAST).await;
    for id in ["slow", "bad"] {
        send(&pawl, id, "completed").await;
    }
    for n in 0..10 {
        let id = format!("w-{n}");
        send(&pawl, &id, "completed").await;
        receiver.wait_for(&id, 2).await;
    }
    assert!(receiver.taken_of("slow").is_empty() && receiver.taken_of("bad").is_empty());
    receiver.answer(|_, _| Answer::Status(200));
    receiver.wait_for("bad", 2).await;
    receiver.check_order();
}

async fn many_orders_at_once_each_keep_their_order(form: Form) {
    // A third of all first attempts fail.
    let receiver = Receiver::start(|body, before| {
        let id = body["id"].as_str().unwrap();
        let is_bad = before == 0 && id.bytes().map(u32::from).sum::<u32>() % 3 == 0;
        Answer::Status(if is_bad { 503 } else { 200 })
    })
    .await;
    let pawl = start(form, &receiver, FAST).await;
    for status in ["new", "processing", "completed"] {
        for n in 0..40 {
            send(&pawl, &format!("w-{n}"), status).await;
        }
    }
    for n in 0..40 {
        let id = format!("w-{n}");
        let is_done = || receiver.taken_of(&id).iter().any(|kind| kind == "pawl.effect.released");
        wait_until(is_done, || format!("{:?}", receiver.taken_of(&id))).await;
    }
    receiver.check_order();
    let debited = receiver.taken();
    let debited = debited.iter().filter(|heard| heard.kind() == "pawl.effect.debited");
    assert_eq!(debited.count(), 40, "money moves once");
}
