//! Servers that cannot prove who they are, or do not encrypt: nothing is sent to them.

use std::{io::Read, net::TcpListener, sync::Arc, thread::JoinHandle};

use millwork_engine::model::Retry;
use rustls::{
    ServerConfig, ServerConnection, Stream,
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};

use crate::{
    http_server::HttpServer,
    lab::{Lab, pipeline},
    smtp_server::SmtpServer,
};

/// A server with a certificate that nobody vouches for; gives what it could read of one connection.
fn self_signed() -> (u16, JoinHandle<Vec<u8>>) {
    let certificate = CertificateDer::from(include_bytes!("self_signed.cert.der").as_slice());
    let key = PrivatePkcs8KeyDer::from(include_bytes!("self_signed.key.der").as_slice());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .expect("a certificate");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let read = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut connection = ServerConnection::new(Arc::new(config)).expect("a connection");
        let mut read = Vec::new();
        let _ = Stream::new(&mut connection, &mut stream).read_to_end(&mut read);
        read
    });
    (port, read)
}

fn hook(port: u16) -> String {
    pipeline(&[], &format!("uses: notify.webhook\nwith: {{url: \"https://localhost:{port}/x\", body: {{a: 1}}}}"))
}

fn mail(port: u16) -> String {
    let server = format!("{{host: localhost, port: {port}, tls: implicit}}");
    let step = format!("uses: notify.email\nwith: {{server: {server}, from: a@b.cc, to: a@b.cc, subject: s, text: t}}");
    pipeline(&[], &step)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    for make in [hook, mail] {
        let (port, read) = self_signed();
        let fault = Lab::new(&[]).fault(&make(port)).await;
        assert_eq!((fault.code.as_str(), fault.retry), ("notify.tls", Retry::Never), "{fault}");
        assert!(fault.message.contains("cannot prove who it is"), "{fault}");
        assert_eq!(read.join().expect("a server"), b"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_encrypt_gets_nothing() {
    let server = HttpServer::saying("200 OK", "", "");
    let fault = Lab::new(&[]).fault(&hook(server.port)).await;
    assert_eq!((fault.code.as_str(), server.seen().len()), ("notify.connect", 0), "{fault}");
    let server = SmtpServer::start(|_, _| None);
    let fault = Lab::new(&[]).fault(&mail(server.port)).await;
    assert!(["notify.tls", "notify.connect"].contains(&fault.code.as_str()), "{fault}");
    assert_eq!(server.mails().len(), 0);
}
