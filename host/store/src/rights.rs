//! The rights on a server that are needed, those that a user has, and the SQL that grants them.

use std::collections::BTreeSet;

use super::database::Connection;
use super::dialect::quoted;
use super::error::StorageError;
use super::tables::own;

/// What is done with a table of the panel's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    /// The table.
    pub table: String,
    /// Columns that are read.
    pub reads: BTreeSet<String>,
    /// Columns that are written.
    pub writes: BTreeSet<String>,
    /// Whether rows are deleted.
    pub deletes: bool,
}

/// All that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Of the panel's tables.
    pub uses: Vec<Use>,
    /// The schema or database of the host's own tables, if they are not beside the panel's.
    pub own: Option<String>,
    /// Whether the host's own tables are there.
    pub made: bool,
}

impl Needs {
    /// What is done with a table of the panel's; none: nothing.
    #[must_use]
    pub fn of(&self, table: &str) -> Option<&Use> {
        self.uses.iter().find(|used| used.table == table)
    }
}

/// What a user may, compared with [`Needs`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// The user.
    pub user: String,
    /// Rights that are missing: `SELECT ("email") ON "people"`.
    pub missing: Vec<String>,
    /// Rights that nothing needs, in words.
    pub wide: Vec<String>,
}

/// The users that rights are granted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The panel's database.
    pub database: String,
    /// Makes and changes the host's tables, and nothing else.
    pub owner: String,
    /// What hosts run as.
    pub service: String,
    /// Where hosts and commands connect from, if users are told apart by it.
    pub from: String,
}

/// SQL for both users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// To be run before the owner makes the tables.
    pub owner: Vec<String>,
    /// And after.
    pub service: Vec<String>,
}

/// The rights on the panel's tables: `SELECT ("id"), UPDATE ("hash") ON "people"`.
#[must_use]
pub fn of_panel(needs: &Needs, table: impl Fn(&str) -> String) -> Vec<String> {
    let rights = |used: &Use| {
        let on = |right: &str, columns: &BTreeSet<String>| {
            (!columns.is_empty()).then(|| format!("{right} ({})", list(columns)))
        };
        let delete = used.deletes.then(|| "DELETE".to_owned());
        let rights = [on("SELECT", &used.reads), on("UPDATE", &used.writes), delete];
        let rights: Vec<String> = rights.into_iter().flatten().collect();
        format!("{} ON {}", rights.join(", "), table(&used.table))
    };
    needs.uses.iter().map(rights).collect()
}

/// The rights on the host's own tables.
#[must_use]
pub fn of_own(table: impl Fn(&str) -> String) -> Vec<String> {
    own().iter().map(|own| format!("{} ON {}", on_own(own.name).join(", "), table(own.name))).collect()
}

/// What hosts do with one of their own tables. They only look how it was made, and whether it was moved.
#[must_use]
pub fn on_own(table: &str) -> &'static [&'static str] {
    match table {
        "keyturnhost_migrations" | "keyturnhost_moves" => &["SELECT"],
        _ => &["SELECT", "INSERT", "UPDATE", "DELETE"],
    }
}

/// Columns, quoted.
#[must_use]
pub fn list<'a>(columns: impl IntoIterator<Item = &'a String>) -> String {
    let columns: Vec<String> = columns.into_iter().map(|column| quoted(column)).collect();
    columns.join(", ")
}

/// How an engine keeps rights, where it keeps any.
pub trait Guarded: Send + Sync {
    /// The least rights, as SQL. It needs no connection.
    fn grants(&self, needs: &Needs, roles: &Roles) -> Grants;

    /// What the user of this connection may.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn rights(&self, db: &dyn Connection, needs: &Needs) -> Result<Rights, StorageError>;
}
