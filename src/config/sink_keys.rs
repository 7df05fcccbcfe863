//! The keys of a sink.

use super::keys::{Key, SECS_MAX, Shape, key, must, unset};

/// Of the sink itself.
pub(super) const SINK: &[Key] = &[
    must(
        "kind",
        Shape::Word(&["http", "amqp"]),
        r#""http""#,
        r#"signed requests; or "amqp", messages to a topic exchange"#,
    ),
    unset(
        "url",
        Shape::Text,
        r#""https://books.example/pawl""#,
        r#"or "amqp://..."; else the broker of [queue]"#,
    ),
    unset(
        "secrets",
        Shape::CallbackSecrets,
        r#"[{ env = "BOOKS_SECRET" }]"#,
        "of http, in base64: what requests are signed with; all that are good now",
    ),
    unset(
        "exchange",
        Shape::Text,
        r#""pawl.events""#,
        "of amqp; else the prefix of [queue] and .events",
    ),
    key("sources", Shape::List, r#"["*"]"#, "which sources' orders; `*` at the end is anything"),
    key("types", Shape::List, r#"["*"]"#, r#"or ["pawl.effect.*"], ["pawl.order.changed"]"#),
    key(
        "allow_private",
        Shape::Flag,
        "false",
        "of http: whether it may be at a private address of your network",
    ),
    key("timeout_secs", Shape::Number(1, 25), "15", "how long an attempt may take, in seconds"),
];

/// When what it did not take is tried again.
pub(super) const RETRY: &[Key] = &[
    key("first_secs", Shape::Number(1, SECS_MAX), "5", "the first delay, in seconds"),
    key("factor", Shape::Number(1, 100), "2", "what each further delay is multiplied by"),
    key("cap_secs", Shape::Number(1, SECS_MAX), "3600", "the longest delay, in seconds"),
    key(
        "horizon_secs",
        Shape::Number(1, SECS_MAX),
        "259200",
        "how long one is tried; then a person is asked, in seconds",
    ),
];

/// How often it is told.
pub(super) const LIMITS: &[Key] = &[
    key("requests_per_second", Shape::Number(1, 100_000), "1000", "of all processes together"),
    key("burst", Shape::Number(1, 100_000), "1000", "requests at once"),
    key("in_flight_max", Shape::Number(1, 1024), "32", "orders under way at once, in one process"),
];
