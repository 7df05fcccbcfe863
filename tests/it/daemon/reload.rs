//! A reload by SIGHUP: other sources, secrets and definitions are in force at once, or everything stays as
//! it was.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::form::{Form, Own};
use super::process::{Process, Start, wait_for_order};
use super::{SECRET, exchange_bytes, sign_with, withdrawal};

/// A running daemon, and its file.
struct Reloading {
    process: Process,
    file: PathBuf,
    text: String,
    _own: Own,
}

impl Reloading {
    async fn start(more: &str) -> Self {
        let own = Own::new(Form::Embedded).await;
        let text = own.config(more);
        let start = Start {
            own: &own,
            text: text.clone(),
            roles: "receive,work,poll,relay,admin",
            env: &[("SECRET", SECRET), ("KEY", "public")],
        };
        let process = start.now().await;
        Self { process, file: own.folder.path().join("pawl.toml"), text, _own: own }
    }

    /// Writes the file and has it read again, until so many reloads have ended so.
    async fn reload(&self, text: &str, outcome: &str, count: u32) {
        std::fs::write(&self.file, text).unwrap();
        self.process.signal("HUP");
        let counter = format!("pawl_config_reloads_total{{outcome=\"{outcome}\"}} {count}\n");
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        while !self.metrics().await.contains(&counter) {
            assert!(Instant::now() < give_up_at, "never {outcome}: {}", self.metrics().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn metrics(&self) -> String {
        let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        exchange_bytes(self.process.admin, request).await.unwrap().body
    }

    async fn send(&self, source: &str, id: &str, secret: &str) -> u16 {
        let body = withdrawal(id, "completed");
        let request = format!(
            "POST /callbacks/{source} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nsignature: {}\r\n\
             content-length: {}\r\n\r\n{body}",
            sign_with(secret, &body),
            body.len()
        );
        exchange_bytes(self.process.receive(), request.as_bytes()).await.unwrap().status
    }
}

fn write_secret(folder: &Path, name: &str, secret: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, secret).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_why() {
    let daemon = Reloading::start("").await;
    let last = "pawl_config_last_reload_success_timestamp_seconds ";
    let before = value(&daemon.metrics().await, last);
    assert!(before > 1_000_000_000.0);
    for (count, (broken, said)) in [
        (daemon.text.replace("provider =", "provdier ="), "did you mean `provider`?"),
        (daemon.text.replace("\"SECRET\"", "\"SECRETS\""), "SECRETS is not set"),
        ("[source.shop".to_owned(), "pawl.toml:1:13: "),
        (format!("{}[source.shop.ask]\nfactor = 0\n", daemon.text), "0 is out of range"),
    ]
    .into_iter()
    .enumerate()
    {
        daemon.reload(&broken, "refused", u32::try_from(count).unwrap() + 1).await;
        let line = daemon.process.wait_until_said(said).await;
        assert!(line.contains("ERROR") && line.contains("pawl.toml:"), "{line}");
        assert_eq!(daemon.send("shop", &format!("still-{count}"), SECRET).await, 200);
    }
    std::fs::remove_file(&daemon.file).unwrap();
    daemon.process.signal("HUP");
    daemon.process.wait_until_said("cannot read").await;
    assert_eq!(daemon.send("shop", "still", SECRET).await, 200);
    assert!((value(&daemon.metrics().await, last) - before).abs() < f64::EPSILON);
    // It is right again, and so is the daemon.
    daemon.reload(&daemon.text, "applied", 1).await;
    assert!(value(&daemon.metrics().await, last) >= before);
}

#[tokio::test]
async fn a_secret_is_rotated_without_a_moment_in_which_callbacks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let old = write_secret(folder.path(), "old", "the old one");
    let new = write_secret(folder.path(), "new", "the new one");
    let daemon = Reloading::start("").await;
    let with = |secrets: &str| daemon.text.replace("[{ env = \"SECRET\" }]", secrets);
    daemon.reload(&with(&format!("[{{ file = \"{old}\" }}]")), "applied", 1).await;
    assert_eq!(daemon.send("shop", "r-1", "the old one").await, 200);
    assert_eq!(daemon.send("shop", "r-1", "the new one").await, 401);
    assert_eq!(daemon.send("shop", "r-1", SECRET).await, 401);
    let both = format!("[{{ file = \"{old}\" }}, {{ file = \"{new}\" }}]");
    daemon.reload(&with(&both), "applied", 2).await;
    assert_eq!(daemon.send("shop", "r-2", "the old one").await, 200);
    assert_eq!(daemon.send("shop", "r-3", "the new one").await, 200);
    daemon.reload(&with(&format!("[{{ file = \"{new}\" }}]")), "applied", 3).await;
    assert_eq!(daemon.send("shop", "r-4", "the old one").await, 401);
    assert_eq!(daemon.send("shop", "r-5", "the new one").await, 200);
    // The same file, with another secret in it.
    write_secret(folder.path(), "new", "an even newer one");
    daemon.reload(&with(&format!("[{{ file = \"{new}\" }}]")), "applied", 4).await;
    assert_eq!(daemon.send("shop", "r-6", "an even newer one").await, 200);
    for id in ["r-1", "r-2", "r-3", "r-5", "r-6"] {
        wait_for_order(daemon.process.admin, id).await;
    }
}

#[tokio::test]
async fn a_source_that_is_added_is_served_and_one_that_is_removed_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mine = include_str!("../../../src/provider/definitions/flypay.toml")
        .replace("name = \"flypay\"", "name = \"mine\"");
    let daemon = Reloading::start("").await;
    assert_eq!(daemon.send("second", "a-1", "another").await, 404);
    // With a definition of its own, which was not there either.
    std::fs::write(folder.path().join("mine.toml"), mine).unwrap();
    let secret = write_secret(folder.path(), "secret", "another");
    let second = format!(
        "[source.second]\nprovider = \"mine\"\ncallback_secrets = [{{ file = \"{secret}\" }}]\n"
    );
    let providers = format!("[providers]\ndir = \"{}\"\n", folder.path().display());
    daemon.reload(&format!("{}{second}{providers}", daemon.text), "applied", 1).await;
    assert_eq!(daemon.send("second", "a-1", "another").await, 200);
    assert_eq!(daemon.send("shop", "a-2", SECRET).await, 200);
    wait_for_order(daemon.process.admin, "a-2").await;
    let orders =
        b"GET /api/v1/orders/second/a-1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    while exchange_bytes(daemon.process.admin, orders).await.unwrap().status != 200 {
        assert!(Instant::now() < give_up_at, "a-1 never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(daemon.metrics().await.contains("pawl_source_paused_seconds{source=\"second\"}"));
    daemon.reload(&daemon.text, "applied", 2).await;
    assert_eq!(daemon.send("second", "a-3", "another").await, 404);
    assert_eq!(daemon.send("shop", "a-4", SECRET).await, 200);
    // What was only true of a source that is gone is not said any more.
    assert!(!daemon.metrics().await.contains("pawl_source_paused_seconds{source=\"second\"}"));
    assert_eq!(exchange_bytes(daemon.process.admin, orders).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_cannot_change_while_it_runs_is_named() {
    let daemon = Reloading::start("").await;
    let changed = daemon
        .text
        .replace("[admin]\nlisten = \"127.0.0.1:0\"", "[admin]\nlisten = \"127.0.0.1:1\"")
        .replace("/pawl.db", "/other.db");
    daemon.reload(&format!("{changed}[work]\nbatch_max = 7\n"), "applied", 1).await;
    for section in ["store", "admin", "work"] {
        let said = format!("[{section}] has changed, and is ignored until the next start");
        daemon.process.wait_until_said(&said).await;
    }
    assert_eq!(daemon.send("shop", "c-1", SECRET).await, 200);
}

/// A poller asks where the source says now, and no longer where it said before.
#[tokio::test]
async fn pollers_follow_the_sources() {
    let first = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let asked = |at: &tokio::net::TcpListener| {
        format!(
            "base_url = \"http://{}\"\ncredentials = {{ api_key = {{ env = \"KEY\" }}, secret = {{ env = \
             \"SECRET\" }} }}\nask = {{ first_secs = 1, cap_secs = 1 }}\n",
            at.local_addr().unwrap()
        )
    };
    let daemon = Reloading::start(&asked(&first)).await;
    let body = withdrawal("p-1", "processing");
    let answer = super::callback(daemon.process.receive(), &body, &super::sign(&body)).await;
    assert_eq!(answer.status, 200);
    let patience = Duration::from_secs(30);
    // Whoever is asked hangs up: that is no answer, and it is asked again.
    drop(tokio::time::timeout(patience, first.accept()).await.expect("it asks").unwrap());
    daemon.reload(&daemon.text.replace(&asked(&first), &asked(&second)), "applied", 1).await;
    drop(tokio::time::timeout(patience, second.accept()).await.expect("it asks").unwrap());
    while tokio::time::timeout(Duration::ZERO, first.accept()).await.is_ok() {}
    drop(tokio::time::timeout(patience, second.accept()).await.expect("it asks again").unwrap());
    let still = tokio::time::timeout(Duration::from_millis(100), first.accept()).await;
    assert!(still.is_err(), "the old one is still asked");
    daemon.reload(&daemon.text.replace(&asked(&first), ""), "applied", 2).await;
    while tokio::time::timeout(Duration::ZERO, second.accept()).await.is_ok() {}
    let still = tokio::time::timeout(Duration::from_secs(3), second.accept()).await;
    assert!(still.is_err(), "nobody is to be asked");
}
