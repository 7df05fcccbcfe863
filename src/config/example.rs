//! The example: a whole configuration with every key, its default, and what it is for.

use std::fmt::Write as _;

use super::keys::{SECTIONS, Value};

const HEAD: &str = "\
# Pawl's configuration, all of it. What is written here is the default, but for the source; what is
# commented out has none. A variable PAWL_SECTION__KEY stands above a key, for example
# PAWL_SOURCE__SHOP__BASE_URL. `pawl check` says what is wrong.

";

/// Where the comments stand, if the keys leave room for them.
const COLUMN: usize = 34;

/// A whole configuration, to be begun with.
#[must_use]
pub fn example() -> String {
    format!("{HEAD}{}", body())
}

fn body() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let is_sink = section.path[0] == "sink";
        let name = if is_sink { "books" } else { "shop" };
        let path: Vec<&str> =
            section.path.iter().map(|part| if *part == "*" { name } else { *part }).collect();
        // A blank line before the source, and before the sink; nothing else is long enough to need one.
        let blank = if section.path.len() == 2 { "\n" } else { "" };
        // There is a source in every configuration, and a sink in those that have one.
        let mark = if is_sink { "# " } else { "" };
        writeln!(text, "{blank}{mark}[{}]", path.join(".")).ok();
        for key in section.keys {
            let line = match key.value {
                Value::Must(value) | Value::Usual(value) | Value::Default(value) => {
                    format!("{mark}{} = {value}", key.name)
                }
                Value::Unset(value) => format!("# {} = {value}", key.name),
            };
            writeln!(text, "{line:<COLUMN$} # {}", key.about).ok();
        }
    }
    text
}
