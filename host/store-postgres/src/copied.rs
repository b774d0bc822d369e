//! A database that is copied, or copied to.

use keyturn_store::StorageError;
use keyturn_store::database::{Connection, ValueRef};
use keyturn_store_server::Copies;

use super::connection::Client;

impl Copies for Client {
    fn next_number(&self, table: &str, column: &str) -> Result<Option<i64>, StorageError> {
        let last = "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(?1, ?2) AS regclass))";
        let last = (self as &dyn Connection)
            .one(last, &[ValueRef::Text(table), ValueRef::Text(column)], |row| row.get::<Option<i64>>(0))?;
        Ok(last.flatten().map(|last| last + 1))
    }

    fn set_next_number(&self, table: &str, column: &str, next: i64) -> Result<(), StorageError> {
        let set = "SELECT setval(CAST(pg_get_serial_sequence(?1, ?2) AS regclass), ?3, FALSE)";
        let parameters = [ValueRef::Text(table), ValueRef::Text(column), ValueRef::Integer(next)];
        (self as &dyn Connection).change(set, &parameters)
    }

    fn refuses(_: &str, text: &str) -> Option<&'static str> {
        text.contains('\0').then_some("holds a NUL character, which PostgreSQL can't store")
    }
}
