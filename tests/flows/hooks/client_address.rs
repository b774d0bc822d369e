//! Sign-in through a machine: for whose address attempts count, and what lets the owner in while strangers guess.

use keyturn_tests::signed::{digest, seconds, sign};
use serde_json::{Value, json};

use crate::hooks::server::{Answer, PASSWORD, Panel, Server};

const HEADER: &str = "Keyturn-Client-Address";
const VERIFY: &str = "password/verify";

/// Marta has a password; three attempts for a name from each address, thirty from everywhere.
fn panel() -> Panel {
    let panel = Panel::new();
    let grants = panel.folder.path().join("plugins.d/keyturn-password.toml");
    let text = std::fs::read_to_string(&grants).expect("reads");
    std::fs::write(&grants, text.replace("[settings]\n", "[settings]\nattempts-per-name = 3\n")).expect("writes");
    let set = ["call", "password/set-password", r#"{"account": "customer:1", "must_change": false}"#];
    let mut command = panel.command(&set);
    let child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn();
    let mut child = child.expect("keyturn runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), format!("{PASSWORD}\n").as_bytes())
        .expect("written");
    assert!(child.wait_with_output().expect("ends").status.success());
    panel
}

fn typed(password: &str) -> Value {
    json!({"login_or_email": "marta", "password": password})
}

/// Nothing that is hashed.
fn guess(server: &Server, token: &str, from: Option<&str>) -> Answer {
    let header = from.map(|from| (HEADER, from));
    server.call_with(token, VERIFY, &typed(""), header.as_slice())
}

#[test]
fn attempts_count_for_the_address_that_is_handed_on_and_the_audit_names_it() {
    let panel = panel();
    let token = panel.key("panel", "password/verify,client-address", &["--from", "127.0.0.1"]);
    let server = panel.serve();
    for _ in 0..3 {
        assert_eq!(guess(&server, &token, Some("192.0.2.7")).done()["kind"], "rejected");
    }
    let refused = guess(&server, &token, Some("::ffff:192.0.2.7"));
    refused.problem(429, "throttled");
    let wait: u32 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=960).contains(&wait), "a window and a sixteenth: {wait}");
    let right = server.call_with(&token, VERIFY, &typed(PASSWORD), &[(HEADER, "2001:db8::7")]);
    assert_eq!(right.done()["kind"], "accepted");
    let audit = server.panel.done(&["audit", "list", "--json", "--operation", "verify"]);
    let audit: Value = serde_json::from_str(&audit).expect("JSON");
    let addresses: Vec<&Value> =
        audit.as_array().expect("entries").iter().map(|row| &row["entry"]["address"]).collect();
    assert_eq!(addresses, ["2001:db8::7", "192.0.2.7", "192.0.2.7", "192.0.2.7"]);
}

#[test]
fn without_an_address_a_machine_is_counted_by_the_name_alone_with_the_ceiling_of_all_addresses() {
    let panel = panel();
    let token = panel.key("panel", VERIFY, &[]);
    let server = panel.serve();
    for n in 0..30 {
        assert_eq!(guess(&server, &token, None).status, 200, "{n}");
    }
    guess(&server, &token, None).problem(429, "throttled");
    let other = json!({"login_or_email": "omar", "password": ""});
    assert_eq!(server.call(&token, VERIFY, &other).done()["kind"], "rejected");
}

#[test]
fn a_device_that_has_signed_in_before_gets_in_while_strangers_use_up_what_there_is_for_its_name() {
    let panel = panel();
    let token = panel.key("panel", VERIFY, &[]);
    let server = panel.serve();
    let first = server.call(&token, VERIFY, &typed(PASSWORD)).done();
    let device = first["value"]["device"].as_str().expect("a device").to_owned();
    while guess(&server, &token, None).status == 200 {}
    let mut arguments = typed(PASSWORD);
    server.call(&token, VERIFY, &arguments).problem(429, "throttled");
    arguments["device"] = "made up".into();
    server.call(&token, VERIFY, &arguments).problem(429, "throttled");
    arguments["device"] = device.clone().into();
    let second = server.call(&token, VERIFY, &arguments).done();
    assert_eq!(second["kind"], "accepted");
    let secret = &device[..40];
    let audit = server.panel.done(&["audit", "list", "--json"]);
    assert!(!server.log().contains(secret) && !audit.contains(secret), "the device stands in log or audit");
}

#[test]
fn an_address_is_believed_of_keys_with_the_scope_for_it_and_must_be_one() {
    let panel = panel();
    let (plain, may) =
        (panel.key("plain", "password/verify,accounts", &[]), panel.key("may", "accounts,client-address", &[]));
    let server = panel.serve();
    let problem = guess(&server, &plain, Some("192.0.2.7")).problem(403, "not-allowed");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("scope client-address")), "{problem}");
    let bearer = format!("Bearer {may}");
    let ask = |headers: &[(&str, &str)]| {
        let headers = [&[("Authorization", bearer.as_str())], headers].concat();
        server.ask("GET", "/v1/accounts?named=marta", &headers, b"")
    };
    for good in ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"] {
        assert_eq!(ask(&[(HEADER, good)]).status, 200, "{good}");
    }
    for bad in [
        "",
        "here",
        "192.0.2.7:4711",
        "[2001:db8::7]",
        "fe80::1%eth0",
        "192.0.2.7, 192.0.2.8",
        "192.0.2.0/24",
        "\u{e9}",
    ] {
        let problem = ask(&[(HEADER, bad)]).problem(400, "client-address");
        assert!(problem["title"].as_str().is_some_and(|title| title.contains(HEADER)), "{problem}");
    }
    ask(&[(HEADER, "192.0.2.7"), (HEADER, "192.0.2.7")]).problem(400, "client-address");
    let only = ["keys", "add", "only", "--may", "client-address", "--accounts", "customer"];
    assert_eq!(server.panel.run(&only).status.code(), Some(5), "it is nothing to do by itself");
}

#[test]
fn what_is_handed_on_lets_no_key_in_from_elsewhere() {
    let panel = panel();
    let token = panel.key("panel", "password/verify,client-address", &["--from", "192.0.2.0/24"]);
    let server = panel.serve();
    guess(&server, &token, Some("192.0.2.7")).problem(403, "address");
}

#[test]
fn a_signature_covers_the_address_that_is_handed_on() {
    let panel = panel();
    let token = panel.key("panel", "password/verify,client-address", &[]);
    let server = panel.serve();
    let (path, body) = (format!("/v1/hooks/{VERIFY}"), typed(PASSWORD).to_string());
    let digest = digest(body.as_bytes());
    let send = |nonce: &str, signed: Option<&str>, sent: &str| {
        let mut components =
            vec![("@method", "POST".to_owned()), ("@path", path.clone()), ("content-digest", digest.clone())];
        components.extend(signed.map(|address| ("keyturn-client-address", address.to_owned())));
        let [(_, input), (_, signature)] = sign(&token, &components, seconds(), nonce);
        let headers = [
            ("Content-Type", "application/json"),
            ("Content-Digest", digest.as_str()),
            ("Signature-Input", input.as_str()),
            ("Signature", signature.as_str()),
            (HEADER, sent),
        ];
        server.ask("POST", &path, &headers, body.as_bytes())
    };
    let problem = send("0123456789abcdea", None, "192.0.2.7").problem(401, "bad-signature");
    let names = |problem: &Value| problem["detail"].as_str().is_some_and(|why| why.contains("keyturn-client-address"));
    assert!(names(&problem), "{problem}");
    send("0123456789abcdeb", Some("192.0.2.7"), "192.0.2.8").problem(401, "bad-signature");
    assert_eq!(send("0123456789abcdec", Some("192.0.2.7"), "192.0.2.7").done()["kind"], "accepted");
}

#[test]
fn the_document_tells_of_the_header() {
    let server = panel().serve();
    let document = server.ask("GET", "/v1/openapi.json", &[], b"").done();
    let parameters = &document["paths"]["/v1/hooks/password/verify"]["post"]["parameters"];
    assert!(parameters.to_string().contains("#/components/parameters/ClientAddress"), "{parameters}");
    assert_eq!(document["components"]["parameters"]["ClientAddress"]["name"], HEADER);
}
