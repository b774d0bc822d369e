//! What SQLite has words of its own for.

use keyturn_store::StorageError;
use keyturn_store::database::{Connection, Value, ValueRef};
use keyturn_store::dialect::{Column, Dialect, Holds, Table};

/// SQLite's.
pub struct Sqlite;

impl Dialect for Sqlite {
    fn engine(&self) -> &'static str {
        "SQLite"
    }

    /// Its functions see a text only up to a NUL; the number of its bytes tells.
    fn is_odd(&self, column: &str) -> String {
        format!("({column} GLOB '*[^!-~]*' OR length({column}) <> length(CAST({column} AS BLOB)))")
    }

    fn columns(&self, db: &dyn Connection, table: &str) -> Result<Vec<Column>, StorageError> {
        db.all("SELECT name, \"notnull\" FROM pragma_table_info(?1)", &[ValueRef::Text(table)], |row| {
            let null = row.get::<i64>(1)? == 0;
            Ok(Column { name: row.get(0)?, holds: Holds::Anything, most: None, collation: None, null })
        })
    }

    fn tables(&self, db: &dyn Connection) -> Result<Vec<Table>, StorageError> {
        let tables = "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'
                      AND name NOT LIKE 'keyturnhost_%' ORDER BY name";
        let tables = db.all(tables, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?;
        let unfit = |kind: &str| {
            (kind == "view").then(|| {
                let why = "is a view, and SQLite doesn't report whether an update of a view changed anything";
                let instead = "map the table behind it, with only, among or except for its rows";
                (why.to_owned(), instead.to_owned())
            })
        };
        Ok(tables.into_iter().map(|(name, kind)| Table { name, unfit: unfit(&kind) }).collect())
    }

    fn uses_index(
        &self,
        db: &dyn Connection,
        statement: &str,
        parameters: &[Value],
        table: &str,
    ) -> Result<bool, StorageError> {
        let begins = format!("SEARCH {table} ");
        let plan = db.rows(&format!("EXPLAIN QUERY PLAN {statement}"), parameters)?;
        Ok(texts(plan).any(|step| step.starts_with(&begins)))
    }

    fn trimmed(&self, column: &str) -> String {
        format!("trim({column}, char(9, 10, 13, 32, 160))")
    }
}

/// A statement of the store's tables: it has SQLite's words, or the neutral ones.
pub(super) fn words(statement: &str) -> String {
    let (statement, strict) = match statement.strip_prefix("CREATE TABLE") {
        Some(_) if !statement.contains("STRICT") => (statement, " STRICT"),
        Some(_) => (statement, ""),
        None if statement.starts_with("DROP INDEX") => (statement.split(" ON ").next().unwrap_or(statement), ""),
        None => (statement, ""),
    };
    let own = [
        (" NUMBER", " INTEGER PRIMARY KEY AUTOINCREMENT"),
        (" NAME", " TEXT"),
        (" DIGEST", " BLOB"),
        (" BYTES", " BLOB"),
    ];
    own.iter().fold(statement.to_owned(), |statement, (word, own)| statement.replace(word, own)) + strict
}

fn texts(rows: Vec<Vec<Value>>) -> impl Iterator<Item = String> {
    rows.into_iter().flatten().filter_map(|value| match value {
        Value::Text(text) => Some(text),
        _ => None,
    })
}
