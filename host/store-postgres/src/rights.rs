//! Rights on PostgreSQL.

use std::collections::BTreeSet;

use keyturn_store::StorageError;
use keyturn_store::database::{Connection, ValueRef};
use keyturn_store::dialect::quoted;
use keyturn_store::rights::{Grants, Guarded, Needs, Rights, Roles, Use, list, of_own, of_panel, on_own};
use keyturn_store::tables::own;

use super::dialect::Postgres;

impl Guarded for Postgres {
    fn grants(&self, needs: &Needs, roles: &Roles) -> Grants {
        let [database, owner, service] = [&roles.database, &roles.owner, &roles.service].map(|name| quoted(name));
        let schema = quoted(needs.own.as_deref().unwrap_or("public"));
        let mut before = vec![format!("GRANT CONNECT ON DATABASE {database} TO {owner}, {service}")];
        if needs.own.is_some() {
            before.push(format!("CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}"));
        }
        before.push(format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner}"));
        let mut after = vec![format!("GRANT USAGE ON SCHEMA {schema} TO {service}")];
        let own = of_own(|table| format!("{schema}.{}", quoted(table)));
        let all = own.into_iter().chain(of_panel(needs, quoted));
        after.extend(all.map(|right| format!("GRANT {right} TO {service}")));
        Grants { owner: before, service: after }
    }

    fn rights(&self, db: &dyn Connection, needs: &Needs) -> Result<Rights, StorageError> {
        let user = db.one("SELECT current_user", &[], |row| row.get::<String>(0))?.unwrap_or_default();
        let mut rights = Rights { user: quoted(&user), ..Rights::default() };
        rights.wide = attributes(db)?;
        if rights.wide.iter().any(|one| one.starts_with("SUPERUSER")) {
            return Ok(rights);
        }
        for used in &needs.uses {
            of_columns(db, used, &mut rights)?;
        }
        if needs.made {
            of_tables(db, needs.own.as_deref(), &mut rights)?;
        }
        rights.wide.extend(beyond(db, needs)?);
        Ok(rights)
    }
}

/// What a role may everywhere, by itself or as a member of another.
fn attributes(db: &dyn Connection) -> Result<Vec<String>, StorageError> {
    let roles = "SELECT rolname, rolsuper, rolcreaterole, rolbypassrls, rolreplication FROM pg_roles
        WHERE pg_has_role(oid, 'MEMBER') ORDER BY rolname";
    let mut wide = Vec::new();
    for (role, flags) in db.all(roles, &[], |row| {
        let flags = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
        Ok((row.get::<String>(0)?, flags))
    })? {
        for (name, is) in ["SUPERUSER", "CREATEROLE", "BYPASSRLS", "REPLICATION"].into_iter().zip(flags) {
            if is && !wide.iter().any(|one: &String| one == name) {
                wide.push(name.to_owned());
            }
        }
        if ["pg_write_all_data", "pg_write_server_files", "pg_execute_server_program"].contains(&role.as_str()) {
            wide.push(format!("membership in {role}"));
        }
    }
    // Such a user is a member of all others.
    if wide.iter().any(|one| one == "SUPERUSER") {
        wide = vec!["SUPERUSER, so all of them".to_owned()];
    }
    Ok(wide)
}

fn of_columns(db: &dyn Connection, used: &Use, rights: &mut Rights) -> Result<(), StorageError> {
    let table = quoted(&used.table);
    let columns = "SELECT attname, has_column_privilege(attrelid, attnum, 'SELECT'),
            has_column_privilege(attrelid, attnum, 'UPDATE'), has_table_privilege(attrelid, 'DELETE')
        FROM pg_attribute WHERE attrelid = to_regclass(?1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let (mut unread, mut unwritten, mut written, mut deletes) = (Vec::new(), Vec::new(), Vec::new(), true);
    for (column, read, write, delete) in db.all(columns, &[ValueRef::Text(&table)], |row| {
        Ok((row.get::<String>(0)?, row.get::<bool>(1)?, row.get::<bool>(2)?, row.get::<bool>(3)?))
    })? {
        let among = |names: &BTreeSet<String>| names.iter().any(|name| name.eq_ignore_ascii_case(&column));
        deletes = delete;
        match (among(&used.reads), among(&used.writes)) {
            (true, _) if !read => unread.push(column.clone()),
            _ => {}
        }
        match (among(&used.writes), write) {
            (true, false) => unwritten.push(column),
            (false, true) => written.push(column),
            _ => {}
        }
    }
    for (right, columns) in [("SELECT", unread), ("UPDATE", unwritten)] {
        if !columns.is_empty() {
            rights.missing.push(format!("{right} ({}) ON {table}", list(&columns)));
        }
    }
    if used.deletes && !deletes {
        rights.missing.push(format!("DELETE ON {table}"));
    }
    if !written.is_empty() {
        rights.wide.push(format!("UPDATE of {} in {}", written.join(", "), used.table));
    }
    Ok(())
}

fn of_tables(db: &dyn Connection, schema: Option<&str>, rights: &mut Rights) -> Result<(), StorageError> {
    for table in own() {
        let name = match schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(table.name)),
            None => quoted(table.name),
        };
        let mut missing = Vec::new();
        for right in on_own(table.name) {
            let has = "SELECT has_table_privilege(to_regclass(?1), ?2)";
            let has = db.one(has, &[ValueRef::Text(&name), ValueRef::Text(right)], |row| row.get::<Option<bool>>(0))?;
            if has.flatten() != Some(true) {
                missing.push(*right);
            }
        }
        if !missing.is_empty() {
            rights.missing.push(format!("{} ON {name}", missing.join(", ")));
        }
    }
    Ok(())
}

/// What may be done to the panel's tables, and is not.
fn beyond(db: &dyn Connection, needs: &Needs) -> Result<Vec<String>, StorageError> {
    let tables = "SELECT c.relname, has_any_column_privilege(c.oid, 'INSERT'), has_any_column_privilege(c.oid, 'UPDATE'),
            has_table_privilege(c.oid, 'DELETE'), has_table_privilege(c.oid, 'TRUNCATE'), pg_has_role(c.relowner, 'USAGE')
        FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'f') AND pg_table_is_visible(c.oid)
            AND c.relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
            AND c.relname NOT LIKE 'keyturnhost\\_%' ORDER BY c.relname";
    let mut wide = Vec::new();
    for (table, [inserts, updates, deletes, truncates, owns]) in db.all(tables, &[], |row| {
        Ok((row.get::<String>(0)?, [row.get::<bool>(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?]))
    })? {
        if owns {
            wide.push(format!("owner of {table}, so also DROP"));
            continue;
        }
        let used = needs.of(&table);
        let rights = [
            (inserts, "INSERT"),
            // Of a table that is written, the columns were looked at.
            (updates && used.is_none(), "UPDATE"),
            (deletes && !used.is_some_and(|used| used.deletes), "DELETE"),
            (truncates, "TRUNCATE"),
        ];
        let rights: Vec<&str> = rights.into_iter().filter_map(|(has, right)| has.then_some(right)).collect();
        if !rights.is_empty() {
            wide.push(format!("{} on {table}", rights.join(", ")));
        }
    }
    Ok(wide)
}
