//! How a source's callbacks are believed: what they are signed with and how, and what must be confirmed.

use std::ops::Range;

use toml::Spanned;

use super::file::{CallbackSecretTable, SignatureValue, SourceTable};
use super::{Check, did_you_mean};
use crate::mistake::Mistake;
use crate::order::rules::Confirm;
use crate::order::timestamp::Timestamp;
use crate::provider::Provider;
use crate::provider::secret::CallbackSecret;
use crate::provider::signature::{SECRETS_MAX, Signature};

impl Check<'_> {
    /// How the callbacks are signed: as the source says, or else as the definition does.
    pub(super) fn signature(&mut self, table: &SourceTable, provider: &Provider) -> Signature {
        let Some(value) = &table.signature else { return provider.signature.clone() };
        match value.get_ref() {
            SignatureValue::Named(name) => match provider.signatures.get(name) {
                Some(signature) => signature.clone(),
                None => {
                    let known = provider.signatures.keys().map(String::as_str);
                    let what = format!(
                        "{} has no signature `{name}`: {}; or describe it, as in [callback.signature]",
                        provider.title,
                        did_you_mean(name, known)
                    );
                    self.wrong(value.span(), what);
                    provider.signature.clone()
                }
            },
            SignatureValue::Described(described) => {
                let described = Spanned::new(value.span(), described.as_ref().clone());
                let described = provider.describe_signature(&described);
                described.unwrap_or_else(|mistakes| {
                    self.all_wrong(mistakes);
                    provider.signature.clone()
                })
            }
        }
    }

    /// Which claims must be confirmed: as the source says, or else the definition. A signature that does
    /// not bind what is said leaves it to the provider's answers.
    pub(super) fn confirm(
        &mut self,
        table: &SourceTable,
        provider: &Provider,
        signature: &Signature,
    ) -> Confirm {
        match &table.confirm {
            Some(value) => provider.describe_confirm(value).unwrap_or_else(|mistakes| {
                self.all_wrong(mistakes);
                Confirm::Always
            }),
            None => {
                let unbound =
                    if signature.is_of_sender_only() { Confirm::Always } else { Confirm::Never };
                provider.confirm.clone().unwrap_or(unbound)
            }
        }
    }

    /// The URL that the provider was given.
    pub(super) fn public_url(
        &mut self,
        name: &Spanned<String>,
        table: &SourceTable,
        signature: &Signature,
    ) -> Option<String> {
        let Some(url) = &table.public_url else {
            if signature.needs_url() {
                let what = format!(
                    "the callbacks of `{0}` are signed with their URL, which is not known here behind \
                     proxies: add public_url = \"https://.../callbacks/{0}\", as the provider has it",
                    name.get_ref()
                );
                self.wrong(name.span(), what);
            }
            return None;
        };
        let text = url.get_ref();
        let after = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let is_url = after.is_some_and(|after| !after.starts_with(['/', '?']) && !after.is_empty())
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if !is_url {
            let what = format!("`{text}` is no URL: write \"https://...\", as the provider has it");
            self.wrong(url.span(), what);
        }
        Some(text.clone())
    }

    /// What the callbacks are signed with.
    pub(super) fn callback_secrets(
        &mut self,
        name: &Spanned<String>,
        tables: &[Spanned<CallbackSecretTable>],
        signature: &Signature,
    ) -> Vec<CallbackSecret> {
        if tables.is_empty() && !signature.is_none() {
            let what = format!(
                "the source `{}` has no callback_secrets: add callback_secrets = [{{ env = \"...\" }}], or \
                 every callback would be refused",
                name.get_ref()
            );
            self.wrong(name.span(), what);
        }
        if let Some(first) = tables.get(SECRETS_MAX) {
            let what = format!(
                "a callback is checked with {SECRETS_MAX} secrets at most: remove those that are no \
                 longer in use"
            );
            self.wrong(first.span(), what);
        }
        tables.iter().filter_map(|table| self.callback_secret(table, signature)).collect()
    }

    pub(super) fn callback_secret(
        &mut self,
        spanned: &Spanned<CallbackSecretTable>,
        signature: &Signature,
    ) -> Option<CallbackSecret> {
        let (table, span) = (spanned.get_ref(), spanned.span());
        let secret = self.secret(table.env.as_deref(), table.file.as_deref(), &span);
        let not_before = self.time(table.not_before.as_deref(), &span);
        let not_after = self.time(table.not_after.as_deref(), &span);
        if let (Some(from), Some(until)) = (not_before, not_after)
            && until <= from
        {
            self.wrong(span.clone(), "not_after is not after not_before: it is never good");
        }
        if signature.names_key() && table.id.is_none() {
            let what =
                "callbacks name the key that they are signed with: add id = \"...\", its name";
            self.wrong(span.clone(), what);
        }
        let secret = secret?;
        if let Err(error) = signature.check_key(&secret) {
            self.wrong(span, format!("{error}: it must be {}", signature.wanted_key()));
        }
        Some(CallbackSecret { secret, id: table.id.clone(), not_before, not_after })
    }

    fn time(&mut self, text: Option<&str>, span: &Range<usize>) -> Option<Timestamp> {
        let time = text?.parse::<Timestamp>();
        time.map_err(|error| self.wrong(span.clone(), error.to_string())).ok()
    }

    fn all_wrong(&mut self, mistakes: Vec<Mistake>) {
        self.mistakes.extend(mistakes);
    }
}
