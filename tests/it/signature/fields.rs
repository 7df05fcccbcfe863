//! Signatures of some fields of a body, and signatures that stand among them.

use pawl::provider::signature::SignatureError as E;
use pawl::provider::{Provider, Trust};

use super::{definition, hex_hmac, provider, secret, sent};

/// A signature in the body, over chosen fields.
const CHOSEN: &str = r#"scheme = "hmac"
hash = "sha256"
at = "/sign"
encoding = "hex"
signed = "{field:/id}|{field:/status}|{field:/amount}|{field:/currency}""#;

fn body(id: &str, status: &str, amount: &str, currency: &str, signature: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"{status}","amount":{amount},"currency":"{currency}","sign":"{signature}"}}"#
    )
}

fn chosen(id: &str, status: &str, amount: &str, currency: &str) -> String {
    let signature = hex_hmac("hush", format!("{id}|{status}|{amount}|{currency}"));
    body(id, status, amount, currency, &signature)
}

fn verify(provider: &Provider, body: &str) -> Result<Trust, E> {
    sent(body).verify(provider, &[secret("hush")])
}

#[test]
fn fields_are_signed_as_they_are_written() {
    let provider = provider(CHOSEN);
    assert_eq!(provider.signature.trust(), Trust::Claims);
    let good = chosen("1", "paid", "5.10", "EUR");
    assert_eq!(verify(&provider, &good), Ok(Trust::Claims));
    // What is not signed may be added, and says nothing.
    let more = good.replace("{\"id\"", "{\"note\":\"x\",\"id\"");
    assert_eq!(verify(&provider, &more), Ok(Trust::Claims));
    for (from, to) in
        [("\"1\"", "\"2\""), ("paid", "pend"), ("5.10", "5.1"), ("5.10", "51.0"), ("EUR", "USD")]
    {
        assert_eq!(verify(&provider, &good.replace(from, to)), Err(E::Wrong), "{from} {to}");
    }
    let twice = good.replace("\"amount\":5.10", "\"amount\":5.10,\"amount\":9");
    assert_eq!(verify(&provider, &twice), Err(E::Malformed));
    let none = good.replace("\"sign\"", "\"sing\"");
    assert_eq!(verify(&provider, &none), Err(E::Missing));
    for wrong in ["", "zz", "0"] {
        assert_eq!(verify(&provider, &body("1", "paid", "5", "EUR", wrong)), Err(E::Malformed));
    }
    for wrong in ["", "{", "[]x", "\u{feff}{}"] {
        assert_eq!(verify(&provider, wrong), Err(E::Malformed), "{wrong}");
    }
}

#[test]
fn a_value_cannot_be_shifted_into_its_neighbour() {
    let provider = provider(CHOSEN);
    let shifted = chosen("1|paid", "x", "5", "EUR");
    assert_eq!(verify(&provider, &shifted), Err(E::Malformed));
    // The last one has no neighbour.
    assert_eq!(verify(&provider, &chosen("1", "paid", "5", "E|R")), Ok(Trust::Claims));
}

/// What decides and is not signed could be anything: the callback is then a reason to ask, no more.
#[test]
fn a_status_outside_of_what_is_signed_makes_it_a_hint() {
    for (without, signed) in [
        ("status", "{field:/id}|{field:/amount}|{field:/currency}"),
        ("amount", "{field:/id}|{field:/status}|{field:/currency}"),
        ("currency", "{field:/id}|{field:/status}|{field:/amount}"),
        ("id", "{field:/status}|{field:/amount}|{field:/currency}"),
        ("separators", "{field:/id}{field:/status}|{field:/amount}|{field:/currency}"),
        ("everything", "{method}"),
    ] {
        let (before, _) = CHOSEN.split_once("signed").unwrap();
        let provider = provider(&format!("{before}signed = \"{signed}\""));
        assert_eq!(provider.signature.trust(), Trust::Hint, "{without}");
        let text = signed
            .replace("{field:/id}", "1")
            .replace("{field:/status}", "paid")
            .replace("{field:/amount}", "5.10")
            .replace("{field:/currency}", "EUR")
            .replace("{method}", "POST");
        let good = body("1", "paid", "5.10", "EUR", &hex_hmac("hush", text));
        assert_eq!(verify(&provider, &good), Ok(Trust::Hint), "{without}");
        let wrong = body("1", "paid", "5.10", "EUR", &hex_hmac("hush", "x"));
        assert_eq!(verify(&provider, &wrong), Err(E::Wrong), "{without}");
    }
}

#[test]
fn the_time_decides_where_statuses_come_again() {
    let load = |edges: &str| {
        let definition = definition(CHOSEN)
            .replace("status = \"/status\"", "status = \"/status\"\ntime = \"/at\"")
            .replace("edges = [\"paid\"]", edges);
        Provider::load("simple.toml", &definition).unwrap_or_else(|m| panic!("{m}"))
    };
    let again =
        "rank = 1\nedges = [\"paid\", \"retry\"]\n[status.retry]\nrank = 2\nedges = [\"pending\"]";
    assert_eq!(load("edges = [\"paid\"]").signature.trust(), Trust::Claims);
    assert_eq!(load(again).signature.trust(), Trust::Hint);
}

/// A part of the body, signed as it is written: blanks, order and all.
#[test]
fn an_object_is_signed_byte_by_byte() {
    let signature = "scheme = \"hmac\"\nhash = \"sha256\"\nat = \"/sign\"\nencoding = \"hex\"\nsigned = \"{field:/data}\"";
    let definition = definition(signature);
    let outside = Provider::load("simple.toml", &definition).unwrap();
    assert_eq!(outside.signature.trust(), Trust::Hint, "the places are beside what is signed");
    let inside = definition
        .replace("[callback.signature]", "[callback]\nat = \"/data\"\n[callback.signature]");
    let inside = Provider::load("simple.toml", &inside).unwrap();
    let data = r#"{ "id" : "1",  "status":"paid","amount":5.10 ,"currency":"EUR"}"#;
    let with = |data: &str, signed: &str| {
        format!(r#"{{"data": {data} , "sign":"{}"}}"#, hex_hmac("hush", signed))
    };
    assert_eq!(verify(&inside, &with(data, data)), Ok(Trust::Claims));
    assert_eq!(verify(&inside, &with(&data.replace("  ", " "), data)), Err(E::Wrong));
    assert_eq!(verify(&inside, &with(&data.replace("5.10", "6.10"), data)), Err(E::Wrong));
    let twice = data.replace("5.10", "5.10,\"amount\":9");
    assert_eq!(verify(&inside, &with(&twice, &twice)), Err(E::Malformed));
}

/// All fields, sorted by name; what many payment pages in Asia sign.
const SORTED: &str = r#"scheme = "hmac"
hash = "sha256"
at = "/sign"
encoding = "hex"
signed = "{sorted_fields}""#;

#[test]
fn sorted_fields_of_json_are_its_texts_numbers_and_booleans() {
    let provider = provider(&format!("{SORTED}\nsorted_fields = {{ without = [\"sign_type\"] }}"));
    assert_eq!(provider.signature.trust(), Trust::Claims);
    let signature = hex_hmac("hush", "amount=5.10&currency=EUR&id=1&live=true&status=paid");
    let good = format!(
        r#"{{"status":"paid","sign":"{signature}","live":true,"id":"1","x":null,"y":"","deep":{{"a":1}},"sign_type":"z","currency":"EUR","amount":5.10}}"#
    );
    assert_eq!(verify(&provider, &good), Ok(Trust::Claims));
    for (from, to) in
        [("paid", "pend"), ("5.10", "5.1"), ("\"y\":\"\"", "\"y\":\"1\""), ("\"id\"", "\"ie\"")]
    {
        assert_eq!(verify(&provider, &good.replace(from, to)), Err(E::Wrong), "{from} {to}");
    }
    let twice = good.replace("{\"status\"", "{\"amount\":1,\"status\"");
    assert_eq!(verify(&provider, &twice), Err(E::Malformed));
    assert_eq!(verify(&provider, "[1]"), Err(E::Missing));
}

#[test]
fn a_value_cannot_pass_for_the_fields_after_it() {
    let provider = provider(SORTED);
    let signature = hex_hmac("hush", "amount=5&currency=EUR&id=1&status=paid");
    let with = |fields: &str| verify(&provider, &format!(r#"{{{fields},"sign":"{signature}"}}"#));
    let good = r#""id":"1","status":"paid","amount":5,"currency":"EUR""#;
    assert_eq!(with(good), Ok(Trust::Claims));
    assert_eq!(with(r#""amount":"5&currency=EUR&id=1","status":"paid""#), Err(E::Malformed));
    assert_eq!(with(r#""amount=5&currency":"EUR","id":"1","status":"paid""#), Err(E::Malformed));
}

#[test]
fn values_without_names_say_nothing_about_which_is_which() {
    for loose in ["names = false, join = \":\"", "join = \"\"", "pair = \"\""] {
        let provider = provider(&format!("{SORTED}\nsorted_fields = {{ {loose} }}"));
        assert_eq!(provider.signature.trust(), Trust::Hint, "{loose}");
    }
    let provider = provider(&format!(
        "{SORTED}\nsorted_fields = {{ names = false, join = \":\", skip_empty = false }}"
    ));
    let good = body("1", "paid", "5.10", "EUR", &hex_hmac("hush", "5.10:EUR::1:paid"));
    let good = good.replace("{\"id\"", "{\"empty\":\"\",\"id\"");
    assert_eq!(verify(&provider, &good), Ok(Trust::Hint));
}

#[test]
fn a_form_is_read_as_a_form_because_the_definition_says_so() {
    let form = |signature: &str| {
        let definition = definition(signature)
            .replace("[callback.signature]", "[callback]\nformat = \"form\"\n[callback.signature]");
        Provider::load("simple.toml", &definition).unwrap_or_else(|m| panic!("{m}"))
    };
    let sorted = form(SORTED);
    let signature = hex_hmac("hush", "amount=5.10&currency=EUR&id=a b/ü&status=paid");
    let good =
        format!("status=paid&amount=5.10&id=a+b%2F%C3%BC&currency=EUR&note=&sign={signature}");
    assert_eq!(verify(&sorted, &good), Ok(Trust::Claims));
    assert_eq!(verify(&sorted, &good.replace("5.10", "6.10")), Err(E::Wrong));
    assert_eq!(verify(&sorted, &format!("amount=9&{good}")), Err(E::Repeated));
    assert_eq!(verify(&sorted, &format!("sign=&{good}")), Err(E::Repeated));
    assert_eq!(verify(&sorted, &good.replace("%BC", "%FF")), Err(E::Malformed));
    let chosen = form(CHOSEN);
    let signature = hex_hmac("hush", "1|paid|5.10|EUR");
    let good = format!("id=1&status=paid&amount=5.10&currency=EUR&sign={signature}");
    assert_eq!(verify(&chosen, &good), Ok(Trust::Claims));
    // The same fields inside of a JSON text do not make it JSON.
    let dressed = format!(r#"{{"id":"1","amount":900,"x":"&{good}&"}}"#);
    assert_eq!(verify(&provider(CHOSEN), &dressed), Err(E::Missing));
}

#[test]
fn a_time_in_the_body_is_signed_with_it() {
    let provider = provider(
        "scheme = \"hmac\"\nhash = \"sha256\"\nheader = \"X-Signature\"\nencoding = \"hex\"\ntimestamp = { at = \"/ts\" }",
    );
    let body = |ts: &str| format!(r#"{{"ts":{ts},"id":"1","status":"paid"}}"#);
    let with = |body: &str, at: i64| {
        sent(body)
            .with("x-signature", hex_hmac("hush", body))
            .at(at)
            .verify(&provider, &[secret("hush")])
    };
    for ts in ["1764500000", "\"1764500000\""] {
        assert_eq!(with(&body(ts), 1_764_500_300), Ok(Trust::Claims), "{ts}");
        assert_eq!(with(&body(ts), 1_764_500_301), Err(E::OutOfTime), "{ts}");
    }
    assert_eq!(with(&body("[1]"), 1_764_500_000), Err(E::Malformed));
    assert_eq!(with(&body("null"), 1_764_500_000), Err(E::Incomplete));
}
