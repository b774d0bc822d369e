//! What the host itself tells machines: which accounts there are, their epochs, what became of mails.

use keyturn_host::seal;
use serde_json::json;

use crate::hooks::server::{PASSWORD, Panel};

#[test]
fn an_account_is_found_by_login_or_address_as_far_as_the_key_reaches() {
    let panel = Panel::new();
    let all = panel.key("all", "accounts", &[]);
    let own = panel.key("own", "accounts", &["--managed-by", "7"]);
    let none = panel.key("none", "report/visit", &[]);
    let server = panel.serve();
    let found = |token: &str, named: &str| server.get(token, &format!("/v1/accounts?named={named}")).done();
    assert_eq!(
        found(&all, "MARTA"),
        json!({"accounts": [{"account": "customer:1", "matched": "login", "is_address": false}]})
    );
    assert_eq!(found(&all, "omar%40haddad.example")["accounts"][0]["matched"], "email");
    // Resellers are no customers, and other managers' customers are not there.
    for (token, named) in [(&all, "rita"), (&all, "nobody"), (&own, "marta")] {
        assert_eq!(found(token, named), json!({"accounts": []}), "{named}");
    }
    assert_eq!(found(&own, "omar")["accounts"][0]["account"], "customer:2");
    server.get(&all, "/v1/accounts").problem(400, "arguments");
    server.get(&none, "/v1/accounts?named=marta").problem(403, "not-allowed");
    server.get(&own, "/v1/accounts/customer:1/epoch").problem(404, "not-found");
    server.get(&all, "/v1/accounts/reseller:7/epoch").problem(404, "not-found");
    server.get(&all, "/v1/accounts/nonsense/epoch").problem(404, "not-found");
}

#[test]
fn an_address_is_an_accounts_own_to_the_letter() {
    let panel = Panel::new();
    let people = "INSERT INTO people (id, kind, login, email) VALUES (20, 'customer', 'strasse@nora.example', 'Strasse@nora.example'),
        (21, 'customer', 'finn', 'finn@vidal.example'), (22, 'customer', 'omar@haddad.example', NULL)";
    panel.database().execute_batch(people).expect("rows");
    let token = panel.key("all", "accounts", &[]);
    let server = panel.serve();
    let own = |named: &str| {
        let named: String = form_urlencoded::byte_serialize(named.as_bytes()).collect();
        let found = server.get(&token, &format!("/v1/accounts?named={named}")).done();
        let found = found["accounts"].as_array().expect("a list").clone();
        found.iter().map(|one| (one["account"].clone(), one["is_address"] == true)).collect::<Vec<_>>()
    };
    assert_eq!(own("strasse@NORA.example"), [(json!("customer:20"), true)], "also where it is the login");
    // Who has the other mailbox, on a name that anybody can register, is not she.
    assert_eq!(own("stra\u{df}e@nora.example"), [(json!("customer:20"), false)]);
    // A domain of another spelling is another domain.
    assert_eq!(own("finn@vi\u{df}al.example"), []);
    assert_eq!(own("\u{fb01}nn@vidal.example"), [(json!("customer:21"), false)]);
    assert_eq!(own("omar@haddad.example"), [(json!("customer:22"), false), (json!("customer:2"), true)]);
}

#[test]
fn an_epoch_changes_with_the_password_and_with_nothing_else() {
    let panel = Panel::new();
    let token = panel.key("panel", "accounts,password/set-password,password/account-status,without-step-up", &[]);
    let server = panel.serve();
    let epoch = || server.get(&token, "/v1/accounts/customer:1/epoch").done()["epoch"].clone();
    let first = epoch();
    server.call(&token, "password/account-status", &json!({"account": "customer:1"})).done();
    assert_eq!(epoch(), first);
    let set = json!({"account": "customer:1", "new": PASSWORD, "must_change": false});
    let changed = server.call(&token, "password/set-password", &set).done();
    assert_eq!(epoch(), changed["session_epoch"]);
    assert_ne!(epoch(), first);
}

#[test]
fn what_became_of_a_mail_is_told_to_whose_key_reaches_its_account() {
    let panel = Panel::new();
    let token = panel.key("billing", "mails,password/reset-and-mail,without-step-up", &[]);
    let other = panel.key("other", "mails", &["--managed-by", "7"]);
    let without = panel.key("without", "password/account-status", &[]);
    let server = panel.serve();
    let reset =
        server.call(&token, "password/reset-and-mail", &json!({"account": "customer:1", "mode": "link"})).done();
    let path = format!("/v1/mails/{}", reset["mail"].as_str().expect("a mail"));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mail = loop {
        let mail = server.get(&token, &path).done();
        if mail["state"] == "accepted" {
            break mail;
        }
        assert!(std::time::Instant::now() < until, "{mail}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!((&mail["account"], &mail["to"]), (&json!("customer:1"), &json!("marta@vidal.example")));
    assert_eq!((&mail["mail"], &mail["attempts"]), (&reset["mail"], &json!(1)));
    let changed = jiff::Timestamp::from_millisecond(mail["changed_at"].as_i64().expect("a time")).expect("in range");
    let clock = format!(" {}. ", changed.strftime("%H:%M"));
    let said = mail["sentence"].as_str().expect("text");
    assert!(said.starts_with("Written into the folder") && said.contains(&clock), "in UTC: {said}");
    let bearer = format!("Bearer {token}");
    let spanish = server.ask("GET", &path, &[("Authorization", &bearer), ("Accept-Language", "es")], b"").done();
    assert!(spanish["sentence"].as_str().is_some_and(|said| said.starts_with("Escrito en la carpeta")), "{spanish}");
    server.get(&other, &path).problem(404, "not-found");
    server.get(&without, &path).problem(403, "not-allowed");
    let nowhere = format!("/v1/mails/{}", seal::hex(&[7; 16]));
    server.get(&token, &nowhere).problem(404, "not-found");
}

#[test]
fn what_comes_without_a_key_writes_nothing() {
    let panel = Panel::new();
    let server = panel.serve();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'keyturnhost_%'";
    let database = server.panel.database();
    let rows = || {
        let mut names = database.prepare(tables).expect("prepared");
        let names = names.query_map([], |row| row.get::<_, String>(0)).expect("read");
        let names: Vec<String> = names.collect::<Result<_, _>>().expect("names");
        let count = |name: &String| database.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0));
        names.iter().map(|name| (name.clone(), count(name).expect("counted"))).collect::<Vec<(String, i64)>>()
    };
    let before = rows();
    for n in 0..50 {
        let wrong = format!("Bearer kt_{n:040}");
        let body = format!("{{\"login_or_email\": \"nobody {n}\", \"password\": \"x\"}}");
        for headers in [&[][..], &[("Authorization", wrong.as_str()), ("Idempotency-Key", "k")][..]] {
            let asked = server.ask("POST", "/v1/hooks/password/verify", headers, body.as_bytes());
            assert_eq!(asked.status, 401);
        }
        for path in ["/healthz", "/readyz", &format!("/choose/7RkTq7RkTq7RkTq{n:05}"), "/v1/operations/k"] {
            server.ask("GET", path, &[], b"");
        }
    }
    // What is written behind would be there within two of its rounds.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!(rows(), before);
}
