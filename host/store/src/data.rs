//! A plugin's data: a map of its own, sealed for plugin, key and end; and how many bytes it takes.

use std::ops::ControlFlow;

use zeroize::Zeroizing;

use super::database::params;
use super::error::StorageError;
use super::store::{Rows, Store, forged, nonce};

/// Tells one writing of a data row from another: the nonce of its sealed value, which no two writings share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub [u8; 24]);

const TABLE: &str = "keyturnhost_data";
/// Data is removed so long after its end, in milliseconds: a call that began before it may still be under way.
const STAYS: i64 = 3600 * 1000;

impl Store {
    /// A value of a plugin's data, and which writing of it.
    ///
    /// # Errors
    /// [`StorageError`]; a value that was not sealed by this host for this plugin and key is one.
    pub fn get(&self, plugin: &str, key: &str, now: i64) -> Result<Option<(Vec<u8>, Version)>, StorageError> {
        self.ask(|rows| {
            let row = rows.one(
                "SELECT value, expires FROM keyturnhost_data
                 WHERE plugin = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
                params![plugin, key, now],
                |row| Ok((row.get::<Vec<u8>>(0)?, row.get(1)?)),
            )?;
            let Some((sealed, expires)) = row else { return Ok(None) };
            let version = Version(nonce(&sealed).ok_or_else(|| forged(TABLE, plugin))?);
            Ok(Some((rows.open_data(plugin, key, expires, &sealed)?.to_vec(), version)))
        })
    }

    /// Values in key order, with that prefix, after that key, at most `limit`.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn scan(
        &self,
        plugin: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        now: i64,
    ) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let after = after.filter(|after| *after >= prefix);
        let sql = match after {
            Some(_) => {
                "SELECT key, value, expires FROM keyturnhost_data
                 WHERE plugin = ?1 AND key > ?2 AND (expires IS NULL OR expires > ?3) ORDER BY key LIMIT ?4"
            }
            None => {
                "SELECT key, value, expires FROM keyturnhost_data
                 WHERE plugin = ?1 AND key >= ?2 AND (expires IS NULL OR expires > ?3) ORDER BY key LIMIT ?4"
            }
        };
        self.ask(|rows| {
            let mut found = Vec::new();
            rows.query(sql, params![plugin, after.unwrap_or(prefix), now, limit], &mut |row| {
                let key: String = row.get(0)?;
                if !key.starts_with(prefix) {
                    return Ok(ControlFlow::Break(()));
                }
                let value = rows.open_data(plugin, &key, row.get(2)?, &row.get::<Vec<u8>>(1)?)?.to_vec();
                found.push((key, value));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(found)
        })
    }
}

impl Rows<'_> {
    /// Which writing of a value stands.
    pub fn data_version(&self, plugin: &str, key: &str, now: i64) -> Result<Option<Vec<u8>>, StorageError> {
        self.one(
            "SELECT substr(value, 1, 24) FROM keyturnhost_data
             WHERE plugin = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
            params![plugin, key, now],
            |row| row.get(0),
        )
    }

    /// Answers by how many bytes the plugin's data grew.
    pub fn put(&self, plugin: &str, key: &str, value: &[u8], expires: Option<i64>) -> Result<i64, StorageError> {
        let before = self.stored(plugin, key)?;
        let sealed = self.keys.seal(&place(plugin, key, &end(expires)), value);
        self.change(
            "INSERT INTO keyturnhost_data (plugin, key, value, expires) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value, expires = excluded.expires",
            params![plugin, key, sealed, expires],
        )?;
        Ok((key.len() + sealed.len()) as i64 - before)
    }

    /// Likewise.
    pub fn delete(&self, plugin: &str, key: &str) -> Result<i64, StorageError> {
        let before = self.stored(plugin, key)?;
        self.change("DELETE FROM keyturnhost_data WHERE plugin = ?1 AND key = ?2", params![plugin, key])?;
        Ok(-before)
    }

    /// Bytes of a data row, key and sealed value together; 0 if there is none.
    fn stored(&self, plugin: &str, key: &str) -> Result<i64, StorageError> {
        let length = self.one(
            "SELECT length(value) FROM keyturnhost_data WHERE plugin = ?1 AND key = ?2",
            params![plugin, key],
            |row| row.get::<i64>(0),
        )?;
        Ok(length.map_or(0, |value| value + key.len() as i64))
    }

    /// Keeps the plugin's total. Who is over his limit may still shrink.
    pub fn grow(&self, plugin: &str, growth: i64, limit: u64) -> Result<(), StorageError> {
        if growth == 0 {
            return Ok(());
        }
        let total = self.one(
            "INSERT INTO keyturnhost_totals (plugin, bytes) VALUES (?1, ?2)
             ON CONFLICT (plugin) DO UPDATE SET bytes = keyturnhost_totals.bytes + excluded.bytes RETURNING bytes",
            params![plugin, growth],
            |row| row.get::<i64>(0),
        )?;
        let over = total.and_then(|total| u64::try_from(total).ok()).is_some_and(|total| total > limit);
        if growth > 0 && over { Err(StorageError::Limit("stored-bytes")) } else { Ok(()) }
    }

    /// Removes at most `most` of those that ended some time ago; answers how many.
    pub fn tidy_data(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let ended = self.all(
            "SELECT plugin, key FROM keyturnhost_data WHERE expires <= ?1 ORDER BY expires LIMIT ?2",
            params![now.saturating_sub(STAYS), most],
            |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
        )?;
        for (plugin, key) in &ended {
            let growth = self.delete(plugin, key)?;
            self.grow(plugin, growth, u64::MAX)?;
        }
        Ok(ended.len())
    }

    fn open_data(
        &self,
        plugin: &str,
        key: &str,
        expires: Option<i64>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        self.keys.open_sealed(&place(plugin, key, &end(expires)), sealed).map_err(|_| forged(TABLE, plugin))
    }
}

/// The end is part of the place, so that nobody who can write the table can put it off.
fn place<'a>(plugin: &'a str, key: &'a str, end: &'a str) -> [&'a str; 4] {
    [TABLE, plugin, key, end]
}

fn end(expires: Option<i64>) -> String {
    expires.map_or_else(String::new, |at| at.to_string())
}
