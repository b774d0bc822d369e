//! A connection to copy from or to.

use keyturn_store::StorageError;
use keyturn_store::database::Connection;
use keyturn_store::moves::Side;

use super::{Client, Mode};

/// A client whose database can be copied; see [`Side`] for each.
pub trait Copies: Client {
    /// [`Side::next_number`].
    ///
    /// # Errors
    /// [`StorageError`].
    fn next_number(&self, table: &str, column: &str) -> Result<Option<i64>, StorageError>;

    /// [`Side::set_next_number`].
    ///
    /// # Errors
    /// [`StorageError`].
    fn set_next_number(&self, table: &str, column: &str, next: i64) -> Result<(), StorageError>;

    /// [`Side::refuses`].
    fn refuses(kind: &str, text: &str) -> Option<&'static str>;
}

/// A client of nobody else's.
pub struct Alone<C>(
    /// The client.
    pub C,
);

impl<C: Copies> Side for Alone<C> {
    fn connection(&self) -> &dyn Connection {
        &self.0
    }

    fn begin(&self, writes: bool) -> Result<(), StorageError> {
        self.0.begin(if writes { Mode::Write } else { Mode::Read })
    }

    fn commit(&self) -> Result<(), StorageError> {
        self.0.commit()
    }

    fn rollback(&self) -> Result<(), StorageError> {
        self.0.rollback()
    }

    fn next_number(&self, table: &str, column: &str) -> Result<Option<i64>, StorageError> {
        self.0.next_number(table, column)
    }

    fn set_next_number(&self, table: &str, column: &str, next: i64) -> Result<(), StorageError> {
        self.0.set_next_number(table, column, next)
    }

    fn refuses(&self, kind: &str, text: &str) -> Option<&'static str> {
        C::refuses(kind, text)
    }
}
