//! Checks and compiles what a definition says about asking.

use toml::Spanned;

use super::Found;
use super::auth::load_sign;
use super::places::Base;
use super::request::{Allowed, Written, load_request};
use super::signature::Signs;
use crate::provider::batch::Batch;
use crate::provider::body::Body;
use crate::provider::envelope::Envelope;
use crate::provider::json::Pointer;
use crate::provider::meaning::{ErrorRule, Errors};
use crate::provider::request::{Ask, Request};
use crate::provider::table::{AskTable, BatchTable, ErrorTable, Missing, OkTable, SignTable};

const ID_PLACES: [&str; 2] = ["order_id", "provider_id"];

/// How many orders one request may name at most.
const BATCH_MAX: u64 = 1000;

pub(super) fn load_ask(ask: &AskTable, base: &Base<'_>, found: &mut Found) -> Option<Ask> {
    let AskTable { method, path, body, format, answer, .. } = ask;
    let written = Written { method: *method, path, body: body.as_ref(), format: *format };
    let request = load_request(&written, Allowed { texts: Some(&ID_PLACES), lists: &[] }, found);
    let places = base.places(None, answer.at.as_ref(), &answer.event, found);
    let said = (answer.ok.as_ref(), answer.signature.as_ref());
    let envelope = load_envelope(said, &ask.error, &places.deciding(base.has_loops), found);
    let batch = ask.batch.as_ref().map(|batch| load_batch(batch, base, found));
    Some(Ask { request: request?, places, envelope, batch: batch.flatten() })
}

pub(super) fn load_envelope(
    (ok, signature): (Option<&OkTable>, Option<&SignTable>),
    errors: &[ErrorTable],
    deciding: &[Pointer],
    found: &mut Found,
) -> Envelope {
    let signs = Signs::Answers { deciding };
    Envelope {
        ok: ok.and_then(|ok| Some((found.parse(ok.at.get_ref(), ok.at.span())?, ok.is.clone()))),
        signature: signature.and_then(|sign| load_sign(sign, signs, found)),
        errors: Errors(errors.iter().map(|error| load_error(error, found)).collect()),
    }
}

fn load_error(error: &ErrorTable, found: &mut Found) -> ErrorRule {
    let (statuses, span) = (&error.status.get_ref().0, error.status.span());
    if statuses.is_empty() || statuses.iter().any(|status| !(200..=599).contains(status)) {
        found.at(span.clone(), "an HTTP status is a number from 200 to 599");
    }
    let place = error.at.as_ref();
    let place = place.and_then(|at| found.parse::<Pointer>(at.get_ref(), at.span()));
    let texts = error.is.as_ref().map(|is| is.get_ref().0.clone());
    match (&error.at, &error.is) {
        (None, None) if statuses.iter().any(|status| (200..=299).contains(status)) => {
            let what = "a status of success is an error only where the body says so: add at and is";
            found.at(span, what);
        }
        (Some(at), None) => found.at(at.span(), "what stands there? add is = \"...\""),
        (None, Some(is)) => found.at(is.span(), "where does it stand? add at = \"/...\""),
        (Some(_), Some(is)) if is.get_ref().0.is_empty() => {
            found.at(is.span(), "an empty list fits nothing: write a text");
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    ErrorRule { statuses: statuses.clone(), says: place.zip(texts), means: error.means }
}

fn load_batch(batch: &BatchTable, base: &Base<'_>, found: &mut Found) -> Option<Batch> {
    let BatchTable { method, path, body, format, .. } = batch;
    let written = Written { method: *method, path, body: body.as_ref(), format: *format };
    let lists = Batch::PLACES.map(|(place, _)| place);
    // No text: what is of one order only cannot stand in a question about several.
    let request = load_request(&written, Allowed { texts: Some(&[]), lists: &lists }, found);
    let max = *batch.max.get_ref();
    if !(2..=BATCH_MAX).contains(&max) {
        found.at(batch.max.span(), format!("one request is about 2 to {BATCH_MAX} orders"));
    }
    let items = found.parse(batch.items.get_ref(), batch.items.span());
    let request = request?;
    let used: Vec<_> =
        Batch::PLACES.into_iter().filter(|(place, _)| has_list(&request, place)).collect();
    let ids = match used[..] {
        [(_, role)] => Some(role),
        [] => {
            let what = "no orders are named: write a place for the list of their ids, such as \
                        ids = \"{provider_ids}\"";
            found.at(at_body(batch), what);
            None
        }
        _ => {
            let what = "orders are named by one sort of id: write {order_ids} or {provider_ids}";
            found.at(at_body(batch), what);
            None
        }
    };
    Some(Batch {
        request,
        ids: ids?,
        max: usize::try_from(max).unwrap_or(usize::MAX),
        items: items?,
        places: base.places(None, None, &batch.event, found),
        is_complete: batch.missing == Missing::NotFound,
    })
}

fn has_list(request: &Request, place: &str) -> bool {
    let in_bodies = request.bodies.iter().flat_map(Body::places);
    request.path.places().contains(place) || in_bodies.into_iter().any(|(known, _)| known == place)
}

fn at_body(batch: &BatchTable) -> std::ops::Range<usize> {
    batch.body.as_ref().map_or(batch.path.span(), Spanned::span)
}
