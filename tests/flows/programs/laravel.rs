//! Laravel's migrator, hasher and user provider of Debian's packages, on MariaDB and PostgreSQL, with numbers and UUIDs for keys.

use keyturn_servers::{Database, mariadb, postgres};

use super::{NEW, OLD, Program, finding, laravel};
use crate::flows::beside::BCRYPT;

/// As on SQLite.
const MAPPING: &str = include_str!("../panels/laravel.toml");

fn takes_what_keyturn_sets(database: &Database<'_>, keys: &str) {
    let run = |arguments: &[&str]| laravel(database.server, database, arguments, keys);
    let validate = |email: &str, password: &str| run(&["validate", email, password]);
    run(&["migrate"]);
    for (email, role) in [
        ("ana@shop.example", "customer"),
        ("ben@shop.example", "customer"),
        ("gone@shop.example", "customer"),
        ("boss@shop.example", "staff"),
    ] {
        run(&["add", email, OLD, role]);
    }
    run(&["delete", "gone@shop.example"]);
    let id = |email: &str| database.sql(&format!("SELECT id FROM users WHERE email = '{email}'")).trim().to_owned();
    let (ana, ben) = (id("ana@shop.example"), id("ben@shop.example"));
    let sessions = format!("('a', '{ana}', '', 1), ('b', '{ana}', '', 1), ('c', '{ben}', '', 1), ('d', NULL, '', 1)");
    database.sql(&format!("INSERT INTO sessions (id, user_id, payload, last_activity) VALUES {sessions}"));

    let program = Program::mapped_as(database, MAPPING, "customer", BCRYPT);
    let document = program.checked();
    assert!(finding(&document, "table users has").1.contains("has 2 accounts\n"), "{document:#}");
    assert_eq!(finding(&document, "2 passwords are stored as $2y$, which is accepted").0, "good");
    let account = format!("customer:{ana}");
    program.accepts(&account, "Ana@SHOP.example ", OLD);
    program.rejects("ana@shop.example", NEW);
    let (gone, boss) =
        (format!("customer:{}", id("gone@shop.example")), format!("customer:{}", id("boss@shop.example")));
    program.hides(&["gone@shop.example", "boss@shop.example", &gone, &boss], NEW);

    assert_eq!(
        program.sets(&account, NEW),
        format!("The password of {account} ({account}) has been changed. 2 sessions were ended.\n")
    );
    assert_eq!(
        (validate("ana@shop.example", NEW), validate("ana@shop.example", OLD)),
        ("accepted".into(), "rejected".into())
    );
    let touched = "SELECT count(*) FROM users WHERE email = 'ana@shop.example' AND remember_token IS NULL";
    assert_eq!(database.sql(touched).trim(), "1");
    assert_eq!(database.sql("SELECT id FROM sessions ORDER BY id").split_whitespace().collect::<Vec<_>>(), ["c", "d"]);
    assert_eq!(validate("ben@shop.example", OLD), "accepted");

    run(&["set", "ana@shop.example", OLD]);
    program.accepts(&account, "ana@shop.example", OLD);
    program.rejects("ana@shop.example", NEW);
    // The clock of the panel's is not two hours off after Keyturn's: whoever sets it, it is UTC.
    let apart = match database.url.starts_with("mysql") {
        true => {
            "SELECT abs(timestampdiff(SECOND, updated_at, utc_timestamp())) < 600 FROM users WHERE email = 'ben@shop.example'"
        }
        false => {
            "SELECT abs(extract(epoch FROM now() AT TIME ZONE 'UTC' - updated_at)) < 600 FROM users WHERE email = 'ben@shop.example'"
        }
    };
    program.sets("ben@shop.example", NEW);
    assert!(matches!(database.sql(apart).trim(), "1" | "t"), "{}", database.sql("SELECT email, updated_at FROM users"));
}

#[test]
fn laravel_on_mariadb_takes_what_keyturn_sets() {
    takes_what_keyturn_sets(&mariadb().database(), "id");
}

#[test]
fn laravel_on_mariadb_with_uuids_takes_what_keyturn_sets() {
    takes_what_keyturn_sets(&mariadb().database(), "uuid");
}

#[test]
fn laravel_on_postgresql_takes_what_keyturn_sets() {
    takes_what_keyturn_sets(&postgres().database(), "id");
}

#[test]
fn laravel_on_postgresql_with_uuids_takes_what_keyturn_sets() {
    takes_what_keyturn_sets(&postgres().database(), "uuid");
}
