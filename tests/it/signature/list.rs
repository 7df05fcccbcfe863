//! Several things in one header.

use pawl::provider::Trust;
use pawl::provider::secret::CallbackSecret;
use pawl::provider::signature::SignatureError as E;

use super::{
    BODY, NOW, Sent, base64, hex_hmac, provider, refuses, refuses_other_times, secret, sent,
};

const STANDARD: &str = "preset = \"standard_webhooks\"";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// As the reference library signs.
fn standard(id: &str, at: i64, body: &str) -> Sent {
    let signer = standardwebhooks::Webhook::new(KEY).unwrap();
    let signature = signer.sign(id, at, body.as_bytes()).unwrap();
    sent(body)
        .with("webhook-id", id)
        .with("webhook-timestamp", at.to_string())
        .with("webhook-signature", signature)
}

#[test]
fn standard_webhooks_is_what_its_own_library_signs() {
    let (provider, only) = (provider(STANDARD), [secret(KEY)]);
    let good = standard("msg_1", NOW, BODY);
    refuses(&provider, &good, "webhook-signature", &only[0]);
    refuses_other_times(&provider, &good, 300, &only[0]);
    for missing in ["webhook-id", "webhook-timestamp"] {
        assert_eq!(good.clone().without(missing).verify(&provider, &only), Err(E::Incomplete));
    }
    let moved = good.clone().instead("webhook-id", "msg_2");
    assert_eq!(moved.verify(&provider, &only), Err(E::Wrong));
    // Without its prefix the secret is the same.
    assert_eq!(good.verify(&provider, &[secret(&KEY["whsec_".len()..])]), Ok(Trust::Claims));
}

/// `a.b` + `.` + 1 signs what `a` + `.` + `b.1...` would: a part of the id must not pass for the time.
#[test]
fn an_id_that_could_be_shifted_into_the_time_is_refused() {
    let (provider, only) = (provider(STANDARD), [secret(KEY)]);
    assert_eq!(standard("msg.1", NOW, BODY).verify(&provider, &only), Err(E::Malformed));
    assert_eq!(standard("", NOW, BODY).verify(&provider, &only), Err(E::Incomplete));
}

#[test]
fn any_of_several_signatures_may_match_and_other_versions_are_passed_over() {
    let (provider, only) = (provider(STANDARD), [secret(KEY)]);
    let good = standard("msg_1", NOW, BODY);
    let right = good.header("webhook-signature").to_owned();
    let wrong = format!("v1,{}", base64([7; 32]));
    let with =
        |value: &str| good.clone().instead("webhook-signature", value).verify(&provider, &only);
    assert_eq!(with(&format!("{wrong} {right}")), Ok(Trust::Claims));
    assert_eq!(with(&format!("v1a,{} {wrong} {right}", base64([7; 64]))), Ok(Trust::Claims));
    assert_eq!(with(&format!("v1,short {right}")), Ok(Trust::Claims));
    assert_eq!(with(&wrong), Err(E::Wrong));
    for version in ["v2", "v1a", "V1", ""] {
        let other = right.replace("v1,", &format!("{version},"));
        assert_eq!(with(&other), Err(E::Malformed), "{version}");
    }
    assert_eq!(with(&right.replace(',', "=")), Err(E::Malformed));
    // Sixteen cost a comparison each; nobody needs more.
    let many = |count: usize| format!("{}{right}", format!("{wrong} ").repeat(count));
    assert_eq!(with(&many(15)), Ok(Trust::Claims));
    assert_eq!(with(&many(16)), Err(E::Malformed));
}

const STAMPED: &str = "preset = \"timestamped\"\nheader = \"X-Signature\"";

fn stamped(text: &str) -> Sent {
    let signature = hex_hmac("hush", format!("{NOW}.{BODY}"));
    sent(BODY).with("x-signature", text.replace("SIGNED", &signature).replace("NOW", "1764500000"))
}

#[test]
fn time_and_versions_in_one_header_are_told_apart() {
    let (provider, only) = (provider(STAMPED), [secret("hush")]);
    let good = stamped("t=NOW,v1=SIGNED");
    refuses(&provider, &good, "x-signature", &only[0]);
    refuses_other_times(&provider, &good, 300, &only[0]);
    let verify = |text: &str| stamped(text).verify(&provider, &only);
    assert_eq!(verify("t=NOW, v1=SIGNED, v0=6ffbb59b"), Ok(Trust::Claims));
    assert_eq!(verify("v1=00,v1=SIGNED,t=NOW"), Ok(Trust::Claims));
    assert_eq!(verify("v1=SIGNED"), Err(E::Incomplete));
    assert_eq!(verify("t=NOW,t=1,v1=SIGNED"), Err(E::Repeated));
    for wrong in
        ["t=NOW", "t=NOW,v0=SIGNED", "t=NOW,v1", "t=,v1=SIGNED", "SIGNED", "t=NOW;v1=SIGNED"]
    {
        assert_eq!(verify(wrong), Err(E::Malformed), "{wrong}");
    }
}

#[test]
fn a_preset_is_a_beginning() {
    let described = format!(
        "{STAMPED}\ntimestamp = {{ tolerance_secs = 5 }}\nhash = \"sha512\"\nlist = {{ split = \";\" }}\nsigned = \"v0:{{timestamp}}:{{body}}\""
    );
    let provider = provider(&described);
    let signature =
        hex::encode(super::openssl_hmac("sha512", b"hush", format!("v0:{NOW}:{BODY}").as_bytes()));
    let good = sent(BODY).with("x-signature", format!("t={NOW};v1={signature}"));
    refuses_other_times(&provider, &good, 5, &secret("hush"));
}

#[test]
fn signatures_without_names_are_a_list_too() {
    let provider = provider(
        "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"\nlist = { split = \",\" }",
    );
    let good = sent(BODY).with("x-signature", hex_hmac("hush", BODY));
    refuses(&provider, &good, "x-signature", &secret("hush"));
    let both = format!("{}, {}", "0".repeat(64), good.header("x-signature"));
    let both = good.instead("x-signature", both);
    assert_eq!(both.verify(&provider, &[secret("hush")]), Ok(Trust::Claims));
}

#[test]
fn the_key_that_is_named_decides_and_no_other() {
    for (described, named) in [
        (format!("{STAMPED}\nkey_id = {{ header = \"X-Key\" }}"), "x-key"),
        (format!("{STAMPED}\nlist = {{ key_id = \"k\" }}"), ""),
    ] {
        let provider = provider(&described);
        let of = |id: &str| {
            if named.is_empty() {
                stamped(&format!("k={id},t=NOW,v1=SIGNED"))
            } else {
                stamped("t=NOW,v1=SIGNED").with(named, id)
            }
        };
        let key = |id: &str, text: &str| CallbackSecret { id: Some(id.to_owned()), ..secret(text) };
        let ours = [key("one", "hush"), key("two", "other"), secret("hush")];
        assert_eq!(of("one").verify(&provider, &ours), Ok(Trust::Claims));
        assert_eq!(of("two").verify(&provider, &ours), Err(E::Wrong));
        assert_eq!(of("three").verify(&provider, &ours), Err(E::UnknownKey));
        assert_eq!(of("").verify(&provider, &ours), Err(E::UnknownKey));
        assert_eq!(stamped("t=NOW,v1=SIGNED").verify(&provider, &ours), Err(E::Incomplete));
        assert_eq!(of("one").verify(&provider, &[]), Err(E::NoSecret));
    }
}
