//! What errors mean: which of a provider's answers say that it knows no such order, that it is asked too
//! often, or that it does not take our credentials. All others say nothing.

use serde::Deserialize;

use super::json::{Json, Pointer};

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// The provider knows no such order.
    NotFound,
    /// It is asked too often.
    Throttled,
    /// It does not take our credentials.
    Forbidden,
    /// It says nothing.
    NoInformation,
}

/// One sort of error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRule {
    /// With one of these statuses.
    pub statuses: Vec<u16>,
    /// Whose body says one of these texts there.
    pub says: Option<(Pointer, Vec<String>)>,
    /// What it means.
    pub means: Meaning,
}

/// What errors mean where a definition says it. The first that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(pub Vec<ErrorRule>);

impl Errors {
    /// Whether what an answer of this status means depends on its body.
    #[must_use]
    pub fn needs_body(&self, status: u16) -> bool {
        self.0.iter().any(|rule| rule.says.is_some() && rule.statuses.contains(&status))
    }

    /// What an answer means, where the definition says it.
    #[must_use]
    pub fn meaning(&self, status: u16, body: &[u8]) -> Option<Meaning> {
        let mut rules = self.0.iter().filter(|rule| rule.statuses.contains(&status)).peekable();
        rules.peek()?;
        // A body that cannot be read says nothing.
        let body = Json::read(body).ok();
        let fits = |rule: &&ErrorRule| match &rule.says {
            None => true,
            Some((place, texts)) => {
                let said = body.as_ref().and_then(|body| body.at(place));
                match said {
                    Some(Json::Text(said) | Json::Number(said)) => texts.contains(said),
                    Some(Json::Bool(said)) => texts.iter().any(|text| *text == said.to_string()),
                    Some(Json::Null | Json::List(_) | Json::Object(_)) | None => false,
                }
            }
        };
        rules.find(fits).map(|rule| rule.means)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_says_what_an_error_means() {
        let rule = |status, says: Option<&str>, means| ErrorRule {
            statuses: vec![status],
            says: says.map(|text| (Pointer::member("code"), vec![text.to_owned()])),
            means,
        };
        let errors = Errors(vec![
            rule(400, Some("E_UNKNOWN"), Meaning::NotFound),
            rule(400, Some("17"), Meaning::Throttled),
            rule(400, Some("false"), Meaning::NoInformation),
            rule(404, None, Meaning::Forbidden),
        ]);
        for (status, body, means) in [
            (400, r#"{"code":"E_UNKNOWN"}"#, Some(Meaning::NotFound)),
            (400, r#"{"code":17}"#, Some(Meaning::Throttled)),
            (400, r#"{"code":false}"#, Some(Meaning::NoInformation)),
            (400, r#"{"code":"E_OTHER"}"#, None),
            (400, r#"{"code":"E_OTHER","code":"E_UNKNOWN"}"#, None),
            (400, "<html>", None),
            (404, "<html>", Some(Meaning::Forbidden)),
            (200, r#"{"code":"E_UNKNOWN"}"#, None),
        ] {
            assert_eq!(errors.meaning(status, body.as_bytes()), means, "{status} {body}");
        }
        assert!(errors.needs_body(400) && !errors.needs_body(404));
    }
}
