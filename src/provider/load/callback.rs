//! Checks and compiles what a definition says about how callbacks come, and when.

use std::collections::BTreeSet;

use toml::Spanned;

use super::Found;
use crate::mistake::nearest;
use crate::order::machine::Machine;
use crate::order::name::Status;
use crate::provider::signature::Signature;

/// The statuses that callbacks are sent for, where not for all.
pub(super) fn load_called_back(
    statuses: Option<&[Spanned<String>]>,
    machine: &Machine,
    found: &mut Found,
) -> Option<BTreeSet<Status>> {
    let named = statuses?.iter().filter_map(|name| {
        let status = Status::new(name.get_ref());
        if machine.get(&status).is_none() {
            let known = machine.statuses().iter().map(|rule| rule.name.as_str());
            let hint = nearest(name.get_ref(), known);
            let hint = hint.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
            found.at(name.span(), format!("there is no status `{}`{hint}", name.get_ref()));
            return None;
        }
        Some(status)
    });
    Some(named.collect())
}

pub(super) fn check_header(signature: &Spanned<Signature>, found: &mut Found) {
    let header = &signature.get_ref().header;
    let is_name = !header.is_empty()
        && header.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !is_name {
        found.at(signature.span(), format!("`{header}` is not a header's name"));
    }
}
