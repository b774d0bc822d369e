//! Changed addresses, as a panel tells of them; and whom a key may have mailed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hooks::server::{Panel, Server};

/// The mails of the folder.
fn mails(server: &Server) -> Vec<String> {
    let files = std::fs::read_dir(server.panel.folder.path().join("mail")).into_iter().flatten().flatten();
    let texts = files.filter(|file| file.path().extension().is_some_and(|kind| kind == "eml"));
    texts.map(|file| std::fs::read_to_string(file.path()).expect("reads")).collect()
}

fn is_to(mail: &str, address: &str) -> bool {
    mail.lines().any(|line| line.starts_with("To:") && line.contains(address))
}

fn to(server: &Server, address: &str) -> usize {
    mails(server).iter().filter(|mail| is_to(mail, address)).count()
}

fn until(what: &str, so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn moves_to(server: &Server, email: &str) {
    server.panel.database().execute("UPDATE people SET email = ?1 WHERE id = 1", [email]).expect("written");
}

#[test]
fn a_panel_that_changes_an_address_itself_has_both_holders_told() {
    let panel = Panel::new();
    let token = panel.key("panel", "password/address-changed,mails", &[]);
    let reseller = panel.key("reseller", "password/address-changed,mails", &["--managed-by", "7"]);
    let without = panel.key("without", "password/account-status", &[]);
    // Whatever is done about an account shows the host its address.
    panel.done(&["reset-password", "marta", "--link"]);
    let server = panel.serve();
    let changed = |token: &str| server.call(token, "password/address-changed", &json!({"account": "customer:1"}));
    changed(&without).problem(403, "not-allowed");
    changed(&reseller).problem(404, "not-found");
    let none = json!({"old": null, "new": null});
    assert_eq!(changed(&token).done(), none, "nothing has changed");
    moves_to(&server, "new@elsewhere.example");
    let notices = changed(&token).done();
    until("both are told", || to(&server, "marta@vidal.example") == 1 && to(&server, "new@elsewhere.example") == 1);
    let of = |which: &str| {
        let path = format!("/v1/mails/{}", notices[which].as_str().expect("a mail"));
        server.get(&token, &path).done()["to"].clone()
    };
    assert_eq!((of("old"), of("new")), (json!("marta@vidal.example"), json!("new@elsewhere.example")));
    assert_eq!(changed(&token).done(), none, "told once");
    // Who comes to manage the account reads of its mails, and not where it was reached before.
    let manager = "UPDATE people SET reseller_id = ?1 WHERE id = 1";
    server.panel.database().execute(manager, [Some(7)]).expect("written");
    let mail = server.get(&reseller, &format!("/v1/mails/{}", notices["old"].as_str().expect("a mail"))).done();
    assert_eq!(mail["to"], Value::Null, "{mail}");
    server.panel.database().execute(manager, [None::<i64>]).expect("written");
    let old = mails(&server).into_iter().find(|mail| is_to(mail, "marta@vidal.example")).expect("the old one's");
    assert!(!old.contains("elsewhere") && !old.contains("Marta"), "fixed words: {old}");
    let audit = server.panel.done(&["audit", "list", "--json"]);
    assert!(audit.contains("address-changed") && audit.contains("service-key:panel"), "{audit}");

    // To and fro: at most six changes a day are told of.
    for turn in 0..5 {
        moves_to(&server, ["a@elsewhere.example", "b@elsewhere.example"][turn % 2]);
        assert!(changed(&token).done()["old"].is_string());
    }
    moves_to(&server, "c@elsewhere.example");
    changed(&token).problem(429, "throttled");
}

#[test]
fn of_an_account_never_seen_before_the_new_address_is_told() {
    let panel = Panel::new();
    let token = panel.key("panel", "password/address-changed", &[]);
    let server = panel.serve();
    let notices = server.call(&token, "password/address-changed", &json!({"account": "customer:2"})).done();
    assert!(notices["old"].is_null() && notices["new"].is_string(), "{notices}");
    until("it is told", || to(&server, "omar@haddad.example") == 1);
}

#[test]
fn a_key_has_links_mailed_to_those_whom_it_reaches_and_to_nobody_else() {
    let panel = Panel::new();
    // One address that two have, of whom the reseller manages one.
    panel.database().execute("UPDATE people SET email = 'both@vidal.example' WHERE id IN (1, 2)", []).expect("written");
    let token = panel.key("reseller", "password/request-reset", &["--managed-by", "7"]);
    let server = panel.serve();
    let ask = |name: &str| server.call(&token, "password/request-reset", &json!({"login_or_email": name})).status;
    for name in ["marta", "both@vidal.example", "rita", "nobody"] {
        assert_eq!(ask(name), 204, "{name}: it is not told who there is");
    }
    until("the one is mailed", || to(&server, "both@vidal.example") == 1);
    let waiting = || -> i64 {
        let sql = "SELECT (SELECT count(*) FROM keyturnhost_tasks) + (SELECT count(*) FROM keyturnhost_outbox WHERE due IS NOT NULL)";
        server.panel.database().query_row(sql, [], |row| row.get(0)).expect("reads")
    };
    until("nothing waits", || waiting() == 0);
    let whom: Vec<Value> = server
        .panel
        .database()
        .prepare("SELECT recipient FROM keyturnhost_outbox")
        .and_then(|mut read| read.query_map([], |row| row.get::<_, String>(0).map(Value::from))?.collect())
        .expect("reads");
    assert_eq!(whom, ["customer:2"]);
}
