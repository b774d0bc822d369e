//! Two users of a server: one owns Keyturn's tables, the other runs hosts with the least rights.

use keyturn_servers::{Database, mariadb, postgres};

use super::server::Panel;
use super::servers::{every_way_of, panel, with_people};

fn said(panel: &Panel, arguments: &[&str]) -> String {
    let output = panel.run(arguments);
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

struct Users {
    owner: String,
    service: String,
}

/// `make` makes a user of a name, with no password.
fn users(database: &Database<'_>, make: impl Fn(&str) -> String) -> Users {
    let named = |who: &str| format!("{who}_{}", database.name);
    let users = Users { owner: named("owner"), service: named("service") };
    for user in [&users.owner, &users.service] {
        database.sql(&make(user));
    }
    users
}

/// What is granted suffices for everything, and what is not granted is missed by `check`.
fn least_rights(database: &Database<'_>, own: Option<&str>, users: &Users, revoke: &str, grant: &[(&str, &str)]) {
    with_people(database);
    database.sql("CREATE TABLE invoices (id INTEGER PRIMARY KEY, total INTEGER)");
    let panel = panel(database);
    let url = database.url.replace("://keyturn@", &format!("://{}@", users.service));
    panel.edit(&database.url, &url);
    if let Some(own) = own {
        panel.edit("[database]", &format!("[database]\nschema = \"{own}\""));
    }
    let grants = |who: &str| panel.done(&["database", "grants", who, "--owner", &users.owner]);
    database.sql(&grants("owner"));
    // The service may read nothing yet; then it may, and there are no tables.
    let migrate = ["database", "migrate", "--user", &users.owner];
    let made = panel.done(&migrate);
    assert!(made.contains("up to date"), "{made}");
    assert_eq!(panel.done(&migrate), made, "once more changes nothing");
    database.sql(&grants("service"));
    let checked = said(&panel, &["check"]);
    assert!(checked.contains("has the rights that Keyturn needs, and no others"), "{checked}");
    database.sql(revoke);
    let missed = said(&panel, &["check"]);
    assert!(missed.contains("lacks the right SELECT (email) ON"), "{missed}");
    let fix = missed.lines().find_map(|line| line.trim_start().strip_prefix("fix:  GRANT ")).expect("a statement");
    database.sql(&format!("GRANT {fix}"));
    assert!(!said(&panel, &["check"]).contains("lacks the right"));
    for (sql, told) in grant {
        database.sql(sql);
        let wide = said(&panel, &["check"]);
        assert!(wide.contains("rights that Keyturn doesn't need") && wide.contains(told), "{told}: {wide}");
    }
    every_way_of(panel, database);
}

/// A host without the right to make tables says who makes them, whether there are none or older ones.
fn refuses_old_tables(database: &Database<'_>, own: Option<&str>, users: &Users, table: &str) {
    with_people(database);
    let panel = panel(database);
    let url = database.url.replace("://keyturn@", &format!("://{}@", users.service));
    if let Some(own) = own {
        panel.edit("[database]", &format!("[database]\nschema = \"{own}\""));
    }
    panel.done(&["audit", "list"]);
    panel.edit(&database.url, &url);
    database.sql(&panel.done(&["database", "grants", "service", "--owner", &users.owner]));
    panel.done(&["audit", "list"]);
    database.sql(&format!(
        "DELETE FROM {table} WHERE version = (SELECT version FROM (SELECT max(version) AS version FROM {table}) AS t)"
    ));
    let refused = said(&panel, &["audit", "list"]);
    assert!(refused.contains("keyturn database migrate --user OWNER"), "{refused}");
}

#[test]
fn the_least_rights_suffice_on_postgresql() {
    for own in [Some("own tables"), None] {
        let database = postgres().database();
        let users = users(&database, |user| format!("CREATE ROLE {user} LOGIN"));
        let service = &users.service;
        let revoke = format!("REVOKE SELECT (email) ON people FROM {service}");
        let wide = format!("GRANT UPDATE, DELETE ON invoices TO {service}");
        let column = format!("GRANT UPDATE (email) ON people TO {service}");
        let role = format!("ALTER ROLE {service} BYPASSRLS CREATEROLE");
        let grant = [
            (wide.as_str(), "UPDATE, DELETE on invoices"),
            (&column, "UPDATE of email in people"),
            (&role, "BYPASSRLS"),
        ];
        least_rights(&database, own, &users, &revoke, &grant);
    }
    let database = postgres().database();
    let users = users(&database, |user| format!("CREATE ROLE {user} LOGIN"));
    refuses_old_tables(&database, Some("own"), &users, "own.keyturnhost_migrations");
    let service = &users.service;
    database.sql(&format!("ALTER ROLE {service} SUPERUSER"));
}

#[test]
fn the_least_rights_suffice_on_mariadb() {
    let make = |user: &str| format!("CREATE USER {user}@'%'");
    for own in [Some("own"), None] {
        let database = mariadb().database();
        let users = users(&database, make);
        let own = own.map(|own| format!("{own}_{}", database.name));
        let service = format!("{}@'%'", users.service);
        let name = &database.name;
        let revoke = format!("REVOKE SELECT (email) ON {name}.people FROM {service}");
        let wide = format!("GRANT UPDATE, DELETE ON {name}.invoices TO {service}");
        let column = format!("GRANT UPDATE (email) ON {name}.people TO {service}");
        let all = format!("GRANT DROP ON {name}.* TO {service}");
        let role = format!("GRANT SUPER, READ ONLY ADMIN ON *.* TO {service}");
        let on_all = format!("DROP on all tables of {name}");
        let grant = [
            (wide.as_str(), "UPDATE, DELETE on invoices"),
            (&column, "UPDATE of"),
            (&all, &on_all),
            (&role, "it goes on writing to a server that was made read-only"),
        ];
        least_rights(&database, own.as_deref(), &users, &revoke, &grant);
    }
    let database = mariadb().database();
    let users = users(&database, make);
    let own = format!("own_{}", database.name);
    refuses_old_tables(&database, Some(&own), &users, &format!("{own}.keyturnhost_migrations"));
}

#[test]
fn a_file_has_no_users() {
    let refused = said(&Panel::new(), &["database", "grants"]);
    assert!(refused.contains("names a file, which has no users"), "{refused}");
}
