//! `pawl provider list`: the definitions that come with Pawl.

use serde_json::{Value, json};

use super::Exit;
use crate::order::name::Kind;
use crate::provider::{Provider, describe};

pub(super) fn run(json: bool) -> anyhow::Result<Exit> {
    let providers = Provider::built_in()?;
    if json {
        let items: Vec<Value> = providers.iter().map(describe::brief).collect();
        println!("{}", json!({ "items": items }));
    } else {
        for provider in &providers {
            let kinds: Vec<&str> = provider.kinds.keys().map(Kind::as_str).collect();
            println!("{:<12} {}", provider.name, provider.title);
            println!("{:<12} {}", "", provider.about);
            println!("{:<12} kinds: {}", "", kinds.join(", "));
        }
    }
    Ok(Exit::Fine)
}
