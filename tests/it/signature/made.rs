//! What we sign ourselves is what the same description accepts.

use pawl::provider::headers::Headers;
use pawl::provider::secret::Secret;
use pawl::provider::signature::{KeyError, Request, SignError};
use pawl::provider::{Provider, Trust};

use super::{BODY, NOW, at, hex_hmac, provider, secret};

fn request<'a>(headers: &'a Headers, body: &'a [u8]) -> Request<'a> {
    let url = Some("https://pay.example/callbacks/shop");
    Request { method: "POST", path: "/callbacks/shop", url, headers, body, at: at(NOW) }
}

fn sign(provider: &Provider, key: &str, body: &str) -> Result<Headers, SignError> {
    let none = Headers::default();
    let request = request(&none, body.as_bytes());
    provider.signature.sign_request(
        &request,
        Some("msg_1"),
        Some("one"),
        &Secret::new(key).unwrap(),
    )
}

#[test]
fn what_is_signed_is_accepted() {
    let hmac = "scheme = \"hmac\"\nhash = \"sha512\"\nheader = \"X-Signature\"\nencoding = \"base64url\"\nprefix = \"v0=\"";
    for (described, key, count) in [
        (hmac.to_owned(), "hush", 1),
        ("preset = \"standard_webhooks\"".to_owned(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 3),
        (
            "preset = \"timestamped\"\nheader = \"X-Signature\"\nlist = { key_id = \"k\" }"
                .to_owned(),
            "hush",
            1,
        ),
        (
            format!(
                "{hmac}\nsigned = \"{{method}} {{url}} {{path}}\\n{{timestamp}}\\n{{body}}\"\ntimestamp = {{ header = \"X-Time\", unit = \"rfc3339\" }}\nkey_id = {{ header = \"X-Key\" }}"
            ),
            "hush",
            3,
        ),
        (format!("{hmac}\nsigned = \"{{sorted_fields}}\""), "hush", 1),
        (
            "scheme = \"token\"\nheader = \"Authorization\"\nprefix = \"Bearer \"".to_owned(),
            "hush",
            1,
        ),
        ("scheme = \"basic\"".to_owned(), "shop:hush", 1),
    ] {
        let provider = provider(&described);
        let headers = sign(&provider, key, BODY).unwrap();
        assert_eq!(headers.iter().count(), count, "{headers:?}");
        let request = request(&headers, BODY.as_bytes());
        let key = pawl::provider::secret::CallbackSecret { id: Some("one".into()), ..secret(key) };
        let verified = provider.verify_callback(&request, None, &[key]);
        assert_eq!(verified, Ok(Trust::Claims), "{described}");
    }
}

#[test]
fn what_cannot_be_signed_says_why() {
    let key = |described: &str, key: &str| sign(&provider(described), key, BODY).unwrap_err();
    let hmac = "scheme = \"hmac\"\nhash = \"sha256\"\nencoding = \"hex\"";
    assert_eq!(
        key(&format!("{hmac}\nheader = \"X\"\nkey = \"hex\""), "zz"),
        SignError::Key(KeyError)
    );
    assert_eq!(
        key("scheme = \"ed25519\"\nheader = \"X\"\nencoding = \"hex\"", "k"),
        SignError::Scheme
    );
    assert_eq!(key("scheme = \"none\"", "k"), SignError::Scheme);
    let inside = format!("{hmac}\nat = \"/sign\"\nsigned = \"{{field:/id}}\"");
    assert_eq!(key(&inside, "k"), SignError::Place);
    let nonce = format!("{hmac}\nheader = \"X\"\nsigned = \"{{header.x-nonce}}.{{body}}\"");
    assert_eq!(key(&nonce, "k"), SignError::Incomplete);
}

#[test]
fn a_body_alone_is_signed_by_itself() {
    let key = Secret::new("hush").unwrap();
    let plain = provider(
        "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X\"\nencoding = \"hex\"\nprefix = \"sha256=\"",
    );
    let signed = plain.signature.sign(BODY.as_bytes(), &key).unwrap();
    assert_eq!(signed, format!("sha256={}", hex_hmac("hush", BODY)));
    let more = provider("preset = \"timestamped\"\nheader = \"X\"");
    assert_eq!(more.signature.sign(BODY.as_bytes(), &key), Err(KeyError));
}
