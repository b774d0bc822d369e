//! The panel's tables, in PostgreSQL's own types.

use super::*;

const PANEL: &str = "
    CREATE TYPE status AS ENUM ('active', 'locked');
    CREATE DOMAIN address AS varchar(200);
    CREATE TABLE users (
        id uuid PRIMARY KEY, login char(20) NOT NULL UNIQUE, email address, role smallint NOT NULL,
        state status NOT NULL DEFAULT 'active', password varchar(255), updated_at timestamptz, force boolean NOT NULL DEFAULT true
    );
    CREATE INDEX users_login ON users (lower(login));
    CREATE TABLE sessions (token text, who text);
    INSERT INTO users (id, login, email, role, state, password) VALUES
        ('0b6c2f1e-0000-4000-8000-000000000001', 'Ana', 'Ana@Example.org', 1, 'active', 'h0'),
        ('0b6c2f1e-0000-4000-8000-000000000002', 'ben', ' müller@example.org', 1, 'locked', NULL);
    INSERT INTO sessions VALUES ('a', '0b6c2f1e-0000-4000-8000-000000000001');
";

const REALM: &str = "customer = { table = 'users', id = 'id', login = 'login', email = 'email', hash = 'password',
    state = { column = 'state', active = ['active'] }, only = { column = 'role', is = [1] }, accepts = ['$2y$'],
    sessions = { table = 'sessions', account = 'who' },
    touch = [{ column = 'updated_at', as = 'datetime' }, { column = 'force', as = 'zero' }] }";

fn panel(sql: &str) -> (Database<'static>, connection::Client) {
    let database = postgres().database();
    database.sql(sql);
    let client = client(&database);
    client.begin(Mode::Write).expect("begun");
    (database, client)
}

fn provider(realms: &str) -> Sql {
    let realms: BTreeMap<String, Mapping> = toml::from_str(realms).expect("realms");
    Sql::new(realms, &Postgres).expect("provider")
}

fn ana() -> AccountId {
    "customer:0b6c2f1e-0000-4000-8000-000000000001".parse().expect("id")
}

#[test]
fn people_are_found_read_and_given_a_password_in_columns_of_every_type() {
    let (_database, client) = panel(PANEL);
    let provider = provider(REALM);
    let find = |typed: &str| provider.find(&client, typed, &["customer"], 10).expect("found");
    assert_eq!(find(" ANA "), [(ana(), Matched::Login)]);
    assert_eq!(find("ana@example.ORG"), [(ana(), Matched::Email)]);
    assert_eq!(find("MÜLLER@example.org").len(), 1, "stored with a space before it");
    assert_eq!(find("nobody"), []);
    let account = provider.account(&client, &ana()).expect("read").expect("there");
    assert_eq!(account.values[1].as_deref(), Some("Ana"), "without the padding of CHAR(20)");
    assert_eq!((account.values[4].as_deref(), account.hash.as_deref()), (Some("active"), Some("h0")));
    for none in ["1", "0B6C2F1E-0000-4000-8000-000000000001", "0b6c2f1e000040008000000000000001", "x"] {
        let id = AccountId::new("customer", none).expect("id");
        assert_eq!(provider.account(&client, &id), Ok(None), "{none}");
        assert_eq!(provider.sessions(&client, &id), Ok(Some(0)), "{none}");
    }
    assert_eq!(provider.sessions(&client, &ana()), Ok(Some(1)));
    provider.replace(&client, &ana(), "$2y$10$new", Why::Password, 1_764_000_000_000).expect("replaced");
    assert_eq!(provider.sessions(&client, &ana()), Ok(Some(0)));
    let db: &dyn Connection = &client;
    let row = db.rows(
        "SELECT CAST(updated_at AT TIME ZONE 'UTC' AS text), force, password FROM users WHERE login = 'Ana'",
        &[],
    );
    let text = |text: &str| Value::Text(text.to_owned());
    // The server's zone is New York's.
    assert_eq!(row.expect("read")[0], [text("2025-11-24 16:00:00"), Value::Integer(0), text("$2y$10$new")]);
}

#[test]
fn check_says_what_is_there_and_its_sql_runs() {
    let (database, client) = panel(PANEL);
    let said = provider(REALM).check(&client, 10);
    let find = |text: &str| said.iter().find(|finding| finding.text.contains(text));
    assert!(find("login: found by an index").is_some(), "{said:?}");
    let index = find("email: no index").and_then(|finding| finding.fix.clone()).expect("an index");
    assert!(find("state: 1 active, 1 suspended").is_some(), "{said:?}");
    assert!(find("column email has odd spellings: 1 with white space").is_some(), "{said:?}");
    assert!(said.iter().all(|finding| finding.severity != Severity::Wrong), "{said:?}");
    client.rollback().expect("ended");
    database.sql(&index);
    client.begin(Mode::Read).expect("begun");
    let said = provider(REALM).check(&client, 10);
    assert!(said.iter().any(|finding| finding.text.contains("email: found by an index")), "{said:?}");
    let wrong = provider(&REALM.replace("'sessions', account", "'session', account")).check(&client, 10);
    assert!(
        wrong.iter().any(|finding| finding.text.contains("there is no table session")
            && finding.fix.as_deref().is_some_and(|fix| fix.contains("sessions"))),
        "{wrong:?}"
    );
}

#[test]
fn numbers_are_numbers_and_case_is_folded_as_on_every_engine() {
    let (_database, client) = panel(
        "CREATE TABLE people (id serial PRIMARY KEY, login varchar(80), pw text);
         CREATE INDEX people_login ON people (lower(login));
         INSERT INTO people (login, pw) VALUES ('Straße', 'h'), ('zoë', 'h'), (E'ana\\t', 'h');",
    );
    let provider = provider("p = { table = 'people', id = 'id', login = 'login', hash = 'pw' }");
    for (typed, key) in [("STRASSE", "1"), ("ZOË", "2"), ("Ana", "3")] {
        let found = provider.find(&client, typed, &["p"], 10).expect("found");
        assert_eq!(found.iter().map(|(id, _)| id.key()).collect::<Vec<_>>(), [key], "{typed}");
    }
    for (key, there) in [("1", true), ("01", false), ("1.0", false), ("x", false), ("99999999999999999999", false)] {
        let id = AccountId::new("p", key).expect("id");
        assert_eq!(provider.account(&client, &id).expect("read").is_some(), there, "{key}");
    }
}

/// The index then has other small letters than the fold: a final sigma, and Cherokee's.
#[test]
fn names_are_found_whatever_the_collation_makes_of_their_case() {
    let (_database, client) = panel(
        "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
         CREATE TABLE people (id serial PRIMARY KEY, login text COLLATE \"und-x-icu\", email text COLLATE loose, pw text);
         CREATE INDEX people_login ON people (lower(login));
         INSERT INTO people (login, email) SELECT 'user' || i, 'ána@x.example' FROM generate_series(1, 30) AS i;
         INSERT INTO people (login, email) VALUES ('ΣΊΣΥΦΟΣ', 'ana@x.example'), ('ꭰꭱ', NULL), ('ᎠᎡ', NULL), ('İi', NULL), ('MÜLLER', NULL);",
    );
    let provider = provider("p = { table = 'people', id = 'id', login = 'login', email = 'email', hash = 'pw' }");
    for (typed, keys) in [
        ("σίσυφος", &["31"][..]),
        ("ΣΊΣΥΦΟΣ", &["31"]),
        ("Ꭰꭱ", &["32", "33"]),
        ("i\u{307}i", &["34"]),
        ("müller", &["35"]),
        ("muller", &[]),
        ("ANA@x.example", &["31"]),
    ] {
        let found = provider.find(&client, typed, &["p"], 10).expect("found");
        assert_eq!(found.iter().map(|(id, _)| id.key()).collect::<Vec<_>>(), keys, "{typed}");
    }
}

/// As right after the index was made: nothing is known of how many rows a name has.
#[test]
fn a_new_index_finds_people_before_the_server_has_analyzed_it() {
    let (_database, client) = panel(
        "CREATE TABLE people (id integer PRIMARY KEY, login text, pw text) WITH (autovacuum_enabled = off);
         INSERT INTO people SELECT i, 'user' || i FROM generate_series(1, 50000) AS i;
         CREATE INDEX people_login ON people (lower(login));",
    );
    let db: &dyn Connection = &client;
    let plan = |order: &str| {
        let sql = format!("EXPLAIN SELECT id FROM people WHERE lower(login) = ?1 ORDER BY {order} LIMIT 10");
        format!("{:?}", db.rows(&sql, &[Value::Text("user7".to_owned())]).expect("a plan"))
    };
    use keyturn_store::dialect::Dialect as _;
    assert!(plan(&Postgres.in_order_of("id")).contains("people_login"), "{}", plan(&Postgres.in_order_of("id")));
    assert!(plan("id").contains("people_pkey"), "the server has become wiser: {}", plan("id"));
}

/// What a framework makes where addresses ignore case, since `citext` is an extension.
#[test]
fn a_column_whose_collation_ignores_case_is_searched_and_its_index_seen_in_a_small_table() {
    let (_database, client) = panel(
        "CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE people (id serial PRIMARY KEY, login varchar(80) COLLATE no_case, pw text);
         CREATE INDEX people_login ON people (lower(login));
         INSERT INTO people (login, pw) VALUES ('Ana', 'h'), (' Zoë', 'h');",
    );
    let provider = provider("p = { table = 'people', id = 'id', login = 'login', hash = 'pw' }");
    for (typed, key) in [("ANA", "1"), ("ZOË", "2")] {
        let found = provider.find(&client, typed, &["p"], 10).expect("found");
        assert_eq!(found.iter().map(|(id, _)| id.key()).collect::<Vec<_>>(), [key], "{typed}");
    }
    let said = provider.check(&client, 10);
    for part in ["login: found by an index", "column login has odd spellings: 1 with white space"] {
        assert!(said.iter().any(|finding| finding.text.contains(part)), "{part}: {said:?}");
    }
}

/// A view that takes updates says how many rows it changed, so it may be mapped.
#[test]
fn a_view_may_be_mapped() {
    let (_database, client) = panel(
        "CREATE TABLE people (id integer PRIMARY KEY, login text, pw text, kind text);
         CREATE VIEW customers AS SELECT id, login, pw FROM people WHERE kind = 'customer';
         INSERT INTO people VALUES (1, 'ana', 'h', 'customer'), (2, 'root', 'h', 'staff');",
    );
    let provider = provider("p = { table = 'customers', id = 'id', login = 'login', hash = 'pw', accepts = ['$2y$'] }");
    let id = |key: &str| AccountId::new("p", key).expect("id");
    provider.replace(&client, &id("1"), "$2y$10$new", Why::Password, 0).expect("replaced");
    assert_eq!(provider.account(&client, &id("2")), Ok(None));
}
