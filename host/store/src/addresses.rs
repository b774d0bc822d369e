//! The addresses that the host has seen on file, so that whoever had one can be told when the account has another. Sealed for
//! their account and its manager: who comes to manage an account, or makes one under the key of one that is gone, learns nothing
//! of the addresses before. A row that does not open is as good as none.
//!
//! Of several accounts with one address, whoever has had it longest comes first: nobody takes an address from its owner by writing
//! it to an account of their own.

use zeroize::Zeroizing;

use super::database::params;
use super::error::StorageError;
use super::store::{Rows, Store};
use keyturn_core::accounts::{Account, AccountId, Field, Matched};
use keyturn_core::fold::fold;
use keyturn_mail::address;

/// How long the address before is kept after the change was seen, in milliseconds: 30 days.
const BEFORE_STAYS: i64 = 30 * 24 * 3600 * 1000;

/// The addresses of an account that the host has seen on file. Each may be empty: there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAddress {
    /// The one that it saw last.
    pub seen: Zeroizing<String>,
    /// The one before that, for 30 days, and until its holder is told.
    pub before: Option<Zeroizing<String>>,
    /// Since when, Unix milliseconds, in whatever spelling; none: since before the host wrote it down.
    pub since: Option<i64>,
}

impl SeenAddress {
    /// Whom to tell as the holder of the address before, if this one is on file now (empty: none that can be used). One who was
    /// not told of an earlier change comes first: nobody may be skipped by an address in between.
    #[must_use]
    pub fn before_if(&self, on_file: &str) -> Option<&str> {
        let other = |address: &&str| !address.is_empty() && *address != on_file;
        let untold = self.before.as_ref().map(|before| before.as_str()).filter(other);
        untold.or_else(|| Some(self.seen.as_str()).filter(other))
    }
}

impl Store {
    /// What was seen of an account's address; none: nothing so far. A commit sees those of the accounts that it has read.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn seen_address(&self, id: &AccountId) -> Result<Option<SeenAddress>, StorageError> {
        self.rows(|rows| rows.seen_address(id))
    }
}

impl Rows<'_> {
    /// What was seen of an account's address under its present manager; none: nothing so far.
    pub fn seen_address(&self, id: &AccountId) -> Result<Option<SeenAddress>, StorageError> {
        let account = self.provider.account(self.db, id)?;
        account.map_or(Ok(None), |account| self.seen_address_of(&account))
    }

    fn seen_address_of(&self, account: &Account) -> Result<Option<SeenAddress>, StorageError> {
        let id = &account.id;
        let row = self.one(
            "SELECT seen, before, since FROM keyturnhost_addresses WHERE account = ?1",
            params![id.as_str()],
            |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<Option<Vec<u8>>>(1)?, row.get(2)?)),
        )?;
        let open = |part: &str, sealed: &[u8]| {
            let opened = self.keys.open_sealed(&place(part, account), sealed).ok()?;
            std::str::from_utf8(&opened).ok().map(|address| Zeroizing::new(address.to_owned()))
        };
        Ok(row.and_then(|(seen, before, since)| {
            let before = before.and_then(|before| open("before", &before));
            Some(SeenAddress { seen: open("seen", &seen)?, before, since })
        }))
    }

    /// Notes the address that an account has. Writes only where it is another one than was seen last.
    pub fn see(&self, account: &Account, now: i64) -> Result<(), StorageError> {
        let on_file = on_file(account);
        let known = self.seen_address_of(account)?;
        let seen = known.as_ref().map(|known| known.seen.as_str());
        if seen == Some(on_file) || (seen.is_none() && on_file.is_empty()) {
            return Ok(());
        }
        // The same in another spelling is no other address.
        let since = match &known {
            Some(known) if fold(&known.seen) == fold(on_file) => known.since,
            _ => Some(now),
        };
        let seal = |part, address: &str| self.keys.seal(&place(part, account), address.as_bytes());
        let before = known.as_ref().and_then(|known| known.before_if(on_file)).map(|before| seal("before", before));
        self.change(
            "INSERT INTO keyturnhost_addresses (account, seen, before, changed, since) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (account) DO UPDATE
             SET seen = excluded.seen, before = excluded.before, changed = excluded.changed, since = excluded.since",
            params![account.id.as_str(), seal("seen", on_file), before, before.is_some().then_some(now), since],
        )
    }

    /// See [`super::Provider::find`]; but of several accounts with the address that was typed, those first that have had it longest.
    pub fn find(&self, typed: &str, realms: &[&str], limit: usize) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        let mut found = self.provider.find(self.db, typed, realms, limit)?;
        let by_email = found.partition_point(|(_, by)| *by == Matched::Login);
        if found.len() - by_email > 1 {
            let several = found.split_off(by_email).into_iter();
            let dated = several.map(|one| Ok((self.had_since(&one.0)?.unwrap_or(i64::MAX), one)));
            let mut dated = dated.collect::<Result<Vec<_>, StorageError>>()?;
            dated.sort_by_key(|(since, _)| *since);
            found.extend(dated.into_iter().map(|(_, one)| one));
        }
        Ok(found)
    }

    /// Since when the host has seen an account with the address that it has now. None: it has not seen it with that one.
    fn had_since(&self, id: &AccountId) -> Result<Option<i64>, StorageError> {
        let Some(account) = self.provider.account(self.db, id)? else { return Ok(None) };
        let seen = self.seen_address_of(&account)?;
        let seen = seen.filter(|seen| !seen.seen.is_empty() && *seen.seen == on_file(&account));
        Ok(seen.map(|seen| seen.since.unwrap_or(i64::MIN)))
    }

    /// A mail to the address before is queued: it is told once. Not where that is another one by now, or was told.
    pub fn take_address_before(&self, id: &AccountId, address: &str) -> Result<(), StorageError> {
        let before = self.seen_address(id)?.and_then(|known| known.before);
        if before.is_none_or(|before| *before != address) {
            return Err(StorageError::Changed);
        }
        self.change(
            "UPDATE keyturnhost_addresses SET before = NULL, changed = NULL WHERE account = ?1",
            params![id.as_str()],
        )
    }

    /// Lets go of addresses that were replaced long ago, at most `most`; answers of how many.
    pub fn tidy_addresses(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        let ended = self.execute(
            "UPDATE keyturnhost_addresses SET before = NULL, changed = NULL WHERE account IN (SELECT account FROM (
                SELECT account FROM keyturnhost_addresses WHERE changed <= ?1 ORDER BY changed LIMIT ?2) AS ended)",
            params![now.saturating_sub(BEFORE_STAYS), most],
        )?;
        Ok(ended as usize)
    }
}

/// The address that an account has; empty: none that can be used.
fn on_file(account: &Account) -> &str {
    account.value(Field::Email).filter(|address| address::check(address).is_ok()).unwrap_or_default()
}

fn place<'a>(part: &'a str, account: &'a Account) -> [&'a str; 5] {
    let manager = account.manager.as_deref().unwrap_or_default();
    ["keyturnhost_addresses", part, account.id.as_str(), account.manager_realm.as_deref().unwrap_or_default(), manager]
}
