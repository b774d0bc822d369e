//! Service keys: sealed whole.

use zeroize::Zeroizing;

use super::database::{Row, params};
use super::entry::AuditEntry;
use super::error::StorageError;
use super::store::{Rows, Store, forged};

/// How a stored key comes from and goes to a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// All of it, in the clear here, sealed at rest.
    pub content: Zeroizing<Vec<u8>>,
    /// When and from where it was last used.
    pub last_used: Option<(i64, Option<String>)>,
}

impl Store {
    /// One of them; none if there is none.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host is one.
    pub fn service_key(&self, id: &str) -> Result<Option<StoredKey>, StorageError> {
        self.ask(|rows| rows.service_key(id))
    }

    /// The one of a name, whatever else is there; none if there is none.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host is one.
    pub fn service_key_named(&self, name: &str) -> Result<Option<StoredKey>, StorageError> {
        let by = "SELECT id, name, content, used_at, used_from FROM keyturnhost_service_keys WHERE name = ?1";
        self.ask(|rows| rows.one(by, params![name], sealed)?.map(|row| rows.open_key(row)).transpose())
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host is one.
    pub fn service_keys(&self) -> Result<Vec<StoredKey>, StorageError> {
        let all = "SELECT id, name, content, used_at, used_from FROM keyturnhost_service_keys ORDER BY number";
        self.ask(|rows| rows.all(all, &[], sealed)?.into_iter().map(|row| rows.open_key(row)).collect())
    }

    /// Writes one, with an audit entry: a new one if no key has its name, or in place of what is still as `before`. Answers
    /// whether it was written.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn put_service_key(
        &self,
        key: &StoredKey,
        before: Option<&[u8]>,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        let (key, before) = (key.clone(), before.map(|before| Zeroizing::new(before.to_vec())));
        self.write(move |rows| {
            let content = rows.keys.seal(&place(&key.id, &key.name), &key.content);
            match &before {
                Some(before) => {
                    let present = rows.service_key(&key.id)?;
                    if present.is_none_or(|present| present.content != *before) {
                        return Ok(false);
                    }
                    let replace = "UPDATE keyturnhost_service_keys SET content = ?2 WHERE id = ?1";
                    rows.change(replace, params![key.id, content])?;
                }
                None => {
                    let named = "SELECT 1 FROM keyturnhost_service_keys WHERE name = ?1";
                    if rows.one(named, params![key.name], |_| Ok(()))?.is_some() {
                        return Ok(false);
                    }
                    rows.change(
                        "INSERT INTO keyturnhost_service_keys (id, name, content) VALUES (?1, ?2, ?3)",
                        params![key.id, key.name, content],
                    )?;
                }
            }
            rows.insert_audit(&audit)?;
            Ok(true)
        })
    }

    /// Notes a use at `at`, Unix milliseconds, unless one was noted less than `apart_ms` before.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn use_service_key(&self, id: &str, at: i64, apart_ms: i64, from: Option<&str>) -> Result<(), StorageError> {
        let (id, from) = (id.to_owned(), from.map(str::to_owned));
        self.write(move |rows| {
            rows.change(
                "UPDATE keyturnhost_service_keys SET used_at = ?2, used_from = ?4
                 WHERE id = ?1 AND (used_at IS NULL OR used_at <= ?3)",
                params![id, at, at.saturating_sub(apart_ms), from],
            )
        })
    }
}

const TABLE: &str = "keyturnhost_service_keys";

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

fn sealed(row: &dyn Row) -> Result<Sealed, StorageError> {
    Ok(Sealed { id: row.get(0)?, name: row.get(1)?, content: row.get(2)?, used: row.get(3)?, from: row.get(4)? })
}

impl Rows<'_> {
    fn service_key(&self, id: &str) -> Result<Option<StoredKey>, StorageError> {
        let by = "SELECT id, name, content, used_at, used_from FROM keyturnhost_service_keys WHERE id = ?1";
        self.one(by, params![id], sealed)?.map(|row| self.open_key(row)).transpose()
    }

    fn open_key(&self, row: Sealed) -> Result<StoredKey, StorageError> {
        let content = self.keys.open_sealed(&place(&row.id, &row.name), &row.content);
        let content = content.map_err(|_| forged(TABLE, &row.name))?;
        Ok(StoredKey { id: row.id, name: row.name, content, last_used: row.used.map(|at| (at, row.from)) })
    }
}
