//! The fuzz targets over the inputs that are kept (tests/fuzz): what a fuzzer found once stays found.

use std::collections::BTreeSet;
use std::fs;

use pawl::provider::BUILT_IN;

#[path = "../fuzz/targets/callback.rs"]
mod callback;
#[path = "../fuzz/targets/definition.rs"]
mod definition;

use callback::{Channel, PROVIDERS};

/// The kept inputs of a target, by their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/tests/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut inputs: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn kept_definitions_break_nothing() {
    let loaded = corpus("definition").into_iter().filter(|(_, bytes)| definition::run(bytes));
    // A change of the format may make the kept ones useless: then make new ones.
    assert!(loaded.count() >= 5, "hardly one of the kept definitions loads");
}

#[test]
fn kept_bodies_break_nothing() {
    let inputs = corpus("callback");
    let read: BTreeSet<_> = inputs.iter().flat_map(|(_, bytes)| callback::run(bytes)).collect();
    // A seed that is no report any more would be quick to test, and worthless.
    for (name, _) in BUILT_IN {
        assert!(PROVIDERS.contains(name), "no input is read as {name}: add it to PROVIDERS");
        let is_read = |(provider, _, reports): &(&str, Channel, bool)| provider == name && *reports;
        assert!(read.iter().any(is_read), "no kept input is a report of {name}");
    }
    for channel in [Channel::Callback, Channel::Answer, Channel::FeedItem] {
        assert!(read.iter().any(|(_, of, reports)| *of == channel && *reports), "{channel:?}");
    }
    for channel in [Channel::Hint, Channel::Challenge] {
        assert!(read.iter().any(|(_, of, _)| *of == channel), "{channel:?}");
    }
}

/// Without a key's name no fuzzer gets behind it.
#[test]
fn the_dictionary_has_every_key_of_a_definition() {
    let root = env!("CARGO_MANIFEST_DIR");
    let words = fs::read_to_string(format!("{root}/tests/fuzz/definition.dict")).unwrap();
    let words: BTreeSet<&str> = words.lines().collect();
    let schema = fs::read(format!("{root}/src/provider/definitions/schema.json")).unwrap();
    let mut waiting = vec![serde_json::from_slice::<serde_json::Value>(&schema).unwrap()];
    while let Some(value) = waiting.pop() {
        if let Some(keys) = value.get("properties").and_then(serde_json::Value::as_object) {
            for key in keys.keys() {
                assert!(words.contains(&*format!("\"{key}\"")), "it lacks the key {key}");
            }
        }
        if let serde_json::Value::Object(members) = value {
            waiting.extend(members.into_iter().map(|(_, value)| value));
        } else if let serde_json::Value::Array(items) = value {
            waiting.extend(items);
        }
    }
}
