use super::*;
use keyturn_accounts::Severity;
use keyturn_core::accounts::{AccountId, Field, Matched, Why};
use keyturn_store::dialect::Dialect as _;

const LARAVEL: &str = "
    CREATE TABLE users (
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL, email VARCHAR(255) NOT NULL,
        password VARCHAR(255) NOT NULL, remember_token VARCHAR(100), role ENUM('customer', 'staff') NOT NULL DEFAULT 'customer',
        active TINYINT(1) NOT NULL DEFAULT 1, reseller_id INT UNSIGNED, generation INT UNSIGNED, deleted_at TIMESTAMP NULL,
        created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL, KEY email (email)
    ) COLLATE utf8mb4_unicode_ci;
    CREATE TABLE sessions (id VARCHAR(190) PRIMARY KEY, user_id BIGINT UNSIGNED, payload LONGTEXT, KEY (user_id));
    INSERT INTO users (name, email, password, active, reseller_id, role, deleted_at) VALUES
        ('Ana', 'Ana@example.org', '$2y$10$aaa', 1, 7, 'customer', NULL), ('Ben', 'ben@example.org', '$2y$10$bbb', 0, 8, 'customer', NULL),
        ('Müller', 'MÜLLER@example.org', '$2y$10$ccc', 1, NULL, 'customer', NULL), ('Gone', 'gone@example.org', '', 1, 7, 'customer', NOW()),
        ('Boss', 'boss@example.org', '$2y$10$ddd', 1, NULL, 'staff', NULL), ('Spacy', ' spacy@example.org', '', 1, NULL, 'customer', NULL),
        ('Muller', 'muller@example.org', '', 1, NULL, 'customer', NULL);
    INSERT INTO sessions VALUES ('a', 1, ''), ('b', 1, ''), ('c', 2, '');
";

const REALMS: &str = r#"
    [customer]
    table = "users"
    id = "id"
    login = "email"
    email = "email"
    name = "name"
    state = { column = "active", active = [1] }
    manager = "reseller_id"
    hash = "password"
    accepts = ["$2y$"]
    sessions = { table = "sessions", account = "user_id" }
    epoch = "generation"
    touch = [{ column = "remember_token", as = "null" }, { column = "updated_at", as = "datetime" }]
    only = { column = "role", is = ["customer"] }
    deleted = "deleted_at"
"#;

fn id(key: &str) -> AccountId {
    AccountId::new("customer", key).expect("an account")
}

fn found(store: &Store, typed: &str) -> Vec<String> {
    let found = store.find(typed, &["customer"], 10).expect("found");
    found.into_iter().map(|(id, by)| format!("{} {by:?}", id.key())).collect()
}

fn replace(key: &str, hash: &str) -> Commit {
    let replace = Effect::Replace { id: id(key), hash: hash.to_owned(), why: Why::Password, epoch: "e".to_owned() };
    Commit::bare("p", NOW, vec![replace])
}

fn with(database: &Database<'_>, realms: &str) -> Store {
    open(&address(database), Arc::clone(&KEYS), provider(realms), Options::default()).expect("opened")
}

#[test]
fn accounts_of_a_laravel_panel_are_found_read_and_given_a_password() {
    let database = server().database();
    database.sql(LARAVEL);
    let store = with(&database, REALMS);
    assert_eq!(found(&store, "ANA@example.org"), ["1 Login"]);
    assert_eq!(found(&store, "ána@example.org"), [""; 0], "an accent is another letter, whatever the collation says");
    assert_eq!(found(&store, "müller@EXAMPLE.org"), ["3 Login"]);
    assert_eq!(found(&store, "muller@example.org"), ["7 Login"]);
    assert_eq!(found(&store, "spacy@example.org"), ["6 Login"]);
    assert_eq!(found(&store, "gone@example.org"), [""; 0]);
    assert_eq!(found(&store, "boss@example.org"), [""; 0]);
    let ana = store.account(&id("1")).expect("read").expect("there").account;
    assert_eq!(ana.manager.as_deref(), Some("7"));
    assert_eq!(ana.value(Field::Email), Some("Ana@example.org"));
    assert_eq!(ana.value(Field::State), Some("active"));
    for key in ["01", "1x", "4", "5", "99", "-1"] {
        assert_eq!(store.account(&id(key)).expect("read"), None, "{key}");
    }
    assert_eq!(store.sessions(&id("1")), Ok(Some(2)));
    store.commit(replace("1", "$2y$10$new")).expect("replaced");
    let row = "SELECT password, remember_token, generation, updated_at, (SELECT count(*) FROM sessions) FROM users WHERE id = 1";
    assert_eq!(database.sql(row).trim(), "$2y$10$new\tNULL\t1\t2025-11-24 16:00:00\t1");
    assert_eq!(store.sessions(&id("1")), Ok(Some(0)));
    assert_eq!(store.commit(replace("4", "$2y$10$new")), Err(StorageError::Changed), "it was deleted");
}

#[test]
fn what_check_says_of_it() {
    let database = server().database();
    database.sql(LARAVEL);
    let store = with(&database, REALMS);
    let said = || {
        let sql = Sql::new(toml::from_str(REALMS).expect("realms"), &MariaDb).expect("provider");
        let said = store.read(|db| Ok(sql.check(db, 10))).expect("checked");
        said.into_iter().map(|said| (said.severity, said.text, said.fix)).collect::<Vec<_>>()
    };
    let wrong = |said: &[(Severity, String, Option<String>)]| {
        said.iter().filter(|(severity, ..)| *severity == Severity::Wrong).cloned().collect::<Vec<_>>()
    };
    let good = said();
    assert_eq!(wrong(&good), []);
    assert!(good.iter().any(|(_, text, _)| text.ends_with("login: found by an index")), "{good:?}");
    assert!(!good.iter().any(|(_, text, _)| text.contains("no index serves")), "{good:?}");
    database.sql("ALTER TABLE users DROP INDEX email; ALTER TABLE sessions ENGINE=MyISAM");
    let bad = said();
    let (_, text, fix) = &wrong(&bad)[0];
    assert!(text.contains("sessions is a table of the engine MyISAM, which has no transactions"), "{bad:?}");
    assert_eq!(fix.as_deref(), Some("ALTER TABLE `sessions` ENGINE=InnoDB;"));
    assert!(bad.iter().any(|(_, text, _)| text.contains("login: no index serves")), "{bad:?}");
}

#[test]
fn names_are_the_same_people_whatever_the_collation() {
    for collation in [
        "utf8mb4_general_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_bin",
        "utf8mb4_nopad_bin",
        "utf8mb4_unicode_520_ci",
        "latin1_swedish_ci",
        "latin1_bin",
        "latin1_general_cs",
        "utf8mb4_turkish_ci",
        "latin5_turkish_ci",
    ] {
        let database = server().database();
        database.sql(&format!(
            "CREATE TABLE users (id INT PRIMARY KEY, login VARCHAR(100) COLLATE {collation}, password VARCHAR(100), KEY (login));
             INSERT INTO users VALUES (1, 'ana', ''), (2, 'BEN', ''), (3, 'Zoé', ''), (4, 'dora ', ''), (5, ' eva', ''), (6, 'STRASSE', ''), (7, 'KIM', '')"
        ));
        if collation.starts_with("utf8mb4") {
            database.sql("INSERT INTO users VALUES (8, 'sun🌞', ''), (9, '\u{212a}arl', ''), (10, 'o\u{200b}la', '')");
        }
        let store = with(&database, "customer = { table = 'users', id = 'id', login = 'login', hash = 'password' }");
        for (typed, key) in [
            ("Ana", "1"),
            ("ben", "2"),
            ("ZOÉ", "3"),
            ("dora", "4"),
            ("eva", "5"),
            ("straße", "6"),
            ("kim", "7"),
            ("zoe", ""),
        ] {
            let expected: Vec<String> = Some(format!("{key} Login")).filter(|_| !key.is_empty()).into_iter().collect();
            assert_eq!(found(&store, typed), expected, "{collation} {typed}");
        }
        if collation.starts_with("utf8mb4") {
            for (typed, key) in [("SUN🌞", "8"), ("karl", "9"), ("ola", "10")] {
                assert_eq!(found(&store, typed), [format!("{key} Login")], "{collation} {typed}");
            }
        }
    }
}

#[test]
fn accounts_are_named_by_keys_of_sixteen_bytes_or_uuids_or_text() {
    for (kind, literal, key, other) in [
        (
            "BINARY(16)",
            "x'00112233445566778899aabbccddeeff'",
            "00112233445566778899aabbccddeeff",
            "00112233445566778899AABBCCDDEEFF",
        ),
        (
            "UUID",
            "'00112233-4455-6677-8899-aabbccddeeff'",
            "00112233-4455-6677-8899-aabbccddeeff",
            "00112233-4455-6677-8899-AABBCCDDEEFF",
        ),
        ("VARCHAR(40)", "'ana'", "ana", "Ana"),
    ] {
        let database = server().database();
        database.sql(&format!(
            "CREATE TABLE users (id {kind} PRIMARY KEY, login VARCHAR(100) UNIQUE, password VARCHAR(100));
             CREATE TABLE sessions (user_id {kind}); INSERT INTO users VALUES ({literal}, 'ana', 'h'); INSERT INTO sessions VALUES ({literal})"
        ));
        let store = with(
            &database,
            "customer = { table = 'users', id = 'id', login = 'login', hash = 'password', sessions = { table = 'sessions', account = 'user_id' } }",
        );
        let found = store.find("ana", &["customer"], 10).expect("found");
        assert_eq!(found, [(id(key), Matched::Login)], "{kind}");
        assert_eq!(store.sessions(&id(key)), Ok(Some(1)), "{kind}");
        assert_eq!(store.account(&id(other)).expect("read"), None, "{kind}: an account has one name");
        store.commit(replace(key, "new")).expect(kind);
        assert_eq!(
            database.sql("SELECT password, (SELECT count(*) FROM sessions) FROM users").trim(),
            "new\t0",
            "{kind}"
        );
    }
}

#[test]
fn a_trigger_that_keeps_the_old_password_or_refuses_it_takes_the_whole_call_back() {
    let database = server().database();
    database.sql(LARAVEL);
    let store = with(&database, REALMS);
    for (trigger, said) in [
        ("SET NEW.password = OLD.password", "does not have the hash that was written"),
        ("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not now'", "not now"),
    ] {
        database.sql(&format!("CREATE OR REPLACE TRIGGER keeps BEFORE UPDATE ON users FOR EACH ROW {trigger}"));
        let mut commit = replace("1", "$2y$10$new");
        commit.effects.extend(put("a", "1").effects);
        let error = cause(store.commit(commit).expect_err("refused"));
        assert!(error.contains(said), "{error}");
        assert_eq!(held(&store, "a"), None);
        assert_eq!(store.sessions(&id("1")), Ok(Some(2)));
    }
}

#[test]
fn what_check_proposes_takes_the_spaces_away_whatever_the_column() {
    for collation in ["utf8mb4_general_ci", "utf8mb4_nopad_bin", "latin1_swedish_ci"] {
        let database = server().database();
        database.sql(&format!("CREATE TABLE v (v VARCHAR(20) COLLATE {collation})"));
        let db = connected(&database);
        for text in ["ana ", " ben", "\tdora\u{a0}\r\n", "Zoé Müller", "zoe"] {
            dynamic(&db).run("INSERT INTO v (v) VALUES (?1)", &[Value::Text(text.to_owned())]).expect("written");
        }
        let clean = MariaDb.trimmed("\"v\"");
        let changed = db.execute(&format!("UPDATE \"v\" SET \"v\" = {clean} WHERE \"v\" <> {clean}"), &[]);
        assert_eq!(changed, Ok(3), "{collation}");
        assert_eq!(
            database.sql("SELECT v FROM v").lines().collect::<Vec<_>>(),
            ["ana", "ben", "dora", "Zoé Müller", "zoe"]
        );
    }
}

#[test]
fn a_name_that_a_column_can_not_hold_is_nobodys_and_no_error() {
    for charset in ["latin1", "utf8mb3", "ascii"] {
        let database = server().database();
        database.sql(
            &format!(
            "CREATE TABLE people (id INT PRIMARY KEY, login VARCHAR(100) CHARACTER SET {charset}, pw TEXT, KEY (login));
             INSERT INTO people VALUES (1, 'Ana', ''), (2, '?????', ''), (3, 'Anaé', '')"
        )
            .replace("Anaé", if charset == "ascii" { "Ana3" } else { "Anaé" }),
        );
        let realm = "customer = { table = 'people', id = 'id', login = 'login', hash = 'pw' }";
        let store = with(&database, realm);
        for typed in ["жуки", "жуки😀", "😀", "ана"] {
            assert_eq!(found(&store, typed), [""; 0], "{charset}: {typed}");
        }
        assert_eq!(found(&store, "ANA"), ["1 Login"], "{charset}");
        if charset != "ascii" {
            assert_eq!(found(&store, "anaÉ"), ["3 Login"], "{charset}");
        }
        let sql = Sql::new(toml::from_str(realm).expect("realms"), &MariaDb).expect("a provider");
        let said = store.read(|db| Ok(sql.check(db, 10))).expect("read");
        assert!(said.iter().any(|said| said.text.ends_with("login: found by an index")), "{said:?}");
    }
}
