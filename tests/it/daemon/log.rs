//! What is said: the log as programs read it, and what is never in it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::exchange_bytes;
use super::form::{Form, Own, on_both_forms};
use super::process::{Process, Start, run};
use super::{callback, sign_with, withdrawal};

/// Texts that would be found anywhere.
const SECRET: &str = "canary-secret-5d41";
const CREDENTIAL: &str = "canary-credential-9b02";
const TOKEN: &str = "canary-token-c8e7";
const BODY: &str = "canary-body-7f3a";

on_both_forms!(every_line_is_an_object_and_holds_no_secret_and_no_body);

async fn get(to: std::net::SocketAddr, path: &str, token: &str) -> super::Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\n\r\n"
    );
    exchange_bytes(to, request.as_bytes()).await.unwrap()
}

async fn every_line_is_an_object_and_holds_no_secret_and_no_body(form: Form) {
    let own = Own::new(form).await;
    // Nobody listens there: asking fails, and says so.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = taken.local_addr().unwrap();
    drop(taken);
    let more = format!(
        "base_url = \"http://{nobody}\"\n\
         credentials = {{ api_key = {{ env = \"CREDENTIAL\" }}, secret = {{ env = \"SECRET\" }} }}\n\
         ask = {{ first_secs = 1 }}\n[log]\nformat = \"json\"\nlevel = \"debug\"\n"
    );
    let text = own.config(&more).replace(
        "[admin]\nlisten = \"127.0.0.1:0\"\n",
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken = { env = \"TOKEN\" }\n",
    );
    let env = [("SECRET", SECRET), ("CREDENTIAL", CREDENTIAL), ("TOKEN", TOKEN)];
    let mut process =
        Start { own: &own, text, roles: "receive,work,poll,relay,admin", env: &env }.now().await;
    let with_body =
        |id: &str| withdrawal(id, "processing").replace('}', &format!(r#","note":"{BODY}"}}"#));
    let (to, admin) = (process.receive(), process.admin);
    for (body, signature, status) in [
        (with_body("log-1"), None, 200),
        (with_body("log-1").replace("\"100\"", &format!("\"{BODY}\"")), None, 200),
        (with_body("log-2").replace("usdt", &format!("{BODY} ")), None, 200),
        (format!("not JSON: {BODY}"), None, 200),
        (with_body("log-2").replace("usdt", &format!("usdt\",\"note\":\"{BODY}")), None, 200),
        (with_body("log-3"), Some(BODY.to_owned()), 401),
    ] {
        let signature = signature.unwrap_or_else(|| sign_with(SECRET, &body));
        assert_eq!(callback(to, &body, &signature).await.status, status, "{body}");
    }
    let mut answers = String::new();
    let unknown = format!(
        "POST /callbacks/{BODY} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    answers += &exchange_bytes(to, unknown.as_bytes()).await.unwrap().body;
    answers += &get(admin, "/api/v1/orders", BODY).await.body;
    let wrong = format!(
        "POST /api/v1/orders HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {TOKEN}\r\ncontent-length: {}\r\n\r\n{{\"{BODY}",
        BODY.len() + 2
    );
    let refused = exchange_bytes(admin, wrong.as_bytes()).await.unwrap();
    assert_eq!(refused.status, 400);
    answers += &refused.body;
    // Until it has asked in vain, and everything has come to something.
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    let metrics = loop {
        let metrics = get(admin, "/metrics", TOKEN).await.body;
        let is_done = |text: &str| metrics.lines().any(|line| line.contains(text));
        if is_done("pawl_asks_total{outcome=\"unreachable\"") && is_done("pawl_queue_depth 0") {
            break metrics;
        }
        assert!(Instant::now() < give_up_at, "never done: {metrics}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let dead = get(admin, "/api/v1/dead-letters", TOKEN).await;
    assert!(dead.json()["items"].as_array().unwrap().len() >= 2, "{}", dead.body);
    answers += &dead.body;
    process.signal("TERM");
    let status = tokio::time::timeout(Duration::from_secs(30), process.child.wait()).await;
    assert_eq!(status.expect("it stops").unwrap().code(), Some(0));
    let said = process.said().await;
    for (what, text) in
        [("the log", said.join("\n")), ("the metrics", metrics), ("an answer", answers)]
    {
        for canary in [SECRET, CREDENTIAL, TOKEN, BODY] {
            let line = text.lines().find(|line| line.to_ascii_lowercase().contains(canary));
            assert!(line.is_none(), "{canary} is in {what}: {line:?}");
        }
        if let Some((store, _)) = &own.urls
            && let Some((_, password)) = store
                .expose()
                .split_once("://")
                .and_then(|(_, rest)| rest.split_once('@')?.0.split_once(':'))
        {
            assert!(!text.contains(password), "the database's password is in {what}");
        }
    }
    check_lines(&said);
}

fn check_lines(said: &[String]) {
    let mut messages = Vec::new();
    for line in said {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = object["timestamp"].as_str().unwrap();
        let format = &time::format_description::well_known::Rfc3339;
        assert!(time::OffsetDateTime::parse(time, format).is_ok(), "{line}");
        let level = object["level"].as_str().unwrap();
        assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "{line}");
        messages.push((object["message"].as_str().unwrap_or_default().to_owned(), object));
    }
    let find = |message: &str| {
        let found = messages.iter().find(|(said, _)| said == message);
        &found.unwrap_or_else(|| panic!("nobody said {message}: {messages:?}")).1
    };
    assert_eq!(find("a callback is not authentic")["source"], "shop");
    assert_eq!(find("a callback is a dead letter")["origin"], "callback");
    assert_eq!(find("asked in vain")["outcome"], "unreachable");
    assert_eq!(find("stopped")["level"], "INFO");
}

/// Also what ends it before it has started, once it knows how to write.
#[tokio::test]
async fn what_keeps_the_daemon_from_starting_is_an_object_too() {
    let own = Own::new(Form::Embedded).await;
    let first = Process::start(&own, "").await;
    let file = own.folder.path().join("pawl.toml").display().to_string();
    let env = [("SECRET", super::SECRET), ("PAWL_LOG__FORMAT", "json")];
    let (code, said, error) = run(&["serve", "--config", &file], &env).await;
    assert_eq!((code, said.as_str()), (69, ""));
    let object: Value = serde_json::from_str(&error).unwrap_or_else(|e| panic!("{e}: {error}"));
    assert_eq!(object["level"], "ERROR");
    assert!(object["error"].as_str().unwrap().contains("another process uses"), "{error}");
    drop(first);
}
