//! Mistakes in a file that a person wrote: where it is, what is wrong, and what to write.

use std::fmt;
use std::ops::Range;

/// One mistake, at a place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Byte offsets into the file's text; `None` where the whole file is meant.
    pub span: Option<Range<usize>>,
    /// What is wrong, and what to write.
    pub what: String,
}

impl Mistake {
    /// A mistake at a place.
    #[must_use]
    pub fn at(span: Range<usize>, what: impl Into<String>) -> Self {
        Self { span: Some(span), what: what.into() }
    }

    /// A mistake of the file as a whole.
    #[must_use]
    pub fn of_file(what: impl Into<String>) -> Self {
        Self { span: None, what: what.into() }
    }
}

/// Everything that is wrong with one file. Shown a line each, as `file:line:column: what`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    file: String,
    /// Line and column of each, in the order of the file.
    found: Vec<(Option<(usize, usize)>, String)>,
}

impl Mistakes {
    /// Places mistakes in the text of the file.
    #[must_use]
    pub fn in_file(file: impl Into<String>, text: &str, mistakes: Vec<Mistake>) -> Self {
        let place = |span: Range<usize>| {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
            (line, column)
        };
        let mut found: Vec<_> = mistakes.into_iter().map(|m| (m.span.map(place), m.what)).collect();
        found.sort();
        found.dedup();
        Self { file: file.into(), found }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (place, what)) in self.found.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match place {
                Some((line, column)) => write!(f, "{}:{line}:{column}: {what}", self.file)?,
                None => write!(f, "{}: {what}", self.file)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Reads TOML into a type that denies unknown fields; what does not fit is a [`Mistake`] that names
/// the nearest known key.
///
/// # Errors
/// The first mistake: a syntax error, an unknown key, a wrong type, a missing key.
pub fn read_toml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Mistake> {
    toml::from_str(text).map_err(|error| {
        let what = explain_toml(error.message());
        Mistake { span: error.span(), what }
    })
}

pub(crate) fn explain_toml(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field")
        && let [unknown, known @ ..] = &quoted[..]
    {
        return unknown_key(unknown, known.iter().copied());
    }
    if message.starts_with("unknown variant")
        && let [unknown, known @ ..] = &quoted[..]
    {
        return format!("`{unknown}` cannot stand here: write one of {}", known.join(", "));
    }
    if message.starts_with("missing field")
        && let [missing] = &quoted[..]
    {
        return format!("the key `{missing}` is missing here");
    }
    let mut message = message.to_owned();
    for (rust, words) in [
        ("expected u64", "expected a number"),
        ("expected struct SecretTable", "expected { env = \"NAME\" } or { file = \"/path\" }"),
        (
            "expected struct CallbackSecretTable",
            "expected { env = \"NAME\" } or { file = \"/path\" }",
        ),
    ] {
        message = message.replace(rust, words);
    }
    // What is left are sections.
    match message.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a table"),
        None => message,
    }
}

/// Says that a key is unknown, and which known one is nearest.
pub fn unknown_key<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(unknown, known.iter().copied()) {
        Some(nearest) => format!("there is no key `{unknown}`: did you mean `{nearest}`?"),
        None if known.is_empty() => format!("there is no key `{unknown}`: remove it"),
        None => format!("there is no key `{unknown}`: the keys are {}", known.join(", ")),
    }
}

/// The known word that is most like a given one, if any is at all like it.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
