//! What is wrong with the description of a signature is said with its place and what to write.

use pawl::provider::Provider;

use crate::definition::GOOD;

/// The lines of `[callback.signature]`, one mistake each.
const SIGNATURES: &[(&str, &str)] = &[
    ("nothing at all", ""),
    ("a scheme that does not exist", "scheme = \"hmac256\""),
    ("a preset that does not exist", "preset = \"standard-webhook\""),
    ("a preset without a place", "preset = \"timestamped\""),
    ("a key that is misspelt", "scheme = \"none\"\nheadr = \"X\""),
    (
        "keys that say nothing",
        "scheme = \"token\"\nheader = \"X\"\nhash = \"sha1\"\nsigned = \"{body}\"",
    ),
    ("keys for nothing", "scheme = \"none\"\nheader = \"X\"\nmissing = \"hint\""),
    ("no hash, no encoding, no place", "scheme = \"hmac\""),
    ("two places", "HMAC\nat = \"/sign\""),
    (
        "a body that signs itself",
        "scheme = \"hmac\"\nhash = \"sha1\"\nencoding = \"hex\"\nat = \"/sign\"",
    ),
    ("a place that is none", "HMAC\nsigned = \"{boby}\""),
    ("a field that is none", "HMAC\nsigned = \"{field:id}\""),
    ("a brace that is not closed", "HMAC\nsigned = \"{body\""),
    ("two bodies", "HMAC\nsigned = \"{body}.{sorted_fields}\""),
    ("a time from nowhere", "HMAC\nsigned = \"{timestamp}.{body}\""),
    (
        "a time at no place",
        "HMAC\nsigned = \"{timestamp}.{body}\"\ntimestamp = { unit = \"millis\" }",
    ),
    ("a time that is not signed", "HMAC\ntimestamp = { header = \"X-Time\" }"),
    (
        "a time beside what is signed",
        "HMAC\nsigned = \"{field:/id}\"\ntimestamp = { at = \"/ts\" }",
    ),
    ("a tolerance of nothing", "HMAC\ntimestamp = { at = \"/ts\", tolerance_secs = 0 }"),
    ("an id from nowhere", "HMAC\nsigned = \"{id}.{body}\""),
    ("an id that is not signed", "HMAC\nid = { header = \"X-Id\" }"),
    ("fields that are not signed", "HMAC\nsorted_fields = { join = \"|\" }"),
    ("a list that is not split", "HMAC\nlist = { pair = \"=\", signature = [\"v1\"] }"),
    ("a list without signatures", "HMAC\nlist = { split = \",\", pair = \"=\" }"),
    ("names without a pair", "HMAC\nlist = { split = \",\", signature = [\"v1\"] }"),
    (
        "one name for two things",
        "HMAC\nsigned = \"{timestamp}.{body}\"\nlist = { split = \",\", pair = \"=\", signature = [\"t\"], timestamp = \"t\" }",
    ),
    (
        "a time in two places",
        "preset = \"timestamped\"\nheader = \"X\"\ntimestamp = { header = \"X-Time\" }",
    ),
    (
        "a public key that is text",
        "scheme = \"ed25519\"\nheader = \"X\"\nencoding = \"hex\"\nkey = \"text\"",
    ),
    ("a public key for an HMAC", "HMAC\nkey = \"pem\""),
    (
        "a prefix before PEM",
        "scheme = \"rsa_sha256\"\nheader = \"X\"\nencoding = \"hex\"\nkey_prefix = \"x\"",
    ),
    ("an alternative called none", "HMAC\n[callback.signatures.none]\nscheme = \"none\""),
    ("a mistake in an alternative", "HMAC\n[callback.signatures.other]\nscheme = \"token\""),
    ("a word for confirm that is none", "HMAC\n[callback]\nconfirm = \"sometimes\""),
    (
        "inner fields of a form",
        "HMAC\nsigned = \"{field:/a/b}\"\nid = { at = \"/a/b\" }\n[callback]\nformat = \"form\"",
    ),
    (
        "the name of a key in our own request",
        "HMAC\n[auth.sign]\nsecret = \"key\"\nsignature = { scheme = \"hmac\", hash = \"sha1\", header = \"X\", encoding = \"hex\", key_id = { header = \"X-Key\" } }",
    ),
    (
        "a token as our signature",
        "HMAC\n[auth.sign]\nsecret = \"key\"\nsignature = { scheme = \"token\", header = \"X\" }",
    ),
    (
        "an answer with a time",
        "HMAC\n[ask.answer.signature]\nsecret = \"key\"\nsignature = { preset = \"standard_webhooks\" }",
    ),
    (
        "an answer that is a hint",
        "HMAC\n[ask.answer.signature]\nsecret = \"key\"\nsignature = { scheme = \"none\" }",
    ),
    (
        "an answer that may lack it",
        "HMAC\n[ask.answer.signature]\nsecret = \"key\"\nsignature = { scheme = \"hmac\", hash = \"sha1\", header = \"X\", encoding = \"hex\", missing = \"hint\" }",
    ),
];

#[test]
fn every_mistake_in_a_signature_is_placed_and_explained() {
    let hmac = "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"";
    let (before, rest) = GOOD.split_once("scheme").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    let after = after
        .replace("answer = {}\n", "")
        .replace("[auth]\nheaders = { Authorization = \"Bearer {token}\" }\n", "");
    let mut text = String::new();
    for (what, lines) in SIGNATURES {
        let lines = lines.replace("HMAC", hmac);
        let answer = if lines.contains("[ask.answer") { "" } else { "[ask.answer]\n" };
        let wrong = format!("{before}{lines}\n{after}{answer}");
        let mistakes = Provider::load("simple.toml", &wrong).expect_err(what);
        text.push_str(&format!("# {what}\n{mistakes}\n\n"));
    }
    insta::assert_snapshot!(text);
}
