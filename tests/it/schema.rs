//! The configuration as it is shown: the example, the schema, and what works.

use std::collections::BTreeMap;
use std::path::Path;

use pawl::config::{Config, Effective, example, schema};
use serde_json::{Value, json};

const SHORT: &str =
    "[source.shop]\nprovider = \"flypay\"\ncallback_secrets = [{ env = \"FLYPAY_SECRET\" }]\n";

fn env(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let all = [&[("FLYPAY_SECRET", "hush"), ("KEY", "hush2")], more].concat();
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn read(text: &str, more: &[(&str, &str)]) -> Config {
    Config::read("pawl.toml", text, &env(more)).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The example with what is commented out in it.
fn all_of_the_example() -> String {
    let (_, body) =
        example().split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    body.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect()
}

#[test]
fn the_example_says_the_defaults() {
    let (short, whole) = (read(SHORT, &[]), read(&example(), &[]));
    assert_eq!(format!("{short:?}"), format!("{whole:?}"));
}

#[test]
fn the_example_is_the_one_of_deploy_and_of_the_readme() {
    let example = example();
    assert_eq!(example, file("deploy/pawl.toml"), "pawl config example > deploy/pawl.toml");
    let (_, body) = example.split_once("\n\n").unwrap();
    assert!(file("README.md").contains(&format!("```toml\n{body}```")), "README.md:\n{body}");
}

/// A number that is out of every range tells the range that is checked.
#[test]
fn the_schema_knows_the_ranges_that_are_checked() {
    let mut checked = 0;
    let mut look = |section: &str, properties: &Value| {
        for (name, property) in properties["properties"].as_object().unwrap() {
            let (Some(from), Some(to)) =
                (property["minimum"].as_u64(), property["maximum"].as_u64())
            else {
                continue;
            };
            checked += 1;
            let variable = format!("PAWL_{section}__{}", name.to_ascii_uppercase());
            let with = |value: &str| {
                Config::read("pawl.toml", SHORT, &env(&[(&variable, value)]))
                    .map_err(|e| e.to_string())
            };
            let error = with("99999999999").unwrap_err();
            assert!(error.contains(&format!("is out of range: write {from} to {to}")), "{error}");
        }
    };
    let schema = schema();
    for (name, section) in schema["properties"].as_object().unwrap() {
        if name == "sink" {
            // A variable alone makes no sink.
            continue;
        }
        if name == "source" {
            let source = &section["additionalProperties"];
            for part in ["ask", "limits"] {
                look(
                    &format!("SOURCE__SHOP__{}", part.to_ascii_uppercase()),
                    &source["properties"][part],
                );
            }
        } else {
            look(&name.to_ascii_uppercase(), section);
        }
    }
    assert!(checked >= 12, "{checked}");
}

#[test]
fn the_schema_takes_what_the_file_may_be_and_nothing_else() {
    let schema = schema();
    let check = |text: &str| {
        let value: toml::Table =
            toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut wrong = Vec::new();
        fit(&schema, &schema, &json!(value), "", &mut wrong);
        wrong
    };
    let all = all_of_the_example();
    assert_eq!(check(SHORT), [""; 0]);
    assert_eq!(check(&example()), [""; 0]);
    assert_eq!(check(&all), [""; 0]);
    for (from, to) in [
        ("listen =", "lisen ="),
        ("[receive]", "[recieve]"),
        ("262144", "\"64k\""),
        ("262144", "0"),
        ("\"text\"", "\"xml\""),
        ("[source.shop]", "[source.\"My Shop\"]"),
        ("provider = \"flypay\"", "# provider"),
        ("[{ env = \"FLYPAY_SECRET\" }]", "[\"hush\"]"),
        ("[{ env = \"FLYPAY_SECRET\" }]", "[{}]"),
        ("[{ env = \"FLYPAY_SECRET\" }]", "[{ env = \"A\", file = \"b\" }]"),
        ("[{ env = \"FLYPAY_SECRET\" }]", "[]"),
        ("{ withdraw = \"exact\" }", "{ withdraw = \"exactly\" }"),
        ("{ above = \"1000\", statuses = [\"completed\"] }", "\"sometimes\""),
        ("{ above = \"1000\"", "{ over = \"1000\""),
        ("signature = \"none\"", "signature = 3"),
        ("signature = \"none\"", "signature = { header = 3 }"),
        ("signature = \"none\"", "signature = { headr = \"X\" }"),
        ("signature = \"none\"", "signature = { timestamp = { unit = \"days\" } }"),
        ("{ error = 600 }", "{ error = -1 }"),
        ("{ file = \"/etc/pawl/admin-token\" }", "\"hush\""),
    ] {
        assert!(all.contains(from), "{from}");
        assert!(!check(&all.replacen(from, to, 1)).is_empty(), "{to} is not refused");
    }
    let secret = "[{ env = \"A\", not_before = \"2026-01-02T00:00:00Z\" }]";
    let rotating = all.replacen("[{ env = \"FLYPAY_SECRET\" }]", secret, 1);
    assert_eq!(check(&rotating), [""; 0]);
    let confirm = "{ above = \"1000\", statuses = [\"completed\"] }";
    assert_eq!(check(&all.replacen(confirm, "\"never\"", 1)), [""; 0]);
    let described = "signature = { preset = \"timestamped\", header = \"X\", timestamp = \
                     { tolerance_secs = 60 }, list = { signature = [\"v2\"] } }";
    assert_eq!(check(&all.replacen("signature = \"none\"", described, 1)), [""; 0]);
}

/// As much of JSON Schema as our own uses; a word that it does not know is a failure.
pub(crate) fn fit(root: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    for (word, rule) in schema.as_object().unwrap() {
        let is_fine = match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" => true,
            "$ref" => {
                let target = root.pointer(&rule.as_str().unwrap()[1..]).unwrap();
                fit(root, target, value, at, wrong);
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                other => panic!("{other}"),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_i64().is_none_or(|n| n >= rule.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|n| n <= rule.as_i64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| !items.is_empty()),
            "minProperties" => value.as_object().is_none_or(|items| !items.is_empty()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    fit(root, rule, item, &format!("{at}/{index}"), wrong);
                }
                true
            }
            "propertyNames" => {
                let is_name = |name: &String| match rule["enum"].as_array() {
                    Some(known) => known.contains(&json!(name)),
                    None => {
                        assert_eq!(rule["pattern"], "^[a-z0-9_-]{1,64}$");
                        name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
                    }
                };
                value.as_object().is_none_or(|object| object.keys().all(is_name))
            }
            "required" => rule.as_array().unwrap().iter().all(|key| {
                value.as_object().is_none_or(|object| object.contains_key(key.as_str().unwrap()))
            }),
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        fit(root, rule, value, &format!("{at}/{key}"), wrong);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object();
                for (key, value) in value.as_object().into_iter().flatten() {
                    let at = format!("{at}/{key}");
                    if known.is_some_and(|known| known.contains_key(key)) {
                        continue;
                    }
                    if *rule == json!(false) {
                        wrong.push(format!("{at}: unknown"));
                    } else {
                        fit(root, rule, value, &at, wrong);
                    }
                }
                true
            }
            "oneOf" => {
                let fits = rule.as_array().unwrap().iter().filter(|rule| {
                    let mut wrong = Vec::new();
                    fit(root, rule, value, at, &mut wrong);
                    wrong.is_empty()
                });
                fits.count() == 1
            }
            other => panic!("{other} is not known here"),
        };
        if !is_fine {
            wrong.push(format!("{at}: {word}"));
        }
    }
}

#[test]
fn what_works_is_shown_and_loads_again() {
    let text = "[work]\nbatch_max = 7\n[source.shop]\nprovider = \"flypay\"\n\
                callback_secrets = [{ env = \"FLYPAY_SECRET\", not_after = \"2030-01-01T00:00:00Z\" }]\n\
                settle_after = { error = 600 }\nconfirm = { above = \"1000\" }\n";
    let more = [("PAWL_WORK__LINGER_MS", "9"), ("PAWL_SOURCE__SHOP__TOLERANCE", "2")];
    let effective = Effective::read("pawl.toml", text, &env(&more)).unwrap();
    let shown = effective.to_toml();
    assert!(shown.contains("batch_max = 7\nlinger_ms = 9\nattempts_max = 10\n"), "{shown}");
    assert!(shown.contains("[source.shop.ask]\nfirst_secs = 10\n"), "{shown}");
    assert!(shown.contains("[{ env = \"FLYPAY_SECRET\", not_after = "), "{shown}");
    assert_eq!(Effective::read("pawl.toml", &shown, &env(&[])).unwrap(), effective);
    assert_eq!(format!("{:?}", read(text, &more)), format!("{:?}", read(&shown, &[])));
    assert_eq!(effective.to_json()["work"]["linger_ms"], 9);
    assert_eq!(effective.to_json()["source"]["shop"]["confirm"]["above"], "1000");
}

#[test]
fn passwords_and_secrets_are_not_shown() {
    let text = format!(
        "[store]\nurl = \"postgres://pawl:hush@localhost/pawl\"\n[queue]\n\
         url = \"amqp://guest:hush@localhost/%2f\"\n{SHORT}"
    );
    let effective = Effective::read("pawl.toml", &text, &env(&[])).unwrap();
    let shown = format!("{}{}", effective.to_toml(), effective.to_json());
    assert!(!shown.contains("hush"), "{shown}");
    assert!(shown.contains("postgres://pawl:***@localhost/pawl"), "{shown}");
    assert!(shown.contains("amqp://guest:***@localhost/%2f"), "{shown}");
    let error = Effective::read("pawl.toml", "[store]\nurll = 1\n", &env(&[])).unwrap_err();
    assert!(error.to_string().contains("pawl.toml:2:1: there is no key `urll`"), "{error}");
}
