//! House rules that a program can check.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no {extension} files in {folder}");
    found
}

#[test]
fn the_pure_folders_do_no_io() {
    let banned = [
        "sqlx",
        "lapin",
        "reqwest",
        "tokio",
        "hyper",
        "std::fs",
        "std::net",
        "std::thread",
        "SystemTime",
        "Instant::now",
        "now_utc",
        "println!",
        "tracing::",
    ];
    for path in files("src/order", "rs").into_iter().chain(files("src/provider", "rs")) {
        let text = fs::read_to_string(&path).unwrap();
        for word in banned {
            assert!(!text.contains(word), "{} mentions {word}: it is pure", path.display());
        }
    }
}

#[test]
fn files_are_short_enough_to_find_the_room() {
    for path in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let max = if path.starts_with(root().join("src")) { 400 } else { 500 };
        assert!(lines <= max, "{} has {lines} lines, more than {max}", path.display());
    }
}

#[test]
fn every_built_in_definition_is_listed_and_has_samples() {
    let listed: Vec<&str> = pawl::provider::BUILT_IN.iter().map(|(name, _)| *name).collect();
    for path in files("src/provider/definitions", "toml") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(listed.contains(&name), "{name} is not in BUILT_IN");
        let provider = pawl::provider::Provider::load(name, &fs::read_to_string(&path).unwrap());
        let provider = provider.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(provider.name, name);
        assert!(provider.samples.len() >= 3, "{name} shows too little");
    }
}

#[test]
fn every_plant_is_somewhere() {
    let plants = fs::read_to_string(root().join("src/plant.rs")).unwrap();
    let names = plants.split("= &[").nth(1).unwrap().split(']').next().unwrap();
    let names: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    assert!(!names.is_empty());
    let code: String = files("src", "rs")
        .into_iter()
        .filter(|path| !path.ends_with("plant.rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let tests = fs::read_to_string(root().join("tests/plants")).unwrap();
    for name in names {
        assert!(code.contains(&format!("is_planted(\"{name}\")")), "{name} is planted nowhere");
        assert!(tests.contains(name), "{name}: no test must go red for it");
    }
}

/// Both dialects have the same tables, migration by migration; only the embedded queue has no other form.
#[test]
fn both_dialects_have_the_same_tables() {
    let tables = |dialect: &str| -> BTreeMap<String, BTreeSet<String>> {
        let file = |path: PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let made = text.split("create table ").skip(1);
            (name, made.map(|rest| rest.split([' ', '(']).next().unwrap().to_owned()).collect())
        };
        files(&format!("migrations/{dialect}"), "sql").into_iter().map(file).collect()
    };
    let mut sqlite = tables("sqlite");
    sqlite.retain(|name, _| !name.ends_with("_queue.sql"));
    let postgres = tables("postgres");
    assert_eq!(sqlite, postgres);
    assert!(postgres.values().flatten().any(|table| table == "orders"));
}

/// What the author's guide shows must work as it stands there.
#[test]
fn the_guides_whole_definition_loads_and_its_sample_holds() {
    let guide = fs::read_to_string(root().join("src/provider/definitions/README.md")).unwrap();
    let text = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let provider = pawl::provider::Provider::load("README.md", text);
    let provider = provider.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(provider.samples.len(), 1);
    provider.samples[0].check(&provider, crate::order::at(0)).unwrap();
}

/// Every crate that is built in is under a licence that deny.toml allows.
#[test]
fn licences_are_those_of_deny_toml() {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let allowed = deny.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    let allowed: Vec<&str> = allowed.split('"').skip(1).step_by(2).collect();
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--all-features", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 10);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ");
        let fits = |part: &str| allowed.contains(&part.trim_matches(['(', ')', ' ']));
        let is_allowed = licence.split(" AND ").all(|all| all.split(" OR ").any(fits));
        assert!(is_allowed, "{} is under {licence}", package["name"]);
    }
}
