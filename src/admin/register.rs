//! `POST /api/v1/orders`: the integrator tells what it knows about its orders.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Admin, Problem, Shared};
use crate::config::Source;
use crate::order::amount::{Amount, Currency};
use crate::order::name::{Kind, OrderId, Role};
use crate::order::report::{Expected, Registration};
use crate::order::rules::Unregistered;
use crate::order::slot::{Counter, Leg, Slot};
use crate::work::register::{Registered, register as register_one};

/// How many orders one request may register.
const ORDERS_MAX: usize = 1000;

/// How often a registration is tried again because somebody else wrote the order meanwhile.
const RACES_MAX: u32 = 100;

/// One order, as the integrator tells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    source: String,
    order_id: String,
    provider_id: Option<String>,
    kind: Option<String>,
    amount: Option<Amount>,
    currency: Option<Currency>,
    #[serde(default)]
    legs: BTreeMap<Leg, Expected>,
    #[serde(default)]
    booked: BTreeMap<Booked, Amount>,
    #[serde(default)]
    other_ids: Vec<String>,
}

/// What an integrator can have booked itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Booked {
    Held,
    Debited,
}

pub(super) async fn register(
    State(admin): Shared,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(mut body) = body?;
    let Some(orders) = body.get_mut("orders").map(Value::take) else {
        let (name, told) = check(&admin, body, "the order")?;
        let result = store(&admin, told).await?;
        let status = match result {
            Registered::Created => StatusCode::CREATED,
            Registered::Unchanged => StatusCode::OK,
            Registered::Conflict => {
                let detail = format!("{name} is registered already, with other content");
                return Err(Problem::new(StatusCode::CONFLICT, detail));
            }
        };
        return Ok((status, Json(item(&name, result))).into_response());
    };
    let Value::Array(orders) = orders else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`orders` must be a list"));
    };
    if orders.len() > ORDERS_MAX {
        let detail = format!("{} orders are too many: send {ORDERS_MAX} at a time", orders.len());
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    // All are checked before any is registered.
    let checked = orders.into_iter().enumerate();
    let checked = checked.map(|(index, order)| check(&admin, order, &format!("orders[{index}]")));
    let mut items = Vec::new();
    for (name, told) in checked.collect::<Result<Vec<_>, _>>()? {
        items.push(item(&name, store(&admin, told).await?));
    }
    Ok(Json(json!({ "items": items, "next_cursor": null })).into_response())
}

fn item(name: &Name, result: Registered) -> Value {
    json!({ "source": name.source, "order_id": name.order_id, "result": result.as_str() })
}

/// What an order is called in answers.
#[derive(Debug)]
struct Name {
    source: String,
    order_id: String,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the order `{}` of `{}`", self.order_id, self.source)
    }
}

/// An order that can be registered.
#[derive(Debug)]
struct Ready {
    source: Source,
    names: BTreeMap<OrderId, Role>,
    registration: Registration,
}

async fn store(admin: &Admin, ready: Ready) -> Result<Registered, Problem> {
    let (store, clock) = (admin.store()?.clone(), admin.clock.clone());
    // A task of its own: who hangs up cancels nothing.
    let task = tokio::spawn(async move {
        let Ready { source, names, registration } = ready;
        for _ in 0..RACES_MAX {
            let (names, registration) = (names.clone(), registration.clone());
            match register_one(&store, &clock, &source, names, registration).await {
                Err(crate::work::apply::ApplyError::Store(crate::store::StoreError::Raced)) => {}
                result => return result,
            }
        }
        Err(crate::store::StoreError::Raced.into())
    });
    Ok(task.await.map_err(|panic| Problem::internal(panic.into()))??)
}

fn check(admin: &Admin, order: Value, place: &str) -> Result<(Name, Ready), Problem> {
    let wrong = |what: String| Problem::new(StatusCode::BAD_REQUEST, format!("{place}: {what}"));
    // serde would take a list for a struct, by position.
    if !order.is_object() {
        return Err(wrong("it must be an object".to_owned()));
    }
    let told: Told = serde_json::from_value(order).map_err(|error| wrong(error.to_string()))?;
    let sources = admin.sources.now();
    let source = sources.get(&told.source);
    let source = source.ok_or_else(|| {
        let known: Vec<&str> = sources.keys().map(String::as_str).collect();
        wrong(format!("there is no source `{}`: there is {}", told.source, known.join(", ")))
    })?;
    let kind = find_kind(source, told.kind.as_deref()).map_err(wrong)?;
    let expected = expect(source, &kind, &told).map_err(wrong)?;
    if !told.booked.is_empty() && source.rules.policy.unregistered == Unregistered::Accept {
        let what = "`booked` needs unregistered = \"wait\" on the source: what was issued before the \
                    registration came would be booked twice";
        return Err(wrong(what.to_owned()));
    }
    // What an integrator books before the provider knows leaves its own side of the order.
    let booked_leg = source.provider.only_leg(&kind).unwrap_or(Leg::From);
    let booked = told.booked.iter().map(|(booked, amount)| {
        let counter = match booked {
            Booked::Held => Counter::Held,
            Booked::Debited => Counter::Debited,
        };
        (Slot::new(booked_leg, counter), *amount)
    });
    let registration = Registration { kind: Some(kind), expected, booked: booked.collect() };
    let id = |text: &str| OrderId::new(text).map_err(|error| wrong(error.to_string()));
    let mut names = BTreeMap::from([(id(&told.order_id)?, Role::Merchant)]);
    if let Some(own) = &told.provider_id {
        names.entry(id(own)?).or_insert(Role::Provider);
    }
    for other in &told.other_ids {
        names.entry(id(other)?).or_insert(Role::Other);
    }
    let name = Name { source: told.source, order_id: told.order_id };
    Ok((name, Ready { source: source.clone(), names, registration }))
}

fn find_kind(source: &Source, kind: Option<&str>) -> Result<Kind, String> {
    let kinds = &source.provider.kinds;
    let Some(kind) = kind else {
        let mut all = kinds.keys();
        return match (all.next(), all.next()) {
            (Some(only), None) => Ok(only.clone()),
            _ => Err("`kind` is missing".to_owned()),
        };
    };
    let kind = Kind::new(kind);
    if kinds.contains_key(&kind) {
        return Ok(kind);
    }
    Err(source.provider.no_such_kind(kind.as_str()).to_string())
}

fn expect(source: &Source, kind: &Kind, told: &Told) -> Result<BTreeMap<Leg, Expected>, String> {
    match (told.amount, &told.currency, told.legs.is_empty()) {
        (None, None, _) => Ok(told.legs.clone()),
        (Some(amount), Some(currency), true) => {
            let Some(leg) = source.provider.only_leg(kind) else {
                return Err(format!(
                    "`{kind}` moves money on two legs: write legs with from and to, each an amount and a \
                     currency, instead of amount and currency"
                ));
            };
            Ok(BTreeMap::from([(leg, Expected { amount, currency: currency.clone() })]))
        }
        (Some(_), None, _) => Err("`currency` is missing".to_owned()),
        (None, Some(_), _) => Err("`amount` is missing".to_owned()),
        (Some(_), Some(_), false) => Err("write either amount and currency, or legs".to_owned()),
    }
}
