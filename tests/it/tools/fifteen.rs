//! The guide's provider in fifteen minutes: what the page says is run, word for word.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pawl::provider::Provider;

use crate::daemon::exchange_bytes;
use crate::daemon::form::{Form, Own};
use crate::daemon::process::Process;
use crate::signature::hex_hmac;

const SECRET: &str = "pb_secret_demo";

/// The chapter's blocks in a language.
fn blocks(language: &str) -> Vec<String> {
    let guide = include_str!("../../../src/provider/definitions/README.md");
    let chapter = guide.split("## A provider in fifteen minutes\n").nth(1).unwrap();
    let chapter = chapter.split("\n## ").next().unwrap();
    let begin = format!("```{language}\n");
    let block = |rest: &str| rest.split("```").next().unwrap().to_owned();
    chapter.split(&begin).skip(1).map(block).collect()
}

/// Runs what the page says in a folder.
fn run(script: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_pawl")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{script}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_is_right_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let [begin, look, try_it] = &blocks("sh")[..] else { panic!("other blocks") };
    let [definition, _] = &blocks("toml")[..] else { panic!("other blocks") };
    run(begin, folder.path());
    let file = folder.path().join("paybird.toml");
    Provider::load("paybird.toml", &std::fs::read_to_string(&file).unwrap()).unwrap();
    std::fs::write(&file, definition).unwrap();
    let shown = run(look, folder.path());
    assert!(shown.starts_with("paybird.toml: fine; 4 statuses, 1 kinds, 1 samples\n"), "{shown}");
    assert!(folder.path().join("paybird.svg").exists());
    let tried = run(try_it, folder.path());
    let [printed] = &blocks("text")[..] else { panic!("other blocks") };
    assert!(tried == *printed, "the page should show:\n{tried}");
}

#[tokio::test]
async fn its_definition_is_dropped_into_a_running_daemon_and_an_order_comes_of_a_callback() {
    let own = Own::new(Form::Embedded).await;
    let folder = own.folder.path();
    let providers = folder.join("providers");
    std::fs::create_dir(&providers).unwrap();
    let config = folder.join("pawl.toml");
    std::fs::write(&config, own.config("")).unwrap();
    let daemon = Process::start_file(&config, "receive,work,poll,relay,admin").await;
    let body =
        blocks("sh")[2].split("printf %s '").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let send = || async {
        let now = pawl::clock::Clock::default().now().micros() / 1_000_000;
        let signature = hex_hmac(SECRET, format!("{now}.{body}"));
        let length = body.len();
        let request = format!(
            "POST /callbacks/birds HTTP/1.1\r\nhost: x\r\nconnection: close\r\npaybird-time: {now}\r\n\
             content-type: application/json\r\npaybird-signature: sha256={signature}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        exchange_bytes(daemon.receive(), request.as_bytes()).await.unwrap()
    };
    assert_eq!(send().await.status, 404);
    let [definition, source] = &blocks("toml")[..] else { panic!("other blocks") };
    std::fs::write(providers.join("paybird.toml"), definition).unwrap();
    let secret = folder.join("paybird-secret");
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let source = source.replace("/etc/pawl", &folder.display().to_string());
    std::fs::write(&config, format!("{}{source}", own.config(""))).unwrap();
    daemon.signal("HUP");
    let give_up_at = Instant::now() + crate::daemon::patience();
    let answer = loop {
        let answer = send().await;
        if answer.status != 404 {
            break answer;
        }
        assert!(Instant::now() < give_up_at, "the source is not served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((answer.status, answer.body.as_str()), (200, "tweet"));
    let show =
        b"GET /api/v1/orders/birds/o-1042 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let order = loop {
        let answer = exchange_bytes(daemon.admin, show).await.unwrap();
        if answer.status == 200 {
            break answer.json();
        }
        assert!(Instant::now() < give_up_at, "the order never came: {}", answer.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((&order["status"], &order["final"]), (&"landed".into(), &true.into()), "{order}");
    let effect = &order["effects"][0];
    assert_eq!(effect["amount"], "49.2", "{order}");
}
