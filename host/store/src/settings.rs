//! What was set on one of the operator's pages: a row for each group of settings, sealed as a whole, so that no two
//! writings of it can be mixed. A group may have one secret beside its values. It is sealed for what it is to be used with,
//! and opens with nothing else.

use zeroize::Zeroizing;

use super::{AuditEntry, StorageError, Version};
use keyturn_core::seal::{Keys, Unsealed};

/// A group of settings as it stands.
#[derive(Debug, Clone)]
pub struct Group {
    /// Tells this writing from any other.
    pub version: Version,
    /// As they were given.
    pub values: Zeroizing<Vec<u8>>,
    /// The secret, if there is one.
    pub secret: Option<Sealed>,
}

/// A secret at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub group: String,
    pub bytes: Vec<u8>,
}

impl Sealed {
    pub fn new(keys: &Keys, group: &str, purpose: &str, secret: &str) -> Self {
        Self { group: group.to_owned(), bytes: keys.seal(&place(group, purpose), secret.as_bytes()) }
    }

    /// The secret, for what it was kept for.
    ///
    /// # Errors
    /// [`Unsealed`] for any other purpose, and for what this host did not seal.
    pub fn open(&self, keys: &Keys, purpose: &str) -> Result<Zeroizing<String>, Unsealed> {
        let mut plain = keys.open_sealed(&place(&self.group, purpose), &self.bytes)?;
        String::from_utf8(std::mem::take(&mut *plain)).map(Zeroizing::new).map_err(|bad| {
            drop(Zeroizing::new(bad.into_bytes()));
            Unsealed
        })
    }
}

fn place<'a>(group: &'a str, purpose: &'a str) -> [&'a str; 4] {
    ["keyturnhost_settings", group, "secret", purpose]
}

/// What becomes of a group's secret.
#[derive(Clone)]
pub enum NewSecret {
    /// It stays, if there is one.
    Keep,
    /// It is wiped.
    Forget,
    /// It is replaced.
    Set {
        /// What alone it may be used with, in any words.
        purpose: String,
        /// The secret.
        secret: Zeroizing<String>,
    },
}

/// The settings of a storage.
pub trait Settings {
    /// Which writing of a group stands; none: it was never set.
    ///
    /// # Errors
    /// [`StorageError`].
    fn settings_version(&self, group: &str) -> Result<Option<Version>, StorageError>;

    /// A group as it stands; none: it was never set.
    ///
    /// # Errors
    /// [`StorageError`]; values that were not sealed by this host are one.
    fn settings(&self, group: &str) -> Result<Option<Group>, StorageError>;

    /// Writes a group in place of the one that was `seen`, and the audit entry with it.
    ///
    /// # Errors
    /// [`StorageError::Changed`] if another one stands; then nothing was written.
    fn set_settings(
        &self,
        group: &str,
        seen: Option<&Version>,
        values: &[u8],
        secret: NewSecret,
        audit: AuditEntry,
    ) -> Result<(), StorageError>;
}
