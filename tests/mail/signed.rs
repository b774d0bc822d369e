//! Signed mails, checked by who did not write the signing.

use std::io::Write as _;
use std::process::{Command, Stdio};

use keyturn_host::mail::Message;
use keyturn_host::mail::draw::Drawn;
use keyturn_host::mail::message::Writer;

use super::{mailbox, message};
use keyturn_tests::mail_server::python;

/// Checks a mail on its standard input with dkimpy, the public key being the argument.
const CHECK: &str = "
import dkim, sys
record = b'v=DKIM1; k=rsa; p=' + sys.argv[1].encode()
good = dkim.verify(sys.stdin.buffer.read(), dnsfunc=lambda name, timeout=5: record if name == b's1._domainkey.northwind.example.' else None)
print('good' if good else 'bad')
";

fn openssl(arguments: &[&str], input: &str) -> Vec<u8> {
    let mut openssl = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs openssl (`cargo xtask test` installs it)");
    openssl.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    let output = openssl.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn verdict(mail: &[u8], public: &str) -> String {
    let mut check = Command::new(python())
        .args(["-c", CHECK, public])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    check.stdin.take().expect("piped").write_all(mail).expect("written");
    String::from_utf8(check.wait_with_output().expect("it ends").stdout).expect("text").trim().to_owned()
}

#[test]
fn a_signature_holds_for_any_mail_and_breaks_with_a_changed_one() {
    use base64::Engine as _;

    let key = String::from_utf8(openssl(&["genrsa", "-traditional", "2048"], "")).expect("PEM");
    let public = openssl(&["rsa", "-pubout", "-outform", "DER"], &key);
    let public = base64::engine::general_purpose::STANDARD.encode(public);
    let writer = Writer::signing("northwind.example", "s1", &key).expect("a key");
    let plain = message("marta@vidal.example");
    let international = Message {
        to: mailbox("Márta Ñ. Vidal y Compañía", "marta@vidal.example"),
        reply_to: Some(mailbox("Atención al cliente", "help@northwind.example")),
        drawn: Drawn {
            subject: "Elige una contraseña nueva para la cuenta de «Northwind Hosting» en cuanto puedas".to_owned(),
            text: "Hola:\n\n  dos  espacios \n\n¿…?\n\n\n".to_owned().into(),
            html: format!("<p>{}</p>\n", "contraseña ".repeat(300)).into(),
        },
        ..plain.clone()
    };
    let drawn = Drawn { subject: "Choose ".repeat(40), ..plain.drawn.clone() };
    let long = Message { drawn, reply_to: None, ..plain.clone() };
    for mail in [plain, international, long] {
        let bytes = writer.bytes(&mail).expect("written");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        assert_eq!(verdict(&bytes, &public), "good", "{text}");
        let list =
            text.split_once("h=").expect("signed headers").1.split(';').next().unwrap_or_default().to_lowercase();
        for name in ["from", "to", "subject", "date", "message-id", "auto-submitted"] {
            assert!(list.split([':', '\r', '\n', ' ']).any(|signed| signed == name), "{name}: {list}");
        }
        assert_eq!(verdict(text.replace("Northwind Hosting", "Southwind").as_bytes(), &public), "bad");
        assert_eq!(verdict(text.replacen("</p>", "!</p>", 1).as_bytes(), &public), "bad");
    }
}

#[test]
fn a_key_of_another_kind_is_refused_with_how_to_make_one() {
    for key in [String::new(), String::from_utf8(openssl(&["genpkey", "-algorithm", "ed25519"], "")).expect("PEM")] {
        let cause = Writer::signing("northwind.example", "s1", &key).expect_err("no RSA");
        assert!(cause.to_string().contains("openssl genrsa -traditional"), "{cause}");
    }
}
