//! A file that is copied, or copied to.

use keyturn_store::StorageError;
use keyturn_store::database::{Connection, ValueRef};
use keyturn_store::moves::Side;

use super::connection::{Db, run};
use super::lock::ServerLock;

/// A connection under the server's lock: no host works on the file.
pub(super) struct Alone {
    pub db: Db,
    pub _lock: ServerLock,
}

impl Side for Alone {
    fn connection(&self) -> &dyn Connection {
        &self.db
    }

    fn begin(&self, writes: bool) -> Result<(), StorageError> {
        run(&self.db.0, if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })
    }

    fn commit(&self) -> Result<(), StorageError> {
        run(&self.db.0, "COMMIT")
    }

    fn rollback(&self) -> Result<(), StorageError> {
        run(&self.db.0, "ROLLBACK")
    }

    fn next_number(&self, table: &str, _: &str) -> Result<Option<i64>, StorageError> {
        let last = "SELECT seq + 1 FROM sqlite_sequence WHERE name = ?1";
        self.connection().one(last, &[ValueRef::Text(table)], |row| row.get(0))
    }

    fn set_next_number(&self, table: &str, _: &str, next: i64) -> Result<(), StorageError> {
        let db = self.connection();
        db.change("DELETE FROM sqlite_sequence WHERE name = ?1", &[ValueRef::Text(table)])?;
        let set = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
        db.change(set, &[ValueRef::Text(table), ValueRef::Integer(next - 1)])
    }

    /// The lock says so.
    fn unserved(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
