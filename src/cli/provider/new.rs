//! `pawl provider new`: a definition to begin with. It passes the check as it is.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::Exit;
use crate::provider::{BUILT_IN, Provider};

/// What to begin with.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// What sources call it: lower-case letters, digits and `_`.
    name: String,
    /// Where to write; else NAME.toml here.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How its callbacks are signed.
    #[arg(long, value_name = "HOW", default_value = "hmac")]
    signature: Way,
}

/// A way of signing that many providers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// A shared secret, over the body or more.
    Hmac,
    /// The provider's private RSA key.
    Rsa,
    /// The provider's private Ed25519 key.
    Ed25519,
    /// As standardwebhooks.com says.
    StandardWebhooks,
    /// HTTP Basic: tells who sends, and nothing of what is sent.
    Basic,
    /// The secret itself stands in a header.
    Token,
    /// Not at all, or nobody knows how: callbacks only make Pawl ask.
    None,
}

const TEMPLATE: &str = include_str!("new.toml");

pub(super) fn run(new: &New) -> anyhow::Result<Exit> {
    if BUILT_IN.iter().any(|(name, _)| *name == new.name) {
        anyhow::bail!("a provider `{0}` comes with Pawl: see `pawl provider show {0}`", new.name);
    }
    let out = new.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", new.name)));
    let file = out.display().to_string();
    let text = write(&new.name, new.signature, &file);
    // A bad name is found here, before anything is written.
    Provider::load(&file, &text)?;
    let opened = OpenOptions::new().write(true).create_new(true).open(&out);
    let mut opened = opened.map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            anyhow::anyhow!("{file} is there already, and is not touched")
        } else {
            anyhow::Error::new(error).context(format!("cannot write {file}"))
        }
    })?;
    opened.write_all(text.as_bytes()).with_context(|| format!("cannot write {file}"))?;
    println!("{file} is written, and right as it is: fill in what your provider's documents say.");
    println!("Then run: pawl provider check {file} && pawl provider show {file}");
    Ok(Exit::Fine)
}

fn write(name: &str, way: Way, file: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let title: String = first.into_iter().chain(letters).collect();
    let quote = |text: &str| toml::Value::from(text).to_string();
    // The name last: nothing of it is taken for a place.
    TEMPLATE
        .replace("{signature}", way.lines())
        .replace("{file}", &file.replace(['\n', '\r'], " "))
        .replace("{title}", &quote(&title))
        .replace("{name}", &quote(name))
}

impl Way {
    fn lines(self) -> &'static str {
        match self {
            Self::Hmac => HMAC,
            Self::Rsa => RSA,
            Self::Ed25519 => ED25519,
            Self::StandardWebhooks => {
                "# standardwebhooks.com: webhook-id, webhook-timestamp, webhook-signature; secrets are whsec_...\n\
                 preset = \"standard_webhooks\""
            }
            Self::Basic => {
                "# The secret is `user:password`. It does not tell that nobody changed what is sent: money waits for an answer.\n\
                 scheme = \"basic\""
            }
            Self::Token => {
                "# The secret itself. It does not tell that nobody changed what is sent: money waits for an answer.\n\
                 scheme = \"token\"\n\
                 header = \"X-Token\"\n\
                 #prefix = \"Bearer \""
            }
            Self::None => {
                "# Whoever sends is not believed: a callback makes Pawl ask, and moves nothing.\n\
                 scheme = \"none\""
            }
        }
    }
}

const HMAC: &str = r#"# Fill in: which hash (or sha512, sha1), where it stands, and how it is written (or base64, base64url).
scheme = "hmac"
hash = "sha256"
header = "X-Signature"
encoding = "hex"
# What stands before it.
#prefix = "sha256="
# The secret as it is handed out, if it is not the key's own text: hex or base64, and what stands before it.
#key = "base64"
#key_prefix = "whsec_"
# What is signed, if more than the body; and how old a signature may be.
#signed = "{timestamp}.{body}"
#timestamp = { header = "X-Timestamp", unit = "seconds", tolerance_secs = 300 }"#;

const RSA: &str = r#"# RSA with SHA-256, PKCS#1 v1.5. The secret is the provider's public key, in PEM.
scheme = "rsa_sha256"
# Fill in: where it stands, and how it is written (or hex, base64url).
header = "X-Signature"
encoding = "base64"
# What is signed, if more than the body; and how old a signature may be.
#signed = "{timestamp}.{body}"
#timestamp = { header = "X-Timestamp", unit = "seconds", tolerance_secs = 300 }"#;

const ED25519: &str = r#"# The secret is the provider's public key, in PEM; or the 32 bytes in hex or base64, with key = "...".
scheme = "ed25519"
#key = "hex"
# Fill in: where it stands, and how it is written (or base64, base64url).
header = "X-Signature"
encoding = "hex"
# What is signed, if more than the body; and how old a signature may be.
#signed = "{timestamp}.{body}"
#timestamp = { header = "X-Timestamp", unit = "seconds", tolerance_secs = 300 }"#;
