//! Texts, one or several, and texts a leg.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::order::slot::Leg;

/// One text, or several of which the first that is there counts.
pub(in crate::provider) type Texts = Spanned<OneOrMore>;

/// One text or several.
#[derive(Debug, Clone)]
pub(in crate::provider) struct OneOrMore(pub Vec<String>);

// By hand, because an untagged enum loses the place of what is wrong, and says nothing useful.
impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore(texts))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A text a leg; a text alone is for the leg `to`.
pub(in crate::provider) type Legs = Spanned<LegTexts>;

/// A text a leg.
#[derive(Debug, Default, Clone)]
pub(in crate::provider) struct LegTexts(pub BTreeMap<Leg, String>);

impl<'de> Deserialize<'de> for LegTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = LegTexts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a table with `from` and `to`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LegTexts, E> {
                Ok(LegTexts(BTreeMap::from([(Leg::To, text.to_owned())])))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LegTexts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((leg, text)) = map.next_entry()? {
                    texts.insert(leg, text);
                }
                Ok(LegTexts(texts))
            }
        }
        deserializer.deserialize_any(Read)
    }
}
