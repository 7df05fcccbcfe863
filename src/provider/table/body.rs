//! Bodies of our requests.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// One body, or several of which the first counts whose places are all known.
#[derive(Debug, Default, Clone)]
pub(in crate::provider) struct Bodies(pub Vec<toml::Table>);

// By hand, because an untagged enum says nothing useful.
impl<'de> Deserialize<'de> for Bodies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Bodies;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table, or a list of tables")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bodies, A::Error> {
                let body = toml::Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Bodies(vec![body]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bodies, A::Error> {
                let mut bodies = Vec::new();
                while let Some(body) = items.next_element()? {
                    bodies.push(body);
                }
                Ok(Bodies(bodies))
            }
        }
        deserializer.deserialize_any(Read)
    }
}
