//! Several things in one header: `t=1764500000,v1=5257a8...,v1=c1f3...` or `v1,K5oZ... v1a,hnO3...`.

use super::SignatureError;

/// How the value at the signature's place is a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// Between items.
    pub split: String,
    /// Between an item's name and its value; `None` where items are signatures without names.
    pub pair: Option<String>,
    /// The names of signatures. What has another name is something else, or of another version.
    pub signature: Vec<String>,
}

/// What stands in a list.
pub(super) struct Listed {
    pub signatures: Vec<String>,
    /// Everything else, by name.
    pub named: Vec<(String, String)>,
}

/// No sender needs more; each costs a comparison.
pub(super) const SIGNATURES_MAX: usize = 16;

impl List {
    /// Takes a list apart.
    pub(super) fn read(&self, value: &str) -> Result<Listed, SignatureError> {
        let items = value.split(&self.split).map(str::trim).filter(|item| !item.is_empty());
        let (mut signatures, mut named) = (Vec::new(), Vec::new());
        for item in items {
            match &self.pair {
                None => signatures.push(item.to_owned()),
                Some(pair) => {
                    let (name, value) = item.split_once(pair).ok_or(SignatureError::Malformed)?;
                    let (name, value) = (name.trim(), value.trim());
                    if self.signature.iter().any(|known| known == name) {
                        signatures.push(value.to_owned());
                    } else {
                        named.push((name.to_owned(), value.to_owned()));
                    }
                }
            }
        }
        let is_bounded = (1..=SIGNATURES_MAX).contains(&signatures.len());
        if is_bounded { Ok(Listed { signatures, named }) } else { Err(SignatureError::Malformed) }
    }

    /// Writes a list with one signature.
    pub(super) fn write(&self, named: &[(&str, &str)], signature: &str) -> String {
        let Some(pair) = &self.pair else { return signature.to_owned() };
        let name = self.signature.first().map_or("", String::as_str);
        let items = named.iter().copied().chain([(name, signature)]);
        let items: Vec<String> =
            items.map(|(name, value)| format!("{name}{pair}{value}")).collect();
        items.join(&self.split)
    }
}
