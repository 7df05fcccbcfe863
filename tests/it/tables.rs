//! What every report means for an order in every status: the decision tables of the providers whose machines
//! are too large to be read row by row. Statuses that a report turns out the same for stand together.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pawl::order::decide::{Decision, Seen, decide};
use pawl::order::joined::Order;
use pawl::order::name::OrderId;
use pawl::order::report::Report;
use pawl::order::rules::{Policy, Rules};
use pawl::provider::Provider;
use pawl::provider::headers::Headers;

use crate::order::at;

/// How a provider's callback about an order in a status looks, by kind, status and seconds.
type Says = fn(&str, &str, i64) -> String;

/// A table of callbacks; of answers, where callbacks say nothing.
fn table(name: &str, kinds: &[&str], says: Says) -> String {
    let all = Provider::built_in().unwrap();
    let provider = all.iter().find(|provider| provider.name == name).unwrap();
    let currency = provider.takes_currency().then(|| "EUR".parse().unwrap());
    let rules = provider.rules(&BTreeMap::new(), Policy { currency, ..Policy::default() }).unwrap();
    let statuses: Vec<String> =
        provider.machine.statuses().iter().map(|rule| rule.name.to_string()).collect();
    let read = |kind: &str, status: &str, secs: i64| -> Report {
        let body = says(kind, status, secs);
        if name == "mollie" {
            let (ask, asked) =
                (provider.ask.as_ref().unwrap(), [OrderId::new("tr_1").unwrap()].into());
            let date = Some(at(secs));
            return provider.read_answer(ask, &asked, body.as_bytes(), date, at(100)).unwrap();
        }
        let reports = provider.read_callback(&Headers::default(), body.as_bytes(), at(100));
        reports.unwrap_or_else(|error| panic!("{body}: {error}")).remove(0)
    };
    let mut table = String::new();
    for kind in kinds {
        write!(table, "\n# {kind}\n").unwrap();
        for from in std::iter::once(None).chain(statuses.iter().map(Some)) {
            let before = from.map(|from| read(kind, from, 10));
            let order = before.map_or_else(Order::default, |report| {
                decide(&rules, &Order::default(), &report, Seen::New).order
            });
            writeln!(table, "{}{}", from.map_or("-", String::as_str), stands(&rules, &order))
                .unwrap();
            let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
            for status in &statuses {
                let (seen, secs) =
                    if from == Some(status) { (Seen::Same, 10) } else { (Seen::New, 20) };
                let decision = decide(&rules, &order, &read(kind, status, secs), seen);
                let row = row(status, &decision);
                match rows.iter_mut().find(|(known, _)| *known == row) {
                    Some((_, same)) => same.push(status),
                    None => rows.push((row, vec![status])),
                }
            }
            for (row, statuses) in rows {
                writeln!(table, "    {row}: {}", statuses.join(" ")).unwrap();
            }
        }
    }
    table
}

/// What has left for the order so far.
fn stands(rules: &Rules, order: &Order) -> String {
    let issued = order.issued.iter().map(|(slot, amount)| format!("{slot} {amount}"));
    let standing = pawl::order::standing::Standing::of(rules, order, at(100));
    let attention = standing.attention.iter().map(|attention| format!("!{}", attention.code));
    let all: Vec<String> = issued.chain(attention).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
}

fn row(status: &str, decision: &Decision) -> String {
    let standing = &decision.standing;
    let heads: Vec<&str> = standing
        .heads
        .values()
        .flatten()
        .map(|head| if head.as_str() == status { "it" } else { head.as_str() })
        .collect();
    let effects = decision.effects.iter().map(|e| format!("{} +{}", e.slot, e.amount()));
    let attention = standing.attention.iter().map(|a| format!("!{}", a.code));
    let what: Vec<String> = effects.chain(attention).collect();
    let what = if what.is_empty() { String::new() } else { format!(" => {}", what.join(", ")) };
    format!("{} [{}]{what}", decision.verdict, heads.join(" + "))
}

fn time(secs: i64) -> String {
    pawl::order::timestamp::Timestamp::to_string(&at(secs))
}

/// AzPay: 100 BRL, of which 99 came in.
fn azpay(kind: &str, status: &str, secs: i64) -> String {
    let received = if status == "completed" { r#","amount_received":"99""# } else { "" };
    format!(
        r#"{{"event_id":"e-{status}-{secs}","order":{{"id":"a-1","external_id":"o-1","type":"{kind}",
        "status":"{status}","currency":"BRL","amount":"100"{received},"updated_at":"{}"}}}}"#,
        time(secs)
    )
}

#[test]
fn azpay_decides() {
    insta::assert_snapshot!(table("azpay", &["cash_in", "cash_out", "buy"], azpay));
}

/// Cardaq: 100 EUR, of which 30 are refunded, and 20 of those taken back.
fn cardaq(kind: &str, status: &str, secs: i64) -> String {
    let refunded = if status.contains("refund") { r#","amount_refunded":30"# } else { "" };
    let reversal = if status == "refund_reversed" { r#","amount_refund_reversal":20"# } else { "" };
    let kind = match kind {
        "test" => r#""type":"order","is_test":true,"skip_capture":false"#,
        "two_step" => r#""type":"order","is_test":false,"skip_capture":true"#,
        "payout" => r#""type":"payout","is_test":false"#,
        _ => r#""type":"order","is_test":false,"skip_capture":false"#,
    };
    let modified = at(secs).micros() / 1_000_000;
    format!(
        r#"{{"id":"c-1","number":"INV-1",{kind},"status":"{status}","currency":"EUR","total":100.00,
        "modified":{modified}{refunded}{reversal}}}"#
    )
}

#[test]
fn cardaq_decides() {
    insta::assert_snapshot!(table("cardaq", &["order", "two_step", "payout", "test"], cardaq));
}

/// SDK.finance: 100, of which 2 are its commission.
fn sdk_finance(kind: &str, status: &str, secs: i64) -> String {
    let kind = match kind {
        "top_up" => "bank_topup",
        "withdrawal" => "bank_redeem",
        _ => "client_transaction_transfer",
    };
    format!(
        r#"{{"id":"n-{status}-{secs}","eventType":"BANK_MOVED","payload":{{"id":"p-1","requestIdentifier":17,"type":"{kind}",
        "status":"{status}","amount":100,"commission":2,"updatedAt":"{}"}}}}"#,
        time(secs)
    )
}

#[test]
fn sdk_finance_decides() {
    insta::assert_snapshot!(table(
        "sdk-finance",
        &["top_up", "withdrawal", "transfer"],
        sdk_finance
    ));
}

/// Stripe: 100 USD, of which 30 are refunded.
fn stripe(_: &str, status: &str, secs: i64) -> String {
    let created = at(secs).micros() / 1_000_000;
    let (event, object) = match status {
        "refunded" => (
            "charge.refunded",
            r#""id":"ch_1","payment_intent":"pi_1","amount_refunded":3000,"captured":true"#,
        ),
        "refund_failed" => {
            ("refund.failed", r#""id":"re_1","payment_intent":"pi_1","amount":3000"#)
        }
        "succeeded" => {
            ("payment_intent.succeeded", r#""id":"pi_1","amount":10000,"amount_received":10000"#)
        }
        _ => (
            "payment_intent.moved",
            r#""id":"pi_1","amount":10000,"amount_received":0,"amount_capturable":10000"#,
        ),
    };
    format!(
        r#"{{"id":"evt-{status}-{secs}","type":"{event}","created":{created},"data":{{"object":{{{object},
        "currency":"usd","status":"{status}"}}}}}}"#
    )
}

#[test]
fn stripe_decides() {
    insta::assert_snapshot!(table("stripe", &["payment"], stripe));
}

/// Mollie: 100 EUR, of which 30 are refunded once it is paid.
fn mollie(_: &str, status: &str, secs: i64) -> String {
    let refunded = if status == "paid" && secs > 10 { "30.00" } else { "0.00" };
    format!(
        r#"{{"id":"tr_1","status":"{status}","amount":{{"value":"100.00","currency":"EUR"}},
        "amountRefunded":{{"value":"{refunded}","currency":"EUR"}}}}"#
    )
}

#[test]
fn mollie_decides() {
    insta::assert_snapshot!(table("mollie", &["payment"], mollie));
}
