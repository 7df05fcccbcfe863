//! Definitions: what is wrong with one is said with its place and what to write.

use pawl::provider::Provider;

pub(crate) const GOOD: &str = r#"name = "simple"
title = "Simple"

[callback.signature]
scheme = "hmac"
hash = "sha256"
header = "X-Signature"
encoding = "hex"
prefix = "sha256="

[event]
order_id = "/id"
event_id = "/event"
status = "/status"
time = "/at"
currency = "/currency"

[status.pending]
edges = ["paid", "failed"]
[status.paid]
final = true
outcome = "succeeded"
[status.failed]
final = true
outcome = "failed"

[kind.payment]
judged = "amount"
[[kind.payment.money]]
at = ["paid"]
to.credited = "amount"

[ask]
method = "GET"
path = "/payments/{order_id}"
answer = {}

[auth]
headers = { Authorization = "Bearer {token}" }

[[sample]]
name = "paid"
body = '{"id": "1", "event": "e", "status": "paid", "amount": 5.10, "currency": "EUR"}'
status = "paid"
effects = ["to.credited 5.1 EUR"]
"#;

#[test]
fn forty_lines_make_a_provider() {
    let provider =
        Provider::load("simple.toml", GOOD).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    for sample in &provider.samples {
        sample.check(&provider, crate::order::at(0)).unwrap();
    }
}

/// One mistake at a time, made by replacing a text of the good definition.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("a key that is misspelt", "title =", "tittle ="),
    ("a key that is missing", "title = \"Simple\"\n", ""),
    ("not TOML", "name = \"simple\"", "name = simple"),
    ("a name that is none", "\"simple\"", "\"Simple!\""),
    ("a hash that does not exist", "\"sha256\"", "\"md5\""),
    ("a header that is none", "\"X-Signature\"", "\"X Signature\""),
    ("a pointer that is none", "\"/id\"", "\"id\""),
    ("an edge to nowhere", "[\"paid\", \"failed\"]", "[\"payd\", \"failed\"]"),
    ("a status that nothing leads to", "[\"paid\", \"failed\"]", "[\"paid\"]"),
    ("a final status without an outcome", "final = true\noutcome = \"succeeded\"", "final = true"),
    ("an outcome that does not exist", "\"succeeded\"", "\"won\""),
    ("a track that does not exist", "[status.pending]", "[status.pending]\ntrack = \"refund\""),
    ("a status that is not in the form", "[status.pending]", "[status.\"Pending Now\"]"),
    (
        "a callback for no status",
        "[callback.signature]",
        "[callback]\nstatuses = [\"payed\"]\n[callback.signature]",
    ),
    ("two statuses of one spelling", "[status.failed]", "[status.failed]\naliases = [\"Paid\"]"),
    ("implying on the payment track", "[status.failed]", "[status.failed]\nimplies = \"paid\""),
    ("being over on the payment track", "[status.failed]", "[status.failed]\nuntil = \"paid\""),
    (
        "a loop without ranks",
        "[status.failed]\nfinal = true\noutcome = \"failed\"",
        "[status.failed]\nedges = [\"pending\"]",
    ),
    ("money at no status", "at = [\"paid\"]", "at = [\"payed\"]"),
    ("a counter that does not exist", "to.credited", "to.credit"),
    ("an expression that is none", "\"amount\"\n\n[ask]", "\"amount -\"\n\n[ask]"),
    ("an absent part under a minus", "\"amount\"\n\n[ask]", "\"amount - fee?\"\n\n[ask]"),
    ("a number in a total", "\"amount\"\n\n[ask]", "\"amount - 1\"\n\n[ask]"),
    ("closing what cannot be closed", "to.credited = \"amount\"", "closes = [\"to.credited\"]"),
    (
        "money stated twice",
        "[ask]",
        "[[kind.payment.money]]\nat = [\"paid\"]\nto.debited = \"x\"\n\n[ask]",
    ),
    (
        "a member of a loop that closes alone",
        "[status.failed]\nfinal = true\noutcome = \"failed\"",
        "[status.failed]\nrank = 1\nedges = [\"pending\"]\n[[kind.payment.money]]\nat = [\"failed\"]\n\
         closes = [\"to.released\"]",
    ),
    ("books without money", "judged = \"amount\"", "judged = \"amount\"\nbooks = \"hold\""),
    ("modes without a default", "at = [\"paid\"]", "at = [\"paid\"]\nbooks = \"hold\""),
    (
        "both counters of a pair level",
        "judged = \"amount\"",
        "level = [\"credited\", \"credit_reversed\"]",
    ),
    (
        "an amount that no kind reads",
        "[status.pending]",
        "[event.amounts]\nfee = \"/fee\"\n\n[status.pending]",
    ),
    ("a place that is not known", "{order_id}", "{orderid}"),
    ("a stray brace", "{order_id}", "{order_id"),
    ("a path that is none", "\"/payments", "\"payments"),
    ("no currency", "currency = \"/currency\"\n", ""),
    ("no order id", "order_id = \"/id\"\n", ""),
    ("several kinds, none told", "[ask]", "[kind.payout]\n\n[ask]"),
    ("no place in a list", "order_id = \"/id\"", "order_id = []"),
    ("money at an empty list", "at = [\"paid\"]", "at = []"),
    (
        "a requirement that is no counter",
        "to.credited = ",
        "requires = [\"to.heId\"]\nto.credited = ",
    ),
    ("money on a leg without a currency", "to.credited = ", "from.credited = "),
    (
        "closing on a leg without a currency",
        "to.credited = \"amount\"",
        "closes = [\"from.released\"]",
    ),
    ("kinds of one word", "[ask]", "[kind.payout]\nis = [\"PAYMENT\"]\n\n[ask]"),
    ("a judgement without words", "to.credited = \"amount\"", "judgement_if = \"amount\""),
];

/// The same for what callbacks and events may say beyond the good definition: what is added to `[callback]` and
/// to `[event]`.
const ADDED: &[(&str, &str, &str)] = &[
    ("a format that does not exist", "format = 'xml'", ""),
    ("a media type that is none", "content_types = ['json']", ""),
    ("a list at no pointer", "items = 'events'", ""),
    ("a reply that accepts nothing", "reply = { status = 500 }", ""),
    ("a reply without room for its body", "reply = { status = 204, body = 'ok' }", ""),
    ("a reply of no media type", "reply = { content_type = \"text\\nplain\" }", ""),
    ("a challenge nowhere", "challenge = {}", ""),
    ("a challenge in two places", "challenge = { query = 'c', at = '/c' }", ""),
    ("a challenge whose token is signed anyway", "challenge = { at = '/c', token = 't' }", ""),
    (
        "a challenge without a body that says something",
        "challenge = { query = 'c', when = { at = '/t', is = 'x' } }",
        "",
    ),
    ("callbacks that say nothing", "only = { at = '/type', is = [] }", ""),
    ("a header that is none", "event = { event_id_header = 'event id' }", ""),
    ("names without a place", "", "names = { 'order.paid' = 'paid' }"),
    ("a name for no status", "", "name = '/name'\nnames = { 'order.paid' = 'payed' }"),
    (
        "names that are the same",
        "",
        "name = '/name'\nnames = { 'order.paid' = 'paid', 'Order. Paid' = 'paid' }",
    ),
    ("a time format that does not exist", "", "time_format = 'date'"),
    ("a zone that is none", "", "time_format = 'date_time'\ntime_zone = 'Europe/Kyiv'"),
    ("a zone that nothing needs", "", "time_zone = '+02:00'"),
    ("exponents without minor units", "", "exponents = { USDT = 6 }"),
    ("an exponent of no currency", "", "minor_units = true\nexponents = { 'US Dollar' = 2 }"),
    ("an exponent that is too large", "", "minor_units = true\nexponents = { USDT = 60 }"),
];

#[test]
fn every_mistake_is_placed_and_explained() {
    let mut text = String::new();
    for (what, from, to) in MISTAKES {
        assert!(GOOD.contains(from), "{what}: {from}");
        let wrong = GOOD.replacen(from, to, 1);
        let mistakes = Provider::load("simple.toml", &wrong).expect_err(what);
        text.push_str(&format!("# {what}\n{mistakes}\n\n"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_mistake_in_what_is_added_is_placed_and_explained() {
    let mut text = String::new();
    for (what, callback, event) in ADDED {
        let wrong = GOOD
            .replacen(
                "[callback.signature]",
                &format!("[callback]\n{callback}\n[callback.signature]"),
                1,
            )
            .replacen("[event]\n", &format!("[event]\n{event}\n"), 1);
        let mistakes = Provider::load("simple.toml", &wrong).expect_err(what);
        text.push_str(&format!("# {what}\n{mistakes}\n\n"));
    }
    // Two legs leave it open which currency tells the digits of an amount.
    let wrong = GOOD.replacen(
        "currency = \"/currency\"",
        "currency = { from = \"/a\", to = \"/b\" }\nminor_units = true",
        1,
    );
    let mistakes = Provider::load("simple.toml", &wrong).expect_err("two legs");
    text.push_str(&format!("# minor units of two legs\n{mistakes}\n"));
    insta::assert_snapshot!(text);
}

/// What the ledger of an order of operations adds to the good definition.
const LEDGER: &str = r#"
[kind.credit]
judged = "held"
[[kind.credit.operation]]
name = "AUTHORISE"
to.held = "amount"
[[kind.credit.operation]]
name = "RELEASE"
to.released = "amount"
[[kind.credit.status]]
is = "failed"
when = ["held > 0", "held - released <= 0"]
"#;

#[test]
fn every_mistake_in_a_ledger_is_placed_and_explained() {
    let event =
        "[event]\nkind = \"/kind\"\noperation = \"/operation\"\noperation_id = \"/operation_id\"";
    let good = GOOD.replace("[event]", event) + LEDGER;
    Provider::load("ledger.toml", &good).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let closes = "[[kind.credit.money]]\nat = [\"failed\"]\ncloses = [\"to.released\"]\n";
    let mistakes = [
        (
            "closing where the counters say the status",
            "[kind.credit]\n",
            format!("{closes}[kind.credit]\n"),
        ),
        ("judging what is no counter", "judged = \"held\"", "judged = \"hled\"".to_owned()),
        ("two operations of one name", "\"RELEASE\"", "\"AUTHORISE\"".to_owned()),
        ("an operation that adds nothing", "to.released = \"amount\"\n", String::new()),
        (
            "an operation that adds something, and moves nothing",
            "to.released = \"amount\"\n",
            "to.released = \"amount\"\nmoves = false\n".to_owned(),
        ),
        (
            "what is left of what nothing adds to",
            "judged = \"held\"",
            "judged = \"held\"\nremainder = { said = \"left\", of = \"credited\", less = \"hled\" }".to_owned(),
        ),
        (
            "an operation that two kinds tell by different things",
            "[kind.credit]\n",
            "[[kind.debit.operation]]\nname = \"RELEASE\"\nid = \"/release\"\nto.held = \"amount\"\n[kind.credit]\n".to_owned(),
        ),
        ("no ids", "operation_id = \"/operation_id\"\n", String::new()),
        (
            "a currency that is said and is the source's",
            "operation = \"/operation\"\n",
            "operation = \"/operation\"\ncurrency_from_source = true\n".to_owned(),
        ),
    ];
    // Each operation may say itself where its id is.
    let own = good.replacen("operation_id = \"/operation_id\"\n", "", 1);
    let own = own.replace("name = \"RELEASE\"", "name = \"RELEASE\"\nid = \"/release\"");
    let own = own.replace("name = \"AUTHORISE\"", "name = \"AUTHORISE\"\nid = \"/hold\"");
    Provider::load("ledger.toml", &own).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut text = String::new();
    for (what, from, to) in mistakes {
        let wrong = good.replacen(from, &to, 1);
        assert_ne!(wrong, good, "{what}");
        let mistakes = Provider::load("ledger.toml", &wrong).expect_err(what);
        text.push_str(&format!("# {what}\n{mistakes}\n\n"));
    }
    insta::assert_snapshot!(text);
}

/// What else a definition may say about asking.
const ASKING: &str = r#"
[auth]
basic = { user = "{login}", password = "{password}" }
headers = { Idempotency-Key = "{uuid}" }
client_certificate = true

[auth.login]
method = "POST"
path = "/login"
body = { login = "{login}", password = "{password}", scopes = ["orders", 1, true, 0.5] }
token = "/token"
expires = { at = "/expires_in", format = "seconds" }
life_secs = 900
send = { X-Token = "{token}" }

[ask]
method = "POST"
path = "/payments?x={order_id}"
body = [{ id = "{order_id:number}" }, { name = "{order_id}" }]
answer = { at = "/list/0" }

[[ask.error]]
status = [400, 422]
at = "/code"
is = "E_UNKNOWN"
means = "not_found"

[ask.batch]
method = "POST"
path = "/payments/list"
body = { filter = { ids = "{order_ids:number}" } }
max = 25
items = "/list"
missing = "not_found"
"#;

/// What a definition may say about its feed.
const FEED: &str = r#"
[feed]
method = "POST"
path = "/feed?since={cursor}"
body = { from = "{from:number}", until = "{until}" }
items = "/items"
ok = { at = "/ok", is = "yes" }
every_secs = 60
overlap_secs = 300
pages_max = 20
cursor = { next = "/next", first = "0" }
window = { format = "epoch_seconds", first_secs = 3600 }
event = { status = "/state" }

[[feed.error]]
status = 400
means = "throttled"

[[sample]]
name = "an item"
feed = true
body = '{"id": "1", "event": "e", "state": "paid", "amount": 5.10, "currency": "EUR"}'
status = "paid"
effects = ["to.credited 5.1 EUR"]
"#;

const FEED_MISTAKES: &[(&str, &str, &str)] = &[
    ("two ways to the next page", "window =", "page = { first = 1 }\nwindow ="),
    ("a cursor that is not sent back", "?since={cursor}", ""),
    ("a window that is not asked for", "until = \"{until}\"", "until = \"now\""),
    ("a place of another way", "?since={cursor}", "?since={cursor}&page={page}"),
    ("no way and a place", "cursor = { next = \"/next\", first = \"0\" }\nwindow =", "# window ="),
    ("a place without a way", "window = { format = \"epoch_seconds\", first_secs = 3600 }\n", ""),
    ("a cursor in the path that may be missing", "/feed?since={cursor}\"", "/feed/{cursor}\""),
    ("a pause of nothing", "every_secs = 60", "every_secs = 0"),
    ("no page at all", "pages_max = 20", "pages_max = 0"),
    ("a pointer that is none", "next = \"/next\"", "next = \"next\""),
    ("a time that is written in no way", "\"epoch_seconds\"", "\"unix\""),
    ("a key of another table", "first_secs = 3600", "back_secs = 3600"),
];

#[test]
fn every_mistake_in_a_feed_is_placed_and_explained() {
    let good = format!("{GOOD}{FEED}");
    let provider = Provider::load("feed.toml", &good).unwrap_or_else(|m| panic!("{m}"));
    for sample in &provider.samples {
        sample.check(&provider, crate::order::at(0)).unwrap();
    }
    let mut text = String::new();
    for (what, from, to) in FEED_MISTAKES {
        assert!(good.contains(from), "{what}: {from}");
        let mut wrong = good.replacen(from, to, 1);
        if wrong.contains("/feed/{cursor}") {
            wrong = wrong.replace(", first = \"0\"", "");
        }
        let mistakes = Provider::load("feed.toml", &wrong).expect_err(what);
        text.push_str(&format!("# {what}\n{mistakes}\n\n"));
    }
    insta::assert_snapshot!(text);
}

const ASKING_MISTAKES: &[(&str, &str, &str)] = &[
    (
        "a body that is a text",
        "body = [{ id = \"{order_id:number}\" }, { name",
        "body = \"x\" # { name",
    ),
    ("a body with GET", "\"POST\"\npath = \"/payments?", "\"GET\"\npath = \"/payments?"),
    ("a place of another request", "?x={order_id}", "?x={order_ids}"),
    ("a place that is not known in a body", "\"{order_id}\" }]", "\"{token}\" }]"),
    ("a time in a body", "name = \"{order_id}\"", "name = 2025-11-20"),
    ("a list that is not alone", "ids = \"{order_ids:number}\"", "ids = \"x-{order_ids}\""),
    ("a list in a path", "\"/payments/list\"", "\"/payments/{order_ids}\""),
    ("a batch without a list", "ids = \"{order_ids:number}\"", "ids = 1"),
    ("a batch of two lists", "filter = {", "other = \"{provider_ids}\", filter = {"),
    ("a place of one order in a batch", "filter = {", "other = \"{order_id}\", filter = {"),
    ("a batch of one", "max = 25", "max = 1"),
    ("a form that nests", "path = \"/login\"", "path = \"/login\"\nformat = \"form\""),
    ("a status that is none", "[400, 422]", "[40, 422]"),
    ("a status that is a text", "[400, 422]", "\"400\""),
    ("an error without a text", "is = \"E_UNKNOWN\"\n", ""),
    ("an error without a place", "at = \"/code\"\n", ""),
    ("every success an error", "[400, 422]\nat = \"/code\"\nis = \"E_UNKNOWN\"", "200"),
    ("a meaning that is none", "means = \"not_found\"", "means = \"unknown\""),
    ("what is missing means nothing", "missing = \"not_found\"", "missing = \"paid\""),
    (
        "Basic beside the header that it is",
        "{ Idempotency-Key",
        "{ Authorization = \"x\", Idempotency-Key",
    ),
    ("a token that is sent nowhere", "{ X-Token = \"{token}\" }", "{}"),
    ("a place beside the token", "\"{token}\"", "\"{login}\""),
    ("a header of two lines", "\"{token}\"", "\"{token}\\n\""),
    ("a token's life without an end", "life_secs = 900", "life_secs = 0"),
    ("an expiry that is none", "format = \"seconds\"", "format = \"minutes\""),
    ("a login without a token", "token = \"/token\"\n", ""),
];

#[test]
fn every_mistake_in_asking_is_placed_and_explained() {
    let (start, rest) = GOOD.split_once("[ask]").unwrap();
    let (_, samples) = rest.split_once("[[sample]]").unwrap();
    let good = format!("{start}{ASKING}\n[[sample]]{samples}");
    let provider = Provider::load("asking.toml", &good).unwrap_or_else(|m| panic!("{m}"));
    let credentials: Vec<&str> = provider.credentials().into_iter().collect();
    assert_eq!(credentials, ["client_certificate", "client_key", "login", "password"]);
    let mut text = String::new();
    for (what, from, to) in ASKING_MISTAKES {
        assert!(good.contains(from), "{what}: {from}");
        let wrong = good.replacen(from, to, 1);
        let mistakes = Provider::load("asking.toml", &wrong).expect_err(what);
        text.push_str(&format!("# {what}\n{mistakes}\n\n"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn all_mistakes_are_found_at_once() {
    let wrong = GOOD
        .replace("\"/id\"", "\"id\"")
        .replace("to.credited", "to.credit")
        .replace("{order_id}", "{orderid}");
    let mistakes = Provider::load("simple.toml", &wrong).expect_err("three mistakes").to_string();
    assert_eq!(mistakes.lines().count(), 3, "{mistakes}");
}

/// Each level is read on the stack, and a stack that is used up ends the process.
#[test]
fn parentheses_that_nest_without_end_are_a_mistake() {
    let nested = |depth| format!("\"{}amount{}\"", "(".repeat(depth), ")".repeat(depth));
    let load = |depth| Provider::load("simple.toml", &GOOD.replace("\"amount\"", &nested(depth)));
    assert!(load(32).is_ok());
    let mistakes = load(100_000).expect_err("it is too deep").to_string();
    assert!(mistakes.contains("nest too deep"), "it says nothing of it");
}

#[test]
fn a_sample_that_comes_to_something_else_says_to_what() {
    let fault = |from: &str, to: &str| {
        let provider = Provider::load("simple.toml", &GOOD.replace(from, to)).unwrap();
        provider.samples[0].check(&provider, crate::order::at(0)).expect_err(to).to_string()
    };
    insta::assert_snapshot!(
        [
            fault("status = \"paid\"\neffects", "status = \"failed\"\neffects"),
            fault("5.1 EUR", "5.2 EUR"),
            fault("\"amount\": 5.10, ", ""),
            fault("\"id\": \"1\", ", ""),
            fault("\"currency\": \"EUR\"", "\"currency\": \"\""),
        ]
        .join("\n")
    );
}
