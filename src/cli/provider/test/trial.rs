//! What becomes of a request: each step as the daemon takes it, with what there is to say about it.

use std::collections::BTreeMap;

use anyhow::Context;
use hyper::Uri;
use serde::Serialize;

use super::kept::Kept;
use crate::config::Source;
use crate::order::decide::{Seen, decide};
use crate::order::effect::Effect;
use crate::order::joined::Order;
use crate::order::name::OrderId;
use crate::order::report::{Content, Report};
use crate::order::standing::Attention;
use crate::order::timestamp::Timestamp;
use crate::poll::client::http_date;
use crate::provider::secret::CallbackSecret;
use crate::provider::signature::{Request, Signature};
use crate::provider::{Trust, describe};
use crate::receive::{answer_query, check_headers, keep_headers, take_headers};

/// What became of a request.
#[derive(Debug, Serialize)]
pub(super) struct Trial {
    /// It is accepted, and can be read.
    pub ok: bool,
    /// What came, without what may be a secret in it.
    pub request: String,
    pub steps: Vec<Step>,
    /// What was signed; hexadecimal where it is no text.
    pub signed: Option<Signed>,
    /// Whether a signature fits, by the place of the secret.
    pub keys: Vec<Key>,
    /// What would make the signature fit.
    pub hints: Vec<String>,
    /// `claims` or `hint`.
    pub trust: Option<&'static str>,
    pub reports: Vec<Told>,
}

/// One step.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub what: &'static str,
    pub ok: bool,
    pub text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Signed {
    pub bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Key {
    pub fits: bool,
    pub text: String,
}

/// A report, and what an order that knows nothing else would do with it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub report: Report,
    /// The definition's name of the status that was said.
    pub status: Option<String>,
    /// Which of the orders in this body it is about, from 1.
    pub order: usize,
    pub verdict: &'static str,
    pub reason: String,
    pub heads: BTreeMap<String, Vec<String>>,
    pub kind: Option<String>,
    pub outcome: Option<&'static str>,
    pub is_final: bool,
    pub position: BTreeMap<String, String>,
    pub effects: Vec<Effect>,
    pub holds: Vec<String>,
    pub attention: Vec<Attention>,
    /// Why Pawl asks, where it does.
    pub asks: Option<String>,
}

impl Trial {
    fn new(request: String) -> Self {
        let (signed, trust) = (None, None);
        let (steps, keys) = (Vec::new(), Vec::new());
        let (hints, reports) = (Vec::new(), Vec::new());
        Self { ok: true, request, steps, signed, keys, hints, trust, reports }
    }

    fn good(&mut self, what: &'static str, text: impl Into<String>) {
        self.steps.push(Step { what, ok: true, text: text.into() });
    }

    /// Nothing comes after it.
    fn bad(mut self, what: &'static str, text: impl Into<String>) -> Self {
        self.steps.push(Step { what, ok: false, text: text.into() });
        self.ok = false;
        self
    }
}

/// Tries a callback.
pub(super) fn try_callback(
    source: &Source,
    kept: &Kept,
    method: &str,
    path: &str,
    at: Timestamp,
) -> Trial {
    let provider = &source.provider;
    // A query may hold a token.
    let (shown, bytes) = (path.split('?').next().unwrap_or_default(), kept.body.len());
    let mut trial = Trial::new(format!("{method} {shown} with {bytes} bytes, at {at}"));
    if method == "GET" {
        let answer = path.parse::<Uri>().ok().map(|uri| answer_query(source, &uri, at));
        return match answer {
            Some(Ok(_)) => {
                trial.good("challenge", "it is answered with what it carries, and not kept");
                trial
            }
            Some(Err(refusal)) => {
                trial.bad("challenge", format!("refused with {}", refusal.status()))
            }
            None => trial.bad("challenge", "its path cannot be read"),
        };
    }
    if method != "POST" {
        return trial.bad("method", "callbacks are sent by POST");
    }
    let types = provider.content_types.join(" or ");
    if let Err(refusal) = check_headers(&kept.headers, &provider.content_types) {
        let text = format!("refused with {}: it must be {types}, and not packed", refusal.status());
        return trial.bad("content type", text);
    }
    trial.good("content type", format!("taken: {types}"));
    if kept.body.is_empty() {
        return trial.bad("body", "it is empty");
    }
    let headers = take_headers(&kept.headers);
    let url = source.public_url.as_deref();
    let (method, body) = ("POST", &kept.body[..]);
    let request = Request { method, path, url, headers: &headers, body, at };
    let trust = match verify(&mut trial, source, &request) {
        Ok(trust) => trust,
        Err(why) => return trial.bad("signature", why),
    };
    if trust == Trust::Hint {
        trial.trust = Some("hint");
        return match provider.read_hint(&kept.body) {
            Ok(names) => {
                let ids: Vec<&str> = names.keys().map(OrderId::as_str).collect();
                let text = format!("nothing is believed; Pawl asks about {}", ids.join(", "));
                trial.good("hint", text);
                trial
            }
            Err(error) => trial.bad("hint", format!("it names no order: {error}")),
        };
    }
    trial.trust = Some("claims");
    if provider.find_challenge(&kept.body).is_some() {
        trial.good("challenge", "it is answered with what it carries, and not kept");
        return trial;
    }
    let headers = keep_headers(&headers, provider.event_id_header());
    match provider.read_callback(&headers, &kept.body, at) {
        Err(error) => trial.bad("reports", format!("it would be a dead letter: {error}")),
        Ok(reports) if reports.is_empty() => {
            trial.good("reports", "none: it is not about orders, and moves nothing");
            trial
        }
        Ok(reports) => {
            trial.good("reports", reports.len().to_string());
            trial.reports = tell(source, &reports);
            trial
        }
    }
}

/// Tries an answer.
pub(super) fn try_answer(source: &Source, kept: &Kept, at: Timestamp) -> anyhow::Result<Trial> {
    let ask = source.provider.ask.as_ref();
    let ask = ask.context("the definition has no [ask]: there are no answers to read")?;
    let headers = take_headers(&kept.headers);
    let mut trial = Trial::new(format!("an answer of {} bytes, at {at}", kept.body.len()));
    if let Err(error) = ask.envelope.verify(&headers, &kept.body, &source.credentials) {
        let why = ask.envelope.signature.as_ref().and_then(|(credential, signature)| {
            let secret = source.credentials.get(credential)?.clone();
            let (method, path, url, at) = ("", "", None, Timestamp::EPOCH);
            let request = Request { method, path, url, headers: &headers, body: &kept.body, at };
            let explained = signature.explain(&request, &[CallbackSecret::always(secret)]);
            trial.hints = explained.hints;
            explained.why
        });
        return Ok(trial.bad("signature", why.unwrap_or_else(|| error.to_string())));
    }
    let is_signed = ask.envelope.signature.is_some();
    trial.good("signature", if is_signed { "fits" } else { "answers are not signed" });
    trial.trust = Some("claims");
    let date = kept.headers.get(hyper::header::DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(http_date);
    Ok(match source.provider.read_kept_answer(ask, &kept.body, date, at) {
        Err(error) => trial.bad("report", format!("it would be no information: {error}")),
        Ok(report) => {
            trial.good("report", "one");
            trial.reports = tell(source, &[report]);
            trial
        }
    })
}

/// Checks the signature, and says what was found.
fn verify(trial: &mut Trial, source: &Source, request: &Request<'_>) -> Result<Trust, String> {
    let signature: &Signature = &source.signature;
    trial.good("signed by", signature.sentence());
    let explained = signature.explain(request, &source.callback_secrets);
    if let Some(found) = &explained.found {
        trial.good("found", readable(found.as_bytes()).unwrap_or_default());
    }
    trial.signed = explained.signed.map(|signed| {
        let text = readable(&signed);
        let hex = if text.is_none() { Some(hex::encode(&signed)) } else { None };
        Signed { bytes: signed.len(), text, hex }
    });
    if let Some(signed_at) = explained.signed_at {
        trial.good("signed at", signed_at.to_string());
    }
    let keys = explained.keys.into_iter();
    trial.keys = keys.map(|key| Key { fits: key.fits, text: key.text }).collect();
    trial.hints = explained.hints;
    // What counts is what the source says; the explanation only says why.
    match (source.verify(request), explained.why) {
        (Ok(trust), _) => {
            trial.good("trust", describe::trust(signature));
            Ok(trust)
        }
        (Err(error), why) => Err(why.unwrap_or_else(|| error.to_string())),
    }
}

/// A text with its control characters escaped; none where it is no text.
fn readable(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Some(text.chars().map(escape).collect())
}

/// Has each report decided, one after the other, by an order that knows nothing else.
fn tell(source: &Source, reports: &[Report]) -> Vec<Told> {
    let mut orders: Vec<(Order, BTreeMap<String, Content>)> = Vec::new();
    let mut told = Vec::new();
    for report in reports {
        // Those that it names by several ids are one from then on.
        let named: Vec<usize> = (0..orders.len())
            .filter(|number| report.names.keys().any(|id| orders[*number].0.names.contains_key(id)))
            .collect();
        let number = named.first().copied().unwrap_or_else(|| {
            orders.push(Default::default());
            orders.len() - 1
        });
        for other in named.iter().skip(1) {
            let (merged, known) = std::mem::take(&mut orders[*other]);
            let (order, own) = std::mem::take(&mut orders[number]);
            orders[number] = (order.merge(merged), own.into_iter().chain(known).collect());
        }
        let (order, known) = &mut orders[number];
        let seen = match known.get(report.event_id.as_str()) {
            None => Seen::New,
            Some(content) if *content == report.content => Seen::Same,
            Some(_) => Seen::Differently,
        };
        let decision = decide(&source.rules, order, report, seen);
        known.insert(report.event_id.to_string(), report.content.clone());
        order.clone_from(&decision.order);
        let standing = decision.standing;
        let said = match &report.content {
            Content::Said(said) => said.status.as_deref(),
            Content::Hint | Content::Registered(_) | Content::Resolved(_) => None,
        };
        let status = said.and_then(|status| source.provider.machine.find(status));
        let heads = standing.heads.iter().map(|(track, heads)| {
            (track.to_string(), heads.iter().map(ToString::to_string).collect())
        });
        let position = standing.position.iter();
        let mut holds: Vec<String> = standing.holds.iter().map(|hold| hold.text.clone()).collect();
        holds.dedup();
        told.push(Told {
            report: report.clone(),
            status: status.map(|rule| rule.name.to_string()),
            order: number + 1,
            verdict: decision.verdict.as_str(),
            reason: decision.reason,
            heads: heads.collect(),
            kind: standing.kind.as_ref().map(ToString::to_string),
            outcome: standing.outcome.map(|outcome| outcome.as_str()),
            is_final: standing.is_final,
            position: position.map(|(slot, to)| (slot.to_string(), to.to_string())).collect(),
            effects: decision.effects,
            holds,
            attention: standing.attention,
            asks: decision.ask,
        });
    }
    told
}
