//! One bit is enough: whatever is changed of what is signed, or of the signature, is refused.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{NOW, Sent, hex_hmac, provider, secret, sent};

const SIGNED: &str = r#"scheme = "hmac"
hash = "sha256"
header = "X-Signature"
encoding = "hex"
signed = "{id}.{timestamp}.{body}"
id = { header = "X-Id" }
timestamp = { header = "X-Time" }"#;

#[test]
fn any_bit_that_is_flipped_is_refused() {
    let (provider, only) = (provider(SIGNED), [secret("hush")]);
    let body = br#"{"id":"1","status":"paid","amount":5.10,"currency":"EUR"}"#;
    let mut text = format!("msg_1.{NOW}.").into_bytes();
    text.extend(body);
    let good = sent(&body[..])
        .with("x-id", "msg_1")
        .with("x-time", NOW.to_string())
        .with("x-signature", hex_hmac("hush", &text));
    assert!(good.verify(&provider, &only).is_ok());
    for at in 0..body.len() * 8 {
        let mut flipped = good.clone();
        flipped.body[at / 8] ^= 1 << (at % 8);
        assert!(flipped.verify(&provider, &only).is_err(), "bit {at} of the body");
    }
    for name in ["x-id", "x-time", "x-signature"] {
        for at in 0..good.header(name).len() * 8 {
            let Some(flipped) = flip(&good, name, at) else { continue };
            assert!(flipped.verify(&provider, &only).is_err(), "bit {at} of {name}");
        }
    }
}

/// `None` for a value that is no text any more, or only spells the same signature in other letters.
fn flip(good: &Sent, name: &str, at: usize) -> Option<Sent> {
    let value = good.header(name);
    let mut bytes = value.as_bytes().to_vec();
    bytes[at / 8] ^= 1 << (at % 8);
    let flipped = String::from_utf8(bytes).ok()?;
    let is_same = name == "x-signature" && flipped.eq_ignore_ascii_case(value);
    (!is_same).then(|| good.clone().instead(name, flipped))
}

/// Two requests that differ anywhere are never good under one signature, however their parts are cut.
#[test]
fn parts_are_never_cut_in_two_ways() {
    let provider = provider(
        "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"\nsigned = \"{header.x-a}::{header.x-b}:{body}:{header.x-c}\"",
    );
    let key = [secret("hush")];
    let signature = pawl::provider::secret::Secret::new("hush").unwrap();
    let part = "[:a]{0,4}";
    let mut runner = TestRunner::default();
    let parts = (part, part, part, part, 0..4_usize, 0..4_usize, 0..4_usize);
    runner
        .run(&parts, |(a, b, body, c, first, second, third)| {
            let text = format!("{a}::{b}:{body}:{c}");
            let headers = pawl::provider::headers::Headers::default();
            // Signed as one text, whatever its parts are; then cut wherever its separators stand.
            let signed = hmac(&signature, &text, &headers);
            let mut accepted = std::collections::BTreeSet::new();
            let cut = |text: &str, at: usize, by: &str| -> Option<(String, String)> {
                let (at, _) = text.match_indices(by).nth(at)?;
                Some((text[..at].to_owned(), text[at + by.len()..].to_owned()))
            };
            let mut cuts = vec![(a.clone(), b.clone(), body.clone(), c.clone())];
            if let Some((a, rest)) = cut(&text, first, "::")
                && let Some((b, rest)) = cut(&rest, second, ":")
                && let Some((body, c)) = cut(&rest, third, ":")
            {
                cuts.push((a, b, body, c));
            }
            for (a, b, body, c) in cuts {
                let sent = sent(body.as_str())
                    .with("x-a", a.as_str())
                    .with("x-b", b.as_str())
                    .with("x-c", c.as_str())
                    .with("x-signature", signed.as_str());
                if sent.verify(&provider, &key).is_ok() {
                    accepted.insert((a, b, body, c));
                }
            }
            prop_assert!(accepted.len() <= 1, "{accepted:?}");
            Ok(())
        })
        .unwrap();
}

/// The HMAC of a text; by our own code, because a process each would take minutes.
fn hmac(
    secret: &pawl::provider::secret::Secret,
    text: &str,
    headers: &pawl::provider::headers::Headers,
) -> String {
    let plain =
        provider("scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X\"\nencoding = \"hex\"");
    assert_eq!(headers.iter().count(), 0);
    plain.signature.sign(text.as_bytes(), secret).unwrap()
}
