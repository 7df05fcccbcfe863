//! Told to stop under load, on both forms: what was answered 200 has its one verdict, and it ends with 0
//! within the grace. Told twice, it ends at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::crash;
use super::crash::send_load;
use super::distributed::check as check_database;
use super::form::{Form, Own, on_both_forms};
use super::process::Process;

/// All of them in one process, on either form.
const ROLES: &str = "receive,work,poll,relay,admin";

on_both_forms!(told_to_stop_under_load_it_keeps_what_it_accepted, told_twice_it_ends_at_once,);

async fn told_to_stop_under_load_it_keeps_what_it_accepted(form: Form) {
    let own = Own::new(form).await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut accepted = BTreeSet::new();
    for (round, signal) in ["TERM", "INT", "TERM"].into_iter().enumerate() {
        let mut process = Process::start_roles(&own, ROLES, "").await;
        let stop = Arc::new(AtomicBool::new(false));
        let send = || send_load(process.receive(), Arc::clone(&stop), Arc::clone(&next));
        let load: Vec<_> = (0..8).map(|_| tokio::spawn(send())).collect();
        let moment = next.load(Ordering::Relaxed) + 200 + round * 37;
        let give_up_at = std::time::Instant::now() + crate::daemon::patience();
        while next.load(Ordering::Relaxed) < moment {
            assert!(Instant::now() < give_up_at, "nothing is sent any more");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        process.signal(signal);
        let told_at = Instant::now();
        let status = tokio::time::timeout(Duration::from_secs(30), process.child.wait()).await;
        assert_eq!(status.expect("it stops").unwrap().code(), Some(0));
        // The grace is 25 seconds; without anyone who hangs, nothing comes near it.
        assert!(told_at.elapsed() < Duration::from_secs(15), "it took {:?}", told_at.elapsed());
        stop.store(true, Ordering::Relaxed);
        for sender in load {
            accepted.extend(sender.await.unwrap());
        }
    }
    assert!(accepted.len() > 200, "too little was accepted to say anything: {}", accepted.len());
    let process = Process::start_roles(&own, ROLES, "").await;
    match form {
        Form::Embedded => {
            crash::wait_until_drained(process.admin).await;
            drop(process);
            crash::check(own.folder.path(), &accepted).await;
        }
        Form::Distributed | Form::Breakable => check_database(&own, &accepted).await,
    }
}

async fn told_twice_it_ends_at_once(form: Form) {
    let own = Own::new(form).await;
    let mut process = Process::start_roles(&own, ROLES, "").await;
    // A sender that is slow with its body keeps the first signal waiting.
    let mut slow = TcpStream::connect(process.receive()).await.unwrap();
    let head =
        "POST /callbacks/shop HTTP/1.1\r\nhost: x\r\nsignature: 00\r\ncontent-length: 9\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    process.signal("TERM");
    let early = tokio::time::timeout(Duration::from_millis(700), process.child.wait()).await;
    assert!(early.is_err(), "it did not wait for who was under way: {early:?}");
    process.signal("TERM");
    let told_at = Instant::now();
    let status = tokio::time::timeout(Duration::from_secs(10), process.child.wait()).await;
    assert_eq!(status.expect("it ends").unwrap().code(), Some(1));
    assert!(told_at.elapsed() < Duration::from_secs(2), "it took {:?}", told_at.elapsed());
}
