//! What needs no database, and what only SQLite is like; the rest is tested on every engine, in the crate of the stores' tests.

use keyturn_store_sqlite::Sqlite;
use keyturn_store_sqlite::connection::Db;

use super::*;

const REALMS: &str = r#"
    [customer]
    table = "users"
    id = "id"
    login = "login"
    hash = "password"
    accepts = ["$2y$", { prefix = "$argon2id$", max-length = 110, limits = { m = 65536, t = 4 } }]

    [staff]
    table = "users"
    id = "id"
    login = "login"
    hash = "password"
"#;

fn provider(realms: &str) -> Sql {
    Sql::new(toml::from_str(realms).expect("realms"), &Sqlite).expect("provider")
}

fn in_memory() -> Db {
    Db(rusqlite::Connection::open_in_memory().expect("database"))
}

fn id(name: &str) -> AccountId {
    name.parse().expect("id")
}

fn findings(db: &Db, realms: &str) -> Vec<(Severity, String, String)> {
    let found = provider(realms).check(db, 100).into_iter();
    found.map(|finding| (finding.severity, finding.text, finding.fix.unwrap_or_default())).collect()
}

#[test]
fn only_hashes_that_the_panel_verifies_at_a_bearable_cost_are_accepted() {
    let provider = provider(REALMS);
    for hash in ["$2y$12$abcdef", "$argon2id$v=19$m=65536,t=4,p=1$c2FsdA$aGFzaA"] {
        assert_eq!(provider.accepts("customer", hash), Ok(()), "{hash}");
    }
    for (hash, names) in [
        ("$2b$12$abcdef", "doesn't list $2b$"),
        ("plain-password", "a text of 14 bytes"),
        ("plain$password", "a text of 14 bytes"),
        ("correct$horse$battery$staple$and$more", "a text of 37 bytes"),
        ("pbkdf2_sha256$1000000$c2FsdA$aGFzaA", "doesn't list pbkdf2_sha256$"),
        ("argon2$argon2id$v=19$m=64,t=4,p=1$c2FsdA$aGFzaA", "doesn't list argon2$"),
        ("pbkdf2:sha256:1000000$c2FsdA$aGFzaA", "doesn't list pbkdf2:"),
        ("$2y$16$abcdef", "max-cost is 15"),
        ("$2y$99999999999999999999999$x", "max-cost is 15"),
        ("$argon2id$v=19$m=65537,t=4,p=1$c2FsdA$aGFzaA", "limits.m is 65536"),
        ("$argon2id$v=19$m=64,t=99999999999999999999999,p=1$c2FsdA$aGFzaA", "limits.t is 4"),
        ("$argon2id$v=19$m=64,t=4,p=9$c2FsdA$aGFzaA", "limits.p is 8"),
        ("$2y$12$with space", "printable ASCII"),
    ] {
        let refused = provider.accepts("customer", hash).expect_err(hash);
        assert!(refused.contains(names) && refused.contains("accounts.customer.accepts"), "{refused}");
    }
    assert!(provider.accepts("customer", &format!("$argon2id${}", "x".repeat(101))).is_err());
    assert!(provider.accepts("staff", "$2y$12$abcdef").is_err(), "nothing is accepted where nothing is named");
    assert!(provider.accepts("nobody", "$2y$12$abcdef").is_err());
}

#[test]
fn a_mapping_that_cannot_be_used_names_the_setting() {
    let base = "table = 't', id = 'i', login = 'l', hash = 'h'";
    for (more, setting) in [
        ("state = { column = 's' }", "p.state"),
        ("state = { column = 's', active = [1], suspended = [0] }", "p.state"),
        ("only = { column = 'k', is = [] }", "p.only.is"),
        ("except = { table = 'r', account = 'u', only = { column = 'k', is = [] } }", "p.except.only.is"),
        ("among = { table = 'keyturnhost_data', account = 'a' }", "p.among.table"),
        ("touch = [{ column = 'H', as = 'null' }]", "p.touch"),
        ("email = ''", "p.email"),
        ("sessions = { table = 'keyturnhost_data', account = 'a' }", "p.sessions.table"),
    ] {
        let realms = toml::from_str(&format!("p = {{ {base}, {more} }}")).expect("realms");
        assert_eq!(Sql::new(realms, &Sqlite).err().map(|error| error.setting).as_deref(), Some(setting));
    }
    for bad in [
        "salt = 'x'",
        "accepts = [{ prefix = '$2y$', max_cost = 3 }]",
        "accepts = [1]",
        "name = [1]",
        "touch = [{ column = 'u', as = 'now' }]",
    ] {
        let read = toml::from_str::<BTreeMap<String, Mapping>>(&format!("p = {{ {base}, {bad} }}"));
        assert!(read.is_err(), "{bad}");
    }
}

#[test]
fn check_finds_sessions_that_no_key_finds() {
    let sessions = |kind: &str, value: &str, ids: &str| {
        let db = in_memory();
        db.execute_batch(&format!(
            "CREATE TABLE people (id {ids} PRIMARY KEY, login TEXT, pw TEXT);
             CREATE TABLE sessions (token TEXT, who {kind});
             INSERT INTO people VALUES (17, 'ana', 'h'), (18, 'ben', 'h');
             INSERT INTO sessions VALUES ('t', {value}), ('u', {value}), ('v', NULL);"
        ))
        .expect("panel");
        let mapping =
            "p = { table = 'people', id = 'id', login = 'login', hash = 'pw', sessions = { table = 'sessions',
                       account = 'who' } }";
        let said = findings(&db, mapping);
        let wrong: Vec<_> =
            said.iter().filter(|(_, text, _)| text.contains("new passwords don't end")).cloned().collect();
        let ends = provider(mapping).sessions(&db, &id("p:17")).expect("counted");
        assert_eq!(wrong.is_empty(), ends == Some(2), "{kind} {value} {ids}: {said:?}");
        if let Some((severity, _, fix)) = wrong.first() {
            assert_eq!(*severity, Severity::Wrong);
            let sql = fix.lines().find(|line| line.starts_with("UPDATE")).expect("SQL");
            db.execute_batch(sql).expect("the SQL runs");
            assert_eq!(provider(mapping).sessions(&db, &id("p:17")).expect("counted"), Some(2));
        }
        wrong.len()
    };
    assert_eq!(sessions("INTEGER", "17", "INTEGER"), 0);
    assert_eq!(sessions("INTEGER", "'17'", "INTEGER"), 0);
    assert_eq!(sessions("TEXT", "17", "INTEGER"), 0);
    assert_eq!(sessions("", "17", "INTEGER"), 0);
    assert_eq!(sessions("TEXT", "'17'", "TEXT"), 0);
    assert_eq!(sessions("", "'17'", "INTEGER"), 1, "a text in a column without a type");
    assert_eq!(sessions("BLOB", "'17'", "INTEGER"), 1);
    assert_eq!(sessions("BLOB", "x'3137'", "INTEGER"), 1);
    assert_eq!(sessions("", "'17'", "TEXT"), 1);
}

#[test]
fn of_a_view_no_new_password_is_called_stored() {
    let db = in_memory();
    db.execute_batch(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT, password TEXT);
         INSERT INTO users VALUES (1, 'ana', '$2y$10$old');
         CREATE VIEW people AS SELECT id, login, password FROM users;
         CREATE TRIGGER people_update INSTEAD OF UPDATE ON people BEGIN
             UPDATE users SET password = new.password WHERE id = new.id;
         END;",
    )
    .expect("view");
    let mapping = "p = { table = 'people', id = 'id', login = 'login', hash = 'password' }";
    let error = provider(mapping).replace(&db, &id("p:1"), "$2y$10$new", Why::Password, 0).expect_err("not confirmed");
    assert!(error.to_string().contains("0 rows were changed"), "{error}");
    assert!(findings(&db, mapping).iter().any(|(how, text, _)| *how == Severity::Wrong && text.contains("is a view")));
}
