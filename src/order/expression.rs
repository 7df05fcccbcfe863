//! What a definition may say about an amount: names, sums, differences, first-present and
//! if-present. Nothing more, so that a total stays a function of what was reported.
//!
//! ```text
//! expression = sum { "|" sum }              the first that has a value
//! sum        = part { ("+" | "-") part }    no value unless every part has one
//! part       = name [ "?" ] | number | "(" expression ")"
//! ```
//! In a total the only number is 0, for what is not said where nothing has moved.
//! A part with `?` is left out where it is absent. It may not stand behind a minus: the result would
//! be too high as long as the part is unknown, and money that was issued does not come back.

use std::collections::BTreeSet;
use std::fmt;

use rust_decimal::Decimal;

use super::amount::{Amount, exact_sum};

/// An amount, computed from the named amounts of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Name(String),
    Number(Amount),
    Sum(Vec<Part>),
    First(Vec<Node>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    minus: bool,
    optional: bool,
    node: Node,
}

/// Why an expression has no usable value although all its parts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionFault {
    /// More was subtracted than there was.
    #[error("is negative")]
    Negative,
    /// The exact result needs more than 28 digits.
    #[error("cannot be held exactly")]
    Inexact,
}

/// What is wrong with the text of an expression, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("in `{text}`, at character {}: {what}", at + 1)]
pub struct SyntaxError {
    /// The whole text.
    pub text: String,
    /// Byte offset into it.
    pub at: usize,
    /// What was found, and what is allowed there.
    pub what: String,
}

impl Expression {
    /// Reads a text. `numbers` allows literals, which make sense in a condition; in a total only 0 does.
    ///
    /// # Errors
    /// [`SyntaxError`] with the place.
    pub fn parse(text: &str, numbers: bool) -> Result<Self, SyntaxError> {
        let mut parser = Parser { text, at: 0, depth: 0, numbers };
        let root = parser.first(false)?;
        parser.blank();
        if parser.at < text.len() {
            return Err(parser.error("expected `+`, `-`, `|` or the end"));
        }
        Ok(Self { text: text.to_owned(), root })
    }

    /// The names that it mentions.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.root.collect(&mut names);
        names
    }

    /// The value, where it is known and not negative.
    ///
    /// # Errors
    /// [`ExpressionFault`] where all parts are known and the result is no amount.
    pub fn amount(
        &self,
        known: &impl Fn(&str) -> Option<Amount>,
    ) -> Result<Option<Amount>, ExpressionFault> {
        match self.root.value(known)? {
            None => Ok(None),
            Some(value) => Amount::from_decimal(value).map(Some).ok_or(ExpressionFault::Negative),
        }
    }

    /// The value with its sign, for a comparison.
    ///
    /// # Errors
    /// [`ExpressionFault::Inexact`].
    pub fn signed(
        &self,
        known: &impl Fn(&str) -> Option<Amount>,
    ) -> Result<Option<Decimal>, ExpressionFault> {
        self.root.value(known)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Node {
    fn collect<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Self::Name(name) => {
                names.insert(name);
            }
            Self::Number(_) => {}
            Self::Sum(parts) => parts.iter().for_each(|part| part.node.collect(names)),
            Self::First(nodes) => nodes.iter().for_each(|node| node.collect(names)),
        }
    }

    fn value(
        &self,
        known: &impl Fn(&str) -> Option<Amount>,
    ) -> Result<Option<Decimal>, ExpressionFault> {
        match self {
            Self::Name(name) => Ok(known(name).map(Amount::decimal)),
            Self::Number(number) => Ok(Some(number.decimal())),
            Self::First(nodes) => {
                for node in nodes {
                    if let Some(value) = node.value(known)? {
                        return Ok(Some(value));
                    }
                }
                Ok(None)
            }
            Self::Sum(parts) => {
                let mut sum = None;
                for part in parts {
                    match part.node.value(known)? {
                        None if part.optional => {}
                        None => return Ok(None),
                        Some(value) => {
                            let value = if part.minus { -value } else { value };
                            let so_far = sum.unwrap_or(Decimal::ZERO);
                            sum = Some(exact_sum(so_far, value).ok_or(ExpressionFault::Inexact)?);
                        }
                    }
                }
                Ok(sum)
            }
        }
    }
}

/// How deep parentheses may nest: each level is read on the stack.
const DEPTH_MAX: usize = 32;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    numbers: bool,
}

impl Parser<'_> {
    fn first(&mut self, subtracted: bool) -> Result<Node, SyntaxError> {
        let mut nodes = vec![self.sum(subtracted)?];
        while self.take('|') {
            nodes.push(self.sum(subtracted)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::First(nodes) })
    }

    fn sum(&mut self, subtracted: bool) -> Result<Node, SyntaxError> {
        let mut parts = vec![self.part(false, subtracted)?];
        loop {
            if self.take('+') {
                parts.push(self.part(false, subtracted)?);
            } else if self.take('-') {
                parts.push(self.part(true, true)?);
            } else {
                break;
            }
        }
        let alone = parts.len() == 1 && !parts[0].optional;
        Ok(if alone { parts.remove(0).node } else { Node::Sum(parts) })
    }

    fn part(&mut self, minus: bool, subtracted: bool) -> Result<Part, SyntaxError> {
        if self.take('(') {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(self.error("parentheses nest too deep here"));
            }
            let node = self.first(subtracted)?;
            self.depth -= 1;
            if !self.take(')') {
                return Err(self.error("expected `)`"));
            }
            return Ok(Part { minus, optional: false, node });
        }
        self.blank();
        let rest = &self.text[self.at..];
        let len = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(rest.len());
        let word = &rest[..len];
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            // Where nothing said is nothing moved, a total may say so: `refunded | 0`.
            let number =
                word.parse().ok().filter(|number: &Amount| self.numbers || number.is_zero());
            let Some(number) = number else {
                return Err(self.error("a number cannot stand here, only names of amounts, and 0"));
            };
            self.at += len;
            return Ok(Part { minus, optional: false, node: Node::Number(number) });
        }
        if word.is_empty() {
            return Err(self.error("expected the name of an amount"));
        }
        self.at += len;
        let optional = self.take('?');
        if optional && subtracted {
            let what =
                "what is subtracted must be present: without it the result would be too high";
            return Err(self.error(what));
        }
        Ok(Part { minus, optional, node: Node::Name(word.to_owned()) })
    }

    fn blank(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, wanted: char) -> bool {
        self.blank();
        let found = self.text[self.at..].starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn error(&self, what: &str) -> SyntaxError {
        SyntaxError { text: self.text.to_owned(), at: self.at, what: what.to_owned() }
    }
}

/// A comparison of counters, such as `held - released == 0`. An unknown counter counts as 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    left: Expression,
    comparison: Comparison,
    right: Expression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    AtMost,
    AtLeast,
    Less,
    More,
}

/// How comparisons are written; one that begins like another stands before it.
const SIGNS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = SIGNS.iter().find(|(_, known)| *known == self.comparison);
        write!(f, "{} {} {}", self.left, sign.map_or("", |(sign, _)| sign), self.right)
    }
}

impl Condition {
    /// Reads `expression (== | != | <= | >= | < | >) expression`.
    ///
    /// # Errors
    /// [`SyntaxError`] with the place.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let found = SIGNS.iter().find_map(|(sign, comparison)| {
            text.split_once(sign).map(|(left, right)| (left, *comparison, right))
        });
        let Some((left, comparison, right)) = found else {
            let what = "expected a comparison: ==, !=, <=, >=, < or >".to_owned();
            return Err(SyntaxError { text: text.to_owned(), at: text.len(), what });
        };
        Ok(Self {
            left: Expression::parse(left.trim(), true)?,
            comparison,
            right: Expression::parse(right.trim(), true)?,
        })
    }

    /// The names that it mentions.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = self.left.names();
        names.extend(self.right.names());
        names
    }

    /// Whether it holds over these counters.
    #[must_use]
    pub fn holds(&self, counter: &impl Fn(&str) -> Option<Amount>) -> bool {
        let known = |name: &str| counter(name).or(Some(Amount::ZERO));
        let (Ok(Some(left)), Ok(Some(right))) =
            (self.left.signed(&known), self.right.signed(&known))
        else {
            return false;
        };
        match self.comparison {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::AtMost => left <= right,
            Comparison::AtLeast => left >= right,
            Comparison::Less => left < right,
            Comparison::More => left > right,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, known: &[(&str, &str)]) -> Result<Option<String>, ExpressionFault> {
        let find = |name: &str| {
            known.iter().find(|(key, _)| *key == name).map(|(_, v)| v.parse().expect("an amount"))
        };
        let value = Expression::parse(text, false).expect(text).amount(&find)?;
        Ok(value.map(|amount| amount.to_string()))
    }

    #[test]
    fn an_absent_part_is_not_zero() {
        assert_eq!(value("a - fee", &[("a", "10")]), Ok(None));
        assert_eq!(value("a - fee", &[("a", "10"), ("fee", "0.50")]), Ok(Some("9.5".into())));
        assert_eq!(value("a + fee?", &[("a", "10")]), Ok(Some("10".into())));
        assert_eq!(value("a + fee?", &[("fee", "1")]), Ok(None));
        assert_eq!(value("a? + b?", &[]), Ok(None));
        assert_eq!(value("net | (a - fee)", &[("a", "10"), ("fee", "1")]), Ok(Some("9".into())));
        assert_eq!(value("net | a - fee", &[("net", "8"), ("a", "10")]), Ok(Some("8".into())));
        assert_eq!(
            value("a - (b + c)", &[("a", "9"), ("b", "1"), ("c", "2")]),
            Ok(Some("6".into()))
        );
    }

    #[test]
    fn a_result_that_is_no_amount_is_a_fault() {
        assert_eq!(value("a - b", &[("a", "1"), ("b", "2")]), Err(ExpressionFault::Negative));
        let long = "9999999999999999999999999999";
        assert_eq!(value("a + b", &[("a", long), ("b", "0.1")]), Err(ExpressionFault::Inexact));
    }

    #[test]
    fn a_wrong_text_says_where() {
        let error = |text| Expression::parse(text, false).expect_err(text).to_string();
        insta::assert_snapshot!(
            ["", "a +", "a b", "(a", "a - fee?", "a - (b + c?)", "a - 1", "a * b", "a??",]
                .map(error)
                .join("\n")
        );
    }

    #[test]
    fn a_condition_counts_an_unknown_counter_as_zero() {
        let holds = |text: &str| {
            let find = |name: &str| (name == "held").then(|| "5".parse().expect("an amount"));
            Condition::parse(text).expect(text).holds(&find)
        };
        assert!(holds("held - released > 0"));
        assert!(holds("debited == 0"));
        assert!(holds("released - held < 0"));
        assert!(!holds("held != 5.00"));
        assert!(Condition::parse("held").is_err());
    }
}
