//! Signatures, against signers that are not ours: every way of signing that a definition can describe.

mod bits;
mod fields;
mod hmac;
mod list;
mod made;
mod mistakes;
mod public;
mod requests;
mod sender;
mod source;
mod text;

use std::io::Write;
use std::process::{Command, Stdio};

use pawl::order::timestamp::Timestamp;
use pawl::provider::headers::Headers;
use pawl::provider::secret::{CallbackSecret, Secret};
use pawl::provider::signature::{Request, SignatureError};
use pawl::provider::{Provider, Trust};

/// The moment of all these tests.
pub(super) const NOW: i64 = 1_764_500_000;

/// What a provider whose callbacks are signed like this says of the rest.
pub(super) fn definition(callback: &str) -> String {
    format!(
        r#"name = "simple"
title = "Simple"
[callback.signature]
{callback}
[event]
order_id = "/id"
status = "/status"
currency = "/currency"
[status.pending]
edges = ["paid"]
[status.paid]
final = true
outcome = "succeeded"
[kind.payment]
[[kind.payment.money]]
at = ["paid"]
to.credited = "amount"
"#
    )
}

pub(super) fn provider(callback: &str) -> Provider {
    Provider::load("simple.toml", &definition(callback)).unwrap_or_else(|m| panic!("{m}"))
}

pub(super) fn secret(text: &str) -> CallbackSecret {
    CallbackSecret::always(Secret::new(text).unwrap())
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

/// A callback on its way, as its sender or somebody else made it.
#[derive(Clone)]
pub(super) struct Sent {
    pub headers: Vec<(String, String)>,
    pub method: String,
    pub path: String,
    pub url: Option<String>,
    pub body: Vec<u8>,
    pub at: i64,
}

/// A body that says everything that decides.
pub(super) const BODY: &str = r#"{"id":"1","status":"paid","amount":5.10,"currency":"EUR"}"#;

pub(super) fn sent(body: impl Into<Vec<u8>>) -> Sent {
    Sent {
        headers: Vec::new(),
        method: "POST".to_owned(),
        path: "/callbacks/shop".to_owned(),
        url: None,
        body: body.into(),
        at: NOW,
    }
}

impl Sent {
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(super) fn instead(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).with(name, value)
    }

    pub(super) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub(super) fn at(mut self, at: i64) -> Self {
        self.at = at;
        self
    }

    pub(super) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    pub(super) fn verify(
        &self,
        provider: &Provider,
        secrets: &[CallbackSecret],
    ) -> Result<Trust, SignatureError> {
        let headers: Headers = self.headers.iter().map(|(n, v)| (n, v.clone())).collect();
        let request = Request {
            method: &self.method,
            path: &self.path,
            url: self.url.as_deref(),
            headers: &headers,
            body: &self.body,
            at: at(self.at),
        };
        provider.verify_callback(&request, None, secrets)
    }
}

/// What must be refused of every good callback whose signature is in a header: another body, another
/// secret, no secret, no signature, two, an empty one.
pub(super) fn refuses(provider: &Provider, good: &Sent, name: &str, secret: &CallbackSecret) {
    use SignatureError as E;
    let only = std::slice::from_ref(secret);
    assert_eq!(good.verify(provider, only), Ok(Trust::Claims));
    let mut other = good.clone();
    let last = other.body.len() - 2;
    other.body[last] ^= 1;
    assert_eq!(other.verify(provider, only), Err(E::Wrong));
    assert_eq!(good.verify(provider, &[]), Err(E::NoSecret));
    let expired = CallbackSecret { not_after: Some(at(good.at)), ..secret.clone() };
    assert_eq!(good.verify(provider, &[expired]), Err(E::NoSecret));
    let early = CallbackSecret { not_before: Some(at(good.at + 1)), ..secret.clone() };
    assert_eq!(good.verify(provider, &[early]), Err(E::NoSecret));
    assert_eq!(good.clone().without(name).verify(provider, only), Err(E::Missing));
    let value = good.header(name).to_owned();
    assert_eq!(good.clone().with(name, value.clone()).verify(provider, only), Err(E::Repeated));
    let upper = name.to_ascii_uppercase();
    assert_eq!(good.clone().with(&upper, value.clone()).verify(provider, only), Err(E::Repeated));
    for wrong in ["", " ", "zz", "!"] {
        let wrong = good.clone().instead(name, wrong);
        assert_eq!(wrong.verify(provider, only), Err(E::Malformed), "{}", wrong.header(name));
    }
    for wrong in [&value[1..], &value[..value.len() - 4], &format!("x{value}")] {
        let verified = good.clone().instead(name, wrong).verify(provider, only);
        assert!(matches!(verified, Err(E::Malformed | E::Incomplete)), "{wrong}: {verified:?}");
    }
}

/// What must be refused of every good callback that says when it was signed.
pub(super) fn refuses_other_times(
    provider: &Provider,
    good: &Sent,
    tolerance: i64,
    secret: &CallbackSecret,
) {
    let only = std::slice::from_ref(secret);
    for apart in [-tolerance, 0, tolerance] {
        let verified = good.clone().at(NOW + apart).verify(provider, only);
        assert_eq!(verified, Ok(Trust::Claims), "{apart}");
    }
    for apart in [-tolerance - 1, tolerance + 1, 86_400, -86_400, 315_360_000] {
        let verified = good.clone().at(NOW + apart).verify(provider, only);
        assert_eq!(verified, Err(SignatureError::OutOfTime), "{apart}");
    }
}

/// Runs OpenSSL's program on some bytes.
pub(super) fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program openssl is missing: apt-get install openssl");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    output.stdout
}

/// The HMAC of some bytes, as OpenSSL makes it.
pub(super) fn openssl_hmac(hash: &str, key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = format!("hexkey:{}", hex::encode(key));
    let hash = format!("-{hash}");
    openssl(&["dgst", &hash, "-binary", "-mac", "HMAC", "-macopt", &key], text)
}

/// The same in hexadecimal.
pub(super) fn hex_hmac(key: &str, text: impl AsRef<[u8]>) -> String {
    hex::encode(openssl_hmac("sha256", key.as_bytes(), text.as_ref()))
}

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
