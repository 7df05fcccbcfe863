//! The providers that come with Pawl, as the world sees them: their callbacks, their feeds and their answers.

use super::desk::{Desk, Heard, Reply, reply};
use crate::daemon::form::{Form, Own, on_both_forms};
use crate::daemon::{Pawl, exchange, withdrawal};

on_both_forms!(
    azpays_own_orders_are_found_by_the_feed_alone,
    a_cardaq_callback_that_nobody_signed_makes_us_ask,
    a_flypay_callback_that_nobody_signed_makes_us_ask_where_the_source_says_so,
);

pub(crate) async fn start(form: Form, provider: &str, desk: &Desk, more: &str) -> Pawl {
    let own = Own::new(form).await;
    let source = format!("base_url = \"http://{}/gate\"\n{more}", desk.address);
    let text = own.config(&source);
    Pawl::start_by(
        own,
        text.replace("provider = \"flypay\"", &format!("provider = \"{provider}\"")),
    )
    .await
}

async fn post(pawl: &Pawl, body: &str, headers: &str) -> u16 {
    let request = format!(
        "POST /callbacks/shop HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-type: \
         application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(pawl.receive, &request).await.status
}

fn azpay_order(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","external_id":"dep-{id}","type":"cash_in","status":"completed","currency":"BRL",
        "amount":"250.00","amount_received":"249.50","updated_at":"2025-11-20T10:15:30Z"}}"#
    )
}

/// Two pages of what happened, and an order each; only to who has the password.
fn azpay(heard: &Heard) -> Reply {
    if heard.header("authorization") != "Basic YW5vdGhlcjpleHBpcmVk" {
        return reply(403, r#"{"code":"E_AUTH_FAILED","message":"Basic credentials rejected"}"#);
    }
    let item = |id: &str| {
        format!(r#"{{"id":"{id}","status":"completed","updated_at":"2025-11-20T10:15:30Z"}}"#)
    };
    if heard.path() == "/gate/v1/notifications" {
        return match heard.query("since") {
            Some("c-1") => {
                reply(200, format!(r#"{{"items":[{}],"next_cursor":"c-2"}}"#, item("a-2")))
            }
            Some(_) => reply(200, r#"{"items":[],"next_cursor":"c-2"}"#),
            None => reply(200, format!(r#"{{"items":[{}],"next_cursor":"c-1"}}"#, item("a-1"))),
        };
    }
    match heard.path().strip_prefix("/gate/v1/orders/") {
        Some(id @ ("a-1" | "a-2")) => reply(200, azpay_order(id)),
        _ => reply(404, r#"{"code":"E_NOT_FOUND","message":"no such order"}"#),
    }
}

async fn azpays_own_orders_are_found_by_the_feed_alone(form: Form) {
    let desk = Desk::start(azpay).await;
    let more = "credentials = { login = { env = \"SECRET_2\" }, password = { env = \"SECRET_3\" } }\n\
                [source.shop.ask]\nfirst_secs = 1\n";
    let mut pawl = start(form, "azpay", &desk, more).await;
    for id in ["a-1", "a-2"] {
        // The item says no amount: the order is asked about, and nothing leaves before.
        let order = pawl.wait_for_order(id, |order| order["final"] == true).await;
        let effects = order["effects"].as_array().unwrap();
        assert_eq!(effects.len(), 1, "{order}");
        assert_eq!(
            (&effects[0]["counter"], &effects[0]["amount"]),
            (&"credited".into(), &"249.5".into())
        );
        assert_eq!(
            pawl.order(&format!("dep-{id}")).await["key"],
            order["key"],
            "both ids are its own"
        );
    }
    // Its callbacks are signed with a time, and say nothing that is not known by now.
    let body = format!(
        r#"{{"event_id":"e-1","event_type":"order.updated","order":{}}}"#,
        azpay_order("a-1")
    );
    assert_eq!(post(&pawl, &body, "x-azpay-signature: 00\r\nx-azpay-timestamp: 1\r\n").await, 401);
    let now = pawl.clock.now().micros() / 1_000_000;
    let signature = crate::daemon::sign(&format!("{now}.{body}"));
    let headers = format!("x-azpay-signature: {signature}\r\nx-azpay-timestamp: {now}\r\n");
    assert_eq!(post(&pawl, &body, &headers).await, 200);
    pawl.wait_until_drained().await;
    assert_eq!(pawl.order("a-1").await["effects"].as_array().unwrap().len(), 1);
    pawl.stop().await;
}

fn cardaq(heard: &Heard) -> Reply {
    if heard.header("authorization") != "Bearer another" {
        return reply(401, "{}");
    }
    match (heard.path(), heard.query("response_type")) {
        ("/gate/orders/c-1/", Some("full")) => reply(
            200,
            r#"{"id":"c-1","number":"INV-1","type":"order","status":["paid"],"currency":"EUR","total":49.90,
            "amount_refunded":0,"is_test":false,"skip_capture":false,"modified":1763640101}"#,
        ),
        ("/gate/orders/", _) => reply(200, r#"{"next":null,"previous":null,"results":[]}"#),
        _ => reply(404, "{}"),
    }
}

async fn a_cardaq_callback_that_nobody_signed_makes_us_ask(form: Form) {
    let desk = Desk::start(cardaq).await;
    let more = "credentials = { secret_key = { env = \"SECRET_2\" } }\n";
    let mut pawl = start(form, "cardaq", &desk, more).await;
    // Whatever it claims: the order is what the provider answers.
    let claims = |id: &str| {
        format!(
            r#"{{"event_type":"order.payment_success","id":"{id}","number":"INV-{id}","status":"paid",
            "currency":"EUR","total":1000000,"is_test":false,"skip_capture":false,"modified":1763640101}}"#
        )
    };
    assert_eq!(post(&pawl, &claims("c-1"), "").await, 200);
    assert_eq!(post(&pawl, &claims("c-2"), "").await, 200);
    let order = pawl.wait_for_order("c-1", |order| order["final"] == true).await;
    assert_eq!(order["effects"][0]["amount"], "49.9", "{order}");
    super::wait_until(|| desk.said("/gate/orders/c-2/", 404) == 1, || "never asked".to_owned())
        .await;
    assert_eq!(pawl.get("/api/v1/orders/shop/c-2").await.status, 404, "nobody made it up");
    assert_eq!(pawl.get("/api/v1/orders/shop/INV-c-1").await.status, 404, "nor its ids");
    pawl.stop().await;
}

async fn a_flypay_callback_that_nobody_signed_makes_us_ask_where_the_source_says_so(form: Form) {
    let provider = super::Provider::start(|_, _| super::Say::Status("completed")).await;
    let mut pawl = super::start(form, &provider, "signature = \"if_present\"\n").await;
    let (claim, signed) = (withdrawal("wd-1", "error"), withdrawal("wd-2", "processing"));
    assert_eq!(
        post(&pawl, &claim, "signature: 00\r\n").await,
        401,
        "a wrong one is none that is missing"
    );
    assert_eq!(post(&pawl, &claim, "").await, 200);
    let order = pawl.wait_for_order("wd-1", |order| order["final"] == true).await;
    assert_eq!(order["status"], "completed", "only the answer counts");
    let header = format!("signature: {}\r\n", crate::daemon::sign(&signed));
    assert_eq!(post(&pawl, &signed, &header).await, 200);
    let order = pawl.wait_for_order("wd-2", |order| order["status"] == "processing").await;
    assert_eq!(order["asking"]["asked_at"], serde_json::Value::Null, "it is believed as it is");
    pawl.stop().await;
}
