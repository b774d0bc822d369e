//! A database that is copied, or copied to.

use keyturn_store::StorageError;
use keyturn_store::database::{Connection, ValueRef};
use keyturn_store_server::Copies;

use super::connection::Db;

/// Characters of a `NAME`.
const NAME: usize = 200;

impl Copies for Db {
    fn next_number(&self, table: &str, _: &str) -> Result<Option<i64>, StorageError> {
        let next = "SELECT auto_increment FROM information_schema.tables
                    WHERE table_schema = coalesce(?2, DATABASE()) AND table_name = ?1";
        let own = self.own();
        let parameters = [ValueRef::Text(table), own.as_deref().map_or(ValueRef::Null, ValueRef::Text)];
        Ok((self as &dyn Connection).one(next, &parameters, |row| row.get::<Option<i64>>(0))?.flatten())
    }

    fn set_next_number(&self, table: &str, _: &str, next: i64) -> Result<(), StorageError> {
        (self as &dyn Connection).change(&format!("ALTER TABLE {table} AUTO_INCREMENT = {next}"), &[])
    }

    fn refuses(kind: &str, text: &str) -> Option<&'static str> {
        let long = kind == "NAME" && text.chars().nth(NAME).is_some();
        long.then_some("has more than 200 characters, and MariaDB's column holds 200")
    }
}
