//! What was set on one of the operator's pages: a row for each group of settings, sealed as a whole, so that no two
//! writings of it can be mixed. A group may have one secret beside its values. It is sealed for what it is to be used with,
//! and opens with nothing else.

use zeroize::Zeroizing;

use super::data::Version;
use super::database::params;
use super::entry::AuditEntry;
use super::error::StorageError;
use super::store::{Rows, Store, forged, nonce};
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
    group: String,
    bytes: Vec<u8>,
}

impl Sealed {
    fn new(keys: &Keys, group: &str, purpose: &str, secret: &str) -> Self {
        Self { group: group.to_owned(), bytes: keys.seal(&secret_place(group, purpose), secret.as_bytes()) }
    }

    /// The secret, for what it was kept for.
    ///
    /// # Errors
    /// [`Unsealed`] for any other purpose, and for what this host did not seal.
    pub fn open(&self, keys: &Keys, purpose: &str) -> Result<Zeroizing<String>, Unsealed> {
        let mut plain = keys.open_sealed(&secret_place(&self.group, purpose), &self.bytes)?;
        String::from_utf8(std::mem::take(&mut *plain)).map(Zeroizing::new).map_err(|bad| {
            drop(Zeroizing::new(bad.into_bytes()));
            Unsealed
        })
    }
}

fn secret_place<'a>(group: &'a str, purpose: &'a str) -> [&'a str; 4] {
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

impl Store {
    /// Which writing of a group stands; none: it was never set.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn settings_version(&self, group: &str) -> Result<Option<Version>, StorageError> {
        self.ask(|rows| rows.settings_version(group))
    }

    /// A group as it stands; none: it was never set.
    ///
    /// # Errors
    /// [`StorageError`]; values that were not sealed by this host are one.
    pub fn settings(&self, group: &str) -> Result<Option<Group>, StorageError> {
        self.rows(|rows| {
            let found =
                rows.one("SELECT value, secret FROM keyturnhost_settings WHERE name = ?1", params![group], |row| {
                    Ok((row.get::<Vec<u8>>(0)?, row.get::<Option<Vec<u8>>>(1)?))
                })?;
            let Some((sealed, secret)) = found else { return Ok(None) };
            let values = rows.keys.open_sealed(&place(group), &sealed).map_err(|_| forged(TABLE, group))?;
            let secret = secret.map(|bytes| Sealed { group: group.to_owned(), bytes });
            Ok(Some(Group { version: version(group, &sealed)?, values, secret }))
        })
    }

    /// Writes a group in place of the one that was `seen`, and the audit entry with it.
    ///
    /// # Errors
    /// [`StorageError::Changed`] if another one stands; then nothing was written.
    pub fn set_settings(
        &self,
        group: &str,
        seen: Option<&Version>,
        values: &[u8],
        secret: NewSecret,
        audit: AuditEntry,
    ) -> Result<(), StorageError> {
        let (group, seen, values) = (group.to_owned(), seen.cloned(), Zeroizing::new(values.to_vec()));
        self.write(move |rows| {
            if rows.settings_version(&group)? != seen {
                return Err(StorageError::Changed);
            }
            let (touched, secret) = match &secret {
                NewSecret::Keep => (false, None),
                NewSecret::Forget => (true, None),
                NewSecret::Set { purpose, secret } => {
                    (true, Some(Sealed::new(rows.keys, &group, purpose, secret).bytes))
                }
            };
            rows.change(
                "INSERT INTO keyturnhost_settings (name, value, secret) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value,
                    secret = CASE WHEN ?4 THEN excluded.secret ELSE keyturnhost_settings.secret END",
                params![group, rows.keys.seal(&place(&group), &values), secret, touched],
            )?;
            rows.insert_audit(&audit)
        })
    }
}

impl Rows<'_> {
    fn settings_version(&self, group: &str) -> Result<Option<Version>, StorageError> {
        let sql = "SELECT substr(value, 1, 24) FROM keyturnhost_settings WHERE name = ?1";
        let found = self.one(sql, params![group], |row| row.get::<Vec<u8>>(0))?;
        found.map(|nonce| version(group, &nonce)).transpose()
    }
}

const TABLE: &str = "keyturnhost_settings";

fn place(group: &str) -> [&str; 2] {
    [TABLE, group]
}

fn version(group: &str, sealed: &[u8]) -> Result<Version, StorageError> {
    nonce(sealed).map(Version).ok_or_else(|| forged(TABLE, group))
}
