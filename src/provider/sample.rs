//! Samples: bodies in a definition, and what they must come to. They show an author what the
//! definition does, and keep it doing it.

use std::collections::BTreeMap;

use super::Provider;
use super::headers::Headers;
use super::json::Json;
use super::table::SampleTable;
use crate::order::amount::CurrencyError;
use crate::order::decide::{Seen, decide};
use crate::order::joined::Order;
use crate::order::report::{Origin, Report};
use crate::order::rules::Policy;
use crate::order::timestamp::Timestamp;

/// A body and what it must come to.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it is a sample of.
    pub name: String,
    /// Whether it is an answer to a question, and not a callback.
    pub is_answer: bool,
    /// Whether it is an item of a feed.
    pub is_feed: bool,
    /// The body.
    pub body: String,
    /// The samples, by name, that came before.
    pub after: Vec<String>,
    /// The currency that the source says, where the provider says none.
    pub currency: Option<String>,
    status: String,
    kind: Option<String>,
    ids: Vec<String>,
    effects: Vec<String>,
}

/// What a sample came to, other than it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sample \"{sample}\": {what}")]
pub struct SampleFault {
    /// Which sample.
    pub sample: String,
    /// What is other than it should be.
    pub what: String,
}

impl Sample {
    pub(super) fn of(table: &SampleTable) -> Self {
        let SampleTable { name, answer, feed, body, after, currency, status, kind, ids, effects } =
            table.clone();
        let (name, is_answer, is_feed) = (name.into_inner(), answer, feed);
        Self { name, is_answer, is_feed, body, after, currency, status, kind, ids, effects }
    }

    /// Reads the sample, decides it for an order that nothing else is known of but the samples that it comes
    /// after, and compares.
    ///
    /// # Errors
    /// [`SampleFault`], the first difference.
    pub fn check(&self, provider: &Provider, now: Timestamp) -> Result<(), SampleFault> {
        let fault = |what: String| SampleFault { sample: self.name.clone(), what };
        let report = self.read(provider, now).map_err(fault)?;
        let currency = self.currency.as_ref().map(|code| code.parse()).transpose();
        let currency = currency.map_err(|error: CurrencyError| fault(error.to_string()))?;
        let rules = provider.rules(&BTreeMap::new(), Policy { currency, ..Policy::default() });
        let rules = rules.map_err(|error| fault(error.to_string()))?;
        let mut order = Order::default();
        for name in &self.after {
            let earlier = provider.samples.iter().find(|sample| sample.name == *name);
            let earlier = earlier.ok_or_else(|| fault(format!("there is no sample \"{name}\"")))?;
            let report = earlier.read(provider, now).map_err(fault)?;
            order = decide(&rules, &order, &report, Seen::New).order;
        }
        let decision = decide(&rules, &order, &report, Seen::New);
        let effects: Vec<String> = decision
            .effects
            .iter()
            .map(|effect| format!("{} {} {}", effect.slot, effect.amount(), effect.currency))
            .collect();
        let said = |text: Option<String>| text.unwrap_or_else(|| "nothing".to_owned());
        let kind = said(decision.standing.kind.as_ref().map(ToString::to_string));
        let status = said(decision.standing.status.as_ref().map(ToString::to_string));
        let mut ids: Vec<&str> = report.names.keys().map(|id| id.as_str()).collect();
        let mut wanted: Vec<&str> = self.ids.iter().map(String::as_str).collect();
        ids.sort_unstable();
        wanted.sort_unstable();
        let compare = |what: &str, is: &str, wanted: &str| {
            let differs = format!("{what} came to {is}, not to {wanted}");
            if is == wanted { Ok(()) } else { Err(fault(differs)) }
        };
        compare("status", &status, &self.status)?;
        if let Some(wanted) = &self.kind {
            compare("kind", &kind, wanted)?;
        }
        if !wanted.is_empty() {
            compare("ids", &ids.join(", "), &wanted.join(", "))?;
        }
        let effects_text = format!("[{}]", effects.join(", "));
        let held = decision.standing.holds.first().map(|hold| hold.text.as_str());
        if effects != self.effects {
            let wanted = self.effects.join(", ");
            let why = held.map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(fault(format!("effects came to {effects_text}{why}, not to [{wanted}]")));
        }
        Ok(())
    }

    fn read(&self, provider: &Provider, now: Timestamp) -> Result<Report, String> {
        let body = self.body.trim().as_bytes();
        if self.is_feed {
            let feed = provider.feed.as_ref().ok_or("the definition has no [feed]")?;
            let report = provider.read_feed_item(feed, body, now);
            let report = report.map_err(|error| error.to_string())?;
            return report.ok_or_else(|| "it holds no report".to_owned());
        }
        if !self.is_answer {
            let reports = provider
                .read_callback(&Headers::default(), body, now)
                .map_err(|error| error.to_string())?;
            return reports.into_iter().next().ok_or_else(|| "it holds no report".to_owned());
        }
        let ask = provider.ask.as_ref().ok_or("the definition has no [ask]")?;
        // A sample is the answer about itself, whatever order that is.
        let any = Json::read(body).map_err(|error| error.to_string())?;
        let report = ask.places.read_one(&any, &provider.words(), Origin::Answer, now);
        let asked = report.map_err(|error| error.to_string())?.names.into_keys().collect();
        provider.read_answer(ask, &asked, body, None, now).map_err(|error| error.to_string())
    }
}
