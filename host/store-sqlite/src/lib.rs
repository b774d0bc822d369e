//! SQLite, in the panel's own file: one thread writes, a few connections read, each read one snapshot.

#![deny(missing_docs)]

pub mod connection;
mod dialect;
pub mod lock;
mod look;
mod place;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use connection::{Db, Readers};
use lock::{LockError, ServerLock};
use place::Place;
use writer::{Job, Writer};

use keyturn_core::seal::Keys;
use keyturn_store::database::{Connection, Database, Write};
use keyturn_store::schema::{self, Beginning};
use keyturn_store::store::{Keeps, Store};
use keyturn_store::{Provider, StorageError};

pub use connection::Journal;
pub use dialect::Sqlite;
pub use look::Found;

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
    /// How long what is the host's own stays, and how much of it.
    pub keeps: Keeps,
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
            keeps: Keeps::default(),
        }
    }
}

/// The panel's file, open.
struct File {
    readers: Readers,
    busy: Duration,
    jobs: RwLock<Option<Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    place: Arc<Place>,
    /// Why there is no writer.
    closed: &'static str,
    // Last, so that it is held until everything else is closed.
    _lock: Option<ServerLock>,
}

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
) -> Result<Store, StorageError> {
    let mut lock = (!options.beside_server).then(|| ServerLock::take(path)).transpose().map_err(not_locked)?;
    let (db, place) = connection::open_writer(path, options.create, options.journal)?;
    migrate(&db)?;
    schema::check_key(&db, &keys)?;
    let wal = connection::journal_mode(&db.0).map(|mode| mode == connection::WAL);
    if wal.map_err(|cause| connection::failed("opening the database", &cause))? {
        place.watch_log();
    }
    if let Some(Err(cause)) = lock.as_mut().map(|lock| lock.note(&place.note())) {
        return Err(StorageError::Failed { doing: "noting which file is served".to_owned(), cause: cause.to_string() });
    }
    // From here on the writer waits itself, as long as each call allows.
    db.0.busy_timeout(Duration::ZERO).map_err(|cause| connection::failed("opening the database", &cause))?;
    let (jobs, waiting): (_, Receiver<Job>) = channel();
    let place = Arc::new(place);
    let readers = Readers::new(path, Arc::clone(&place), options.readers, false);
    Store::new(keys, provider, options.keeps, |upkeep| {
        let writer = Writer { db, place: Arc::clone(&place), upkeep, group_commit: options.group_commit };
        let thread = std::thread::Builder::new().name("keyturn-writer".to_owned());
        let writer = thread.spawn(move || writer.run(&waiting)).map_err(|cause| StorageError::Failed {
            doing: "starting the writer".to_owned(),
            cause: cause.to_string(),
        })?;
        Ok(Box::new(File {
            readers,
            busy: options.busy,
            jobs: RwLock::new(Some(jobs)),
            writer: Mutex::new(Some(writer)),
            place,
            closed: "the database was shut down; restart the host",
            _lock: lock,
        }))
    })
}

/// Opens the panel's database for somebody who only looks: it stays as it is to the last byte, nothing is made beside it,
/// and commits fail. The host's tables are seen as the next start would have them.
///
/// # Errors
/// As [`open`].
pub fn look(path: &Path, keys: Arc<Keys>, provider: Arc<dyn Provider>) -> Result<(Store, Found), StorageError> {
    let options = Options::default();
    let ((db, found), place) = Place::opened(path, || connection::open_to_look(path))?;
    schema::looks_like_key(&db, &keys)?;
    let place = Arc::new(place);
    let store = Store::new(keys, provider, options.keeps, |_| {
        Ok(Box::new(File {
            readers: Readers::new(path, Arc::clone(&place), options.readers, true),
            busy: options.busy,
            jobs: RwLock::default(),
            writer: Mutex::default(),
            place,
            closed: "the database was opened read-only",
            _lock: None,
        }))
    })?;
    Ok((store, found))
}

/// Goes on with other keys where the former ones are lost: whatever those have sealed is void, and every session ends.
/// Passwords and the audit stay.
///
/// # Errors
/// [`StorageError`].
pub fn replace_key(path: &Path, keys: &Keys) -> Result<(), StorageError> {
    let (db, _) = connection::open_writer(path, false, Journal::Keep)?;
    migrate(&db)?;
    transaction(&db, |db| schema::replace_key(db, keys))
}

/// Of two processes that start at once, one does it; where there is nothing to do, nobody waits for a lock.
fn migrate(db: &Db) -> Result<(), StorageError> {
    if schema::version(db)? == schema::NEWEST {
        return Ok(());
    }
    transaction(db, |db| schema::prepare(db, Beginning::Migrations, dialect::words))
}

fn transaction(db: &Db, work: impl FnOnce(&Db) -> Result<(), StorageError>) -> Result<(), StorageError> {
    connection::run(&db.0, "BEGIN IMMEDIATE")?;
    let done = work(db).and_then(|()| connection::run(&db.0, "COMMIT"));
    if done.is_err() && db.goes_on() {
        connection::run(&db.0, "ROLLBACK")?;
    }
    done
}

fn not_locked(cause: LockError) -> StorageError {
    match cause {
        LockError::Taken { .. } => StorageError::Served(cause.to_string()),
        LockError::File { .. } => {
            StorageError::Failed { doing: "taking the server's lock".to_owned(), cause: cause.to_string() }
        }
    }
}

impl Database for File {
    fn read(&self, read: &mut dyn FnMut(&dyn Connection) -> Result<(), StorageError>) -> Result<(), StorageError> {
        self.readers.snapshot(|db| read(db))
    }

    /// Hands it to the writer, and waits until it is on the disk.
    fn write(&self, write: Write) -> Result<(), StorageError> {
        let (answer, answered) = sync_channel(1);
        let job = Job { write, until: Instant::now() + self.busy, answer };
        let closed = || StorageError::Failed { doing: "committing".to_owned(), cause: self.closed.to_owned() };
        {
            let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
            jobs.as_ref().ok_or_else(closed)?.send(job).map_err(|_| closed())?;
        }
        // A writer that ended without an answer may have committed before.
        answered.recv().unwrap_or(Err(StorageError::Indeterminate))
    }

    fn in_place(&self) -> Result<(), StorageError> {
        self.place.still()
    }

    fn close(&self) {
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the database's writer panicked");
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.close();
    }
}
