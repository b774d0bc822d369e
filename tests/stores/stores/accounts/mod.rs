//! The panel's mapped accounts: who is found, what is read of them, and what a new password writes.

mod check;
mod spellings;

use std::sync::Arc;

use keyturn_accounts::{Severity, Sql, Tally};
use keyturn_core::accounts::{Account, AccountId, Matched, Why};
use keyturn_store::{Commit, Effect, Provider as _, StorageError, Store};
use keyturn_store_tests::{Engine, Opening, Panel, every_engine};

every_engine!(
    find_matches_by_fold_logins_first_and_never_the_deleted,
    an_account_has_its_mapped_values_and_one_name_only,
    keys_may_be_text,
    a_new_password_ends_sessions_and_touches_columns_and_an_upgrade_does_not,
    names_from_the_configuration_cannot_leave_their_place,
    a_column_that_is_not_there_is_an_error_and_never_a_text,
    roles_of_another_table_say_who_is_of_a_realm_and_who_is_not,
    a_role_that_is_given_meanwhile_stops_a_new_password,
    a_name_of_several_columns_has_no_gaps,
);

const PANEL: &str = "
    CREATE TABLE users (
        id NUMBER, kind VARCHAR(20) NOT NULL, login NAME, email NAME, full_name VARCHAR(100), lang VARCHAR(10), status INTEGER,
        reseller INTEGER, password VARCHAR(255), remember_token VARCHAR(100), updated_at MOMENT, generation INTEGER,
        deleted_at MOMENT
    );
    CREATE TABLE sessions (token NAME PRIMARY KEY, user_id INTEGER);
    INSERT INTO users VALUES
        (1, 'customer', 'Ana', 'ana@example.org', 'Ana A', 'es', 1, 7, '$2y$10$aaa', 'r1', '2020-01-01 00:00:00', NULL, NULL),
        (2, 'customer', 'ben', 'shared@example.org', NULL, NULL, 0, 8, '', NULL, '2020-01-01 00:00:00', 4, NULL),
        (3, 'customer', 'shared@example.org', 'SHARED@example.org', NULL, NULL, 1, 7, NULL, NULL, '2020-01-01 00:00:00', 4, NULL),
        (4, 'customer', 'gone', 'gone@example.org', NULL, NULL, 1, 7, '$2y$10$bbb', NULL, '2020-01-01 00:00:00', 4, '2020-02-02 00:00:00'),
        (5, 'customer', 'Straße', 'MÜLLER@example.org', NULL, NULL, NULL, NULL, '$1$legacy$x', NULL, '2020-01-01 00:00:00', 4, NULL),
        (9, 'staff', 'ana', 'boss@example.org', NULL, NULL, 1, NULL, '$2y$10$ccc', NULL, '2020-01-01 00:00:00', 4, NULL);
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

/// Accounts of a panel's, as a host maps them.
struct People {
    sql: Arc<Sql>,
    store: Store,
}

fn people(panel: &Panel, realms: &str) -> People {
    let sql = Arc::new(panel.provider(realms));
    let store = panel.opened_for(panel.keys.clone(), Arc::clone(&sql) as _, Opening::default()).expect("opened");
    People { sql, store }
}

impl People {
    fn find(&self, typed: &str, realms: &[&str], most: usize) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        self.store.find(typed, realms, most)
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StorageError> {
        self.store.read(|db| self.sql.account(db, id))
    }

    fn sessions(&self, id: &AccountId) -> Result<Option<u32>, StorageError> {
        self.store.sessions(id)
    }

    fn replace(&self, id: &AccountId, hash: &str, why: Why, now: i64) -> Result<(), StorageError> {
        let replace = Effect::Replace { id: id.clone(), hash: hash.to_owned(), why, epoch: "e".to_owned() };
        self.store.commit(Commit::bare("p", now, vec![replace]))
    }

    fn tally(&self, realm: &str) -> Result<Tally, StorageError> {
        self.store.read(|db| self.sql.tally(db, realm))
    }

    fn check(&self, most: usize) -> Vec<(Severity, String, String)> {
        let found = self.store.read(|db| Ok(self.sql.check(db, most))).expect("read").into_iter();
        found.map(|finding| (finding.severity, finding.text, finding.fix.unwrap_or_default())).collect()
    }
}

fn panel(engine: Engine) -> Panel {
    Panel::of(engine, PANEL)
}

fn id(name: &str) -> AccountId {
    name.parse().expect("id")
}

fn findings(panel: &Panel, realms: &str) -> Vec<(Severity, String, String)> {
    people(panel, realms).check(100)
}

fn find_matches_by_fold_logins_first_and_never_the_deleted(engine: Engine) {
    let panel = panel(engine);
    let people = people(&panel, REALMS);
    let find = |typed: &str, realms: &[&str]| {
        let found = people.find(typed, realms, 10).expect("found");
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
    assert_eq!(people.find("shared@example.org", &["customer"], 1).expect("found").len(), 1);
}

fn an_account_has_its_mapped_values_and_one_name_only(engine: Engine) {
    let panel = panel(engine);
    let people = people(&panel, REALMS);
    let account = |name: &str| people.account(&id(name)).expect("read");
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

fn keys_may_be_text(engine: Engine) {
    let panel = Panel::of(
        engine,
        "CREATE TABLE people (uuid NAME PRIMARY KEY, login NAME, pw TEXT);
         INSERT INTO people VALUES ('0b6c-1', 'a', 'h'), ('17', 'b', 'h'), ('017', 'c', 'h');",
    );
    let people = people(&panel, "[p]\ntable = 'people'\nid = 'uuid'\nlogin = 'login'\nhash = 'pw'");
    for (key, login) in [("0b6c-1", "a"), ("17", "b"), ("017", "c")] {
        let account = people.account(&AccountId::new("p", key).expect("id")).expect("read").expect("there");
        assert_eq!(account.values[1].as_deref(), Some(login));
    }
}

fn a_new_password_ends_sessions_and_touches_columns_and_an_upgrade_does_not(engine: Engine) {
    let panel = panel(engine);
    let people = people(&panel, REALMS);
    let row = || {
        let columns = "SELECT password, coalesce(remember_token, '-'), updated_at, coalesce(generation, 0) FROM users WHERE id = 1";
        panel.rows(columns).concat().join("|")
    };
    let ana = id("customer:1");
    assert_eq!(people.sessions(&ana), Ok(Some(2)));
    people.replace(&ana, "$2y$10$up", Why::Upgrade, 0).expect("replaced");
    assert_eq!((row().as_str(), people.sessions(&ana)), ("$2y$10$up|r1|2020-01-01 00:00:00|0", Ok(Some(2))));
    people.replace(&ana, "$2y$10$new", Why::Password, 1_764_000_000_999).expect("replaced");
    assert_eq!((row().as_str(), people.sessions(&ana)), ("$2y$10$new|-|2025-11-24 16:00:00|1", Ok(Some(0))));
    assert_eq!(people.sessions(&id("customer:2")), Ok(Some(1)));
    assert_eq!(people.sessions(&id("staff:9")), Ok(None));
    for gone in ["customer:4", "customer:9", "customer:77", "customer:01", "x:1"] {
        let replaced = people.replace(&id(gone), "$2y$10$new", Why::Password, 0);
        assert_eq!(replaced, Err(StorageError::Changed), "{gone}");
    }
}

fn names_from_the_configuration_cannot_leave_their_place(engine: Engine) {
    let panel = Panel::of(
        engine,
        r#"CREATE TABLE "we ""ird" (id NUMBER, "lo gin" NAME, "pw""; --" TEXT);
           INSERT INTO "we ""ird" VALUES (1, 'a', 'h');"#,
    );
    let people = people(&panel, r#"p = { table = 'we "ird', id = 'id', login = 'lo gin', hash = 'pw"; --' }"#);
    let account = people.account(&id("p:1")).expect("read").expect("there");
    assert_eq!(account.hash.as_deref(), Some("h"));
    people.replace(&id("p:1"), "new", Why::Password, 0).expect("replaced");
}

fn a_column_that_is_not_there_is_an_error_and_never_a_text(engine: Engine) {
    let panel = panel(engine);
    let people = people(&panel, "p = { table = 'users', id = 'id', login = 'login', hash = 'pasword' }");
    let error = people.account(&id("p:1")).expect_err("no such column");
    assert!(error.to_string().contains("pasword") && error.to_string().contains("users"), "{error}");
}

const ROLES: &str = "
    CREATE TABLE roles (\"user\" INTEGER, role VARCHAR(20));
    INSERT INTO roles VALUES (1, 'seller'), (2, 'seller'), (2, 'root'), (5, 'seller');
";

fn roles_of_another_table_say_who_is_of_a_realm_and_who_is_not(engine: Engine) {
    let panel = panel(engine);
    panel.run(ROLES);
    let base = "table = 'users', id = 'id', login = 'login', email = 'email', hash = 'password', epoch = 'generation',
                only = { column = 'kind', is = ['customer', 'staff'] }, deleted = 'deleted_at'";
    let root = "{ table = 'roles', account = 'user', only = { column = 'role', is = ['root'] } }";
    let of = |more: &str| people(&panel, &format!("p = {{ {base}, {more} }}"));
    for (more, there) in [
        (format!("except = {root}"), &[1, 3, 5, 9][..]),
        (format!("among = {root}"), &[2]),
        ("among = { table = 'roles', account = 'user' }".to_owned(), &[1, 2, 5]),
        (format!("among = {{ table = 'roles', account = 'user' }}, except = {root}"), &[1, 5]),
        ("except = { table = 'users', account = 'reseller' }".to_owned(), &[1, 2, 3, 5, 9]),
    ] {
        let people = of(&more);
        for key in 1..=9 {
            let id = id(&format!("p:{key}"));
            let is = there.contains(&key);
            assert_eq!(people.account(&id).expect("read").is_some(), is, "{more}: {key}");
            assert_eq!(people.replace(&id, "$2y$10$x", Why::Upgrade, 0).is_ok(), is, "{more}: {key}");
        }
        let login = if there.contains(&2) { 1 } else { 0 };
        assert_eq!(people.find("ben", &["p"], 10).expect("found").len(), login, "{more}");
        let tally = people.tally("p").expect("counted");
        assert_eq!(tally.accounts, i64::try_from(there.len()).expect("few"), "{more}");
    }
    let said = findings(&panel, &format!("p = {{ {base}, except = {{ table = 'roles', account = 'usr' }} }}"));
    assert!(
        said.iter()
            .any(|(_, text, near)| text.contains("except.account: table roles has no column usr")
                && near.contains("user")),
        "{said:?}"
    );
}

fn a_role_that_is_given_meanwhile_stops_a_new_password(engine: Engine) {
    let panel = panel(engine);
    panel.run(ROLES);
    let people = people(
        &panel,
        "p = { table = 'users', id = 'id', login = 'login', hash = 'password', except = { table = 'roles', account =
         'user', only = { column = 'role', is = ['root'] } } }",
    );
    people.replace(&id("p:1"), "$2y$10$new", Why::Password, 0).expect("replaced");
    panel.run("INSERT INTO roles VALUES (1, 'root')");
    assert_eq!(people.replace(&id("p:1"), "$2y$10$more", Why::Password, 0), Err(StorageError::Changed));
}

fn a_name_of_several_columns_has_no_gaps(engine: Engine) {
    let panel = Panel::of(
        engine,
        "CREATE TABLE c (id NUMBER, login NAME, pw TEXT, first VARCHAR(50), middle VARCHAR(50), last VARCHAR(50));
         INSERT INTO c VALUES (1, 'a', 'h', 'Ana', NULL, 'Ruiz'), (2, 'b', 'h', ' Ben ', '', NULL), (3, 'c', 'h', '', NULL, ' ');",
    );
    let people = people(
        &panel,
        "p = { table = 'c', id = 'id', login = 'login', hash = 'pw', name = ['first', 'middle', 'last'] }",
    );
    let name = |key: &str| people.account(&id(key)).expect("read").expect("there").values[0].clone();
    assert_eq!(["p:1", "p:2", "p:3"].map(name), [Some("Ana Ruiz".to_owned()), Some("Ben".to_owned()), None]);
}
