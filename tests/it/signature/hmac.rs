//! HMAC, in every hash, writing and form of key.

use pawl::provider::Trust;
use pawl::provider::signature::SignatureError as E;

use super::{
    BODY, NOW, Sent, base64, hex_hmac, openssl_hmac, provider, refuses, refuses_other_times,
    secret, sent,
};

const PLAIN: &str =
    "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"";

const STAMPED: &str = r#"scheme = "hmac"
hash = "sha256"
header = "X-Signature"
encoding = "hex"
signed = "{timestamp}.{body}"
timestamp = { header = "X-Timestamp" }"#;

fn stamped(body: &str, timestamp: impl ToString) -> Sent {
    let timestamp = timestamp.to_string();
    let signature = hex_hmac("azp_secret_demo", format!("{timestamp}.{body}"));
    sent(body).with("x-signature", signature).with("x-timestamp", timestamp)
}

#[test]
fn a_vector_with_a_timestamp_is_accepted() {
    const SIGNED: &str = "45f9259ad62e0de88b5e4caba0ee0bba86e75ef3d467fb60942d47e4d7fe6fd4";
    let good = sent(r#"{"id":"x"}"#).with("x-signature", SIGNED).with("x-timestamp", "1764500000");
    assert_eq!(good.header("x-signature"), stamped(r#"{"id":"x"}"#, NOW).header("x-signature"));
    let (provider, only) = (provider(STAMPED), [secret("azp_secret_demo")]);
    assert_eq!(good.verify(&provider, &only), Ok(Trust::Claims));
    refuses_other_times(&provider, &good, 300, &only[0]);
    let moved = good.clone().instead("x-timestamp", "1764500001");
    assert_eq!(moved.verify(&provider, &only), Err(E::Wrong));
}

/// RFC 4231, case 2, and RFC 2202, case 2.
#[test]
fn vectors_of_the_standards_hold() {
    let text = "what do ya want for nothing?";
    for (hash, signed) in [
        ("sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        ("sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            "sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        let provider = provider(&PLAIN.replace("sha256", hash));
        let good = sent(text).with("x-signature", signed);
        assert_eq!(good.verify(&provider, &[secret("Jefe")]), Ok(Trust::Claims), "{hash}");
    }
}

#[test]
fn every_hash_encoding_and_key_is_what_openssl_makes_of_it() {
    let key: &[u8] = b"\x01\xfe key of 24 bytes or so \xff";
    for hash in ["sha1", "sha256", "sha512"] {
        let made = openssl_hmac(hash, key, BODY.as_bytes());
        let padded = base64(&made);
        let bare = padded.trim_end_matches('=').to_owned();
        let for_urls = bare.replace('+', "-").replace('/', "_");
        for (encoding, written) in [
            ("hex", hex::encode(&made)),
            ("hex", hex::encode_upper(&made)),
            ("base64", padded.clone()),
            ("base64", bare.clone()),
            ("base64url", for_urls.clone()),
            ("base64url", for_urls.clone() + &"=".repeat(padded.len() - bare.len())),
        ] {
            for (form, text) in [
                ("\"hex\"", hex::encode(key)),
                ("\"base64\"", base64(key)),
                ("\"base64\"\nkey_prefix = \"whsec_\"", format!("whsec_{}", base64(key))),
                ("\"base64\"\nkey_prefix = \"whsec_\"", base64(key)),
            ] {
                let described =
                    PLAIN.replace("sha256", hash).replace("\"hex\"", &format!("\"{encoding}\""));
                let provider = provider(&format!("{described}\nprefix = \"sha=\"\nkey = {form}"));
                let good = sent(BODY).with("x-signature", format!("sha={written}"));
                refuses(&provider, &good, "x-signature", &secret(&text));
            }
        }
    }
}

#[test]
fn what_is_not_signed_by_a_good_secret_is_refused() {
    let provider = provider(PLAIN);
    let good = sent(BODY).with("x-signature", hex_hmac("hush", BODY));
    refuses(&provider, &good, "x-signature", &secret("hush"));
    assert_eq!(good.verify(&provider, &[secret("hush2")]), Err(E::Wrong));
    let both = [secret("hush2"), secret("hush")];
    assert_eq!(good.verify(&provider, &both), Ok(Trust::Claims));
    for wrong in ["0".repeat(64), "0".repeat(40), "0".repeat(128), "0".repeat(60_000)] {
        let verified = good.clone().instead("x-signature", &wrong).verify(&provider, &both);
        assert_eq!(verified, Err(if wrong.len() == 64 { E::Wrong } else { E::Malformed }));
    }
}

#[test]
fn a_secret_that_is_written_wrongly_shuts_out_no_other() {
    let provider = provider(&format!("{PLAIN}\nkey = \"hex\""));
    let made = hex::encode(openssl_hmac("sha256", b"\xab\xcd", BODY.as_bytes()));
    let good = sent(BODY).with("x-signature", made);
    let both = [secret("zz"), secret("abcd")];
    assert_eq!(good.verify(&provider, &both), Ok(Trust::Claims));
    assert_eq!(good.verify(&provider, &both[..1]), Err(E::NoSecret));
}

#[test]
fn a_time_that_is_none_is_refused() {
    let (provider, only) = (provider(STAMPED), [secret("azp_secret_demo")]);
    let good = stamped(BODY, NOW);
    refuses(&provider, &good, "x-signature", &only[0]);
    assert_eq!(good.clone().without("x-timestamp").verify(&provider, &only), Err(E::Incomplete));
    let twice = good.clone().with("x-timestamp", NOW.to_string());
    assert_eq!(twice.verify(&provider, &only), Err(E::Repeated));
    // Signed as they stand there; still no times.
    let long = "9".repeat(40);
    for wrong in
        ["", " ", "now", "-1764500000", "+1764500000", "01764500000", "1764500000.0", "0x1", &long]
    {
        assert_eq!(stamped(BODY, wrong).verify(&provider, &only), Err(E::Malformed), "{wrong}");
    }
    // Milliseconds would be the year 57885.
    assert_eq!(stamped(BODY, NOW * 1000).verify(&provider, &only), Err(E::Malformed));
    assert_eq!(stamped(BODY, NOW - 301).verify(&provider, &only), Err(E::OutOfTime));
}

#[test]
fn times_are_read_in_the_unit_that_is_said() {
    let only = [secret("azp_secret_demo")];
    let described = |unit: &str| {
        let said = format!("{{ header = \"X-Timestamp\", unit = \"{unit}\", tolerance_secs = 5 }}");
        provider(&STAMPED.replace("{ header = \"X-Timestamp\" }", &said))
    };
    for (unit, now) in [
        ("seconds", NOW.to_string()),
        ("millis", format!("{NOW}000")),
        ("rfc3339", "2025-11-30T10:53:20Z".into()),
        ("rfc3339", "2025-11-30T11:53:20.000+01:00".into()),
    ] {
        let good = stamped(BODY, now);
        refuses_other_times(&described(unit), &good, 5, &only[0]);
        refuses(&described(unit), &good, "x-signature", &only[0]);
    }
    assert_eq!(stamped(BODY, NOW).verify(&described("millis"), &only), Err(E::OutOfTime));
    assert_eq!(stamped(BODY, NOW).verify(&described("rfc3339"), &only), Err(E::Malformed));
}
