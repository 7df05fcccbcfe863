//! The JSON Schema of a source's own description of how its callbacks are signed.

use serde_json::{Value as Json, json};

/// The name of a way of signing, or a description of one.
pub(super) fn signature() -> Json {
    json!({ "oneOf": [{ "type": "string" }, described()] })
}

fn described() -> Json {
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    let words = |words: &[&str]| json!({ "enum": words });
    let table = |properties: Json| json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let place = || table(json!({ "header": text(), "at": text(), "query": text() }));
    table(json!({
        "preset": words(&["standard_webhooks", "timestamped"]),
        "scheme": words(&["hmac", "rsa_sha256", "ed25519", "token", "basic", "none"]),
        "hash": words(&["sha1", "sha256", "sha512"]),
        "header": text(),
        "at": text(),
        "query": text(),
        "prefix": text(),
        "encoding": words(&["hex", "base64", "base64url"]),
        "key": words(&["text", "hex", "base64", "pem"]),
        "key_prefix": text(),
        "signed": text(),
        "sorted_fields": table(json!({
            "pair": text(),
            "join": text(),
            "skip_empty": { "type": "boolean" },
            "names": { "type": "boolean" },
            "without": texts(),
        })),
        "list": table(json!({
            "split": text(),
            "pair": text(),
            "signature": texts(),
            "timestamp": text(),
            "id": text(),
            "key_id": text(),
        })),
        "timestamp": table(json!({
            "header": text(),
            "at": text(),
            "query": text(),
            "unit": words(&["seconds", "millis", "rfc3339"]),
            "tolerance_secs": { "type": "integer", "minimum": 1, "maximum": 604_800 },
        })),
        "id": place(),
        "key_id": place(),
        "missing": words(&["refuse", "hint"]),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::keys::tests::fields;
    use super::*;
    use crate::provider::{ListTable, PlaceTable, SignatureTable, SortedFieldsTable, StampTable};

    #[test]
    fn every_key_of_a_description_is_in_the_schema_and_no_other() {
        let schema = described();
        let keys = |table: &Json| -> Vec<String> {
            let mut keys: Vec<String> = table["properties"]
                .as_object()
                .into_iter()
                .flat_map(|o| o.keys().cloned())
                .collect();
            keys.sort_unstable();
            keys
        };
        let inner = |name: &str| keys(&schema["properties"][name]);
        assert_eq!(fields::<SignatureTable>(), keys(&schema));
        assert_eq!(fields::<SortedFieldsTable>(), inner("sorted_fields"));
        assert_eq!(fields::<ListTable>(), inner("list"));
        assert_eq!(fields::<StampTable>(), inner("timestamp"));
        assert_eq!(fields::<PlaceTable>(), inner("id"));
        assert_eq!(fields::<PlaceTable>(), inner("key_id"));
    }
}
