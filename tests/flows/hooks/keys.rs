//! Keys: what each may, for whom, from where, and until when.

use serde_json::{Value, json};

use crate::hooks::server::{Panel, Server};

fn greet(server: &Server, token: &str) -> crate::hooks::server::Answer {
    server.call(token, "report/greet", &json!({"name": "Ana"}))
}

fn listed(panel: &Panel) -> Value {
    serde_json::from_str(&panel.done(&["keys", "list", "--json"])).expect("JSON")
}

#[test]
fn without_a_key_that_works_nothing_is_looked_at() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/greet", &[]);
    let server = panel.serve();
    let answer = server.ask("POST", "/v1/hooks/report/greet", &[("Content-Type", "application/json")], b"{}");
    answer.problem(401, "no-key");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"keyturn\""));
    let mut last = token.clone();
    last.replace_range(token.len() - 1.., if token.ends_with('a') { "b" } else { "a" });
    for wrong in ["", "kt_", &token[..token.len() - 1], &last, &format!("kt_{}", "a".repeat(65))] {
        let answer = greet(&server, wrong);
        answer.problem(401, "bad-key");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("invalid_token")));
        assert!(answer.header("ratelimit").is_none());
    }
    let basic = server.ask("POST", "/v1/hooks/report/greet", &[("Authorization", "Basic YTpi")], b"{}");
    basic.problem(401, "bad-key");
    server.call("nonsense", "report/unheard-of", &json!({})).problem(401, "bad-key");
    assert_eq!(greet(&server, &token).status, 200);
}

#[test]
fn a_revoked_key_stops_at_once_and_stays_in_the_list() {
    let panel = Panel::new();
    let (token, other) = (panel.key("billing", "report/greet", &[]), panel.key("other", "report/greet", &[]));
    let server = panel.serve();
    assert_eq!(greet(&server, &token).status, 200);
    server.panel.done(&["keys", "revoke", "billing"]);
    greet(&server, &token).problem(401, "bad-key");
    assert_eq!(greet(&server, &other).status, 200);
    assert_eq!(listed(&server.panel)[0]["state"], "revoked");
    assert_eq!(server.panel.run(&["keys", "rotate", "billing"]).status.code(), Some(5));
    let again = ["keys", "add", "billing", "--may", "report/greet", "--accounts", "customer"];
    let again = server.panel.run(&again);
    assert_eq!(again.status.code(), Some(5), "a name is given once");
    let audit = server.panel.done(&["audit", "list"]);
    assert!(audit.contains("keys-add") && audit.contains("keys-revoke") && audit.contains("done: billing"), "{audit}");
}

#[test]
fn a_rotated_key_has_a_new_token_and_the_one_before_works_as_long_as_it_is_let() {
    let panel = Panel::new();
    let first = panel.key("billing", "report/greet", &[]);
    let server = panel.serve();
    let second = server.panel.done(&["keys", "rotate", "billing"]).trim().to_owned();
    assert_ne!(first, second);
    assert_eq!((greet(&server, &first).status, greet(&server, &second).status), (200, 200));
    let third = server.panel.done(&["keys", "rotate", "billing", "--old-works-for", "0"]).trim().to_owned();
    for old in [&first, &second] {
        greet(&server, old).problem(401, "bad-key");
    }
    assert_eq!(greet(&server, &third).status, 200);
}

#[test]
fn a_key_may_what_its_scopes_say_and_nothing_else() {
    let panel = Panel::new();
    let (token, plain) = (
        panel.key("billing", "report/greet", &[]),
        panel.key("plain", "password/set-password,password/make-link", &[]),
    );
    let fresh = panel.key("fresh", "password/set-password,without-step-up", &[]);
    let server = panel.serve();
    server.call(&token, "report/visit", &json!({"page_name": "a"})).problem(403, "not-allowed");
    let set = json!({"account": "customer:1", "new": "copper lantern oats", "must_change": false});
    server.call(&token, "password/set-password", &set).problem(403, "not-allowed");
    server.call(&plain, "password/set-password", &set).problem(403, "step-up");
    server.call(&plain, "password/make-link", &json!({"account": "customer:1"})).problem(403, "step-up");
    let hash = |server: &Server| -> Option<String> {
        let read = "SELECT password_hash FROM people WHERE id = 1";
        server.panel.database().query_row(read, [], |row| row.get(0)).expect("reads")
    };
    assert_eq!(hash(&server), None);
    assert_eq!(server.call(&fresh, "password/set-password", &set).status, 200);
    assert!(hash(&server).is_some());
}

#[test]
fn a_key_reaches_the_accounts_that_it_names() {
    let panel = Panel::new();
    let all = panel.key("all", "password/account-status", &[]);
    let reseller = panel.key("reseller-7", "password/account-status", &["--managed-by", "7"]);
    let server = panel.serve();
    let status = |token: &str, account: &str| {
        server.call(token, "password/account-status", &json!({ "account": account })).status
    };
    assert_eq!((status(&all, "customer:1"), status(&all, "customer:2"), status(&all, "reseller:7")), (200, 200, 404));
    assert_eq!((status(&reseller, "customer:1"), status(&reseller, "customer:2")), (404, 200));
    assert_eq!(status(&reseller, "reseller:7"), 404);
}

#[test]
fn a_key_works_from_its_addresses_as_a_proxy_of_ours_saw_them() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/greet", &["--from", "192.0.2.0/24,2001:db8::/32"]);
    let elsewhere = panel.serve();
    greet(&elsewhere, &token).problem(403, "address");
    let from = |server: &Server, address: &str| {
        let forwarded = [("X-Forwarded-For", address)];
        server.call_with(&token, "report/greet", &json!({"name": "Ana"}), &forwarded).status
    };
    assert_eq!(from(&elsewhere, "192.0.2.7"), 403, "anybody can write that header");
    elsewhere.signal("TERM");
    let (_, panel) = elsewhere.ends();
    panel.edit("[database]", "[server]\nproxies = [\"127.0.0.1\"]\n\n[database]");
    let server = panel.serve();
    assert_eq!(from(&server, "192.0.2.7"), 200);
    assert_eq!(from(&server, "192.0.2.7, 198.51.100.1"), 403, "only what our own proxy wrote counts");
    assert_eq!(from(&server, "2001:db8::9"), 200);
    assert_eq!(from(&server, "caf\u{e9}, 192.0.2.7"), 200, "what stands before it need not be text");
    assert_eq!(from(&server, "192.0.2.7, caf\u{e9}"), 403);
}

#[test]
fn a_proxys_own_address_is_nobodys_unless_a_panel_calls_from_it() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/greet", &["--from", "127.0.0.1"]);
    panel.edit("[database]", "[server]\nproxies = [\"127.0.0.1\"]\n\n[database]");
    let server = panel.serve();
    let from = |server: &Server, said: Option<&str>| {
        let forwarded: Vec<_> = said.map(|said| ("X-Forwarded-For", said)).into_iter().collect();
        server.call_with(&token, "report/greet", &json!({"name": "Ana"}), &forwarded)
    };
    for said in [None, Some("caf\u{e9}"), Some("unknown"), Some("_hidden"), Some(""), Some("127.0.0.1")] {
        let refused = from(&server, said).problem(403, "address");
        assert!(
            refused["detail"].as_str().is_some_and(|detail| detail.contains("server.panel-addresses")),
            "{refused}"
        );
    }
    server.signal("TERM");
    let (_, panel) = server.ends();
    panel.edit("proxies = [\"127.0.0.1\"]", "proxies = [\"127.0.0.1\"]\npanel-addresses = [\"127.0.0.1\"]");
    let server = panel.serve();
    assert_eq!(from(&server, None).status, 200);
    assert_eq!(from(&server, Some("unknown")).status, 403, "it came to the proxy from somebody");
    assert_eq!(from(&server, Some("203.0.113.9")).status, 403);
}

#[test]
fn what_a_key_may_is_checked_against_what_there_is() {
    let panel = Panel::new();
    for (arguments, code, word) in [
        (&["billing", "--may", "report/unheard-of", "--accounts", "customer"][..], 5, "report/greet"),
        (
            &["billing", "--may", "password/change-own", "--accounts", "customer"],
            5,
            "no plugin has a hook password/change-own",
        ),
        (&["billing", "--may", "without-step-up", "--accounts", "customer"], 5, "at least one hook"),
        (&["Billing", "--may", "report/greet", "--accounts", "customer"], 5, "a-z"),
        (&["billing", "--may", "report/greet", "--accounts", "people"], 4, "customer"),
        (
            &["billing", "--may", "report/greet", "--accounts", "staff", "--managed-by", "7"],
            6,
            "accounts.staff.manager",
        ),
        (&["billing", "--may", "report/greet", "--accounts", "customer", "--from", "here"], 2, "neither an address"),
    ] {
        let output = panel.run(&[&["keys", "add"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    assert_eq!(panel.run(&["keys", "revoke", "nobody"]).status.code(), Some(4));
    assert_eq!(listed(&panel), json!([]));
}

#[test]
fn the_database_holds_no_token_and_a_forged_row_opens_nothing() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/greet", &[]);
    let server = panel.serve();
    assert_eq!(greet(&server, &token).status, 200);
    for file in ["panel.db", "panel.db-wal"] {
        let bytes = std::fs::read(server.panel.folder.path().join(file)).unwrap_or_default();
        let secret = &token.as_bytes()[16..];
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "the token stands in {file}");
    }
    // Somebody who can write the database gives their own key another's rights, under its own id.
    let mine = server.panel.key("mine", "report/visit", &[]);
    let forged = "UPDATE keyturnhost_service_keys SET content = (SELECT content FROM keyturnhost_service_keys WHERE name = 'billing')
                  WHERE name = 'mine'";
    server.panel.database().execute(forged, []).expect("written");
    greet(&server, &mine).problem(500, "storage");
    // And that keeps nobody from revoking other keys.
    server.panel.done(&["keys", "revoke", "billing"]);
    greet(&server, &token).problem(401, "bad-key");
}

#[test]
fn what_somebody_wrote_into_the_database_moves_no_cursor_of_the_operators_terminal() {
    let panel = Panel::new();
    panel.key("billing", "report/greet", &[]);
    let written = "\u{1b}[2J\u{9b}31m\r\nbilling  revoked";
    panel
        .database()
        .execute("UPDATE keyturnhost_service_keys SET used_at = 1, used_from = ?1", [written])
        .expect("set");
    let said = panel.done(&["keys", "list"]);
    assert!(said.contains("[2J") && said.lines().count() == 2, "{said:?}");
    assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
    let output = panel.run(&["keys", "revoke", "\u{1b}[2J"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("there is no key") && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn the_last_use_is_written_down_with_where_from() {
    let panel = Panel::new();
    let token = panel.key("billing", "report/greet", &[]);
    assert_eq!(listed(&panel)[0]["last_used"], Value::Null);
    let server = panel.serve();
    greet(&server, &token).done();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while listed(&server.panel)[0]["last_used"] == Value::Null {
        assert!(std::time::Instant::now() < until, "it was never written");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let used = listed(&server.panel)[0]["last_used"].clone();
    assert_eq!(used["from"], "127.0.0.1");
    greet(&server, &token).done();
    assert_eq!(listed(&server.panel)[0]["last_used"]["at"], used["at"], "at most once a minute");
}
