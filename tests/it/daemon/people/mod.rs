//! Orders that wait for a person, and what becomes of them: real HTTP, real stores.

mod command;
mod conflict;
mod early;
mod money;
mod refusal;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::form::{Form, Own};
use super::{Answer, Pawl, withdrawal};

/// A payout that may fail and be paid all the same; it names the account, and signs as FlyPay does.
const PAYOUT: &str = r#"
name = "payout"
title = "Payout"

[callback.signature]
scheme = "hmac"
hash = "sha256"
header = "Signature"
encoding = "hex"

[event]
order_id = "/id"
status = "/status"
account = "/account"
currency = "/currency"

[status.new]
edges = ["failed", "paid"]
[status.failed]
outcome = "failed"
edges = ["paid"]
[status.paid]
final = true
outcome = "succeeded"

[kind.payout]
judged = "total"
[[kind.payout.money]]
at = ["new"]
to.held = "total"
[[kind.payout.money]]
at = ["failed"]
closes = ["to.released"]
[[kind.payout.money]]
at = ["paid"]
to.debited = "total"
closes = ["to.released"]
"#;

/// A daemon with a source of such payouts.
async fn start_payouts(form: Form, more: &str) -> Pawl {
    let own = Own::new(form).await;
    let folder = own.folder.path().join("providers");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("payout.toml"), PAYOUT).unwrap();
    let more = format!("{more}[providers]\ndir = \"{}\"\n", folder.display());
    let text = own.config(&more).replace("\"flypay\"", "\"payout\"");
    Pawl::start_by(own, text).await
}

/// A daemon with a source of a provider that comes with Pawl, whose callbacks are signed as FlyPay's are, and
/// believed.
async fn start_signed(form: Form, provider: &str) -> Pawl {
    let own = Own::new(form).await;
    let more = "signature = { scheme = \"hmac\", hash = \"sha256\", header = \"Signature\", encoding = \
                \"hex\" }\nconfirm = \"never\"\n";
    let text = own.config(more).replace("\"flypay\"", &format!("\"{provider}\""));
    Pawl::start_by(own, text).await
}

fn payout(id: &str, status: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"{status}","total":"100","currency":"USD","account":"ours"}}"#
    )
}

/// Sends callbacks, and waits until each is decided before the next.
async fn tell(pawl: &Pawl, bodies: &[String]) {
    for body in bodies {
        assert_eq!(pawl.send(body).await.status, 200, "{body}");
        pawl.wait_until_drained().await;
    }
}

/// What has left for an order, as counter and amount, in the order in which it left.
fn moved(effects: &Value) -> Vec<String> {
    let text = |effect: &Value, key: &str| effect[key].as_str().unwrap().to_owned();
    let effects = effects.as_array().unwrap().iter();
    effects.map(|e| format!("{} {}", text(e, "counter"), text(e, "amount"))).collect()
}

fn codes(order: &Value) -> Vec<&str> {
    let attention = order["attention"].as_array().unwrap().iter();
    attention.map(|attention| attention["code"].as_str().unwrap()).collect()
}

/// What waits for a person about one order.
async fn waiting(pawl: &Pawl, id: &str) -> Vec<Value> {
    let list = pawl.get("/api/v1/attention?limit=500").await.json();
    let items = list["items"].as_array().unwrap().iter();
    items.filter(|item| item["order_id"] == id).cloned().collect()
}

/// Resolves an order, whether or not that is taken.
async fn resolve(pawl: &Pawl, id: &str, proposal: &Value) -> Answer {
    let mut body = proposal.clone();
    if body.get("by").is_none() {
        body["by"] = json!("ada");
    }
    if body.get("why").is_none() {
        body["why"] = json!("the bank says so");
    }
    pawl.post(&format!("/api/v1/orders/shop/{id}/resolve"), &body.to_string()).await
}

/// Resolves an order, which must be taken.
async fn resolved(pawl: &Pawl, id: &str, proposal: &Value) -> Value {
    let answer = resolve(pawl, id, proposal).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["result"], "resolved", "{answer}");
    answer
}

/// The first thing that may be done and is like this.
fn action(item: &Value, fits: impl Fn(&Value) -> bool) -> Value {
    let actions = item["actions"].as_array().unwrap();
    let action = actions.iter().map(|action| &action["resolve"]).find(|proposal| fits(proposal));
    action.unwrap_or_else(|| panic!("nothing fits: {item}")).clone()
}

/// Does something to the store behind the daemon's back.
async fn sql(own: &Own, statements: &[&'static str]) {
    for statement in statements {
        match &own.urls {
            None => {
                let url = format!("sqlite:{}/pawl.db", own.folder.path().display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(*statement).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Some((store, _)) => {
                let mut connection = PgConnection::connect(store.expose()).await.unwrap();
                sqlx::raw_sql(*statement).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }
}

/// Makes the store forget every event, as if it had been long ago.
async fn forget_events(own: &Own) {
    sql(own, &["delete from events", "delete from event_bodies"]).await;
}
