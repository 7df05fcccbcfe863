//! Silence: the provider's answer had the news, and its callback has not come. Measured, so that a
//! callback URL that is wrong is seen, and not only made up for.

use super::joined::Order;
use super::machine::Machine;
use super::name::Status;
use super::report::{Content, Origin, Report, Said};
use super::timestamp::Timestamp;

/// A callback that has not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// About this status.
    pub status: Status,
    /// When the answer came that had the news.
    pub since: Timestamp,
    /// The sender's own retries have ended meanwhile.
    pub is_missed: bool,
}

impl Silence {
    /// What is silent after a report. One status at a time: what comes after it stands for it. `before`
    /// is the order without the report, `calls_back` whether the provider sends a callback for a status.
    #[must_use]
    pub fn after(
        silence: Option<Self>,
        machine: &Machine,
        calls_back: impl Fn(&Status) -> bool,
        before: &Order,
        report: &Report,
    ) -> Option<Self> {
        let Content::Said(Said { status: Some(spelling), .. }) = &report.content else {
            return silence;
        };
        let Some(rule) = machine.find(spelling) else { return silence };
        match report.origin {
            Origin::Callback => silence.filter(|silence| silence.status != rule.name),
            Origin::Answer | Origin::Feed => {
                let is_news = !before.claims.iter().any(|claim| claim.status == rule.name);
                if is_news && calls_back(&rule.name) {
                    let (status, since) = (rule.name.clone(), report.received_at);
                    return Some(Self { status, since, is_missed: false });
                }
                silence
            }
            Origin::Action | Origin::Registration | Origin::Operator => silence,
        }
    }
}
