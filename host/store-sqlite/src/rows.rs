//! The statements on the host's own tables. They run in whatever snapshot or transaction the connection is in.

use super::connection::Db;
use rusqlite::{OptionalExtension as _, Params, Row, params};
use zeroize::Zeroizing;

use super::connection::failed;
use keyturn_core::accounts::{Account, AccountId, Why};
use keyturn_core::seal::{Keys, NONCE, hex};
use keyturn_store::Provider;
use keyturn_store::counters::{Added, Unwritten};
use keyturn_store::epoch::{self, Kept};
use keyturn_store::{Commit, Effect, Known, Read, Record, RecordKey, StorageError, Version};

/// How long an idempotency record answers: 24 hours, in milliseconds.
const RECORD_LIVES: i64 = 24 * 3600 * 1000;

/// Data is removed so long after its end, in milliseconds: a call that began before it may still be under way.
const DATA_STAYS: i64 = 3600 * 1000;

/// What every statement needs.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub db: &'a Db,
    pub keys: &'a Keys,
    pub provider: &'a dyn Provider,
}

impl Rows<'_> {
    // ----- reading -----

    pub fn known(&self, id: &AccountId) -> Result<Option<Known>, StorageError> {
        let Some(account) = self.provider.account(self.db, id)? else {
            return Ok(None);
        };
        let epoch = self.epoch(&account)?;
        Ok(Some(Known { account, epoch }))
    }

    fn epoch(&self, account: &Account) -> Result<String, StorageError> {
        let kept = self.one(
            "reading keyturnhost_epochs",
            "SELECT epoch, hash_mac FROM keyturnhost_epochs WHERE account = ?1",
            [account.id.as_str()],
            |row| Ok(Kept { epoch: row.get(0)?, fit: row.get(1)? }),
        )?;
        Ok(epoch::effective(self.keys, &account.id, account.hash.as_deref(), kept.as_ref()))
    }

    pub fn get(&self, plugin: &str, key: &str, now: i64) -> Result<Option<(Vec<u8>, Version)>, StorageError> {
        let row = self.one(
            "reading keyturnhost_data",
            "SELECT value, expires FROM keyturnhost_data
             WHERE plugin = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
            params![plugin, key, now],
            |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)),
        )?;
        let Some((sealed, expires)) = row else { return Ok(None) };
        let version = Version(nonce(&sealed).ok_or_else(|| forged("keyturnhost_data", plugin))?);
        Ok(Some((self.open_data(plugin, key, expires, &sealed)?.to_vec(), version)))
    }

    pub fn scan(
        &self,
        plugin: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        now: i64,
    ) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let doing = "reading keyturnhost_data";
        let sql = match after {
            Some(after) if after >= prefix => {
                "SELECT key, value, expires FROM keyturnhost_data
                 WHERE plugin = ?1 AND key > ?2 AND (expires IS NULL OR expires > ?3) ORDER BY key"
            }
            _ => {
                "SELECT key, value, expires FROM keyturnhost_data
                 WHERE plugin = ?1 AND key >= ?2 AND (expires IS NULL OR expires > ?3) ORDER BY key"
            }
        };
        let from = after.filter(|after| *after >= prefix).unwrap_or(prefix);
        let mut statement = self.db.prepare_cached(sql).map_err(|cause| failed(doing, &cause))?;
        let mut rows = statement.query(params![plugin, from, now]).map_err(|cause| failed(doing, &cause))?;
        let mut found = Vec::new();
        while found.len() < limit as usize
            && let Some(row) = rows.next().map_err(|cause| failed(doing, &cause))?
        {
            let read = || Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<i64>>(2)?));
            let (key, sealed, expires) = read().map_err(|cause| failed(doing, &cause))?;
            if !key.starts_with(prefix) {
                break;
            }
            let value = self.open_data(plugin, &key, expires, &sealed)?.to_vec();
            found.push((key, value));
        }
        Ok(found)
    }

    /// Whether one read is still so.
    pub fn still(&self, plugin: &str, read: &Read, now: i64) -> Result<bool, StorageError> {
        match read {
            Read::Account { id, seen } => Ok(self.known(id)?.as_ref() == seen.as_deref()),
            Read::Mail { id, address } => Ok(self.attempted(id)? == *address),
            Read::Data { key, version } => {
                let present = self.one(
                    "checking keyturnhost_data",
                    "SELECT substr(value, 1, 24) FROM keyturnhost_data
                     WHERE plugin = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
                    params![plugin, key, now],
                    |row| row.get::<_, Vec<u8>>(0),
                )?;
                Ok(present.as_deref() == version.as_ref().map(|version| version.0.as_slice()))
            }
        }
    }

    pub fn record(&self, key: &RecordKey, now: i64) -> Result<Option<Record>, StorageError> {
        let id = self.record_id(key);
        let sealed = self.one(
            "reading keyturnhost_records",
            "SELECT answer FROM keyturnhost_records WHERE id = ?1 AND expires > ?2",
            params![id, now],
            |row| row.get::<_, Vec<u8>>(0),
        )?;
        let Some(sealed) = sealed else { return Ok(None) };
        let plain = self.keys.open_sealed(&["keyturnhost_records", &hex(&id)], &sealed).ok();
        match plain.as_deref().and_then(|plain| plain.split_first_chunk::<32>()) {
            Some((body, answer)) => Ok(Some(Record { body: *body, answer: answer.to_vec() })),
            None => Err(forged("keyturnhost_records", &key.operation)),
        }
    }

    pub fn counters(&self, plugin: &str, now: i64) -> Result<Vec<Added>, StorageError> {
        self.all(
            "reading keyturnhost_counters",
            "SELECT key, span, step, count FROM keyturnhost_counters WHERE plugin = ?1 AND ends > ?2",
            params![plugin, now],
            |row| {
                let count = row.get::<_, i64>(3)?.unsigned_abs();
                Ok(Added { plugin: plugin.to_owned(), key: row.get(0)?, window: row.get(1)?, step: row.get(2)?, count })
            },
        )
    }

    // ----- writing -----

    /// All of one call's, in the transaction that the connection is in. On an error the caller takes back what was
    /// written.
    pub fn apply(&self, commit: &Commit) -> Result<(), StorageError> {
        if let Some((key, _)) = &commit.record
            && let Some(existing) = self.record(key, commit.now)?
        {
            return Err(StorageError::Recorded(existing));
        }
        if let Some(lease) = &commit.task {
            self.end_task(lease)?;
        }
        for read in &commit.reads {
            if !self.still(&commit.plugin, read, commit.now)? {
                return Err(StorageError::Changed);
            }
            if let Read::Account { seen: Some(known), .. } = read {
                self.see(&known.account, commit.now)?;
            }
        }
        let mut growth = 0;
        for effect in &commit.effects {
            growth += self.effect(commit, effect)?;
        }
        self.grow(&commit.plugin, growth, commit.quotas.stored_bytes)?;
        if let Some(entry) = &commit.audit {
            self.insert_audit(entry)?;
        }
        if let Some((key, record)) = &commit.record {
            self.insert_record(key, record, commit.now)?;
        }
        Ok(())
    }

    /// By how many bytes the plugin's data grew.
    fn effect(&self, commit: &Commit, effect: &Effect) -> Result<i64, StorageError> {
        let Commit { plugin, now, quotas, .. } = commit;
        match effect {
            Effect::Put { key, value, expires } => {
                let before = self.stored(plugin, key)?;
                let sealed = self.keys.seal(&data_place(plugin, key, &end(*expires)), value);
                self.change(
                    "writing keyturnhost_data",
                    "INSERT INTO keyturnhost_data (plugin, key, value, expires) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value, expires = excluded.expires",
                    params![plugin, key, sealed, expires],
                )?;
                Ok((key.len() + sealed.len()) as i64 - before)
            }
            Effect::Delete { key } => self.delete(plugin, key),
            Effect::Forget { key } => {
                self.change(
                    "writing keyturnhost_counters",
                    "DELETE FROM keyturnhost_counters WHERE plugin = ?1 AND key = ?2",
                    params![plugin, key],
                )?;
                Ok(0)
            }
            Effect::Replace { id, hash, why, epoch } => {
                self.replace(id, hash, *why, epoch, *now)?;
                Ok(0)
            }
            Effect::Send(mail) => self.send(plugin, mail, quotas, *now).map(|()| 0),
            Effect::Withdraw { id } => self.withdraw(plugin, id, *now).map(|_| 0),
            Effect::Enqueue(task) => self.enqueue(plugin, task, quotas, *now).map(|()| 0),
            Effect::Deliver(new) => self.deliver(plugin, new, quotas, *now).map(|()| 0),
        }
    }

    fn delete(&self, plugin: &str, key: &str) -> Result<i64, StorageError> {
        let before = self.stored(plugin, key)?;
        self.change(
            "writing keyturnhost_data",
            "DELETE FROM keyturnhost_data WHERE plugin = ?1 AND key = ?2",
            params![plugin, key],
        )?;
        Ok(-before)
    }

    fn replace(&self, id: &AccountId, hash: &str, why: Why, epoch: &str, now: i64) -> Result<(), StorageError> {
        let before = self.known(id)?.ok_or(StorageError::Changed)?;
        self.provider.replace(self.db, id, hash, why, now)?;
        let doing = || format!("replacing the hash of an account in realm {}", id.realm());
        if self.db.is_autocommit() {
            let cause = "the panel's tables ended the transaction".to_owned();
            return Err(StorageError::Failed { doing: doing(), cause });
        }
        // A trigger may keep the old hash or make another of it; then nothing else of this call may hold either.
        let after = self.provider.account(self.db, id)?;
        if after.is_none_or(|after| after.hash.as_deref() != Some(hash)) {
            let cause =
                "the panel's table does not have the hash that was written; look for a trigger on it".to_owned();
            return Err(StorageError::Failed { doing: doing(), cause });
        }
        let epoch = match why {
            Why::Password => epoch,
            Why::Upgrade => &before.epoch,
        };
        self.change(
            "writing keyturnhost_epochs",
            "INSERT INTO keyturnhost_epochs (account, epoch, hash_mac) VALUES (?1, ?2, ?3)
             ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, hash_mac = excluded.hash_mac",
            params![id.as_str(), epoch, epoch::fit(self.keys, id, epoch, Some(hash))],
        )
    }

    /// Bytes of a data row, key and sealed value together; 0 if there is none.
    fn stored(&self, plugin: &str, key: &str) -> Result<i64, StorageError> {
        let length = self.one(
            "reading keyturnhost_data",
            "SELECT length(value) FROM keyturnhost_data WHERE plugin = ?1 AND key = ?2",
            params![plugin, key],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(length.map_or(0, |value| value + key.len() as i64))
    }

    /// Keeps the plugin's total. Who is over his limit may still shrink.
    fn grow(&self, plugin: &str, growth: i64, limit: u64) -> Result<(), StorageError> {
        if growth == 0 {
            return Ok(());
        }
        let total = self.one(
            "writing keyturnhost_totals",
            "INSERT INTO keyturnhost_totals (plugin, bytes) VALUES (?1, ?2)
             ON CONFLICT (plugin) DO UPDATE SET bytes = bytes + excluded.bytes RETURNING bytes",
            params![plugin, growth],
            |row| row.get::<_, i64>(0),
        )?;
        let over = total.and_then(|total| u64::try_from(total).ok()).is_some_and(|total| total > limit);
        if growth > 0 && over { Err(StorageError::Limit("stored-bytes")) } else { Ok(()) }
    }

    pub fn insert_record(&self, key: &RecordKey, record: &Record, now: i64) -> Result<(), StorageError> {
        let id = self.record_id(key);
        let plain = Zeroizing::new([record.body.as_slice(), &record.answer].concat());
        // One that has ended may still stand there.
        self.change(
            "writing keyturnhost_records",
            "INSERT OR REPLACE INTO keyturnhost_records (id, answer, expires) VALUES (?1, ?2, ?3)",
            params![id, self.keys.seal(&["keyturnhost_records", &hex(&id)], &plain), now.saturating_add(RECORD_LIVES)],
        )
    }

    pub fn write_counts(&self, unwritten: &Unwritten) -> Result<(), StorageError> {
        for one in &unwritten.gone {
            self.change(
                "writing keyturnhost_counters",
                "DELETE FROM keyturnhost_counters WHERE plugin = ?1 AND key = ?2 AND span = ?3",
                params![one.plugin, one.key, one.window],
            )?;
        }
        for one in &unwritten.added {
            self.change(
                "writing keyturnhost_counters",
                "INSERT INTO keyturnhost_counters (plugin, key, span, step, count, ends) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (plugin, key, span, step) DO UPDATE SET count = count + excluded.count",
                params![one.plugin, one.key, one.window, one.step, one.count as i64, one.ends()],
            )?;
        }
        Ok(())
    }

    /// Removes at most `most` rows of each table whose time is over, of the audit those that are older than `audit_stays`
    /// milliseconds; answers how many of the table that had the most.
    pub fn remove_ended(&self, now: i64, most: u32, audit_stays: i64) -> Result<usize, StorageError> {
        let count = |doing: &str, sql: &str| {
            self.db
                .prepare_cached(sql)
                .and_then(|mut statement| statement.execute(params![now, most]))
                .map_err(|cause| failed(doing, &cause))
        };
        let records = count(
            "tidying keyturnhost_records",
            "DELETE FROM keyturnhost_records
             WHERE id IN (SELECT id FROM keyturnhost_records WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
        )?;
        let counters = count(
            "tidying keyturnhost_counters",
            "DELETE FROM keyturnhost_counters WHERE (plugin, key, span, step) IN
             (SELECT plugin, key, span, step FROM keyturnhost_counters WHERE ends <= ?1 ORDER BY ends LIMIT ?2)",
        )?;
        let data = self.all(
            "tidying keyturnhost_data",
            "SELECT plugin, key FROM keyturnhost_data WHERE expires <= ?1 ORDER BY expires LIMIT ?2",
            params![now.saturating_sub(DATA_STAYS), most],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )?;
        for (plugin, key) in &data {
            let growth = self.delete(plugin, key)?;
            self.grow(plugin, growth, u64::MAX)?;
        }
        let audit = self.prune_audit(now.saturating_sub(audit_stays), most)? as usize;
        let removed = [
            records,
            counters,
            data.len(),
            audit,
            self.prune_counted(most)?,
            self.tidy_outbox(now, most)?,
            self.tidy_tasks(now, most)?,
            self.tidy_deliveries(now, most)?,
            self.tidy_addresses(now, most)?,
        ];
        Ok(removed.into_iter().max().unwrap_or(0))
    }

    // ----- helping -----

    /// Records are kept under a MAC: a caller's session stands in the key, and is nobody's to read.
    fn record_id(&self, key: &RecordKey) -> [u8; 32] {
        self.keys.mac("record", &[key.caller.as_bytes(), key.operation.as_bytes(), key.key.as_bytes()])
    }

    fn open_data(
        &self,
        plugin: &str,
        key: &str,
        expires: Option<i64>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        self.keys
            .open_sealed(&data_place(plugin, key, &end(expires)), sealed)
            .map_err(|_| forged("keyturnhost_data", plugin))
    }

    pub fn one<T>(
        &self,
        doing: &str,
        sql: &str,
        parameters: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StorageError> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(parameters, read).optional())
            .map_err(|cause| failed(doing, &cause))
    }

    pub fn all<T>(
        &self,
        doing: &str,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StorageError> {
        let run = || self.db.prepare_cached(sql)?.query_map(parameters, read)?.collect::<Result<Vec<_>, _>>();
        run().map_err(|cause| failed(doing, &cause))
    }

    pub fn change(&self, doing: &str, sql: &str, parameters: impl Params) -> Result<(), StorageError> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map(drop)
            .map_err(|cause| failed(doing, &cause))
    }
}

/// The end is part of the place, so that nobody who can write the table can put it off.
fn data_place<'a>(plugin: &'a str, key: &'a str, end: &'a str) -> [&'a str; 4] {
    ["keyturnhost_data", plugin, key, end]
}

fn end(expires: Option<i64>) -> String {
    expires.map_or_else(String::new, |at| at.to_string())
}

pub(super) fn nonce(sealed: &[u8]) -> Option<[u8; NONCE]> {
    sealed.first_chunk().copied()
}

pub(super) fn forged(table: &str, whose: &str) -> StorageError {
    StorageError::Failed {
        doing: format!("reading {table} of {whose}"),
        cause:
            "a row was not sealed by this host for its place: it was changed from outside, or the key file is the wrong one"
                .to_owned(),
    }
}
