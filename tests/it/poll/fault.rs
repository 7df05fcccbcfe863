//! What is no answer is no information, whatever it looks like.

use std::io::Write;

use super::{Provider, Say, start};
use crate::daemon::form::Form;
use crate::daemon::{sign, withdrawal};

/// Answers that are none, and what is said about each.
fn answers() -> Vec<(&'static str, Say)> {
    let page = "<html><body>maintenance</body></html>";
    let order =
        |id: &str| format!("{{\"status\":\"success\",\"data\":{}}}", withdrawal(id, "completed"));
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 16];
    for _ in 0..1024 {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 100_000, "it is small as it travels");
    vec![
        ("it answered 500", Say::status(500)),
        ("it answered 502", Say::status(502)),
        ("it answered 400", Say::status(400)),
        ("it sends us elsewhere", Say::status(302).with("location", "/v2/order/status")),
        (
            "not authentic",
            Say::Raw {
                status: 200,
                headers: vec![("content-type", "text/html".into())],
                body: page.into(),
                is_signed: false,
            },
        ),
        (
            "not authentic",
            Say::Raw { status: 200, headers: vec![], body: order("wd-1").into(), is_signed: false },
        ),
        (
            "not authentic",
            Say::Raw {
                status: 200,
                headers: vec![("signature", sign("another body"))],
                body: order("wd-1").into(),
                is_signed: false,
            },
        ),
        ("no information", Say::signed(page)),
        ("no information", Say::signed("")),
        ("no information", Say::signed(&order("wd-1").as_bytes()[..80])),
        ("`error`", Say::signed(order("wd-1").replace("success", "error"))),
        ("another order", Say::OtherOrder),
        ("larger than", Say::signed(vec![b' '; (1 << 20) + 1])),
        (
            "larger than",
            Say::Raw {
                status: 200,
                headers: vec![("content-encoding", "gzip".into())],
                body: bomb,
                is_signed: false,
            },
        ),
        (
            "no answer",
            Say::Raw {
                status: 200,
                headers: vec![("content-encoding", "gzip".into())],
                body: b"no gzip".to_vec(),
                is_signed: true,
            },
        ),
        ("no such order", Say::status(404)),
    ]
}

#[tokio::test]
async fn what_is_no_information_moves_nothing() {
    for form in [Form::Embedded, Form::Distributed] {
        let wrong = answers();
        let count = wrong.len();
        let said: Vec<Say> = wrong.iter().map(|(_, say)| say.clone()).collect();
        // One order each, so that none waits for another's delays; and one that is answered in between,
        // so that the source is not left alone.
        let provider = Provider::start(move |id, before| {
            let index = id.strip_prefix("wd-bad-").and_then(|index| index.parse::<usize>().ok());
            match index {
                Some(index) if before == 0 => said[index].clone(),
                _ => Say::Status("completed"),
            }
        })
        .await;
        let limits = "[source.shop.limits]\nrequests_per_second = 1000\nburst = 1000\n";
        let pawl = start(form, &provider, limits).await;
        for (index, (what, _)) in wrong.iter().enumerate() {
            let (bad, good) = (format!("wd-bad-{index}"), format!("wd-good-{index}"));
            pawl.register(std::slice::from_ref(&bad)).await;
            pawl.post(&format!("/api/v1/orders/shop/{bad}/ask"), "").await;
            let order = pawl
                .wait_for_order(&bad, |order| {
                    !order["asking"]["outcome"].is_null() && order["asking"]["under_way"] == false
                })
                .await;
            let outcome = order["asking"]["outcome"].as_str().unwrap();
            assert!(outcome.contains(what), "{index}: {outcome}, not {what}");
            assert_eq!(order["status"], serde_json::Value::Null, "{index}: {what}");
            assert_eq!(order["effects"], serde_json::json!([]));
            pawl.register(std::slice::from_ref(&good)).await;
            pawl.post(&format!("/api/v1/orders/shop/{good}/ask"), "").await;
            pawl.wait_for_order(&good, |order| order["final"] == true).await;
        }
        // All of them are found later.
        pawl.clock.step_secs(100);
        for index in 0..count {
            pawl.wait_for_order(&format!("wd-bad-{index}"), |order| order["final"] == true).await;
        }
        assert_eq!(pawl.get("/api/v1/dead-letters").await.json()["items"], serde_json::json!([]));
        assert_eq!(provider.faults(), Vec::<String>::new());
    }
}

/// Ten seconds each, at the same time.
#[tokio::test]
async fn who_says_nothing_or_never_ends_is_given_up() {
    let provider = Provider::start(|id, before| match (id, before) {
        ("wd-silent", 0) => Say::Silence,
        ("wd-endless", 0) => Say::Trickle,
        _ => Say::Status("completed"),
    })
    .await;
    let pawl = start(Form::Embedded, &provider, "").await;
    let ids = ["wd-silent".to_owned(), "wd-endless".to_owned(), "wd-fine".to_owned()];
    pawl.register(&ids).await;
    for id in &ids {
        pawl.post(&format!("/api/v1/orders/shop/{id}/ask"), "").await;
    }
    // One that hangs keeps no other waiting.
    pawl.wait_for_order("wd-fine", |order| order["final"] == true).await;
    for id in &ids[..2] {
        assert_eq!(pawl.order(id).await["asking"]["under_way"], true);
    }
    for id in &ids[..2] {
        let order = pawl.wait_for_order(id, |order| order["asking"]["under_way"] == false).await;
        let outcome = order["asking"]["outcome"].as_str().unwrap();
        assert!(outcome.contains("longer than 10 s"), "{outcome}");
    }
    pawl.clock.step_secs(100);
    for id in &ids {
        pawl.wait_for_order(id, |order| order["final"] == true).await;
    }
}

#[tokio::test]
async fn nobody_there_is_no_answer_either() {
    let provider = Provider::start(|_, _| Say::Status("completed")).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let source = provider.source().replace(&provider.address.to_string(), &address.to_string());
    let pawl = crate::daemon::Pawl::start_on(Form::Embedded, &source).await;
    pawl.register(&["wd-1".to_owned()]).await;
    pawl.post("/api/v1/orders/shop/wd-1/ask", "").await;
    let order = pawl
        .wait_for_order("wd-1", |order| {
            !order["asking"]["outcome"].is_null() && order["asking"]["under_way"] == false
        })
        .await;
    let outcome = order["asking"]["outcome"].as_str().unwrap();
    assert!(outcome.starts_with("no answer: "), "{outcome}");
    assert!(!outcome.contains("http"), "no URL: it may name an order: {outcome}");
    assert_eq!(order["final"], false);
}
