//! The configuration file's JSON Schema, for editors.

use serde_json::{Map, Value as Json, json};

use super::keys::{Key, SECTIONS, Section, Shape, Value};
use super::schema_signature::signature;

/// The JSON Schema (2020-12) of the configuration file.
#[must_use]
pub fn schema() -> Json {
    let sections = SECTIONS.iter().filter(|section| section.path.len() == 1);
    let mut properties: Map<String, Json> =
        sections.map(|section| (section.path[0].to_owned(), table(section))).collect();
    properties.insert("source".to_owned(), named("source", "The sources, by name.", 1));
    properties.insert("sink".to_owned(), named("sink", "The sinks, by name.", 0));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pawl's configuration",
        "type": "object",
        "properties": properties,
        "required": ["source"],
        "additionalProperties": false,
        "$defs": { "secret": secret(&[]), "callback_secret": secret(&["id", "not_before", "not_after"]) },
    })
}

/// Tables with names that are chosen.
fn named(what: &str, about: &str, least: u8) -> Json {
    let section = SECTIONS.iter().find(|section| section.path == [what, "*"]);
    json!({
        "description": about,
        "type": "object",
        "minProperties": least,
        "propertyNames": { "pattern": "^[a-z0-9_-]{1,64}$" },
        "additionalProperties": section.map(table),
    })
}

fn table(section: &Section) -> Json {
    let mut properties: Map<String, Json> =
        section.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    for part in SECTIONS {
        if part.path.len() == section.path.len() + 1 && part.path.starts_with(section.path) {
            properties.insert(part.path[section.path.len()].to_owned(), table(part));
        }
    }
    let must = section.keys.iter().filter(|key| matches!(key.value, Value::Must(_)));
    let must: Vec<&str> = must.map(|key| key.name).collect();
    json!({
        "description": section.about,
        "type": "object",
        "properties": properties,
        "required": must,
        "additionalProperties": false,
    })
}

fn property(key: &Key) -> Json {
    let mut property = match key.shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Number(from, to) => json!({ "type": "integer", "minimum": from, "maximum": to }),
        Shape::Secret => json!({ "$ref": "#/$defs/secret" }),
        Shape::CallbackSecrets => {
            json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/callback_secret" } })
        }
        Shape::Signature => signature(),
        Shape::List => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Secrets => by_name(json!({ "$ref": "#/$defs/secret" })),
        Shape::Texts => by_name(json!({ "type": "string" })),
        Shape::Words(words) => by_name(json!({ "enum": words })),
        Shape::Numbers => by_name(json!({ "type": "integer", "minimum": 0 })),
        Shape::Confirm => json!({ "oneOf": [{ "enum": ["always", "never"] }, conditions()] }),
    };
    property["description"] = json!(key.about);
    // A default that is no TOML would be found by the tests.
    if let Value::Default(value) = key.value
        && let Ok(table) = toml::from_str::<toml::Table>(&format!("default = {value}"))
    {
        property["default"] = json!(table["default"]);
    }
    property
}

fn by_name(value: Json) -> Json {
    json!({ "type": "object", "additionalProperties": value })
}

fn conditions() -> Json {
    json!({
        "type": "object",
        "properties": {
            "above": { "type": "string" },
            "statuses": { "type": "array", "items": { "type": "string" } },
        },
        "additionalProperties": false,
    })
}

/// Where a secret is: in the environment, or in a file.
fn secret(more: &[&str]) -> Json {
    let from = |place: &str, about: &str| {
        let mut properties = Map::new();
        properties.insert(place.to_owned(), json!({ "description": about, "type": "string" }));
        for name in more {
            let about = match *name {
                "id" => "What the provider calls the key.",
                _ => "RFC 3339, such as 2026-01-02T00:00:00Z.",
            };
            properties
                .insert((*name).to_owned(), json!({ "description": about, "type": "string" }));
        }
        json!({
            "type": "object",
            "properties": properties,
            "required": [place],
            "additionalProperties": false,
        })
    };
    let (env, file) = ("The name of an environment variable.", "The path of a file.");
    json!({ "oneOf": [from("env", env), from("file", file)] })
}
