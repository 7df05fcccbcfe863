//! The program itself: exit codes, signals, the command line beside a running daemon.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::form::{Form, Own};
use super::{Pawl, SECRET, SINK_SECRET, callback, sign, withdrawal};

/// The embedded form is one process with all of them.
pub(crate) const ALL_ROLES: &str = "receive,work,poll,relay,admin";

/// A daemon in a process of its own.
pub(crate) struct Process {
    pub child: Child,
    receive: Option<std::net::SocketAddr>,
    pub admin: std::net::SocketAddr,
    /// Everything that it says, on both of its outputs.
    said: Said,
    reading: tokio::task::JoinSet<()>,
}

type Said = Arc<Mutex<Vec<String>>>;

/// How a daemon is started.
pub(crate) struct Start<'a> {
    pub own: &'a Own,
    pub text: String,
    pub roles: &'a str,
    pub env: &'a [(&'a str, &'a str)],
}

impl Start<'_> {
    /// Starts it, and waits until it says where it listens.
    pub(crate) async fn now(self) -> Process {
        let file = self.own.folder.path().join("pawl.toml");
        std::fs::write(&file, &self.text).unwrap();
        Process::heard(spawn(&file, &[], self.roles, self.env)).await
    }
}

/// What every configuration of the tests may name.
fn env(plant: &str) -> [(&str, &str); 4] {
    let sink = ("SINK_SECRET", SINK_SECRET);
    [("SECRET", SECRET), ("SECRET_2", "another"), sink, ("PAWL_PLANT", plant)]
}

/// Starts a daemon, perhaps by another program, which becomes it.
pub(crate) fn spawn(file: &Path, by: &[&str], roles: &str, env: &[(&str, &str)]) -> Child {
    let words = [by, &[env!("CARGO_BIN_EXE_pawl"), "serve", "--roles", roles, "--config"]].concat();
    Command::new(words[0])
        .args(&words[1..])
        .arg(file)
        .env_remove("RUST_LOG")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn keep(from: impl AsyncRead + Unpin, said: Said) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        said.lock().unwrap().push(line);
    }
}

impl Process {
    /// Starts all roles, and waits until it says where it listens.
    pub(crate) async fn start(own: &Own, plant: &str) -> Self {
        Self::start_roles(own, ALL_ROLES, plant).await
    }

    pub(crate) async fn start_roles(own: &Own, roles: &str, plant: &str) -> Self {
        Self::start_by(own, &[], roles, plant).await
    }

    async fn start_by(own: &Own, by: &[&str], roles: &str, plant: &str) -> Self {
        Self::heard(Self::spawn(own, by, roles, plant)).await
    }

    /// Starts it with a configuration, and waits until it says where it listens.
    pub(crate) async fn start_file(file: &Path, roles: &str) -> Self {
        Self::heard(spawn(file, &[], roles, &env(""))).await
    }

    /// Starts it, and does not wait: it may end before it says anything.
    pub(super) fn spawn(own: &Own, by: &[&str], roles: &str, plant: &str) -> Child {
        let file = own.folder.path().join("pawl.toml");
        std::fs::write(&file, own.config("")).unwrap();
        spawn(&file, by, roles, &env(plant))
    }

    pub(crate) async fn heard(mut child: Child) -> Self {
        let said = Said::default();
        let mut reading = tokio::task::JoinSet::new();
        // What it says is read to its end, so that it can go on saying it.
        reading.spawn(keep(child.stdout.take().unwrap(), Arc::clone(&said)));
        reading.spawn(keep(child.stderr.take().unwrap(), Arc::clone(&said)));
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        loop {
            let has_ended = child.try_wait().unwrap().is_some() && reading.is_empty();
            let lines = said.lock().unwrap().clone();
            let address = |before: &str| {
                lines.iter().find_map(|line| {
                    let rest = line.split(before).nth(1)?;
                    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))?;
                    rest[..end].parse().ok()
                })
            };
            if let Some(admin) = address("administration at http://") {
                let receive = address("callbacks at http://");
                return Self { child, receive, admin, said, reading };
            }
            assert!(!has_ended && Instant::now() < give_up_at, "it does not start: {lines:?}");
            while reading.try_join_next().is_some() {}
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// All that it has said, once it has ended.
    pub(super) async fn said(&mut self) -> Vec<String> {
        while self.reading.join_next().await.is_some() {}
        self.said.lock().unwrap().clone()
    }

    /// Waits until it says something.
    pub(super) async fn wait_until_said(&self, text: &str) -> String {
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        loop {
            let line = self.said.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
            match line {
                Some(line) => return line,
                None => assert!(Instant::now() < give_up_at, "it never said {text}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where it receives callbacks.
    pub(crate) fn receive(&self) -> std::net::SocketAddr {
        self.receive.expect("it receives")
    }

    /// Ends it as nothing else would.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs");
        // The shell's own: a bare system has no other.
        let kill = format!("kill -s {name} {id}");
        let status = std::process::Command::new("bash").args(["-c", &kill]).status().unwrap();
        assert!(status.success());
    }
}

/// Runs the program to its end: exit code, standard output, standard error.
pub(super) async fn run(args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), args, env).await
}

pub(super) async fn run_in(
    folder: &std::path::Path,
    args: &[&str],
    env: &[(&str, &str)],
) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pawl"))
        .args(args)
        .envs(env.iter().copied())
        .env_remove("PAWL_CONFIG")
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn exit_codes_say_what_went_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let path = folder.path().join("pawl.toml");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (code, _, error) = run(&["serve"], &[]).await;
    assert_eq!(code, 78, "{error}");
    assert!(error.contains("there is no configuration: looked for pawl.toml"), "{error}");
    let wrong = file("[source.shop]\nprovidr = \"flypay\"\n");
    let (code, _, error) = run(&["serve", "--config", &wrong], &[]).await;
    assert_eq!(code, 78);
    assert!(
        error.contains("pawl.toml:2:1: there is no key `providr`: did you mean `provider`?"),
        "{error}"
    );
    assert_eq!(run(&["serve", "--colour"], &[]).await.0, 2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let own = Own::new(Form::Embedded).await;
    let busy = own
        .config("")
        .replace("[receive]\nlisten = \"127.0.0.1:0\"", &format!("[receive]\nlisten = \"{port}\""));
    let (code, _, error) = run(&["serve", "--config", &file(&busy)], &[("SECRET", SECRET)]).await;
    assert_eq!(code, 69, "{error}");
    assert!(error.contains(&format!("cannot listen on {port} for callbacks")), "{error}");
    let (code, _, error) = run(&["order", "list", "--url", &format!("http://{port}x")], &[]).await;
    assert_eq!(code, 69, "{error}");
    let (code, _, error) = run(&["order", "list", "--url", "ftp://x"], &[]).await;
    assert_eq!(code, 2, "{error}");
    assert_eq!(run(&["provider", "check"], &[]).await.0, 0);
    let (code, _, error) = run(&["provider", "check", &wrong], &[]).await;
    assert_eq!(code, 1, "{error}");
}

#[tokio::test]
async fn a_second_daemon_on_one_store_is_refused() {
    let own = Own::new(Form::Embedded).await;
    let process = Process::start(&own, "").await;
    let file = own.folder.path().join("pawl.toml").display().to_string();
    let (code, _, error) = run(&["serve", "--config", &file], &[("SECRET", SECRET)]).await;
    assert_eq!(code, 69);
    assert!(error.contains("another process uses"), "{error}");
    drop(process);
}

#[tokio::test]
async fn the_command_line_works_beside_a_running_daemon() {
    let pawl = Pawl::start().await;
    let url = format!("http://{}", pawl.admin);
    let order = [
        "order",
        "register",
        "shop",
        "wd-1",
        "--kind",
        "withdraw",
        "--amount",
        "100",
        "--currency",
        "usdt",
        "--url",
        &url,
    ];
    assert_eq!(run(&order, &[]).await, (0, "wd-1: created\n".to_owned(), String::new()));
    assert_eq!(run(&order, &[]).await.1, "wd-1: unchanged\n");
    let (code, _, error) =
        run(&[&order[..6], &["--amount", "99"], &order[8..]].concat(), &[]).await;
    assert_eq!(code, 1);
    assert!(error.contains("is registered already, with other content (409)"), "{error}");
    pawl.send(&withdrawal("wd-1", "completed")).await;
    pawl.send("not json").await;
    pawl.wait_until_drained().await;
    let (_, shown, _) = run(&["order", "show", "shop", "uuid-wd-1", "--url", &url], &[]).await;
    for text in [
        "wd-1 of shop",
        "completed (succeeded, final)",
        "to.debited           101 USDT",
        "registered",
        "applied",
    ] {
        assert!(shown.contains(text), "{text} is missing in\n{shown}");
    }
    let (_, list, _) = run(&["order", "list", "--url", &url], &[]).await;
    assert!(list.lines().nth(1).unwrap().contains("completed"), "{list}");
    let (_, json, _) = run(&["order", "show", "shop", "wd-1", "--json", "--url", &url], &[]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["events"].as_array().unwrap().len(), 2);
    let (_, list, _) = run(&["dead", "list", "--json", "--url", &url], &[]).await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let id = list["items"][0]["id"].as_str().unwrap();
    let (_, letter, _) = run(&["dead", "show", id, "--url", &url], &[]).await;
    assert!(
        letter.contains("the body is not JSON") && letter.ends_with("\nnot json\n"),
        "{letter}"
    );
    let (code, _, error) = run(&["order", "show", "shop", "none", "--url", &url], &[]).await;
    assert_eq!(code, 1);
    assert!(error.contains("the source `shop` has no order `none` (404)"), "{error}");
}

#[tokio::test]
async fn a_stop_answers_what_was_begun_and_keeps_what_was_accepted() {
    let own = Own::new(Form::Embedded).await;
    let mut process = Process::start(&own, "").await;
    let mut accepted = Vec::new();
    let mut sending = Vec::new();
    for n in 0..50 {
        let (to, id) = (process.receive(), format!("s-{n}"));
        sending.push(tokio::spawn(async move {
            let body = withdrawal(&id, "completed");
            let answer = super::exchange_bytes(to, signed(&body).as_bytes()).await;
            (id, answer.is_ok_and(|answer| answer.status == 200))
        }));
        if n == 25 {
            process.signal("TERM");
        }
    }
    for task in sending {
        let (id, is_accepted) = task.await.unwrap();
        accepted.extend(is_accepted.then_some(id));
    }
    let status = tokio::time::timeout(Duration::from_secs(30), process.child.wait()).await;
    assert_eq!(status.expect("it stops").unwrap().code(), Some(0));
    let process = Process::start(&own, "").await;
    for id in &accepted {
        wait_for_order(process.admin, id).await;
    }
}

pub(crate) fn signed(body: &str) -> String {
    format!(
        "POST /callbacks/shop HTTP/1.1\r\nhost: x\r\nconnection: close\r\nsignature: {}\r\ncontent-length: {}\r\n\r\n{body}",
        sign(body),
        body.len()
    )
}

/// Waits until an order is there, by any means.
pub(super) async fn wait_for_order(admin: std::net::SocketAddr, id: &str) -> serde_json::Value {
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    loop {
        let request = format!(
            "GET /api/v1/orders/shop/{id} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        );
        if let Ok(answer) = super::exchange_bytes(admin, request.as_bytes()).await
            && answer.status == 200
        {
            return answer.json();
        }
        assert!(Instant::now() < give_up_at, "{id} never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_callback_is_not_accepted_by_a_process_that_is_gone() {
    let own = Own::new(Form::Embedded).await;
    let mut process = Process::start(&own, "").await;
    process.child.kill().await.unwrap();
    let body = withdrawal("x", "new");
    let sent = super::exchange_bytes(process.receive(), signed(&body).as_bytes()).await;
    assert!(sent.is_err());
    let process = Process::start(&own, "").await;
    assert_eq!(callback(process.receive(), &body, &sign(&body)).await.status, 200);
}

/// A disk that is full, and then is not: a limit on the size of files does the same to the process.
#[tokio::test]
async fn when_the_disk_was_full_and_no_longer_is_callbacks_are_accepted_again() {
    let own = Own::new(Form::Embedded).await;
    let limited = "trap '' XFSZ; ulimit -Sf 600; exec \"$0\" \"$@\"";
    let process = Process::start_by(&own, &["bash", "-c", limited], ALL_ROLES, "").await;
    let large = |n: usize| {
        let pad = " ".repeat(100_000);
        format!("{}{pad}", withdrawal(&format!("full-{n}"), "new"))
    };
    let mut accepted = Vec::new();
    let mut refused = None;
    for n in 0..50 {
        let answer = super::exchange_bytes(process.receive(), signed(&large(n)).as_bytes()).await;
        match answer.unwrap().status {
            200 => accepted.push(format!("full-{n}")),
            status => {
                refused = Some(status);
                break;
            }
        }
    }
    assert_eq!(refused, Some(503), "{} accepted", accepted.len());
    let id = process.child.id().unwrap().to_string();
    let mut free = std::process::Command::new("prlimit");
    assert!(free.args(["--pid", &id, "--fsize=unlimited"]).status().unwrap().success());
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    loop {
        let answer = super::exchange_bytes(process.receive(), signed(&large(99)).as_bytes()).await;
        if answer.unwrap().status == 200 {
            break;
        }
        assert!(Instant::now() < give_up_at, "never accepted again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for id in accepted {
        wait_for_order(process.admin, &id).await;
    }
}
