//! What a check says of a mapping.

use keyturn_accounts::Severity;
use keyturn_core::accounts::Why;
use keyturn_store_tests::{Engine, every_engine};

use super::{REALMS, findings, id, panel, people};

every_engine!(
    check_names_what_is_missing_and_offers_what_is_near,
    check_counts_hashes_offers_an_index_and_says_who_ends_sessions,
    check_finds_logins_that_several_share_and_keys_that_name_nobody,
    check_takes_no_column_of_many_values_for_a_state,
    check_counts_the_addresses_that_nothing_can_be_sent_to,
    check_names_a_column_that_can_not_be_set_to_null,
);

fn check_names_what_is_missing_and_offers_what_is_near(engine: Engine) {
    let panel = panel(engine);
    let said = findings(&panel, "p = { table = 'user', id = 'id', login = 'login', hash = 'password' }");
    assert_eq!(
        said,
        [(Severity::Wrong, "accounts.p: table: there is no table user".to_owned(), "did you mean users?".to_owned())]
    );
    let said =
        findings(&panel, "p = { table = 'users', id = 'id', login = 'username', email = 'e_mail', hash = 'pasword' }");
    let find =
        |part: &str| said.iter().find(|(_, text, _)| text.contains(part)).unwrap_or_else(|| panic!("{part}: {said:?}"));
    assert_eq!(find("hash: table users has no column pasword").2, "did you mean password?");
    assert!(find("email: table users has no column e_mail").2.contains("email"));
    assert!(said.iter().all(|(severity, _, _)| *severity == Severity::Wrong));
}

fn check_counts_hashes_offers_an_index_and_says_who_ends_sessions(engine: Engine) {
    let panel = panel(engine);
    let said = findings(&panel, REALMS);
    let find =
        |part: &str| said.iter().find(|(_, text, _)| text.contains(part)).unwrap_or_else(|| panic!("{part}: {said:?}"));
    assert_eq!(find("customer: table users has 4 accounts, 2 without a password").0, Severity::Good);
    assert_eq!(find("customer: hash: 1 password is stored as $2y$").0, Severity::Good);
    assert_eq!(find("customer: hash: 1 password is stored as $1$").0, Severity::Note);
    assert_eq!(find("staff: accepts").0, Severity::Wrong);
    assert_eq!(find("customer: sessions: each new password ends those in sessions").0, Severity::Good);
    assert!(find("staff: sessions and epoch are not mapped").1.contains("the panel must end sessions itself"));
    let (_, _, fix) = find("customer: login: no index");
    panel.run(fix);
    let (_, _, fix) = find("customer: email: no index");
    panel.run(fix);
    let said = findings(&panel, REALMS);
    assert!(said.iter().any(|(_, text, _)| text == "accounts.customer: login: found by an index"), "{said:?}");
    assert!(said.iter().any(|(_, text, _)| text == "accounts.customer: email: found by an index"), "{said:?}");
    assert!(!format!("{said:?}").contains("aaa"), "no hash is shown");
}

fn check_finds_logins_that_several_share_and_keys_that_name_nobody(engine: Engine) {
    let panel = panel(engine);
    panel.run("UPDATE users SET login = 'ANA' WHERE id = 2");
    panel.create("CREATE TABLE blobs (id BYTES PRIMARY KEY, login NAME, password TEXT)");
    panel.run(&format!("INSERT INTO blobs VALUES ({}, 'a', 'h')", engine.bytes(&[1, 2])));
    let said = findings(&panel, REALMS);
    assert!(
        said.iter().any(|(how, text, _)| *how == Severity::Wrong && text.contains("1 logins in column login")),
        "{said:?}"
    );
    let said = findings(&panel, "p = { table = 'blobs', id = 'id', login = 'login', hash = 'password' }");
    assert!(
        said.iter().any(|(how, text, _)| *how == Severity::Wrong && text.contains("keys that can't name an account")),
        "{said:?}"
    );
}

fn check_takes_no_column_of_many_values_for_a_state(engine: Engine) {
    let panel = panel(engine);
    panel.run(&format!(
        "INSERT INTO users (id, kind, login) SELECT i + 99, 'customer', concat('login', i + 99) FROM {}",
        engine.counted(101),
    ));
    let said = findings(&panel, &REALMS.replace("column = \"status\"", "column = \"login\""));
    assert!(
        said.iter().any(|(how, text, _)| *how == Severity::Wrong && text.contains("more than 100 different values"))
    );
    assert!(!format!("{said:?}").contains("login150"), "no value of anybody's is shown");
}

fn check_counts_the_addresses_that_nothing_can_be_sent_to(engine: Engine) {
    let panel = panel(engine);
    panel.create("CREATE TABLE people (id NUMBER, login NAME, email NAME, password TEXT)");
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
        // From 1: a number of MariaDB's that numbers itself takes 0 for none.
        let at = at + 1;
        panel.run(&format!("INSERT INTO people (id, email) VALUES ({at}, {})", engine.text(email)));
        if keyturn_mail::address::check(email).is_err() && !keyturn_mail::address::is_blank(email) {
            bad.push(at);
        }
    }
    assert_eq!(bad, (14..27).collect::<Vec<_>>());
    let realm = "p = { table = 'people', id = 'id', login = 'login', email = 'email', hash = 'password' }";
    let said = findings(&panel, realm);
    let (severity, text, _) =
        said.iter().find(|(_, text, _)| text.contains("can't be used")).unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!(*severity, Severity::Note);
    assert!(text.starts_with("accounts.p: email: 13 addresses can't be used"), "{text}");
    assert!(text.contains("\n3: it has more than one address (p:15, p:16, p:24)"), "{text}");
    assert!(text.contains("\n6: no such domain can exist (p:18, p:19, p:20, p:21, p:22, …)"), "{text}");
    assert!(!text.contains('@') || text.contains("no @"), "{text}");
    let people = people(&panel, realm);
    assert_eq!(people.store.read(|db| people.sql.unusable_addresses(db, "p")), Ok(13));
    panel.run("DELETE FROM people WHERE id >= 14");
    assert!(!findings(&panel, realm).iter().any(|(_, text, _)| text.contains("can't be used")));
}

fn check_names_a_column_that_can_not_be_set_to_null(engine: Engine) {
    let panel = panel(engine);
    panel.create(
        "CREATE TABLE people (id NUMBER, login NAME, password TEXT, token VARCHAR(20) NOT NULL, other VARCHAR(20))",
    );
    panel.run("INSERT INTO people VALUES (1, 'ana', 'h', 't', 'o')");
    let realm = |how: &str| {
        format!(
            "p = {{ table = 'people', id = 'id', login = 'login', hash = 'password',
                    touch = [{{ column = 'token', as = '{how}' }}, {{ column = 'other', as = 'null' }}] }}"
        )
    };
    let named =
        |said: &[(Severity, String, String)]| said.iter().find(|(_, text, _)| text.contains("can't be NULL")).cloned();
    let (severity, text, fix) = named(&findings(&panel, &realm("null"))).expect("named");
    assert_eq!(
        (severity, text.as_str()),
        (Severity::Wrong, "accounts.p: touch: column token can't be NULL, so no password can be set")
    );
    assert!(fix.contains("as = \"empty\""), "{fix}");
    assert!(people(&panel, &realm("null")).replace(&id("p:1"), "new", Why::Password, 0).is_err());
    assert_eq!(named(&findings(&panel, &realm("empty"))), None);
    people(&panel, &realm("empty")).replace(&id("p:1"), "new", Why::Password, 0).expect("replaced");
    assert_eq!(panel.column("SELECT concat(password, token, coalesce(other, '-')) FROM people"), ["new-"]);
}
