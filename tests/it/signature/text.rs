//! What is signed beside the body, and how its parts are kept apart.

use pawl::provider::Trust;
use pawl::provider::signature::SignatureError as E;

use super::{BODY, NOW, Sent, hex_hmac, provider, refuses, refuses_other_times, secret, sent};

const HMAC: &str =
    "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"";

fn signed(text: &str) -> Sent {
    sent(BODY).with("x-signature", hex_hmac("hush", text))
}

const URL: &str = "https://pay.example/callbacks/shop";

#[test]
fn the_url_is_the_one_that_the_sender_was_given() {
    let provider = provider(&format!("{HMAC}\nsigned = \"{{url}}{{body}}\""));
    assert!(provider.signature.needs_url());
    let secrets = [secret("hush")];
    let at = |url: Option<&str>, path: &str, text: &str| {
        let url = url.map(str::to_owned);
        Sent { url, path: path.to_owned(), ..signed(text) }.verify(&provider, &secrets)
    };
    let text = format!("{URL}{BODY}");
    assert_eq!(at(Some(URL), "/inner/shop", &text), Ok(Trust::Claims));
    assert_eq!(at(None, "/inner/shop", &text), Err(E::Malformed));
    assert_eq!(at(Some("https://pay.example/callbacks/other"), "/x", &text), Err(E::Wrong));
    // A query that belongs to the URL must be the one that came.
    let (with, text) = (format!("{URL}?a=1"), format!("{URL}?a=1{BODY}"));
    assert_eq!(at(Some(&with), "/inner/shop?a=1", &text), Ok(Trust::Claims));
    assert_eq!(at(Some(&with), "/inner/shop?a=2", &text), Err(E::Malformed));
    assert_eq!(at(Some(&with), "/inner/shop", &text), Err(E::Malformed));
    // Another one could have been a part of the body.
    assert_eq!(at(Some(URL), "/inner/shop?a=1", &text), Err(E::Malformed));
}

#[test]
fn a_query_is_signed_with_what_tells_where_it_ends() {
    let provider = provider(&format!("{HMAC}\nsigned = \"{{method}}\\n{{path}}\\n{{body}}\""));
    let secrets = [secret("hush")];
    let at = |path: &str, text: &str| signed(text).path(path).verify(&provider, &secrets);
    let text = |path: &str| format!("POST\n{path}\n{BODY}");
    for path in ["/callbacks/shop", "/callbacks/shop?a=1&b=%0A", "/callbacks/shop?"] {
        assert_eq!(at(path, &text(path)), Ok(Trust::Claims), "{path}");
    }
    assert_eq!(at("/callbacks/shop?a=2", &text("/callbacks/shop?a=1")), Err(E::Wrong));
    let put = Sent { method: "PUT".into(), ..signed(&text("/callbacks/shop")) };
    assert_eq!(put.verify(&provider, &secrets), Err(E::Wrong));
    // Behind a proxy, the path is the one of the URL that the sender was given.
    for (url, path) in [
        (URL, "/callbacks/shop"),
        ("https://pay.example", "/"),
        ("https://pay.example?a=1", "/?a=1"),
    ] {
        let query = path.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let behind =
            Sent { url: Some(url.into()), ..signed(&text(path)).path(&format!("/inner{query}")) };
        assert_eq!(behind.verify(&provider, &secrets), Ok(Trust::Claims), "{url}");
    }
}

#[test]
fn a_header_is_signed_where_it_is_named() {
    let provider = provider(&format!(
        "{HMAC}\nsigned = \"{{timestamp}}\\n{{header.x-nonce}}\\n{{body}}\\n\"\ntimestamp = {{ header = \"X-Time\" }}"
    ));
    let with = |nonce: &str| {
        signed(&format!("{NOW}\n{nonce}\n{BODY}\n"))
            .with("x-time", NOW.to_string())
            .with("x-nonce", nonce)
    };
    let secrets = [secret("hush")];
    let good = with("abc");
    refuses(&provider, &good, "x-signature", &secrets[0]);
    refuses_other_times(&provider, &good, 300, &secrets[0]);
    assert_eq!(good.clone().without("x-nonce").verify(&provider, &secrets), Err(E::Incomplete));
    assert_eq!(good.clone().instead("x-nonce", "abd").verify(&provider, &secrets), Err(E::Wrong));
    assert_eq!(good.with("x-nonce", "abc").verify(&provider, &secrets), Err(E::Repeated));
    assert_eq!(with("a\nb").verify(&provider, &secrets), Err(E::Malformed));
}

/// The whole of `a:b:BODY` says nothing about which colon is which.
#[test]
fn a_part_that_holds_its_own_separator_is_refused() {
    let provider =
        provider(&format!("{HMAC}\nsigned = \"{{header.x-a}}::{{header.x-b}}::{{body}}\""));
    let secrets = [secret("hush")];
    let with = |a: &str, b: &str| {
        signed(&format!("{a}::{b}::{BODY}"))
            .with("x-a", a)
            .with("x-b", b)
            .verify(&provider, &secrets)
    };
    assert_eq!(with("a", "b"), Ok(Trust::Claims));
    assert_eq!(with("a:x", "b"), Ok(Trust::Claims));
    for (a, b) in [("a::b", "c"), ("a:", "b"), ("a", "b::c"), ("a", "b:"), ("::", "")] {
        assert_eq!(with(a, b), Err(E::Malformed), "{a} {b}");
    }
}

#[test]
fn what_stands_behind_the_body_is_kept_apart_from_it() {
    let provider = provider(&format!(
        "{HMAC}\nsigned = \"{{body}}.{{id}}.{{timestamp}}\"\nid = {{ header = \"X-Id\" }}\ntimestamp = {{ header = \"X-Time\" }}"
    ));
    let secrets = [secret("hush")];
    let with = |id: &str| {
        let good = signed(&format!("{BODY}.{id}.{NOW}")).with("x-id", id);
        good.with("x-time", NOW.to_string()).verify(&provider, &secrets)
    };
    assert_eq!(with("a"), Ok(Trust::Claims));
    assert_eq!(with("a.b"), Err(E::Malformed));
    assert_eq!(with(""), Err(E::Incomplete));
}

/// Without a text between them, a piece of one could be moved into the other.
#[test]
fn places_that_meet_make_it_a_hint() {
    let provider = provider(&format!("{HMAC}\nsigned = \"{{header.x-a}}{{body}}\""));
    assert_eq!(provider.signature.trust(), Trust::Hint);
    let good = signed(&format!("a{BODY}")).with("x-a", "a");
    assert_eq!(good.verify(&provider, &[secret("hush")]), Ok(Trust::Hint));
    assert_eq!(good.verify(&provider, &[secret("hush2")]), Err(E::Wrong));
    // A time has its own end, and no other text passes for it.
    let stamped = super::provider(&format!(
        "{HMAC}\nsigned = \"{{timestamp}}{{body}}\"\ntimestamp = {{ header = \"X-Time\" }}"
    ));
    let good = signed(&format!("{NOW}{BODY}")).with("x-time", NOW.to_string());
    assert_eq!(good.verify(&stamped, &[secret("hush")]), Ok(Trust::Claims));
}

/// A body of digits, because only there a digit could change sides.
#[test]
fn a_digit_does_not_change_sides() {
    let provider = provider(&format!(
        "{HMAC}\nsigned = \"{{body}}{{timestamp}}\"\ntimestamp = {{ header = \"X-Time\" }}"
    ));
    let secrets = [secret("hush")];
    let signature = hex_hmac("hush", format!("10{NOW}"));
    let with = |body: &str, time: &str| {
        let sent = sent(body).with("x-signature", signature.as_str()).with("x-time", time);
        sent.verify(&provider, &secrets)
    };
    assert_eq!(with("10", &NOW.to_string()), Ok(Trust::Claims));
    assert_eq!(with("1", &format!("0{NOW}")), Err(E::Malformed));
    assert_eq!(with("101", &NOW.to_string()[1..]), Err(E::OutOfTime));
}
