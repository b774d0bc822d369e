//! The audit log: entries of the embedder, lists, deletion.

use keyturn_core::accounts::AccountId;
use keyturn_core::caller::{Caller, OWN};
use keyturn_core::time::now;
use keyturn_store::{AuditEntry, AuditFilter, Commit, Role, StorageError};

use crate::runtime::Runtime;

/// Entries that one transaction deletes.
const PRUNED: u32 = 500;

impl Runtime {
    /// Writes an entry about what the embedder itself did to an account, such as ending its sessions. `operation` is one word
    /// of a-z and -, which no operation of a plugin has.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn write_down(&self, caller: &Caller, operation: &str, account: &AccountId) -> Result<(), StorageError> {
        let entry = AuditEntry::of(caller, now(), OWN, operation, "done".to_owned());
        self.enter(AuditEntry { subjects: vec![(account.clone(), Role::Subject)], ..entry })
    }

    /// Writes an entry of the host's own into the audit, and nothing else.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn enter(&self, entry: AuditEntry) -> Result<(), StorageError> {
        self.storage.commit(Commit { audit: Some(entry), ..Commit::bare(OWN, now(), Vec::new()) })
    }

    /// Audit entries, newest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, AuditEntry)>, StorageError> {
        self.storage.audit(filter)
    }

    /// Deletes audit entries older than `before`, Unix milliseconds, and records who did it. It works in small steps, so that
    /// no commit waits for it. Returns the number of deleted entries. An entry stays if it is newer, or changed from outside, and so
    /// do all that came after it.
    ///
    /// # Errors
    /// [`StorageError`]; what was deleted before it stays deleted.
    pub fn prune_audit(&self, caller: &Caller, before: i64) -> Result<u64, StorageError> {
        self.storage.chain_audit(|| true)?;
        let mut gone = 0;
        loop {
            let step = self.storage.prune_audit(before, PRUNED)?;
            gone += step;
            if step == 0 {
                break;
            }
        }
        if gone > 0 {
            let outcome =
                format!("done: {gone} before {}", jiff::Timestamp::from_millisecond(before).unwrap_or_default());
            self.enter(AuditEntry::of(caller, now(), OWN, "audit-prune", outcome))?;
        }
        Ok(gone)
    }
}
