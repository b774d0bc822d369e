//! Django on PostgreSQL and MariaDB: its own migrations, `createsuperuser` and `authenticate`. What it stores has a word of its own before
//! the hash, which Keyturn neither reads nor writes yet: so nobody is locked out, because nothing is written.

use std::process::Command;

use keyturn_servers::{Database, mariadb, postgres};

use super::{NEW, OLD, Program, file, finding, ran};
use crate::flows::beside::BCRYPT;
use crate::flows::python;

const BOSS: &str = "keeper of the rack keys";

/// What a project of Django's own users says; its staff is in the same table.
const DJANGOS: &str = r#"
[accounts.user]
table = "auth_user"
id = "id"
login = "username"
email = "email"
name = ["first_name", "last_name"]
hash = "password"
only = { column = "is_staff", is = [false] }
state = { column = "is_active", active = [true] }
accepts = ["$2y$"]
"#;

struct Django<'a> {
    database: &'a Database<'a>,
    /// `django`: its own users. `own`: the project's, with UUIDs for keys, who sign in by an address without case.
    users: &'static str,
}

impl Django<'_> {
    /// With this hasher as the first.
    fn run(&self, hasher: &str, arguments: &[&str]) -> String {
        let engine = if self.database.url.starts_with("mysql") { "mysql" } else { "postgresql" };
        let mut manage = Command::new(python("django"));
        manage.arg(file("django/manage.py")).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
        manage.envs([("ENGINE", engine), ("NAME", &self.database.name), ("USERS", self.users), ("HASHER", hasher)]);
        manage.env("PORT", self.database.server.port.to_string()).env("DJANGO_SUPERUSER_PASSWORD", BOSS);
        ran(&mut manage)
    }

    fn made(&self) {
        self.run("pbkdf2", &["migrate", "-v0"]);
        self.run("pbkdf2", &["createsuperuser", "--noinput", "--username", "boss", "--email", "boss@shop.example"]);
        self.run("pbkdf2", &["add", "ana", "Ana@shop.example", OLD]);
        self.run("argon2", &["add", "ben", "ben@shop.example", OLD]);
        self.run("bcrypt", &["add", "eve", "eve@shop.example", OLD]);
    }

    fn signs_in(&self, login: &str, password: &str) -> String {
        self.run("pbkdf2", &["sign-in", login, password])
    }
}

fn its_hashes_are_named_and_none_is_replaced_by_one_that_it_refuses(database: &Database<'_>) {
    let django = Django { database, users: "django" };
    django.made();
    let program = Program::mapped_as(database, DJANGOS, "user", BCRYPT);
    let document = program.checked();
    assert!(finding(&document, "table auth_user has").1.contains("has 3 accounts\n"), "{document:#}");
    assert!(finding(&document, "state: ").1.ends_with("3 active, 0 suspended"));
    for scheme in ["pbkdf2_sha256$", "argon2$", "bcrypt$"] {
        let (severity, text, _) = finding(&document, &format!("1 password is stored as {scheme}"));
        assert!(severity == "note" && text.contains("accepts doesn't list it"), "{text}");
    }
    assert_eq!(finding(&document, "new passwords are stored as $2y$, and none of the 3 stored hashes is").0, "note");
    program.hides(&["boss", "boss@shop.example"], NEW);
    for login in ["ana", "ben", "eve"] {
        program.rejects(login, OLD);
        assert_eq!(django.signs_in(login, OLD), "accepted");
    }
    // Named as Django writes them, no hash of Keyturn's passes, and the old password stays.
    program.mapped("accepts = [\"$2y$\"]", "accepts = [\"argon2$argon2id$\", \"bcrypt$\"]");
    for output in ["$2y$", "$argon2id$"] {
        let (severity, text, _) = finding(&program.document(), "no password can be set: ");
        assert!(
            severity == "wrong" && text.contains(&format!("accounts.user.accepts doesn't list {output}")),
            "{text}"
        );
        let refused = program.refuses("ana", NEW);
        assert!(refused.contains("`keyturn check` says why"), "{refused}");
        assert_eq!((django.signs_in("ana", OLD), django.signs_in("ana", NEW)), ("accepted".into(), "rejected".into()));
        if output == "$2y$" {
            program.granted("output = \"bcrypt\"\n", "output = \"argon2id\"\n");
        }
    }
    // Without that word Django takes no hash: what would happen if `accepts` said otherwise than the truth.
    program.mapped("accepts = [\"argon2$argon2id$\", \"bcrypt$\"]", "accepts = [\"$argon2id$\"]");
    program.sets("ana", NEW);
    assert_eq!((django.signs_in("ana", OLD), django.signs_in("ana", NEW)), ("rejected".into(), "rejected".into()));
    program.accepts(
        &format!("user:{}", database.sql("SELECT id FROM auth_user WHERE username = 'ana'").trim()),
        "ana",
        NEW,
    );
    // With it, it takes the same hash.
    database.sql("UPDATE auth_user SET password = concat('argon2', password) WHERE username = 'ana'");
    assert_eq!(django.signs_in("ana", NEW), "accepted");
    // A trigger that adds it is seen, and nothing is called done.
    match database.url.starts_with("mysql") {
        true => drop(database.sql(
            "CREATE TRIGGER of_django BEFORE UPDATE ON auth_user FOR EACH ROW SET NEW.password = concat('argon2', NEW.password)",
        )),
        false => {
            database.sql(
                "CREATE FUNCTION of_django() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN NEW.password = 'argon2' || NEW.password; RETURN NEW; END $$",
            );
            database.sql("CREATE TRIGGER of_django BEFORE UPDATE ON auth_user FOR EACH ROW EXECUTE FUNCTION of_django()");
        }
    }
    let refused = program.refuses("ben", NEW);
    assert!(refused.contains("trigger"), "{refused}");
    assert_eq!(django.signs_in("ben", OLD), "accepted");
}

#[test]
fn djangos_hashes_are_named_on_postgresql() {
    its_hashes_are_named_and_none_is_replaced_by_one_that_it_refuses(&postgres().database());
}

#[test]
fn djangos_hashes_are_named_on_mariadb() {
    its_hashes_are_named_and_none_is_replaced_by_one_that_it_refuses(&mariadb().database());
}

/// The project's own users: found by an address in whatever case, by their UUIDs, and not when they are deleted.
fn its_own_users_are_found(database: &Database<'_>) {
    let django = Django { database, users: "own" };
    django.made();
    let mapping = DJANGOS.replace("auth_user", "people_user").replace("login = \"username\"", "login = \"email\"");
    let program = Program::mapped_as(database, &mapping, "user", BCRYPT);
    let (_, _, fix) = finding(&program.checked(), "column deleted_at is not mapped");
    program.mapped("hash = \"password\"", &format!("hash = \"password\"\n{fix}"));
    let id =
        |name: &str| database.sql(&format!("SELECT id FROM people_user WHERE username = '{name}'")).trim().to_owned();
    let (ana, ben, boss) = (id("ana"), id("ben"), id("boss"));
    assert_eq!(django.signs_in("ana@shop.example", OLD), "accepted", "whatever its case");
    program.sets("ANA@shop.EXAMPLE", NEW);
    let account = format!("user:{ana}");
    program.accepts(&account, "ana@shop.example", NEW);
    program.accepts(&account, " ana@Shop.example", NEW);
    database.sql("UPDATE people_user SET deleted_at = '2026-01-01 00:00:00' WHERE username = 'ben'");
    program.hides(&["ben@shop.example", &format!("user:{ben}"), &format!("user:{boss}")], NEW);
    database.sql("UPDATE people_user SET is_active = false WHERE username = 'ana'");
    assert_eq!(program.verify("ana@shop.example", NEW)["kind"], "suspended");
    // A name that is stored as nobody types it.
    database.sql("UPDATE people_user SET email = ' Eve@Müller.example' WHERE username = 'eve'");
    program.sets("eve@müller.example", NEW);
    assert!(
        finding(&program.document(), "column email has odd spellings").1.contains("1 with white space around them")
    );
}

#[test]
fn djangos_own_users_are_found_on_postgresql() {
    its_own_users_are_found(&postgres().database());
}

#[test]
fn djangos_own_users_are_found_on_mariadb() {
    its_own_users_are_found(&mariadb().database());
}
