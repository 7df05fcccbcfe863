//! The JSON Schema of definitions says what a definition may say: all of it, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use pawl::order::slot::Counter;
use pawl::provider::{BUILT_IN, Provider};
use serde_json::{Map, Value, json};

use super::{WHOLE, pawl, printed};
use crate::schema::fit;

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&file("src/provider/definitions/schema.json")).unwrap()
}

/// What the schema has against a definition.
fn check(text: &str) -> Vec<String> {
    let schema = schema();
    let value: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut wrong = Vec::new();
    fit(&schema, &schema, &json!(value), "", &mut wrong);
    wrong
}

#[test]
fn the_command_prints_the_schema_that_stands_with_the_definitions() {
    assert_eq!(printed(&["schema"]), file("src/provider/definitions/schema.json"));
}

#[test]
fn every_definition_fits() {
    for (name, text) in BUILT_IN.iter().chain(&[("whole", WHOLE)]) {
        assert_eq!(check(text), [""; 0], "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    for way in ["hmac", "rsa", "ed25519", "standard-webhooks", "basic", "token", "none"] {
        let path = folder.path().join(way).display().to_string();
        assert!(pawl(&["new", "acme", "--out", &path, "--signature", way], &[]).status.success());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("#:schema ./schema.json\n"));
        assert_eq!(check(&text), [""; 0], "{way}");
    }
}

/// Pieces of definitions leave out what stands elsewhere, and say nothing wrong.
#[test]
fn every_piece_of_the_guide_fits() {
    let guide = file("src/provider/definitions/README.md");
    let blocks: Vec<&str> =
        guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 11, "{}", blocks.len());
    for block in blocks {
        let is_whole = block.starts_with("name = ");
        let is_source = block.contains("[source.");
        let wrong: Vec<String> = check(block)
            .into_iter()
            .filter(|wrong| is_whole || !wrong.ends_with(": required"))
            .collect();
        assert!(is_source || wrong.is_empty(), "{wrong:?}\n{block}");
    }
}

#[test]
fn what_is_wrong_does_not_fit() {
    for (from, to) in [
        ("name = \"whole\"", "nam = \"whole\""),
        ("[callback]\n", "[calback]\n"),
        ("preset = \"timestamped\"", "preset = \"timestampd\""),
        ("list = { key_id = \"k\" }", "list = { keyid = \"k\" }"),
        ("confirm = { above", "confirm = { over"),
        ("reply = { status = 202", "reply = { status = 302"),
        ("to.held = \"amount\"", "to.hold = \"amount\""),
        ("to.held = \"amount\"", "to.held = 3"),
        ("outcome = \"failed\"", "outcome = \"lost\""),
        ("final = true", "final = \"yes\""),
        ("method = \"GET\"", "method = \"PUT\""),
        ("currency = \"/currency\"", "currency = { too = \"/currency\" }"),
        ("at = [\"authorised\"]", "at = \"authorised\""),
        ("is = [\"order.*\", \"refund.*\"]", "is = 3"),
        ("means = \"not_found\"", "means = \"gone\""),
        ("status = \"paid\"\neffects", "effects"),
        ("max = 20", "max = 0"),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        assert!(!check(&WHOLE.replacen(from, to, 1)).is_empty(), "{to} is not refused");
    }
}

/// A step into a definition: a key, or an item of a list.
#[derive(Clone)]
enum Step {
    Key(String),
    Item,
}

/// A definition of nothing but one value, deep inside.
fn only(path: &[Step], value: Value) -> String {
    let wrap = |value: Value, step: &Step| match step {
        Step::Key(key) => json!({ key: value }),
        Step::Item => json!([value]),
    };
    let whole = path.iter().rev().fold(value, wrap);
    toml::to_string(&whole).unwrap()
}

fn shown(path: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => key.clone(),
        Step::Item => "*".to_owned(),
    };
    path.iter().map(step).collect::<Vec<_>>().join(".")
}

/// What the loader has against it.
fn refused(path: &[Step], value: Value) -> String {
    let text = only(path, value);
    Provider::load("x.toml", &text).expect_err(&text).to_string()
}

/// The words that a message lists behind a phrase.
fn listed(message: &str, phrase: &str) -> Option<BTreeSet<String>> {
    let list = message.split(phrase).nth(1)?.lines().next()?;
    Some(list.split(", ").map(str::to_owned).collect())
}

/// A key and a word that nothing is like.
const NONE: &str = "~~";

/// Goes through the schema, and holds each part against what the loader says of a definition that has nothing
/// else in it.
struct Walk {
    root: Value,
    tables: usize,
    words: usize,
}

impl Walk {
    fn part(&mut self, schema: &Value, path: &[Step], needed: &BTreeSet<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            let target = self.root.pointer(&name[1..]).unwrap().clone();
            return self.part(&target, path, needed);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            for choice in choices.clone() {
                self.part(&choice, path, needed);
            }
            return;
        }
        if let Some(words) = schema["enum"].as_array() {
            self.words(words, path);
            return;
        }
        match schema["type"].as_str().unwrap() {
            "object" if schema["properties"].is_object() => self.table(schema, path, needed),
            "object" if schema["additionalProperties"].is_object() => {
                let inner = [path, &[Step::Key("x".to_owned())]].concat();
                self.part(&schema["additionalProperties"].clone(), &inner, needed);
            }
            // Bodies of requests may be anything.
            "object" => assert!(shown(path).contains("body"), "{}", shown(path)),
            "array" => {
                let inner = [path, &[Step::Item]].concat();
                self.part(&schema["items"].clone(), &inner, needed);
            }
            "string" | "integer" | "boolean" => {
                // No table stands there that the schema says nothing of.
                let error = refused(path, json!({ NONE: 1 }));
                assert!(!error.contains("there is no key"), "{error}\n{}", shown(path));
            }
            other => panic!("{other}"),
        }
    }

    fn table(&mut self, schema: &Value, path: &[Step], needed: &BTreeSet<String>) {
        self.tables += 1;
        let properties: &Map<String, Value> = schema["properties"].as_object().unwrap();
        let known: BTreeSet<String> = properties.keys().cloned().collect();
        assert_eq!(schema["additionalProperties"], false);
        let error = refused(path, json!({ NONE: 1 }));
        let keys = listed(&error, ": the keys are ").or_else(|| listed(&error, ": write one of "));
        let keys = keys.unwrap_or_else(|| panic!("{error}\n{}", shown(path)));
        assert_eq!(keys, known, "{}", shown(path));
        // What is missing is said from within.
        let own: BTreeSet<String> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|key| key.as_str().unwrap().to_owned())
            .collect();
        let error = refused(path, json!({}));
        let missing = error.split("the key `").nth(1).and_then(|rest| rest.split('`').next());
        let missing = missing.unwrap_or_else(|| panic!("{error}"));
        let expected = if own.is_empty() { needed } else { &own };
        assert!(expected.contains(missing), "{missing} is missing in {}", shown(path));
        let needed: BTreeSet<String> = needed.union(&own).cloned().collect();
        for (key, rule) in properties.clone() {
            self.part(&rule, &[path, &[Step::Key(key)]].concat(), &needed);
        }
    }

    fn words(&mut self, words: &[Value], path: &[Step]) {
        self.words += 1;
        let error = refused(path, json!(NONE));
        let words = words.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
        match listed(&error, "cannot stand here: write one of ") {
            Some(known) => assert_eq!(known, words, "{}", shown(path)),
            // Names of presets, and `always` or `never`, are looked at once the file is read.
            None => {
                let shown = shown(path);
                assert!(shown.ends_with("preset") || shown.ends_with("confirm"), "{shown}");
            }
        }
    }
}

#[test]
fn the_schema_has_every_key_and_word_that_a_definition_may_have_and_no_other() {
    let root = schema();
    let mut walk = Walk { root: root.clone(), tables: 0, words: 0 };
    walk.part(&root, &[], &BTreeSet::new());
    assert!(walk.tables > 60 && walk.words > 40, "{} {}", walk.tables, walk.words);
    let counters: BTreeSet<&str> = Counter::ALL.into_iter().map(Counter::as_str).collect();
    let listed = root["$defs"]["counters"]["propertyNames"]["enum"].as_array().unwrap();
    assert_eq!(listed.iter().map(|name| name.as_str().unwrap()).collect::<BTreeSet<_>>(), counters);
    for preset in root["$defs"]["signature"]["properties"]["preset"]["enum"].as_array().unwrap() {
        let with = format!("preset = \"{}\"\nheader = \"X\"", preset.as_str().unwrap());
        crate::signature::provider(&with);
    }
}
