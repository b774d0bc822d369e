//! The panel's SQLite file: its tables, and connections to it. The host keeps its own tables in the same file.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The host looks for `lower(login)` and `lower(email)` at sign-in.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS people (
  id            INTEGER PRIMARY KEY,
  kind          TEXT NOT NULL CHECK (kind IN ('owner', 'administrator', 'reseller', 'customer')),
  login         TEXT NOT NULL UNIQUE,
  email         TEXT,
  name          TEXT NOT NULL,
  locale        TEXT NOT NULL DEFAULT 'en',
  state         TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
  reseller_id   INTEGER REFERENCES people (id),
  password_hash TEXT,
  created_at    TEXT NOT NULL,
  updated_at    TEXT NOT NULL,
  signed_in_at  INTEGER,
  -- How often a wrong password was given for one's own since it was last given right.
  confirmations INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS people_login ON people (lower(login));
CREATE INDEX IF NOT EXISTS people_email ON people (lower(email));
CREATE INDEX IF NOT EXISTS people_reseller ON people (reseller_id);
CREATE TABLE IF NOT EXISTS sessions (
  id         INTEGER PRIMARY KEY,
  token      TEXT NOT NULL UNIQUE,
  person_id  INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  epoch      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL,
  -- When the person last typed their password.
  verified_at INTEGER NOT NULL DEFAULT 0,
  -- A form that waits until they have typed it again, sealed by the host.
  held       TEXT,
  address    TEXT,
  agent      TEXT NOT NULL,
  carried    TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_person ON sessions (person_id);
";

/// Idle connections.
pub struct Database {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the file. Creates it and its tables if they are missing.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        // Created here, because SQLite would let everybody on the machine read the hashes. Its other files get the same mode.
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let database = Self { path: path.to_owned(), idle: Mutex::default() };
        database.with(|db| db.execute_batch(SCHEMA))?;
        database.with(grow)?;
        Ok(database)
    }

    /// A connection for one caller alone.
    pub fn connection(&self) -> rusqlite::Result<Connection> {
        connect(&self.path)
    }

    /// Runs something on a connection of its own. Blocks.
    pub fn with<T>(&self, what: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut db = match taken {
            Some(db) => db,
            None => connect(&self.path)?,
        };
        let done = what(&mut db);
        if db.is_autocommit() {
            idle().push(db);
        }
        done
    }
}

/// Adds columns of later versions to existing tables.
fn grow(db: &mut Connection) -> rusqlite::Result<()> {
    let columns = [
        ("sessions", "verified_at", "INTEGER NOT NULL DEFAULT 0"),
        ("sessions", "held", "TEXT"),
        ("people", "confirmations", "INTEGER NOT NULL DEFAULT 0"),
    ];
    for (table, column, kind) in columns {
        let there = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
        if db.query_row(there, [table, column], |row| row.get::<_, i64>(0))? == 0 {
            db.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}"))?;
        }
    }
    Ok(())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(5))?;
    // WAL and FULL, as in the host: both write this file.
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("plain", 1, flags, |context| {
        Ok(context.get::<Option<String>>(0)?.map(|text| plain(&text)))
    })?;
    Ok(db)
}

/// The form in which people search and sort: without case and accents, so that "adrian" finds Adrián.
pub fn plain(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_searched_without_case_and_accents() {
        assert_eq!(plain("Adrián QUESADA"), "adrian quesada");
        assert_eq!(plain("عمر الحداد"), "عمر الحداد");
    }
}
