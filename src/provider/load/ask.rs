//! Checks and compiles what a definition says about asking.

use std::ops::Range;

use super::Found;
use super::callback::check_header;
use super::places::Base;
use crate::provider::request::{Ask, Auth};
use crate::provider::signature::Signature;
use crate::provider::table::{AskTable, AuthTable, SignTable};
use crate::provider::template::Template;

pub(super) fn load_ask(ask: &AskTable, base: &Base<'_>, found: &mut Found) -> Option<Ask> {
    let path = template(ask.path.get_ref(), ask.path.span(), &ID_PLACES, found);
    if !ask.path.get_ref().starts_with('/') {
        found
            .at(ask.path.span(), "a path starts with `/`: it is appended to the source's base_url");
    }
    let mut bodies = Vec::new();
    for body in &ask.body {
        let fields = body.get_ref().iter().filter_map(|(key, text)| {
            Some((key.clone(), template(text, body.span(), &ID_PLACES, found)?))
        });
        bodies.push(fields.collect());
    }
    let answer = &ask.answer;
    let places = base.places(None, answer.at.as_ref(), &answer.event, found);
    let ok = answer
        .ok
        .as_ref()
        .and_then(|ok| Some((found.parse(ok.at.get_ref(), ok.at.span())?, ok.is.clone())));
    let signature = answer.signature.as_ref().map(|sign| load_sign(sign, found));
    Some(Ask { method: ask.method, path: path?, bodies, places, ok, signature })
}

const ID_PLACES: [&str; 2] = ["order_id", "provider_id"];

fn template(
    text: &str,
    span: Range<usize>,
    allowed: &[&str],
    found: &mut Found,
) -> Option<Template> {
    let template: Template = found.parse(text, span.clone())?;
    for place in template.places() {
        if !allowed.is_empty() && !allowed.contains(&place) {
            let what =
                format!("`{{{place}}}` is not known here: write {{{}}}", allowed.join("} or {"));
            found.at(span.clone(), what);
        }
    }
    Some(template)
}

pub(super) fn load_auth(auth: &AuthTable, found: &mut Found) -> Auth {
    let headers = auth.headers.iter().filter_map(|(name, text)| {
        // Any place names a credential of the source.
        Some((name.clone(), template(text.get_ref(), text.span(), &[], found)?))
    });
    let headers = headers.collect();
    let sign = auth.sign.as_ref().map(|sign| load_sign(sign, found));
    Auth { headers, sign }
}

fn load_sign(sign: &SignTable, found: &mut Found) -> (String, Signature) {
    check_header(&sign.signature, found);
    (sign.secret.clone(), sign.signature.get_ref().clone())
}
