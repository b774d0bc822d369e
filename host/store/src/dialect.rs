//! What an engine has words of its own for, in statements over the panel's tables. The store's own tables need none of it.

use super::database::{Connection, Value};
use super::error::StorageError;

/// What the values of a column are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Each value is what it was stored as: a column of SQLite's.
    Anything,
    /// Whole numbers.
    Integer,
    /// Text.
    Text,
    /// UUIDs as a type of the engine's: text of 36 characters, in small letters.
    Uuid,
    /// Sixteen bytes, which name an account as 32 hexadecimal digits.
    Bytes16,
    /// What no key can be: a time, a float, JSON.
    Other,
}

/// A column of the panel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
    /// Characters that it holds at most; none: as many as there are.
    pub most: Option<u64>,
    /// How its texts are compared, where they are of another character set than statements: it can't hold all that people type.
    pub collation: Option<String>,
    /// Whether it can be NULL.
    pub null: bool,
}

/// A table of the panel's, or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Why it can't be mapped, if it can't, in words that follow its name, and what to do instead.
    pub unfit: Option<(String, String)>,
}

/// A name in quotes, as every engine here takes it.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How an engine says it. Columns come quoted, with their table before them; `"` quotes names on every engine.
pub trait Dialect: Send + Sync {
    /// The engine, as people call it.
    fn engine(&self) -> &'static str;

    /// A column of whatever type, read as text, or as a type that can become text.
    fn text(&self, column: &str) -> String {
        column.to_owned()
    }

    /// A condition under which a column may be one of the texts `?1` to `?names`, each as [`Dialect::as_indexed`] makes it. An index of
    /// the panel's should serve it. Those that it finds too many are sorted out by the caller. `collation`: [`Column::collation`].
    fn is_one_of(&self, column: &str, names: usize, collation: Option<&str>) -> String {
        let (over, name) = (self.index_over(column), |at: usize| self.compared(&format!("?{at}"), collation));
        match names {
            1 => format!("{over} = {}", name(1)),
            _ => format!("{over} IN ({})", (1..=names).map(name).collect::<Vec<_>>().join(", ")),
        }
    }

    /// A parameter as a column of that collation compares it.
    fn compared(&self, parameter: &str, _collation: Option<&str>) -> String {
        parameter.to_owned()
    }

    /// What a few rows that [`Dialect::is_one_of`] finds are ordered by: the key. An engine must not go through all keys in their
    /// order instead, in the hope of soon meeting enough rows.
    fn in_order_of(&self, key: &str) -> String {
        key.to_owned()
    }

    /// A text as the index of [`Dialect::index_over`] may have it: with ASCII in small letters.
    fn as_indexed(&self, text: String) -> String {
        text.to_ascii_lowercase()
    }

    /// A condition under which [`Dialect::is_one_of`] may miss a text that is stored, given its fold: at least for those with
    /// white space, and with anything that is not ASCII.
    fn is_odd(&self, column: &str) -> String;

    /// Whether a column can hold this text.
    fn can_hold(&self, _text: &str) -> bool {
        true
    }

    /// Whether a transaction that writes locks what it reads of the panel's, so that an account is best read before all else.
    fn locks_reads(&self) -> bool {
        false
    }

    /// A value to compare with a column of the panel's, or to store in one.
    fn bound(&self, value: Value) -> Value {
        value
    }

    /// The columns of a table; none: there is no such table.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn columns(&self, db: &dyn Connection, table: &str) -> Result<Vec<Column>, StorageError>;

    /// The panel's tables and views, in the order of their names.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn tables(&self, db: &dyn Connection) -> Result<Vec<Table>, StorageError>;

    /// Whether the rows of `table` in a statement are found by an index.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn uses_index(
        &self,
        db: &dyn Connection,
        statement: &str,
        parameters: &[Value],
        table: &str,
    ) -> Result<bool, StorageError>;

    /// What an index for [`Dialect::is_one_of`] is over, in words of a `CREATE INDEX`: `lower("login")`.
    fn index_over(&self, column: &str) -> String {
        format!("lower({column})")
    }

    /// A column without the white space around it, for SQL that an operator runs.
    fn trimmed(&self, column: &str) -> String;

    /// SQL for an operator's own session with the server, in which `"` may not quote names.
    fn for_a_session(&self, sql: String) -> String {
        sql
    }
}
