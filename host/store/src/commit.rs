//! The commit of a call: what it read is still so, and everything that it asks for is written, together or not at all.

use super::accounts::Known;
use super::data::Version;
use super::database::{Write, params};
use super::deliveries::NewDelivery;
use super::entry::AuditEntry;
use super::error::{Record, StorageError};
use super::outbox::{MailId, NewMail};
use super::queue::Lease;
use super::quotas::Quotas;
use super::records::RecordKey;
use super::store::{Own, Rows, Store};
use super::tasks::NewTask;
use keyturn_core::accounts::{AccountId, Why};
use std::collections::BTreeSet;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a call saw, to be still so when it commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A key of the plugin's data; none: absent. Judged by the call's own `now`, so that an end in between is no change.
    Data {
        /// The key.
        key: String,
        /// What was there.
        version: Option<Version>,
    },
    /// An account, whole: fields, manager, hash and epoch. None: there was none.
    Account {
        /// Its name.
        id: AccountId,
        /// What was seen.
        seen: Option<Box<Known>>,
    },
    /// Where the latest attempt of a mail went.
    Mail {
        /// The mail.
        id: MailId,
        /// MAC of the address; none: no attempt was made.
        address: Option<Vec<u8>>,
    },
}

/// What a call asks for.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Writes a key of the plugin's data.
    Put {
        /// 1 to 200 bytes.
        key: String,
        /// At most 64 KiB, sealed by the storage.
        value: Zeroizing<Vec<u8>>,
        /// Unix milliseconds from which it reads as absent.
        expires: Option<i64>,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: String,
    },
    /// Lets a counter begin anew, under every window.
    Forget {
        /// The counter's key.
        key: String,
    },
    /// Writes an account's hash.
    Replace {
        /// The account.
        id: AccountId,
        /// The PHC or crypt(3) string.
        hash: String,
        /// New password or new form.
        why: Why,
        /// The session epoch that holds afterwards; with [`Why::Upgrade`], the one that was read.
        epoch: String,
    },
    /// Queues a mail.
    Send(Box<NewMail>),
    /// Ends a mail that has not gone, and wipes what it carries.
    Withdraw {
        /// Which; of this plugin.
        id: MailId,
    },
    /// Leaves a task behind: a job, or an event for one who listens.
    Enqueue(Box<NewTask>),
    /// Leaves an event behind for a destination of the operator's.
    Deliver(Box<NewDelivery>),
}

/// Everything that is written when a call has succeeded, together or not at all.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The plugin, as the operator named it.
    pub plugin: String,
    /// The time of the call, Unix milliseconds.
    pub now: i64,
    /// What must still be so.
    pub reads: Vec<Read>,
    /// What to write, in order.
    pub effects: Vec<Effect>,
    /// The audit entry.
    pub audit: Option<AuditEntry>,
    /// The idempotency record, with its key.
    pub record: Option<(RecordKey, Record)>,
    /// What the plugin may keep.
    pub quotas: Quotas,
    /// The task that this ends, if it is one's.
    pub task: Option<Lease>,
    /// What may be used only once, with whose it is: kept for a day, if there are effects.
    pub once: Option<String>,
}

impl Commit {
    /// These effects and nothing else: nothing is checked, written down or bounded.
    #[must_use]
    pub fn bare(plugin: &str, now: i64, effects: Vec<Effect>) -> Self {
        Self {
            plugin: plugin.to_owned(),
            now,
            reads: Vec::new(),
            effects,
            audit: None,
            record: None,
            quotas: Quotas::NONE,
            task: None,
            once: None,
        }
    }
}

impl Store {
    /// Checks the reads, writes everything, and answers when it is on the disk. A busy database is tried again, the
    /// guest is not.
    ///
    /// # Errors
    /// [`StorageError::Changed`], [`StorageError::Recorded`], [`StorageError::Replayed`], [`StorageError::LeaseLost`], [`StorageError::Limit`],
    /// [`StorageError::Busy`] after all tries; in these nothing was written. [`StorageError::Indeterminate`] if the engine
    /// went away in the commit.
    pub fn commit(&self, commit: Commit) -> Result<(), StorageError> {
        self.time_goes_on(commit.now);
        let alone = commit.effects.iter().any(|effect| matches!(effect, Effect::Replace { .. }));
        let (commit, own) = (Arc::new(commit), Arc::clone(&self.own));
        let forgets = commit.effects.iter().any(|effect| matches!(effect, Effect::Forget { .. }));
        let done = forgets.then(|| {
            let (commit, own) = (Arc::clone(&commit), Arc::clone(&self.own));
            Box::new(move || own.forget(&commit)) as Box<dyn Fn() + Send>
        });
        self.database.write(Write { work: Box::new(move |db| own.rows(db).apply(&commit)), done, alone })
    }

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

impl Own {
    fn forget(&self, commit: &Commit) {
        for effect in &commit.effects {
            if let Effect::Forget { key } = effect {
                self.counters.forget(&commit.plugin, key);
            }
        }
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
        self.hold(&commit.effects)?;
        if let Some((key, _)) = &commit.record
            && let Some(existing) = self.record(key, commit.now)?
        {
            return Err(StorageError::Recorded(existing));
        }
        if let Some(once) = commit.once.as_ref().filter(|_| !commit.effects.is_empty()) {
            self.use_once(once, commit.now)?;
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

    /// Locks the accounts that are to be written, always in the same order.
    fn hold(&self, effects: &[Effect]) -> Result<(), StorageError> {
        let written = effects.iter().filter_map(|effect| match effect {
            Effect::Replace { id, .. } => Some(id),
            _ => None,
        });
        let written: BTreeSet<&str> = written.map(AccountId::as_str).collect();
        written.into_iter().filter_map(|id| id.parse().ok()).try_for_each(|id| self.provider.hold(self.db, &id))
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
