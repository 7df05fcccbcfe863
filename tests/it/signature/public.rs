//! RSA and Ed25519, as OpenSSL signs.

use std::path::{Path, PathBuf};

use pawl::provider::Trust;
use pawl::provider::signature::SignatureError as E;

use super::{BODY, NOW, base64, openssl, provider, refuses, refuses_other_times, secret, sent};

const RSA: &str = "scheme = \"rsa_sha256\"\nheader = \"X-Signature\"\nencoding = \"base64\"";
const ED25519: &str = "scheme = \"ed25519\"\nheader = \"X-Signature\"\nencoding = \"base64\"";

/// A private key in a file, and its public one in PEM.
struct Pair {
    folder: tempfile::TempDir,
    public: String,
}

impl Pair {
    fn new(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, openssl(&[&["genpkey"], arguments].concat(), b"")).unwrap();
        let public = openssl(&["pkey", "-in", text(&path), "-pubout"], b"");
        Self { folder, public: String::from_utf8(public).unwrap() }
    }

    fn rsa(bits: usize) -> Self {
        Self::new(&["-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")])
    }

    fn ed25519() -> Self {
        Self::new(&["-algorithm", "ed25519"])
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn sign_rsa(&self, signed: &str) -> Vec<u8> {
        openssl(&["dgst", "-sha256", "-sign", text(&self.path())], signed.as_bytes())
    }

    fn sign_ed25519(&self, signed: &str) -> Vec<u8> {
        let file = self.folder.path().join("text");
        std::fs::write(&file, signed).unwrap();
        let key = self.path();
        openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", text(&key), "-in", text(&file)], b"")
    }

    /// The public key in DER.
    fn der(&self) -> Vec<u8> {
        openssl(&["pkey", "-in", text(&self.path()), "-pubout", "-outform", "DER"], b"")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn an_rsa_signature_is_checked_with_the_public_key() {
    let (pair, other) = (Pair::rsa(2048), Pair::rsa(2048));
    let plain = provider(RSA);
    let good = sent(BODY).with("x-signature", base64(pair.sign_rsa(BODY)));
    refuses(&plain, &good, "x-signature", &secret(&pair.public));
    assert_eq!(good.verify(&plain, &[secret(&other.public)]), Err(E::Wrong));
    let both = [secret("no key"), secret(&other.public), secret(&pair.public)];
    assert_eq!(good.verify(&plain, &both), Ok(Trust::Claims));
    // The same key in its other writings.
    let pkcs1 = openssl(&["rsa", "-in", text(&pair.path()), "-RSAPublicKey_out"], b"");
    let pkcs1 = String::from_utf8(pkcs1).unwrap();
    assert!(pkcs1.starts_with("-----BEGIN RSA PUBLIC KEY-----"), "{pkcs1}");
    assert_eq!(good.verify(&plain, &[secret(&pkcs1)]), Ok(Trust::Claims));
    let bare = provider(&format!("{RSA}\nkey = \"base64\""));
    assert_eq!(good.verify(&bare, &[secret(&base64(pair.der()))]), Ok(Trust::Claims));
    // Nobody may sign with the public key as the secret of an HMAC.
    let forged = super::openssl_hmac("sha256", pair.public.as_bytes(), BODY.as_bytes());
    let forged = good.clone().instead("x-signature", base64(forged));
    assert_eq!(forged.verify(&plain, &[secret(&pair.public)]), Err(E::Malformed));
}

#[test]
fn keys_of_another_sort_or_size_are_found_before_the_first_callback() {
    let (rsa, ed25519) = (provider(RSA).signature, provider(ED25519).signature);
    let (long, short, edwards) = (Pair::rsa(3072), Pair::rsa(1024), Pair::ed25519());
    let private = std::fs::read_to_string(long.path()).unwrap();
    let pss = Pair::new(&["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let ec = Pair::new(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let check = |signature: &pawl::provider::signature::Signature, key: &str| {
        signature.check_key(&secret(key).secret).is_ok()
    };
    assert!(check(&rsa, &long.public) && check(&ed25519, &edwards.public));
    for key in [&short.public, &edwards.public, &private, &pss.public, &ec.public, "hush"] {
        assert!(!check(&rsa, key), "{key}");
    }
    for key in [&long.public, &ec.public, &std::fs::read_to_string(edwards.path()).unwrap(), "hush"]
    {
        assert!(!check(&ed25519, key), "{key}");
    }
    let cut: Vec<&str> = long.public.lines().filter(|line| line.len() != 64).collect();
    assert!(!check(&rsa, &cut.join("\n")));
    // A signature by the short key is good, and its key is not.
    let weak = sent(BODY).with("x-signature", base64(short.sign_rsa(BODY)));
    let verified = weak.verify(&provider(RSA), &[secret(&short.public)]);
    assert_eq!(verified, Err(E::Malformed));
}

#[test]
fn an_ed25519_signature_is_checked_with_the_public_key() {
    let (pair, other) = (Pair::ed25519(), Pair::ed25519());
    let good = sent(BODY).with("x-signature", base64(pair.sign_ed25519(BODY)));
    refuses(&provider(ED25519), &good, "x-signature", &secret(&pair.public));
    assert_eq!(good.verify(&provider(ED25519), &[secret(&other.public)]), Err(E::Wrong));
    let raw = pair.der()[12..].to_vec();
    assert_eq!(raw.len(), 32);
    let hex = provider(&format!("{ED25519}\nkey = \"hex\""));
    assert_eq!(good.verify(&hex, &[secret(&hex::encode(&raw))]), Ok(Trust::Claims));
    assert_eq!(good.verify(&hex, &[secret(&hex::encode(&raw[1..]))]), Err(E::NoSecret));
}

#[test]
fn standard_webhooks_has_public_keys_too() {
    let provider = provider("preset = \"standard_webhooks\"\nscheme = \"ed25519\"");
    let pair = Pair::ed25519();
    let signature = base64(pair.sign_ed25519(&format!("msg_1.{NOW}.{BODY}")));
    let good = sent(BODY)
        .with("webhook-id", "msg_1")
        .with("webhook-timestamp", NOW.to_string())
        .with("webhook-signature", format!("v1,{} v1a,{signature}", base64([1; 32])));
    let key = secret(&format!("whpk_{}", base64(&pair.der()[12..])));
    assert_eq!(good.verify(&provider, std::slice::from_ref(&key)), Ok(Trust::Claims));
    refuses_other_times(&provider, &good, 300, &key);
    let alone = good.instead("webhook-signature", format!("v1a,{signature}"));
    refuses(&provider, &alone, "webhook-signature", &key);
    let other = alone.clone().instead("webhook-signature", format!("v1,{signature}"));
    assert_eq!(other.verify(&provider, &[key]), Err(E::Malformed));
}
