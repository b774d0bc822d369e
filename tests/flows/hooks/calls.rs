//! What is answered to a machine that may.

use serde_json::{Value, json};

use crate::hooks::server::{ANOTHER, PASSWORD, Panel, Server};

const ALL: &str = "password/set-password,password/verify,password/account-status,password/make-link,password/reset-and-mail,\
                   password/check-password,report/greet,report/visit,report/summarise,without-step-up";

fn server() -> (Server, String) {
    let panel = Panel::new();
    let token = panel.key("billing", ALL, &[]);
    (panel.serve(), token)
}

fn set(password: &str) -> Value {
    json!({"account": "customer:1", "new": password, "must_change": false})
}

fn verify(server: &Server, token: &str, password: &str) -> Value {
    server.call(token, "password/verify", &json!({"login_or_email": "marta", "password": password})).done()["kind"]
        .clone()
}

#[test]
fn a_password_that_was_set_signs_in_and_the_audit_names_key_and_request() {
    let (server, token) = server();
    let answer = server.call(&token, "password/set-password", &set(PASSWORD));
    assert_eq!(answer.done()["sessions_ended"], 2);
    let request = answer.header("x-request-id").expect("a request id").to_owned();
    assert_eq!(verify(&server, &token, PASSWORD), "accepted");
    assert_eq!(verify(&server, &token, ANOTHER), "rejected");
    let audit = server.panel.done(&["audit", "list", "--json", "--operation", "set-password"]);
    let entries: Value = serde_json::from_str(&audit).expect("JSON");
    let entry = &entries[0]["entry"];
    assert_eq!((&entry["actor"], &entry["request"]), (&json!("service-key:billing"), &json!(request)));
    assert_eq!(entry["address"], "127.0.0.1");
    let log = server.log();
    assert!(log.contains(&request), "{log}");
    for secret in [PASSWORD, &token[16..], "marta"] {
        assert!(!log.contains(secret) && !audit.contains(secret), "{secret} stands in log or audit");
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn a_component_that_nobody_knew_is_served_by_its_own_types() {
    let (server, token) = server();
    assert_eq!(server.call(&token, "report/greet", &json!({"name": "Ana"})).done(), json!("Hello, Ana."));
    let arguments = json!({
        "window": {"kind": "between", "value": {"low": 5, "high": -5}}, "marks": [], "digest": "", "weights": [],
    });
    let problem = server.call(&token, "report/summarise", &arguments).problem(422, "error");
    assert_eq!(problem["error"], json!({"kind": "too_wide", "value": {"low": 5, "high": -5}}));
}

#[test]
fn each_way_to_ask_wrongly_has_its_problem() {
    let (server, token) = server();
    let bearer = format!("Bearer {token}");
    let key = ("Authorization", bearer.as_str());
    let kind = ("Content-Type", "application/json");
    let (path, good) = ("/v1/hooks/report/greet", br#"{"name": "Ana"}"#.as_slice());
    let ask = |headers: &[(&str, &str)], body: &[u8]| server.ask("POST", path, headers, body);
    ask(&[key, kind], b"{").problem(400, "json");
    ask(&[key, kind], b"{\"name\": \"\xff\"}").problem(400, "json");
    ask(&[key, kind], br#"{"name": "a", "name": "b"}"#).problem(400, "json");
    for (body, at) in
        [("{}", "name"), ("", "name"), (r#"{"name": 5}"#, "name"), (r#"{"name": "a", "x": 1}"#, "x"), ("[]", "")]
    {
        let problem = ask(&[key, kind], body.as_bytes()).problem(400, "arguments");
        assert_eq!(problem["path"], at, "{body}");
    }
    for wrong in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
        ask(&[key, ("Content-Type", wrong)], good).problem(415, "media-type");
    }
    ask(&[key, kind, ("Content-Encoding", "gzip")], good).problem(415, "media-type");
    assert_eq!(ask(&[key, ("Content-Type", "application/json; charset=UTF-8")], good).status, 200);
    ask(&[key, kind], &vec![b' '; 300 * 1024]).problem(413, "too-large");
    ask(&[key, kind, ("Idempotency-Key", "with space")], good).problem(400, "idempotency-key");
    ask(&[key, kind, ("Idempotency-Key", "a"), ("Idempotency-Key", "b")], good).problem(400, "idempotency-key");
    server.call(&token, "report/unheard-of", &json!({})).problem(404, "no-such-hook");
    server.get(&token, "/v1/nothing").problem(404, "no-such-address");
    let problem = server.call(&token, "password/set-password", &set("short")).problem(422, "invalid");
    assert_eq!((&problem["errors"][0]["path"], &problem["errors"][0]["code"]), (&json!("new"), &json!("too-short")));
    let nobody = json!({"account": "customer:77"});
    server.call(&token, "password/account-status", &nobody).problem(404, "not-found");
    let refused = json!({"account": "customer:1", "mode": "permanent"});
    let problem = server.call(&token, "password/reset-and-mail", &refused).problem(422, "refused");
    assert_eq!(problem["reason"], "mode-not-offered");
}

#[test]
fn an_address_has_its_method_and_says_so() {
    let (server, token) = server();
    for path in ["/v1/hooks/report/greet", "/v1/hooks/report/unheard-of"] {
        for method in ["GET", "PUT", "DELETE", "PATCH", "QUERY", "TRACE"] {
            let answer = server.ask(method, path, &[("Authorization", &format!("Bearer {token}"))], b"");
            answer.problem(405, "method");
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"), "{method}");
        }
        assert_eq!(server.ask("HEAD", path, &[], b"").status, 405);
        let options = server.ask("OPTIONS", path, &[("Origin", "https://elsewhere.example")], b"");
        assert_eq!((options.status, options.header("allow")), (204, Some("POST, OPTIONS")));
        assert_eq!(options.header("access-control-allow-origin"), None);
    }
    assert_eq!(server.ask("POST", "/v1/operations/k", &[], b"").header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[test]
fn an_idempotency_key_does_a_thing_once_and_says_what_became_of_it() {
    let (server, token) = server();
    let key = [("Idempotency-Key", "2026-11-24/42")];
    let visit = |page: &str| server.call_with(&token, "report/visit", &json!({"page_name": page}), &key);
    let operation = |token: &str| server.get(token, "/v1/operations/2026-11-24%2F42").done();
    assert_eq!(operation(&token), json!({"state": "not_done", "hook": null, "answer": null}));
    assert_eq!(visit("home").done(), 1);
    assert_eq!(visit("home").done(), 1, "the second is answered like the first");
    visit("elsewhere").problem(422, "key-reused");
    assert_eq!(operation(&token), json!({"state": "done", "hook": "report/visit", "answer": 1}));
    let other = server.panel.key("other", "report/visit", &[]);
    assert_eq!(operation(&other)["state"], "not_done", "what another key did is not this one's to know");
    let failed = [("Idempotency-Key", "failed")];
    server.call_with(&token, "password/set-password", &set("short"), &failed).problem(422, "invalid");
    assert_eq!(server.get(&token, "/v1/operations/failed").done()["state"], "not_done");
}

#[test]
fn a_record_of_what_was_answered_holds_no_secret_in_clear() {
    let (server, token) = server();
    let key = [("Idempotency-Key", "link")];
    let made = server.call_with(&token, "password/make-link", &json!({"account": "customer:1"}), &key).done();
    let link = made["link"].as_str().expect("a link").to_owned();
    let secret = link.rsplit('/').next().expect("its token");
    let records: i64 = server
        .panel
        .database()
        .query_row("SELECT count(*) FROM keyturnhost_records", [], |row| row.get(0))
        .expect("counts");
    assert_eq!(records, 1);
    for file in ["panel.db", "panel.db-wal"] {
        let bytes = std::fs::read(server.panel.folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "the link stands in {file}");
    }
}

#[test]
fn a_request_that_is_under_way_is_said_to_be_so() {
    let (server, token) = server();
    // Its commit waits for whoever else writes.
    let writer = server.panel.database();
    writer.execute_batch("BEGIN IMMEDIATE").expect("begun");
    let state = || server.get(&token, "/v1/operations/slow").done()["state"].clone();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let key = [("Idempotency-Key", "slow")];
            server.call_with(&token, "report/visit", &json!({"page_name": "home"}), &key)
        });
        let seen = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(40));
            state() == "under_way"
        });
        writer.execute_batch("ROLLBACK").expect("ended");
        assert!(seen, "it was never said to be under way");
        assert_eq!(slow.join().expect("ends").done(), 1);
    });
    assert_eq!(state(), "done");
}

#[test]
fn a_key_is_let_in_so_often_a_minute_and_told_when_to_come_back() {
    let panel = Panel::new();
    panel.edit("[database]", "[limits]\nrequests-per-minute = 3\n\n[database]");
    let (token, other) = (panel.key("billing", ALL, &[]), panel.key("other", "report/greet", &[]));
    let server = panel.serve();
    let greet = |token: &str| server.call(token, "report/greet", &json!({"name": "Ana"}));
    for left in ["2", "1", "0"] {
        let answer = greet(&token);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"key\";q=3;w=60"));
        assert!(answer.header("ratelimit").is_some_and(|state| state.starts_with(&format!("\"key\";r={left};t="))));
    }
    let refused = greet(&token);
    refused.problem(429, "rate");
    let wait: u32 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(greet(&other).status, 200, "another key has its own");
}
