//! `pawl provider test`, on requests that other programs signed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::pawl;
use crate::signature::{BODY, NOW, base64, definition, hex_hmac, openssl, openssl_hmac};

const HMAC: &str =
    "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"";
const TIMESTAMPED: &str = "preset = \"timestamped\"\nheader = \"X-Signature\"";

/// A request that was kept, a definition, and secrets.
struct Kept {
    folder: tempfile::TempDir,
    headers: Vec<String>,
    body: Vec<u8>,
    at: i64,
    more: Vec<String>,
}

/// What the command said of it.
struct Tried {
    code: i32,
    json: Value,
    text: String,
}

impl Kept {
    fn new(signature: &str, secret: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("simple.toml"), definition(signature)).unwrap();
        let kept =
            Self { folder, headers: Vec::new(), body: BODY.into(), at: NOW, more: Vec::new() };
        kept.secret(secret)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn secret(self, secret: &str) -> Self {
        let path = self.folder.path().join("secret");
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push(format!("{name}: {value}"));
        self
    }

    fn tried(&self) -> Tried {
        std::fs::write(self.path("headers"), self.headers.join("\n")).unwrap();
        std::fs::write(self.path("body"), &self.body).unwrap();
        let files = ["simple.toml", "headers", "body", "secret"].map(|name| self.path(name));
        let at = self.at.to_string();
        let mut arguments = vec!["test", &files[0], "--headers", &files[1], "--body", &files[2]];
        arguments.extend(["--secret", &files[3], "--at", &at]);
        arguments.extend(self.more.iter().map(String::as_str));
        let text = pawl(&arguments, &[]);
        arguments.push("--json");
        let json = pawl(&arguments, &[]);
        assert_eq!(text.status.code(), json.status.code());
        let said = [text.stdout, text.stderr].concat();
        Tried {
            code: json.status.code().unwrap(),
            json: serde_json::from_slice(&json.stdout).unwrap_or_default(),
            text: String::from_utf8(said).unwrap(),
        }
    }

    /// It is accepted, and credits 5.10.
    fn is_accepted(&self) {
        let Tried { code, json, text } = self.tried();
        assert_eq!(code, 0, "{text}");
        assert_eq!(json["ok"], true);
        assert_eq!(json["trust"], "claims");
        assert_eq!(json["reports"][0]["verdict"], "applied", "{text}");
        assert_eq!(json["reports"][0]["effects"][0]["to"], "5.1", "{text}");
        assert!(text.contains("fits\n") && text.contains("to.credited 5.1 EUR"), "{text}");
    }

    /// It is refused, and this is said of it.
    fn is_refused(&self, why: &str) -> String {
        let Tried { code, json, text } = self.tried();
        assert_eq!(code, 1, "{text}");
        assert_eq!(json["ok"], false);
        assert_eq!(json["reports"].as_array().unwrap().len(), 0);
        assert!(text.contains(why), "no `{why}` in:\n{text}");
        text
    }
}

/// What must be refused of a good request whose signature is in this header.
fn refuses(mut kept: Kept, header: &str, other_secret: &str) {
    kept.is_accepted();
    let last = kept.body.len() - 2;
    kept.body[last] ^= 1;
    kept.is_refused("no secret makes this signature of what is signed");
    kept.body[last] ^= 1;
    let own = std::fs::read_to_string(kept.path("secret")).unwrap();
    let kept = kept.secret(other_secret);
    let said = kept.is_refused("secret 1      does not fit");
    assert!(!said.contains(other_secret.trim()) && !said.contains(own.trim()), "{said}");
    let mut kept = kept.secret("");
    let Tried { code, text, .. } = kept.tried();
    assert_eq!(code, 1);
    assert!(text.contains("the secret is empty"), "{text}");
    kept = kept.secret(&own);
    let good = kept.headers.clone();
    let is_it = |line: &String| line.to_lowercase().starts_with(&header.to_lowercase());
    kept.headers.retain(|line| !is_it(line));
    kept.is_refused("is missing");
    kept.headers.clone_from(&good);
    kept.headers.extend(good.iter().find(|line| is_it(line)).cloned());
    kept.is_refused(&format!("the header {header} stands more than once"));
    kept.headers = good;
    kept.is_accepted();
}

/// The same of one that says when it was signed.
fn refuses_other_times(mut kept: Kept) {
    for (at, why) in [
        (NOW + 301, "301 seconds before it came"),
        (NOW - 301, "301 seconds after it came"),
        (NOW + 86_400, "86400 seconds before it came"),
    ] {
        kept.at = at;
        let said = kept.is_refused(why);
        assert!(said.contains("; 300 at most") && said.contains("secret 1      fits"), "{said}");
    }
    kept.at = NOW + 300;
    kept.is_accepted();
}

#[test]
fn what_openssl_signs_with_a_secret_is_accepted_and_nothing_else() {
    let good = || Kept::new(HMAC, "hush\n").with("X-Signature", hex_hmac("hush", BODY));
    refuses(good(), "X-Signature", "hush2");
    let base64_of = HMAC.replace("\"hex\"", "\"base64\"") + "\nprefix = \"sha256=\"";
    let signature = base64(openssl_hmac("sha256", b"hush", BODY.as_bytes()));
    let good = || Kept::new(&base64_of, "hush").with("x-signature", format!("sha256={signature}"));
    refuses(good(), "X-Signature", "hush2");
    let other = Kept::new(&base64_of, "hush").with("x-signature", format!("sha512={signature}"));
    other.is_refused("does not begin with `sha256=`");
    let short = Kept::new(HMAC, "hush").with("x-signature", "00ff");
    short.is_refused("the header X-Signature is not 32 bytes in hexadecimal");
}

#[test]
fn a_time_that_is_signed_is_looked_at() {
    let signature = hex_hmac("hush", format!("{NOW}.{BODY}"));
    let good = || Kept::new(TIMESTAMPED, "hush");
    let with = |list: String| good().with("X-Signature", list);
    refuses(with(format!("t={NOW},v1={signature}")), "X-Signature", "hush2");
    refuses_other_times(with(format!("t={NOW},v1={signature}")));
    with(format!("t={NOW},v0={signature}")).is_refused("of the version that is read: `v1=...`");
    with(format!("v1={signature}")).is_refused("`t` in the signature's list is missing");
    with(format!("t=soon,v1={signature}")).is_refused("which is no time in seconds since 1970");
    let other = NOW + 1;
    with(format!("t={other},v1={signature}")).is_refused("no secret makes this signature");
}

#[test]
fn what_standard_webhooks_signs_is_accepted_and_nothing_else() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    let signature = webhook.sign("msg_1", NOW, BODY.as_bytes()).unwrap();
    let good = || {
        Kept::new("preset = \"standard_webhooks\"", secret)
            .with("webhook-id", "msg_1")
            .with("webhook-timestamp", NOW)
    };
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    refuses(good().with("webhook-signature", &signature), "webhook-signature", other);
    refuses_other_times(good().with("webhook-signature", &signature));
    let v2 = signature.replace("v1,", "v2,");
    good().with("webhook-signature", v2).is_refused("of the version that is read: `v1,...`");
    let mut anonymous = good().with("webhook-signature", &signature);
    anonymous.headers.remove(0);
    anonymous.is_refused("the header webhook-id is missing, and belongs to what is signed");
}

fn key(folder: &Path, arguments: &[&str]) -> (PathBuf, String) {
    let path = folder.join("key.pem");
    std::fs::write(&path, openssl(&[&["genpkey"], arguments].concat(), b"")).unwrap();
    let public = openssl(&["pkey", "-in", path.to_str().unwrap(), "-pubout"], b"");
    (path, String::from_utf8(public).unwrap())
}

#[test]
fn what_openssl_signs_with_a_private_key_is_accepted_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let (path, public) = key(folder.path(), &rsa);
    let (_, another) = key(other.path(), &rsa);
    let arguments = ["dgst", "-sha256", "-sign", path.to_str().unwrap()];
    let signature = base64(openssl(&arguments, BODY.as_bytes()));
    let described = "scheme = \"rsa_sha256\"\nheader = \"X-Signature\"\nencoding = \"base64\"";
    let good = Kept::new(described, &public).with("X-Signature", signature);
    refuses(good, "X-Signature", &another);

    let (path, public) = key(folder.path(), &["-algorithm", "ed25519"]);
    let (_, another) = key(other.path(), &["-algorithm", "ed25519"]);
    let text = folder.path().join("text");
    std::fs::write(&text, BODY).unwrap();
    let (path, text) = (path.to_str().unwrap(), text.to_str().unwrap());
    let signature = openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", path, "-in", text], b"");
    let described = "scheme = \"ed25519\"\nheader = \"X-Signature\"\nencoding = \"base64\"";
    let good = || Kept::new(described, &public).with("X-Signature", base64(&signature));
    refuses(good(), "X-Signature", &another);
    let Tried { code, text, .. } = good().secret("no key").tried();
    assert_eq!(code, 1);
    assert!(text.contains("it must be a public Ed25519 key in PEM"), "{text}");
}

#[test]
fn what_is_outside_of_what_is_signed_is_not_believed() {
    let described = format!("{HMAC}\nsigned = \"{{field:/id}}\"");
    let kept = Kept::new(&described, "hush").with("X-Signature", hex_hmac("hush", "1"));
    let Tried { code, json, text } = kept.tried();
    assert_eq!((code, &json["trust"]), (0, &Value::from("hint")), "{text}");
    assert!(text.contains("signed, but not all that decides"), "{text}");
    assert!(text.contains("nothing is believed; Pawl asks about 1\n"), "{text}");
    assert_eq!(json["reports"].as_array().unwrap().len(), 0);
}

#[test]
fn what_would_make_a_signature_fit_is_said() {
    let hint = |kept: Kept, hint: &str| {
        let said = kept.is_refused("NO: ");
        assert!(said.contains(&format!("hint          {hint}")), "no `{hint}` in:\n{said}");
    };
    let raw = base64("hush");
    let signed = || Kept::new(HMAC, &raw).with("X-Signature", hex_hmac("hush", BODY));
    hint(signed(), "it fits with the secret read as base64 (key = \"base64\")");
    let mut longer = signed().secret("hush");
    longer.body.push(b'\n');
    hint(longer, "it fits without the new line at the end of the body");
    hint(signed().secret(" hush "), "it fits without the blanks around the secret");
    let encoded = base64(openssl_hmac("sha256", b"hush", BODY.as_bytes()));
    let kept = Kept::new(HMAC, "hush").with("X-Signature", encoded);
    hint(kept, "it fits as base64 (encoding = \"base64\")");
    let sha512 = hex::encode(openssl_hmac("sha512", b"hush", BODY.as_bytes()));
    hint(
        Kept::new(HMAC, "hush").with("X-Signature", sha512),
        "it fits with another hash (hash = \"sha512\")",
    );
    let prefixed = format!("sha256={}", hex_hmac("hush", BODY));
    hint(
        Kept::new(HMAC, "hush").with("X-Signature", prefixed),
        "it fits behind a prefix (prefix = \"sha256=\")",
    );
    let alone = format!("t={NOW},v1={}", hex_hmac("hush", BODY));
    hint(Kept::new(TIMESTAMPED, "hush").with("X-Signature", alone), "it fits over the body alone");
    let said = signed().secret("another").is_refused("does not fit");
    assert!(!said.contains("hint "), "{said}");
}

#[test]
fn a_token_is_never_printed() {
    let described = "scheme = \"token\"\nquery = \"token\"";
    let mut kept = Kept::new(described, "hushhush");
    kept.headers =
        vec!["POST /callbacks/shop?token=hushhush HTTP/1.1".to_owned(), "Host: x".to_owned()];
    let Tried { code, text, json } = kept.tried();
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains("hushhush") && !json.to_string().contains("hushhush"), "{text}");
    // Who sends is known, what is said is not: money waits for an answer.
    assert_eq!(json["reports"][0]["verdict"], "early", "{text}");
    assert!(text.contains("effects       none") && text.contains("held back"), "{text}");
    kept.more =
        vec!["--url".to_owned(), "https://pay.example/callbacks/shop?token=hushhus".to_owned()];
    let said = kept.is_refused("what stands in the query's parameter token is none of the secrets");
    assert!(!said.contains("hushhus"), "{said}");
}

#[test]
fn reports_come_one_after_the_other_to_one_order_an_id() {
    let folder = tempfile::tempdir().unwrap();
    let report = |order: &str, status: &str, more: &str| {
        format!(
            r#"{{"order":"{order}","account":"a","type":"order.{status}","kind":"sale","status":"{status}",
            "at":"2026-01-02 03:04:05","currency":"EUR","amount":"10"{more}}}"#
        )
    };
    let fee = r#","fee":"0.5""#;
    let reports = [
        report("o-1", "authorised", ""),
        report("o-2", "paid", fee),
        report("o-1", "paid", fee),
        report("o-1", "paid", fee),
        report("o-1", "refused", ""),
        report("o-2", "lost", ""),
    ];
    let body = format!("{{\"events\":[{}]}}", reports.join(","));
    let signature = hex_hmac("hush", format!("{NOW}.{body}"));
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("whole.toml"), super::WHOLE).unwrap();
    std::fs::write(path("body"), &body).unwrap();
    std::fs::write(path("headers"), format!("X-Signature: t={NOW},k=live,v1={signature}\n"))
        .unwrap();
    let files = ["whole.toml", "headers", "body"].map(path);
    let at = NOW.to_string();
    let arguments = |secret| {
        vec![
            "test",
            &files[0],
            "--headers",
            &files[1],
            "--body",
            &files[2],
            "--at",
            &at,
            "--secret",
            secret,
        ]
    };
    let env = [("SECRET", "hush")];
    let output = pawl(&arguments("live=env:SECRET"), &env);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    insta::assert_snapshot!(text);
    let output = pawl(&arguments("test=SECRET"), &env);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("its id is `test`, and another key is named"), "{text}");
    // What stands in place of a name may be the secret itself.
    let output = pawl(&arguments("live=hush-hush"), &env);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && !said.contains("hush"), "{said}");
}

#[test]
fn an_answer_is_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"{"status":"success","data":{"order_uuid":"u-1","order_type":"withdraw","user_order_id":"wd-1","amount_to":"150","currency_to":"usdt","status":"completed"}}"#;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let write = |body: &str, signature: &str| {
        std::fs::write(path("body"), body).unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\nDate: Sun, 30 Nov 2025 10:53:20 GMT\nSignature: {signature}\n"
        );
        std::fs::write(path("headers"), head).unwrap();
    };
    let (headers, file) = (path("headers"), path("body"));
    let run = |more: &[&str]| {
        let mut arguments =
            vec!["test", "flypay", "--headers", &headers, "--body", &file, "--answer"];
        arguments.extend(["--secret", "SECRET", "--json"]);
        arguments.extend(more);
        let output = pawl(&arguments, &[("SECRET", "hush")]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), json)
    };
    write(body, &hex_hmac("hush", body));
    let (code, json) = run(&[]);
    assert_eq!(code, 0, "{json}");
    let report = &json["reports"][0];
    assert_eq!(report["effects"][0]["slot"], "to.debited");
    assert_eq!(
        report["report"]["content"]["said"]["time"], "2025-11-30T10:53:20.000000Z",
        "{json}"
    );
    let (code, json) = run(&["--books", "none"]);
    assert_eq!((code, json["reports"][0]["effects"].as_array().unwrap().len()), (0, 0));
    write(body, &hex_hmac("hush2", body));
    assert_eq!(run(&[]).0, 1);
    let failed = r#"{"status":"error"}"#;
    write(failed, &hex_hmac("hush", failed));
    let (code, json) = run(&[]);
    assert_eq!(code, 1);
    let text = json["steps"].to_string();
    assert!(
        text.contains("it would be no information: the answer says `error` at /status"),
        "{text}"
    );
}

#[test]
fn what_keeps_it_from_trying_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("body"), "{}").unwrap();
    let run = |headers: &str, more: &[&str]| {
        std::fs::write(path("headers"), headers).unwrap();
        let (headers, body) = (path("headers"), path("body"));
        let arguments =
            [&["test", "flypay", "--headers", &headers, "--body", &body], more].concat();
        let output = pawl(&arguments, &[("SECRET", "hush"), ("PAWL_SOURCE__SHOP__BASE_URL", "x")]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    for (headers, more, why) in [
        ("A: b", vec![], "name the secret by --secret ENV_OR_FILE"),
        ("A: b\nno header", vec!["--secret", "SECRET"], "headers:2: write a header a line"),
        ("A: b", vec!["--secret", "SECRET", "--at", "noon"], "`noon` is no time"),
        ("A: b", vec!["--secret", "SECRET", "--signature", "rsa"], "has no signature `rsa`"),
        ("A: b", vec!["--secret", "SECRET", "--books", "hodl"], "has no books mode `hodl`"),
        ("A: b", vec!["--secret", "SECRET", "--account", "a"], "name no account"),
        ("A: b", vec!["--secret", "SECRET", "--method", "PUT"], "callbacks are sent by POST"),
        ("Content-Type: text/html", vec!["--secret", "SECRET"], "refused with 415"),
        ("Content-Encoding: gzip", vec!["--secret", "SECRET"], "refused with 415"),
    ] {
        let (code, said) = run(headers, &more);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(why), "no `{why}` in:\n{said}");
    }
    let signed = format!("Signature: {}", hex_hmac("hush", "{}"));
    let (code, said) = run(&signed, &["--secret", "SECRET"]);
    assert_eq!(code, 1);
    assert!(said.contains("it would be a dead letter: there is no status at /status"), "{said}");
}
