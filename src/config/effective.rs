//! The configuration as it works: the file with the environment over it and the defaults beneath, for
//! whoever wants to see it. Secrets are shown as where they are; passwords in URLs are not shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value as Json, json};
use toml::{Table, Value as Toml};

use super::keys::{Key, SECTIONS, Section, Value};
use super::{ConfigError, file, find_text};
use crate::mistake::Mistakes;

/// What stands in the place of a password.
const MASK: &str = "***";

/// A configuration that is shown and not run: no secret of it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective(Table);

impl Effective {
    /// Finds the configuration like [`super::Config::find`].
    ///
    /// # Errors
    /// [`ConfigError`]; only the shape is looked at, not what the values mean.
    pub fn find(given: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let (name, text) = find_text(given)?;
        Ok(Self::read(&name, &text, env)?)
    }

    /// Reads a configuration's text.
    ///
    /// # Errors
    /// The first mistake in its shape.
    pub fn read(name: &str, text: &str, env: &BTreeMap<String, String>) -> Result<Self, Mistakes> {
        let table = file::read_table(text, env);
        let mut table = table.map_err(|mistake| Mistakes::in_file(name, text, vec![mistake]))?;
        for section in SECTIONS {
            for path in paths(section, &names(&table, section)) {
                fill(&mut table, &path, section.keys);
            }
        }
        Ok(Self(table))
    }

    /// As a configuration file, in the order of the example.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let (named, others): (Vec<&Section>, Vec<&Section>) =
            SECTIONS.iter().partition(|section| section.path.contains(&"*"));
        let mut text = String::new();
        for section in others {
            self.write(&mut text, &paths(section, &[])[0], section.keys);
        }
        for what in ["source", "sink"] {
            let own = || named.iter().filter(|section| section.path[0] == what);
            let names = own().next().map(|section| names(&self.0, section)).unwrap_or_default();
            for name in names {
                for section in own() {
                    for path in paths(section, std::slice::from_ref(&name)) {
                        self.write(&mut text, &path, section.keys);
                    }
                }
            }
        }
        text
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!(self.0)
    }

    fn write(&self, text: &mut String, path: &[String], keys: &[Key]) {
        let blank = if text.is_empty() { "" } else { "\n" };
        writeln!(text, "{blank}[{}]", path.join(".")).ok();
        let mut table = Some(&self.0);
        for part in path {
            table = table.and_then(|table| table.get(part)?.as_table());
        }
        for key in keys {
            if let Some(value) = table.and_then(|table| table.get(key.name)) {
                writeln!(text, "{} = {value}", key.name).ok();
            }
        }
    }
}

/// The names that are chosen for a section.
fn names(table: &Table, section: &Section) -> Vec<String> {
    match table.get(section.path[0]) {
        Some(Toml::Table(named)) => named.keys().cloned().collect(),
        Some(_) | None => Vec::new(),
    }
}

/// Where a section stands: once, or once in each that has a name.
fn paths(section: &Section, names: &[String]) -> Vec<Vec<String>> {
    let with = |name: &str| {
        let part = |part: &&str| if *part == "*" { name.to_owned() } else { (*part).to_owned() };
        section.path.iter().map(part).collect()
    };
    if section.path.contains(&"*") {
        names.iter().map(|name| with(name)).collect()
    } else {
        vec![with("")]
    }
}

/// Lays the defaults beneath what is said, and masks what nobody is to see.
fn fill(table: &mut Table, path: &[String], keys: &[Key]) {
    let Some((first, rest)) = path.split_first() else {
        for key in keys {
            if let Value::Default(value) = key.value
                && !table.contains_key(key.name)
                && let Ok(default) = toml::from_str::<Table>(&format!("default = {value}"))
            {
                table.insert(key.name.to_owned(), default["default"].clone());
            }
            if let Some(Toml::String(url)) = table.get_mut(key.name)
                && key.name.ends_with("url")
            {
                *url = mask(url);
            }
        }
        return;
    };
    let inner = table.entry(first.clone()).or_insert_with(|| Toml::Table(Table::new()));
    if let Toml::Table(inner) = inner {
        fill(inner, rest, keys);
    }
}

/// A URL without its password. Rather too much is masked than too little.
fn mask(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let is_http = scheme.starts_with("http");
    let authority = if is_http { rest.split(['/', '?', '#']).next().unwrap_or(rest) } else { rest };
    let (masked, rest) = match authority.rfind('@') {
        None => (String::new(), rest),
        Some(at) => {
            let masked = match authority[..at].split_once(':') {
                Some((user, _)) => format!("{user}:{MASK}"),
                None if is_http => MASK.to_owned(),
                None => authority[..at].to_owned(),
            };
            (masked, &rest[at..])
        }
    };
    let (before, query) = match rest.split_once('?') {
        None => (rest, String::new()),
        Some((before, query)) => {
            let parts = query.split('&').map(|part| match part.split_once('=') {
                Some((name, _)) if name.contains("password") => format!("{name}={MASK}"),
                Some(_) | None => part.to_owned(),
            });
            (before, format!("?{}", parts.collect::<Vec<_>>().join("&")))
        }
    };
    format!("{scheme}://{masked}{before}{query}")
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn passwords_are_masked_and_nothing_else() {
        for (url, masked) in [
            ("sqlite:pawl.db", "sqlite:pawl.db"),
            ("embedded", "embedded"),
            ("postgres://pawl@localhost/pawl", "postgres://pawl@localhost/pawl"),
            ("postgres://pawl:hush@localhost/pawl", "postgres://pawl:***@localhost/pawl"),
            ("postgres://pawl:hu/s@h@localhost/pawl", "postgres://pawl:***@localhost/pawl"),
            ("postgres://h/db?user=a&password=hush", "postgres://h/db?user=a&password=***"),
            ("amqp://guest:guest@localhost:5672/%2f", "amqp://guest:***@localhost:5672/%2f"),
            ("https://fly-pay.io/a@b:c", "https://fly-pay.io/a@b:c"),
            ("https://hush@fly-pay.io", "https://***@fly-pay.io"),
            ("https://user:hush@fly-pay.io/api", "https://user:***@fly-pay.io/api"),
        ] {
            assert_eq!(mask(url), masked);
        }
    }
}
