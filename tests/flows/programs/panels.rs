//! Panels that are in no registry, on tables written from their published structure: FOSSBilling and Pterodactyl on MariaDB, Pelican on
//! PostgreSQL. PHP's `password_verify` stands for FOSSBilling's code, Laravel's hasher for that of the others.

use keyturn_servers::{Database, mariadb, postgres};

use super::{NEW, OLD, Program, finding, laravel};
use crate::flows::beside::{BCRYPT, php};

pub const PTERODACTYL: &str = include_str!("pterodactyl.toml");
pub const PELICAN: &str = include_str!("pelican.toml");
/// As on SQLite.
const FOSSBILLING: &str = include_str!("../panels/fossbilling.toml");

fn made(database: &Database<'_>, tables: &str) {
    database.sql(&tables.replace("@HASH", &php(&["hash", "2y", OLD, r#"{"cost": 12}"#])));
}

#[test]
fn fossbilling_on_mariadb_takes_what_keyturn_sets() {
    let database = mariadb().database();
    made(&database, include_str!("fossbilling.sql"));
    let program = Program::mapped_as(&database, FOSSBILLING, "client", BCRYPT);
    let document = program.checked();
    assert!(finding(&document, "table client has").1.contains("has 3 accounts, 1 without a password\n"));
    assert!(finding(&document, "state: ").1.ends_with("2 active, 1 suspended"));
    // An account's name is of two columns, in the server's three bytes a character.
    let refused = program.refuses("client:1", "ana núñez ana núñez");
    assert!(refused.contains("contains"), "{refused}");
    program.accepts("client:1", "ana@panaderia.EXAMPLE", OLD);
    program.hides(&["gone@closed.example", "boss@northwind.example", "client:3", "client:7"], NEW);
    assert_eq!(program.verify("ben@closed.example", OLD)["kind"], "suspended");
    program.sets("client:1", NEW);
    let verified = |password: &str| {
        php(&["verify", password, database.sql("SELECT pass FROM client WHERE id = 1").trim(), "2y", r#"{"cost": 12}"#])
    };
    assert_eq!((verified(NEW).as_str(), verified(OLD).as_str()), ("accepted", "refused"));
    assert_eq!(database.sql("SELECT count(*) FROM client WHERE updated_at > '2024-01-01'").trim(), "1");
    // What check proposes where sessions name nobody.
    let (_, _, fix) = finding(&document, "sessions and epoch are not mapped");
    database.sql(fix.lines().map(str::trim).find(|line| line.starts_with("ALTER TABLE")).expect("SQL"));
    program.mapped("hash = \"pass\"", "hash = \"pass\"\nepoch = \"password_epoch\"");
    program.sets("ana@panaderia.example", OLD);
    assert_eq!(database.sql("SELECT password_epoch FROM client WHERE id IN (1, 2) ORDER BY id").trim(), "1\n0");
}

/// A panel of Laravel's kind, where `boss` administers.
fn a_game_panel<'a>(database: &'a Database<'a>, mapping: &str) -> Program<'a> {
    let program = Program::mapped_as(database, mapping, "user", BCRYPT);
    let document = program.checked();
    assert!(finding(&document, "table users has").1.contains("has 2 accounts\n"), "{document:#}");
    assert!(finding(&document, "sessions: no index serves user_id").2.contains("sessions"));
    program.accepts("user:2", "ana@games.example", OLD);
    program.accepts("user:2", " ANA", OLD);
    program.hides(&["boss", "boss@games.example", "user:1"], NEW);
    assert_eq!(program.sets("ana", NEW), "The password of ana (user:2) has been changed. 1 session was ended.\n");
    let email = database.sql("SELECT email FROM users WHERE id = 2");
    let validate = |password: &str| laravel(database.server, database, &["validate-row", email.trim(), password], "id");
    assert_eq!((validate(NEW).as_str(), validate(OLD).as_str()), ("accepted", "rejected"));
    program.accepts("user:2", "ana", NEW);
    assert_eq!(database.sql("SELECT id FROM sessions ORDER BY id").split_whitespace().collect::<Vec<_>>(), ["b", "c"]);
    let touched = "SELECT id FROM users WHERE updated_at IS NOT NULL AND remember_token IS NULL";
    assert_eq!(database.sql(touched).trim(), "2");
    program
}

#[test]
fn pterodactyl_on_mariadb_takes_what_keyturn_sets() {
    let database = mariadb().database();
    made(&database, include_str!("pterodactyl.sql"));
    let program = a_game_panel(&database, PTERODACTYL);
    // The largest key of an unsigned column, which no session's signed one could hold.
    program.sets("user:4294967295", NEW);
    program.accepts("user:4294967295", "ben", NEW);
}

#[test]
fn pelican_on_postgresql_takes_what_keyturn_sets() {
    let database = postgres().database();
    made(&database, include_str!("pelican.sql"));
    let program = a_game_panel(&database, PELICAN);
    // Somebody is given the role, and is out of sight from then on.
    program.accepts("user:3", "ben", OLD);
    database.sql("INSERT INTO model_has_roles VALUES (1, 'user', 3)");
    program.rejects("ben", OLD);
}

/// A panel that stored MD5 until its code learned better, and kept the column.
fn a_column_that_is_too_narrow_is_named(database: &Database<'_>) {
    database.sql("CREATE TABLE people (id INTEGER PRIMARY KEY, login VARCHAR(60) NOT NULL, pass VARCHAR(40))");
    database.sql("INSERT INTO people VALUES (1, 'ana', 'c3a2ae5a4a0b9b5b9e6d5a8a1f6d2e11')");
    let mapping =
        "[accounts.user]\ntable = \"people\"\nid = \"id\"\nlogin = \"login\"\nhash = \"pass\"\naccepts = [\"$2y$\"]\n";
    let program = Program::mapped_as(database, mapping, "user", BCRYPT);
    let (severity, text, fix) = finding(&program.document(), "no password can be set: ");
    assert!(severity == "wrong" && text.ends_with("column pass holds 40 characters, and such a hash has 60"), "{text}");
    assert_eq!(fix, "widen accounts.user.hash, to 255 characters");
    program.refuses("ana", NEW);
    assert_eq!(database.sql("SELECT pass FROM people").trim().len(), 32);
    match database.url.starts_with("mysql") {
        true => database.sql("ALTER TABLE people MODIFY pass VARCHAR(255)"),
        false => database.sql("ALTER TABLE people ALTER pass TYPE VARCHAR(255)"),
    };
    program.checked();
    program.sets("ana", NEW);
}

#[test]
fn a_column_that_is_too_narrow_is_named_on_mariadb() {
    a_column_that_is_too_narrow_is_named(&mariadb().database());
}

#[test]
fn a_column_that_is_too_narrow_is_named_on_postgresql() {
    a_column_that_is_too_narrow_is_named(&postgres().database());
}
