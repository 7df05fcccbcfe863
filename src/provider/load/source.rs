//! What a source says itself instead of its provider's definition.

use toml::Spanned;

use super::Found;
use super::callback::load_confirm;
use super::signature::{Signs, load_signature};
use crate::mistake::Mistake;
use crate::order::rules::Confirm;
use crate::provider::signature::Signature;
use crate::provider::table::{ConfirmValue, SignatureTable};
use crate::provider::{Format, Provider};

impl Signature {
    /// Standard Webhooks 1.0 with shared secrets (`v1`), which is how Pawl signs what it sends.
    ///
    /// # Errors
    /// Where the preset is wrong: a fault of ours.
    pub fn standard_webhooks() -> Result<Self, Mistake> {
        let preset = Some(Spanned::new(0..0, "standard_webhooks".to_owned()));
        let table = Spanned::new(0..0, SignatureTable { preset, ..SignatureTable::default() });
        let signs = Signs::Callbacks { format: Format::Json, deciding: &[] };
        let mut found = Found::default();
        let signature = load_signature(&table, signs, &mut found);
        signature.ok_or_else(|| Mistake::of_file("a fault in Pawl itself: it cannot sign"))
    }
}

impl Provider {
    /// Reads a source's own description of how its callbacks are signed.
    pub(crate) fn describe_signature(
        &self,
        table: &Spanned<SignatureTable>,
    ) -> Result<Signature, Vec<Mistake>> {
        let has_loops = self.machine.statuses().iter().any(|rule| self.machine.repeats(&rule.name));
        let deciding = self.callback.deciding(has_loops);
        let signs = Signs::Callbacks { format: self.format, deciding: &deciding };
        let mut found = Found::default();
        load_signature(table, signs, &mut found).ok_or(found.mistakes)
    }

    /// Reads which claims a source wants confirmed.
    pub(crate) fn describe_confirm(
        &self,
        value: &Spanned<ConfirmValue>,
    ) -> Result<Confirm, Vec<Mistake>> {
        let mut found = Found::default();
        let confirm = load_confirm(value, &self.machine, &mut found);
        if found.mistakes.is_empty() { Ok(confirm) } else { Err(found.mistakes) }
    }
}
