//! Form bodies (`application/x-www-form-urlencoded`), read into the same values as JSON: an object of texts.

use std::collections::BTreeSet;

use percent_encoding::percent_decode;

use super::json::Json;

/// Why a body is not a form that can be trusted to mean one thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A name or a value is not UTF-8.
    #[error("the form is not UTF-8")]
    Encoding,
    /// The same field twice: readers disagree on which one counts.
    #[error("the field `{0}` stands twice in the form")]
    DuplicateField(String),
    /// A text holds U+0000, which PostgreSQL's text cannot.
    #[error("a text contains a NUL character")]
    Nul,
}

/// Reads a form into an object of texts.
///
/// # Errors
/// [`FormError`].
pub fn read(body: &[u8]) -> Result<Json, FormError> {
    let fields = read_fields(body)?;
    Ok(Json::Object(fields.into_iter().map(|(name, value)| (name, Json::Text(value))).collect()))
}

/// Reads a form, or a query. A field without `=` has an empty value.
///
/// # Errors
/// [`FormError`].
pub fn read_fields(body: &[u8]) -> Result<Vec<(String, String)>, FormError> {
    let mut fields = Vec::new();
    let mut names = BTreeSet::new();
    for field in body.split(|byte| *byte == b'&').filter(|field| !field.is_empty()) {
        let at = field.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((field, &[][..]), |at| (&field[..at], &field[at + 1..]));
        let (name, value) = (decode(name)?, decode(value)?);
        if !names.insert(name.clone()) {
            return Err(FormError::DuplicateField(name.chars().take(40).collect()));
        }
        fields.push((name, value));
    }
    Ok(fields)
}

fn decode(text: &[u8]) -> Result<String, FormError> {
    let blanks: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let bytes: Vec<u8> = percent_decode(&blanks).collect();
    let text = String::from_utf8(bytes).map_err(|_| FormError::Encoding)?;
    if text.contains('\0') { Err(FormError::Nul) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Result<Vec<(String, String)>, FormError> {
        read_fields(body.as_bytes())
    }

    #[test]
    fn a_form_is_an_object_of_texts() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            fields("id=tr_1&x=a+b%20c%2B"),
            Ok(vec![pair("id", "tr_1"), pair("x", "a b c+")])
        );
        assert_eq!(fields("a&b=&c=1=2&"), Ok(vec![pair("a", ""), pair("b", ""), pair("c", "1=2")]));
        assert_eq!(fields("%C3%A9=%e2%82%ac"), Ok(vec![pair("\u{e9}", "\u{20ac}")]));
        // What is no escape stands for itself, as browsers and servers read it.
        assert_eq!(fields("a=100%&b=%zz"), Ok(vec![pair("a", "100%"), pair("b", "%zz")]));
        assert_eq!(fields(""), Ok(vec![]));
    }

    #[test]
    fn a_form_that_may_mean_two_things_is_refused() {
        let twice = FormError::DuplicateField("id".to_owned());
        assert_eq!(fields("id=1&id=2"), Err(twice.clone()));
        assert_eq!(fields("id=1&%69d=1"), Err(twice));
        assert_eq!(fields("a=%ff"), Err(FormError::Encoding));
        assert_eq!(fields("a=%00"), Err(FormError::Nul));
    }
}
