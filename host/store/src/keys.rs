//! Service keys, as a storage keeps them: sealed whole.

use zeroize::Zeroizing;

use super::{AuditEntry, StorageError};

/// How a stored key comes from and goes to a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// All of it, in the clear here, sealed at rest.
    pub content: Zeroizing<Vec<u8>>,
    /// When and from where it was used last.
    pub last_used: Option<(i64, Option<String>)>,
}

/// The service keys of a storage.
pub trait ServiceKeys {
    /// One of them; none if there is none.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host is one.
    fn service_key(&self, id: &str) -> Result<Option<StoredKey>, StorageError>;

    /// The one of a name, whatever else is there; none if there is none.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host is one.
    fn service_key_named(&self, name: &str) -> Result<Option<StoredKey>, StorageError>;

    /// All of them, oldest first.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host is one.
    fn service_keys(&self) -> Result<Vec<StoredKey>, StorageError>;

    /// Writes one, with an audit entry: a new one if no key has its name, or in place of what is still as `before`. Answers
    /// whether it was written.
    ///
    /// # Errors
    /// [`StorageError`].
    fn put_service_key(&self, key: &StoredKey, before: Option<&[u8]>, audit: AuditEntry) -> Result<bool, StorageError>;

    /// Notes a use at `at`, Unix milliseconds, unless one was noted less than `apart_ms` before.
    ///
    /// # Errors
    /// [`StorageError`].
    fn use_service_key(&self, id: &str, at: i64, apart_ms: i64, from: Option<&str>) -> Result<(), StorageError>;
}
