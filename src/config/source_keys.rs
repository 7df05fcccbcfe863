//! Every key of a source.

use super::keys::{Key, SECS_MAX, Shape, Value, key, must, unset};

/// In the order in which they are shown.
pub(super) const SOURCE: &[Key] = &[
    must("provider", Shape::Text, r#""flypay""#, "see `pawl provider list`"),
    Key {
        name: "callback_secrets",
        shape: Shape::CallbackSecrets,
        value: Value::Usual(r#"[{ env = "FLYPAY_SECRET" }]"#),
        about: "several while rotating; id, not_before, not_after",
    },
    unset(
        "signature",
        Shape::Signature,
        r#""none""#,
        "how callbacks are signed, where not as the definition says",
    ),
    unset(
        "public_url",
        Shape::Text,
        r#""https://pay.example/callbacks/shop""#,
        "as the provider has it: some sign it",
    ),
    unset(
        "base_url",
        Shape::Text,
        r#""https://...""#,
        "where the provider is asked; without it, it is not",
    ),
    unset(
        "credentials",
        Shape::Secrets,
        r#"{ api_key = { env = "KEY" }, secret = { file = "/path" } }"#,
        "what asking needs",
    ),
    key(
        "unregistered",
        Shape::Word(&["accept", "wait"]),
        r#""accept""#,
        r#"or "wait": money of unregistered orders is held back"#,
    ),
    unset(
        "amount",
        Shape::Words(&["exact", "at_most", "any"]),
        r#"{ withdraw = "exact" }"#,
        r#"or at_most, by kind or kind.status: needs "wait"; else any"#,
    ),
    key("tolerance", Shape::Text, r#""0""#, "by how much an amount may differ, a decimal"),
    unset(
        "books",
        Shape::Texts,
        r#"{ withdraw = "hold" }"#,
        "how a kind is booked; see `pawl provider show`",
    ),
    unset(
        "account",
        Shape::Text,
        r#""merchant-1""#,
        "what callbacks must name, where the provider names one",
    ),
    unset(
        "currency",
        Shape::Text,
        r#""EUR""#,
        "of all orders, where the provider names none and they are not registered",
    ),
    unset(
        "confirm",
        Shape::Confirm,
        r#"{ above = "1000", statuses = ["completed"] }"#,
        r#"or "always", "never"; else as the definition says"#,
    ),
    unset(
        "settle_after",
        Shape::Numbers,
        r#"{ error = 600 }"#,
        "how long a status stands before its effects leave, in seconds",
    ),
    key(
        "early_secs",
        Shape::Number(1, SECS_MAX),
        "3600",
        "how long money may wait for what is missing; then a person is told, in seconds",
    ),
];
