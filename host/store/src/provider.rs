//! Where the panel keeps its people.

use super::database::Connection;
use super::error::StorageError;
use keyturn_core::accounts::{Account, AccountId, Matched, Why};

/// A panel's accounts. Reads run in a snapshot; `replace` runs in the transaction that commits the whole call.
///
/// Reach is not a provider's affair: whoever calls it has asked.
pub trait Provider: Send + Sync {
    /// The realms that it holds.
    fn realms(&self) -> Vec<&str>;

    /// Whether it is known who manages the accounts of a realm; where not, nobody reaches any of them as his own.
    fn knows_managers(&self, realm: &str) -> bool;

    /// Accounts of `realms` whose login or address, folded, equals `typed`, folded; logins first, then in key order;
    /// at most `limit`.
    ///
    /// # Errors
    /// [`StorageError`] if the panel's tables could not be read.
    fn find(
        &self,
        sql: &dyn Connection,
        typed: &str,
        realms: &[&str],
        limit: usize,
    ) -> Result<Vec<(AccountId, Matched)>, StorageError>;

    /// Reads a little of what makes look-ups cheap, if it is time. The store lets it about each second.
    ///
    /// # Errors
    /// [`StorageError`] if the panel's tables could not be read.
    fn look_ahead(&self, sql: &dyn Connection) -> Result<(), StorageError> {
        let _ = sql;
        Ok(())
    }

    /// Locks an account that is about to be written. A commit asks for it before anything else, so that it holds nothing that
    /// somebody else waits for while the panel's own programs are at that account: they would be told of a deadlock.
    ///
    /// # Errors
    /// [`StorageError`] if the panel's tables could not be read.
    fn hold(&self, sql: &dyn Connection, id: &AccountId) -> Result<(), StorageError> {
        let _ = (sql, id);
        Ok(())
    }

    /// One account; none if there is no such account or realm.
    ///
    /// # Errors
    /// [`StorageError`] if the panel's tables could not be read.
    fn account(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<Account>, StorageError>;

    /// Open sessions; none where the panel cannot say.
    ///
    /// # Errors
    /// [`StorageError`] if the panel's tables could not be read.
    fn sessions(&self, sql: &dyn Connection, id: &AccountId) -> Result<Option<u32>, StorageError>;

    /// Whether the panel could verify this hash: its scheme, cost and length.
    ///
    /// # Errors
    /// One sentence that names what is not accepted and the setting that says so.
    fn accepts(&self, realm: &str, hash: &str) -> Result<(), String>;

    /// Writes the hash; for [`Why::Password`] also ends all sessions and moves the mapped epoch column on. `now` is
    /// Unix milliseconds, for the mapped columns to touch.
    ///
    /// # Errors
    /// [`StorageError`] if the panel's tables could not be written; [`StorageError::Changed`] if the row is gone.
    fn replace(&self, sql: &dyn Connection, id: &AccountId, hash: &str, why: Why, now: i64)
    -> Result<(), StorageError>;
}
