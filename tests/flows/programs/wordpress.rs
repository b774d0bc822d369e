//! WordPress of Debian's package on MariaDB: its own installer, its own `wp_authenticate`.

use std::process::Command;

use keyturn_servers::{Database, mariadb};

use super::{NEW, OLD, Program, file, finding, ran};
use crate::flows::beside::BCRYPT;

pub const MAPPING: &str = include_str!("wordpress.toml");
const BOSS: &str = "keeper of the rack keys";

struct WordPress<'a>(&'a Database<'a>);

impl WordPress<'_> {
    fn run(&self, arguments: &[&str]) -> String {
        let host = format!("127.0.0.1:{}", self.0.server.port);
        ran(Command::new("php").arg(file("wordpress.php")).args([&host, &self.0.name]).args(arguments))
    }

    fn signs_in(&self, login: &str, password: &str) -> String {
        self.run(&["sign-in", login, password])
    }
}

#[test]
fn wordpress_takes_what_keyturn_sets_and_its_own_hashes_are_named() {
    let database = mariadb().database();
    let wordpress = WordPress(&database);
    wordpress.run(&["install", BOSS]);
    wordpress.run(&["add", "ana", OLD, "subscriber"]);
    wordpress.run(&["add", "edit", OLD, "editor"]);
    assert_eq!(wordpress.signs_in("ana", OLD), "accepted");
    let program = Program::mapped_as(&database, MAPPING, "user", BCRYPT);
    let document = program.checked();
    assert!(finding(&document, "table wp_users has").1.contains("has 1 account\n"), "{document:#}");
    // phpass: WordPress goes on verifying it; Keyturn names it, and verifies nothing.
    assert_eq!(finding(&document, "1 password is stored as $P$").0, "note");
    program.rejects("ana", OLD);
    // A column that can't be NULL is named before the first password fails.
    program.mapped("as = \"empty\"", "as = \"null\"");
    let (severity, text, fix) = finding(&program.document(), "column user_activation_key can't be NULL");
    assert!(severity == "wrong" && fix.contains("as = \"empty\""), "{text} {fix}");
    assert!(program.refuses("user:2", NEW).contains("user_activation_key"));
    program.mapped("as = \"null\"", "as = \"empty\"");
    program.hides(&["boss", "edit", "user:1", "user:3", "boss@northwind.example"], NEW);

    // WordPress's own link to a new password is open, and its sessions are.
    let key = wordpress.run(&["ask", "ana"]);
    assert_eq!(wordpress.run(&["key", "ana", &key]), "accepted");
    assert_eq!(database.sql("SELECT count(*) FROM wp_usermeta WHERE meta_key = 'session_tokens'").trim(), "1");
    assert_eq!(program.sets("user:2", NEW), "The password of user:2 (user:2) has been changed. 1 session was ended.\n");
    assert_eq!(wordpress.run(&["key", "ana", &key]), "invalid_key");
    assert_eq!(
        (wordpress.signs_in("ana", NEW), wordpress.signs_in("ana", OLD)),
        ("accepted".to_owned(), "incorrect_password".to_owned())
    );
    assert_eq!(wordpress.signs_in("ana@northwind.example", NEW), "accepted");
    program.accepts("user:2", "ANA", NEW);
    program.accepts("user:2", "ana@Northwind.example", NEW);
    let written = database.sql("SELECT user_pass FROM wp_users WHERE ID = 2");
    assert!(written.starts_with("$2y$12$"), "{written}");
    assert_eq!(wordpress.signs_in("boss", BOSS), "accepted");

    // What WordPress sets from then on is phpass again, and Keyturn replaces it like any other.
    wordpress.run(&["set", "ana", OLD]);
    assert!(database.sql("SELECT user_pass FROM wp_users WHERE ID = 2").starts_with("$P$"));
    program.rejects("ana", NEW);
    program.sets("ana", NEW);
    assert_eq!(wordpress.signs_in("ana", NEW), "accepted");
}

#[test]
fn wordpress_changes_what_is_typed_into_its_form_so_some_passwords_do_not_sign_in_there() {
    let database = mariadb().database();
    let wordpress = WordPress(&database);
    wordpress.run(&["install", BOSS]);
    wordpress.run(&["add", "ana", OLD, "subscriber"]);
    let program = Program::mapped_as(&database, MAPPING, "user", BCRYPT);
    for (password, form, own) in [
        ("copper lantern oats", "accepted", "accepted"),
        // It takes spaces off both ends before it compares.
        (" copper lantern oats", "incorrect_password", "accepted"),
        // Its form's fields come with a backslash before each quote.
        ("the lantern's copper oats", "incorrect_password", "accepted"),
        ("copper \"lantern\" oats", "incorrect_password", "accepted"),
    ] {
        program.sets("user:2", password);
        assert_eq!(wordpress.run(&["form", "ana", password]), form, "{password}");
        assert_eq!(wordpress.run(&["compare", "ana", password]), own, "{password}");
    }
}
