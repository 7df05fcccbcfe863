//! Secrets come from the environment or from a file, never from the configuration itself.

use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Check;
use crate::provider::secret::Secret;

/// No secret is longer; a larger file is the wrong one.
const FILE_BYTES_MAX: u64 = 65_536;

impl Check<'_> {
    /// Reads `{ env = "..." }` or `{ file = "..." }`.
    pub(super) fn secret(
        &mut self,
        env: Option<&str>,
        file: Option<&str>,
        span: &Range<usize>,
    ) -> Option<Secret> {
        let read = match (env, file) {
            (Some(name), None) => match self.env.get(name) {
                Some(text) => Ok(text.clone()),
                None => Err(format!("the environment variable {name} is not set")),
            },
            (None, Some(path)) => read_file(Path::new(path)),
            (Some(_), Some(_)) | (None, None) => {
                Err("a secret is either { env = \"NAME\" } or { file = \"/path\" }".to_owned())
            }
        };
        let place = env.map_or_else(|| file.unwrap_or_default().to_owned(), str::to_owned);
        let secret = read.and_then(|text| {
            Secret::new(text.trim_end_matches(['\n', '\r']))
                .map_err(|error| format!("{error}: {place} holds nothing"))
        });
        secret.map_err(|what| self.wrong(span.clone(), what)).ok()
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let name = path.display();
    let about = std::fs::metadata(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    if about.len() > FILE_BYTES_MAX || !about.is_file() {
        return Err(format!("{name} is no file with a secret in it"));
    }
    if about.permissions().mode() & 0o004 != 0 {
        return Err(format!("{name} can be read by everyone on this machine: chmod o-r {name}"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))
}
