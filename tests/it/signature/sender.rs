//! Who sends is known, and not that nobody changed what is sent; or nobody is.

use pawl::provider::Trust;
use pawl::provider::signature::SignatureError as E;

use super::{BODY, base64, hex_hmac, provider, secret, sent};

#[test]
fn a_token_is_the_secret_itself() {
    let body = |token: &str| BODY.replace("{\"id\"", &format!("{{\"token\":\"{token}\",\"id\""));
    let places = [
        (
            "header = \"X-Token\"",
            sent(BODY).with("x-token", "hush"),
            sent(BODY).with("x-token", "hus"),
        ),
        (
            "header = \"Authorization\"\nprefix = \"Bearer \"",
            sent(BODY).with("authorization", "Bearer hush"),
            sent(BODY).with("authorization", "Bearer hush "),
        ),
        ("at = \"/token\"", sent(body("hush")), sent(body("hushh"))),
        (
            "query = \"token\"",
            sent(BODY).path("/callbacks/shop?x=1&token=hush"),
            sent(BODY).path("/callbacks/shop?token=Hush"),
        ),
    ];
    for (place, good, wrong) in places {
        let provider = provider(&format!("scheme = \"token\"\n{place}"));
        assert!(provider.signature.is_of_sender_only());
        let secrets = [secret("other"), secret("hush")];
        assert_eq!(good.verify(&provider, &secrets), Ok(Trust::Claims), "{place}");
        assert_eq!(good.verify(&provider, &secrets[..1]), Err(E::Wrong), "{place}");
        assert_eq!(good.verify(&provider, &[]), Err(E::NoSecret), "{place}");
        assert_eq!(wrong.verify(&provider, &secrets), Err(E::Wrong), "{place}");
        assert_eq!(sent(BODY).verify(&provider, &secrets), Err(E::Missing), "{place}");
    }
}

#[test]
fn a_token_that_is_empty_or_stands_twice_is_none() {
    let secrets = [secret("hush")];
    let header = provider("scheme = \"token\"\nheader = \"X-Token\"");
    let good = sent(BODY).with("x-token", "hush");
    assert_eq!(good.clone().instead("x-token", "").verify(&header, &secrets), Err(E::Malformed));
    assert_eq!(good.with("x-token", "hush").verify(&header, &secrets), Err(E::Repeated));
    let query = provider("scheme = \"token\"\nquery = \"token\"");
    let path = |query: &str| sent(BODY).path(&format!("/callbacks/shop?{query}"));
    assert_eq!(path("token=").verify(&query, &secrets), Err(E::Malformed));
    assert_eq!(path("token=hush&token=hush").verify(&query, &secrets), Err(E::Repeated));
    let at = provider("scheme = \"token\"\nat = \"/token\"");
    for body in [r#"{"token":["hush"]}"#, r#"{"token":"hush","token":"hush"}"#, "hush", ""] {
        assert_eq!(sent(body).verify(&at, &secrets), Err(E::Malformed), "{body}");
    }
    assert_eq!(sent(r#"{"token":null}"#).verify(&at, &secrets), Err(E::Missing));
    let bearer = provider("scheme = \"token\"\nheader = \"Authorization\"\nprefix = \"Bearer \"");
    let other = sent(BODY).with("authorization", "Token hush");
    assert_eq!(other.verify(&bearer, &secrets), Err(E::Malformed));
}

#[test]
fn http_basic_is_user_and_password() {
    let provider = provider("scheme = \"basic\"");
    assert!(provider.signature.is_of_sender_only());
    let secrets = [secret("shop:hush:2")];
    let with = |value: &str| sent(BODY).with("authorization", value).verify(&provider, &secrets);
    assert_eq!(with(&format!("Basic {}", base64("shop:hush:2"))), Ok(Trust::Claims));
    assert_eq!(with(&format!("basic {}", base64("shop:hush:2"))), Ok(Trust::Claims));
    for wrong in ["shop:hush:", "shop:", ":hush:2", "shop:hush:2 ", "Shop:hush:2"] {
        assert_eq!(with(&format!("Basic {}", base64(wrong))), Err(E::Wrong), "{wrong}");
    }
    for wrong in ["", "Basic", "Basic ", "Basic !", "Bearer c2hvcDpodXNo"] {
        assert_eq!(with(wrong), Err(E::Malformed), "{wrong}");
    }
    assert_eq!(sent(BODY).verify(&provider, &secrets), Err(E::Missing));
    let key = |text: &str| provider.signature.check_key(&secret(text).secret).is_ok();
    assert!(key("shop:hush") && key("key:") && !key("shop") && !key(":"));
}

#[test]
fn without_a_scheme_everything_is_a_hint() {
    let provider = provider("scheme = \"none\"");
    assert_eq!(sent(BODY).verify(&provider, &[]), Ok(Trust::Hint));
    let signed = sent(BODY).with("x-signature", hex_hmac("hush", BODY));
    assert_eq!(signed.verify(&provider, &[secret("hush")]), Ok(Trust::Hint));
}

#[test]
fn where_a_signature_may_be_missing_a_wrong_one_is_still_wrong() {
    let provider = provider(
        "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"\nmissing = \"hint\"",
    );
    let secrets = [secret("hush")];
    assert_eq!(sent(BODY).verify(&provider, &secrets), Ok(Trust::Hint));
    let with = |value: &str| sent(BODY).with("x-signature", value).verify(&provider, &secrets);
    assert_eq!(with(&hex_hmac("hush", BODY)), Ok(Trust::Claims));
    assert_eq!(with(&hex_hmac("hush2", BODY)), Err(E::Wrong));
    assert_eq!(with(""), Err(E::Malformed));
    assert_eq!(with("none"), Err(E::Malformed));
}
