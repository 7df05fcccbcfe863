//! `pawl provider check`: whether definitions are right, and their samples come to what they should.

use anyhow::Context;
use time::OffsetDateTime;

use super::{Exit, load};
use crate::order::timestamp::Timestamp;
use crate::provider::{BUILT_IN, Sample};

pub(super) fn run(named: Vec<String>) -> anyhow::Result<Exit> {
    let all = || BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    let named: Vec<String> = if named.is_empty() { all() } else { named };
    let now = Timestamp::from_datetime(OffsetDateTime::now_utc())
        .context("the system clock is outside of the years 1970 to 9999: set it")?;
    let mut exit = Exit::Fine;
    for name in &named {
        let faults: Vec<String> = match load(name) {
            Err(error) => vec![format!("{error:#}")],
            Ok(provider) => {
                let check = |sample: &Sample| sample.check(&provider, now).err();
                let faults: Vec<_> = provider.samples.iter().filter_map(check).collect();
                if faults.is_empty() {
                    let statuses = provider.machine.statuses().len();
                    println!(
                        "{name}: fine; {statuses} statuses, {} kinds, {} samples",
                        provider.kinds.len(),
                        provider.samples.len()
                    );
                }
                faults.into_iter().map(|fault| format!("{name}: {fault}")).collect()
            }
        };
        for fault in faults {
            eprintln!("{fault}");
            exit = Exit::Findings;
        }
    }
    Ok(exit)
}
