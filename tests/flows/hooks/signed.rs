//! Requests signed with a key instead of bearing it: RFC 9421 by hand here, by OpenSSL in the example of the documentation.

use std::path::Path;
use std::process::{Command, Stdio};

use keyturn_tests::signed::{digest, seconds, sign};

use crate::hooks::server::{Answer, Panel, Server};

pub const PATH: &str = "/v1/hooks/report/visit";
pub const BODY: &str = r#"{"page_name": "home"}"#;

/// A signature that can be sent again, or with something else.
pub struct Signed {
    digest: String,
    input: String,
    signature: String,
}

impl Signed {
    pub fn new(token: &str, nonce: &str, age: i64) -> Self {
        let created = seconds() - age;
        let digest = digest(BODY.as_bytes());
        let components =
            [("@method", "POST".to_owned()), ("@path", PATH.to_owned()), ("content-digest", digest.clone())];
        let [(_, input), (_, signature)] = sign(token, &components, created, nonce);
        Self { digest, input, signature }
    }

    fn headers(&self) -> [(&str, &str); 4] {
        [
            ("Content-Type", "application/json"),
            ("Content-Digest", self.digest.as_str()),
            ("Signature-Input", self.input.as_str()),
            ("Signature", self.signature.as_str()),
        ]
    }

    pub fn send(&self, server: &Server, path: &str, body: &str) -> Answer {
        server.ask("POST", path, &self.headers(), body.as_bytes())
    }
}

#[test]
fn a_signed_request_is_done_once_and_for_what_was_signed_only() {
    let panel = Panel::new();
    let (token, other) = (panel.key("billing", "report/visit", &[]), panel.key("other", "report/greet", &[]));
    let server = panel.serve();
    let first = Signed::new(&token, "0123456789abcdef", 0);
    first.send(&server, PATH, r#"{"page_name": "away"}"#).problem(401, "bad-signature");
    first.send(&server, "/v1/hooks/report/greet", BODY).problem(401, "bad-signature");
    assert_eq!(first.send(&server, PATH, BODY).done(), 1);
    let again = first.send(&server, PATH, BODY).problem(401, "bad-signature");
    assert!(again["detail"].as_str().is_some_and(|why| why.contains("nonce")), "{again}");
    assert_eq!(Signed::new(&token, "another-0123456789", 0).send(&server, PATH, BODY).done(), 2);
    for age in [120, -120] {
        let problem =
            Signed::new(&token, "0123456789abcdee", age).send(&server, PATH, BODY).problem(401, "bad-signature");
        assert!(problem["detail"].as_str().is_some_and(|why| why.contains("clock")), "{problem}");
    }
    // Signed by one key in another's name.
    let mut forged = Signed::new(&other, "0123456789abcdef", 0);
    forged.input = forged.input.replace(&other[3..15], &token[3..15]);
    forged.send(&server, PATH, BODY).problem(401, "bad-signature");
    Signed::new(&other, "0123456789abcdef", 0).send(&server, PATH, BODY).problem(403, "not-allowed");
    server.panel.done(&["keys", "revoke", "billing"]);
    Signed::new(&token, "0123456789abcded", 0).send(&server, PATH, BODY).problem(401, "bad-signature");
}

#[test]
fn what_is_said_twice_or_otherwise_than_it_was_signed_is_not_done() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/visit", &[]);
    let server = panel.serve();
    let signed = Signed::new(&token, "0123456789abcdef", 0);
    let (input, signature) = (signed.input.clone(), signed.signature.clone());
    let (second_input, second_signature) = (input.replacen("sig", "two", 1), signature.replacen("sig", "two", 1));
    for more in [
        ("Signature-Input", input.as_str()),
        ("Signature-Input", &second_input),
        ("Signature", &signature),
        ("Signature", &second_signature),
        ("Content-Digest", &signed.digest),
        ("Content-Digest", "sha-256=:AAAA:"),
        ("Idempotency-Key", "uncovered"),
        ("Keyturn-On-Behalf", "e30="),
    ] {
        let headers = [&signed.headers()[..], &[more]].concat();
        server.ask("POST", PATH, &headers, BODY.as_bytes()).problem(401, "bad-signature");
    }
    for (at, joined) in [
        (1, format!("{}, {}", signed.digest, signed.digest)),
        (2, format!("{input}, {second_input}")),
        (2, input.replace(");created", ")x;created")),
        (2, input.replace("\"@method\" ", "\"@method\" \"@method\" ")),
        (3, format!("{signature}, {second_signature}")),
        (3, second_signature.clone()),
        (3, signature.replace("sig=:", "sig=: ")),
    ] {
        let mut headers = signed.headers();
        headers[at].1 = &joined;
        server.ask("POST", PATH, &headers, BODY.as_bytes()).problem(401, "bad-signature");
    }
    for path in [
        "//v1/hooks/report/visit",
        "/v1//hooks/report/visit",
        "/v1/hooks/report/visit/",
        "/v1/hooks/report/%76isit",
        "/v1/hooks/report/./visit",
        "/v1/hooks/x/../report/visit",
        "/v1/hooks/report/visit?",
        "/v1/hooks/report/visit?a=b",
        "http://other.example/v1/hooks/report/greet",
    ] {
        let answer = signed.send(&server, path, BODY);
        assert!([401, 404].contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
    }
    for body in ["", "{}", "{\"page_name\": \"home\"} ", "\u{feff}{\"page_name\": \"home\"}"] {
        signed.send(&server, PATH, body).problem(401, "bad-signature");
    }
    let borne = [&signed.headers()[..], &[("Authorization", "Bearer kt_")]].concat();
    server.ask("POST", PATH, &borne, BODY.as_bytes()).problem(401, "bad-key");
    // None of that was done, and the signature is still valid; once, whatever is reloaded or rotated.
    assert_eq!(signed.send(&server, PATH, BODY).done(), 1);
    server.signal("HUP");
    server.logs("reload finished");
    server.panel.done(&["keys", "rotate", "billing"]);
    let again = signed.send(&server, PATH, BODY).problem(401, "bad-signature");
    assert!(again["detail"].as_str().is_some_and(|why| why.contains("nonce")), "{again}");
}

#[test]
fn a_signature_that_was_used_stays_used_when_the_server_starts_anew() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/visit", &[]);
    let server = panel.serve();
    let signed = Signed::new(&token, "0123456789abcdef", 0);
    assert_eq!(signed.send(&server, PATH, BODY).done(), 1);
    server.signal("TERM");
    let (_, panel) = server.ends();
    let server = panel.serve();
    signed.send(&server, PATH, BODY).problem(401, "bad-signature");
    assert_eq!(Signed::new(&token, "0123456789abcdee", 0).send(&server, PATH, BODY).done(), 2);
}

#[test]
fn what_was_signed_before_a_crash_or_by_a_clock_that_is_ahead_is_signed_anew_after_it() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/visit", &[]);
    let server = panel.serve();
    let (used, ahead) = (Signed::new(&token, "0123456789abcdef", 0), Signed::new(&token, "0123456789abcdee", -30));
    assert_eq!(used.send(&server, PATH, BODY).done(), 1);
    // Nothing of it may have been written down, so none was used here.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    server.signal("KILL");
    let (_, panel) = server.ends();
    panel.database().execute("DELETE FROM keyturnhost_counters", []).expect("gone");
    let server = panel.serve();
    for signed in [&used, &ahead] {
        let problem = signed.send(&server, PATH, BODY).problem(401, "bad-signature");
        assert!(problem["detail"].as_str().is_some_and(|why| why.contains("before this server started")), "{problem}");
    }
    let now = Signed::new(&token, "0123456789abcded", 0).send(&server, PATH, BODY);
    assert_eq!(now.status, 200, "{}", now.body);
}

/// The examples of docs/hooks.md, as they stand there.
#[test]
fn the_examples_of_the_documentation_work() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/hooks.md");
    let docs = std::fs::read_to_string(docs).expect("reads");
    let scripts: Vec<&str> = docs.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let of = |word: &str| {
        scripts.iter().find(|script| script.contains(word)).unwrap_or_else(|| panic!("no example with {word}"))
    };
    let panel = Panel::new();
    let server = panel.serve();
    let (config, url) = (server.panel.config.clone(), format!("http://{}", server.address));
    let run = |script: &str, token: &str| {
        let keyturn = Path::new(env!("CARGO_BIN_EXE_keyturn")).parent().expect("a folder").to_owned();
        let path = format!("{}:{}", keyturn.display(), std::env::var("PATH").expect("set"));
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .env("PATH", path)
            .env("KEYTURN_CONFIG", &config)
            .env("HOST", &url)
            .env("TOKEN", token)
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{script}\n{out}{err}");
        out.into_owned()
    };
    let made = run(of("keys add whmcs"), "");
    let token = made.lines().find(|line| line.starts_with("kt_")).expect("a token").to_owned();
    let reset = run(of("/v1/hooks/password/reset-and-mail"), &token);
    assert!(reset.contains("\"mail\":"), "{reset}");
    let operation = run(of("/v1/operations/"), &token);
    assert!(operation.contains("\"state\":\"done\""), "{operation}");
    let status = run(of("openssl dgst"), &token);
    assert!(status.contains("\"state\":\"temporary\""), "{status}");
}
