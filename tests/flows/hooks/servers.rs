//! `keyturn serve` on PostgreSQL and MariaDB: one flow of each kind, several hosts on one database, and what happens when a host
//! or the server is killed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use keyturn_servers::{Database, mariadb, own_mariadb, own_postgres, postgres};
use serde_json::{Value, json};

use super::server::{ANOTHER, PASSWORD, Panel, Server};
use super::signed::{BODY, PATH, Signed};

const PEOPLE: [&str; 4] = [
    "CREATE TABLE people (id INTEGER PRIMARY KEY, kind VARCHAR(20), login VARCHAR(100) UNIQUE, email VARCHAR(200),
         name VARCHAR(200), locale VARCHAR(10), state VARCHAR(20), reseller_id INTEGER, password_hash VARCHAR(255),
         created_at VARCHAR(30), updated_at VARCHAR(30))",
    "CREATE TABLE sessions (token VARCHAR(64) PRIMARY KEY, person_id INTEGER)",
    "INSERT INTO people (id, kind, login, email, name, locale, state, reseller_id) VALUES
         (1, 'customer', 'marta', 'marta@vidal.example', 'Marta Vidal', 'en', 'active', NULL),
         (2, 'customer', 'omar', 'omar@haddad.example', 'Omar Haddad', 'en', 'active', 7),
         (7, 'reseller', 'rita', 'rita@reseller.example', 'Rita', 'en', 'active', NULL)",
    "INSERT INTO sessions VALUES ('a', 1), ('b', 1)",
];

pub fn with_people(database: &Database<'_>) {
    PEOPLE.iter().for_each(|sql| drop(database.sql(sql)));
}

/// A host's folder: one more on the same database has the same key, configuration and grants.
pub fn panel(database: &Database<'_>) -> Panel {
    let panel = Panel::new();
    panel.edit("sqlite = \"panel.db\"", &format!("url = \"{}\"", database.url));
    // No test here is about how often a key may ask.
    let config = std::fs::read_to_string(&panel.config).expect("reads");
    let limit = "requests-per-minute = 1000000";
    let config = match config.contains("[limits]") {
        true => config.replace("[limits]", &format!("[limits]\n{limit}")),
        false => format!("{config}\n[limits]\n{limit}\n"),
    };
    std::fs::write(&panel.config, config).expect("writes");
    std::fs::remove_file(panel.folder.path().join("panel.db")).expect("SQLite's is not used");
    panel
}

pub fn mails(server: &Server) -> Vec<String> {
    let folder = std::fs::read_dir(server.panel.folder.path().join("mail"));
    let paths = folder.into_iter().flatten().map(|entry| entry.expect("read").path());
    paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "eml"))
        .map(|path| std::fs::read_to_string(path).expect("a mail"))
        .collect()
}

/// The token of a mail's link.
pub fn chosen_by(mail: &str) -> Option<String> {
    let (_, rest) = mail.split_once("/choose/")?;
    Some(rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).next()?.to_owned())
}

/// What comes in time.
#[track_caller]
pub fn comes<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub const MAY: &str = "password/set-password,password/verify,password/request-reset,password/reset-and-mail,\
                   password/inspect-link,password/complete-reset,password/account-status,report/visit,without-step-up,accounts,mails";

pub fn verify(server: &Server, token: &str, password: &str) -> Value {
    let typed = json!({"login_or_email": " MARTA ", "password": password});
    server.call(token, "password/verify", &typed).done()["kind"].clone()
}

pub fn set(password: &str) -> Value {
    json!({"account": "customer:1", "new": password, "must_change": false})
}

/// All three ways to a new password with their mails, hooks with idempotency, the commands.
pub fn every_way(database: &Database<'_>) {
    with_people(database);
    every_way_of(panel(database), database);
}

pub(super) fn every_way_of(panel: Panel, database: &Database<'_>) {
    let checked = panel.run(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains(&database.name) && said.contains("table people has"), "{said}");
    let token = panel.key("billing", MAY, &[]);
    let server = panel.serve();
    // MANAGE: a new password ends the sessions.
    let done = server.call(&token, "password/set-password", &set(PASSWORD)).done();
    assert_eq!(done["sessions_ended"], 2, "{done}");
    assert_eq!(database.sql("SELECT count(*) FROM sessions").trim(), "0");
    assert_eq!(verify(&server, &token, PASSWORD), "accepted");
    // RESET & MAIL PASSWORD.
    let mailed = json!({"account": "customer:1", "mode": "link"});
    let key = [("Idempotency-Key", "once")];
    let first = server.call_with(&token, "password/reset-and-mail", &mailed, &key).done();
    assert_eq!(server.call_with(&token, "password/reset-and-mail", &mailed, &key).done()["mail"], first["mail"]);
    let operation = server.get(&token, "/v1/operations/once").done();
    assert_eq!(operation["state"], "done");
    // Forgotten password, as its owner types it; the link of its mail leads to a new password.
    let asked = server.call(&token, "password/request-reset", &json!({"login_or_email": "marta@VIDAL.example"}));
    assert_eq!(asked.status, 204, "{}", asked.body);
    let newest = comes("the link by mail", || {
        let tokens = mails(&server).iter().filter_map(|mail| chosen_by(mail)).collect::<Vec<_>>();
        let good = |link: &String| {
            server.call(&token, "password/inspect-link", &json!({ "token": link })).done()["kind"] == "good"
        };
        tokens.into_iter().rev().find(good)
    });
    let complete = || json!({"token": newest, "new": ANOTHER});
    server.call(&token, "password/complete-reset", &complete()).done();
    server.call(&token, "password/complete-reset", &complete()).problem(422, "refused");
    assert_eq!(verify(&server, &token, ANOTHER), "accepted");
    let listed = server.panel.done(&["outbox", "list", "--json"]);
    assert!(listed.contains("customer:1") && listed.contains("accepted"), "{listed}");
    let made = server.panel.done(&["reset-password", "marta", "--link"]);
    assert!(made.contains("http"), "{made}");
    let audit = server.panel.done(&["audit", "list"]);
    for what in ["set-password", "reset-and-mail", "request-reset", "verify"] {
        assert!(audit.contains(what), "{what}: {audit}");
    }
    assert_eq!(verify(&server, &token, "wrong password entirely"), "rejected");
    comes("a chain of all entries", || {
        let chains: Value = serde_json::from_str(&server.panel.done(&["audit", "verify", "--json"])).expect("JSON");
        let entries = &chains["chains"][0];
        (entries["waiting"] == 0 && entries["rows"].as_i64() > Some(3)).then_some(())
    });
    // Wherever the tables are.
    let config = std::fs::read_to_string(&server.panel.config).expect("reads");
    let own = config.lines().find_map(|line| line.strip_prefix("schema = \"")?.strip_suffix('"'));
    let quote = if database.url.starts_with("postgres") { '"' } else { '`' };
    let audit = own.map_or_else(String::new, |own| format!("{quote}{own}{quote}.")) + "keyturnhost_audit";
    database.sql(&format!("UPDATE {audit} SET outcome = 'trap' WHERE operation = 'reset-and-mail'"));
    assert_eq!(server.panel.run(&["audit", "verify"]).status.code(), Some(1));
}

/// Requests go to both, one is killed in their midst: what was acknowledged is there, and each mail that was promised goes.
fn two_hosts(database: &Database<'_>) {
    with_people(database);
    let (one, other) = (panel(database), panel(database));
    let token = one.key("billing", MAY, &[]);
    let (one, other) = (one.serve(), other.serve());
    server_pair_agrees(&one, &other, &token);
    // A signed request is done once, whoever gets it first.
    let signed = Signed::new(&token, "0123456789abcdef", 0);
    signed.send(&one, PATH, BODY).done();
    signed.send(&other, PATH, BODY).problem(401, "bad-signature");
    let visit = |server: &Server, page: &str| {
        let key = format!("visit-{page}");
        let key = [("Idempotency-Key", key.as_str())];
        server.call_with(&token, "report/visit", &json!({"page_name": page}), &key)
    };
    let mut acknowledged = BTreeMap::new();
    for at in 0..10 {
        let (page, server) = (format!("page-{at}"), if at % 2 == 0 { &one } else { &other });
        acknowledged.insert(page.clone(), visit(server, &page).done());
    }
    let promised = 8;
    for at in 0..promised {
        let mailed = json!({"account": format!("customer:{}", 1 + at % 2), "mode": "link"});
        let answer = other.call(&token, "password/reset-and-mail", &mailed);
        assert_eq!(answer.status, 200, "{}", other.log());
    }
    other.signal("KILL");
    for (page, answer) in &acknowledged {
        assert_eq!(visit(&one, page).done(), *answer, "{page} is not done twice, whoever did it");
    }
    // A newer link withdraws the mail of an older one that has not gone; the rest goes, with the notices of two new passwords.
    let listed = || -> Vec<Value> {
        let listed = one.panel.done(&["outbox", "list", "--json"]);
        serde_json::from_str(&listed).expect("JSON")
    };
    comes("every mail", || {
        let ended = |mail: &Value| ["accepted", "withdrawn"].iter().any(|state| mail["state"] == *state);
        let mails = listed();
        (mails.len() == promised + 2 && mails.iter().all(ended)).then_some(())
    });
    let gone = [mails(&one), mails(&other)].concat();
    for mail in listed().iter().filter(|mail| mail["state"] == "accepted") {
        let id = mail["id"].as_str().expect("its id");
        assert!(gone.iter().any(|mail| mail.contains(id)), "{id} has gone");
    }
}

/// What one host did, the other one knows.
fn server_pair_agrees(one: &Server, other: &Server, token: &str) {
    one.call(token, "password/set-password", &set(PASSWORD)).done();
    assert_eq!(verify(other, token, PASSWORD), "accepted");
    other.call(token, "password/set-password", &set(ANOTHER)).done();
    assert_eq!(verify(one, token, ANOTHER), "accepted");
    assert_eq!(verify(one, token, PASSWORD), "rejected");
}

/// A killed server is an answer of 503 with Retry-After; when it is back, all goes on by itself, and what was acknowledged is there.
fn a_killed_server(server: &keyturn_servers::Server) {
    let database = server.database();
    with_people(&database);
    let panel = panel(&database);
    let token = panel.key("billing", MAY, &[]);
    let host = panel.serve();
    host.call(&token, "password/set-password", &set(PASSWORD)).done();
    let mut rounds = 0;
    for round in 0..3 {
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let (host, token) = (&host, &token);
                    scope.spawn(move || {
                        let mut done = Vec::new();
                        for at in 0.. {
                            let page = format!("{round}-{writer}-{at}");
                            let key = [("Idempotency-Key", page.as_str())];
                            let answer = host.call_with(token, "report/visit", &json!({"page_name": page}), &key);
                            match answer.status {
                                200 => done.push((page.clone(), answer.json())),
                                _ => return (page.clone(), answer, done),
                            }
                        }
                        unreachable!("the server is killed")
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(300));
            server.kill();
            let ended: Vec<_> = writers.into_iter().map(|writer| writer.join().expect("ended")).collect();
            server.start_again();
            for (page, answer, done) in ended {
                // 503: nothing was done, come again. 504: it was being committed, and may have been done.
                assert!(matches!(answer.status, 503 | 504), "{} {}", answer.status, answer.body);
                assert!(answer.header("retry-after").is_some() || answer.status == 504, "{}", answer.body);
                rounds += done.len();
                for (page, was) in done {
                    let key = [("Idempotency-Key", page.as_str())];
                    let again = comes("an answer", || {
                        let answer = host.call_with(&token, "report/visit", &json!({"page_name": page}), &key);
                        assert!(matches!(answer.status, 200 | 503 | 504), "{page}: {}", answer.body);
                        (answer.status == 200).then(|| answer.json())
                    });
                    assert_eq!(again, was, "{page} was acknowledged");
                }
                let key = [("Idempotency-Key", page.as_str())];
                comes("the one under way", || {
                    let answer = host.call_with(&token, "report/visit", &json!({"page_name": page}), &key);
                    (answer.status == 200).then_some(())
                });
            }
        });
    }
    assert!(rounds > 0, "something was acknowledged");
    assert_eq!(verify(&host, &token, PASSWORD), "accepted");
}

#[test]
fn every_way_on_postgresql() {
    every_way(&postgres().database());
}

#[test]
fn every_way_on_mariadb() {
    every_way(&mariadb().database());
}

/// The host's own tables in a place of their own: one transaction covers both.
fn every_way_apart(database: &Database<'_>, own: &str) {
    with_people(database);
    let panel = panel(database);
    panel.edit("[database]", &format!("[database]\nschema = \"{own}\""));
    every_way_of(panel, database);
    let tables = |places: &str| {
        let count = "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'keyturnhost%'";
        database.sql(&format!("{count} AND table_schema IN ({places})")).trim().to_owned()
    };
    assert_eq!(tables(&format!("'public', '{}'", database.name)), "0", "none is beside the panel's");
    assert_ne!(tables(&format!("'{own}'")), "0");
}

#[test]
fn every_way_on_postgresql_with_tables_in_a_schema_of_their_own() {
    every_way_apart(&postgres().database(), "own_tables");
}

#[test]
fn every_way_on_mariadb_with_tables_in_a_database_of_their_own() {
    every_way_apart(&mariadb().database(), "own-tables");
}

#[test]
fn two_hosts_on_postgresql() {
    two_hosts(&postgres().database());
}

#[test]
fn two_hosts_on_mariadb() {
    two_hosts(&mariadb().database());
}

#[test]
fn a_killed_postgresql_loses_nothing_that_was_acknowledged() {
    a_killed_server(&own_postgres());
}

#[test]
fn a_killed_mariadb_loses_nothing_that_was_acknowledged() {
    a_killed_server(&own_mariadb());
}

#[test]
fn what_is_wrong_with_the_database_is_said_by_its_setting() {
    let panel = |database: &str| {
        let panel = Panel::new();
        panel.edit("sqlite = \"panel.db\"", database);
        panel
    };
    for (database, says) in [
        ("url = \"oracle://a@b/c\"", "database.url must begin with postgres:// or mysql://"),
        ("url = \"postgres://u:s3cret@127.0.0.1/p\"", "holds a password"),
        ("url = \"mysql://u:s3cret@127.0.0.1/p\"", "password"),
        ("url = \"postgres://u@127.0.0.1:1/p\"", "p on 127.0.0.1:1"),
        ("url = \"mysql://u@127.0.0.1:1/p\"", "p on 127.0.0.1:1"),
        ("sqlite = \"panel.db\"\nurl = \"postgres://u@h/p\"", "both sqlite and url"),
        ("sqlite = \"panel.db\"\nschema = \"keyturn\"", "database.schema is for a server"),
        ("url = \"postgres://u@h/p\"\nconnections = 1000", "database.connections must be 1 to 100, not 1000"),
        ("url = \"postgres://u@h/p\"\npassword-file = \"nowhere\"", "database.password-file"),
        ("journal = \"keep\"", "needs sqlite, a file, or url, a server"),
    ] {
        let output = panel(database).run(&["audit", "list"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says), "{database}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}
