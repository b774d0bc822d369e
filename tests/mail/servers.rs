//! Mail servers on this machine, each for one test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use keyturn_host::mail::message::Writer;
use keyturn_host::mail::transport::smtp::{Encryption, Limits, Login, Server, Smtp};
use keyturn_tests::mail_server::Aiosmtpd;
use serde_json::json;

/// An authority of a test's own, and a server's certificate by it.
pub struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// For a server of this name or address.
    pub fn for_name(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("right");
        authority.distinguished_name.push(rcgen::DnType::CommonName, format!("Authority for {name}"));
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = authority.self_signed(&key).expect("signed");
        let issuer = rcgen::Issuer::new(authority, key);
        let own_key = rcgen::KeyPair::generate().expect("a key");
        let own = rcgen::CertificateParams::new([name.to_owned()]).expect("a name");
        let own = own.signed_by(&own_key, &issuer).expect("signed");
        for (file, pem) in [("ca.pem", certificate.pem()), ("own.pem", own.pem()), ("key.pem", own_key.serialize_pem())]
        {
            std::fs::write(folder.path().join(file), pem).expect("written");
        }
        Self { folder }
    }

    /// The path of `ca.pem`, `own.pem` or `key.pem`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// One that wants STARTTLS and a login, with certificates that hold.
pub fn strict_server(certificates: &Certificates) -> Aiosmtpd {
    Aiosmtpd::start(&json!({
        "tls": "starttls", "certificate": certificates.file("own.pem"), "key": certificates.file("key.pem"),
        "username": "panel", "password": "hush-hush-52", "smtputf8": true,
    }))
}

/// A server in clear on 127.0.0.1.
pub fn clear(port: u16) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        encryption: Encryption::None,
        hello: None,
        login: None,
        ca_file: None,
        limits: Limits::default(),
    }
}

/// The strict one, as it wants to be used.
pub fn strict(port: u16, certificates: &Certificates) -> Server {
    Server {
        encryption: Encryption::Starttls,
        login: Some(Login { username: "panel".to_owned(), password: "hush-hush-52".to_owned().into() }),
        ca_file: Some(certificates.file("ca.pem")),
        ..clear(port)
    }
}

/// The transport to a server.
pub fn to(server: Server) -> Smtp {
    Smtp::new(server, Writer::default()).expect("fits")
}

/// A server that keeps to a script: for each connection in turn, what it says at once, then its answer to each line. After
/// the last one it closes the connection.
pub fn scripted(connections: &[&[&'static str]]) -> u16 {
    let bytes = |script: &&[&'static str]| script.iter().map(|answer| answer.as_bytes()).collect();
    let connections: Vec<Vec<&[u8]>> = connections.iter().map(bytes).collect();
    scripted_bytes(&connections.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// The same, whatever its words are written in.
pub fn scripted_bytes(connections: &[&[&'static [u8]]]) -> u16 {
    let connections: Vec<Vec<&[u8]>> = connections.iter().map(|script| script.to_vec()).collect();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for script in connections {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut heard = BufReader::new(stream.try_clone().expect("a second handle"));
            for (at, answer) in script.iter().enumerate() {
                let mut line = String::new();
                if at > 0 && heard.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                // After DATA the mail is heard to its end, before the answer.
                if script[..at].last().is_some_and(|last| last.starts_with(b"354")) {
                    while line != ".\r\n"
                        && heard
                            .read_line({
                                line.clear();
                                &mut line
                            })
                            .unwrap_or(0)
                            > 0
                    {}
                }
                if stream.write_all(answer).is_err() {
                    break;
                }
            }
        }
    });
    port
}
