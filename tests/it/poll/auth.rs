//! How we prove who we are when we ask.

use super::desk::{Desk, Heard, Reply, payment, reply, start_at};
use crate::daemon::form::{Form, on_both_forms};

const ASK: &str = "
[ask]
method = \"GET\"
path = \"/orders/{order_id}?fields=all&of={order_id}\"
answer = {}
";

fn answer(heard: &Heard) -> Reply {
    let id = heard.path().trim_start_matches("/orders/");
    reply(200, payment(id, "paid"))
}

#[tokio::test]
async fn basic_and_an_idempotency_key_go_with_every_request() {
    let desk = Desk::start(answer).await;
    let auth = "[auth]\nbasic = { user = \"{login}\", password = \"{password}\" }\nheaders = { \
                Idempotency-Key = \"pawl-{uuid}\" }\n";
    let credentials =
        "credentials = { login = { env = \"SECRET\" }, password = { env = \"SECRET_2\" } }\n";
    let pawl = start_at(Form::Embedded, &desk, &format!("{ASK}{auth}"), credentials).await;
    pawl.register_payments(&["p-1".to_owned(), "p-2".to_owned()]).await;
    let mut keys = Vec::new();
    for id in ["p-1", "p-2"] {
        let order = pawl.ask_about(id).await;
        assert_eq!(order["asking"]["outcome"], "answered", "{order:#}");
        let heard = desk.heard(&format!("/orders/{id}")).remove(0);
        assert_eq!(heard.target, format!("/orders/{id}?fields=all&of={id}"));
        // fp_secret_demo:another
        assert_eq!(heard.header("authorization"), "Basic ZnBfc2VjcmV0X2RlbW86YW5vdGhlcg==");
        let key = heard.header("idempotency-key").strip_prefix("pawl-").unwrap();
        keys.push(key.parse::<uuid::Uuid>().unwrap());
    }
    assert_ne!(keys[0], keys[1], "each request has its own");
}

/// A login whose token is renewed a minute before its end.
const LOGIN: &str = "
[auth.login]
method = \"POST\"
path = \"/authorization\"
body = { login = \"{login}\", device = { name = \"pawl\", trusted = true } }
token = \"/authorizationToken/token\"
expires = { at = \"/authorizationToken/expiresIn\", format = \"seconds\" }
send = { Authorization = \"TOKEN {token}\" }
";

/// Nothing is due before the clock is put forward; then all is, at once.
const CREDENTIALS: &str = "credentials = { login = { env = \"SECRET_2\" } }\n\
                           [source.shop.ask]\nfirst_secs = 60\n";

/// Logs in, token by token; takes only the newest one, from `first` on.
fn log_in(desk: &Desk, heard: &Heard, first: usize) -> Reply {
    let logins = desk.heard("/authorization").len();
    if heard.path() == "/authorization" {
        return reply(
            200,
            format!(r#"{{"authorizationToken":{{"token":"t-{logins}","expiresIn":10000}}}}"#),
        );
    }
    let is_good = logins >= first && heard.header("authorization") == format!("TOKEN t-{logins}");
    if is_good { answer(heard) } else { reply(401, "") }
}

on_both_forms!(
    a_token_is_had_once_and_renewed_before_its_end,
    a_token_that_is_taken_back_brings_one_login_however_many_ask,
);

async fn a_token_is_had_once_and_renewed_before_its_end(form: Form) {
    let desk = Desk::start(answer).await;
    let own = desk.clone();
    desk.say(move |heard| log_in(&own, heard, 1));
    let pawl = start_at(form, &desk, &format!("{ASK}{LOGIN}"), CREDENTIALS).await;
    pawl.register_payments(&["p-1".to_owned(), "p-2".to_owned(), "p-3".to_owned()]).await;
    for id in ["p-1", "p-2"] {
        let order = pawl.ask_about(id).await;
        assert_eq!(order["asking"]["outcome"], "answered", "{order:#}");
    }
    let logins = desk.heard("/authorization");
    assert_eq!(logins.len(), 1, "one login for all");
    assert_eq!(logins[0].method, "POST");
    assert_eq!(logins[0].body, r#"{"device":{"name":"pawl","trusted":true},"login":"another"}"#);
    assert_eq!(logins[0].header("authorization"), "", "there is no token yet");
    pawl.clock.step_secs(100);
    pawl.wait_for_order("p-3", |order| order["final"] == true).await;
    assert_eq!(desk.heard("/authorization").len(), 1, "it is still good");
    pawl.clock.step_secs(9_900);
    pawl.register_payments(&["p-4".to_owned()]).await;
    pawl.ask_about("p-4").await;
    assert_eq!(desk.heard("/authorization").len(), 2, "another one before it ends");
    assert_eq!(desk.said("/orders/p-4", 401), 0, "it was not waited for until it had ended");
}

async fn a_token_that_is_taken_back_brings_one_login_however_many_ask(form: Form) {
    const MANY: usize = 30;
    let desk = Desk::start(answer).await;
    let own = desk.clone();
    desk.say(move |heard| log_in(&own, heard, 1));
    let definition = format!("{ASK}{LOGIN}").replace("/orders/{order_id}?", "/orders?");
    let of_query = |heard: &Heard| reply(200, payment(heard.query("of").unwrap(), "paid"));
    let own = desk.clone();
    desk.say(move |heard| match log_in(&own, heard, 1) {
        said if said.status == 200 && heard.path() == "/orders" => of_query(heard),
        said => said,
    });
    let pawl = start_at(form, &desk, &definition, CREDENTIALS).await;
    pawl.register_payments(&["p-0".to_owned()]).await;
    pawl.ask_about("p-0").await;
    assert_eq!(desk.heard("/authorization").len(), 1);
    // The first token is taken back; nobody is told before all of them have asked with it.
    let own = desk.clone();
    desk.say(move |heard| match log_in(&own, heard, 2) {
        said if said.status == 401 => Reply { after: Some(("/orders", 1 + MANY)), ..said },
        _ if heard.path() == "/orders" => of_query(heard),
        said => said,
    });
    let ids: Vec<String> = (1..=MANY).map(|n| format!("p-{n}")).collect();
    pawl.register_payments(&ids).await;
    pawl.clock.step_secs(100);
    for id in &ids {
        pawl.wait_for_order(id, |order| order["final"] == true).await;
    }
    assert_eq!(desk.said("/orders", 401), MANY, "each was refused once");
    assert_eq!(desk.heard("/authorization").len(), 2, "one login for all of them");
}

/// For every four seconds one login at most: the first pause is of about five.
fn may_be(logins: usize, since: std::time::Instant) -> bool {
    logins <= 1 + usize::try_from(since.elapsed().as_secs()).unwrap() / 4
}

#[tokio::test]
async fn a_password_that_is_wrong_does_not_hammer_the_login() {
    for status in [400, 401, 403] {
        let desk = Desk::start(move |_| reply(status, "{}")).await;
        let started = std::time::Instant::now();
        let pawl = start_at(Form::Embedded, &desk, &format!("{ASK}{LOGIN}"), CREDENTIALS).await;
        let ids: Vec<String> = (0..10).map(|n| format!("p-{n}")).collect();
        pawl.register_payments(&ids).await;
        pawl.clock.step_secs(100);
        for id in &ids {
            let order = pawl.wait_until_asked_about(id).await;
            let outcome = order["asking"]["outcome"].as_str().unwrap();
            assert!(outcome.contains("credentials"), "{outcome}");
            assert_eq!(desk.heard(&format!("/orders/{id}")).len(), 0, "it is not asked at all");
        }
        let logins = desk.heard("/authorization").len();
        assert!(logins >= 1 && may_be(logins, started), "{logins} logins");
        // Later it is right, and nobody had to start anything again.
        let own = desk.clone();
        desk.say(move |heard| log_in(&own, heard, 0));
        pawl.clock.step_secs(700);
        for id in &ids {
            pawl.wait_for_order(id, |order| order["final"] == true).await;
        }
    }
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_no_reason_to_log_in_again_at_once() {
    let desk = Desk::start(answer).await;
    let own = desk.clone();
    desk.say(move |heard| log_in(&own, heard, usize::MAX));
    let started = std::time::Instant::now();
    let pawl = start_at(Form::Embedded, &desk, &format!("{ASK}{LOGIN}"), CREDENTIALS).await;
    let ids: Vec<String> = (0..10).map(|n| format!("p-{n}")).collect();
    pawl.register_payments(&ids).await;
    pawl.clock.step_secs(100);
    for id in &ids {
        let order = pawl.wait_until_asked_about(id).await;
        let outcome = order["asking"]["outcome"].as_str().unwrap();
        assert!(outcome.contains("credentials (401)"), "{outcome}");
        assert_eq!(order["status"], serde_json::Value::Null);
    }
    let logins = desk.heard("/authorization").len();
    assert!(logins >= 1 && may_be(logins, started), "{logins} logins");
}
