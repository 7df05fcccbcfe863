//! Checks and compiles what a definition says about how callbacks come, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::Found;
use super::places::{matching, pointers};
use super::signature::{Signs, load_signature};
use crate::mistake::nearest;
use crate::order::machine::Machine;
use crate::order::name::Status;
use crate::order::rules::Confirm;
use crate::provider::json::Pointer;
use crate::provider::reply::{Challenge, Reply};
use crate::provider::signature::Signature;
use crate::provider::table::{CallbackTable, ChallengeTable, ConfirmValue, ReplyTable};

/// The statuses that callbacks are sent for, where not for all.
pub(super) fn load_called_back(
    statuses: Option<&[Spanned<String>]>,
    machine: &Machine,
    found: &mut Found,
) -> Option<BTreeSet<Status>> {
    Some(statuses?.iter().filter_map(|name| find_status(name, machine, found)).collect())
}

/// A status by its name, which must be one of the machine's.
pub(super) fn find_status(
    name: &Spanned<String>,
    machine: &Machine,
    found: &mut Found,
) -> Option<Status> {
    find_status_at(name.get_ref(), name.span(), machine, found)
}

/// The media types that callbacks come as: what the format usually has, or what the definition says.
pub(super) fn load_content_types(callback: &CallbackTable, found: &mut Found) -> Vec<String> {
    let named = callback.content_types.iter().map(|text| {
        let lower = text.get_ref().to_ascii_lowercase();
        let is_type = lower.split_once('/').is_some_and(|(one, two)| {
            let is_word = |word: &str| {
                !word.is_empty()
                    && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            };
            is_word(one) && is_word(two)
        });
        if !is_type {
            let what =
                format!("`{}` is no media type: write such as \"text/plain\"", text.get_ref());
            found.at(text.span(), what);
        }
        lower
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() { vec![callback.format.content_type().to_owned()] } else { named }
}

/// What a provider wants to read when its callback was accepted.
pub(super) fn load_reply(reply: &ReplyTable, found: &mut Found) -> Reply {
    let status = reply.status.as_ref().map_or(200, |status| {
        if !(200..300).contains(status.get_ref()) {
            let what = format!(
                "{} does not say that a callback was accepted: write a status of 200 to 299",
                status.get_ref()
            );
            found.at(status.span(), what);
        }
        if let (204, Some(body)) = (*status.get_ref(), &reply.body) {
            found.at(body.span(), "an answer with status 204 has no body: remove one of both");
        }
        *status.get_ref()
    });
    let content_type = reply.content_type.as_ref().map(|text| {
        if !text.get_ref().bytes().all(|b| (b' '..=b'~').contains(&b)) {
            found.at(text.span(), "a content type is printable ASCII");
        }
        text.get_ref().clone()
    });
    Reply {
        status,
        body: reply.body.as_ref().map(|body| body.get_ref().clone()).unwrap_or_default(),
        content_type: content_type.unwrap_or_else(|| "text/plain".to_owned()),
    }
}

/// A request that only proves that we are here.
pub(super) fn load_challenge(
    spanned: &Spanned<ChallengeTable>,
    found: &mut Found,
) -> Option<Challenge> {
    let table = spanned.get_ref();
    let token = table.token.as_ref().map(|token| token.get_ref().clone());
    match (&table.query, &table.at) {
        (Some(query), None) => {
            if let Some(when) = &table.when {
                found.at(when.at.span(), "a challenge in the query has no body: remove `when`");
            }
            Some(Challenge::Query { name: query.get_ref().clone(), token })
        }
        (None, Some(_)) => {
            if let Some(token) = &table.token {
                found.at(token.span(), "a challenge in a body is signed: remove `token`");
            }
            let when = table.when.as_ref().map(|when| matching(when, found));
            Some(Challenge::Body { at: pointers(table.at.as_ref(), found), when })
        }
        (Some(_), Some(_)) | (None, None) => {
            let what = "say where the challenge is: query = \"...\" for a GET with it in the query, or \
                        at = \"/...\" for a callback with it in the body";
            found.at(spanned.span(), what);
            None
        }
    }
}

pub(super) fn check_header_name(name: &Spanned<String>, found: &mut Found) {
    let text = name.get_ref();
    let is_name = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !is_name {
        found.at(name.span(), format!("`{text}` is not a header's name"));
    }
}

/// Which claims must be confirmed where the source does not say.
pub(crate) fn load_confirm(
    value: &Spanned<ConfirmValue>,
    machine: &Machine,
    found: &mut Found,
) -> Confirm {
    let (above, named) = match value.get_ref() {
        ConfirmValue::Word(word) if word == "always" => return Confirm::Always,
        ConfirmValue::Word(word) if word == "never" => return Confirm::Never,
        ConfirmValue::Word(word) => {
            let what =
                format!("`{word}` cannot stand here: write \"always\", \"never\", or a table");
            found.at(value.span(), what);
            return Confirm::Always;
        }
        ConfirmValue::When { above, statuses } => (above, statuses),
    };
    let statuses =
        named.iter().filter_map(|name| find_status_at(name, value.span(), machine, found));
    let statuses = statuses.collect();
    let above = above.as_ref().and_then(|above| found.parse(above, value.span()));
    Confirm::When { above, statuses }
}

fn find_status_at(
    name: &str,
    span: Range<usize>,
    machine: &Machine,
    found: &mut Found,
) -> Option<Status> {
    let status = Status::new(name);
    if machine.get(&status).is_some() {
        return Some(status);
    }
    let known = machine.statuses().iter().map(|rule| rule.name.as_str());
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", known.collect::<Vec<_>>().join(", ")),
    };
    found.at(span, format!("there is no status `{name}`: {hint}"));
    None
}

/// The way of signing that stands where a source chooses none, and those that it may choose.
pub(super) fn load_signatures(
    callback: &CallbackTable,
    deciding: &[Pointer],
    found: &mut Found,
) -> (Option<Signature>, BTreeMap<String, Signature>) {
    let signs = Signs::Callbacks { format: callback.format, deciding };
    let mut named = BTreeMap::from([(NONE.to_owned(), Signature::none())]);
    for (name, table) in &callback.signatures {
        if name.get_ref() == NONE {
            found.at(name.span(), "`none` is always there: give this one another name");
        }
        if let Some(signature) = load_signature(table, signs, found) {
            named.insert(name.get_ref().clone(), signature);
        }
    }
    (load_signature(&callback.signature, signs, found), named)
}

/// The name of no signature.
const NONE: &str = "none";
