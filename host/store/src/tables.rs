//! The host's own tables, as the statements say that make them.

use std::sync::LazyLock;

use super::schema::{Beginning, statements};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// `keyturnhost_…`.
    pub name: &'static str,
    /// Its columns, each with its word for a type: see [`super::schema::TABLES`].
    pub columns: Vec<(&'static str, &'static str)>,
    /// The columns of its primary key.
    pub key: Vec<&'static str>,
}

impl Own {
    /// The column that numbers itself.
    #[must_use]
    pub fn number(&self) -> Option<&'static str> {
        self.columns.iter().find(|(_, kind)| *kind == "NUMBER").map(|(name, _)| *name)
    }
}

/// The names of all that ever stood in a version, also on the way to the newest one.
#[must_use]
pub fn ever() -> &'static [&'static str] {
    static EVER: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let statements = Beginning::Tables.steps(0).flat_map(|(_, sql)| statements(sql));
        statements.filter_map(|statement| Some(made(statement.strip_prefix("CREATE TABLE ")?)?.name)).collect()
    });
    &EVER
}

/// All of them, at the newest version.
#[must_use]
pub fn own() -> &'static [Own] {
    static OWN: LazyLock<Vec<Own>> = LazyLock::new(|| {
        let mut own = Vec::new();
        for statement in Beginning::Tables.steps(0).flat_map(|(_, sql)| statements(sql)) {
            if let Some(rest) = statement.strip_prefix("CREATE TABLE ") {
                own.extend(made(rest));
            } else if let Some(name) = statement.strip_prefix("DROP TABLE IF EXISTS ") {
                own.retain(|table: &Own| table.name != name.trim());
            } else if let Some((name, column)) =
                statement.strip_prefix("ALTER TABLE ").and_then(|rest| rest.split_once(" ADD COLUMN "))
                && let Some(table) = own.iter_mut().find(|table: &&mut Own| table.name == name.trim())
            {
                table.columns.extend(named(column));
            }
        }
        own
    });
    &OWN
}

/// `name (columns)`.
fn made(text: &'static str) -> Option<Own> {
    let (name, rest) = text.split_once('(')?;
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    for part in parts(rest.trim_end().strip_suffix(')')?) {
        if let Some(names) = part.strip_prefix("PRIMARY KEY (") {
            key = names.trim_end_matches(')').split(',').map(str::trim).collect();
        } else if let Some((name, kind)) = named(part) {
            if kind == "NUMBER" || part.contains(" PRIMARY KEY") {
                key = vec![name];
            }
            columns.push((name, kind));
        }
    }
    Some(Own { name: name.trim(), columns, key })
}

/// The name of a column and its type; none: it is a condition of the whole table.
fn named(part: &'static str) -> Option<(&'static str, &'static str)> {
    let mut words = part.split_whitespace();
    let (name, kind) = (words.next()?, words.next()?);
    name.starts_with(|c: char| c.is_ascii_lowercase()).then_some((name, kind))
}

/// What stands between commas, but not those in brackets.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let between = move |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    text.split(between).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_with_their_columns_and_keys() {
        let made =
            made("keyturnhost_x (id NAME NOT NULL, n INTEGER CHECK (n IN (1, 2)), b BYTES,\n PRIMARY KEY (id, n))");
        let columns = vec![("id", "NAME"), ("n", "INTEGER"), ("b", "BYTES")];
        assert_eq!(made, Some(Own { name: "keyturnhost_x", columns, key: vec!["id", "n"] }));
        let of = |name: &str| own().iter().find(|table| table.name == name).expect("there");
        assert_eq!(
            (of("keyturnhost_audit").number(), of("keyturnhost_audit").key.as_slice()),
            (Some("id"), &["id"][..])
        );
        assert_eq!(of("keyturnhost_counters").key, ["plugin", "key", "span", "step"]);
        assert_eq!(of("keyturnhost_hosts").key, ["id"]);
        assert!(own().iter().all(|table| table.name != "keyturnhost_workers"), "it was dropped");
        assert!(ever().contains(&"keyturnhost_workers"));
        assert!(own().iter().all(|table| !table.key.is_empty() && !table.columns.is_empty()), "{:?}", own());
    }
}
