//! What a request's body tells, and the texts in it that people write for the audit log.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Problem;

/// How many characters a name, or a reason that a person gives, has at most.
const TOLD_MAX: usize = 1000;

/// A body as what it must be.
pub(super) fn told<T: DeserializeOwned>(
    body: Result<Json<Value>, JsonRejection>,
) -> Result<T, Problem> {
    let Json(body) = body?;
    // serde would take a list for a struct, by position.
    if !body.is_object() {
        return Err(wrong("the body must be an object".to_owned()));
    }
    read(body)
}

/// A part of a body as what it must be.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
}

/// A text that a person gives for the audit log says something.
pub(super) fn check_text(name: &str, text: &str) -> Result<(), Problem> {
    let what = if text.trim().is_empty() {
        "is empty"
    } else if text.chars().count() > TOLD_MAX {
        "is too long"
    } else if text.chars().any(char::is_control) {
        "contains a control character"
    } else {
        return Ok(());
    };
    Err(wrong(format!("`{name}` {what}")))
}

fn wrong(what: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, what)
}
