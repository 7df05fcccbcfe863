//! What a provider's errors mean, where its definition says so.

use super::desk::{Desk, Heard, payment, reply, start_at};
use crate::daemon::form::{Form, on_both_forms};

const DEFINITION: &str = r#"
[ask]
method = "GET"
path = "/orders/{order_id}"

[ask.answer]
at = "/data/0"
ok = { at = "/result", is = "ok" }

[[ask.error]]
status = [400, 422]
at = "/code"
is = ["E_NO_ORDER", "17"]
means = "not_found"

[[ask.error]]
status = 200
at = "/result"
is = "no such order"
means = "not_found"

[[ask.error]]
status = 400
at = "/code"
is = "E_SLOWER"
means = "throttled"

[[ask.error]]
status = 418
means = "forbidden"

[[ask.error]]
status = 404
at = "/code"
is = "E_NO_ENDPOINT"
means = "no_information"
"#;

on_both_forms!(an_error_means_what_the_definition_says,);

async fn an_error_means_what_the_definition_says(form: Form) {
    let cases = [
        (400, r#"{"code":"E_NO_ORDER"}"#, "the provider knows no such order"),
        (422, r#"{"code":17}"#, "the provider knows no such order"),
        (200, r#"{"result":"no such order","data":[]}"#, "the provider knows no such order"),
        (404, r#"{"code":"E_UNKNOWN"}"#, "the provider knows no such order"),
        (404, r#"{"code":"E_NO_ENDPOINT"}"#, "no information: it answered 404"),
        (400, r#"{"code":"E_OTHER"}"#, "no information: it answered 400"),
        (400, "<html>", "no information: it answered 400"),
        (200, r#"{"result":"a fault","data":[]}"#, "no information: the answer says `a fault`"),
        (200, r#"{"result":"ok","data":[]}"#, "no information: there is no status"),
        (418, "", "does not take the credentials (418)"),
        (403, r#"{"code":"E_AUTH_FAILED"}"#, "does not take the credentials (403)"),
        (400, r#"{"code":"E_SLOWER"}"#, "asked too often (400)"),
    ];
    let desk = Desk::start(move |heard: &Heard| {
        let id = heard.path().trim_start_matches("/orders/");
        match id.strip_prefix("p-").and_then(|index| cases.get(index.parse::<usize>().ok()?)) {
            Some((status, body, _)) => reply(*status, *body),
            None => reply(200, format!(r#"{{"result":"ok","data":[{}]}}"#, payment(id, "paid"))),
        }
    })
    .await;
    let pawl = start_at(form, &desk, DEFINITION, "").await;
    for (index, (status, body, what)) in cases.iter().enumerate() {
        let ids = [format!("p-{index}"), format!("good-{index}")];
        pawl.register_payments(&ids).await;
        let order = pawl.ask_about(&ids[0]).await;
        let outcome = order["asking"]["outcome"].as_str().unwrap();
        assert!(outcome.contains(what), "{status} {body}: {outcome}");
        assert_eq!(order["status"], serde_json::Value::Null, "{body}");
        // In between something is answered, so that the source is not left alone.
        pawl.ask_about(&ids[1]).await;
        pawl.wait_for_order(&ids[1], |order| order["final"] == true).await;
    }
}
