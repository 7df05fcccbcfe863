//! Where callbacks wait and orders are kept: one of two forms, never a mix.

use std::path::PathBuf;

use toml::Spanned;

use super::file::File;
use super::{Check, Form};
use crate::provider::secret::Secret;

/// Where orders are kept.
enum Store {
    Sqlite(PathBuf),
    Postgres(Secret),
}

impl Check<'_> {
    pub(super) fn form(&mut self, file: &File) -> Option<Form> {
        let (store, queue) = (file.store.url.as_ref(), file.queue.url.as_ref());
        let prefix = self.prefix(file.queue.prefix.as_ref());
        let kept = self.store(store)?;
        let broker = self.queue(queue)?;
        match (kept, broker) {
            (Store::Sqlite(path), None) => Some(Form::Embedded { path }),
            (Store::Postgres(store_url), Some(queue_url)) => {
                Some(Form::Distributed { store_url, queue_url, prefix })
            }
            (Store::Sqlite(_), Some(_)) | (Store::Postgres(_), None) => {
                let span = queue.or(store).map_or(0..0, Spanned::span);
                let what = "there are two forms: [store] url = \"sqlite:...\" with [queue] url = \
                            \"embedded\", and [store] url = \"postgres://...\" with [queue] url = \
                            \"amqp://...\"; write one of them";
                self.wrong(span, what);
                None
            }
        }
    }

    fn store(&mut self, url: Option<&Spanned<String>>) -> Option<Store> {
        let Some(url) = url else { return Some(Store::Sqlite(PathBuf::from("pawl.db"))) };
        let text = url.get_ref();
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Secret::new(text.as_str()).ok().map(Store::Postgres);
        }
        let path = text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"));
        if let Some(path) = path.filter(|path| !path.is_empty() && *path != ":memory:") {
            return Some(Store::Sqlite(PathBuf::from(path)));
        }
        // Not the text itself: it may hold a password.
        let what = "this is no store: write \"sqlite:\" and a file, such as \"sqlite:pawl.db\", or \
                    \"postgres://USER@HOST/DATABASE\"";
        self.wrong(url.span(), what);
        None
    }

    /// The broker's URL; none where the queue is in the store's own file.
    fn queue(&mut self, url: Option<&Spanned<String>>) -> Option<Option<Secret>> {
        let Some(url) = url.filter(|url| url.get_ref() != "embedded") else { return Some(None) };
        let text = url.get_ref();
        if text.starts_with("amqp://") || text.starts_with("amqps://") {
            return Some(Secret::new(text.as_str()).ok());
        }
        let what = "this is no queue: write \"embedded\", or \"amqp://USER@HOST/%2f\"";
        self.wrong(url.span(), what);
        None
    }

    fn prefix(&mut self, prefix: Option<&Spanned<String>>) -> String {
        let Some(prefix) = prefix else { return "pawl".to_owned() };
        let text = prefix.get_ref();
        let is_name = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.');
        if !is_name {
            let what = format!("`{text}` is no prefix: write letters, digits, `_`, `-` and `.`");
            self.wrong(prefix.span(), what);
        }
        text.clone()
    }
}
