//! The broker is down, or blocks publishers: callbacks are answered 503 at once, and accepted again as
//! soon as it is back, without a hand. On a pair of servers of its own, one test at a time.

use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

use super::form::{Form, url};
use super::{Pawl, withdrawal};

static BREAKABLE: Mutex<()> = Mutex::const_new(());

/// The second pair of servers, for one test at a time.
pub(crate) struct Servers(
    #[expect(dead_code, reason = "held until the test ends")] MutexGuard<'static, ()>,
);

impl Servers {
    pub(crate) async fn take() -> Self {
        Self(BREAKABLE.lock().await)
    }
}

/// Does something to the second pair; returns when the effect is real.
pub(crate) async fn control(arguments: &[&str]) {
    let command = url("PAWL_TEST_SERVERS");
    let mut words = command.split(' ');
    let mut child = tokio::process::Command::new(words.next().unwrap());
    let status = child.args(words).args(arguments).status().await.unwrap();
    assert!(status.success(), "{arguments:?}");
}

async fn wait_until_accepted(pawl: &Pawl, id: &str) {
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    while pawl.send(&withdrawal(id, "completed")).await.status != 200 {
        assert!(Instant::now() < give_up_at, "never accepted again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn while_the_broker_is_down_callbacks_are_told_to_come_again() {
    let _servers = Servers::take().await;
    let pawl = Pawl::start_on(Form::Breakable, "").await;
    assert_eq!(pawl.send(&withdrawal("o-1", "new")).await.status, 200);
    pawl.wait_until_drained().await;
    control(&["stop", "rabbit"]).await;
    for _ in 0..3 {
        let asked_at = Instant::now();
        let answer = pawl.send(&withdrawal("o-1", "completed")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        // A provider waits some ten seconds; this is the product's promise, not a measurement.
        assert!(asked_at.elapsed() < Duration::from_secs(2), "{:?}", asked_at.elapsed());
    }
    assert_eq!(pawl.get("/readyz").await.status, 503);
    assert_eq!(pawl.get("/livez").await.status, 200);
    let metrics = pawl.get("/metrics").await.body;
    assert!(metrics.contains("pawl_up{what=\"queue\"} 0"), "{metrics}");
    assert!(metrics.contains("pawl_up{what=\"store\"} 1"), "{metrics}");
    control(&["start", "rabbit"]).await;
    wait_until_accepted(&pawl, "o-1").await;
    pawl.wait_for("/api/v1/orders/shop/o-1", |order| order["status"] == "completed").await;
}

#[tokio::test]
async fn while_the_broker_blocks_publishers_callbacks_are_told_to_come_again() {
    let _servers = Servers::take().await;
    let pawl = Pawl::start_on(Form::Breakable, "").await;
    assert_eq!(pawl.send(&withdrawal("o-2", "new")).await.status, 200);
    pawl.wait_until_drained().await;
    control(&["alarm", "on"]).await;
    // The broker tells a connection that it is blocked when it next publishes.
    let give_up_at = Instant::now() + Duration::from_secs(20);
    while pawl.send(&withdrawal("o-3", "new")).await.status != 503 {
        assert!(Instant::now() < give_up_at, "never blocked");
    }
    control(&["alarm", "off"]).await;
    wait_until_accepted(&pawl, "o-2").await;
    pawl.wait_for("/api/v1/orders/shop/o-2", |order| order["status"] == "completed").await;
}
