//! A request that somebody kept: its headers in a file, and its body in another.

use std::path::Path;

use anyhow::Context;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// A request as it was kept.
pub(super) struct Kept {
    /// From the first line, where it is there.
    pub method: Option<String>,
    /// The same: path and query.
    pub path: Option<String>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

pub(super) fn read(headers: &Path, body: &Path) -> anyhow::Result<Kept> {
    let name = headers.display();
    let text = std::fs::read_to_string(headers).with_context(|| format!("cannot read {name}"))?;
    let (mut kept, mut is_first) = (Kept::empty(), true);
    for (number, line) in text.lines().enumerate() {
        // As `curl --verbose` prints what it sends.
        let line = line.strip_prefix("> ").unwrap_or(line).trim_end();
        if line.is_empty() {
            if is_first { continue } else { break }
        }
        let is_begin = std::mem::take(&mut is_first);
        // What HTTP/2 has in place of the first line.
        if line.starts_with(':') || is_begin && kept.take_first(line) {
            continue;
        }
        kept.take_header(line).with_context(|| {
            format!("{name}:{}: write a header a line, as `Name: value`", number + 1)
        })?;
    }
    let name = body.display();
    kept.body = std::fs::read(body).with_context(|| format!("cannot read {name}"))?;
    Ok(kept)
}

impl Kept {
    fn empty() -> Self {
        Self { method: None, path: None, headers: HeaderMap::new(), body: Vec::new() }
    }

    /// `POST /callbacks/shop HTTP/1.1`, or the first line of an answer.
    fn take_first(&mut self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(method), Some(path), Some(version)) if version.starts_with("HTTP/") => {
                self.method = Some(method.to_owned());
                self.path = Some(path.to_owned());
                true
            }
            (Some(version), Some(_), _) => version.starts_with("HTTP/"),
            _ => false,
        }
    }

    fn take_header(&mut self, line: &str) -> anyhow::Result<()> {
        let (name, value) = line.split_once(':').context("there is no `:`")?;
        let name = HeaderName::from_bytes(name.trim().as_bytes())?;
        self.headers.append(name, HeaderValue::from_bytes(value.trim().as_bytes())?);
        Ok(())
    }
}
