//! Which claims must be confirmed, by a definition or by a source.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// `"always"`, `"never"`, or a table of conditions.
#[derive(Debug)]
pub(crate) enum ConfirmValue {
    Word(String),
    When { above: Option<String>, statuses: Vec<String> },
}

// By hand, because an untagged enum says nothing useful about what is wrong.
impl<'de> Deserialize<'de> for ConfirmValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = ConfirmValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"always\", \"never\", or a table with `above` or `statuses`")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<ConfirmValue, E> {
                Ok(ConfirmValue::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ConfirmValue, A::Error> {
                let (mut above, mut statuses) = (None, Vec::new());
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "above" => above = Some(map.next_value()?),
                        "statuses" => statuses = map.next_value()?,
                        _ => {
                            let known = &["above", "statuses"];
                            return Err(serde::de::Error::unknown_field(&key, known));
                        }
                    }
                }
                Ok(ConfirmValue::When { above, statuses })
            }
        }
        deserializer.deserialize_any(Read)
    }
}
