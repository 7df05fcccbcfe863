//! Every key of the configuration file: what it is for, what may stand there, and what it is when
//! nobody says. The schema, the example and what `pawl config print` shows are made of this list; tests
//! hold it against what the file is really read into.

use super::source_keys::SOURCE;

/// What may stand at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text.
    Text,
    /// One of some words.
    Word(&'static [&'static str]),
    /// A whole number, from and to.
    Number(u64, u64),
    /// Where a secret is.
    Secret,
    /// Where callback secrets are, and when each is good.
    CallbackSecrets,
    /// The name of a way of signing, or a description of one.
    Signature,
    /// Where secrets are, by name.
    Secrets,
    /// Texts, by name.
    Texts,
    /// One of some words each, by name.
    Words(&'static [&'static str]),
    /// Whole numbers, by name.
    Numbers,
    /// `"always"`, `"never"`, or conditions.
    Confirm,
}

/// What is written at a key, as TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It must be said; this is an example.
    Must(&'static str),
    /// It is nearly always said; this is an example.
    Usual(&'static str),
    /// This is what it is when nobody says.
    Default(&'static str),
    /// There is nothing unless somebody says; this is an example.
    Unset(&'static str),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub value: Value,
    /// What it is for; units last.
    pub about: &'static str,
}

/// A table of the file. A `*` in its path stands for a name that is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    pub path: &'static [&'static str],
    pub about: &'static str,
    pub keys: &'static [Key],
}

pub(super) const fn must(
    name: &'static str,
    shape: Shape,
    value: &'static str,
    about: &'static str,
) -> Key {
    Key { name, shape, value: Value::Must(value), about }
}

pub(super) const fn key(
    name: &'static str,
    shape: Shape,
    value: &'static str,
    about: &'static str,
) -> Key {
    Key { name, shape, value: Value::Default(value), about }
}

pub(super) const fn unset(
    name: &'static str,
    shape: Shape,
    value: &'static str,
    about: &'static str,
) -> Key {
    Key { name, shape, value: Value::Unset(value), about }
}

/// Ten years, in seconds.
pub(super) const SECS_MAX: u64 = 315_360_000;

/// All of it, in the order in which it is shown.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        path: &["store"],
        about: "Where orders are kept.",
        keys: &[key("url", Shape::Text, r#""sqlite:pawl.db""#, r#"or "postgres://...""#)],
    },
    Section {
        path: &["queue"],
        about: "Where callbacks wait.",
        keys: &[
            key(
                "url",
                Shape::Text,
                r#""embedded""#,
                r#"in the store's own file; or "amqp://...", with PostgreSQL"#,
            ),
            key(
                "prefix",
                Shape::Text,
                r#""pawl""#,
                "what the names of exchanges and queues begin with",
            ),
        ],
    },
    Section {
        path: &["receive"],
        about: "How callbacks are received.",
        keys: &[
            key("listen", Shape::Text, r#""127.0.0.1:8080""#, "IP address and port"),
            key(
                "body_bytes_max",
                Shape::Number(1, 16_777_216),
                "262144",
                "the largest body that is read, in bytes",
            ),
            key(
                "in_flight_max",
                Shape::Number(1, 65_536),
                "1024",
                "requests under way; more at once are told to come again",
            ),
            key(
                "confirm_timeout_ms",
                Shape::Number(10, 60_000),
                "1500",
                "how long the queue may take before we answer 503, in milliseconds",
            ),
        ],
    },
    Section {
        path: &["work"],
        about: "How callbacks are worked off.",
        keys: &[
            key("batch_max", Shape::Number(1, 10_000), "500", "callbacks a transaction"),
            key(
                "linger_ms",
                Shape::Number(0, 10_000),
                "5",
                "how long a part-full batch waits for company, in milliseconds",
            ),
            key(
                "attempts_max",
                Shape::Number(1, 1000),
                "10",
                "processes that end on a callback; then it is a dead letter",
            ),
        ],
    },
    Section {
        path: &["admin"],
        about: "Where people and programs look and act.",
        keys: &[
            key("listen", Shape::Text, r#""127.0.0.1:8081""#, "elsewhere only with a token"),
            unset(
                "token",
                Shape::Secret,
                r#"{ file = "/etc/pawl/admin-token" }"#,
                "what a request must carry as Authorization: Bearer ...",
            ),
        ],
    },
    Section {
        path: &["log"],
        about: "What is logged, on standard error.",
        keys: &[
            key(
                "format",
                Shape::Word(&["text", "json"]),
                r#""text""#,
                r#"for people; or "json", an object a line"#,
            ),
            key("level", Shape::Text, r#""info""#, "trace, debug, info, warn, error or off"),
        ],
    },
    Section {
        path: &["stop"],
        about: "How the daemon stops.",
        keys: &[key(
            "grace_secs",
            Shape::Number(0, 3600),
            "25",
            "how long a stop may take, in seconds",
        )],
    },
    Section {
        path: &["providers"],
        about: "Where your own definitions are.",
        keys: &[unset(
            "dir",
            Shape::Text,
            r#""/etc/pawl/providers""#,
            "a folder with definitions of your own",
        )],
    },
    Section {
        path: &["source", "*"],
        about: "One account at a provider. Its name stands in the callback URL.",
        keys: SOURCE,
    },
    Section {
        path: &["source", "*", "ask"],
        about: "When the source's orders are asked about.",
        keys: &[
            key(
                "first_secs",
                Shape::Number(1, SECS_MAX),
                "10",
                "the first delay after a move, in seconds",
            ),
            key("factor", Shape::Number(1, 100), "2", "what each further delay is multiplied by"),
            key("cap_secs", Shape::Number(1, SECS_MAX), "900", "the longest delay, in seconds"),
            key(
                "horizon_secs",
                Shape::Number(1, SECS_MAX),
                "86400",
                "of answers that change nothing; then a person is asked, in seconds",
            ),
            key(
                "watch_secs",
                Shape::Number(1, SECS_MAX),
                "86400",
                "the slow watch, once final or unresolved, in seconds",
            ),
            key(
                "watch_days",
                Shape::Number(0, 3650),
                "30",
                "how long the slow watch lasts, in days",
            ),
        ],
    },
    Section {
        path: &["source", "*", "feed"],
        about: "When the source's feed is read, where the provider has one.",
        keys: &[
            unset(
                "every_secs",
                Shape::Number(1, SECS_MAX),
                "30",
                "how often; else as the definition says, in seconds",
            ),
            unset(
                "overlap_secs",
                Shape::Number(0, SECS_MAX),
                "120",
                "how much is read again; else as the definition says, in seconds",
            ),
        ],
    },
    Section {
        path: &["source", "*", "limits"],
        about: "How often the source may be asked.",
        keys: &[
            key("requests_per_second", Shape::Number(1, 10_000), "5", "of all processes together"),
            key("burst", Shape::Number(1, 10_000), "10", "requests at once"),
            key(
                "hints_per_second",
                Shape::Number(1, 10_000),
                "1",
                "of those, because of callbacks that nobody vouches for",
            ),
            key("hint_burst", Shape::Number(1, 10_000), "5", "of those at once"),
        ],
    },
];

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use serde::Deserialize;
    use serde::de::value::Error;
    use serde::de::{Deserializer, Error as _, Visitor};

    use super::super::file;
    use super::SECTIONS;

    /// Catches which fields a struct asks for.
    #[derive(Default)]
    struct Catch(Cell<&'static [&'static str]>);

    impl<'de> Deserializer<'de> for &Catch {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            Err(Error::custom("no struct"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Error> {
            self.0.set(fields);
            Err(Error::custom("caught"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    pub(in crate::config) fn fields<'de, T: Deserialize<'de>>() -> Vec<&'static str> {
        let catch = Catch::default();
        T::deserialize(&catch).err().expect("it is caught");
        let mut fields = catch.0.get().to_vec();
        fields.sort_unstable();
        fields
    }

    fn listed(path: &[&str]) -> Vec<&'static str> {
        let keys = SECTIONS.iter().filter(|section| section.path == path);
        let mut keys: Vec<_> = keys.flat_map(|section| section.keys).map(|key| key.name).collect();
        let parts = SECTIONS.iter().filter(|section| section.path.len() == path.len() + 1);
        keys.extend(
            parts.filter(|part| part.path.starts_with(path)).map(|part| part.path[path.len()]),
        );
        keys.sort_unstable();
        keys
    }

    #[test]
    fn every_key_of_the_file_is_listed_and_no_other() {
        let mut sections: Vec<_> = SECTIONS.iter().map(|section| section.path[0]).collect();
        sections.dedup();
        sections.sort_unstable();
        assert_eq!(fields::<file::File>(), sections);
        assert_eq!(fields::<file::StoreTable>(), listed(&["store"]));
        assert_eq!(fields::<file::QueueTable>(), listed(&["queue"]));
        assert_eq!(fields::<file::ReceiveTable>(), listed(&["receive"]));
        assert_eq!(fields::<file::WorkTable>(), listed(&["work"]));
        assert_eq!(fields::<file::AdminTable>(), listed(&["admin"]));
        assert_eq!(fields::<file::LogTable>(), listed(&["log"]));
        assert_eq!(fields::<file::StopTable>(), listed(&["stop"]));
        assert_eq!(fields::<file::ProvidersTable>(), listed(&["providers"]));
        assert_eq!(fields::<file::SourceTable>(), listed(&["source", "*"]));
        assert_eq!(fields::<file::AskTable>(), listed(&["source", "*", "ask"]));
        assert_eq!(fields::<file::FeedTable>(), listed(&["source", "*", "feed"]));
        assert_eq!(fields::<file::LimitsTable>(), listed(&["source", "*", "limits"]));
    }
}
