//! The service keys' rows.

use rusqlite::{Row, params};

use super::rows::{Rows, forged};
use keyturn_store::keys::StoredKey;
use keyturn_store::{AuditEntry, StorageError};

const TABLE: &str = "keyturnhost_service_keys";
const READING: &str = "reading keyturnhost_service_keys";
const WRITING: &str = "writing keyturnhost_service_keys";

/// What a key's content is bound to.
fn place<'a>(id: &'a str, name: &'a str) -> [&'a str; 3] {
    [TABLE, id, name]
}

struct Sealed {
    id: String,
    name: String,
    content: Vec<u8>,
    used: Option<i64>,
    from: Option<String>,
}

fn sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed { id: row.get(0)?, name: row.get(1)?, content: row.get(2)?, used: row.get(3)?, from: row.get(4)? })
}

impl Rows<'_> {
    fn open_key(&self, row: Sealed) -> Result<StoredKey, StorageError> {
        let content = self.keys.open_sealed(&place(&row.id, &row.name), &row.content);
        let content = content.map_err(|_| forged(TABLE, &row.name))?;
        Ok(StoredKey { id: row.id, name: row.name, content, last_used: row.used.map(|at| (at, row.from)) })
    }

    pub fn service_key(&self, id: &str) -> Result<Option<StoredKey>, StorageError> {
        let by = "SELECT id, name, content, used_at, used_from FROM keyturnhost_service_keys WHERE id = ?1";
        self.one(READING, by, [id], sealed)?.map(|row| self.open_key(row)).transpose()
    }

    pub fn service_key_named(&self, name: &str) -> Result<Option<StoredKey>, StorageError> {
        let by = "SELECT id, name, content, used_at, used_from FROM keyturnhost_service_keys WHERE name = ?1";
        self.one(READING, by, [name], sealed)?.map(|row| self.open_key(row)).transpose()
    }

    pub fn service_keys(&self) -> Result<Vec<StoredKey>, StorageError> {
        let rows = self.all(
            READING,
            "SELECT id, name, content, used_at, used_from FROM keyturnhost_service_keys ORDER BY number",
            [],
            sealed,
        )?;
        rows.into_iter().map(|row| self.open_key(row)).collect()
    }

    pub fn put_service_key(
        &self,
        key: &StoredKey,
        before: Option<&[u8]>,
        audit: &AuditEntry,
    ) -> Result<bool, StorageError> {
        let content = self.keys.seal(&place(&key.id, &key.name), &key.content);
        match before {
            Some(before) => {
                let present = self.service_key(&key.id)?;
                if present.is_none_or(|present| present.content.as_slice() != before) {
                    return Ok(false);
                }
                self.change(
                    WRITING,
                    "UPDATE keyturnhost_service_keys SET content = ?2 WHERE id = ?1",
                    params![key.id, content],
                )?;
            }
            None => {
                let named = "SELECT 1 FROM keyturnhost_service_keys WHERE name = ?1";
                if self.one(READING, named, [&key.name], |_| Ok(()))?.is_some() {
                    return Ok(false);
                }
                self.change(
                    WRITING,
                    "INSERT INTO keyturnhost_service_keys (id, name, content) VALUES (?1, ?2, ?3)",
                    params![key.id, key.name, content],
                )?;
            }
        }
        self.insert_audit(audit)?;
        Ok(true)
    }

    pub fn use_service_key(&self, id: &str, at: i64, apart_ms: i64, from: Option<&str>) -> Result<(), StorageError> {
        self.change(
            WRITING,
            "UPDATE keyturnhost_service_keys SET used_at = ?2, used_from = ?4
             WHERE id = ?1 AND (used_at IS NULL OR used_at <= ?2 - ?3)",
            params![id, at, apart_ms, from],
        )
    }
}
