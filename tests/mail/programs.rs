//! Programs of this machine that take mail, as they are installed.

use std::path::PathBuf;
use std::time::Duration;

use keyturn_host::mail::message::Writer;
use keyturn_host::mail::transport::sendmail::Sendmail;
use keyturn_host::mail::transport::{Transport as _, Verdict};

use super::message;
use super::servers::scripted;

/// A mail by msmtp, to a relay.
fn by_msmtp(host: &str, port: u16) -> (Verdict, String) {
    let program = PathBuf::from("/usr/bin/msmtp");
    assert!(
        program.exists(),
        "this test needs msmtp: apt-get install --no-install-recommends msmtp (`cargo xtask test` does it)"
    );
    let host = format!("--host={host}");
    let port = format!("--port={port}");
    let arguments = ["--file=/dev/null", &host, &port, "--tls=off", "--auth=off"].map(str::to_owned).into();
    let sendmail = Sendmail { program, arguments, limit: Duration::from_secs(60), writer: Writer::default() };
    let attempt = sendmail.session().send(&message("marta@vidal.example"));
    (attempt.verdict, attempt.steps.last().expect("a step").said.clone())
}

#[test]
fn msmtps_ends_mean_what_msmtp_means() {
    let (verdict, said) = by_msmtp("no-such-server.invalid", 587);
    assert_eq!(verdict, Verdict::Delayed, "{said}");
    assert!(said.starts_with("68 (EX_NOHOST)") && said.contains("no-such-server.invalid"), "{said}");
    let (verdict, said) = by_msmtp("127.0.0.1", keyturn_tests::free_port());
    assert_eq!(verdict, Verdict::Delayed, "{said}");
    const OK: &str = "250 ok\r\n";
    for (sender, recipient, text, verdict, word) in [
        (OK, OK, OK, Verdict::Accepted, "the program accepted it"),
        (OK, "450 4.7.1 Greylisted\r\n", OK, Verdict::Delayed, "450 4.7.1 Greylisted"),
        (OK, "550 5.1.1 nobody\r\n", OK, Verdict::Refused, "550 5.1.1 nobody"),
        ("451 4.7.1 later\r\n", OK, OK, Verdict::Delayed, "451 4.7.1 later"),
        (OK, OK, "451 4.3.0 later\r\n", Verdict::Delayed, "451 4.3.0 later"),
        (OK, OK, "550 5.7.1 spam\r\n", Verdict::Refused, "550 5.7.1 spam"),
    ] {
        let script = ["220 mx\r\n", "250 mx\r\n", sender, recipient, "354 go\r\n", text, "221 bye\r\n"];
        let (found, said) = by_msmtp("127.0.0.1", scripted(&[&script]));
        assert_eq!(found, verdict, "{said}");
        assert!(said.contains(word), "{said}");
    }
}
