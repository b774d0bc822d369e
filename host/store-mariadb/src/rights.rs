//! Rights on MariaDB.

use std::iter::Peekable;
use std::str::Chars;

use keyturn_store::StorageError;
use keyturn_store::database::Connection;
use keyturn_store::dialect::quoted;
use keyturn_store::rights::{Grants, Guarded, Needs, Rights, Roles, Use, list, of_own, of_panel, on_own};
use keyturn_store::tables::{ever, own};

use super::dialect::MariaDb;

/// What makes and changes tables, and fills them.
const ALL: &str = "CREATE, ALTER, DROP, INDEX, SELECT, INSERT, UPDATE, DELETE";

impl Guarded for MariaDb {
    /// No right stands for a table that is not there, but with `CREATE` in it.
    fn grants(&self, needs: &Needs, roles: &Roles) -> Grants {
        let user = |name: &str| format!("{}@{}", quoted(name), quoted(&roles.from));
        let (owner, service) = (user(&roles.owner), user(&roles.service));
        let of = |database: &str, table: &str| format!("{}.{}", quoted(database), quoted(table));
        let before = match &needs.own {
            Some(name) => {
                let pattern = name.replace('_', "\\_").replace('%', "\\%");
                let make = format!("CREATE DATABASE IF NOT EXISTS {}", quoted(name));
                vec![make, format!("GRANT {ALL} ON {}.* TO {owner}", quoted(&pattern))]
            }
            None => {
                ever().iter().map(|table| format!("GRANT {ALL} ON {} TO {owner}", of(&roles.database, table))).collect()
            }
        };
        let place = needs.own.as_ref().unwrap_or(&roles.database);
        let all =
            of_own(|table| of(place, table)).into_iter().chain(of_panel(needs, |table| of(&roles.database, table)));
        Grants { owner: before, service: all.map(|right| format!("GRANT {right} TO {service}")).collect() }
    }

    fn rights(&self, db: &dyn Connection, needs: &Needs) -> Result<Rights, StorageError> {
        let here = "SELECT DATABASE(), CURRENT_USER()";
        let (panel, user) =
            db.one(here, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?.unwrap_or_default();
        let (name, from) = user.rsplit_once('@').unwrap_or((&user, "%"));
        let user = format!("{}@{}", quoted(name), quoted(from));
        let grants = db.all("SHOW GRANTS", &[], |row| Ok(Grant::read(&row.get::<String>(0)?)))?;
        let grants: Vec<Grant> = grants.into_iter().flatten().collect();
        let place = needs.own.as_deref().unwrap_or(&panel);
        let mut rights = Rights { user, missing: missing(&grants, needs, &panel), ..Rights::default() };
        if needs.made {
            for table in own() {
                let lacks = |right: &&&str| !grants.iter().any(|grant| grant.gives(right, place, table.name, None));
                let lacking: Vec<&str> = on_own(table.name).iter().filter(lacks).copied().collect();
                if !lacking.is_empty() {
                    let table = format!("{}.{}", quoted(place), quoted(table.name));
                    rights.missing.push(format!("{} ON {table}", lacking.join(", ")));
                }
            }
        }
        rights.wide = grants.iter().filter_map(|grant| grant.beyond(needs, &panel)).collect();
        Ok(rights)
    }
}

fn missing(grants: &[Grant], needs: &Needs, panel: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for used in &needs.uses {
        let has = |right: &str, column| grants.iter().any(|grant| grant.gives(right, panel, &used.table, column));
        for (right, columns) in [("SELECT", &used.reads), ("UPDATE", &used.writes)] {
            let lacking: Vec<&String> = columns.iter().filter(|column| !has(right, Some(column.as_str()))).collect();
            if !lacking.is_empty() {
                missing.push(format!("{right} ({}) ON {}.{}", list(lacking), quoted(panel), quoted(&used.table)));
            }
        }
        if used.deletes && !has("DELETE", None) {
            missing.push(format!("DELETE ON {}.{}", quoted(panel), quoted(&used.table)));
        }
    }
    missing
}

/// A line of `SHOW GRANTS`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    /// Each right, and the columns that it is for; none: all.
    rights: Vec<(String, Vec<String>)>,
    /// A pattern; none: all databases.
    database: Option<String>,
    /// None: all tables.
    table: Option<String>,
}

/// Rights with which nothing is changed.
const HARMLESS: [&str; 8] =
    ["USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "PROCESS"];

impl Grant {
    /// None: it is of a role, or of something else than tables.
    fn read(line: &str) -> Option<Self> {
        let (rights, rest) = split_outside(line.strip_prefix("GRANT ")?, " ON ")?;
        let mut letters = rest.chars().peekable();
        let database = name(&mut letters)?;
        if letters.next() != Some('.') {
            return None;
        }
        let table = name(&mut letters)?;
        let mut all = Vec::new();
        let mut left = rights;
        while !left.is_empty() {
            let (one, rest) = split_outside(left, ", ").unwrap_or((left, ""));
            let (right, columns) = one.split_once(" (").unwrap_or((one, ""));
            let mut letters = columns.trim_end_matches(')').chars().peekable();
            let mut names = Vec::new();
            while let Some(Some(column)) = name(&mut letters) {
                names.push(column);
                while letters.next_if(|c| matches!(c, ',' | ' ')).is_some() {}
            }
            all.push((right.to_owned(), names));
            left = rest;
        }
        if rest.contains("WITH GRANT OPTION") {
            all.push(("GRANT OPTION".to_owned(), Vec::new()));
        }
        Some(Self { rights: all, database, table })
    }

    fn covers(&self, database: &str, table: &str) -> bool {
        let of_database = match (&self.database, &self.table) {
            (None, _) => true,
            (Some(pattern), None) => is_like(pattern, database),
            (Some(name), Some(_)) => name == database,
        };
        of_database && self.table.as_ref().is_none_or(|name| name == table)
    }

    fn gives(&self, right: &str, database: &str, table: &str, column: Option<&str>) -> bool {
        let gives = |(given, columns): &(String, Vec<String>)| {
            let named = |column: &str| columns.iter().any(|name| name.eq_ignore_ascii_case(column));
            (given == right || given == "ALL PRIVILEGES") && (columns.is_empty() || column.is_some_and(named))
        };
        self.covers(database, table) && self.rights.iter().any(gives)
    }

    /// What of it nothing needs.
    fn beyond(&self, needs: &Needs, panel: &str) -> Option<String> {
        let on = match (&self.database, &self.table) {
            (None, _) => "everything".to_owned(),
            (Some(pattern), None) if is_like(pattern, panel) => format!("all tables of {panel}"),
            (Some(name), Some(table)) if name == panel && !table.starts_with("keyturnhost_") => table.clone(),
            _ => return None,
        };
        let used = self.table.as_deref().and_then(|table| needs.of(table));
        let needed = |right: &str, columns: &[String]| {
            let written = |used: &Use| !columns.is_empty() && columns.iter().all(|column| used.writes.contains(column));
            match right {
                "UPDATE" => used.is_some_and(written),
                "DELETE" => used.is_some_and(|used| used.deletes),
                _ => HARMLESS.contains(&right),
            }
        };
        let told = |(right, columns): &(String, Vec<String>)| match columns.is_empty() {
            true => right.clone(),
            false => format!("{right} of {}", columns.join(", ")),
        };
        let beyond = self.rights.iter().filter(|(right, columns)| !needed(right, columns));
        let beyond: Vec<String> = beyond.map(told).collect();
        let writes_anyway = ["ALL PRIVILEGES", "SUPER", "READ ONLY ADMIN", "READ_ONLY ADMIN"];
        let anyway =
            self.database.is_none() && self.rights.iter().any(|(right, _)| writes_anyway.contains(&right.as_str()));
        let why = if anyway { ": it goes on writing to a server that was made read-only" } else { "" };
        (!beyond.is_empty()).then(|| format!("{} on {on}{why}", beyond.join(", ")))
    }
}

/// Before and after the first of these outside of quotes and brackets.
fn split_outside<'a>(text: &'a str, at: &str) -> Option<(&'a str, &'a str)> {
    let (mut quote, mut depth) = (None, 0);
    for (place, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, _) if depth == 0 && text[place..].starts_with(at) => {
                return Some((&text[..place], &text[place + at.len()..]));
            }
            (None, _) => {}
        }
    }
    None
}

/// A quoted name; `*` is none of them.
fn name(letters: &mut Peekable<Chars<'_>>) -> Option<Option<String>> {
    let quote = match letters.next()? {
        '*' => return Some(None),
        quote @ ('"' | '`') => quote,
        _ => return None,
    };
    let mut name = String::new();
    while let Some(c) = letters.next() {
        if c == quote && letters.next_if_eq(&quote).is_none() {
            return Some(Some(name));
        }
        name.push(c);
    }
    None
}

/// Whether a name of a database is as a pattern says, with `_`, `%`, and `\` before those that are letters.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match (rest.next(), name.chars().next()) {
        (None, None) => true,
        (Some('%'), _) => {
            is_like(rest.as_str(), name) || name.chars().next().is_some_and(|c| is_like(pattern, &name[c.len_utf8()..]))
        }
        (Some('\\'), Some(c)) => rest.next() == Some(c) && is_like(rest.as_str(), &name[c.len_utf8()..]),
        (Some(one), Some(c)) => (one == '_' || one == c) && is_like(rest.as_str(), &name[c.len_utf8()..]),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_whole() {
        let read = |line: &str| Grant::read(line).expect("read");
        let columns = read(r#"GRANT SELECT ("a, ON ""b", "c"), UPDATE ("d"), DELETE ON "panel"."people" TO "k"@"%""#);
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            columns.rights,
            [
                ("SELECT".to_owned(), named(&["a, ON \"b", "c"])),
                ("UPDATE".to_owned(), named(&["d"])),
                ("DELETE".to_owned(), named(&[]))
            ]
        );
        assert!(columns.gives("SELECT", "panel", "people", Some("c")));
        assert!(
            !columns.gives("UPDATE", "panel", "people", Some("c"))
                && !columns.gives("SELECT", "other", "people", Some("c"))
        );
        let whole =
            read(r#"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED BY PASSWORD '*F' WITH GRANT OPTION"#);
        assert!(whole.gives("UPDATE", "any", "table", Some("x")) && whole.rights[1].0 == "GRANT OPTION");
        let some = read(r"GRANT INSERT ON `my\_panel`.* TO `k`@`%`");
        assert!(some.gives("INSERT", "my_panel", "t", None) && !some.gives("INSERT", "my-panel", "t", None));
        assert_eq!(Grant::read("GRANT `role` TO `k`@`%`"), None);
        assert!(is_like("p%", "panel") && is_like("p_nel", "panel") && !is_like("p_nel", "pel") && is_like("%", ""));
    }
}
