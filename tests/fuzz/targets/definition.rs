//! Any text as a definition: loading it never panics, and what loads can be used for all that a definition is for.

use std::collections::BTreeMap;

use pawl::order::rules::Policy;
use pawl::provider::describe;
use pawl::provider::drawing::{Drawing, dot, mermaid, svg};
use pawl::provider::headers::Headers;
use pawl::provider::secret::{CallbackSecret, Secret};
use pawl::provider::signature::Request;
use pawl::provider::{Provider, Sample};

use crate::order::at;

/// Whether it loads.
pub(crate) fn run(bytes: &[u8]) -> bool {
    // A file that is not UTF-8 is refused before it is a definition.
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match Provider::load("fuzzed.toml", text) {
        Ok(provider) => {
            use_it(&provider);
            true
        }
        Err(mistakes) => {
            assert!(!mistakes.to_string().is_empty(), "it is refused, and nothing says why");
            false
        }
    }
}

fn use_it(provider: &Provider) {
    for (kind, modes) in &provider.kinds {
        for mode in modes.modes.keys() {
            let books = BTreeMap::from([(kind.clone(), mode.clone())]);
            assert!(provider.rules(&books, Policy::default()).is_ok(), "{kind} has {mode}");
        }
    }
    for sample in &provider.samples {
        // What it comes to is its author's matter.
        let _ = sample.check(provider, at(0));
        verify(provider, sample);
    }
    let drawing = Drawing::of(provider);
    let texts = [
        describe::page(provider),
        describe::whole(provider).to_string(),
        describe::brief(provider).to_string(),
        describe::source(provider),
        svg::print(&drawing),
        dot::print(&drawing),
        mermaid::print(&drawing),
    ];
    assert!(texts.iter().all(|text| !text.is_empty()), "a page or a drawing is empty");
}

/// A sample's body as a callback in each way of signing: nobody signed it, so none may take it for a claim.
fn verify(provider: &Provider, sample: &Sample) {
    let body = sample.body.as_bytes();
    let headers: Headers =
        [("signature", "t=1,v1=00"), ("x-signature", "00")].into_iter().collect();
    let (method, path) = ("POST", "/callbacks/fuzzed?token=fuzzed");
    let request = Request { method, path, url: None, headers: &headers, body, at: at(0) };
    let secret = Secret::new("a secret that no input can have made use of").expect("a secret");
    for signature in provider.signatures.values().chain([&provider.signature]) {
        let secrets = [CallbackSecret::always(secret.clone())];
        let found = provider.verify_callback(&request, Some(signature), &secrets);
        let explained = signature.explain(&request, &secrets);
        assert_eq!(found, explained.trust, "the explanation says something else");
    }
    let _ = provider.read_hint(body);
    let _ = provider.find_challenge(body);
}
