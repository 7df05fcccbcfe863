//! FlyPay on the wire: callbacks, questions, answers, signatures.

use std::collections::{BTreeMap, BTreeSet};

use pawl::order::decide::{Seen, Verdict, decide};
use pawl::order::joined::Order;
use pawl::order::name::{Kind, OrderId, Role};
use pawl::order::report::{Content, Origin, Report, Said};
use pawl::order::rules::Policy;
use pawl::provider::Unreadable;
use pawl::provider::headers::Headers;
use pawl::provider::request::{Asker, Credentials, Method, QuestionError};
use pawl::provider::secret::Secret;
use pawl::provider::signature::SignatureError;

use super::flypay;
use crate::order::at;

const UUID: &str = "b6d7c0a4-2f0d-4b7e-9a43-0b6f5c1a7710";

fn callback(more: &str) -> String {
    format!(
        r#"{{"order_uuid":"{UUID}","order_type":"withdraw","user_order_id":"wd-5540","currency_to":"usdt",
        "status":"completed","finalized_at":"2025-11-20 09:03:12","amount_to":"150.00"{more}}}"#
    )
}

fn read(body: &str) -> Result<Report, Unreadable> {
    flypay()
        .read_callback(&Headers::default(), body.as_bytes(), at(0))
        .map(|mut reports| reports.remove(0))
}

fn said(report: &Report) -> &Said {
    let Content::Said(said) = &report.content else { panic!("{:?}", report.content) };
    said
}

fn credentials() -> Credentials {
    let secret = |text: &str| Secret::new(text).unwrap();
    BTreeMap::from([
        ("api_key".to_owned(), secret("public-key")),
        ("secret".to_owned(), secret("fp_secret_demo")),
    ])
}

fn names(ids: &[(&str, Role)]) -> BTreeMap<OrderId, Role> {
    ids.iter().map(|(id, role)| (OrderId::new(*id).unwrap(), *role)).collect()
}

#[test]
fn the_samples_of_the_definition_hold() {
    let provider = flypay();
    assert!(!provider.samples.is_empty());
    for sample in &provider.samples {
        sample.check(&provider, at(0)).unwrap();
    }
}

#[test]
fn a_callback_is_read_whole() {
    let report =
        read(&callback(r#","amount_to_fee":1.00,"expected_amount_to":"150","extra":[{}]"#))
            .unwrap();
    let ids = names(&[("wd-5540", Role::Merchant), (UUID, Role::Provider)]);
    assert_eq!((report.origin, &report.names), (Origin::Callback, &ids));
    let said = said(&report);
    assert_eq!(said.kind, Some(Kind::new("withdraw")));
    assert_eq!(said.time.unwrap().to_string(), "2025-11-20T09:03:12.000000Z");
    let amounts: Vec<_> = said.amounts.iter().map(|(name, a)| format!("{name} {a}")).collect();
    assert_eq!(amounts, ["amount_to 150", "amount_to_fee 1", "expected_amount_to 150"]);
}

#[test]
fn the_same_news_has_one_event_id_and_other_news_another() {
    let id = |body: &str| read(body).unwrap().event_id;
    let first = id(&callback(""));
    // Another way to write the same amount, other fields, other white space: the same news.
    assert_eq!(first, id(&callback(r#", "error_code":0, "wallet_to":"x""#)));
    assert_eq!(first, id(&callback("").replace("150.00", "150.0")));
    assert_eq!(first, id(&callback("").replace("completed", "COMPLETED")));
    for (from, to) in [
        ("150.00", "150.01"),
        ("\"completed\"", "\"completed_partially\""),
        ("09:03:12", "09:03:13"),
        ("usdt", "usdc"),
    ] {
        assert_ne!(first, id(&callback("").replace(from, to)), "{to}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let error = |body: &str| read(body).expect_err(body).to_string();
    let with = |from: &str, to: &str| error(&callback("").replace(from, to));
    let errors = [
        error("not json"),
        error("[]"),
        error("{}"),
        error(r#"{"status":"new"}"#),
        with("\"completed\"", "null"),
        with("\"completed\"", "[\"completed\",\"new\"]"),
        with(&format!("\"{UUID}\""), "{}"),
        with("\"wd-5540\"", "\"  \""),
        with("wd-5540", &"x".repeat(256)),
        with("wd-5540", "\\u0000"),
        with("\"150.00\"", "true"),
        with("150.00", "-1"),
        with("150.00", "1e400"),
        with("150.00", "12345678901234567890123456789"),
        with("150.00", ""),
        with("usdt", "US DT"),
        error(&callback(r#","amount_to":"2""#)),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn ids_are_data_whatever_is_in_them() {
    for id in ["a\\r\\nb", "\\u001b[31m", "a/b%2f..", "\\u200b\\u00e9", "ÅÅ"] {
        let report = read(&callback("").replace("wd-5540", id)).unwrap();
        assert_eq!(report.names.len(), 2, "{id}");
    }
}

#[test]
fn an_answer_never_passes_as_a_callback() {
    let envelope = format!(r#"{{"status":"success","data":{}}}"#, callback(""));
    assert!(matches!(read(&envelope), Err(Unreadable::Missing { what: "order id", .. })));
}

fn asker(credentials: &Credentials) -> Asker<'_> {
    Asker {
        credentials,
        token: None,
        uuid: uuid::Uuid::nil(),
        now: at(0),
        base_url: "https://fly.example/api",
    }
}

#[test]
fn the_question_is_signed_over_its_exact_body() {
    let provider = flypay();
    let ask = provider.ask.as_ref().unwrap();
    let known = names(&[("ord-1001", Role::Merchant)]);
    let question = ask.question(&provider.auth, &asker(&credentials()), &known).unwrap();
    assert_eq!((question.method, question.path.as_str()), (Method::Post, "/v2/order/status"));
    assert_eq!(question.body, br#"{"order_id":"ord-1001"}"#);
    let headers: Vec<_> = question.headers.iter().collect();
    assert_eq!(
        headers,
        [
            ("api-key", "public-key"),
            ("signature", "0353dd32a89cd0f6c79662153acca70e11cbd3c58314d39c4677ec8ea6598597"),
            ("accept", "application/json"),
            ("content-type", "application/json"),
        ]
    );
    assert!(!format!("{question:?}").contains("public-key"), "credentials are not shown");
    assert!(!format!("{:?}", question.headers).contains("public-key"), "nor by the headers alone");
    assert!(format!("{:?}", question.headers).contains("api-key"), "their names are");
    assert!(!format!("{:?}", provider.auth).contains("Template"), "{:?}", provider.auth);
    // The provider's own id is the surer one.
    let both = names(&[("ord-1001", Role::Merchant), (UUID, Role::Provider)]);
    let question = ask.question(&provider.auth, &asker(&credentials()), &both).unwrap();
    assert_eq!(question.body, format!(r#"{{"order_uuid":"{UUID}"}}"#).as_bytes());
    // An id is a value, and cannot become a field.
    let odd = names(&[(r#"x","admin":"1"#, Role::Merchant)]);
    let question = ask.question(&provider.auth, &asker(&credentials()), &odd).unwrap();
    assert_eq!(question.body, br#"{"order_id":"x\",\"admin\":\"1"}"#);
}

#[test]
fn without_an_id_or_a_credential_there_is_no_question() {
    let provider = flypay();
    let ask = provider.ask.as_ref().unwrap();
    let error = |names: &BTreeMap<OrderId, Role>, credentials: &Credentials| {
        ask.question(&provider.auth, &asker(credentials), names).expect_err("no question")
    };
    let nameless = names(&[("x", Role::Other)]);
    assert_eq!(error(&nameless, &credentials()), QuestionError::NoId);
    let named = names(&[("x", Role::Merchant)]);
    let missing = QuestionError::NoCredential("api_key".to_owned());
    assert_eq!(error(&named, &Credentials::new()), missing);
    assert_eq!(provider.credentials().into_iter().collect::<Vec<_>>(), ["api_key", "secret"]);
}

#[test]
fn an_answer_must_be_signed_and_be_about_the_order_that_was_asked_about() {
    let provider = flypay();
    let ask = provider.ask.as_ref().unwrap();
    let asked = |id: &str| BTreeSet::from([OrderId::new(id).unwrap()]);
    let body = format!(r#"{{"status":"success","data":{}}}"#, callback(""));
    let (_, signature) = ask.envelope.signature.as_ref().unwrap();
    let signed = signature.sign(body.as_bytes(), &Secret::new("fp_secret_demo").unwrap()).unwrap();
    let headers = [("signature", signed)].into_iter().collect();
    assert_eq!(ask.envelope.verify(&headers, body.as_bytes(), &credentials()), Ok(()));
    let forged = body.replace("150.00", "151.00");
    let wrong = ask.envelope.verify(&headers, forged.as_bytes(), &credentials());
    assert_eq!(wrong, Err(SignatureError::Wrong));
    let missing =
        ask.envelope.verify(&[("x", "y")].into_iter().collect(), body.as_bytes(), &credentials());
    assert_eq!(missing, Err(SignatureError::Missing));

    let read = |body: &str, id| provider.read_answer(ask, &asked(id), body.as_bytes(), None, at(0));
    assert_eq!(read(&body, UUID).unwrap().origin, Origin::Answer);
    assert_eq!(read(&body, "wd-9"), Err(Unreadable::OtherOrder));
    let refused = body.replace("\"success\"", "\"error\"");
    assert!(matches!(read(&refused, UUID), Err(Unreadable::NotOk { .. })));
    assert!(matches!(read("{}", UUID), Err(Unreadable::NotOk { .. })));
}

#[test]
fn an_answer_without_a_time_takes_the_time_at_which_it_was_given() {
    let provider = flypay();
    let ask = provider.ask.as_ref().unwrap();
    let asked = BTreeSet::from([OrderId::new("wd-5540").unwrap()]);
    let timeless = callback("").replace("\"2025-11-20 09:03:12\"", "null");
    let body = format!(r#"{{"status":"success","data":{timeless}}}"#);
    let report = provider.read_answer(ask, &asked, body.as_bytes(), Some(at(-1)), at(0)).unwrap();
    assert_eq!(said(&report).time, Some(at(-1)));
    assert_eq!(said(&read(&timeless).unwrap()).time, None);
}

#[test]
fn a_source_chooses_how_a_deposit_and_a_withdrawal_are_booked() {
    let provider = flypay();
    let deposit = callback(r#","amount_from":"29","amount_from_fee":"0.5","currency_from":"usdt""#)
        .replace("\"withdraw\"", "\"deposit\"");
    let issued = |mode: &str| {
        let books = BTreeMap::from([(Kind::new("deposit"), mode.to_owned())]);
        let rules = provider.rules(&books, Policy::default()).unwrap();
        let decision = decide(&rules, &Order::default(), &read(&deposit).unwrap(), Seen::New);
        assert_eq!(decision.verdict, Verdict::Applied);
        decision.effects.iter().map(|e| e.amount().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(issued("net"), ["28.5"]);
    assert_eq!(issued("gross"), ["29"]);
    assert!(issued("none").is_empty());
    for (kind, mode) in [("deposit", "hold"), ("payout", "hold")] {
        let books = BTreeMap::from([(Kind::new(kind), mode.to_owned())]);
        assert!(provider.rules(&books, Policy::default()).is_err(), "{kind} {mode}");
    }
}

#[test]
fn a_kind_that_the_definition_does_not_know_moves_no_money() {
    let provider = flypay();
    let rules = provider.rules(&BTreeMap::new(), Policy::default()).unwrap();
    let swap = read(&callback("").replace("\"withdraw\"", "\"swap\"")).unwrap();
    let decision = decide(&rules, &Order::default(), &swap, Seen::New);
    assert_eq!(decision.verdict, Verdict::Mismatch);
    assert!(decision.effects.is_empty());
    // A kind is spelled as freely as a status.
    let spelled = read(&callback("").replace("\"withdraw\"", "\" Withdraw\"")).unwrap();
    assert_eq!(said(&spelled).kind, Some(Kind::new("withdraw")));
    // Until something says what kind it is, nothing moves either; then everything does.
    let unkind = read(&callback("").replace("\"withdraw\"", "null")).unwrap();
    let early = decide(&rules, &Order::default(), &unkind, Seen::New);
    assert_eq!(early.verdict, Verdict::Early);
    let known = decide(&rules, &early.order, &read(&callback("")).unwrap(), Seen::New);
    assert_eq!(known.effects.len(), 1);
}
