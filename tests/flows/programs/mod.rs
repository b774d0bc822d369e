//! The tables of real programs on their own engines, under Keyturn. Programs that public packages have make their tables and judge
//! passwords with their own code; the others' tables are written from their published structure, as the head of each file says.
//! `docs/mapping.md` shows the mappings that stand here.

mod django;
mod laravel;
mod panels;
mod wordpress;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyturn_servers::{Database, Server};
use serde_json::Value;

use super::beside::{Beside, NEW, OLD, finding};
use super::{done, err, keyturn};

/// A program's database, and Keyturn beside it.
struct Program<'a> {
    beside: Beside,
    database: &'a Database<'a>,
}

impl Deref for Program<'_> {
    type Target = Beside;

    fn deref(&self) -> &Beside {
        &self.beside
    }
}

impl<'a> Program<'a> {
    fn mapped_as(database: &'a Database<'a>, mapping: &str, realm: &str, settings: &str) -> Self {
        let beside = Beside::lay(&format!("url = \"{}\"", database.url), mapping, &[realm], settings);
        Self { beside, database }
    }

    /// What `check` finds. Nothing is wrong but the haste of the tests' server, and the indexes that it proposes serve.
    #[track_caller]
    fn checked(&self) -> Value {
        let before = self.document();
        let findings = || before["findings"].as_array().into_iter().flatten();
        let says = |one: &Value, what: &str| one["text"].as_str().is_some_and(|text| text.contains(what));
        let wrong: Vec<_> =
            findings().filter(|one| one["severity"] == "wrong" && !says(one, "database server: ")).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        for unserved in findings().filter(|one| says(one, "no index serves")) {
            self.database.sql(unserved["fix"].as_str().expect("SQL"));
        }
        let after = self.document();
        assert!(!after.to_string().contains("no index serves"), "{after:#}");
        finding(&after, "login: found by an index");
        before
    }

    /// A new password by Keyturn's command.
    #[track_caller]
    fn sets(&self, account: &str, password: &str) -> String {
        done(&keyturn(&self.config(), &["reset-password", account], password))
    }

    /// Why Keyturn's command sets none.
    #[track_caller]
    fn refuses(&self, account: &str, password: &str) -> String {
        let output = keyturn(&self.config(), &["reset-password", account], password);
        assert!(!output.status.success(), "{}", super::out(&output));
        err(&output)
    }

    #[track_caller]
    fn accepts(&self, account: &str, login: &str, password: &str) {
        let answer = self.verify(login, password);
        assert_eq!(
            (answer["kind"].as_str(), answer["value"]["account"].as_str()),
            (Some("accepted"), Some(account)),
            "{login}: {answer}"
        );
    }

    #[track_caller]
    fn rejects(&self, login: &str, password: &str) {
        assert_eq!(self.verify(login, password)["kind"], "rejected", "{login}");
    }

    /// These are nobody to Keyturn, by name and by key.
    #[track_caller]
    fn hides(&self, nobody: &[&str], password: &str) {
        for name in nobody {
            let output = keyturn(&self.config(), &["reset-password", name], password);
            assert_eq!(output.status.code(), Some(4), "{name}: {}{}", super::out(&output), err(&output));
        }
    }
}

/// A file that stands beside this one.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/flows/programs").join(name)
}

/// What a script prints.
#[track_caller]
fn ran(command: &mut Command) -> String {
    done(&command.output().expect("it runs; `cargo xtask test` installs what this test needs"))
}

/// Laravel's hasher and user provider on a panel's table.
fn laravel(server: &Server, database: &Database<'_>, arguments: &[&str], keys: &str) -> String {
    let engine = if database.url.starts_with("mysql") { "mysql" } else { "pgsql" };
    let mut php = Command::new("php");
    php.arg(file("laravel.php")).args([engine, &server.port.to_string(), &database.name]).args(arguments);
    ran(php.env("KEYS", keys))
}

#[test]
fn the_page_on_mappings_shows_the_mappings_that_are_tried_here() {
    let page = include_str!("../../../docs/mapping.md");
    for mapping in [wordpress::MAPPING, panels::PTERODACTYL, panels::PELICAN] {
        assert!(page.contains(mapping), "docs/mapping.md lacks\n{mapping}");
    }
}
