//! The store: what a call reads and what it commits, on whatever engine.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::counters::{Bound, Counted, Counters};
use super::database::{Connection, Database, Upkeep, Work, Write};
use super::error::StorageError;
use super::hosts::Presence;
use super::provider::Provider;
use super::tally::Tally;
use keyturn_core::accounts::{AccountId, Matched};
use keyturn_core::seal::{Keys, NONCE};

/// Rows of a table removed in one transaction at most.
const TIDIED: u32 = 500;
/// No call came since it was last tidied.
const NEVER: i64 = i64::MIN;

/// How the store keeps what is its own. The defaults suit a panel of any size.
#[derive(Debug, Clone, Copy)]
pub struct Keeps {
    /// Counters that one plugin may have at once. Default: 100,000.
    pub counters: usize,
    /// How long the audit's entries stay. Default: 730 days.
    pub audit: Duration,
    /// Lines of the audit that only count which stay, the newest. Default: 100,000.
    pub counted: u32,
}

impl Default for Keeps {
    fn default() -> Self {
        Self { counters: 100_000, audit: Duration::from_secs(730 * 24 * 3600), counted: 100_000 }
    }
}

/// The database beside the panel. Every method may block on the disk. Dropping it closes it.
pub struct Store {
    pub(super) database: Box<dyn Database>,
    pub(super) own: Arc<Own>,
}

/// What the store has beside the database.
pub(super) struct Own {
    pub(super) keys: Arc<Keys>,
    provider: Arc<dyn Provider>,
    pub(super) counters: Counters,
    pub(super) presence: Presence,
    tally: Tally,
    pub(super) audit_stays: i64,
    pub(super) counted_stay: u32,
    /// The last call's instant, Unix milliseconds: tidying has no clock of its own.
    latest: AtomicI64,
}

impl Own {
    pub(super) fn rows<'a>(&'a self, db: &'a dyn Connection) -> Rows<'a> {
        Rows { db, keys: &self.keys, provider: &*self.provider }
    }
}

/// What every statement needs. They run in whatever snapshot or transaction the connection is in.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub db: &'a dyn Connection,
    pub keys: &'a Keys,
    pub provider: &'a dyn Provider,
}

impl<'a> Deref for Rows<'a> {
    type Target = dyn Connection + 'a;

    fn deref(&self) -> &Self::Target {
        self.db
    }
}

impl Store {
    /// On the database that `open` opens; that lets the [`Upkeep`] work.
    ///
    /// # Errors
    /// What `open` answers.
    pub fn new(
        keys: Arc<Keys>,
        provider: Arc<dyn Provider>,
        keeps: Keeps,
        open: impl FnOnce(Arc<dyn Upkeep>) -> Result<Box<dyn Database>, StorageError>,
    ) -> Result<Self, StorageError> {
        let own = Arc::new(Own {
            keys,
            provider,
            counters: Counters::new(keeps.counters),
            presence: Presence::default(),
            tally: Tally::default(),
            audit_stays: i64::try_from(keeps.audit.as_millis()).unwrap_or(i64::MAX),
            counted_stay: keeps.counted,
            latest: AtomicI64::new(NEVER),
        });
        let upkeep: Arc<dyn Upkeep> = Arc::clone(&own) as _;
        Ok(Self { database: open(upkeep)?, own })
    }

    /// Runs `read` on one snapshot of the database: for what only looks, such as a check of the panel's tables. It cannot
    /// write.
    ///
    /// # Errors
    /// [`StorageError`], also what `read` returns.
    pub fn read<T>(&self, read: impl FnOnce(&dyn Connection) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let (mut read, mut found) = (Some(read), None);
        self.database.read(&mut |db| {
            if let Some(read) = read.take() {
                found = Some(read(db)?);
            }
            Ok(())
        })?;
        found.ok_or(StorageError::Busy)
    }

    pub(super) fn rows<T>(&self, read: impl FnOnce(Rows<'_>) -> Result<T, StorageError>) -> Result<T, StorageError> {
        self.read(|db| read(self.own.rows(db)))
    }

    /// Reads with one statement.
    pub(super) fn ask<T>(&self, read: impl Fn(Rows<'_>) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let found = RefCell::new(None);
        self.database.ask(&|db| {
            found.replace(Some(read(self.own.rows(db))?));
            Ok(())
        })?;
        found.into_inner().ok_or(StorageError::Busy)
    }

    /// Writes what is no call's.
    pub(super) fn write<T: Send + 'static>(
        &self,
        write: impl Fn(Rows<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (wrote, own) = (Arc::new(Mutex::new(None)), Arc::clone(&self.own));
        let last = Arc::clone(&wrote);
        let work = move |db: &dyn Connection| {
            let done = write(own.rows(db))?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            Ok(())
        };
        self.database.write(Write { work: Box::new(work), done: None, alone: false, tells_twice: false })?;
        let done = wrote.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.ok_or(StorageError::Indeterminate)
    }

    /// What ran out by then is removed although nobody calls.
    pub(super) fn time_goes_on(&self, now: i64) {
        self.own.latest.store(now, Ordering::Relaxed);
    }

    /// Removes at most `most` rows of each table whose time is over by `now`, Unix milliseconds, as the upkeep does; answers how
    /// many of the table that had the most.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn tidy(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        self.write(move |rows| rows.remove_ended(now, most))
    }

    /// Whether what is written goes where the panel reads it. To be asked before something is done outside that cannot be
    /// taken back.
    ///
    /// # Errors
    /// [`StorageError::Replaced`].
    pub fn in_place(&self) -> Result<(), StorageError> {
        self.database.in_place()
    }

    /// Commits what waits, writes the counters and tidies up. Later commits fail; reads go on.
    pub fn shutdown(&self) {
        self.stops();
        self.database.close();
    }

    /// The realms of the panel's accounts.
    #[must_use]
    pub fn realms(&self) -> Vec<String> {
        self.own.provider.realms().into_iter().map(str::to_owned).collect()
    }

    /// See [`Provider::knows_managers`].
    #[must_use]
    pub fn knows_managers(&self, realm: &str) -> bool {
        self.own.provider.knows_managers(realm)
    }

    /// See [`Provider::find`]. Of several accounts with one address, those come first that have had it longest, as far as the host has
    /// seen it; then those that it hasn't seen with it, older ones first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn find(&self, typed: &str, realms: &[&str], limit: usize) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        self.rows(|rows| rows.find(typed, realms, limit))
    }

    /// Open sessions; none where the panel cannot say.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sessions(&self, id: &AccountId) -> Result<Option<u32>, StorageError> {
        self.read(|db| self.own.provider.sessions(db, id))
    }

    /// Whether the provider takes this hash; the sentence says what not.
    ///
    /// # Errors
    /// One sentence.
    pub fn accepts(&self, realm: &str, hash: &str) -> Result<(), String> {
        self.own.provider.accepts(realm, hash)
    }

    /// Adds one to each counter at once, if all have room; else to none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn count(&self, plugin: &str, bounds: &[Bound], now: i64) -> Result<Counted, StorageError> {
        let counters = &self.own.counters;
        if self.database.is_shared()
            && let Some(stale) = counters.stale(plugin, bounds, now)
        {
            let written = self.ask(|rows| rows.counters_named(plugin, &stale.bounds, now))?;
            counters.refresh(plugin, &stale, &written, now);
        }
        counters.count(plugin, bounds, now, || self.ask(|rows| rows.counters(plugin, now)))
    }

    /// Counts one more of an entry as [`super::entry::AuditEntry::counted`] makes it, in memory; it is written behind, as counters are.
    pub fn tally(&self, counted: super::entry::AuditEntry) {
        self.own.tally.add(counted);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Upkeep for Own {
    /// A failure concerns no caller: what was added stays in memory and is tried again.
    fn write_behind(&self, transaction: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) {
        self.give_sign(transaction);
        let (counts, tallied) = (self.counters.take_unwritten(), self.tally.take_unwritten());
        if counts.is_empty() && tallied.is_empty() {
            return;
        }
        let write = |db: &dyn Connection| {
            let rows = self.rows(db);
            rows.write_counts(&counts).and_then(|()| rows.add_tallied(&tallied))
        };
        match transaction(&write) {
            Ok(()) => self.counters.has_moved(&counts),
            Err(error) => {
                tracing::warn!(%error, "can't write counters yet");
                self.counters.give_back(counts);
                self.tally.give_back(tallied);
            }
        }
    }

    fn tidy(&self, transaction: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) -> bool {
        let now = self.latest.load(Ordering::Relaxed);
        if now == NEVER {
            return false;
        }
        self.counters.tidy(now);
        let removed = std::cell::Cell::new(0);
        let remove = |db: &dyn Connection| {
            let rows = self.rows(db);
            // By a clock that is ahead, what other hosts still need would be over.
            if !rows.clock()?.is_off() {
                removed.set(rows.remove_ended(now, TIDIED)?);
            }
            Ok(())
        };
        match transaction(&remove) {
            Ok(()) if removed.get() == 0 => {
                // Time goes on with the next call; until then there is nothing to look for.
                let _ = self.latest.compare_exchange(now, NEVER, Ordering::Relaxed, Ordering::Relaxed);
            }
            Ok(()) => return removed.get() >= TIDIED as usize,
            Err(StorageError::Busy) => {}
            Err(error) => tracing::warn!(%error, "can't delete expired rows yet"),
        }
        false
    }

    fn look_ahead(&self, read: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) {
        if self.provider.realms().is_empty() {
            return;
        }
        match read(&|db: &dyn Connection| self.provider.look_ahead(db)) {
            Ok(()) | Err(StorageError::Busy) => {}
            // Calls that need it are told.
            Err(error) => tracing::debug!(%error, "can't read ahead yet"),
        }
    }
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
