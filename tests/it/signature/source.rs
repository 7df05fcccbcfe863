//! What a source says about how its callbacks are signed.

use std::collections::BTreeMap;

use pawl::config::{Config, Source};
use pawl::order::rules::Confirm;
use pawl::provider::Trust;
use pawl::provider::headers::Headers;
use pawl::provider::signature::{Request, SignatureError};

use super::{BODY, NOW, at, definition, hex_hmac};

/// A configuration with a provider of its own, whose definition has this in `[callback]`.
fn read(callback: &str, source: &str) -> Result<Source, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("simple.toml"), definition(callback)).unwrap();
    let env: BTreeMap<String, String> = [("ONE", "hush"), ("TWO", "other")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let text = format!(
        "[providers]\ndir = \"{}\"\n[source.shop]\nprovider = \"simple\"\n{source}\n",
        folder.path().display()
    );
    let config = Config::read("pawl.toml", &text, &env).map_err(|mistakes| mistakes.to_string())?;
    Ok(config.sources["shop"].clone())
}

const HMAC: &str =
    "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"";
const SECRET: &str = "callback_secrets = [{ env = \"ONE\" }]";

fn verify(source: &Source, lines: &[(&str, &str)]) -> Result<Trust, SignatureError> {
    let headers: Headers = lines.iter().copied().collect();
    source.verify(&Request {
        method: "POST",
        path: "/inner/shop",
        url: None,
        headers: &headers,
        body: BODY.as_bytes(),
        at: at(NOW),
    })
}

#[test]
fn a_source_chooses_one_of_the_definitions_ways() {
    let callback = format!(
        "{HMAC}\n[callback.signatures.webhook]\npreset = \"timestamped\"\nheader = \"X-Hook\""
    );
    let (plain, hook) = (hex_hmac("hush", BODY), hex_hmac("hush", format!("{NOW}.{BODY}")));
    let hook = format!("t={NOW},v1={hook}");
    let (plain, hook) = ([("x-signature", plain.as_str())], [("x-hook", hook.as_str())]);
    let source = read(&callback, SECRET).unwrap();
    assert_eq!(verify(&source, &plain), Ok(Trust::Claims));
    assert_eq!(verify(&source, &hook), Err(SignatureError::Missing));
    let source = read(&callback, &format!("{SECRET}\nsignature = \"webhook\"")).unwrap();
    assert_eq!(verify(&source, &hook), Ok(Trust::Claims));
    assert_eq!(verify(&source, &plain), Err(SignatureError::Missing));
    let source = read(&callback, "signature = \"none\"").unwrap();
    assert_eq!(verify(&source, &plain), Ok(Trust::Hint));
    let error = read(&callback, &format!("{SECRET}\nsignature = \"webhok\"")).unwrap_err();
    assert!(error.contains("has no signature `webhok`: did you mean `webhook`?"), "{error}");
}

#[test]
fn a_source_describes_a_way_of_its_own() {
    let own = r#"signature = { scheme = "hmac", hash = "sha512", header = "X-Own", encoding = "base64", signed = "{timestamp}:{body}", timestamp = { header = "X-Time", tolerance_secs = 60 } }"#;
    let source = read(HMAC, &format!("{SECRET}\n{own}")).unwrap();
    let made = super::openssl_hmac("sha512", b"hush", format!("{NOW}:{BODY}").as_bytes());
    let (made, now) = (super::base64(made), NOW.to_string());
    let lines = [("x-own", made.as_str()), ("x-time", now.as_str())];
    assert_eq!(verify(&source, &lines), Ok(Trust::Claims));
    assert_eq!(verify(&source, &lines[..1]), Err(SignatureError::Incomplete));
    // What is wrong with it is said at its place.
    for (from, to, what) in [
        ("sha512", "md5", "6:39: `md5` cannot stand here: write one of sha1, sha256, sha512"),
        ("hash", "hsh", "there is no key `hsh`: did you mean `hash`?"),
        ("{timestamp}:", "", "the timestamp is not part of what is signed"),
        ("{body}", "{bdy}", "`{bdy}` is no place here: write {body}, "),
    ] {
        let error = read(HMAC, &format!("{SECRET}\n{}", own.replace(from, to))).unwrap_err();
        assert!(error.contains(what), "{error}");
        assert!(error.starts_with("pawl.toml:6:"), "{error}");
    }
}

#[test]
fn secrets_are_needed_where_something_is_checked() {
    assert!(read(HMAC, "").unwrap_err().contains("has no callback_secrets"));
    read("scheme = \"none\"", "").unwrap();
    let many = format!("callback_secrets = [{}]", "{ env = \"ONE\" }, ".repeat(17));
    assert!(read(HMAC, &many).unwrap_err().contains("with 16 secrets at most"));
    let error = read(&format!("{HMAC}\nkey = \"hex\""), SECRET).unwrap_err();
    assert!(error.contains("it must be a secret in hexadecimal"), "{error}");
    let rsa = "scheme = \"rsa_sha256\"\nheader = \"X\"\nencoding = \"base64\"";
    let error = read(rsa, SECRET).unwrap_err();
    assert!(error.contains("a public RSA key of 2048 to 8192 bits in PEM"), "{error}");
    let error = read("scheme = \"basic\"", SECRET).unwrap_err();
    assert!(error.contains("it must be user:password"), "{error}");
}

#[test]
fn keys_that_are_named_have_names() {
    let named = format!("{HMAC}\nkey_id = {{ header = \"X-Key\" }}");
    assert!(read(&named, SECRET).unwrap_err().contains("add id = \"...\""));
    let source = read(
        &named,
        "callback_secrets = [{ env = \"ONE\", id = \"one\" }, { env = \"TWO\", id = \"two\" }]",
    )
    .unwrap();
    let signature = hex_hmac("hush", BODY);
    let with = |id: &str| verify(&source, &[("x-signature", &signature), ("x-key", id)]);
    assert_eq!(with("one"), Ok(Trust::Claims));
    assert_eq!(with("two"), Err(SignatureError::Wrong));
    assert_eq!(with("three"), Err(SignatureError::UnknownKey));
}

#[test]
fn a_url_that_is_signed_must_be_known() {
    let callback = format!("{HMAC}\nsigned = \"{{url}}\\n{{body}}\"");
    let error = read(&callback, SECRET).unwrap_err();
    assert!(error.contains("add public_url = \"https://.../callbacks/shop\""), "{error}");
    for wrong in ["pay.example", "https://", "https:///x", "https://pay.example/#x", "https://a b"]
    {
        let error = read(&callback, &format!("{SECRET}\npublic_url = \"{wrong}\"")).unwrap_err();
        assert!(error.contains("is no URL"), "{error}");
    }
    let url = "https://pay.example/callbacks/shop";
    let source = read(&callback, &format!("{SECRET}\npublic_url = \"{url}\"")).unwrap();
    let signature = hex_hmac("hush", format!("{url}\n{BODY}"));
    assert_eq!(verify(&source, &[("x-signature", &signature)]), Ok(Trust::Claims));
}

/// A token tells who sends, not that nobody changed what is sent: money waits for an answer.
#[test]
fn what_must_be_confirmed_is_what_the_source_says_or_else_the_definition() {
    let confirm = |callback: &str, source: &str| {
        read(callback, &format!("callback_secrets = [{{ env = \"ONE\" }}]\n{source}"))
            .unwrap_or_else(|error| panic!("{error}"))
            .rules
            .policy
            .confirm
            .clone()
    };
    let token = "scheme = \"token\"\nheader = \"X-Token\"";
    let said =
        |confirm: &str, signature: &str| format!("{signature}\n[callback]\nconfirm = {confirm}");
    let definition = |confirm: &str, signature: &str| said(confirm, signature);
    assert_eq!(confirm(HMAC, ""), Confirm::Never);
    assert_eq!(confirm(token, ""), Confirm::Always);
    assert_eq!(confirm(token, "confirm = \"never\""), Confirm::Never);
    assert_eq!(confirm(HMAC, "signature = { scheme = \"token\", query = \"t\" }"), Confirm::Always);
    assert_eq!(confirm(&definition("\"never\"", token), ""), Confirm::Never);
    assert_eq!(confirm(&definition("\"always\"", HMAC), ""), Confirm::Always);
    assert_eq!(confirm(&definition("\"always\"", HMAC), "confirm = \"never\""), Confirm::Never);
    let some = confirm(&definition("{ above = \"100\", statuses = [\"paid\"] }", HMAC), "");
    assert!(matches!(some, Confirm::When { above: Some(_), statuses } if statuses.len() == 1));
    let error = read(&definition("{ statuses = [\"payed\"] }", HMAC), SECRET).unwrap_err();
    assert!(error.contains("there is no status `payed`: did you mean `paid`?"), "{error}");
}
