//! From a message to what the server said of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::time::{Duration, Instant};

use base64::Engine as _;
use keyturn_host::mail::transport::smtp::{Encryption, Limits, Server};
use keyturn_host::mail::transport::{Attempt, StepKind, Transport as _, Verdict};
use keyturn_tests::mail_server::Aiosmtpd;
use serde_json::json;

use super::servers::{Certificates, clear, scripted, scripted_bytes, strict, strict_server, to};
use super::{mailbox, message};

fn kinds(attempt: &Attempt) -> Vec<StepKind> {
    attempt.steps.iter().map(|step| step.kind).collect()
}

#[track_caller]
fn last(attempt: &Attempt) -> (StepKind, &str, Verdict) {
    let step = attempt.steps.last().expect("a step");
    (step.kind, &step.said, attempt.verdict)
}

/// One mail to somebody, by a fresh session.
fn send(server: Server, address: &str) -> Attempt {
    to(server).session().send(&message(address))
}

#[test]
fn a_mail_goes_through_starttls_and_a_login_with_each_step_and_its_words() {
    let certificates = Certificates::for_name("127.0.0.1");
    let server = strict_server(&certificates);
    let attempt = send(strict(server.port, &certificates), "marta@vidal.example");
    use StepKind::{Connect, Handover, Login, LookUp, Tls};
    assert_eq!(attempt.verdict, Verdict::Accepted, "{attempt:?}");
    assert_eq!(kinds(&attempt), [LookUp, Connect, Tls, Login, Handover]);
    for (step, word) in attempt.steps.iter().zip([
        "127.0.0.1",
        "220 mx1.example ESMTP",
        "TLSv1.3, the certificate is valid",
        "235 2.7.0 Authentication successful",
        "250 2.0.0 Ok: queued as 4WQ7",
    ]) {
        assert_eq!(step.said, word, "{:?}", step.kind);
        assert!(step.took < Duration::from_secs(2), "{step:?}");
    }
    let took = server.took();
    assert_eq!((took["from"].as_str(), took["user"].as_str()), (Some("accounts@northwind.example"), Some("panel")));
    assert_eq!(took["to"], json!(["marta@vidal.example"]));
    assert_eq!(took["hello"], "[127.0.0.1]");
    let data = base64::engine::general_purpose::STANDARD.decode(took["data"].as_str().expect("text")).expect("base64");
    let data = String::from_utf8(data).expect("text");
    assert!(data.contains("Message-ID: <m-1@panel.example>\r\n") && data.contains("\r\nHello Marta,\r\n"), "{data}");
}

#[test]
fn tls_may_begin_with_the_first_byte() {
    let certificates = Certificates::for_name("localhost");
    let server = Aiosmtpd::start(&json!({
        "tls": "tls", "certificate": certificates.file("own.pem"), "key": certificates.file("key.pem"),
    }));
    let ca_file = Some(certificates.file("ca.pem"));
    let tls = Server { host: "localhost".to_owned(), encryption: Encryption::Tls, ca_file, ..clear(server.port) };
    let attempt = send(tls, "marta@vidal.example");
    assert_eq!(attempt.verdict, Verdict::Accepted, "{attempt:?}");
    assert_eq!(attempt.steps[2].said, "TLSv1.3, the certificate is valid; 220 mx1.example ESMTP");
}

#[test]
fn a_certificate_that_does_not_hold_ends_the_attempt_before_the_login() {
    let right = Certificates::for_name("127.0.0.1");
    let of_another_host = Certificates::for_name("mail.else.example");
    for (shown, trusted, word) in
        [(&right, &of_another_host, "UnknownIssuer"), (&of_another_host, &of_another_host, "not valid for name")]
    {
        let server = strict_server(shown);
        let attempt = send(strict(server.port, trusted), "marta@vidal.example");
        let (kind, said, verdict) = last(&attempt);
        assert_eq!((kind, verdict), (StepKind::Tls, Verdict::Delayed), "{attempt:?}");
        assert!(said.contains("invalid peer certificate") && said.contains(word), "{said}");
        assert!(server.took_no_more());
    }
}

#[test]
fn a_server_without_starttls_is_given_neither_password_nor_mail() {
    let certificates = Certificates::for_name("127.0.0.1");
    let server = Aiosmtpd::plain();
    let attempt = send(strict(server.port, &certificates), "marta@vidal.example");
    assert_eq!(last(&attempt), (StepKind::Tls, "the server does not offer STARTTLS", Verdict::Delayed));
    assert!(server.took_no_more());
}

#[test]
fn what_comes_in_clear_after_starttls_is_never_taken_for_an_answer() {
    let port = scripted(&[&["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n"]]);
    let certificates = Certificates::for_name("127.0.0.1");
    let attempt = send(strict(port, &certificates), "marta@vidal.example");
    assert_eq!(
        last(&attempt),
        (StepKind::Tls, "the server continued without encryption after STARTTLS", Verdict::Delayed)
    );
}

#[test]
fn a_wrong_password_delays_the_mail_and_is_not_repeated() {
    let certificates = Certificates::for_name("127.0.0.1");
    let server = strict_server(&certificates);
    let mut wrong = strict(server.port, &certificates);
    let login = wrong.login.as_mut().expect("there");
    login.password = "copper lantern".to_owned().into();
    let attempt = send(wrong, "marta@vidal.example");
    let said = "535 5.7.8 Authentication credentials invalid";
    assert_eq!(last(&attempt), (StepKind::Login, said, Verdict::Delayed));
    assert!(!format!("{attempt:?}").contains("copper"));
}

#[test]
fn a_server_that_quotes_the_password_does_not_get_it_into_what_is_kept() {
    // AUTH LOGIN, since this server knows nothing else.
    let port = scripted(&[&[
        "220 mx\r\n",
        "250-mx\r\n250 AUTH LOGIN\r\n",
        "334 VXNlcm5hbWU6\r\n",
        "334 UGFzc3dvcmQ6\r\n",
        "535 user panel may not come in with hush-hush-52 (aHVzaC1odXNoLTUy)\r\n",
    ]]);
    let certificates = Certificates::for_name("127.0.0.1");
    let server = Server { encryption: Encryption::None, ..strict(port, &certificates) };
    let attempt = send(server, "marta@vidal.example");
    let said = "535 user panel may not come in with •••• (••••)";
    assert_eq!(last(&attempt), (StepKind::Login, said, Verdict::Delayed));
}

#[test]
fn each_refusal_of_a_server_has_its_verdict() {
    let server = Aiosmtpd::plain();
    let mut session = to(clear(server.port)).session();
    for (name, verdict, word) in [
        ("nobody", Verdict::Refused, "550 5.1.1 There is nobody of that name here"),
        ("grey", Verdict::Delayed, "451 4.7.1 Greylisted, come again"),
        ("quota", Verdict::Delayed, "452 4.2.2 The mailbox is full"),
        ("spam", Verdict::Refused, "554 5.7.1 The address https://panel.example/•••• is on a list"),
        ("grey", Verdict::Accepted, "250 2.0.0 Ok: queued as 4WQ7"),
    ] {
        let attempt = session.send(&message(&format!("{name}@vidal.example")));
        assert_eq!(last(&attempt), (StepKind::Handover, word, verdict));
    }
    // One refusal does not cost the others their connection.
    assert_eq!(server.took()["connection"], 1);
}

#[test]
fn a_server_that_is_too_slow_delays_the_mail() {
    let server = Aiosmtpd::plain();
    let limits = Limits { command: Duration::from_secs(2), data: Duration::from_millis(500), ..Limits::default() };
    for (name, word) in [
        ("slow-data", "no answer within 0.5 s; the server may still have accepted the email"),
        ("slow", "no answer within 2 s"),
    ] {
        let attempt = send(Server { limits, ..clear(server.port) }, &format!("{name}@vidal.example"));
        assert_eq!(last(&attempt), (StepKind::Handover, word, Verdict::Delayed));
    }
}

#[test]
fn a_connection_lost_in_the_middle_of_a_mail_delays_it_and_is_not_tried_again() {
    let server = Aiosmtpd::plain();
    let mut session = to(clear(server.port)).session();
    assert_eq!(session.send(&message("marta@vidal.example")).verdict, Verdict::Accepted);
    let attempt = session.send(&message("cut@vidal.example"));
    let (kind, said, verdict) = last(&attempt);
    assert_eq!((kind, verdict, attempt.steps.len()), (StepKind::Handover, Verdict::Delayed, 1), "{attempt:?}");
    assert!(said.ends_with("the server may still have accepted the email"), "{said}");
    assert_eq!(session.send(&message("marta@vidal.example")).verdict, Verdict::Accepted);
    assert_eq!((server.took()["connection"].clone(), server.took()["connection"].clone()), (json!(1), json!(2)));
}

#[test]
fn a_kept_connection_that_has_died_is_made_anew_before_the_mail_goes_out() {
    const ONE: &[&str] = &["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 first\r\n"];
    const TIRED: &[&str] =
        &["220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 third\r\n", "421 enough\r\n"];
    // The second connection is closed without a word, the third says that it is tired.
    let port = scripted(&[ONE, TIRED, ONE]);
    let mut session = to(clear(port)).session();
    for (said, steps) in [("250 first", 3), ("250 third", 3), ("250 first", 3)] {
        let attempt = session.send(&message("marta@vidal.example"));
        assert_eq!(last(&attempt), (StepKind::Handover, said, Verdict::Accepted));
        assert_eq!(attempt.steps.len(), steps);
    }
}

#[test]
fn several_mails_share_a_connection_until_it_is_full_or_idle() {
    let server = Aiosmtpd::plain();
    let limits = Limits { messages: 3, idle: Duration::from_millis(300), ..Limits::default() };
    let mut session = to(Server { limits, ..clear(server.port) }).session();
    for (wait, connection, steps) in [(0, 1, 3), (0, 1, 1), (0, 1, 1), (0, 2, 3), (0, 2, 1), (400, 3, 3)] {
        std::thread::sleep(Duration::from_millis(wait));
        let attempt = session.send(&message("marta@vidal.example"));
        assert_eq!((attempt.verdict, attempt.steps.len()), (Verdict::Accepted, steps), "{attempt:?}");
        assert_eq!(server.took()["connection"], connection);
    }
}

#[test]
fn mails_on_one_connection_do_not_wait_for_each_other() {
    let server = Aiosmtpd::plain();
    let limits = Limits { messages: 1_000, ..Limits::default() };
    let mut session = to(Server { limits, ..clear(server.port) }).session();
    let started = Instant::now();
    for _ in 0..200 {
        assert_eq!(session.send(&message("marta@vidal.example")).verdict, Verdict::Accepted);
    }
    let rate = 200.0 / started.elapsed().as_secs_f64();
    println!("{rate:.0} messages a second on one connection");
    // With Nagle's algorithm it would be 22.
    assert!(rate > 60.0, "{rate} messages a second");
}

#[test]
fn an_international_address_needs_a_server_that_knows_them() {
    for (smtputf8, address, verdict, word) in [
        (true, "jürgen@bücher.example", Verdict::Accepted, "250 2.0.0"),
        (
            false,
            "jürgen@bücher.example",
            Verdict::Refused,
            "the address jürgen@xn--bcher-kva.example has letters beyond a-z",
        ),
        (false, "jurgen@bücher.example", Verdict::Accepted, "250 2.0.0"),
    ] {
        let server = Aiosmtpd::start(&json!({ "smtputf8": smtputf8 }));
        let attempt = send(clear(server.port), address);
        let (kind, said, found) = last(&attempt);
        assert_eq!((kind, found), (StepKind::Handover, verdict), "{attempt:?}");
        assert!(said.contains(word), "{said}");
        if verdict == Verdict::Accepted {
            let took = server.took();
            let international = !address.starts_with("jurgen");
            assert_eq!(took["options"].to_string().contains("SMTPUTF8"), international, "{took}");
            let name = if international { "jürgen" } else { "jurgen" };
            assert_eq!(took["to"][0], format!("{name}@xn--bcher-kva.example"));
        }
    }
}

#[test]
fn smtputf8_is_asked_for_only_where_what_stands_before_an_at_needs_it() {
    let international = mailbox("", "jürgen@bücher.example");
    for (smtputf8, verdict) in [(true, Verdict::Accepted), (false, Verdict::Delayed)] {
        for place in ["from", "reply-to"] {
            let server = Aiosmtpd::start(&json!({ "smtputf8": smtputf8 }));
            let mut mail = message("marta@vidal.example");
            match place {
                "from" => mail.from = international.clone(),
                _ => mail.reply_to = Some(international.clone()),
            }
            let attempt = to(clear(server.port)).session().send(&mail);
            // The operator's own address is wrong for this server, not the mail.
            assert_eq!(attempt.verdict, verdict, "{place}: {attempt:?}");
            if verdict == Verdict::Accepted {
                assert!(server.took()["options"].to_string().contains("SMTPUTF8"));
            } else {
                assert!(last(&attempt).1.contains("jürgen@xn--bcher-kva.example"), "{attempt:?}");
            }
        }
    }
    let server = Aiosmtpd::start(&json!({ "smtputf8": true }));
    let mut mail = message("jurgen@bücher.example");
    mail.from.address = "panel@bücher.example".to_owned();
    mail.to.name = "Jürgen".to_owned();
    assert_eq!(to(clear(server.port)).session().send(&mail).verdict, Verdict::Accepted);
    let took = server.took();
    assert!(!took["options"].to_string().contains("UTF8"), "{took}");
    assert_eq!(took["from"], "panel@xn--bcher-kva.example");
}

#[test]
fn an_address_that_exists_is_mailed_in_quotation_marks() {
    let server = Aiosmtpd::plain();
    for address in ["taro..yamada@docomo.example", "hanako.@docomo.example"] {
        let attempt = send(clear(server.port), address);
        assert_eq!(attempt.verdict, Verdict::Accepted, "{attempt:?}");
        // This server takes the quotation marks off.
        assert_eq!(server.took()["to"][0], address);
    }
}

/// A server's answers to a whole mail, in turn.
fn answering(answers: [&'static [u8]; 6]) -> u16 {
    scripted_bytes(&[&answers])
}

#[test]
fn an_answer_is_bytes_and_its_code_counts() {
    const USUAL: [&[u8]; 6] =
        [b"220 mx\r\n", b"250-mx\r\n250 8BITMIME\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 taken\r\n"];
    for (at, answer, verdict, word) in [
        (0, &b"220 mail.example ESMTP Postfix (M\xfcnchen)\r\n"[..], Verdict::Accepted, "250 taken"),
        (1, b"250-mail.example sch\xf6nen Tag\r\n250 8BITMIME\r\n", Verdict::Accepted, "250 taken"),
        (2, b"250 \xc7\xeb\xca\xb9\r\n", Verdict::Accepted, "250 taken"),
        (3, b"550 5.1.1 Empf\xe4nger unbekannt\r\n", Verdict::Refused, "550 5.1.1 Empfänger unbekannt"),
        (3, b"450 4.7.1 Sp\xe4ter\r\n", Verdict::Delayed, "450 4.7.1 Später"),
        (
            4,
            b"354 Text, abgeschlossen durch <CRLF>.<CRLF>, f\xfcr den Empf\xe4nger\r\n",
            Verdict::Accepted,
            "250 taken",
        ),
        (
            5,
            b"250 2.0.0 Nachricht f\xfcr Zustellung angenommen\r\n",
            Verdict::Accepted,
            "250 2.0.0 Nachricht für Zustellung angenommen",
        ),
        (5, b"554 5.7.1 Abgelehnt: M\xfcll\r\n", Verdict::Refused, "554 5.7.1 Abgelehnt: Müll"),
    ] {
        let mut answers = USUAL;
        answers[at] = answer;
        let attempt = send(clear(answering(answers)), "marta@vidal.example");
        assert_eq!(last(&attempt), (StepKind::Handover, word, verdict));
    }
}

#[test]
fn a_login_is_taken_as_servers_offer_it() {
    let certificates = Certificates::for_name("127.0.0.1");
    for (offer, answer, said, verdict) in [
        (&b"250-mx\r\n250 auth plain\r\n"[..], &b"235 in\r\n"[..], "235 in", Verdict::Accepted),
        (b"250-mx\r\n250 AUTH=PLAIN\r\n", b"235 in\r\n", "235 in", Verdict::Accepted),
        // As QQ mail says it, in GBK.
        (
            b"250-mx\r\n250 AUTH PLAIN\r\n",
            b"535 \xc7\xeb\xca\xb9 http://mail.example/help\r\n",
            "535 ÇëÊ¹ http://mail.example/help",
            Verdict::Delayed,
        ),
        (
            b"250-mx\r\n250 AUTH CRAM-MD5\r\n",
            b"",
            "the server offers only CRAM-MD5; this program supports PLAIN and LOGIN",
            Verdict::Delayed,
        ),
        (b"250-mx\r\n250 8BITMIME\r\n", b"", "the server offers no login (AUTH)", Verdict::Delayed),
    ] {
        let port = scripted_bytes(&[&[b"220 mx\r\n", offer, answer]]);
        let server = Server { encryption: Encryption::None, ..strict(port, &certificates) };
        let attempt = to(server).probe();
        assert_eq!(last(&attempt), (StepKind::Login, said, verdict));
    }
}

#[test]
fn the_name_that_a_server_is_told_is_the_operators() {
    let server = Aiosmtpd::plain();
    let hello = Some("panel.northwind.example".to_owned());
    assert_eq!(send(Server { hello, ..clear(server.port) }, "marta@vidal.example").verdict, Verdict::Accepted);
    assert_eq!(server.took()["hello"], "panel.northwind.example");
}

#[test]
fn an_attempt_ends_when_work_is_stopped_unless_the_text_has_gone_out() {
    use std::sync::atomic::{AtomicBool, Ordering};

    // Says nothing, for ever: a greeting may take five minutes.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let stopped = AtomicBool::new(false);
    let attempt = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let port = silent.local_addr().expect("an address").port();
            to(clear(port)).session().send_unless(&message("marta@vidal.example"), &|| stopped.load(Ordering::Relaxed))
        });
        let _connection = silent.accept().expect("connected");
        stopped.store(true, Ordering::Relaxed);
        waiting.join().expect("ends")
    });
    assert_eq!(attempt.verdict, Verdict::Delayed, "{attempt:?}");
    assert!(last(&attempt).1.contains("stopped before"), "{attempt:?}");
    // What a server may have is waited for.
    let stopped = AtomicBool::new(false);
    let attempt = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let port = silent.local_addr().expect("an address").port();
            to(clear(port)).session().send_unless(&message("marta@vidal.example"), &|| stopped.load(Ordering::Relaxed))
        });
        let (mut stream, _) = silent.accept().expect("connected");
        let mut heard = BufReader::new(stream.try_clone().expect("a second handle")).lines();
        stream.write_all(b"220 mx\r\n").expect("written");
        for answer in ["250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            heard.next().expect("a command").expect("read");
            stream.write_all(answer.as_bytes()).expect("written");
        }
        let end = heard.find(|line| line.as_ref().is_ok_and(|line| line == "."));
        assert!(end.is_some(), "the whole text");
        stopped.store(true, Ordering::Relaxed);
        // Long enough to be noticed, if anybody looked.
        std::thread::sleep(Duration::from_millis(500));
        stream.write_all(b"250 taken\r\n").expect("written");
        waiting.join().expect("ends")
    });
    assert_eq!(last(&attempt), (StepKind::Handover, "250 taken", Verdict::Accepted));
}

#[test]
fn an_address_that_is_none_is_refused_without_asking_a_server() {
    let attempt = send(clear(9), "marta");
    let (kind, said, verdict) = last(&attempt);
    assert_eq!((kind, verdict, attempt.steps.len()), (StepKind::Handover, Verdict::Refused, 1));
    assert!(said.contains("“marta”") && said.contains("it has no @"), "{said}");
}

#[test]
fn a_server_out_of_reach_delays_the_mail_at_the_step_where_it_is_lost() {
    for (host, kind, word) in
        [("localhost", StepKind::Connect, "127.0.0.1:"), ("no-such-server.invalid", StepKind::LookUp, "")]
    {
        let port = keyturn_tests::free_port();
        let certificates = Certificates::for_name("127.0.0.1");
        let attempt = send(Server { host: host.to_owned(), ..strict(port, &certificates) }, "marta@vidal.example");
        let (found, said, verdict) = last(&attempt);
        assert_eq!((found, verdict), (kind, Verdict::Delayed), "{attempt:?}");
        assert!(said.contains(word) && !said.is_empty(), "{said}");
    }
}

#[test]
fn something_that_is_no_mail_server_is_told_apart() {
    for (greeting, word) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "does not look like a mail server: SSH-2.0"),
        ("554 5.7.1 your network may not send\r\n", "554 5.7.1 your network may not send"),
        ("", "the connection was closed"),
        ("220 mx\r\n", "the connection was closed"),
    ] {
        let attempt = send(clear(scripted(&[&[greeting]])), "marta@vidal.example");
        let (kind, said, verdict) = last(&attempt);
        assert_eq!((kind, verdict), (StepKind::Connect, Verdict::Delayed), "{attempt:?}");
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_probe_goes_as_far_as_the_login_and_sends_nothing() {
    let certificates = Certificates::for_name("127.0.0.1");
    let server = strict_server(&certificates);
    let attempt = to(strict(server.port, &certificates)).probe();
    assert_eq!((attempt.verdict, kinds(&attempt).last()), (Verdict::Accepted, Some(&StepKind::Login)));
    assert!(server.took_no_more());
}

#[test]
fn a_mail_that_somebody_waits_for_has_one_time_for_all_its_steps() {
    // Says nothing, for ever.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let server = Server { limits: Limits::within(Duration::from_millis(500)), ..clear(port) };
    assert_eq!(last(&send(server, "marta@vidal.example")).1, "no answer within 0.5 s");
    // Answers each step within that step's own time.
    let server = Aiosmtpd::plain();
    let limits = Limits { command: Duration::from_secs(30), ..Limits::within(Duration::from_secs(2)) };
    let attempt = send(Server { limits, ..clear(server.port) }, "slow@vidal.example");
    let (kind, said, verdict) = last(&attempt);
    assert_eq!((kind, verdict), (StepKind::Handover, Verdict::Delayed), "{attempt:?}");
    assert!(said.starts_with("no answer within "), "{said}");
    assert!(server.took_no_more());
}
