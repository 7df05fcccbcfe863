//! Signatures that are checked with a public key: RSA (PKCS#1 v1.5, SHA-256) and Ed25519.

use std::ops::RangeInclusive;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::RawPublicKeyEntity;

use super::der::{self, BIT_STRING, INTEGER, OBJECT, SEQUENCE};
use super::encoding::Encoding;

/// Which mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA, PKCS#1 v1.5, SHA-256 (RFC 8017, part 8.2).
    RsaSha256,
    /// Ed25519 (RFC 8032).
    Ed25519,
}

impl Algorithm {
    /// How many bytes a signature may have.
    pub(super) fn lengths(self) -> RangeInclusive<usize> {
        match self {
            Self::RsaSha256 => RSA_BITS.start() / 8..=RSA_BITS.end() / 8,
            Self::Ed25519 => 64..=64,
        }
    }
}

/// How many bits an RSA key may have: what is shorter can be broken.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// 1.2.840.113549.1.1.1 (RFC 8017).
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.3.101.112 (RFC 8410).
const ED25519_OID: &[u8] = &[0x2b, 0x65, 0x70];
/// A parameter that says nothing; RSA must have it (RFC 3279, part 2.3.1).
const NULL: &[u8] = &[0x05, 0x00];

/// The public key in PEM, as SubjectPublicKeyInfo (RFC 5280).
pub(super) fn from_pem(algorithm: Algorithm, text: &str) -> Option<Vec<u8>> {
    if let Some((_, after)) = text.split_once("-----BEGIN RSA PUBLIC KEY-----") {
        // PKCS#1: the key alone.
        let (base64, _) = after.split_once("-----END RSA PUBLIC KEY-----")?;
        let key = Encoding::Base64.decode(&base64.split_whitespace().collect::<String>())?;
        return check(algorithm, wrap(RSA_OID, NULL, &key));
    }
    let key = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).ok()?;
    check(algorithm, key.to_vec())
}

/// The public key as bytes: SubjectPublicKeyInfo in DER or, for Ed25519, the bare 32 bytes.
pub(super) fn from_bytes(algorithm: Algorithm, bytes: Vec<u8>) -> Option<Vec<u8>> {
    match algorithm {
        Algorithm::Ed25519 if bytes.len() == 32 => Some(wrap(ED25519_OID, &[], &bytes)),
        Algorithm::Ed25519 | Algorithm::RsaSha256 => check(algorithm, bytes),
    }
}

/// Whether this is the signature of a text, by the owner of a checked key.
pub(super) fn verify(algorithm: Algorithm, key: &[u8], text: &[u8], said: &[u8]) -> bool {
    let with: &dyn SignatureVerificationAlgorithm = match algorithm {
        Algorithm::RsaSha256 => webpki::ring::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Ed25519 => webpki::ring::ED25519,
    };
    let key = SubjectPublicKeyInfoDer::from(key);
    RawPublicKeyEntity::try_from(&key)
        .is_ok_and(|key| key.verify_signature(with, text, said).is_ok())
}

/// SubjectPublicKeyInfo of a key that stands alone.
fn wrap(oid: &[u8], parameter: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = [der::write(OBJECT, oid).as_slice(), parameter].concat();
    let bits = [&[0][..], key].concat();
    let whole = [der::write(SEQUENCE, &algorithm), der::write(BIT_STRING, &bits)].concat();
    der::write(SEQUENCE, &whole)
}

/// A key is of the wanted algorithm, and long enough: found at start, not with the first callback.
fn check(algorithm: Algorithm, key: Vec<u8>) -> Option<Vec<u8>> {
    let whole = only(SEQUENCE, &key)?;
    let (named, rest) = der::read(SEQUENCE, whole)?;
    let (oid, parameter) = der::read(OBJECT, named)?;
    let (unused, inner) = only(BIT_STRING, rest)?.split_first()?;
    let is_fine = *unused == 0
        && match algorithm {
            Algorithm::Ed25519 => oid == ED25519_OID && parameter.is_empty() && inner.len() == 32,
            Algorithm::RsaSha256 => oid == RSA_OID && parameter == NULL && is_long_enough(inner)?,
        };
    is_fine.then_some(key)
}

fn is_long_enough(rsa: &[u8]) -> Option<bool> {
    let (modulus, _) = der::read(INTEGER, only(SEQUENCE, rsa)?)?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let bits = (modulus.len() - first) * 8 - modulus[first].leading_zeros() as usize;
    Some(RSA_BITS.contains(&bits))
}

/// The content of a value that nothing comes after.
fn only(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    der::read(tag, bytes).filter(|(_, after)| after.is_empty()).map(|(content, _)| content)
}
