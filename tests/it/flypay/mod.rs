//! FlyPay, complete: what its documents say, as a user of the definition sees it.

mod table;
mod wire;

use std::collections::BTreeMap;

use pawl::order::rules::{Policy, Rules};
use pawl::provider::Provider;

pub(crate) const STATUSES: [&str; 6] =
    ["new", "processing", "completed", "completed_partially", "canceled", "error"];

pub(crate) const KINDS: [&str; 6] = [
    "deposit",
    "deposit_exchange",
    "deposit_exchange_withdraw",
    "exchange",
    "exchange_withdraw",
    "withdraw",
];

pub(crate) fn flypay() -> Provider {
    let built_in = Provider::built_in().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    built_in.into_iter().find(|provider| provider.name == "flypay").unwrap()
}

pub(crate) fn rules() -> Rules {
    flypay().rules(&BTreeMap::new(), Policy::default()).unwrap()
}
