//! Reading an answer that nobody asked for: one that was kept, to see what it says.

use super::json::Json;
use super::request::Ask;
use super::{Provider, Unreadable};
use crate::order::report::{Origin, Report};
use crate::order::timestamp::Timestamp;

impl Provider {
    /// Reads an answer as one about whatever order it names. An answer without a time of its own takes the one
    /// at which the provider gave it.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read_kept_answer(
        &self,
        ask: &Ask,
        body: &[u8],
        date: Option<Timestamp>,
        received_at: Timestamp,
    ) -> Result<Report, Unreadable> {
        ask.envelope.check(body)?;
        let any = Json::read(body)?;
        let report = ask.places.read_one(&any, &self.words(), Origin::Answer, received_at)?;
        let asked = report.names.into_keys().collect();
        self.read_answer(ask, &asked, body, date, received_at)
    }
}
