//! Commands as a shell takes them, with words that come from outside.

use std::fmt::Write as _;

/// A command of words.
pub(super) fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it: it is never more than one, and never obeyed.
pub(super) fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.chars().any(char::is_control) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(quoted, "\\x{byte:02x}").ok();
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_word_is_one_word_and_is_not_obeyed() {
        for (word, quoted) in [
            ("wd-5540", "wd-5540"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's; rm -rf $HOME", r"'it'\''s; rm -rf $HOME'"),
            ("currency of leg to=USD", "'currency of leg to=USD'"),
            ("a\n\u{1b}[2J'\\", r"$'a\x0a\x1b[2J\'\\'"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }
}
