//! Bad input to the receive port, and the answer: over raw sockets, row by row.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Answer, Pawl, callback, exchange, exchange_bytes, sign, sign_with, withdrawal};

/// A request with these lines after the first.
fn request(line: &str, headers: &str, body: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n{body}")
}

fn signed(body: &str, more: &str) -> String {
    let length = body.len();
    let headers = format!("signature: {}\r\ncontent-length: {length}\r\n{more}", sign(body));
    request("POST /callbacks/shop", &headers, body)
}

async fn status(pawl: &Pawl, request: &str) -> u16 {
    exchange(pawl.receive, request).await.status
}

#[tokio::test]
async fn only_post_to_a_known_source_is_answered() {
    let pawl = Pawl::start().await;
    for method in ["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH"] {
        let answer =
            exchange(pawl.receive, &request(&format!("{method} /callbacks/shop"), "", "")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
    }
    let body = withdrawal("x", "new");
    let missing =
        exchange(pawl.receive, &request("POST /nothing", "content-length: 0\r\n", "")).await;
    for path in [
        "/callbacks/SHOP",
        "/callbacks/shop/",
        "/callbacks/",
        "/callbacks",
        "/callbacks/%73hop",
        "/callbacks/%EF%BC%B3hop",
        "/callbacks/..%2f..%2fetc",
        "/callbacks/shop%00",
        "/callbacks/shop%0d%0a",
        "/callbacks/%ff",
        "/callbacks/other",
        "//callbacks/shop",
    ] {
        let sent = signed(&body, "").replace("/callbacks/shop ", &format!("{path} "));
        let answer = exchange(pawl.receive, &sent).await;
        assert_eq!((answer.status, &answer.body), (404, &missing.body), "{path}");
    }
    assert!(!pawl.get("/metrics").await.body.contains("SHOP"), "no label from input");
}

#[tokio::test]
async fn a_body_is_bounded_whether_or_not_it_says_how_long_it_is() {
    let pawl = Pawl::start_with("[work]\nlinger_ms = 0\n").await;
    let max = 262_144;
    let body = withdrawal("big", "new");
    let large = format!("{body}{}", " ".repeat(max - body.len()));
    assert_eq!(pawl.send(&large).await.status, 200, "exactly at the limit");
    let too_large = "x".repeat(max + 1);
    // Refused before it is read: not a byte of it is sent.
    let headers = format!("signature: {}\r\ncontent-length: {}\r\n", "0".repeat(64), max + 1);
    assert_eq!(status(&pawl, &request("POST /callbacks/shop", &headers, "")).await, 413);
    let mut chunked = String::new();
    for chunk in too_large.as_bytes().chunks(60_000) {
        chunked.push_str(&format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)));
    }
    let headers = format!("signature: {}\r\ntransfer-encoding: chunked\r\n", sign(&too_large));
    let sent = request("POST /callbacks/shop", &headers, &format!("{chunked}0\r\n\r\n"));
    assert_eq!(status(&pawl, &sent).await, 413);
    let small = withdrawal("chunks", "new");
    let headers = format!("signature: {}\r\ntransfer-encoding: chunked\r\n", sign(&small));
    let chunked = format!("{:x}\r\n{small}\r\n0\r\n\r\n", small.len());
    assert_eq!(status(&pawl, &request("POST /callbacks/shop", &headers, &chunked)).await, 200);
    assert_eq!(
        status(&pawl, &request("POST /callbacks/shop", "content-length: 0\r\n", "")).await,
        400
    );
    assert_eq!(status(&pawl, &request("POST /callbacks/shop", "", "")).await, 400);
}

#[tokio::test]
async fn framing_that_could_be_read_in_two_ways_is_refused() {
    let pawl = Pawl::start().await;
    let body = withdrawal("x", "new");
    let length = body.len();
    let two = signed(&body, "content-length: 3\r\n");
    assert_eq!(status(&pawl, &two).await, 400);
    // Both: what stands here is taken by the chunks, and the connection is closed after it.
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let headers = format!(
        "signature: {}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n",
        sign(&body)
    );
    let both = format!("POST /callbacks/shop HTTP/1.1\r\nhost: x\r\n{headers}\r\n{chunked}");
    let answer = exchange(pawl.receive, &both).await;
    assert!(answer.status == 400 || answer.header("connection") == Some("close"), "{answer:?}");
    let broken = "POST /callbacks/shop HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(status(&pawl, broken).await, 400);
    let raw_cr = request("POST /callbacks/shop", "x-a: b\rc\r\ncontent-length: 1\r\n", "x");
    assert_eq!(status(&pawl, &raw_cr).await, 400);
}

#[tokio::test]
async fn heads_are_bounded() {
    let pawl = Pawl::start().await;
    let many: String = (0..101).map(|n| format!("x-{n}: y\r\n")).collect();
    assert_eq!(status(&pawl, &request("POST /callbacks/shop", &many, "")).await, 431);
    let long = format!("x-long: {}\r\n", "y".repeat(500_000));
    assert_eq!(status(&pawl, &request("POST /callbacks/shop", &long, "")).await, 431);
    let path = format!("POST /callbacks/{}", "x".repeat(70_000));
    let answer = status(&pawl, &request(&path, "", "")).await;
    assert!(answer == 414 || answer == 431, "{answer}");
}

#[tokio::test]
async fn bodies_that_are_packed_or_of_another_type_are_unsupported() {
    let pawl = Pawl::start().await;
    let body = withdrawal("x", "new");
    for encoding in ["gzip", "br", "deflate", "gzip, identity"] {
        let sent = signed(&body, &format!("content-encoding: {encoding}\r\n"));
        assert_eq!(status(&pawl, &sent).await, 415, "{encoding}");
    }
    for kind in ["text/html", "application/x-www-form-urlencoded", "application/jsonp", "\u{1}"] {
        let sent = signed(&body, &format!("content-type: {kind}\r\n"));
        let answer = status(&pawl, &sent).await;
        assert!(answer == 415 || answer == 400, "{kind} {answer}");
    }
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(status(&pawl, &signed(&body, &format!("content-type: {kind}\r\n"))).await, 200);
    }
    assert_eq!(status(&pawl, &signed(&body, "")).await, 200, "a missing type is not a wrong one");
}

#[tokio::test]
async fn what_is_not_signed_by_the_provider_is_not_accepted() {
    let pawl = Pawl::start_with(
        "[source.other]\nprovider = \"flypay\"\ncallback_secrets = [{ env = \"SECRET_2\" }]\n\
         [source.expired]\nprovider = \"flypay\"\ncallback_secrets = [{ env = \"SECRET_3\", not_after = \"2020-01-01T00:00:00Z\" }]\n",
    )
    .await;
    let body = withdrawal("x", "new");
    let good = sign(&body);
    let with = |signature: &str| {
        let headers = format!("{signature}content-length: {}\r\n", body.len());
        request("POST /callbacks/shop", &headers, &body)
    };
    let mut refused = vec![
        with(""),
        with(&format!("signature: {good}\r\nsignature: {good}\r\n")),
        with(&format!("signature: {good}\r\nSIGNATURE: \u{fe}\r\n")),
        with(&format!("signature: {good},{good}\r\n")),
        with("signature: \r\n"),
        with("signature: zz\r\n"),
        with(&format!("signature: {}\r\n", "0".repeat(64))),
        with(&format!("signature: {}\r\n", &good[..62])),
        with(&format!("signature: {}\r\n", "0".repeat(60_000))),
        with(&format!("signature: {good}\r\nalg: none\r\n")).replace(&good, "none"),
        with(&format!("signature: {}\r\n", sign(&format!("{body} ")))),
    ];
    // Another source's secret, and one that is good no more.
    for (source, signature) in [("other", &good), ("expired", &sign_with("expired", &body))] {
        let sent = with(&format!("signature: {signature}\r\n"));
        refused.push(sent.replace("/callbacks/shop ", &format!("/callbacks/{source} ")));
    }
    for sent in refused {
        let Answer { status, body, .. } = exchange(pawl.receive, &sent).await;
        assert_eq!(
            (status, body.as_str()),
            (401, "{\"title\":\"Unauthorized\",\"status\":401}\n"),
            "{sent:.300}"
        );
    }
    assert_eq!(status(&pawl, &with(&format!("signature: {good}\r\n"))).await, 200);
    let metrics = pawl.wait_until_drained().await;
    assert!(
        metrics.contains("pawl_callbacks_total{outcome=\"unauthentic\",source=\"shop\"} 11"),
        "{metrics}"
    );
}

#[tokio::test]
async fn who_sends_slowly_is_not_waited_for() {
    let pawl = Pawl::start().await;
    let read = |mut stream: TcpStream| async move {
        let mut answer = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer));
        end.await.expect("the connection is closed").ok();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let mut head = TcpStream::connect(pawl.receive).await.unwrap();
    head.write_all(b"POST /callbacks/shop HTTP/1.1\r\nhost: ").await.unwrap();
    let mut body = TcpStream::connect(pawl.receive).await.unwrap();
    let sent = b"POST /callbacks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    body.write_all(sent).await.unwrap();
    let (head, body) = tokio::join!(read(head), read(body));
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408"), "{head}");
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert_eq!(pawl.send(&withdrawal("x", "new")).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_not_accepted() {
    let pawl = Pawl::start().await;
    let body = withdrawal("cut", "new");
    let mut stream = TcpStream::connect(pawl.receive).await.unwrap();
    let sent = signed(&body, "");
    stream.write_all(&sent.as_bytes()[..sent.len() - 5]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(pawl.get("/api/v1/orders/shop/cut").await.status, 404);
}

#[tokio::test]
async fn who_hangs_up_after_sending_is_heard_all_the_same() {
    let pawl = Pawl::start().await;
    let body = withdrawal("gone", "completed");
    let mut stream = TcpStream::connect(pawl.receive).await.unwrap();
    stream.write_all(signed(&body, "").as_bytes()).await.unwrap();
    drop(stream);
    pawl.wait_for("/api/v1/orders/shop/gone", |order| order["status"] == "completed").await;
}

#[tokio::test]
async fn too_many_at_once_are_told_to_come_again() {
    let pawl = Pawl::start_with("").await;
    pawl.wait_until_drained().await;
    let busy = Pawl::start_with("[log]\nlevel = \"warn\"\n").await;
    drop(pawl);
    // More requests are held open, their bodies unfinished, than may be under way.
    let held = b"POST /callbacks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    let mut open = Vec::new();
    for _ in 0..1024 {
        let mut stream = TcpStream::connect(busy.receive).await.unwrap();
        stream.write_all(held).await.unwrap();
        open.push(stream);
    }
    let give_up_at = std::time::Instant::now() + Duration::from_secs(9);
    loop {
        let metrics = busy.get("/metrics").await.body;
        if metrics.contains("pawl_requests_in_flight 1024") {
            break;
        }
        assert!(std::time::Instant::now() < give_up_at, "never busy");
        tokio::task::yield_now().await;
    }
    let answer = busy.send(&withdrawal("x", "new")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    drop(open);
    let body = withdrawal("x", "new");
    let give_up_at = std::time::Instant::now() + Duration::from_secs(9);
    while callback(busy.receive, &body, &sign(&body)).await.status != 200 {
        assert!(std::time::Instant::now() < give_up_at, "busy for ever");
    }
}

#[tokio::test]
async fn bytes_that_are_no_request_end_the_connection_and_nothing_else() {
    let pawl = Pawl::start().await;
    for bytes in [&b"\x16\x03\x01\x02\x00\x01"[..], b"\x00\x00\x00\x00\r\n\r\n", b"GET\r\n\r\n"] {
        let answer = exchange_bytes(pawl.receive, bytes).await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 400));
    }
    assert_eq!(pawl.send(&withdrawal("x", "new")).await.status, 200);
}
