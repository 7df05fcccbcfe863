//! `pawl order ask`: asks the provider about an order now, and shows what it said.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::segment;
use super::order::{status, text};
use super::{Daemon, Exit, Failure};

/// How often we look whether the answer is there.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(super) struct Ask {
    /// The source that the order is of.
    source: String,
    /// Any id of the order.
    order_id: String,
    /// How many seconds to wait for the answer; 0 does not wait.
    #[arg(long, default_value_t = 20)]
    wait_secs: u64,
    #[command(flatten)]
    daemon: Daemon,
}

pub(super) fn run(ask: &Ask) -> Result<Exit, Failure> {
    let client = ask.daemon.client()?;
    let path = format!("/api/v1/orders/{}/{}", segment(&ask.source), segment(&ask.order_id));
    let before = client.get(&path)?.ok()?;
    client.post(&format!("{path}/ask"), &Value::Null)?.ok()?;
    let give_up_at = Instant::now() + Duration::from_secs(ask.wait_secs);
    let (order, is_over) = loop {
        let order = client.get(&path)?.ok()?;
        let is_over = is_over(&before, &order);
        if is_over || Instant::now() >= give_up_at {
            break (order, is_over);
        }
        std::thread::sleep(LOOK);
    };
    let outcome = &order["asking"]["outcome"];
    if ask.daemon.json {
        println!("{order}");
    } else if is_over {
        println!("{}: {}", text(&order["order_id"]), text(outcome));
        println!("status: {}", status(&order));
    } else {
        println!("{}: to be asked about as soon as may be", text(&order["order_id"]));
    }
    Ok(if is_over && outcome != ANSWERED { Exit::Findings } else { Exit::Fine })
}

/// What an ask came to that was answered.
const ANSWERED: &str = "answered";

/// Whether the order was asked about since, and what was answered is decided.
fn is_over(before: &Value, order: &Value) -> bool {
    let (asked, asking) = (&before["asking"], &order["asking"]);
    let is_asked = asking["asked_at"] != asked["asked_at"] && asking["under_way"] == false;
    let is_decided = order["updated_at"] != before["updated_at"];
    is_asked && (asking["outcome"] != ANSWERED || is_decided)
}
