//! An account as the host knows it: as the panel has it, with the epoch of its sessions.

use super::database::params;
use super::epoch::{self, Kept};
use super::error::StorageError;
use super::store::{Rows, Store};
use keyturn_core::accounts::{Account, AccountId, Why};

/// An account and the epoch of its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The account.
    pub account: Account,
    /// Its session epoch: opaque, changes with each new password, whoever set it.
    pub epoch: String,
}

impl Store {
    /// One account with its epoch; none if there is none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn account(&self, id: &AccountId) -> Result<Option<Known>, StorageError> {
        self.rows(|rows| rows.known(id))
    }
}

impl Rows<'_> {
    pub fn known(&self, id: &AccountId) -> Result<Option<Known>, StorageError> {
        let Some(account) = self.provider.account(self.db, id)? else {
            return Ok(None);
        };
        let epoch = self.epoch(&account)?;
        Ok(Some(Known { account, epoch }))
    }

    fn epoch(&self, account: &Account) -> Result<String, StorageError> {
        let kept = self.one(
            "SELECT epoch, hash_mac FROM keyturnhost_epochs WHERE account = ?1",
            params![account.id.as_str()],
            |row| Ok(Kept { epoch: row.get(0)?, fit: row.get(1)? }),
        )?;
        Ok(epoch::effective(self.keys, &account.id, account.hash.as_deref(), kept.as_ref()))
    }

    pub fn replace(&self, id: &AccountId, hash: &str, why: Why, epoch: &str, now: i64) -> Result<(), StorageError> {
        self.provider.replace(self.db, id, hash, why, now)?;
        let doing = || format!("replacing the hash of an account in realm {}", id.realm());
        if !self.goes_on() {
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
        self.change(
            "INSERT INTO keyturnhost_epochs (account, epoch, hash_mac) VALUES (?1, ?2, ?3)
             ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, hash_mac = excluded.hash_mac",
            params![id.as_str(), epoch, epoch::fit(self.keys, id, epoch, Some(hash))],
        )
    }
}
