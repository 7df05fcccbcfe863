//! Bodies of every form that a definition can describe, and what they are read as.

use std::collections::BTreeMap;

use pawl::order::decide::{Seen, Verdict, decide};
use pawl::order::joined::Order;
use pawl::order::name::{Kind, Status};
use pawl::order::report::{Content, Report, Said};
use pawl::order::rules::Policy;
use pawl::provider::headers::Headers;
use pawl::provider::reply::echo;
use pawl::provider::{Provider, Unreadable};

use crate::order::at;

/// A provider whose callbacks and events are described so.
fn provider(callback: &str, event: &str, more: &str) -> Provider {
    let text = format!(
        r#"
name = "plain"
title = "Plain"
[callback]
{callback}
[callback.signature]
scheme = "hmac"
hash = "sha256"
header = "Signature"
encoding = "hex"
[event]
order_id = "/id"
{event}
[status.open]
edges = ["paid", "failed"]
[status.paid]
final = true
outcome = "succeeded"
[status.failed]
final = true
outcome = "failed"
aliases = ["fault"]
[track.refund]
[status.refunding]
track = "refund"
implies = "paid"
edges = ["refunded"]
[status.refunded]
track = "refund"
implies = "paid"
[kind.payment]
[[kind.payment.money]]
at = ["paid"]
to.credited = "amount"
{more}"#
    );
    Provider::load("plain.toml", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

const USUAL: &str = "status = '/status'\ncurrency = '/currency'\n";

fn read(provider: &Provider, body: &str) -> Result<Vec<Report>, Unreadable> {
    provider.read_callback(&Headers::default(), body.as_bytes(), at(0))
}

fn one(provider: &Provider, body: &str) -> Report {
    let mut reports = read(provider, body).unwrap_or_else(|error| panic!("{body}: {error}"));
    assert_eq!(reports.len(), 1, "{body}");
    reports.remove(0)
}

fn said(report: &Report) -> &Said {
    let Content::Said(said) = &report.content else { panic!("nothing is said") };
    said
}

fn amount(report: &Report) -> String {
    said(report).amounts["amount"].to_string()
}

#[test]
fn a_form_is_read_like_json() {
    let form = provider("format = 'form'", USUAL, "");
    let json = provider("", USUAL, "");
    let one_form = one(&form, "id=o-1&status=paid&amount=1%2E50&currency=eur&note=a+b");
    let one_json = one(&json, r#"{"id":"o-1","status":"paid","amount":1.5,"currency":"EUR"}"#);
    assert_eq!(one_form, one_json);
    let twice = read(&form, "id=o-1&status=paid&status=failed");
    assert!(matches!(twice, Err(Unreadable::Form(_))), "{twice:?}");
}

#[test]
fn one_body_may_hold_several_reports() {
    let list = provider("items = '/events'", USUAL, "");
    let body = r#"{"account":"a","events":[
        {"id":"o-1","status":"paid","amount":1,"currency":"EUR"},
        {"id":"o-2","status":"failed"}]}"#;
    let reports = read(&list, body).expect("two reports");
    let ids: Vec<_> = reports.iter().flat_map(|r| r.names.keys().map(|id| id.as_str())).collect();
    assert_eq!(ids, ["o-1", "o-2"]);
    assert_eq!(said(&reports[1]).status.as_deref(), Some("failed"));
    assert!(said(&reports[1]).amounts.is_empty(), "nothing of the first");
    // None of them is applied where one cannot be read, and the reason says which.
    let error = read(&list, r#"{"events":[{"id":"o-1","status":"paid"},{"status":"paid"}]}"#);
    let error = error.expect_err("the second has no id").to_string();
    assert_eq!(error, "report 2 of 2: there is no order id at /events/*/id");
    assert_eq!(read(&list, r#"{"events":[]}"#), Ok(vec![]));
    for body in [r#"{"events":{}}"#, "{}", "[]"] {
        assert_eq!(read(&list, body), Err(Unreadable::NoList("/events".to_owned())), "{body}");
    }
    let whole = provider("items = ''", USUAL, "");
    assert_eq!(read(&whole, r#"[{"id":"o-1","status":"paid"}]"#).map(|r| r.len()), Ok(1));
}

#[test]
fn what_all_reports_of_a_body_share_is_read_from_its_root() {
    let list = provider(
        "items = '/events'\nevent = { account = '/merchant', event_id_header = 'Delivery-Id' }",
        USUAL,
        "",
    );
    let headers: Headers = [("delivery-id", "d-1")].into_iter().collect();
    let body = br#"{"merchant":"m-1","events":[{"id":"o-1","status":"open"},{"id":"o-1","status":"paid"}]}"#;
    let reports = list.read_callback(&headers, body, at(0)).expect("two reports");
    assert!(reports.iter().all(|report| said(report).account.as_deref() == Some("m-1")));
    let ids: Vec<_> = reports.iter().map(|report| report.event_id.as_str()).collect();
    assert_eq!(ids, ["d-1", "d-1#1"], "two reports about one order are two events");
    // A header that stands twice says nothing.
    let headers = [("delivery-id", "d-1"), ("Delivery-Id", "d-2")].into_iter().collect();
    let reports = list.read_callback(&headers, body, at(0)).expect("two reports");
    assert!(reports[0].event_id.as_str().starts_with("digest:"));
}

#[test]
fn a_name_is_claimed_beside_the_status() {
    let event = format!(
        "{USUAL}name = '/event'\n[event.names]\n'order.refund_in_progress' = 'refunding'\n\
         'order.payment_success' = 'paid'\n"
    );
    let provider = provider("", &event, "");
    let report = |event: &str, status: &str| {
        one(&provider, &format!(r#"{{"id":"o-1","event":"{event}","status":"{status}"}}"#))
    };
    // Documents print stray blanks and capitals.
    let refund = report("Order.refund_in _progress", "paid");
    assert_eq!(said(&refund).announced, Some(Status::new("refunding")));
    let rules = provider.rules(&BTreeMap::new(), Policy::default()).expect("rules");
    let decision = decide(&rules, &Order::default(), &refund, Seen::New);
    let heads = &decision.standing.heads;
    let heads: Vec<_> = heads.values().flatten().map(|status| status.as_str()).collect();
    assert_eq!(heads, ["paid", "refunding"], "both are claimed");
    // A name without a status is one; a name that nobody knows is an unknown status, and not lost.
    let named = one(&provider, r#"{"id":"o-1","event":"order.payment_success"}"#);
    assert_eq!(said(&named).status.as_deref(), Some("paid"));
    let unknown = one(&provider, r#"{"id":"o-1","event":"order.teleported"}"#);
    let decision = decide(&rules, &Order::default(), &unknown, Seen::New);
    assert_eq!(decision.verdict, Verdict::UnknownStatus);
    // A name that only repeats the status is the same news as the status alone.
    let plain = one(&provider, r#"{"id":"o-1","status":"paid"}"#);
    assert_eq!(report("order.payment_success", "paid").event_id, plain.event_id);
    assert_ne!(refund.event_id, plain.event_id);
    // An unknown name beside a known status is only kept.
    assert_eq!(report("order.opened", "open").event_id, report("", "open").event_id);
}

#[test]
fn a_status_is_found_however_it_is_written() {
    let provider = provider("", USUAL, "");
    let rules = provider.rules(&BTreeMap::new(), Policy::default()).expect("rules");
    for status in [r#""FAULT""#, r#"" Failed ""#, r#"["failed"]"#] {
        let report = one(&provider, &format!(r#"{{"id":1,"status":{status}}}"#));
        let decision = decide(&rules, &Order::default(), &report, Seen::New);
        assert_eq!(decision.standing.status, Some(Status::new("failed")), "{status}");
    }
    for status in [r#"["failed","paid"]"#, "[]", r#"[["failed"]]"#, "{}", "true"] {
        let read = read(&provider, &format!(r#"{{"id":1,"status":{status}}}"#));
        assert!(matches!(read, Err(Unreadable::Sort { .. })), "{status}: {read:?}");
    }
}

#[test]
fn minor_units_are_brought_to_major_ones() {
    let event = format!("{USUAL}minor_units = true\nexponents = {{ USDT = 6, ISK = 2 }}\n");
    let provider = provider("", &event, "");
    let body = |currency: &str, amount: &str| {
        format!(r#"{{"id":"o-1","status":"paid","amount":{amount},"currency":"{currency}"}}"#)
    };
    for (currency, minor, major) in [
        ("eur", "1050", "10.5"),
        ("JPY", "1050", "1050"),
        ("KWD", "1", "0.001"),
        ("isk", "1050", "10.5"),
        ("usdt", "1000000", "1"),
        ("EUR", "\"1050\"", "10.5"),
        ("EUR", "0", "0"),
    ] {
        assert_eq!(amount(&one(&provider, &body(currency, minor))), major, "{minor} {currency}");
    }
    // A wrong guess would be wrong by a factor of a million: it is a dead letter until someone says.
    let error = read(&provider, &body("BTC", "1")).expect_err("no exponent is known").to_string();
    assert!(error.contains("add BTC to [event.exponents]"), "{error}");
    let error = read(&provider, r#"{"id":"o-1","status":"paid","amount":1}"#);
    assert!(matches!(error, Err(Unreadable::Missing { .. })), "{error:?}");
    assert!(read(&provider, r#"{"id":"o-1","status":"open"}"#).is_ok(), "nothing to bring");
}

#[test]
fn a_kind_may_be_told_by_something_else_than_a_word() {
    let more = "[kind.test]\nif = { at = '/is_test', is = 'true' }\n[kind.big]\n\
                if = { at = '/class', is = ['7', 'big*'] }\n";
    let provider = provider("", &format!("{USUAL}kind = '/type'\n"), more);
    let kind = |more: &str| {
        said(&one(&provider, &format!(r#"{{"id":1,"status":"paid"{more}}}"#))).kind.clone()
    };
    assert_eq!(kind(r#","is_test":true,"type":"payment""#), Some(Kind::new("test")));
    assert_eq!(kind(r#","is_test":"true","class":7"#), Some(Kind::new("test")), "the first counts");
    assert_eq!(kind(r#","class":7"#), Some(Kind::new("big")));
    assert_eq!(kind(r#","class":"bigger""#), Some(Kind::new("big")));
    assert_eq!(kind(r#","is_test":false,"type":"payment""#), Some(Kind::new("payment")));
    assert_eq!(kind(r#","is_test":false"#), None);
    assert_eq!(kind(r#","type":"gift""#), Some(Kind::unknown("gift")));
}

#[test]
fn callbacks_that_are_not_about_orders_hold_no_report() {
    let callback = "only = { at = '/event', is = ['order.*', 'ping'] }\n\
                    ignore = [{ at = '/event', is = 'ping' }]\n";
    let provider = provider(callback, USUAL, "");
    let count = |body: &str| read(&provider, body).map(|reports| reports.len());
    assert_eq!(count(r#"{"event":"ping"}"#), Ok(0));
    assert_eq!(count(r#"{"event":"payout.created","id":"po-1"}"#), Ok(0));
    assert_eq!(count(r#"{"id":"o-1","status":"paid"}"#), Ok(0));
    assert_eq!(count(r#"{"event":"order.paid","id":"o-1","status":"paid"}"#), Ok(1));
    assert!(count(r#"{"event":"order.paid","id":"o-1"}"#).is_err(), "it should say more");
}

#[test]
fn times_are_read_in_the_zone_that_the_definition_says() {
    let event = format!("{USUAL}time = '/at'\ntime_format = 'date_time'\ntime_zone = '+03:00'\n");
    let provider = provider("", &event, "");
    let report = one(&provider, r#"{"id":1,"status":"paid","at":"2025-11-20 15:00:00"}"#);
    assert_eq!(said(&report).time, Some("2025-11-20T12:00:00Z".parse().expect("a time")));
}

#[test]
fn a_challenge_is_found_only_where_the_definition_says() {
    let callback =
        "challenge = { at = '/challenge', when = { at = '/type', is = 'url_verification' } }";
    let provider = provider(callback, USUAL, "");
    let find = |body: &str| provider.find_challenge(body.as_bytes());
    assert_eq!(
        find(r#"{"type":"url_verification","challenge":"3eZb-x"}"#).as_deref(),
        Some("3eZb-x")
    );
    for body in [
        r#"{"type":"order","challenge":"3eZb"}"#,
        r#"{"type":"url_verification","challenge":"<script>"}"#,
        r#"{"type":"url_verification","challenge":""}"#,
        r#"{"type":"url_verification","challenge":7}"#,
        r#"{"type":"url_verification"}"#,
        "not JSON",
    ] {
        assert_eq!(find(body), None, "{body}");
    }
    assert_eq!(echo(&"a".repeat(513)), None);
}
