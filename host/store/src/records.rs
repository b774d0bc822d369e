//! Idempotency records: what a key has answered. Kept under a MAC, since a caller's session stands in the key and is nobody's to
//! read.

use zeroize::Zeroizing;

use super::database::params;
use super::error::{Record, StorageError};
use super::store::{Rows, Store, forged};
use keyturn_core::seal::hex;

/// An operation's caller, name and idempotency key: what a record is unique by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey {
    /// Who, as in the audit; for forms, with the session.
    pub caller: String,
    /// The plugin and the operation.
    pub operation: String,
    /// The idempotency key, 1 to 255 bytes.
    pub key: String,
}

const TABLE: &str = "keyturnhost_records";
/// How long a record answers: 24 hours, in milliseconds.
const LIVES: i64 = 24 * 3600 * 1000;

impl Store {
    /// What this idempotency key has answered.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn record(&self, key: &RecordKey, now: i64) -> Result<Option<Record>, StorageError> {
        self.ask(|rows| rows.record(key, now))
    }
}

impl Rows<'_> {
    pub fn record(&self, key: &RecordKey, now: i64) -> Result<Option<Record>, StorageError> {
        let id = self.record_id(key);
        let sealed = self.one(
            "SELECT answer FROM keyturnhost_records WHERE id = ?1 AND expires > ?2",
            params![id, now],
            |row| row.get::<Vec<u8>>(0),
        )?;
        let Some(sealed) = sealed else { return Ok(None) };
        let plain = self.keys.open_sealed(&[TABLE, &hex(&id)], &sealed).ok();
        match plain.as_deref().and_then(|plain| plain.split_first_chunk::<32>()) {
            Some((body, answer)) => Ok(Some(Record { body: *body, answer: answer.to_vec() })),
            None => Err(forged(TABLE, &key.operation)),
        }
    }

    pub fn insert_record(&self, key: &RecordKey, record: &Record, now: i64) -> Result<(), StorageError> {
        let id = self.record_id(key);
        let plain = Zeroizing::new([record.body.as_slice(), &record.answer].concat());
        // One that has ended may still stand there.
        self.change(
            "INSERT INTO keyturnhost_records (id, answer, expires) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET answer = excluded.answer, expires = excluded.expires",
            params![id, self.keys.seal(&[TABLE, &hex(&id)], &plain), now.saturating_add(LIVES)],
        )
    }

    /// Uses what may be used only once; whoever comes second is told.
    pub fn use_once(&self, once: &str, now: i64) -> Result<(), StorageError> {
        let key = RecordKey { caller: once.to_owned(), operation: "used once".to_owned(), key: String::new() };
        match self.record(&key, now)? {
            Some(_) => Err(StorageError::Replayed),
            None => self.insert_record(&key, &Record { body: [0; 32], answer: Vec::new() }, now),
        }
    }

    /// Removes at most `most` that have ended; answers how many.
    pub fn tidy_records(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let gone = self.execute(
            "DELETE FROM keyturnhost_records WHERE id IN (SELECT id FROM (
                SELECT id FROM keyturnhost_records WHERE expires <= ?1 ORDER BY expires LIMIT ?2) AS ended)",
            params![now, most],
        )?;
        Ok(gone as usize)
    }

    fn record_id(&self, key: &RecordKey) -> [u8; 32] {
        self.keys.mac("record", &[key.caller.as_bytes(), key.operation.as_bytes(), key.key.as_bytes()])
    }
}
