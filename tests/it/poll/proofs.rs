//! Providers that are nothing but a definition: none of them has a line of Rust.

use super::desk::{Desk, Heard, Reply, reply};
use crate::daemon::form::{Form, Own, on_both_forms};
use crate::daemon::{Pawl, exchange, sign};

use super::built_in::start;

on_both_forms!(
    what_sdk_finance_did_is_found_by_batched_asks_alone,
    a_stripe_event_is_money_and_its_list_has_what_did_not_come,
    mollie_says_only_which_payment_has_news,
    newdays_operations_are_one_order_in_whatever_order_they_are_told,
);

async fn post(pawl: &Pawl, content_type: &str, body: &str, headers: &str) -> u16 {
    let request = format!(
        "POST /callbacks/shop HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-type: \
         {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(pawl.receive, &request).await.status
}

fn effects(order: &serde_json::Value) -> Vec<String> {
    let all = order["effects"].as_array().unwrap().iter();
    let text = |effect: &serde_json::Value, what: &str| effect[what].as_str().unwrap().to_owned();
    let line = |e| format!("{} {} {}", text(e, "counter"), text(e, "amount"), text(e, "currency"));
    all.map(line).collect()
}

/// A login, and a list of withdrawals that are all over; of those that are created meanwhile none is told.
fn sdk_finance(heard: &Heard) -> Reply {
    if heard.path() == "/gate/authorization" {
        assert_eq!(heard.json(), serde_json::json!({ "login": "another", "password": "expired" }));
        return reply(
            200,
            r#"{"action":"TOKEN_CREATED","authorizationToken":{"token":"9f2c","expiresAt":"2999-01-01T00:00:00Z"}}"#,
        );
    }
    if heard.header("authorization") != "TOKEN 9f2c" {
        return reply(401, "{}");
    }
    let filter = &heard.json()["filter"];
    let ids = filter["requestIdentifiers"].as_array().cloned().unwrap_or_default();
    let row = |id: &serde_json::Value| {
        let status = if id.as_u64().unwrap().is_multiple_of(2) { "processed" } else { "declined" };
        format!(
            r#"{{"id":"p-{id}","requestIdentifier":{id},"type":"bank_redeem","status":"{status}","amount":75.20,
            "updatedAt":"2025-11-20T08:00:00Z"}}"#
        )
    };
    let rows: Vec<String> = ids.iter().map(row).collect();
    let (count, rows) = (rows.len(), rows.join(","));
    reply(200, format!(r#"{{"totalRecords":{count},"totalPages":1,"records":[{rows}]}}"#))
}

async fn what_sdk_finance_did_is_found_by_batched_asks_alone(form: Form) {
    let desk = Desk::start(sdk_finance).await;
    let more = "credentials = { login = { env = \"SECRET_2\" }, password = { env = \"SECRET_3\" } }\n\
                currency = \"EUR\"\n[source.shop.ask]\nfirst_secs = 1\n";
    let mut pawl = start(form, "sdk-finance", &desk, more).await;
    let orders: Vec<String> = (1..=60)
        .map(|id| format!(r#"{{"source":"shop","order_id":"{id}","kind":"withdrawal"}}"#))
        .collect();
    let body = format!("{{\"orders\":[{}]}}", orders.join(","));
    let answer = pawl.post("/api/v1/orders", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for id in 1..=60 {
        let order = pawl.wait_for_order(&id.to_string(), |order| order["final"] == true).await;
        // Nobody registered an amount, and rows say no currency: that is the source's.
        let wanted: &[&str] = match id % 2 {
            0 => &["held 75.2 EUR", "debited 75.2 EUR", "released 75.2 EUR"],
            _ => &[],
        };
        assert_eq!(effects(&order), wanted, "{order}");
        assert_eq!(pawl.order(&format!("p-{id}")).await["key"], order["key"]);
    }
    assert_eq!(desk.heard("/gate/authorization").len(), 1, "one login for all");
    let asked = desk.heard("/gate/transactions/view");
    let of = |heard: &Heard| heard.json()["filter"]["requestIdentifiers"].as_array().map(Vec::len);
    let sizes: Vec<usize> = asked.iter().filter_map(of).collect();
    assert!(
        sizes.iter().any(|size| *size > 1) && sizes.iter().all(|size| *size <= 50),
        "{sizes:?}"
    );
    assert_eq!(
        asked.iter().filter(|heard| heard.header("authorization") != "TOKEN 9f2c").count(),
        0
    );
    pawl.stop().await;
}

/// One payment, which was refunded in part; and a list of events, most of which are about other things.
fn stripe(heard: &Heard) -> Reply {
    if heard.header("authorization") != "Bearer another" {
        return reply(401, "{}");
    }
    match heard.path() {
        "/gate/v1/events" => {
            assert!(heard.query("created%5Bgte%5D").is_some(), "{}", heard.target);
            let refund = r#"{"id":"evt_2","type":"charge.refunded","created":1763726501,"data":{"object":{"id":"ch_1",
                "payment_intent":"pi_1","amount":2000,"amount_refunded":500,"captured":true,"currency":"usd","status":"succeeded"}}}"#;
            let lapsed = r#"{"id":"evt_3","type":"charge.refunded","created":1763726501,"data":{"object":{"id":"ch_2",
                "payment_intent":"pi_2","amount":2000,"amount_refunded":2000,"captured":false,"currency":"usd","status":"succeeded"}}}"#;
            let others = (0..98)
                .map(|n| format!(r#"{{"id":"evt_o{n}","type":"customer.updated","data":{{}}}}"#));
            let others: Vec<String> = others.collect();
            match heard.query("starting_after") {
                None => reply(
                    200,
                    format!(
                        r#"{{"data":[{lapsed},{},{{"id":"evt_last","type":"ping"}}],"has_more":true}}"#,
                        others.join(",")
                    ),
                ),
                Some("evt_last") => {
                    reply(200, format!(r#"{{"data":[{refund}],"has_more":false}}"#))
                }
                Some(_) => reply(400, "{}"),
            }
        }
        "/gate/v1/payment_intents/pi_1" => reply(
            200,
            r#"{"id":"pi_1","object":"payment_intent","amount":2000,"amount_received":2000,"currency":"usd","status":"succeeded"}"#,
        ),
        _ => reply(404, r#"{"error":{"code":"resource_missing"}}"#),
    }
}

async fn a_stripe_event_is_money_and_its_list_has_what_did_not_come(form: Form) {
    let desk = Desk::start(stripe).await;
    let more = "credentials = { secret_key = { env = \"SECRET_2\" } }\n";
    let mut pawl = start(form, "stripe", &desk, more).await;
    let body = r#"{"id":"evt_1","type":"payment_intent.succeeded","created":1763640101,"data":{"object":{"id":"pi_1",
        "object":"payment_intent","amount":2000,"amount_received":2000,"currency":"usd","status":"succeeded",
        "metadata":{"order_id":"ord-77"}}}}"#;
    let now = pawl.clock.now().micros() / 1_000_000;
    let signed = |time: i64| {
        format!("stripe-signature: t={time},v1={},v0=00\r\n", sign(&format!("{time}.{body}")))
    };
    for wrong in [
        signed(now - 400),
        format!("stripe-signature: t={now},v0={}\r\n", sign(&format!("{now}.{body}"))),
    ] {
        assert_eq!(post(&pawl, "application/json", body, &wrong).await, 401);
    }
    assert_eq!(post(&pawl, "application/json", body, &signed(now)).await, 200);
    let order = pawl
        .wait_for_order("ord-77", |order| order["effects"].as_array().unwrap().len() == 2)
        .await;
    assert_eq!(effects(&order), ["credited 20 USD", "credit_reversed 5 USD"]);
    assert_eq!(
        pawl.get("/api/v1/orders/shop/pi_2").await.status,
        404,
        "a hold that lapsed is no refund"
    );
    let letters = pawl.get("/api/v1/dead-letters").await.json();
    assert_eq!(letters["items"].as_array().unwrap().len(), 0, "{letters}");
    pawl.stop().await;
}

fn mollie(heard: &Heard) -> Reply {
    match (heard.path(), heard.header("authorization")) {
        ("/gate/v2/payments/tr_1", "Bearer another") => reply(
            200,
            r#"{"id":"tr_1","amount":{"value":"75.00","currency":"GBP"},"amountRefunded":{"value":"0.00","currency":"GBP"},
            "status":"paid","metadata":{"order_id":"ord-9"}}"#,
        ),
        _ => reply(404, r#"{"status":404,"title":"Not Found"}"#),
    }
}

async fn mollie_says_only_which_payment_has_news(form: Form) {
    let desk = Desk::start(mollie).await;
    let more =
        "credentials = { api_key = { env = \"SECRET_2\" } }\n[source.shop.ask]\nfirst_secs = 1\n";
    let mut pawl = start(form, "mollie", &desk, more).await;
    let form_type = "application/x-www-form-urlencoded";
    for body in ["id=tr_1", "id=tr_nobody&status=paid&amount%5Bvalue%5D=1000"] {
        assert_eq!(post(&pawl, form_type, body, "").await, 200);
    }
    let order = pawl.wait_for_order("ord-9", |order| order["final"] == true).await;
    assert_eq!(
        (effects(&order), &order["status"]),
        (vec!["credited 75 GBP".to_owned()], &"paid".into())
    );
    let path = "/gate/v2/payments/tr_nobody";
    super::wait_until(|| desk.said(path, 404) == 1, || "never asked".to_owned()).await;
    assert_eq!(pawl.get("/api/v1/orders/shop/tr_nobody").await.status, 404, "nobody made it up");
    // It was refunded since, and the same form says so.
    desk.say(|_| {
        reply(
            200,
            r#"{"id":"tr_1","amount":{"value":"75.00","currency":"GBP"},"amountRefunded":{"value":"25.50","currency":"GBP"},
            "status":"paid"}"#,
        )
    });
    pawl.clock.step_secs(2);
    assert_eq!(post(&pawl, form_type, "id=tr_1", "").await, 200);
    let order =
        pawl.wait_for_order("tr_1", |order| order["effects"].as_array().unwrap().len() == 2).await;
    assert_eq!(effects(&order)[1], "credit_reversed 25.5 GBP");
    assert_eq!(order["awaited_callback"], serde_json::Value::Null, "no callback could have told");
    pawl.stop().await;
}

async fn newdays_operations_are_one_order_in_whatever_order_they_are_told(form: Form) {
    let own = Own::new(form).await;
    // It has nothing that could be asked.
    let text = own.config("signature = \"hmac\"\n").replace("\"flypay\"", "\"newday\"");
    let mut pawl = Pawl::start_by(own, text).await;
    let operation = |name: &str, ids: &str, value: &str| {
        format!(
            r#"{{"operation":"{name}",{ids},"amount":{{"value":{value},"currencyCode":"GBP"}}}}"#
        )
    };
    let told = [
        operation("REFUND", r#""transactionId":"91be","refundTransactionId":"0c77""#, "35.50"),
        operation(
            "REVERSE",
            r#""authorisationId":"5a1d","authorisationReversalId":"c41f","remainingFloat":{"value":0,"currencyCode":"GBP"}"#,
            "20.00",
        ),
        operation(
            "AUTHORISE",
            r#""authorisationId":"5a1d","orderReference":"0987","result":"Authorised""#,
            "120.00",
        ),
        operation("SETTLE", r#""authorisationId":"5a1d","transactionId":"91be""#, "100.00"),
    ];
    for (index, body) in told.iter().chain(&told[..2]).enumerate() {
        let headers = format!("x-signature: {}\r\n", sign(body));
        assert_eq!(post(&pawl, "application/json", body, &headers).await, 200);
        pawl.wait_until_drained().await;
        if index == 2 {
            let order = pawl.order("0987").await;
            assert_eq!(effects(&order), Vec::<String>::new(), "100 are not told of");
            assert!(order["held_back"][0].to_string().contains("a report is missing"), "{order}");
        }
    }
    let order = pawl.wait_for_order("91be", |order| order["final"] == true).await;
    assert_eq!(order["status"], "partially_refunded");
    assert_eq!(
        effects(&order),
        ["held 120 GBP", "debited 100 GBP", "released 120 GBP", "debit_reversed 35.5 GBP"]
    );
    for id in ["5a1d", "0987"] {
        assert_eq!(pawl.order(id).await["key"], order["key"]);
    }
    assert_eq!(order["attention"].as_array().unwrap().len(), 0, "{order}");
    pawl.stop().await;
}
