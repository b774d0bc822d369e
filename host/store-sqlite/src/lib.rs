//! SQLite, in the panel's own file: one thread writes, a few connections read, each read one snapshot.

mod addresses;
mod audit;
pub mod connection;
mod deliveries;
mod keys;
pub mod lock;
mod outbox;
mod place;
mod rows;
mod schema;
mod settings;
mod tasks;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use connection::Readers;
use place::Place;
use rows::Rows;
use serde::Deserialize;
use writer::{Job, Work, Writer};
use zeroize::Zeroizing;

use crate::lock::{LockError, ServerLock};
use keyturn_core::accounts::{AccountId, Matched};
use keyturn_core::seal::Keys;
use keyturn_store::Provider;
use keyturn_store::counters::Counters;
use keyturn_store::deliveries::{
    Deliveries, Delivery, DeliveryFilter, DeliveryId, DeliveryState, LeasedDelivery, Noted, SettledDelivery,
};
use keyturn_store::keys::ServiceKeys;
use keyturn_store::keys::StoredKey;
use keyturn_store::outbox::{Filling, LeasedMail, Mail, MailFilter, MailId, MailState, Mend, Outbox, Settled};
use keyturn_store::settings::{Group, NewSecret, Settings};
use keyturn_store::tally::Tally;
use keyturn_store::tasks::{Beat, Due, Lease, LeasedTask, Task, TaskCount, Tasks};
use keyturn_store::{
    AuditEntry, AuditFilter, Bound, Commit, Counted, Known, Outdated, Read, Record, RecordKey, SeenAddress, Sql,
    Storage, StorageError, Version,
};

/// How the file is used. The defaults suit a panel of any size.
#[derive(Debug, Clone)]
pub struct Options {
    /// Makes the file where there is none. Default: yes.
    pub create: bool,
    /// What becomes of the journal mode of a file that is there. Default: it stays.
    pub journal: Journal,
    /// For a command that works beside a server, or without one: the server's lock is not taken. Default: no, since one
    /// database has one server.
    pub beside_server: bool,
    /// Connections that read, at most. Default: 4.
    pub readers: usize,
    /// How long a commit waits for another program's lock before it is [`StorageError::Busy`]. Default: 5 s.
    pub busy: Duration,
    /// Whether calls that wait at the same time share one wait for the disk. Default: yes.
    pub group_commit: bool,
    /// Counters that one plugin may have at once. Default: 100,000.
    pub counters: usize,
    /// How long the audit's entries stay. Default: 730 days.
    pub audit_stays: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: true,
            journal: Journal::default(),
            beside_server: false,
            readers: 4,
            busy: Duration::from_secs(5),
            group_commit: true,
            counters: 100_000,
            audit_stays: Duration::from_secs(730 * 24 * 3600),
        }
    }
}

/// What becomes of the journal mode of a file that is not the host's own. One that the host makes is in WAL mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Journal {
    /// It stays as the panel has it.
    #[default]
    Keep,
    /// The file is turned to WAL and stays so: readers and a writer do not wait for each other then, and nobody who may only
    /// read the file can open it any more, unless somebody who may write has it open.
    Wal,
}

/// What was found in a file that was opened to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whether it is in WAL mode.
    pub wal: bool,
    /// The version of the host's tables in it; none: there are none.
    pub version: Option<usize>,
    /// The version that the next start makes of them.
    pub newest: usize,
}

/// A [`Storage`] on SQLite. Dropping it shuts it down.
pub struct Sqlite {
    readers: Readers,
    keys: Arc<Keys>,
    provider: Arc<dyn Provider>,
    counters: Arc<Counters>,
    tally: Arc<Tally>,
    busy: Duration,
    jobs: RwLock<Option<Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    place: Arc<Place>,
    /// Why there is no writer.
    closed: &'static str,
    // Last, so that it is held until everything else is closed.
    _lock: Option<ServerLock>,
}

impl Sqlite {
    /// Opens the panel's database and prepares the host's tables `keyturnhost_*` in it. `path` names a file: every
    /// connection opens it anew, and no other file is ever taken for it.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be opened, or was written by a newer version of the host; [`StorageError::OtherKey`];
    /// [`StorageError::Served`].
    pub fn open(
        path: &Path,
        keys: Arc<Keys>,
        provider: Arc<dyn Provider>,
        options: Options,
    ) -> Result<Self, StorageError> {
        let mut lock = (!options.beside_server).then(|| ServerLock::take(path)).transpose().map_err(not_locked)?;
        let (db, place) = connection::open_writer(path, options.create, options.journal)?;
        schema::migrate(&db)?;
        schema::check_key(&db, &keys)?;
        let wal = |db| connection::journal_mode(db).map(|mode| mode == connection::WAL);
        if wal(&db).map_err(|cause| connection::failed("opening the database", &cause))? {
            place.watch_log();
        }
        if let Some(Err(cause)) = lock.as_mut().map(|lock| lock.note(&place.note())) {
            return Err(StorageError::Failed {
                doing: "noting which file is served".to_owned(),
                cause: cause.to_string(),
            });
        }
        // From here on the writer waits itself, as long as each call allows.
        db.busy_timeout(Duration::ZERO).map_err(|cause| connection::failed("opening the database", &cause))?;
        let (counters, tally) = (Arc::new(Counters::new(options.counters)), Arc::new(Tally::default()));
        let (jobs, waiting): (_, Receiver<Job>) = channel();
        let place = Arc::new(place);
        let (readers, busy) = (Readers::new(path, Arc::clone(&place), options.readers, false), options.busy);
        let writer = Writer {
            db,
            place: Arc::clone(&place),
            keys: keys.clone(),
            provider: provider.clone(),
            counters: counters.clone(),
            tally: tally.clone(),
            options,
            now: None,
        };
        let writer =
            std::thread::Builder::new().name("keyturn-writer".to_owned()).spawn(move || writer.run(&waiting)).map_err(
                |cause| StorageError::Failed { doing: "starting the writer".to_owned(), cause: cause.to_string() },
            )?;
        let (jobs, writer) = (RwLock::new(Some(jobs)), Mutex::new(Some(writer)));
        let closed = "the database was shut down; restart the host";
        Ok(Self { readers, keys, provider, counters, tally, busy, jobs, writer, place, closed, _lock: lock })
    }

    /// Opens the panel's database for somebody who only looks: it stays as it is to the last byte, nothing is made beside it,
    /// and commits fail. The host's tables are seen as the next start would have them.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn look(path: &Path, keys: Arc<Keys>, provider: Arc<dyn Provider>) -> Result<(Self, Found), StorageError> {
        let options = Options::default();
        let ((db, found), place) = Place::opened(path, || connection::open_to_look(path))?;
        schema::looks_like_key(&db, &keys)?;
        let place = Arc::new(place);
        let readers = Readers::new(path, Arc::clone(&place), options.readers, true);
        let (counters, tally, busy) = (Arc::new(Counters::new(options.counters)), Arc::default(), options.busy);
        let (jobs, writer) = Default::default();
        let closed = "the database was opened read-only";
        Ok((Self { readers, keys, provider, counters, tally, busy, jobs, writer, place, closed, _lock: None }, found))
    }

    /// Goes on with other keys where the former ones are lost: whatever those have sealed is void, and every session ends.
    /// Passwords and the audit stay.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn replace_key(path: &Path, keys: &Keys) -> Result<(), StorageError> {
        let (db, _) = connection::open_writer(path, false, Journal::Keep)?;
        schema::migrate(&db)?;
        schema::replace_key(&db, keys)
    }

    /// Runs `read` on one snapshot of the database: for what only looks, such as [`keyturn_accounts::Sql::check`].
    /// It cannot write.
    ///
    /// # Errors
    /// [`StorageError`], also what `read` returns.
    pub fn read<T>(&self, read: impl FnOnce(&dyn Sql) -> Result<T, StorageError>) -> Result<T, StorageError> {
        self.readers.snapshot(|db| read(db))
    }

    /// Commits what waits, writes the counters and tidies the file. Later commits fail; reads go on.
    pub fn shutdown(&self) {
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the database's writer panicked");
        }
    }

    /// Hands something to the writer, and waits until it is on the disk.
    fn written(&self, work: Work, now: Option<i64>) -> Result<(), StorageError> {
        let (answer, answered) = sync_channel(1);
        let job = Job { work, now, until: Instant::now() + self.busy, answer };
        let closed = || StorageError::Failed { doing: "committing".to_owned(), cause: self.closed.to_owned() };
        {
            let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
            jobs.as_ref().ok_or_else(closed)?.send(job).map_err(|_| closed())?;
        }
        // A writer that ended without an answer may have committed before.
        answered.recv().unwrap_or(Err(StorageError::Indeterminate))
    }

    /// Writes what is no call's, under a savepoint like one.
    fn write<T: Send + 'static>(
        &self,
        now: Option<i64>,
        write: impl Fn(Rows<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let wrote = Arc::new(Mutex::new(None));
        let last = Arc::clone(&wrote);
        let own = move |rows: Rows<'_>| {
            let done = write(rows)?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            Ok(())
        };
        self.written(Work::Own(Box::new(own)), now)?;
        let done = wrote.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.ok_or(StorageError::Indeterminate)
    }

    fn rows<T>(&self, read: impl FnOnce(Rows<'_>) -> Result<T, StorageError>) -> Result<T, StorageError> {
        self.readers.snapshot(|db| read(Rows { db, keys: &self.keys, provider: &*self.provider }))
    }
}

fn not_locked(cause: LockError) -> StorageError {
    match cause {
        LockError::Taken { .. } => StorageError::Served(cause.to_string()),
        LockError::File { .. } => {
            StorageError::Failed { doing: "taking the server's lock".to_owned(), cause: cause.to_string() }
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Storage for Sqlite {
    fn realms(&self) -> Vec<String> {
        self.provider.realms().into_iter().map(str::to_owned).collect()
    }

    fn in_place(&self) -> Result<(), StorageError> {
        self.place.still()
    }

    fn knows_managers(&self, realm: &str) -> bool {
        self.provider.knows_managers(realm)
    }

    fn find(&self, typed: &str, realms: &[&str], limit: usize) -> Result<Vec<(AccountId, Matched)>, StorageError> {
        self.readers.snapshot(|db| self.provider.find(db, typed, realms, limit))
    }

    fn account(&self, id: &AccountId) -> Result<Option<Known>, StorageError> {
        self.rows(|rows| rows.known(id))
    }

    fn seen_address(&self, id: &AccountId) -> Result<Option<SeenAddress>, StorageError> {
        self.rows(|rows| rows.seen_address(id))
    }

    fn sessions(&self, id: &AccountId) -> Result<Option<u32>, StorageError> {
        self.readers.snapshot(|db| self.provider.sessions(db, id))
    }

    fn accepts(&self, realm: &str, hash: &str) -> Result<(), String> {
        self.provider.accepts(realm, hash)
    }

    fn get(&self, plugin: &str, key: &str, now: i64) -> Result<Option<(Vec<u8>, Version)>, StorageError> {
        self.rows(|rows| rows.get(plugin, key, now))
    }

    fn scan(
        &self,
        plugin: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        now: i64,
    ) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        self.rows(|rows| rows.scan(plugin, prefix, after, limit, now))
    }

    fn count(&self, plugin: &str, bounds: &[Bound], now: i64) -> Result<Counted, StorageError> {
        self.counters.count(plugin, bounds, now, || self.rows(|rows| rows.counters(plugin, now)))
    }

    fn record(&self, key: &RecordKey, now: i64) -> Result<Option<Record>, StorageError> {
        self.rows(|rows| rows.record(key, now))
    }

    fn still(&self, plugin: &str, reads: &[Read], now: i64) -> Result<bool, StorageError> {
        self.rows(|rows| {
            for read in reads {
                if !rows.still(plugin, read, now)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn commit(&self, commit: Commit) -> Result<(), StorageError> {
        let now = Some(commit.now);
        self.written(Work::Call(Box::new(commit)), now)
    }

    fn mend(&self, mend: Mend, ids: &[MailId], audit: AuditEntry) -> Result<Vec<MailId>, StorageError> {
        let ids = ids.to_vec();
        self.write(None, move |rows| rows.mend(mend, &ids, &audit))
    }

    fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, AuditEntry)>, StorageError> {
        self.rows(|rows| rows.audit(filter))
    }

    fn tally(&self, counted: AuditEntry) {
        self.tally.add(counted);
    }

    fn audit_before(&self, before: i64) -> Result<Outdated, StorageError> {
        self.rows(|rows| rows.audit_before(before))
    }

    fn prune_audit(&self, before: i64, most: u32) -> Result<u64, StorageError> {
        self.write(None, move |rows| rows.prune_audit(before, most))
    }
}

impl Outbox for Sqlite {
    fn mail(&self, id: &MailId) -> Result<Option<Mail>, StorageError> {
        self.rows(|rows| rows.mail(id))
    }

    fn filling(&self, id: &MailId) -> Result<Option<Filling>, StorageError> {
        self.rows(|rows| rows.filling(id))
    }

    fn mails(&self, filter: &MailFilter) -> Result<Vec<Mail>, StorageError> {
        self.rows(|rows| rows.mails(filter))
    }

    fn mail_counts(&self) -> Result<Vec<(String, MailState, u64)>, StorageError> {
        self.rows(|rows| rows.mail_counts())
    }

    fn mails_lately(&self, plugin: &str, now: i64) -> Result<u64, StorageError> {
        self.rows(|rows| rows.mails_lately(plugin, now))
    }

    fn lease_mail(&self, most: u32, lease_ms: i64, operators: Option<&str>) -> Result<Vec<LeasedMail>, StorageError> {
        // Who looks first does not make the writer wait for the disk over nothing.
        if !self.due()?.mail {
            return Ok(Vec::new());
        }
        let operators = operators.map(str::to_owned);
        self.write(None, move |rows| rows.lease_mail(most, lease_ms, operators.as_deref()))
    }

    fn settle_mail(&self, lease: &Lease, settled: &Settled) -> Result<bool, StorageError> {
        let (lease, settled) = (lease.clone(), settled.clone());
        self.write(None, move |rows| rows.settle_mail(&lease, &settled))
    }

    fn settle_and_lease_mail(
        &self,
        lease: &Lease,
        settled: &Settled,
        lease_ms: i64,
        operators: Option<&str>,
    ) -> Result<(bool, Option<LeasedMail>), StorageError> {
        let (lease, settled, operators) = (lease.clone(), settled.clone(), operators.map(str::to_owned));
        self.write(None, move |rows| rows.settle_and_lease_mail(&lease, &settled, lease_ms, operators.as_deref()))
    }
}

impl Tasks for Sqlite {
    fn due(&self) -> Result<Due, StorageError> {
        self.rows(|rows| rows.due())
    }

    fn lease_tasks(&self, most: u32, lease_ms: i64) -> Result<Vec<LeasedTask>, StorageError> {
        if !self.due()?.task {
            return Ok(Vec::new());
        }
        self.write(None, move |rows| rows.lease_tasks(most, lease_ms))
    }

    fn settle_task(&self, lease: &Lease, again_in: Option<i64>, outcome: &str) -> Result<bool, StorageError> {
        let (lease, outcome) = (lease.clone(), outcome.to_owned());
        self.write(None, move |rows| rows.settle_task(&lease, again_in, &outcome))
    }

    fn tasks(&self, failed: bool, limit: u32) -> Result<Vec<Task>, StorageError> {
        self.rows(|rows| rows.tasks(failed, limit))
    }

    fn task_counts(&self) -> Result<Vec<TaskCount>, StorageError> {
        self.rows(|rows| rows.task_counts())
    }

    fn run_again(&self, ids: &[String], audit: AuditEntry) -> Result<Vec<String>, StorageError> {
        let ids = ids.to_vec();
        self.write(None, move |rows| rows.run_again(&ids, &audit))
    }

    fn beat(&self, leases: &[Lease], lease_ms: i64, now: i64) -> Result<(), StorageError> {
        let leases = leases.to_vec();
        self.write(Some(now), move |rows| rows.beat(&leases, lease_ms))
    }

    fn last_beat(&self) -> Result<Beat, StorageError> {
        self.rows(|rows| rows.last_beat())
    }
}

impl Deliveries for Sqlite {
    fn deliveries_due(&self, destinations: &[&str]) -> Result<bool, StorageError> {
        self.rows(|rows| rows.deliveries_due(destinations))
    }

    fn lease_delivery(
        &self,
        destination: &str,
        after: &str,
        lease_ms: i64,
    ) -> Result<Option<LeasedDelivery>, StorageError> {
        if !self.deliveries_due(&[destination])? {
            return Ok(None);
        }
        let (destination, after) = (destination.to_owned(), after.to_owned());
        self.write(None, move |rows| rows.lease_due_delivery(&destination, &after, lease_ms))
    }

    fn settle_delivery(&self, lease: &Lease, settled: &SettledDelivery) -> Result<bool, StorageError> {
        let (lease, settled) = (lease.clone(), settled.clone());
        self.write(None, move |rows| rows.settle_delivery(&lease, &settled))
    }

    fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StorageError> {
        self.rows(|rows| rows.delivery(id))
    }

    fn delivery_body(&self, id: &DeliveryId) -> Result<Option<String>, StorageError> {
        self.rows(|rows| rows.delivery_body(id))
    }

    fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StorageError> {
        self.rows(|rows| rows.deliveries(filter))
    }

    fn delivery_counts(&self) -> Result<Vec<(String, DeliveryState, u64)>, StorageError> {
        self.rows(|rows| rows.delivery_counts())
    }

    fn noted_destinations(&self) -> Result<Vec<(String, Noted)>, StorageError> {
        self.rows(|rows| rows.noted_destinations())
    }

    fn send_again(&self, ids: &[DeliveryId], audit: AuditEntry) -> Result<Vec<DeliveryId>, StorageError> {
        let ids = ids.to_vec();
        self.write(None, move |rows| rows.send_again(&ids, &audit))
    }

    fn enable_destination(&self, destination: &str, audit: AuditEntry) -> Result<bool, StorageError> {
        let destination = destination.to_owned();
        self.write(None, move |rows| rows.enable_destination(&destination, &audit))
    }
}

impl ServiceKeys for Sqlite {
    fn service_key(&self, id: &str) -> Result<Option<StoredKey>, StorageError> {
        self.rows(|rows| rows.service_key(id))
    }

    fn service_key_named(&self, name: &str) -> Result<Option<StoredKey>, StorageError> {
        self.rows(|rows| rows.service_key_named(name))
    }

    fn service_keys(&self) -> Result<Vec<StoredKey>, StorageError> {
        self.rows(|rows| rows.service_keys())
    }

    fn put_service_key(&self, key: &StoredKey, before: Option<&[u8]>, audit: AuditEntry) -> Result<bool, StorageError> {
        let (key, before) = (key.clone(), before.map(|before| Zeroizing::new(before.to_vec())));
        self.write(None, move |rows| {
            rows.put_service_key(&key, before.as_ref().map(|before| before.as_slice()), &audit)
        })
    }

    fn use_service_key(&self, id: &str, at: i64, apart_ms: i64, from: Option<&str>) -> Result<(), StorageError> {
        let (id, from) = (id.to_owned(), from.map(str::to_owned));
        self.write(None, move |rows| rows.use_service_key(&id, at, apart_ms, from.as_deref()))
    }
}

impl Settings for Sqlite {
    fn settings_version(&self, group: &str) -> Result<Option<Version>, StorageError> {
        self.rows(|rows| rows.settings_version(group))
    }

    fn settings(&self, group: &str) -> Result<Option<Group>, StorageError> {
        self.rows(|rows| rows.settings(group))
    }

    fn set_settings(
        &self,
        group: &str,
        seen: Option<&Version>,
        values: &[u8],
        secret: NewSecret,
        audit: AuditEntry,
    ) -> Result<(), StorageError> {
        let (group, seen, values) = (group.to_owned(), seen.cloned(), Zeroizing::new(values.to_vec()));
        self.write(None, move |rows| rows.set_settings(&group, seen.as_ref(), &values, &secret, &audit))
    }
}
