//! The commit of a call: what it read is still so, and everything that it asks for is written, together or not at all.

use super::database::params;
use super::store::{Rows, Store};
use super::{Commit, Effect, Read, StorageError};

impl Store {
    /// Whether all of it is still so.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn still(&self, plugin: &str, reads: &[Read], now: i64) -> Result<bool, StorageError> {
        self.rows(|rows| {
            for read in reads {
                if !rows.still(plugin, read, now)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

impl Rows<'_> {
    /// Whether one read is still so.
    fn still(&self, plugin: &str, read: &Read, now: i64) -> Result<bool, StorageError> {
        match read {
            Read::Account { id, seen } => Ok(self.known(id)?.as_ref() == seen.as_deref()),
            Read::Mail { id, address } => Ok(self.attempted(id)? == *address),
            Read::Data { key, version } => {
                let present = self.data_version(plugin, key, now)?;
                Ok(present.as_deref() == version.as_ref().map(|version| version.0.as_slice()))
            }
        }
    }

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
            Effect::Put { key, value, expires } => self.put(plugin, key, value, *expires),
            Effect::Delete { key } => self.delete(plugin, key),
            Effect::Forget { key } => {
                let forget = "DELETE FROM keyturnhost_counters WHERE plugin = ?1 AND key = ?2";
                self.change(forget, params![plugin, key]).map(|()| 0)
            }
            Effect::Replace { id, hash, why, epoch } => self.replace(id, hash, *why, epoch, *now).map(|()| 0),
            Effect::Send(mail) => self.send(plugin, mail, quotas, *now).map(|()| 0),
            Effect::Withdraw { id } => self.withdraw(plugin, id, *now).map(|_| 0),
            Effect::Enqueue(task) => self.enqueue(plugin, task, quotas, *now).map(|()| 0),
            Effect::Deliver(new) => self.deliver(plugin, new, quotas, *now).map(|()| 0),
        }
    }

    /// Removes at most `most` rows of each table whose time is over, of the audit those that are older than `audit_stays`
    /// milliseconds; answers how many of the table that had the most.
    pub fn remove_ended(&self, now: i64, most: u32, audit_stays: i64) -> Result<usize, StorageError> {
        let removed = [
            self.tidy_records(now, most)?,
            self.tidy_counters(now, most)?,
            self.tidy_data(now, most)?,
            self.prune_audit(now.saturating_sub(audit_stays), most)? as usize,
            self.prune_counted(most)?,
            self.tidy_outbox(now, most)?,
            self.tidy_tasks(now, most)?,
            self.tidy_deliveries(now, most)?,
            self.tidy_addresses(now, most)?,
        ];
        Ok(removed.into_iter().max().unwrap_or(0))
    }
}
