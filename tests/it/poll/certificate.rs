//! Mutual TLS: the provider sees a certificate of ours, or does not speak to us.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::desk::{DEFINITION, payment};
use crate::daemon::exchange;
use crate::daemon::form::{Form, Own};
use crate::daemon::process::{Process, spawn};

/// Makes an authority, and certificates of it for a server and for a client, by the program that people use.
fn make_certificates(folder: &Path) {
    let script = r#"
        make() { # name, extension
          openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
            -keyout "$1.key" -out "$1.csr"
          openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
            -extfile <(echo "$2") -out "$1.pem"
        }
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
          -subj /CN=authority -keyout ca.key -out ca.pem
        make server "subjectAltName=IP:127.0.0.1"
        make client "extendedKeyUsage=clientAuth"
        chmod 600 ./*
    "#;
    let made = Command::new("bash").args(["-euc", script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Answers every request of whoever shows a certificate of the authority.
fn serve(folder: &Path) -> std::net::SocketAddr {
    let certificates = |name: &str| -> Vec<CertificateDer<'static>> {
        let found = CertificateDer::pem_file_iter(folder.join(name)).unwrap();
        found.collect::<Result<_, _>>().unwrap()
    };
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut roots = RootCertStore::empty();
    roots.add(certificates("ca.pem").remove(0)).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates("server.pem"), key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            // Who shows no certificate is gone here.
            while let Ok(1..) = stream.read_line(&mut line) {
                if !line.ends_with("\r\n\r\n") {
                    continue;
                }
                let body = payment("p-1", "paid");
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
                line.clear();
            }
        }
    });
    address
}

const ASK: &str = "
[auth]
client_certificate = true
[ask]
method = \"GET\"
path = \"/orders/{order_id}\"
answer = {}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_ours_is_shown() {
    let own = Own::new(Form::Embedded).await;
    let folder = own.folder.path();
    make_certificates(folder);
    let address = serve(folder);
    let providers = folder.join("providers");
    std::fs::create_dir(&providers).unwrap();
    std::fs::write(providers.join("desk.toml"), format!("{DEFINITION}{ASK}")).unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    let source = format!(
        "base_url = \"https://{address}\"\ncredentials = {{ client_certificate = {{ file = \"{}\" }}, \
         client_key = {{ file = \"{}\" }} }}\n[source.shop.ask]\nfirst_secs = 1\n[providers]\ndir = \
         \"{}\"\n",
        at("client.pem"),
        at("client.key"),
        providers.display()
    );
    let text = own.config(&source).replace("\"flypay\"", "\"desk\"");
    let file = folder.join("pawl.toml");
    std::fs::write(&file, &text).unwrap();
    let env = [("SECRET", "secret"), ("SSL_CERT_FILE", &at("ca.pem"))];
    let checked = |text: &str| {
        let file = folder.join("other.toml");
        std::fs::write(&file, text).unwrap();
        let mut pawl = Command::new(env!("CARGO_BIN_EXE_pawl"));
        let output = pawl.args(["check", "--config"]).arg(&file).envs(env).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = checked(&text);
    assert!(said.contains(&format!("fine: https://{address} (200")), "{said}");
    // A key that is none, and one of another certificate.
    for wrong in ["client.pem", "server.key"] {
        let said = checked(&text.replace("client.key", wrong));
        assert!(said.contains("wrong: cannot speak to the provider"), "{said}");
    }
    let pawl = Process::heard(spawn(&file, &[], "receive,work,poll,relay,admin", &env)).await;
    let order = r#"{"source":"shop","order_id":"p-1","kind":"payment"}"#;
    let request = format!(
        "POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: \
         application/json\r\ncontent-length: {}\r\n\r\n{order}",
        order.len()
    );
    assert_eq!(exchange(pawl.admin, &request).await.status, 201);
    let get =
        "GET /api/v1/orders/shop/p-1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let give_up_at = std::time::Instant::now() + crate::daemon::patience();
    loop {
        let order = exchange(pawl.admin, get).await.json();
        if order["final"] == true {
            break;
        }
        assert!(Instant::now() < give_up_at, "{order:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
