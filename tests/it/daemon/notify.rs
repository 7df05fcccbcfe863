//! What a supervisor is told: a socket of our own in the place of systemd's.

use std::time::Duration;

use tokio::net::UnixDatagram;

use super::SECRET;
use super::form::{Form, Own};
use super::process::Start;

#[tokio::test]
async fn a_supervisor_is_told_when_it_is_ready_alive_reloading_and_stopping() {
    let own = Own::new(Form::Embedded).await;
    let path = own.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let path = path.display().to_string();
    let env = [("SECRET", SECRET), ("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "100000")];
    let start = Start {
        own: &own,
        text: own.config(""),
        roles: "receive,work,poll,relay,admin",
        env: &env,
    };
    let mut process = start.now().await;
    let next = async || {
        let mut text = vec![0; 1024];
        let received = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut text)).await;
        text.truncate(received.expect("it is told").unwrap());
        String::from_utf8(text).unwrap()
    };
    // The first thing that it says: before, nobody could have used it.
    assert_eq!(next().await, "READY=1\n");
    for _ in 0..3 {
        assert_eq!(next().await, "WATCHDOG=1\n");
    }
    let beside_pings = async || loop {
        let told = next().await;
        if told != "WATCHDOG=1\n" {
            return told;
        }
    };
    process.signal("HUP");
    let told = beside_pings().await;
    let since = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::trim_end);
    assert!(since.is_some_and(|since| since.parse::<u64>().is_ok()), "{told}");
    assert_eq!(beside_pings().await, "READY=1\n");
    process.signal("TERM");
    assert_eq!(beside_pings().await, "STOPPING=1\n");
    assert_eq!(process.child.wait().await.unwrap().code(), Some(0));
}
