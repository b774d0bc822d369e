//! Connections: how they are opened, what a provider sees of one, and the pool that reads come from.

use std::io::Read as _;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};
use serde::Deserialize;

use super::look::{self, Found};
use super::place::{Place, beside};
use keyturn_store::database::{self as store, Row, doing};
use keyturn_store::{StorageError, schema};

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

/// How long one waits for another.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the engine said, in our terms.
pub(super) fn failed(doing: &str, cause: &rusqlite::Error) -> StorageError {
    match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageError::Busy,
        _ => StorageError::Failed { doing: doing.to_owned(), cause: cause.to_string() },
    }
}

/// Opens the file for writing. That each commit waits for the disk is the connection's; WAL stays with the file.
/// Foreign keys are left as the engine has them, since the panel's tables are written too.
pub(super) fn open_writer(path: &Path, create: bool, journal: Journal) -> Result<(Db, Place), StorageError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let doing = || format!("opening the database {}", path.display());
    let ours = !path.exists();
    let (db, place) = Place::opened(path, || open(path, flags))?;
    let prepared = || {
        db.busy_timeout(PATIENCE)?;
        let wal = ours || journal == Journal::Wal;
        let mode = if wal { write_ahead(&db)? } else { journal_mode(&db)? };
        // Without WAL a commit is done when the journal is gone, and that must outlive a power cut too.
        db.pragma_update(None, "synchronous", if mode == WAL { "FULL" } else { "EXTRA" })?;
        // What is wiped is overwritten, and not only forgotten: a mail's secrets do not stay in free pages.
        db.pragma_update(None, "secure_delete", true)?;
        Ok((wal, mode))
    };
    let (wal, mode) = prepared().map_err(|cause| failed(&doing(), &cause))?;
    if wal && mode != WAL {
        let cause = format!(
            "its journal mode stays {mode}, but database.journal asks for WAL; WAL needs a file on a local disk, which no other \
             program is using at the moment"
        );
        return Err(StorageError::Failed { doing: doing(), cause });
    }
    Ok((Db(db), place))
}

/// As `PRAGMA journal_mode` calls it.
pub(super) const WAL: &str = "wal";

/// The file's journal mode, as far as it is the file's: every one but WAL looks the same.
pub(super) fn journal_mode(db: &Connection) -> rusqlite::Result<String> {
    db.query_row("PRAGMA journal_mode", [], |row| row.get(0))
}

/// Two processes that turn a fresh file to WAL at once: one of them is told at once that it is busy, whatever the timeout is,
/// since to wait for each other would be a deadlock. So it comes again.
fn write_ahead(db: &Connection) -> rusqlite::Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        match db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
            Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            answer => return answer,
        }
    }
}

fn open_reader(path: &Path) -> Result<Db, StorageError> {
    let doing = || format!("opening the database {} to read", path.display());
    // Opened for writing, since a reader takes part in the WAL's index; it is the pragma that keeps it from writing.
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(PATIENCE).map_err(|cause| failed(&doing(), &cause))?;
    db.pragma_update(None, "query_only", true).map_err(|cause| failed(&doing(), &cause))?;
    Ok(Db(db))
}

/// Opens the file so that nothing changes, not even what lies beside it, and with the host's own tables as they will be:
/// those that are not there yet stand in the connection's memory.
pub(super) fn open_to_look(path: &Path) -> Result<(Db, Found), StorageError> {
    let doing = || format!("opening the database {} to look at it", path.display());
    let mut head = [0; 20];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head));
    read.map_err(|cause| StorageError::Failed { doing: doing(), cause: cause.to_string() })?;
    // In WAL mode even a reader makes the files that it shares with others, and cannot take them away again. Where there are
    // none, nobody has the database open, so it can be read like a file that never changes.
    let wal = head[18] == 2;
    let still = if wal && !beside(path, "-wal").exists() { "&immutable=1" } else { "" };
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = open(Path::new(&format!("{uri}?mode=ro{still}")), flags)?;
    db.busy_timeout(PATIENCE).map_err(|cause| failed(&doing(), &cause))?;
    let db = Db(db);
    let version = look::stand_in(&db)?;
    db.0.pragma_update(None, "query_only", true).map_err(|cause| failed(&doing(), &cause))?;
    Ok((db, Found { wal, version, newest: schema::NEWEST }))
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StorageError> {
    let doing = || format!("opening the database {}", path.display());
    let db = Connection::open_with_flags(path, flags).map_err(|cause| failed(&doing(), &cause))?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// A connection as the store sees it.
pub struct Db(pub Connection);

impl Deref for Db {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

struct Answer<'a, 'row>(&'a rusqlite::Row<'row>, usize);

impl Row for Answer<'_, '_> {
    fn columns(&self) -> usize {
        self.1
    }

    fn column(&self, at: usize) -> Result<store::ValueRef<'_>, StorageError> {
        Ok(match self.0.get_ref(at).map_err(|cause| failed("reading a row", &cause))? {
            ValueRef::Null => store::ValueRef::Null,
            ValueRef::Integer(number) => store::ValueRef::Integer(number),
            ValueRef::Real(number) => store::ValueRef::Real(number),
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).map_or(store::ValueRef::Blob(bytes), store::ValueRef::Text)
            }
            ValueRef::Blob(bytes) => store::ValueRef::Blob(bytes),
        })
    }
}

struct Parameter<'a>(store::ValueRef<'a>);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            store::ValueRef::Null => ValueRef::Null,
            store::ValueRef::Integer(number) => ValueRef::Integer(number),
            store::ValueRef::Real(number) => ValueRef::Real(number),
            store::ValueRef::Text(text) => ValueRef::Text(text.as_bytes()),
            store::ValueRef::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn bound<'a>(parameters: &'a [store::ValueRef<'a>]) -> impl rusqlite::Params + 'a {
    rusqlite::params_from_iter(parameters.iter().map(|value| Parameter(*value)))
}

impl store::Connection for Db {
    fn query(
        &self,
        sql: &str,
        parameters: &[store::ValueRef<'_>],
        each: &mut store::Each<'_>,
    ) -> Result<(), StorageError> {
        let wrong = |cause| failed(&doing(sql), &cause);
        let mut statement = self.0.prepare_cached(sql).map_err(wrong)?;
        let columns = statement.column_count();
        let mut rows = statement.query(bound(parameters)).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            if each(&Answer(row, columns))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn execute(&self, sql: &str, parameters: &[store::ValueRef<'_>]) -> Result<u64, StorageError> {
        let changed = self.0.prepare_cached(sql).and_then(|mut statement| statement.execute(bound(parameters)));
        changed.map(|rows| rows as u64).map_err(|cause| failed(&doing(sql), &cause))
    }

    fn insert(&self, sql: &str, parameters: &[store::ValueRef<'_>]) -> Result<i64, StorageError> {
        self.execute(sql, parameters)?;
        Ok(self.0.last_insert_rowid())
    }

    fn now(&self) -> Result<i64, StorageError> {
        let sql = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
        let read = self.0.prepare_cached(sql).and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        read.map_err(|cause| failed("reading the clock", &cause))
    }

    fn has_table(&self, name: &str) -> Result<bool, StorageError> {
        let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        Ok((self as &dyn store::Connection).one(there, &[store::ValueRef::Text(name)], |_| Ok(()))?.is_some())
    }

    fn goes_on(&self) -> bool {
        !self.0.is_autocommit()
    }
}

/// Connections that only read. Opened as they are needed, at most so many; who comes when all are out waits.
pub(super) struct Readers {
    path: PathBuf,
    place: Arc<Place>,
    /// Nothing may change.
    looks: bool,
    most: usize,
    state: Mutex<Pool>,
    back: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Db>,
    open: usize,
}

impl Readers {
    pub fn new(path: &Path, place: Arc<Place>, most: usize, looks: bool) -> Self {
        let (path, most) = (path.to_owned(), most.max(1));
        Self { path, place, looks, most, state: Mutex::default(), back: Condvar::new() }
    }

    /// Runs `read` on one snapshot.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Db) -> Result<T, StorageError>) -> Result<T, StorageError> {
        self.place.noticed()?;
        let lent = self.lend()?;
        let db = lent.connection()?;
        run(&db.0, "BEGIN")?;
        read(db)
    }

    fn lend(&self) -> Result<Lent<'_>, StorageError> {
        let mut pool = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(db) = pool.idle.pop() {
                return Ok(Lent { db: Some(db), readers: self });
            }
            if pool.open < self.most {
                pool.open += 1;
                drop(pool);
                // Lent before it is open, so that a failure gives the place back.
                let mut lent = Lent { db: None, readers: self };
                // Never another file than the one that is written, nor a new one beside an old log.
                self.place.still()?;
                lent.db = Some(if self.looks { open_to_look(&self.path)?.0 } else { open_reader(&self.path)? });
                self.place.still()?;
                return Ok(lent);
            }
            pool = self.back.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Goes back to the pool when it is dropped, its snapshot ended.
struct Lent<'a> {
    db: Option<Db>,
    readers: &'a Readers,
}

impl Lent<'_> {
    fn connection(&self) -> Result<&Db, StorageError> {
        self.db.as_ref().ok_or(StorageError::Busy)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let ended = self.db.take().filter(|db| db.0.is_autocommit() || run(&db.0, "ROLLBACK").is_ok());
        let mut pool = self.readers.state.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Some(db) => pool.idle.push(db),
            None => pool.open -= 1,
        }
        self.readers.back.notify_one();
    }
}

/// One statement without parameters and rows.
pub(super) fn run(db: &Connection, sql: &str) -> Result<(), StorageError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(|cause| failed(sql, &cause))
}
