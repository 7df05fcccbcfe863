//! Configuration: every mistake says where it is and what to write.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use pawl::config::Config;

const GOOD: &str = r#"[store]
url = "sqlite:/tmp/pawl.db"

[receive]
listen = "127.0.0.1:8080"
body_bytes_max = 65536

[source.shop]
provider = "flypay"
base_url = "https://fly-pay.io"
unregistered = "wait"
callback_secrets = [{ env = "SECRET" }]
credentials = { api_key = { env = "KEY" }, secret = { env = "SECRET" } }
amount = { withdraw = "exact", "withdraw.completed_partially" = "at_most" }
tolerance = "0.01"
books = { deposit = "gross" }
confirm = { above = "1000", statuses = ["completed"] }
settle_after = { error = 600 }
"#;

fn env() -> BTreeMap<String, String> {
    let all = [("SECRET", "hush"), ("KEY", "public"), ("EMPTY", " ")];
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn read(text: &str) -> Result<Config, String> {
    Config::read("pawl.toml", text, &env()).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn three_lines_are_enough() {
    let text = "[source.shop]\nprovider = \"flypay\"\ncallback_secrets = [{ env = \"SECRET\" }]\n";
    let config = read(text).unwrap();
    assert_eq!(config.receive.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8081");
    assert_eq!((config.receive.body_bytes_max, config.work.batch_max), (262_144, 500));
    read(GOOD).unwrap();
}

/// One mistake at a time, made by replacing a text of the good configuration.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("a key that is misspelt", "listen =", "lisen ="),
    ("a deadline that is none", "tolerance = \"0.01\"", "early_secs = 0"),
    ("a section that is misspelt", "[receive]", "[recieve]"),
    ("not TOML", "url = \"sqlite", "url = sqlite"),
    ("a text where a number belongs", "65536", "\"64k\""),
    ("a number out of range", "65536", "0"),
    ("an address that is none", "127.0.0.1:8080", "localhost"),
    ("a store that is none", "sqlite:/tmp/pawl.db", "mysql://x"),
    ("a queue that is none", "[receive]", "[queue]\nurl = \"kafka://x\"\n[receive]"),
    ("a mix of both forms", "[receive]", "[queue]\nurl = \"amqp://x\"\n[receive]"),
    ("the other mix", "sqlite:/tmp/pawl.db", "postgres://x/y"),
    ("a prefix that is none", "[receive]", "[queue]\nprefix = \"a b\"\n[receive]"),
    ("a provider that does not exist", "\"flypay\"", "\"fly_pay\""),
    ("a source's name that is none", "[source.shop]", "[source.\"My Shop\"]"),
    ("plain http beyond this machine", "https://fly-pay.io", "http://fly-pay.io"),
    ("a secret in the open", "[{ env = \"SECRET\" }]", "[\"hush\"]"),
    ("a secret from nowhere", "[{ env = \"SECRET\" }]", "[{}]"),
    ("a variable that is not set", "[{ env = \"SECRET\" }]", "[{ env = \"SECRETS\" }]"),
    ("a secret that is empty", "[{ env = \"SECRET\" }]", "[{ env = \"EMPTY\" }]"),
    ("a file that is not there", "[{ env = \"SECRET\" }]", "[{ file = \"/nowhere/secret\" }]"),
    ("no secret at all", "callback_secrets = [{ env = \"SECRET\" }]\n", ""),
    (
        "a secret that is never good",
        "[{ env = \"SECRET\" }]",
        "[{ env = \"SECRET\", not_before = \"2026-01-02T00:00:00Z\", not_after = \"2026-01-01T00:00:00Z\" }]",
    ),
    ("a credential that nobody needs", "api_key =", "apikey ="),
    ("amounts without registration", "\"wait\"", "\"accept\""),
    ("an amount's policy that is none", "\"exact\"", "\"exactly\""),
    ("a kind that does not exist", "{ withdraw =", "{ withdrawal ="),
    ("a status that does not exist", "withdraw.completed_partially", "withdraw.partially"),
    ("a tolerance that is none", "\"0.01\"", "\"1%\""),
    ("a books mode that does not exist", "\"gross\"", "\"brutto\""),
    ("an account that is never told", "tolerance", "account = \"m-1\"\ntolerance"),
    ("a currency of a provider that says it", "tolerance", "currency = \"EUR\"\ntolerance"),
    ("a status to settle that does not exist", "{ error = 600 }", "{ eror = 600 }"),
    (
        "a word for confirm that is none",
        "{ above = \"1000\", statuses = [\"completed\"] }",
        "\"sometimes\"",
    ),
    ("a key in confirm that is none", "above =", "over ="),
    (
        "the admin port open to all",
        "[source.shop]",
        "[admin]\nlisten = \"0.0.0.0:8081\"\n[source.shop]",
    ),
    (
        "a key of asking that is misspelt",
        "settle_after = { error = 600 }",
        "[source.shop.ask]\nfirst = 5",
    ),
    (
        "a first delay of nothing",
        "settle_after = { error = 600 }",
        "[source.shop.ask]\nfirst_secs = 0",
    ),
    (
        "a longest delay below the first",
        "settle_after = { error = 600 }",
        "[source.shop.ask]\ncap_secs = 5",
    ),
    (
        "a budget of nothing",
        "settle_after = { error = 600 }",
        "[source.shop.limits]\nrequests_per_second = 0",
    ),
    (
        "a feed that the provider does not have",
        "settle_after = { error = 600 }",
        "[source.shop.feed]\nevery_secs = 5",
    ),
    ("nothing to ask with", "api_key = { env = \"KEY\" }, ", ""),
    ("a log level that is none", "[source.shop]", "[log]\nlevel = \"loud\"\n[source.shop]"),
    (
        "a folder of providers that is not there",
        "[source.shop]",
        "[providers]\ndir = \"/nowhere\"\n[source.shop]",
    ),
    (
        "a folder of providers misspelt",
        "[source.shop]",
        "[providers]\ndri = \"/nowhere\"\n[source.shop]",
    ),
    (
        "one secret in two sources",
        "[source.shop]",
        "[source.twin]\nprovider = \"flypay\"\ncallback_secrets = [{ env = \"SECRET\" }]\n[source.shop]",
    ),
];

#[test]
fn every_mistake_is_placed_and_explained() {
    let mut text = String::new();
    for (what, from, to) in MISTAKES {
        assert!(GOOD.contains(from), "{what}: {from}");
        let error = read(&GOOD.replacen(from, to, 1)).expect_err(what);
        text.push_str(&format!("# {what}\n{error}\n\n"));
    }
    text.push_str(&format!("# no source\n{}\n", read("").expect_err("no source")));
    insta::assert_snapshot!(text);
}

const SINK: &str = "[sink.books]\nkind = \"http\"\nurl = \"https://books.example/\"\nsecrets = [{ env = \"SINK\" \
                    }]\ntypes = [\"pawl.effect.*\"]\n";

/// What is wrong, and what is written instead of what.
const SINK_MISTAKES: [(&str, &str, &str); 14] = [
    ("no kind", "kind = \"http\"\n", ""),
    ("no such kind", "\"http\"", "\"smtp\""),
    ("a name that is none", "[sink.books]", "[sink.Books]"),
    ("no URL", "url = \"https://books.example/\"\n", ""),
    ("plain HTTP", "https://", "http://"),
    ("a private address", "books.example", "10.1.2.3"),
    ("no secrets", "secrets = [{ env = \"SINK\" }]\n", ""),
    ("a secret that is too short", "{ env = \"SINK\" }", "{ env = \"SECRET\" }"),
    ("a secret with an id", "{ env = \"SINK\" }", "{ env = \"SINK\", id = \"a\" }"),
    ("no such type", "pawl.effect.*", "pawl.efect.*"),
    ("no such source", "types =", "sources = [\"shoop\"]\ntypes ="),
    ("an exchange of an HTTP sink", "types =", "exchange = \"x\"\ntypes ="),
    ("delays that shrink", "types =", "retry = { first_secs = 10, cap_secs = 5 }\ntypes ="),
    (
        "an AMQP sink without a broker",
        "kind = \"http\"\nurl = \"https://books.example/\"\n",
        "kind = \"amqp\"\n",
    ),
];

#[test]
fn every_mistake_in_a_sink_is_placed_and_explained() {
    let mut env = env();
    env.insert("SINK".to_owned(), crate::daemon::SINK_SECRET.to_owned());
    let read = |sink: &str| Config::read("pawl.toml", &format!("{GOOD}{sink}"), &env);
    read(SINK).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut text = String::new();
    for (what, from, to) in SINK_MISTAKES {
        assert!(SINK.contains(from), "{what}: {from}");
        let error = read(&SINK.replacen(from, to, 1)).err().unwrap_or_else(|| panic!("{what}"));
        text.push_str(&format!("# {what}\n{error}\n\n"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_environment_stands_above_the_file() {
    let with = |name: &str, value: &str| {
        let mut env = env();
        env.insert(name.to_owned(), value.to_owned());
        Config::read("pawl.toml", GOOD, &env).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(with("PAWL_RECEIVE__BODY_BYTES_MAX", "1000").unwrap().receive.body_bytes_max, 1000);
    assert_eq!(with("PAWL_ADMIN__LISTEN", "127.0.0.1:1").unwrap().admin.listen.port(), 1);
    // A text that looks like a number stays a text where one is wanted.
    let config = with("PAWL_SOURCE__SHOP__TOLERANCE", "2").unwrap();
    assert_eq!(config.sources["shop"].rules.policy.tolerance.to_string(), "2");
    assert!(with("PAWL_CASES", "20").is_ok(), "without two underscores in it, it is no key");
    insta::assert_snapshot!(
        [
            with("PAWL_RECEIVE__LISEN", "x").unwrap_err(),
            with("PAWL_RECEIVE__LISTEN", "x").unwrap_err(),
            with("PAWL_RECEIVE__BODY_BYTES_MAX", "many").unwrap_err(),
            with("PAWL_STORE__URL__X", "y").unwrap_err(),
        ]
        .join("\n")
    );
}

#[test]
fn a_secret_file_that_everyone_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "hush\n").unwrap();
    let text =
        GOOD.replace("[{ env = \"SECRET\" }]", &format!("[{{ file = \"{}\" }}]", path.display()));
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let error = read(&text).unwrap_err();
    assert!(error.contains("can be read by everyone on this machine: chmod o-r"), "{error}");
    mode(0o640);
    let config = read(&text).unwrap();
    assert_eq!(config.sources["shop"].callback_secrets[0].secret.expose(), "hush");
}

#[test]
fn a_folder_adds_providers() {
    let folder = tempfile::tempdir().unwrap();
    let add = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let text = format!("[providers]\ndir = \"{}\"\n{GOOD}", folder.path().display());
    let mine = include_str!("../../src/provider/definitions/flypay.toml")
        .replace("name = \"flypay\"", "name = \"mine\"");
    add("mine.toml", &mine);
    let config = read(&text.replace("provider = \"flypay\"", "provider = \"mine\"")).unwrap();
    assert_eq!(config.sources["shop"].provider.name, "mine");
    add("again.toml", &mine);
    let error = read(&text).unwrap_err();
    assert!(error.contains("there already is a provider `mine`"), "{error}");
    add("again.toml", "name = 3");
    let error = read(&text).unwrap_err();
    assert!(error.contains("again.toml:1:8: "), "{error}");
}

#[test]
fn secrets_are_never_shown() {
    let config = read(GOOD).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && !shown.contains("public\""), "a secret is shown");
}
