//! Real panels' tables under Keyturn, as their mappings say: FOSSBilling's clients, AzuraCast's users and Laravel's, with
//! integers and UUIDs for keys. PHP makes the hashes that Keyturn verifies, and verifies those that Keyturn makes.
//! The tables and the mappings stand in `panels/`; `docs/mapping.md` shows the same mappings.

use std::ops::Deref;

use rusqlite::Connection;
use serde_json::json;

use super::beside::{BCRYPT, Beside, NEW, OLD, finding, php};
use super::{done, err, keyturn, out};

/// What the panels are told apart by.
struct Kind {
    tables: &'static str,
    mapping: &'static str,
    realm: &'static str,
    /// Of the plugin, as the panel's own code asks for them.
    settings: &'static str,
    /// The algorithm and the options that the panel's own code gives to `password_hash`.
    php: (&'static str, &'static str),
    /// Its people: `@HASH` stands for a hash of [`OLD`].
    people: &'static str,
    hash_of: &'static str,
    /// The account's key.
    key: &'static str,
    login: &'static str,
    /// Logins and keys of those who are nobody to Keyturn.
    hidden: &'static [(&'static str, &'static str)],
}

const FOSSBILLING: Kind = Kind {
    tables: include_str!("panels/fossbilling.sql"),
    mapping: include_str!("panels/fossbilling.toml"),
    realm: "client",
    settings: BCRYPT,
    php: ("2y", r#"{"cost": 12}"#),
    people: "INSERT INTO client (id, email, pass, status, first_name, last_name, lang, created_at, updated_at) VALUES
                 (1, 'ana@panaderia.example', '@HASH', 'active', 'Ana', 'Ruiz', 'es_ES', '2024-01-01 00:00:00', 'x'),
                 (2, 'ben@closed.example', '@HASH', 'suspended', 'Ben', NULL, NULL, NULL, 'x'),
                 (3, 'gone@closed.example', '@HASH', 'canceled', 'Gone', 'Away', NULL, NULL, 'x'),
                 (4, 'odd@panaderia.example', NULL, 'active', NULL, NULL, NULL, NULL, 'x');
             INSERT INTO admin (id, email, pass) VALUES (7, 'boss@northwind.example', '@HASH');",
    hash_of: "SELECT pass FROM client WHERE id = 1",
    key: "1",
    login: "ana@panaderia.example",
    hidden: &[("gone@closed.example", "3"), ("boss@northwind.example", "7")],
};

const AZURACAST: Kind = Kind {
    tables: include_str!("panels/azuracast.sql"),
    mapping: include_str!("panels/azuracast.toml"),
    realm: "user",
    settings: "output = \"argon2id\"\nargon2-memory-kib = 65536\nargon2-passes = 4\nargon2-lanes = 1\n",
    php: ("argon2id", "{}"),
    people: "INSERT INTO users (id, email, auth_password, name, locale, created_at, updated_at) VALUES
                 (1, 'boss@radio.example', '@HASH', 'Boss', NULL, 1, 1),
                 (2, 'ana@radio.example', '@HASH', 'Ana', 'es_ES.UTF-8', 1, 1),
                 (3, 'ben@radio.example', '@HASH', NULL, 'default', 1, 1);
             INSERT INTO role (id, name) VALUES (1, 'Super Administrator'), (2, 'Editors');
             INSERT INTO user_has_role VALUES (1, 1), (1, 2), (2, 2);
             INSERT INTO user_login_tokens VALUES ('a', 2, 1, 'v'), ('b', 3, 1, 'v');",
    hash_of: "SELECT auth_password FROM users WHERE id = 2",
    key: "2",
    login: "ana@radio.example",
    hidden: &[("boss@radio.example", "1")],
};

const LARAVEL: Kind = Kind {
    tables: include_str!("panels/laravel.sql"),
    mapping: include_str!("panels/laravel.toml"),
    realm: "customer",
    settings: BCRYPT,
    php: ("2y", r#"{"cost": 12}"#),
    people: "INSERT INTO users (id, name, email, password, role, remember_token, updated_at, deleted_at) VALUES
                 (1, 'Ana Ruiz', 'ana@shop.example', '@HASH', 'customer', 'r1', 'x', NULL),
                 (2, 'Ben', 'ben@shop.example', '@HASH', 'customer', 'r2', 'x', NULL),
                 (3, 'Gone', 'gone@shop.example', '@HASH', 'customer', 'r3', 'x', '2025-01-01 00:00:00'),
                 (4, 'Boss', 'boss@shop.example', '@HASH', 'staff', 'r4', 'x', NULL);
             INSERT INTO sessions VALUES ('a', 1, NULL, NULL, '', 1), ('b', 1, NULL, NULL, '', 1),
                 ('c', 2, NULL, NULL, '', 1), ('d', NULL, NULL, NULL, '', 1);",
    hash_of: "SELECT password FROM users WHERE email = 'ana@shop.example'",
    key: "1",
    login: "ana@shop.example",
    hidden: &[("gone@shop.example", "3"), ("boss@shop.example", "4")],
};

const LARAVEL_UUID: Kind = Kind {
    tables: include_str!("panels/laravel-uuid.sql"),
    people: "INSERT INTO users (id, name, email, password, role, remember_token, updated_at, deleted_at) VALUES
                 ('0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a01', 'Ana Ruiz', 'ana@shop.example', '@HASH', 'customer', 'r1', 'x', NULL),
                 ('0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a02', 'Ben', 'ben@shop.example', '@HASH', 'customer', 'r2', 'x', NULL),
                 ('0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a03', 'Gone', 'gone@shop.example', '@HASH', 'customer', 'r3', 'x', 'x'),
                 ('0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a04', 'Boss', 'boss@shop.example', '@HASH', 'staff', 'r4', 'x', NULL);
             INSERT INTO sessions VALUES ('a', '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a01', NULL, NULL, '', 1),
                 ('b', '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a01', NULL, NULL, '', 1),
                 ('c', '0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a02', NULL, NULL, '', 1);",
    key: "0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a01",
    hidden: &[
        ("gone@shop.example", "0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a03"),
        ("boss@shop.example", "0199c2f1-6a3e-7c1b-9a52-3f5d1b6e8a04"),
    ],
    ..LARAVEL
};

struct Panel {
    beside: Beside,
    kind: Kind,
}

impl Deref for Panel {
    type Target = Beside;

    fn deref(&self) -> &Beside {
        &self.beside
    }
}

impl Panel {
    fn of(kind: Kind) -> Self {
        let beside = Beside::lay("sqlite = \"panel.db\"", kind.mapping, &[kind.realm], kind.settings);
        let people = kind.people.replace("@HASH", &php(&["hash", kind.php.0, OLD, kind.php.1]));
        let panel = Self { beside, kind };
        let database = panel.database();
        database.execute_batch(panel.kind.tables).expect("tables");
        database.execute_batch(&people).expect("people");
        panel
    }

    fn database(&self) -> Connection {
        Connection::open(self.folder.path().join("panel.db")).expect("opens")
    }

    fn text(&self, query: &str) -> String {
        self.database().query_row(query, [], |row| row.get(0)).expect(query)
    }

    /// The whole way: what PHP stored is verified, what Keyturn sets PHP takes, and who is nobody stays nobody.
    fn goes_the_whole_way(&self, ended: &str) {
        let Kind { realm, key, login, hidden, php: (algorithm, options), .. } = self.kind;
        let account = format!("{realm}:{key}");
        let accepted = self.verify(login, OLD);
        assert_eq!(
            (accepted["kind"].as_str(), accepted["value"]["account"].as_str()),
            (Some("accepted"), Some(&*account))
        );
        assert_eq!(self.verify(login, NEW)["kind"], "rejected");

        let before: Vec<String> = hidden.iter().map(|(login, _)| self.row_of(login)).collect();
        for (login, key) in hidden {
            assert_eq!(self.verify(login, OLD)["kind"], "rejected", "{login}");
            for name in [(*login).to_owned(), format!("{realm}:{key}")] {
                let output = keyturn(&self.config(), &["reset-password", &name], NEW);
                assert_eq!(output.status.code(), Some(4), "{name}: {}{}", out(&output), err(&output));
                let like_nobody = keyturn(&self.config(), &["reset-password", &format!("{realm}:77")], NEW);
                assert_eq!(like_nobody.status.code(), Some(4), "{}", err(&like_nobody));
            }
            let status = self.call("password/account-status", &json!({"account": format!("{realm}:{key}")}));
            let nobody = self.call("password/account-status", &json!({"account": format!("{realm}:77")}));
            assert_eq!((status.status.code(), err(&status)), (nobody.status.code(), err(&nobody)));
        }
        assert_eq!(before, hidden.iter().map(|(login, _)| self.row_of(login)).collect::<Vec<_>>());

        let said = done(&keyturn(&self.config(), &["reset-password", &account], NEW));
        assert_eq!(said, format!("The password of {account} ({account}) has been changed.{ended}\n"));
        let hash = self.text(self.kind.hash_of);
        assert_eq!(php(&["verify", NEW, &hash, algorithm, options]), "accepted", "{hash}");
        assert_eq!(php(&["verify", OLD, &hash, algorithm, options]), "refused");
        assert_eq!(self.verify(login, NEW)["kind"], "accepted");
        assert_eq!(self.text(self.kind.hash_of), hash, "a sign-in leaves it as it is");
        assert_eq!(self.verify(login, OLD)["kind"], "rejected");
    }

    /// All that a table holds of who has this address.
    fn row_of(&self, login: &str) -> String {
        let database = self.database();
        let mut found = String::new();
        for table in ["client", "admin", "users"] {
            let Ok(mut rows) = database.prepare(&format!("SELECT * FROM {table} WHERE email = ?1")) else { continue };
            let columns = rows.column_count();
            let mut rows = rows.query([login]).expect("reads");
            while let Some(row) = rows.next().expect("reads") {
                (0..columns).for_each(|at| found += &format!("{:?} ", row.get_ref(at).expect("a value")));
            }
        }
        assert!(!found.is_empty(), "{login}");
        found
    }
}

/// Whether `text` is a time as `2026-11-24 08:36:22`.
fn is_datetime(text: &str) -> bool {
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    text.chars().map(shape).collect::<String>() == "0000-00-00 00:00:00"
}

#[test]
fn fossbilling_takes_what_keyturn_sets_and_only_its_clients_are_seen() {
    let panel = Panel::of(FOSSBILLING);
    panel.goes_the_whole_way("");
    assert!(is_datetime(&panel.text("SELECT updated_at FROM client WHERE id = 1")));
    assert_eq!(panel.text("SELECT updated_at FROM client WHERE id = 2"), "x");
    assert_eq!(panel.verify("ben@closed.example", OLD)["kind"], "suspended");
    // Both columns make the customer's name, which no password may contain.
    let output = keyturn(&panel.config(), &["reset-password", "client:1"], "ana ruiz ana ruiz");
    assert_eq!((output.status.code(), err(&output).contains("contains")), (Some(5), true), "{}", err(&output));
}

#[test]
fn azuracast_takes_what_keyturn_sets_and_its_administrators_are_not_seen() {
    let panel = Panel::of(AZURACAST);
    panel.goes_the_whole_way(" 1 session was ended.");
    assert_eq!(panel.text("SELECT group_concat(id) FROM user_login_tokens"), "b");
    let touched =
        panel.text("SELECT CAST(updated_at > 1700000000 AND updated_at < 9999999999 AS TEXT) FROM users WHERE id = 2");
    assert_eq!(touched, "1", "in seconds");
    // The customer gets the role, and is out of sight from then on.
    panel.database().execute("INSERT INTO user_has_role VALUES (2, 1)", []).expect("given");
    assert_eq!(panel.verify("ana@radio.example", NEW)["kind"], "rejected");
    assert_eq!(keyturn(&panel.config(), &["reset-password", "user:2"], OLD).status.code(), Some(4));
}

#[test]
fn laravel_takes_what_keyturn_sets_and_neither_staff_nor_the_deleted_are_seen() {
    for kind in [LARAVEL, LARAVEL_UUID] {
        let panel = Panel::of(kind);
        panel.goes_the_whole_way(" 2 sessions were ended.");
        assert_eq!(panel.text("SELECT coalesce(remember_token, 'none') FROM users WHERE name = 'Ana Ruiz'"), "none");
        assert_eq!(panel.text("SELECT remember_token FROM users WHERE name = 'Ben'"), "r2");
        assert!(is_datetime(&panel.text("SELECT updated_at FROM users WHERE name = 'Ana Ruiz'")));
        assert!(panel.text("SELECT group_concat(id) FROM sessions ORDER BY id").starts_with('c'));
    }
}

#[test]
fn check_says_of_each_panel_what_it_found_and_what_follows() {
    for (kind, found, forgotten) in [
        (
            FOSSBILLING,
            "table client has 3 accounts, 1 without a password\nmapped: id = id, login = email, hash = pass, name = first_name + \
                       last_name, email = email, locale = lang, state = status",
            "yes: 3 of 3 have an address",
        ),
        (
            AZURACAST,
            "table users has 2 accounts\nmapped: id = id, login = email, hash = auth_password, name = name, email = email, locale = \
                     locale\nnot mapped: state (nobody counts as suspended)",
            "yes: 2 of 2 have an address",
        ),
        (
            LARAVEL,
            "table users has 2 accounts\nmapped: id = id, login = email, hash = password, name = name, email = email\nnot mapped: \
                   locale (emails are in English), state (nobody counts as suspended)",
            "yes: 2 of 2 have an address",
        ),
        (LARAVEL_UUID, "table users has 2 accounts", "yes: 2 of 2 have an address"),
    ] {
        let panel = Panel::of(kind);
        let document = panel.document();
        assert_eq!(document["wrong"], 0, "{document:#}");
        let realm = panel.kind.realm;
        let (severity, text, _) = finding(&document, "table ");
        assert!(severity == "good" && text.starts_with(&format!("accounts.{realm}: {found}")), "{text}");
        let (severity, text, _) = finding(&document, "what its people get");
        let output = if panel.kind.settings == BCRYPT { "bcrypt" } else { "argon2id" };
        let not_asked = "because the panel does not ask at sign-in (asked-at-sign-in = false)";
        assert_eq!(
            text,
            format!(
                "{realm}: what its people get\nForgotten password           {forgotten}\nReset & mail password        \
                 link, permanent; not temporary, {not_asked}\nNew password by a manager    yes, stored as {output}\nMust change at next \
                 sign-in  not offered, {not_asked}"
            )
        );
        assert_eq!(severity, "good");
        let follows = &document["realms"][0];
        assert_eq!((&follows["realm"], &follows["forgotten_password"]), (&json!(realm), &json!(true)));
        assert_eq!((&follows["reset_modes"], &follows["must_change"]), (&json!(["link", "permanent"]), &json!(false)));

        // The login and the address are one column here, and one index fixes both.
        let (severity, _, fix) = finding(&document, "no index serves lower(email)");
        assert_eq!(severity, "note");
        panel.database().execute_batch(&fix).expect("the SQL that fixes it runs");
        assert!(panel.check().contains(&format!("accounts.{realm}: login: found by an index")));
    }
}

#[test]
fn check_says_what_old_sessions_cost_and_the_sql_that_mends_it_works() {
    let panel = Panel::of(FOSSBILLING);
    let (severity, text, fix) = finding(&panel.document(), "sessions and epoch are not mapped");
    assert!(severity == "note" && text.ends_with("people stay signed in after a new password"), "{text}");
    assert!(fix.contains("GET /v1/accounts/client:ID/epoch"), "{fix}");
    let sql = fix.lines().map(str::trim).find(|line| line.starts_with("ALTER TABLE")).expect("SQL");
    panel.database().execute_batch(sql).expect("the SQL that fixes it runs");
    panel.mapped("hash = \"pass\"", "hash = \"pass\"\nepoch = \"password_epoch\"");
    let document = panel.document();
    assert!(finding(&document, "epoch: each new password raises column password_epoch").2.is_empty());
    done(&keyturn(&panel.config(), &["reset-password", "client:1"], NEW));
    assert_eq!(panel.text("SELECT CAST(password_epoch AS TEXT) FROM client WHERE id = 1"), "1");

    // Where a table says whose a session is, it is named.
    let panel = Panel::of(LARAVEL);
    panel.mapped("sessions = { table = \"sessions\", account = \"user_id\" }", "");
    let (_, _, fix) = finding(&panel.document(), "sessions and epoch are not mapped");
    assert!(fix.starts_with("sessions = { table = \"sessions\", account = \"user_id\" }\n"), "{fix}");
    let panel = Panel::of(LARAVEL);
    panel.database().execute_batch("DROP INDEX sessions_user_id_index").expect("dropped");
    let (_, _, fix) = finding(&panel.document(), "sessions: no index serves user_id");
    panel.database().execute_batch(&fix).expect("the SQL that fixes it runs");
    assert!(!panel.check().contains("no index serves user_id"));
}

#[test]
fn check_names_columns_that_were_overlooked_and_states_written_otherwise() {
    let panel = Panel::of(LARAVEL);
    panel.mapped("deleted = \"deleted_at\"\n", "");
    panel.mapped(", { column = \"remember_token\", as = \"null\" }", "");
    let document = panel.document();
    let (_, text, fix) = finding(&document, "column deleted_at is not mapped");
    assert!(text.contains("deleted accounts are found") && fix == "deleted = \"deleted_at\"", "{text} {fix}");
    let (_, text, fix) = finding(&document, "column remember_token is not mapped");
    assert!(text.contains("stay signed in") && fix.contains("as = \"null\""), "{text} {fix}");

    let panel = Panel::of(FOSSBILLING);
    assert!(panel.check().contains("state: 2 active, 1 suspended"), "{}", panel.check());
    panel.mapped("active = [\"active\"]", "active = [\"Active\"]");
    let (severity, text, _) = finding(&panel.document(), "does not match");
    assert!(severity == "wrong" && text.contains("also has “active”") && text.contains("“Active”"), "{text}");
    panel.database().execute_batch("CREATE VIEW clients AS SELECT * FROM client").expect("a view");
    panel.mapped("table = \"client\"", "table = \"clients\"");
    let (severity, _, fix) = finding(&panel.document(), "clients is a view");
    assert!(severity == "wrong" && fix.contains("only, among or except"), "{fix}");
}

#[test]
fn check_says_why_something_is_not_offered_and_what_mends_it() {
    let not_offered = |panel: &Panel, why: &str, fixes: &str| {
        let document = panel.document();
        let (severity, text, fix) = finding(&document, "what its people get");
        assert!(text.contains(&format!("Forgotten password           no, because {why}\n")), "{text}");
        assert!(text.contains(&format!("Reset & mail password        no, because {why}\n")), "{text}");
        assert!(severity == "note" && fix.contains(fixes), "{severity}: {fix}");
        assert_eq!(document["realms"][0]["reset_modes"], json!([]));
    };
    let panel = Panel::of(LARAVEL);
    let grants = std::fs::read_to_string(panel.folder.path().join("plugins.d/keyturn-password.toml")).expect("reads");
    let granted = |from: &str, to: &str| {
        assert!(grants.contains(from), "no {from}");
        panel.write("plugins.d/keyturn-password.toml", &grants.replace(from, to));
    };
    panel.mapped("transport = \"folder\"", "transport = \"off\"");
    not_offered(&panel, "email can't be sent", "see mail, above");
    panel.mapped("transport = \"off\"", "transport = \"folder\"");
    granted("recipients = [\"customer\"]", "recipients = []");
    not_offered(&panel, "the plugin may not email this realm", "grants.mail.recipients = [\"customer\"]");
    granted("realms = [\"customer\"]", "realms = [\"other\"]");
    let (_, _, fix) = finding(&panel.document(), "customer: no plugin with the hook password/set-password has a grant");
    assert!(fix.contains("grants.accounts.realms = [\"customer\"]"), "{fix}");
    // Hashes that the panel's own code does not know.
    granted("output = \"bcrypt\"", "output = \"argon2id\"");
    let (severity, text, fix) = finding(&panel.document(), "no password can be set: ");
    assert!(severity == "wrong" && text.contains("doesn't list $argon2id$"), "{text}");
    assert!(fix.contains("settings.output in keyturn-password.toml"), "{fix}");
    not_offered(&panel, "no password can be set", "settings.output in keyturn-password.toml");
    let (_, text, _) = finding(&panel.document(), "what its people get");
    assert!(text.contains("New password by a manager    no\n"), "{text}");
    // A panel that asks at sign-in has all of it.
    granted(
        "asked-at-sign-in = false\nreset-modes = [\"link\", \"permanent\"]",
        "reset-modes = [\"temporary\", \"link\"]",
    );
    let (_, text, _) = finding(&panel.document(), "what its people get");
    assert!(text.contains("password        temporary, link; not permanent (reset-modes)\n"), "{text}");
    assert!(text.contains("offered; the panel's sign-in must call the hook password/verify"), "{text}");
    granted("database", "database");
    panel.mapped("\nemail = \"email\"", "");
    not_offered(&panel, "no address is mapped", "accounts.customer.email");
}

/// A Laravel whose sign-in asks Keyturn.
fn asking() -> Panel {
    let (settings, php) = ("output = \"bcrypt\"\nbcrypt-cost = 10\n", ("2y", r#"{"cost": 10}"#));
    let panel = Panel::of(Kind { settings, php, ..LARAVEL });
    panel.granted("asked-at-sign-in = false\nreset-modes = [\"link\", \"permanent\"]\nreset-preset = \"link\"\n", "");
    panel
}

#[test]
fn check_is_not_content_with_hashes_that_sign_in_cannot_read() {
    let panel = asking();
    assert_eq!(panel.document()["wrong"], 0, "{:#}", panel.document());
    panel.mapped("accepts = [", "accepts = [\"$6$\", \"{SSHA}\", \"$2b$\", ");
    panel
        .database()
        .execute_batch(
            "INSERT INTO users (id, name, email, password, role) VALUES
                 (11, 'A', 'a@shop.example', '$6$rounds=5000$0123456789abcdef$digest', 'customer'),
                 (12, 'B', 'b@shop.example', '$6$fedcba9876543210$digest', 'customer'),
                 (13, 'C', 'c@shop.example', '$2y$10$cut.off', 'customer'),
                 (14, 'D', 'd@shop.example', '!', 'customer');",
        )
        .expect("people");
    let document = panel.document();
    for prefix in ["$6$", "{SSHA}"] {
        let (severity, text, fix) = finding(&document, &format!("accepts names {prefix}"));
        assert!(severity == "wrong" && text.contains("which password/verify can't verify"), "{text}");
        assert!(fix.contains("asked-at-sign-in = false"), "{fix}");
    }
    let (severity, text, _) = finding(&document, "2 people can't sign in");
    assert!(severity == "wrong" && text.contains("sha512-crypt ($6$)"), "{text}");
    let (severity, text, _) = finding(&document, "1 person can't sign in");
    assert!(severity == "wrong" && text.contains("bcrypt"), "{text}");
    assert_eq!(finding(&document, "1 are locked").0, "note");
    assert_eq!(document["wrong"], 4, "{document:#}");
    assert!(!document.to_string().contains("0123456789abcdef") && !document.to_string().contains("cut.off"));
    // Where the panel compares by itself, that is its own to know.
    panel.granted(
        "[settings]\n",
        "[settings]\nasked-at-sign-in = false\nreset-modes = [\"link\"]\nreset-preset = \"link\"\n",
    );
    assert_eq!(panel.document()["wrong"], 0, "{:#}", panel.document());
}

#[test]
fn check_names_settings_above_the_hosts_ceilings_with_which_no_password_can_be_set() {
    let panel = Panel::of(LARAVEL);
    panel.mapped("accepts = [", "accepts = [\"$argon2id$\", ");
    panel.granted("output = \"bcrypt\"\n", "output = \"argon2id\"\nargon2-lanes = 8\nargon2-memory-kib = 131072\n");
    assert_ne!(keyturn(&panel.config(), &["reset-password", "customer:1"], NEW).status.code(), Some(0));
    let (severity, text, fix) = finding(&panel.document(), "no password can be set: settings");
    assert_eq!(severity, "wrong");
    assert!(text.contains("settings.argon2-lanes is 8, and limits.kdf-lanes is 4"), "{text}");
    assert!(text.contains("settings.argon2-memory-kib is 131072, and limits.kdf-memory-kib is 65536"), "{text}");
    assert!(fix.contains("settings.argon2-lanes = 4") && fix.contains("limits.kdf-lanes = 8"), "{fix}");
    panel.granted("[settings]", "[limits]\nkdf-lanes = 8\nkdf-memory-kib = 131072\n[settings]");
    assert_eq!(panel.document()["wrong"], 0, "{:#}", panel.document());
    done(&keyturn(&panel.config(), &["reset-password", "customer:1"], NEW));
}

#[test]
fn check_says_that_nothing_is_stored_like_new_passwords_where_anything_is() {
    let panel = Panel::of(LARAVEL);
    assert!(!panel.check().contains("new passwords are stored as"), "{}", panel.check());
    panel.mapped("accepts = [", "accepts = [\"$argon2id$\", ");
    panel.granted("output = \"bcrypt\"", "output = \"argon2id\"");
    let document = panel.document();
    let (severity, text, _) = finding(&document, "customer: new passwords are stored as $argon2id$");
    assert!(severity == "note" && text.contains("none of the 2 stored hashes is"), "{text}");
    assert_eq!(document["wrong"], 0, "{document:#}");
    panel.database().execute_batch("UPDATE users SET password = ''").expect("emptied");
    assert!(!panel.check().contains("new passwords are stored as"), "an empty table shows nothing");
}

#[test]
fn check_measures_the_slowest_hash_and_calls_a_grid_below_it_wrong() {
    let panel = asking();
    let (severity, text, _) = finding(&panel.document(), "the slowest hash");
    assert!(severity == "note" && text.contains("$2y$10$") && text.contains("sign-in.even-ms is 0"), "{text}");
    panel.mapped("even-ms = 0", "even-ms = 1");
    let (severity, text, fix) = finding(&panel.document(), "the slowest hash");
    assert!(severity == "wrong" && text.contains("sign-in.even-ms is 1"), "{text}");
    let set: u64 = fix.trim_start_matches("sign-in.even-ms = ").parse().expect("a number");
    assert!((250..=10_000).contains(&set) && set.is_multiple_of(50), "{fix}");
    panel.mapped("even-ms = 1", "even-ms = 10000");
    assert_eq!(finding(&panel.document(), "the slowest hash").0, "good");
    // Two kinds tell their accounts apart where there is no grid; one that is accepted counts as one that is stored.
    panel.mapped("even-ms = 10000", "even-ms = 0");
    panel.mapped("prefix = \"$2y$\"", "prefix = \"$2y$\", max-cost = 11");
    let (severity, text, _) = finding(&panel.document(), "the slowest hash");
    assert!(severity == "wrong" && text.contains("$2y$11$"), "{text}");
}

#[test]
fn check_names_the_panels_pages_that_lead_nowhere_once_it_shows_views() {
    let panel = Panel::of(LARAVEL);
    assert!(!panel.check().contains("the panel's pages"));
    done(&keyturn(&panel.config(), &["keys", "add", "panel", "--accounts", "customer", "--may", "views"], ""));
    let said = panel.check();
    assert!(said.contains("the panel's pages are not set: overview, details, account, plugin"), "{said}");
    panel.mapped(
        "[database]",
        "[server.pages]\noverview = \"/u/{id}\"\ndetails = \"/u/{id}/edit\"\nplugin = \"/k\"\n[database]",
    );
    let (_, text, fix) = finding(&panel.document(), "the panel's pages");
    assert!(
        text.contains("account   after changing their own password, people land on the panel's start page"),
        "{text}"
    );
    assert!(!text.contains("overview") && fix.starts_with("server.pages.account "), "{text} {fix}");
    panel.mapped("plugin = \"/k\"", "plugin = \"/k\"\naccount = \"/me\"");
    assert!(panel.check().contains("good   the panel's pages are set: overview, details, account, plugin"));
}

#[test]
fn the_page_on_mappings_shows_the_mappings_that_are_tried_here() {
    let page = include_str!("../../docs/mapping.md");
    for kind in [FOSSBILLING, AZURACAST, LARAVEL] {
        assert!(page.contains(kind.mapping), "docs/mapping.md lacks\n{}", kind.mapping);
        assert!(kind.settings.lines().all(|line| page.contains(line)), "docs/mapping.md lacks\n{}", kind.settings);
    }
}
