//! A source that stands in no configuration, for trying a definition.

use std::collections::BTreeMap;

use super::{Check, Source, file};
use crate::provider::Provider;

/// The name of such a source.
pub const TRIAL: &str = "trial";

/// A source of a definition with these further lines in its table, checked like any other.
///
/// # Errors
/// Everything that is wrong with it.
pub fn trial(
    provider: Provider,
    lines: &str,
    env: &BTreeMap<String, String>,
) -> Result<Source, Vec<String>> {
    let text = format!("[source.{TRIAL}]\nprovider = \"{}\"\n{lines}", provider.name);
    // The environment holds secrets here, and no keys.
    let raw = file::read(&text, &BTreeMap::new()).map_err(|mistake| vec![mistake.what])?;
    let mut check = Check { env, mistakes: Vec::new() };
    let providers = BTreeMap::from([(provider.name.clone(), provider)]);
    let source = check.sources(&raw, &providers).remove(TRIAL);
    match source {
        Some(source) if check.mistakes.is_empty() => Ok(source),
        Some(_) | None => Err(check.mistakes.into_iter().map(|mistake| mistake.what).collect()),
    }
}
