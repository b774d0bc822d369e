use keyturn_store::database::{Connection, Each, ValueRef};
use keyturn_store_sqlite::Sqlite;
use keyturn_store_sqlite::connection::Db;

use super::*;

const PANEL: &str = "
    CREATE TABLE users (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, login TEXT, email TEXT, full_name TEXT, lang TEXT, status INTEGER,
        reseller INTEGER, password TEXT, remember_token TEXT, updated_at TEXT, generation INTEGER, deleted_at TEXT
    );
    CREATE TABLE sessions (token TEXT PRIMARY KEY, user_id INTEGER);
    INSERT INTO users VALUES
        (1, 'customer', 'Ana', 'ana@example.org', 'Ana A', 'es', 1, 7, '$2y$10$aaa', 'r1', 'x', NULL, NULL),
        (2, 'customer', 'ben', 'shared@example.org', NULL, NULL, 0, 8, '', NULL, 'x', 4, NULL),
        (3, 'customer', 'shared@example.org', 'SHARED@example.org', NULL, NULL, 1, 7, NULL, NULL, 'x', 4, NULL),
        (4, 'customer', 'gone', 'gone@example.org', NULL, NULL, 1, 7, '$2y$10$bbb', NULL, 'x', 4, '2020-01-01'),
        (5, 'customer', 'Straße', 'MÜLLER@example.org', NULL, NULL, NULL, NULL, '$1$legacy$x', NULL, 'x', 4, NULL),
        (9, 'staff', 'ana', 'boss@example.org', NULL, NULL, 1, NULL, '$2y$10$ccc', NULL, 'x', 4, NULL);
    INSERT INTO sessions VALUES ('a', 1), ('b', 1), ('c', 2);
";

const REALMS: &str = r#"
    [customer]
    table = "users"
    id = "id"
    login = "login"
    email = "email"
    name = "full_name"
    locale = "lang"
    state = { column = "status", active = [1] }
    manager = "reseller"
    hash = "password"
    accepts = ["$2y$", { prefix = "$argon2id$", max-length = 110, limits = { m = 65536, t = 4 } }]
    sessions = { table = "sessions", account = "user_id" }
    epoch = "generation"
    touch = [{ column = "remember_token", as = "null" }, { column = "updated_at", as = "datetime" }]
    only = { column = "kind", is = ["customer"] }
    deleted = "deleted_at"

    [staff]
    table = "users"
    id = "id"
    login = "login"
    email = "email"
    hash = "password"
    only = { column = "kind", is = ["staff", "owner"] }
"#;

fn provider(realms: &str) -> Sql {
    Sql::new(toml::from_str(realms).expect("realms"), &Sqlite).expect("provider")
}

fn in_memory() -> Db {
    Db(rusqlite::Connection::open_in_memory().expect("database"))
}

fn panel() -> Db {
    let db = in_memory();
    db.execute_batch(PANEL).expect("panel");
    db
}

fn id(name: &str) -> AccountId {
    name.parse().expect("id")
}

#[test]
fn find_matches_by_fold_logins_first_and_never_the_deleted() {
    let (db, provider) = (panel(), provider(REALMS));
    let find = |typed: &str, realms: &[&str]| {
        let found = provider.find(&db, typed, realms, 10).expect("found");
        found.into_iter().map(|(id, by)| (id.to_string(), by)).collect::<Vec<_>>()
    };
    let one = |name: &str, by| vec![(name.to_owned(), by)];
    assert_eq!(find(" ANA ", &["customer"]), one("customer:1", Matched::Login));
    assert_eq!(find("ana", &["staff"]), one("staff:9", Matched::Login));
    assert_eq!(find("ana", &["staff", "customer", "nobody"]).len(), 2);
    assert_eq!(
        find("Shared@Example.org", &["customer"]),
        [("customer:3".to_owned(), Matched::Login), ("customer:2".to_owned(), Matched::Email)]
    );
    assert_eq!(find("STRAßE", &["customer"]), one("customer:5", Matched::Login));
    assert_eq!(find("STRASSE", &["customer"]), one("customer:5", Matched::Login), "however it is typed");
    assert_eq!(find("müller@EXAMPLE.org", &["customer"]), one("customer:5", Matched::Email));
    assert_eq!(find("gone", &["customer"]), []);
    assert_eq!(find("gone@example.org", &["customer"]), []);
    assert_eq!(find("", &["customer"]), []);
    assert_eq!(find("' OR 1=1 --", &["customer"]), []);
    assert_eq!(provider.find(&db, "shared@example.org", &["customer"], 1).expect("found").len(), 1);
}

/// What is asked of the database.
struct Asked<'a>(&'a Db, std::cell::RefCell<Vec<String>>);

impl Connection for Asked<'_> {
    fn query(&self, sql: &str, parameters: &[ValueRef<'_>], each: &mut Each<'_>) -> Result<(), StorageError> {
        self.1.borrow_mut().push(sql.to_owned());
        self.0.query(sql, parameters, each)
    }

    fn execute(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<u64, StorageError> {
        Connection::execute(self.0, sql, parameters)
    }

    fn insert(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<i64, StorageError> {
        self.0.insert(sql, parameters)
    }

    fn now(&self) -> Result<i64, StorageError> {
        self.0.now()
    }

    fn has_table(&self, name: &str) -> Result<bool, StorageError> {
        self.0.has_table(name)
    }

    fn goes_on(&self) -> bool {
        self.0.goes_on()
    }
}

const SPELLINGS: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, login TEXT, email TEXT, pw TEXT);
    CREATE INDEX people_login ON people (lower(login));
    CREATE INDEX people_email ON people (lower(email));
";
const SPELLED: &str = "p = { table = 'people', id = 'id', login = 'login', email = 'email', hash = 'pw' }";

#[test]
fn an_address_is_one_address_in_all_its_spellings_typed_and_stored() {
    let spaced = |name: &str| {
        let around = ["", " ", "\t", "\r", "\r\n", "\u{A0}", "\u{200B}", "\u{FEFF}", "\u{3000}", " \u{2060} ", "\0"];
        let mut all: Vec<String> = around.iter().flat_map(|c| [format!("{name}{c}"), format!("{c}{name}")]).collect();
        let middle = name.len() / 2;
        all.extend(["\u{200B}", "\u{AD}", "\u{200D}"].map(|c| format!("{}{c}{}", &name[..middle], &name[middle..])));
        all.push(name.to_uppercase());
        all
    };
    for (ways, others) in [
        (spaced("ana@vidal.example"), "ana@vidal.examples"),
        (spaced("ana"), "a na"),
        (
            [spaced("ana@xn--bcher-kva.example"), spaced("ana@bücher.example"), spaced("ana@bu\u{308}cher.example")]
                .concat(),
            "ana@bucher.example",
        ),
        ([spaced("josé"), spaced("jose\u{301}")].concat(), "jose"),
        (vec!["straße".to_owned(), "STRASSE".to_owned(), "Stra\u{1E9E}e".to_owned()], "strase"),
    ] {
        for stored in &ways {
            for column in ["login", "email"] {
                let db = in_memory();
                db.execute_batch(SPELLINGS).expect("panel");
                (*db)
                    .execute(&format!("INSERT INTO people (id, {column}) VALUES (1, ?1), (2, ?2)"), [stored, others])
                    .expect("rows");
                let provider = provider(SPELLED);
                for typed in &ways {
                    let found = provider.find(&db, typed, &["p"], 10).expect("found");
                    let found: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
                    assert_eq!(found, ["p:1"], "{column}: typed {typed:?}, stored {stored:?}");
                }
                let account = provider.account(&db, &id("p:1")).expect("read").expect("there");
                let shown = if column == "login" { &account.values[1] } else { &account.values[2] };
                assert_eq!(shown.as_ref(), Some(stored), "it is shown as it is stored");
            }
        }
    }
}

#[test]
fn accounts_whose_names_differ_only_by_their_spelling_are_found_together_and_the_older_ones_first() {
    let db = in_memory();
    db.execute_batch(SPELLINGS).expect("panel");
    let rows = ["ana@x.example ", "ANA@x.example", "\u{200B}ana@x.example", "ana@x.example", "ana@x.example\r"];
    for email in rows {
        (*db).execute("INSERT INTO people (email) VALUES (?1)", [email]).expect("a row");
    }
    let provider = provider(SPELLED);
    let find = |most| {
        let found = provider.find(&db, "ana@x.example", &["p"], most).expect("found");
        found.into_iter().map(|(id, _)| id.key().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(find(10), ["1", "2", "3", "4", "5"]);
    assert_eq!(find(3), ["1", "2", "3"]);
}

#[test]
fn a_plain_name_is_one_search_by_the_index_and_what_was_read_of_the_odd_ones_is_only_a_lead() {
    let db = in_memory();
    db.execute_batch(SPELLINGS).expect("panel");
    db.execute_batch("INSERT INTO people (id, login) VALUES (1, 'ana'), (2, 'BÉN '), (3, 'Carla ')").expect("rows");
    let provider = provider(SPELLED);
    let asked = Asked(&db, Default::default());
    let find = |typed: &str| {
        asked.1.borrow_mut().clear();
        let found = provider.find(&asked, typed, &["p"], 10).expect("found");
        let keys: Vec<String> = found.into_iter().map(|(id, _)| id.key().to_owned()).collect();
        // A walk is made when the last one is old, and that hangs on the machine.
        let searches =
            asked.1.borrow().iter().filter(|sql| !sql.contains("GLOB") && !sql.contains("pragma_table_info")).count();
        (keys, searches)
    };
    assert_eq!(find("Ana"), (vec!["1".to_owned()], 2), "one in each column");
    assert_eq!(find("nobody"), (vec![], 2));
    assert_eq!(find("bén").0, ["2"]);
    db.execute_batch("UPDATE people SET login = 'other' WHERE id = 2").expect("changed");
    assert_eq!(find("bén").0, [""; 0]);
    assert_eq!(find("other").0, ["2"]);
    // As it was typed, it is found before any walk.
    db.execute_batch("UPDATE people SET login = 'ÉVA ' WHERE id = 3").expect("changed");
    assert_eq!(find("ÉVA ").0, ["3"]);
}

#[test]
fn check_counts_odd_spellings_and_addresses_of_too_many_and_shows_none() {
    let db = in_memory();
    db.execute_batch(SPELLINGS).expect("panel");
    for (login, email) in [
        ("a", "ana@vidal.example "),
        ("b", "\tben@vidal.example\u{A0}"),
        ("c", "c\u{200B}arla@vidal.example"),
        ("d\r", "dina@bücher.example"),
        ("MÜLLER", "eva@xn--bcher-kva.example"),
        ("f", "ANA@vidal.example"),
    ] {
        (*db).execute("INSERT INTO people (login, email) VALUES (?1, ?2)", [login, email]).expect("a row");
    }
    let check = |most| -> Vec<(Severity, String, String)> {
        let found = provider(SPELLED).check(&db, most).into_iter();
        found.map(|finding| (finding.severity, finding.text, finding.fix.unwrap_or_default())).collect()
    };
    let said = check(100);
    let find = |part: &str| said.iter().find(|(_, text, _)| text.contains(part));
    let (severity, text, fix) = find("email: column email has odd spellings").expect("said");
    assert!(
        text.contains("2 with white space around them; 1 with invisible characters; 1 with an international domain"),
        "{text}"
    );
    assert_eq!(*severity, Severity::Note);
    assert!(find("login: column login has odd spellings: 1 with white space").is_some(), "{said:?}");
    assert!(find("belong to more than").is_none(), "{said:?}");
    assert!(check(1).iter().any(|(_, text, _)| text.contains("email: 1 addresses belong to more than 1 accounts")));
    assert!(!format!("{said:?}").contains("vidal"), "no address is shown");
    db.execute_batch(fix).expect("the SQL runs");
    assert!(!check(100).iter().any(|(_, text, _)| text.contains("email: column") && text.contains("white space")));
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
fn an_account_has_its_mapped_values_and_one_name_only() {
    let (db, provider) = (panel(), provider(REALMS));
    let account = |name: &str| provider.account(&db, &id(name)).expect("read");
    let ana = account("customer:1").expect("there");
    assert_eq!(ana.values.map(Option::unwrap_or_default), ["Ana A", "Ana", "ana@example.org", "es", "active"]);
    assert_eq!((ana.manager.as_deref(), ana.hash.as_deref()), (Some("7"), Some("$2y$10$aaa")));
    let ben = account("customer:2").expect("there");
    assert_eq!((ben.hash.as_deref(), ben.values[4].as_deref()), (None, Some("suspended")));
    assert_eq!(account("customer:5").expect("there").values[4].as_deref(), Some("suspended"), "NULL is not in active");
    assert_eq!(account("staff:9").expect("there").values[4], None);
    for name in ["customer:01", "customer:1.0", "customer:1e0", "customer:+1", "customer:9", "customer:4", "x:1"] {
        assert_eq!(account(name), None, "{name}");
    }
}

#[test]
fn keys_may_be_text() {
    let db = in_memory();
    db.execute_batch(
        "CREATE TABLE people (uuid TEXT PRIMARY KEY, login TEXT, pw TEXT);
         INSERT INTO people VALUES ('0b6c-1', 'a', 'h'), ('17', 'b', 'h'), ('017', 'c', 'h');",
    )
    .expect("panel");
    let provider = provider("[p]\ntable = 'people'\nid = 'uuid'\nlogin = 'login'\nhash = 'pw'");
    for (key, login) in [("0b6c-1", "a"), ("17", "b"), ("017", "c")] {
        let account = provider.account(&db, &AccountId::new("p", key).expect("id")).expect("read").expect("there");
        assert_eq!(account.values[1].as_deref(), Some(login));
    }
}

#[test]
fn a_new_password_ends_sessions_and_touches_columns_and_an_upgrade_does_not() {
    let (db, provider) = (panel(), provider(REALMS));
    let row = || {
        let text = "SELECT password || '|' || coalesce(remember_token, '-') || '|' || updated_at || '|' || coalesce(generation, '-')
                    FROM users WHERE id = 1";
        db.query_row(text, [], |row| row.get::<_, String>(0)).expect("row")
    };
    let ana = id("customer:1");
    assert_eq!(provider.sessions(&db, &ana), Ok(Some(2)));
    provider.replace(&db, &ana, "$2y$10$up", Why::Upgrade, 0).expect("replaced");
    assert_eq!((row().as_str(), provider.sessions(&db, &ana)), ("$2y$10$up|r1|x|-", Ok(Some(2))));
    provider.replace(&db, &ana, "$2y$10$new", Why::Password, 1_764_000_000_999).expect("replaced");
    assert_eq!((row().as_str(), provider.sessions(&db, &ana)), ("$2y$10$new|-|2025-11-24 16:00:00|1", Ok(Some(0))));
    assert_eq!(provider.sessions(&db, &id("customer:2")), Ok(Some(1)));
    assert_eq!(provider.sessions(&db, &id("staff:9")), Ok(None));
    for gone in ["customer:4", "customer:9", "customer:77", "customer:01", "x:1"] {
        let replaced = provider.replace(&db, &id(gone), "$2y$10$new", Why::Password, 0);
        assert_eq!(replaced, Err(StorageError::Changed), "{gone}");
    }
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
fn names_from_the_configuration_cannot_leave_their_place() {
    let db = in_memory();
    db.execute_batch(
        r#"CREATE TABLE "we ""ird" (id INTEGER PRIMARY KEY, "lo gin" TEXT, "pw""; --" TEXT);
           INSERT INTO "we ""ird" VALUES (1, 'a', 'h');"#,
    )
    .expect("panel");
    let provider = provider(r#"p = { table = 'we "ird', id = 'id', login = 'lo gin', hash = 'pw"; --' }"#);
    let account = provider.account(&db, &id("p:1")).expect("read").expect("there");
    assert_eq!(account.hash.as_deref(), Some("h"));
    provider.replace(&db, &id("p:1"), "new", Why::Password, 0).expect("replaced");
}

#[test]
fn a_column_that_is_not_there_is_an_error_and_never_a_text() {
    let (db, provider) = (panel(), provider("p = { table = 'users', id = 'id', login = 'login', hash = 'pasword' }"));
    let error = provider.account(&db, &id("p:1")).expect_err("no such column");
    assert!(error.to_string().contains("pasword") && error.to_string().contains("users"), "{error}");
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

fn findings(db: &Db, realms: &str) -> Vec<(Severity, String, String)> {
    let found = provider(realms).check(db, 100).into_iter();
    found.map(|finding| (finding.severity, finding.text, finding.fix.unwrap_or_default())).collect()
}

#[test]
fn check_names_what_is_missing_and_offers_what_is_near() {
    let db = panel();
    let said = findings(&db, "p = { table = 'user', id = 'id', login = 'login', hash = 'password' }");
    assert_eq!(
        said,
        [(Severity::Wrong, "accounts.p: table: there is no table user".to_owned(), "did you mean users?".to_owned())]
    );
    let said =
        findings(&db, "p = { table = 'users', id = 'id', login = 'username', email = 'e_mail', hash = 'pasword' }");
    let find =
        |part: &str| said.iter().find(|(_, text, _)| text.contains(part)).unwrap_or_else(|| panic!("{part}: {said:?}"));
    assert_eq!(find("hash: table users has no column pasword").2, "did you mean password?");
    assert!(find("email: table users has no column e_mail").2.contains("email"));
    assert!(said.iter().all(|(severity, _, _)| *severity == Severity::Wrong));
}

#[test]
fn check_counts_the_addresses_that_nothing_can_be_sent_to() {
    let db = panel();
    db.execute_batch("CREATE TABLE people (id INTEGER PRIMARY KEY, login TEXT, email TEXT, password TEXT)")
        .expect("made");
    let mut bad = Vec::new();
    for (at, email) in [
        // Odd, and sound.
        "taro..yamada@docomo.example",
        "hanako.@docomo.example",
        "o'brien@vidal.example",
        "\"john doe\"@vidal.example",
        "root@host_name.example",
        "user@[192.0.2.7]",
        "user@localhost",
        "user@vidal.example.",
        " marta@vidal.example\t",
        "jürgen@bücher.example",
        "a.b+c@x-y.example",
        "",
        " \u{a0}",
        // Not.
        "Marta <marta@vidal.example>",
        "a@vidal.example, b@vidal.example",
        "a@vidal.example;b@vidal.example",
        "marta",
        "marta@",
        "marta@-vidal.example",
        "marta@vidal-.example",
        "marta@vidal..example",
        "marta@.example",
        "@vidal.example",
        "a@b@vidal.example",
        "mar ta@vidal.example",
        "marta@vidal.example-",
    ]
    .into_iter()
    .enumerate()
    {
        (*db).execute("INSERT INTO people (id, email) VALUES (?1, ?2)", (at as i64, email)).expect("written");
        if keyturn_mail::address::check(email).is_err() && !keyturn_mail::address::is_blank(email) {
            bad.push(at);
        }
    }
    assert_eq!(bad, (13..26).collect::<Vec<_>>());
    let realm = "p = { table = 'people', id = 'id', login = 'login', email = 'email', hash = 'password' }";
    let said = findings(&db, realm);
    let (severity, text, _) =
        said.iter().find(|(_, text, _)| text.contains("can't be used")).unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!(*severity, Severity::Note);
    assert!(text.starts_with("accounts.p: email: 13 addresses can't be used"), "{text}");
    assert!(text.contains("\n3: it has more than one address (p:14, p:15, p:23)"), "{text}");
    assert!(text.contains("\n6: no such domain can exist (p:17, p:18, p:19, p:20, p:21, …)"), "{text}");
    assert!(!text.contains('@') || text.contains("no @"), "{text}");
    assert_eq!(provider(realm).unusable_addresses(&db, "p").expect("counted"), 13);
    (*db).execute("DELETE FROM people WHERE id >= 13", ()).expect("deleted");
    assert!(!findings(&db, realm).iter().any(|(_, text, _)| text.contains("can't be used")));
}

#[test]
fn check_counts_hashes_offers_an_index_and_says_who_ends_sessions() {
    let db = panel();
    let said = findings(&db, REALMS);
    let find =
        |part: &str| said.iter().find(|(_, text, _)| text.contains(part)).unwrap_or_else(|| panic!("{part}: {said:?}"));
    assert_eq!(find("customer: table users has 4 accounts, 2 without a password").0, Severity::Good);
    assert_eq!(find("customer: hash: 1 password is stored as $2y$").0, Severity::Good);
    assert_eq!(find("customer: hash: 1 password is stored as $1$").0, Severity::Note);
    assert_eq!(find("staff: accepts").0, Severity::Wrong);
    assert_eq!(find("customer: sessions: each new password ends those in sessions").0, Severity::Good);
    assert!(find("staff: sessions and epoch are not mapped").1.contains("the panel must end sessions itself"));
    let (_, _, fix) = find("customer: login: no index");
    db.execute_batch(fix).expect("the SQL that fixes it runs");
    let (_, _, fix) = find("customer: email: no index");
    db.execute_batch(fix).expect("the SQL that fixes it runs");
    let said = findings(&db, REALMS);
    assert!(said.iter().any(|(_, text, _)| text == "accounts.customer: login: found by an index"), "{said:?}");
    assert!(said.iter().any(|(_, text, _)| text == "accounts.customer: email: found by an index"), "{said:?}");
    assert!(!format!("{said:?}").contains("aaa"), "no hash is shown");
}

#[test]
fn check_finds_logins_that_several_share_and_keys_that_name_nobody() {
    let db = panel();
    db.execute_batch(
        "UPDATE users SET login = 'ANA' WHERE id = 2;
         CREATE TABLE blobs (id BLOB PRIMARY KEY, login TEXT, password TEXT);
         INSERT INTO blobs VALUES (x'0102', 'a', 'h');",
    )
    .expect("changed");
    let said = findings(&db, REALMS);
    assert!(
        said.iter().any(|(how, text, _)| *how == Severity::Wrong && text.contains("1 logins in column login")),
        "{said:?}"
    );
    let said = findings(&db, "p = { table = 'blobs', id = 'id', login = 'login', hash = 'password' }");
    assert!(
        said.iter().any(|(how, text, _)| *how == Severity::Wrong && text.contains("keys that can't name an account")),
        "{said:?}"
    );
}

const ROLES: &str = "
    CREATE TABLE roles (user INTEGER, role TEXT);
    INSERT INTO roles VALUES (1, 'seller'), (2, 'seller'), (2, 'root'), (5, 'seller');
";

#[test]
fn roles_of_another_table_say_who_is_of_a_realm_and_who_is_not() {
    let db = panel();
    db.execute_batch(ROLES).expect("roles");
    let base = "table = 'users', id = 'id', login = 'login', email = 'email', hash = 'password', epoch = 'generation',
                only = { column = 'kind', is = ['customer', 'staff'] }, deleted = 'deleted_at'";
    let root = "{ table = 'roles', account = 'user', only = { column = 'role', is = ['root'] } }";
    let of = |more: &str| provider(&format!("p = {{ {base}, {more} }}"));
    for (more, there) in [
        (format!("except = {root}"), &[1, 3, 5, 9][..]),
        (format!("among = {root}"), &[2]),
        ("among = { table = 'roles', account = 'user' }".to_owned(), &[1, 2, 5]),
        (format!("among = {{ table = 'roles', account = 'user' }}, except = {root}"), &[1, 5]),
        ("except = { table = 'users', account = 'reseller' }".to_owned(), &[1, 2, 3, 5, 9]),
    ] {
        let provider = of(&more);
        for key in 1..=9 {
            let id = id(&format!("p:{key}"));
            let is = there.contains(&key);
            assert_eq!(provider.account(&db, &id).expect("read").is_some(), is, "{more}: {key}");
            assert_eq!(provider.replace(&db, &id, "$2y$10$x", Why::Upgrade, 0).is_ok(), is, "{more}: {key}");
        }
        let login = if there.contains(&2) { 1 } else { 0 };
        assert_eq!(provider.find(&db, "ben", &["p"], 10).expect("found").len(), login, "{more}");
        let tally = provider.tally(&db, "p").expect("counted");
        assert_eq!(tally.accounts, i64::try_from(there.len()).expect("few"), "{more}");
    }
    let said = findings(&db, &format!("p = {{ {base}, except = {{ table = 'roles', account = 'usr' }} }}"));
    assert!(
        said.iter()
            .any(|(_, text, near)| text.contains("except.account: table roles has no column usr")
                && near.contains("user")),
        "{said:?}"
    );
}

#[test]
fn a_role_that_is_given_meanwhile_stops_a_new_password() {
    let db = panel();
    db.execute_batch(ROLES).expect("roles");
    let provider = provider(
        "p = { table = 'users', id = 'id', login = 'login', hash = 'password', except = { table = 'roles', account =
         'user', only = { column = 'role', is = ['root'] } } }",
    );
    provider.replace(&db, &id("p:1"), "$2y$10$new", Why::Password, 0).expect("replaced");
    db.execute_batch("INSERT INTO roles VALUES (1, 'root')").expect("given");
    assert_eq!(provider.replace(&db, &id("p:1"), "$2y$10$more", Why::Password, 0), Err(StorageError::Changed));
}

#[test]
fn a_name_of_several_columns_has_no_gaps() {
    let db = in_memory();
    db.execute_batch(
        "CREATE TABLE c (id INTEGER PRIMARY KEY, login TEXT, pw TEXT, first TEXT, middle TEXT, last TEXT);
         INSERT INTO c VALUES (1, 'a', 'h', 'Ana', NULL, 'Ruiz'), (2, 'b', 'h', ' Ben ', '', NULL), (3, 'c', 'h', '', NULL, ' ');",
    )
    .expect("panel");
    let provider =
        provider("p = { table = 'c', id = 'id', login = 'login', hash = 'pw', name = ['first', 'middle', 'last'] }");
    let name = |key: &str| provider.account(&db, &id(key)).expect("read").expect("there").values[0].clone();
    assert_eq!(["p:1", "p:2", "p:3"].map(name), [Some("Ana Ruiz".to_owned()), Some("Ben".to_owned()), None]);
}

#[test]
fn of_a_view_no_new_password_is_called_stored() {
    let db = panel();
    db.execute_batch(
        "CREATE VIEW people AS SELECT id, login, password FROM users;
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

#[test]
fn check_takes_no_column_of_many_values_for_a_state() {
    let db = panel();
    db.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
         INSERT INTO users (id, kind, login) SELECT i, 'customer', 'login' || i FROM n;",
    )
    .expect("people");
    let said = findings(&db, &REALMS.replace("column = \"status\"", "column = \"login\""));
    assert!(
        said.iter().any(|(how, text, _)| *how == Severity::Wrong && text.contains("more than 100 different values"))
    );
    assert!(!format!("{said:?}").contains("login150"), "no value of anybody's is shown");
}
