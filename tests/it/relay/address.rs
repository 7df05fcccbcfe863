//! To which addresses notices go.

use pawl::config::Config;

use super::{Answer, FAST, Receiver, send, start};
use crate::daemon::env;
use crate::daemon::form::Form;
use crate::poll::wait_until;

fn read(url: &str, more: &str) -> Result<Config, String> {
    let text = format!(
        "[source.shop]\nprovider = \"flypay\"\ncallback_secrets = [{{ env = \"SECRET\" }}]\n[sink.books]\nkind = \
         \"http\"\nurl = \"{url}\"\nsecrets = [{{ env = \"SINK_SECRET\" }}]\n{more}"
    );
    Config::read("pawl.toml", &text, &env()).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn an_address_of_this_network_must_be_meant() {
    for url in [
        "https://10.0.0.1/",
        "https://192.168.1.1:8443/hook",
        "https://169.254.169.254/latest",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://0/",
        "https://0xa000001/",
    ] {
        let error = read(url, "").expect_err(url);
        assert!(error.contains("private address"), "{error}");
        read(url, "allow_private = true\n").unwrap();
    }
    for url in [
        "https://books.example/",
        "https://93.184.216.34/",
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
    ] {
        read(url, "").unwrap();
    }
    for url in
        ["http://books.example/", "http://10.0.0.1/", "ftp://books.example/", "books", "https://"]
    {
        let error = read(url, "allow_private = true\n").expect_err(url);
        assert!(error.contains("is no URL of a sink"), "{error}");
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere() {
    let elsewhere = Receiver::willing().await;
    let address = elsewhere.address;
    let receiver = Receiver::start(move |_, before| match before {
        0 => Answer::With(307, "location", format!("http://{address}/")),
        _ => Answer::Status(200),
    })
    .await;
    let pawl = start(Form::Embedded, &receiver, FAST).await;
    send(&pawl, "w-1", "completed").await;
    wait_until(|| !receiver.taken().is_empty(), || "nothing".to_owned()).await;
    assert!(elsewhere.heard().is_empty(), "what a receiver points at is not spoken to");
}
