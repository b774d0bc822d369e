//! `keyturn database copy`, also killed in its midst.

use std::process::Stdio;

use keyturn_servers::{Database, mariadb, postgres};

use super::server::{PASSWORD, Panel};
use super::servers::{comes, panel, with_people};

/// A panel on SQLite with so much that a copy takes a while.
fn full() -> Panel {
    let panel = Panel::new();
    panel.done(&["audit", "list"]);
    panel
        .database()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
             INSERT INTO keyturnhost_audit (at, plugin, operation, actor, outcome, request)
             SELECT 1790000000000, 'p', 'set-password', 'console', 'done', 'r' || i FROM n",
        )
        .expect("rows");
    panel
}

fn said(panel: &Panel, arguments: &[&str]) -> String {
    let output = panel.run(arguments);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn killed_and_run_again(database: &Database<'_>) {
    with_people(database);
    let (old, new) = (full(), panel(database));
    let config = new.config.to_str().expect("text").to_owned();
    let copy = ["database", "copy", "--to", &config];
    let mut killed = old.command(&copy).stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("started");
    comes("the first rows", || {
        let count = database.server.try_sql(Some(&database.name), "SELECT count(*) FROM keyturnhost_audit");
        (count.is_ok_and(|count| count.trim() != "0")).then_some(())
    });
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    assert!(said(&new, &["audit", "list"]).contains("is not complete"), "no host uses what is there");
    assert!(old.done(&["audit", "list", "--limit", "1"]).contains("set-password"), "the old one goes on");
    let done = old.done(&copy);
    assert!(done.contains("were copied") && done.contains("is retired"), "{done}");
    for command in [&["audit", "list"][..], &["serve", "--listen", "127.0.0.1:0"], &["check"]] {
        let output = old.run(command);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && said.contains("this database is retired"), "{said}");
        assert!(said.contains(&database.name), "it says where: {said}");
    }
    assert_eq!(database.sql("SELECT count(*) FROM keyturnhost_audit WHERE operation = 'set-password'").trim(), "60000");
    let token = new.key("billing", "password/set-password,without-step-up", &[]);
    let server = new.serve();
    let set = serde_json::json!({"account": "customer:1", "new": PASSWORD, "must_change": false});
    server.call(&token, "password/set-password", &set).done();
}

#[test]
fn a_copy_to_postgresql_that_was_killed_is_run_again() {
    killed_and_run_again(&postgres().database());
}

#[test]
fn a_copy_to_mariadb_that_was_killed_is_run_again() {
    killed_and_run_again(&mariadb().database());
}

/// On one server, from beside the panel's tables into a schema or database of their own.
fn moved_apart(database: &Database<'_>, own: &str) {
    with_people(database);
    let (beside, apart) = (panel(database), panel(database));
    apart.edit("[database]", &format!("[database]\nschema = \"{own}\""));
    let token = beside.key("billing", "password/set-password,without-step-up", &[]);
    let done = beside.done(&["database", "copy", "--to", apart.config.to_str().expect("text")]);
    assert!(done.contains("is retired"), "{done}");
    assert!(said(&beside, &["audit", "list"]).contains(&format!("schema {own}, and this database is retired")));
    let set = serde_json::json!({"account": "customer:1", "new": PASSWORD, "must_change": false});
    apart.serve().call(&token, "password/set-password", &set).done();
}

#[test]
fn tables_are_moved_into_a_place_of_their_own_on_the_same_server() {
    moved_apart(&postgres().database(), "moved");
    moved_apart(&mariadb().database(), "moved");
}

#[test]
fn nothing_is_copied_under_a_host_or_with_another_key_file() {
    let (old, new) = (Panel::new(), Panel::new());
    let config = new.config.to_str().expect("text").to_owned();
    let copy = ["database", "copy", "--to", &config];
    let old = old.serve();
    let refused = said(&old.panel, &copy);
    assert!(refused.contains("another server runs"), "{refused}");
    old.signal("TERM");
    let (_, old) = old.ends();
    std::fs::write(new.folder.path().join("keyturn.key"), "08".repeat(32)).expect("written");
    let refused = said(&old, &copy);
    assert!(refused.contains("key-file is not the key file of"), "{refused}");
    let own = old.config.to_str().expect("text").to_owned();
    assert!(said(&old, &["database", "copy", "--to", &own]).contains("names the database that is copied"));
}
