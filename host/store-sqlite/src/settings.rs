//! Settings: one row a group, its values and its secret each sealed for their place.

use rusqlite::params;

use super::rows::{Rows, forged, nonce};
use keyturn_store::settings::{Group, NewSecret, Sealed};
use keyturn_store::{AuditEntry, StorageError, Version};

const READING: &str = "reading keyturnhost_settings";

impl Rows<'_> {
    pub fn settings_version(&self, group: &str) -> Result<Option<Version>, StorageError> {
        let sql = "SELECT substr(value, 1, 24) FROM keyturnhost_settings WHERE name = ?1";
        let found = self.one(READING, sql, [group], |row| row.get::<_, Vec<u8>>(0))?;
        found.map(|nonce| version(group, &nonce)).transpose()
    }

    pub fn settings(&self, group: &str) -> Result<Option<Group>, StorageError> {
        let sql = "SELECT value, secret FROM keyturnhost_settings WHERE name = ?1";
        let found =
            self.one(READING, sql, [group], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?)))?;
        let Some((sealed, secret)) = found else { return Ok(None) };
        let values =
            self.keys.open_sealed(&place(group), &sealed).map_err(|_| forged("keyturnhost_settings", group))?;
        let secret = secret.map(|bytes| Sealed { group: group.to_owned(), bytes });
        Ok(Some(Group { version: version(group, &sealed)?, values, secret }))
    }

    pub fn set_settings(
        &self,
        group: &str,
        seen: Option<&Version>,
        values: &[u8],
        secret: &NewSecret,
        audit: &AuditEntry,
    ) -> Result<(), StorageError> {
        if self.settings_version(group)?.as_ref() != seen {
            return Err(StorageError::Changed);
        }
        let (touched, secret) = match secret {
            NewSecret::Keep => (false, None),
            NewSecret::Forget => (true, None),
            NewSecret::Set { purpose, secret } => (true, Some(Sealed::new(self.keys, group, purpose, secret).bytes)),
        };
        self.change(
            "writing keyturnhost_settings",
            "INSERT INTO keyturnhost_settings (name, value, secret) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE
             SET value = excluded.value, secret = CASE WHEN ?4 THEN excluded.secret ELSE secret END",
            params![group, self.keys.seal(&place(group), values), secret, touched],
        )?;
        self.insert_audit(audit)
    }
}

fn place(group: &str) -> [&str; 2] {
    ["keyturnhost_settings", group]
}

fn version(group: &str, sealed: &[u8]) -> Result<Version, StorageError> {
    nonce(sealed).map(Version).ok_or_else(|| forged("keyturnhost_settings", group))
}
