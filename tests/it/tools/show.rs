//! `pawl provider show`: everything is there, for people and for programs.

use std::collections::BTreeMap;

use pawl::config::Config;
use pawl::provider::{Provider, describe};
use serde_json::Value;

use super::{WHOLE, pawl, printed};

fn whole() -> Provider {
    Provider::load("whole.toml", WHOLE).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn a_page_says_all_of_a_definition() {
    insta::assert_snapshot!(describe::page(&whole()));
}

#[test]
fn the_same_is_said_to_programs() {
    insta::assert_snapshot!(format!("{:#}", describe::whole(&whole())));
}

#[test]
fn every_page_names_what_its_definition_has() {
    for provider in Provider::built_in().unwrap() {
        let page = printed(&["show", &provider.name]);
        let statuses = provider.machine.statuses().iter().map(|rule| rule.name.as_str());
        let kinds = provider.kinds.keys().map(|kind| kind.as_str());
        let documents = provider.documents.iter().map(String::as_str);
        for word in statuses.chain(kinds).chain(documents).chain(provider.credentials()) {
            assert!(page.contains(word), "{}: no {word}", provider.name);
        }
        // A body of JSON has no place to break it.
        let is_narrow = |line: &str| line.chars().count() <= 140 || line.contains("  body  ");
        assert!(page.lines().all(is_narrow), "{page}");
        let json: Value =
            serde_json::from_str(&printed(&["show", &provider.name, "--json"])).unwrap();
        assert_eq!(json["statuses"].as_array().unwrap().len(), provider.machine.statuses().len());
        for key in ["name", "title", "about", "documents", "credentials", "callbacks", "kinds"] {
            assert!(!json[key].is_null(), "{}: no {key}", provider.name);
        }
    }
}

/// What a page shows of a source can be pasted.
#[test]
fn the_source_of_a_page_loads() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("whole.toml"), WHOLE).unwrap();
    let providers = format!("[providers]\ndir = \"{}\"\n", folder.path().display());
    let mut all = Provider::built_in().unwrap();
    all.push(whole());
    for provider in all {
        let source = describe::source(&provider);
        let secrets = provider.credentials().into_iter().chain(["secret"]);
        let env: BTreeMap<String, String> = secrets
            .map(|secret| (describe::variable(&provider.name, secret), "hush".to_owned()))
            .collect();
        let config = Config::read("pawl.toml", &format!("{providers}{source}"), &env);
        let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}\n{source}"));
        let shop = &config.sources["shop"];
        let can_ask = provider.ask.is_some() || provider.feed.is_some();
        let wanted = if can_ask { provider.credentials().len() } else { 0 };
        assert_eq!(
            (shop.base_url.is_some(), shop.credentials.len()),
            (can_ask, wanted),
            "{source}"
        );
        assert!(shop.makes_claims() || shop.base_url.is_some(), "{source}");
        // What stands in comments is right, too.
        for line in source.lines().filter_map(|line| line.strip_prefix("# books")) {
            let with = format!("{providers}{source}books{line}\n");
            Config::read("pawl.toml", &with, &env)
                .unwrap_or_else(|wrong| panic!("{wrong}\n{with}"));
        }
    }
}

#[test]
fn what_is_no_definition_is_said() {
    let output = pawl(&["show", "flypy"], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("did you mean `flypay`?"), "{said}");
    assert_eq!(pawl(&["show", "flypay", "--draw", "png"], &[]).status.code(), Some(2));
}
