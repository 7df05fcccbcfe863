//! What an operator runs beside the daemon: init, check, migrate, healthcheck, completions, man.

use serde_json::Value;

use super::SECRET;
use super::form::{Form, Own};
use super::process::{Process, run, run_in};

/// A configuration on the disk of a form of its own.
fn write(own: &Own, text: &str) -> String {
    let path = own.folder.path().join("checked.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn init_writes_six_lines_that_work_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pawl.toml");
    let (code, said, error) = run_in(folder.path(), &["init", "flypay"], &[]).await;
    assert_eq!(code, 0, "{error}");
    for text in ["Set FLYPAY_SECRET", "/callbacks/shop", "pawl check && pawl serve", "api_key"] {
        assert!(said.contains(text), "{text} is missing in\n{said}");
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written.lines().count(), 6, "{written}");
    let check = ["check", "--json"];
    let (code, said, _) = run_in(folder.path(), &check, &[("FLYPAY_SECRET", "hush")]).await;
    assert_eq!(code, 0, "{said}");
    // A look at a store that nobody has open leaves nothing beside it.
    let secret = [("FLYPAY_SECRET", "hush")];
    assert_eq!(run_in(folder.path(), &["migrate"], &secret).await.0, 0);
    let files = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    let before = files();
    let (code, said, _) = run_in(folder.path(), &["check"], &secret).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("its tables are up to date"), "{said}");
    assert_eq!(files(), before);
    std::fs::write(&path, "mine").unwrap();
    let (code, _, error) = run_in(folder.path(), &["init", "flypay"], &[]).await;
    assert_eq!(code, 1);
    assert!(error.contains("pawl.toml is there already: --force overwrites it"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(run_in(folder.path(), &["init", "flypay", "--force"], &[]).await.0, 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    let (code, _, error) = run_in(folder.path(), &["init", "fly-pay"], &[]).await;
    assert_eq!(code, 2);
    assert!(error.contains("did you mean `flypay`?"), "{error}");
}

#[tokio::test]
async fn check_says_what_is_wrong_and_with_which_code() {
    let own = Own::new(Form::Embedded).await;
    let text = own.config("");
    let file = write(&own, &text);
    let (code, said, _) = run(&["check", "--config", &file], &[("SECRET", SECRET)]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("FlyPay; callback secrets: 1, credentials: 0"), "{said}");
    assert!(said.contains("there are no tables yet"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    assert!(!own.folder.path().join("pawl.db").exists(), "it made the store");
    // A secret that is not there, a misspelt key, no configuration at all.
    let (code, said, _) = run(&["check", "--config", &file], &[]).await;
    assert_eq!(code, 78);
    assert!(said.contains("the environment variable SECRET is not set"), "{said}");
    let wrong = write(&own, &text.replace("listen", "lisen"));
    let (code, said, _) = run(&["check", "--offline", "--json", "--config", &wrong], &[]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &said["ok"], &said["items"][0]["what"]),
        (78, &false.into(), &"configuration".into())
    );
    assert!(
        said["items"][0]["text"].as_str().unwrap().contains("did you mean `listen`?"),
        "{said}"
    );
    assert_eq!(run(&["check"], &[]).await.0, 78);
    // Callbacks that prove nothing, and nobody who could ask instead.
    let deaf = write(&own, "[source.shop]\nprovider = \"cardaq\"\n");
    let (code, said, _) = run(&["check", "--offline", "--config", &deaf], &[]).await;
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("nothing it hears is believed"), "{said}");
    // A provider that nobody listens for, and a store in no folder.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let asked = format!(
        "base_url = \"{url}\"\ncredentials = {{ api_key = {{ env = \"SECRET\" }}, secret = {{ env = \"SECRET\" }} }}\n"
    );
    let closed = write(&own, &own.config(&asked).replace("/pawl.db", "/nowhere/pawl.db"));
    let (code, said, _) = run(&["check", "--config", &closed], &[("SECRET", SECRET)]).await;
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("provider of shop     wrong: "), "{said}");
    assert!(said.contains("cannot use the folder"), "{said}");
    let offline = ["check", "--offline", "--config", &closed];
    assert_eq!(run(&offline, &[("SECRET", SECRET)]).await.0, 0);
}

#[tokio::test]
async fn check_and_healthcheck_work_beside_a_running_daemon() {
    let own = Own::new(Form::Embedded).await;
    let process = Process::start_roles(&own, "receive,work,poll,relay,admin", "").await;
    let file = own.folder.path().join("pawl.toml").display().to_string();
    let secret = [("SECRET", SECRET)];
    let (code, said, _) = run(&["check", "--config", &file], &secret).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("its tables are up to date"), "{said}");
    let (code, _, error) = run(&["migrate", "--config", &file], &secret).await;
    assert_eq!(code, 69);
    assert!(error.contains("another process uses"), "{error}");
    let url = format!("http://{}", process.admin);
    assert_eq!(run(&["healthcheck", "--url", &url], &[]).await.1, "ready\n");
    assert_eq!(run(&["healthcheck", "--live", "--url", &url], &[]).await.1, "alive\n");
    let listen = process.admin.to_string();
    let named = [("PAWL_ADMIN__LISTEN", listen.as_str())];
    assert_eq!(run(&["healthcheck", "--config", &file], &named).await.0, 0);
    process.kill().await;
    assert_eq!(run(&["healthcheck", "--url", &url], &[]).await.0, 1);
    assert_eq!(run(&["healthcheck", "--live"], &[]).await.0, 1, "without a configuration");
}

#[tokio::test]
async fn check_changes_nothing_on_servers_and_migrate_makes_the_tables() {
    let own = Own::new(Form::Distributed).await;
    let file = write(&own, &own.config(""));
    let secret = [("SECRET", SECRET)];
    for _ in 0..2 {
        let (code, said, _) = run(&["check", "--config", &file], &secret).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("PostgreSQL, there are no tables yet"), "{said}");
        assert!(said.contains("RabbitMQ, no queues yet"), "{said}");
    }
    let (code, said, _) = run(&["migrate", "--config", &file], &secret).await;
    assert_eq!((code, said.as_str()), (0, "the store's tables are made\n"));
    let (code, said, _) = run(&["migrate", "--json", "--config", &file], &secret).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &said["changed"]), (0, &false.into()));
    let process = Process::start_roles(&own, "receive,work,admin", "").await;
    let (code, said, _) = run(&["check", "--config", &file], &secret).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("PostgreSQL, its tables are up to date"), "{said}");
    assert!(said.contains("RabbitMQ, 0 messages on "), "{said}");
    drop(process);
    let (store, queue) = own.urls.as_ref().unwrap();
    let down = own.config("").replace(store.expose(), "postgres://pawl:hush@127.0.0.1:1/x");
    let down = write(&own, &down.replace(queue.expose(), "amqp://pawl:hush@127.0.0.1:1/%2f"));
    let (code, said, error) = run(&["check", "--config", &down], &secret).await;
    assert_eq!(code, 69, "{said}");
    assert_eq!(said.matches(" wrong: ").count(), 2, "{said}");
    assert!(!said.contains("hush") && !error.contains("hush"), "{said}{error}");
}

#[tokio::test]
async fn completions_and_manual_pages_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, text, _) = run(&["completions", shell], &[]).await;
        assert_eq!(code, 0);
        assert!(text.contains("healthcheck"), "{shell}");
    }
    let (code, page, _) = run(&["man"], &[]).await;
    assert_eq!(code, 0);
    assert!(page.contains(".TH") && page.contains("healthcheck"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let dir = pages.display().to_string();
    assert_eq!(run(&["man", "--dir", &dir], &[]).await.0, 0);
    for page in ["pawl.1", "pawl-serve.1", "pawl-config-print.1", "pawl-order-register.1"] {
        assert!(pages.join(page).exists(), "{page}");
    }
}
