//! What a source of a provider needs, as a piece of configuration that can be pasted.

use std::fmt::Write as _;

use crate::provider::{NO_BOOKS, Provider, Trust};

/// An example `[source.shop]`: what it must have as it stands, and what it may choose in comments.
#[must_use]
pub fn source(provider: &Provider) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write(provider, &mut text);
    text
}

/// The environment variable that an example takes one of a provider's secrets from.
#[must_use]
pub fn variable(provider: &str, secret: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{provider}_{secret}").chars().map(upper).collect()
}

fn write(provider: &Provider, out: &mut String) -> std::fmt::Result {
    let name = &provider.name;
    let signature = &provider.signature;
    writeln!(out, "[source.shop]\nprovider = \"{name}\"")?;
    let secret = variable(name, "secret");
    let id = if signature.names_key() { ", id = \"the key's name\"" } else { "" };
    let secrets = format!("callback_secrets = [{{ env = \"{secret}\"{id} }}]");
    if !signature.is_none() {
        writeln!(out, "{secrets}   # {}", signature.wanted_key())?;
    }
    if signature.needs_url() {
        writeln!(
            out,
            "public_url = \"https://pay.example/callbacks/shop\"   # as the provider has it: it is signed"
        )?;
    }
    let others = provider.signatures.keys().map(|name| format!("\"{name}\""));
    let others: Vec<String> = others.filter(|name| name != "\"none\"").collect();
    if !others.is_empty() {
        let needs = if signature.is_none() { ", with callback_secrets" } else { "" };
        writeln!(out, "# signature = {}   # other ways of signing{needs}", others.join(" or "))?;
    }
    let can_ask = provider.ask.is_some() || provider.feed.is_some();
    if can_ask {
        // Where nothing that is called back is believed, asking is all there is.
        let mark = if signature.trust() == Trust::Hint { "needed: " } else { "" };
        let why = format!("{mark}without it, the provider is not asked");
        writeln!(out, "base_url = \"https://provider.example\"   # {why}")?;
        let credential = |own: &str| format!("{own} = {{ env = \"{}\" }}", variable(name, own));
        let credentials: Vec<String> = provider.credentials().into_iter().map(credential).collect();
        if !credentials.is_empty() {
            writeln!(out, "credentials = {{ {} }}", credentials.join(", "))?;
        }
    }
    if provider.tells_account() {
        writeln!(
            out,
            "# account = \"...\"   # what callbacks must name: the account of this source"
        )?;
    }
    if provider.takes_currency() {
        writeln!(
            out,
            "# currency = \"EUR\"   # of all orders that are not registered: reports say none"
        )?;
    }
    for (kind, modes) in &provider.kinds {
        let others: Vec<&str> = modes
            .modes
            .keys()
            .map(String::as_str)
            .filter(|mode| *mode != modes.default && *mode != NO_BOOKS)
            .collect();
        if !others.is_empty() {
            let (default, others) = (&modes.default, others.join(" or "));
            writeln!(out, "# books = {{ {kind} = \"{default}\" }}   # or {others}, or {NO_BOOKS}")?;
        }
    }
    writeln!(
        out,
        "unregistered = \"accept\"   # or \"wait\": money of unregistered orders is held back"
    )
}
