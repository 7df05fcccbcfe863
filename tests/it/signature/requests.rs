//! Our own requests, signed as a definition says.

use std::collections::BTreeMap;

use pawl::order::name::{OrderId, Role};
use pawl::provider::Provider;
use pawl::provider::request::{Asker, Credentials};
use pawl::provider::secret::Secret;

use super::{NOW, at, definition, hex_hmac};

const ASK: &str = r#"
[auth]
headers = { X-Key = "{api_key}" }
[auth.sign]
secret = "secret"
signature = { scheme = "hmac", hash = "sha256", header = "X-Signature", encoding = "hex", signed = "{timestamp}\n{id}\n{method}\n{path}\n{header.x-key}\n{body}", timestamp = { header = "X-Time" }, id = { header = "X-Id" } }
[ask]
method = "POST"
path = "/orders/{order_id}?full=1"
body = { id = "{order_id}" }
answer = {}
"#;

#[test]
fn a_request_is_signed_with_its_time_its_id_and_its_path() {
    let text = format!("{}{ASK}", definition("scheme = \"none\""));
    let provider = Provider::load("simple.toml", &text).unwrap_or_else(|m| panic!("{m}"));
    let names = BTreeMap::from([(OrderId::new("o/1").unwrap(), Role::Merchant)]);
    let credentials: Credentials = [("secret", "hush"), ("api_key", "k-1")]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Secret::new(text).unwrap()))
        .collect();
    let asker = Asker {
        credentials: &credentials,
        token: None,
        uuid: uuid::Uuid::nil(),
        now: at(NOW),
        base_url: "https://provider.example/api/v2",
    };
    let question = provider.ask.as_ref().unwrap().question(&provider.auth, &asker, &names).unwrap();
    let header = |name: &str| question.headers.only(name).unwrap().unwrap().to_owned();
    assert_eq!(header("x-time"), NOW.to_string());
    // The path is the one that the provider sees, with what its base URL begins with.
    let signed = format!(
        "{NOW}\n{}\nPOST\n/api/v2/orders/o%2F1?full=1\nk-1\n{}",
        uuid::Uuid::nil(),
        r#"{"id":"o/1"}"#
    );
    assert_eq!(header("x-signature"), hex_hmac("hush", signed));
}
