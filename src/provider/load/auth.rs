//! Checks and compiles what a definition says about how we prove who we are.

use std::time::Duration;

use toml::Spanned;

use super::Found;
use super::request::{Allowed, Written, load_request, load_template};
use super::signature::{Signs, load_signature};
use crate::provider::login::{Expiry, Login};
use crate::provider::read::TimeFormat;
use crate::provider::request::Auth;
use crate::provider::signature::Signature;
use crate::provider::table::{AuthTable, ExpiryWord, LoginTable, SignTable};

pub(super) fn load_auth(auth: &AuthTable, found: &mut Found) -> Auth {
    let mut of_credentials = |text: &Spanned<String>| {
        load_template(text.get_ref(), Allowed::CREDENTIALS, &text.span(), found)
    };
    let headers = auth.headers.iter();
    let headers =
        headers.filter_map(|(name, text)| Some((name.clone(), of_credentials(text)?))).collect();
    let basic = auth
        .basic
        .as_ref()
        .and_then(|basic| Some((of_credentials(&basic.user)?, of_credentials(&basic.password)?)));
    let named = |name: &str| {
        let mut headers = auth.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, text)| text.span())
    };
    if let (Some(_), Some(span)) = (&auth.basic, named("authorization")) {
        let what = "HTTP Basic is the header Authorization: write one of both";
        found.at(span, what);
    }
    for text in auth.headers.values() {
        check_line(text, found);
    }
    Auth {
        headers,
        basic,
        sign: auth.sign.as_ref().and_then(|sign| load_sign(sign, Signs::Requests, found)),
        login: auth.login.as_ref().and_then(|login| load_login(login, found)),
        has_client_certificate: auth.client_certificate,
    }
}

/// How long a token is good where nobody says: not for long.
const LIFE_SECS: u64 = 600;

/// A year: nobody means more.
const LIFE_SECS_MAX: u64 = 31_536_000;

fn load_login(login: &LoginTable, found: &mut Found) -> Option<Login> {
    let LoginTable { method, path, body, format, .. } = login;
    let written = Written { method: *method, path, body: body.as_ref(), format: *format };
    let request = load_request(&written, Allowed::CREDENTIALS, found);
    let token = found.parse(login.token.get_ref(), login.token.span());
    let expires = login.expires.as_ref().and_then(|expires| {
        let expiry = match expires.format {
            ExpiryWord::Seconds => Expiry::Seconds,
            ExpiryWord::Rfc3339 => Expiry::At(TimeFormat::Rfc3339),
            ExpiryWord::DateTime => Expiry::At(TimeFormat::DateTime(time::UtcOffset::UTC)),
            ExpiryWord::EpochSeconds => Expiry::At(TimeFormat::EpochSeconds),
            ExpiryWord::EpochMillis => Expiry::At(TimeFormat::EpochMillis),
        };
        Some((found.parse(expires.at.get_ref(), expires.at.span())?, expiry))
    });
    let life = login.life_secs.as_ref().map_or(LIFE_SECS, |life| *life.get_ref());
    if let Some(secs) = login.life_secs.as_ref().filter(|_| !(1..=LIFE_SECS_MAX).contains(&life)) {
        found.at(secs.span(), format!("a token's life is 1 to {LIFE_SECS_MAX} seconds"));
    }
    if login.send.get_ref().is_empty() {
        let what = "the token is sent nowhere: write send = { Authorization = \"Bearer {token}\" }";
        found.at(login.send.span(), what);
    }
    let allowed = Allowed { texts: Some(&["token"]), lists: &[] };
    let send = login.send.get_ref().iter().filter_map(|(name, text)| {
        check_line(text, found);
        let template = load_template(text.get_ref(), allowed, &text.span(), found)?;
        Some((name.clone(), template))
    });
    let send = send.collect();
    Some(Login { request: request?, token: token?, expires, life: Duration::from_secs(life), send })
}

/// What would end the header and begin another one.
fn check_line(text: &Spanned<String>, found: &mut Found) {
    if text.get_ref().contains(|c: char| c.is_control()) {
        found.at(text.span(), "a header is one line: remove the line break");
    }
}

pub(super) fn load_sign(
    sign: &SignTable,
    signs: Signs<'_>,
    found: &mut Found,
) -> Option<(String, Signature)> {
    Some((sign.secret.clone(), load_signature(&sign.signature, signs, found)?))
}
