//! Connections: how they are opened, what a provider sees of one, and the pool that reads come from.

use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, ToSql};

use super::place::{Place, beside};
use super::{Found, Journal, schema};
use keyturn_core::fold::fold;
use keyturn_core::stored::kind;
use keyturn_store::{Sql, StorageError, Value};

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
    Ok((db, place))
}

/// As `PRAGMA journal_mode` calls it.
pub(super) const WAL: &str = "wal";

/// The file's journal mode, as far as it is the file's: every one but WAL looks the same.
pub(super) fn journal_mode(db: &Db) -> rusqlite::Result<String> {
    db.query_row("PRAGMA journal_mode", [], |row| row.get(0))
}

/// Two processes that turn a fresh file to WAL at once: one of them is told at once that it is busy, whatever the timeout is,
/// since to wait for each other would be a deadlock. So it comes again.
fn write_ahead(db: &Db) -> rusqlite::Result<String> {
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
    Ok(db)
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
    let version = schema::stand_in(&db)?;
    db.pragma_update(None, "query_only", true).map_err(|cause| failed(&doing(), &cause))?;
    Ok((db, Found { wal, version, newest: schema::NEWEST }))
}

fn open(path: &Path, flags: OpenFlags) -> Result<Db, StorageError> {
    let doing = || format!("opening the database {}", path.display());
    let db = rusqlite::Connection::open_with_flags(path, flags).map_err(|cause| failed(&doing(), &cause))?;
    db.set_prepared_statement_cache_capacity(64);
    Db::new(db).map_err(|cause| failed(&doing(), &cause))
}

/// A connection with the functions that a provider's statements call.
pub struct Db(rusqlite::Connection);

impl Db {
    /// # Errors
    /// The engine's.
    pub fn new(db: rusqlite::Connection) -> rusqlite::Result<Self> {
        functions(&db)?;
        Ok(Self(db))
    }
}

impl std::ops::Deref for Db {
    type Target = rusqlite::Connection;

    fn deref(&self) -> &rusqlite::Connection {
        &self.0
    }
}

/// What the provider's statements call: `keyturn_fold`, of a login or an address, and `keyturn_kind`, of a stored hash.
fn functions(db: &rusqlite::Connection) -> rusqlite::Result<()> {
    let of_text = |name: &str, of: fn(&str) -> String| {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        db.create_scalar_function(name, 1, flags, move |context| {
            Ok(match context.get_raw(0) {
                ValueRef::Text(text) => std::str::from_utf8(text).ok().map(of),
                _ => None,
            })
        })
    };
    of_text("keyturn_fold", fold)?;
    of_text("keyturn_kind", |hash| kind(hash).to_owned())
}

impl Sql for Db {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, StorageError> {
        let read = || {
            let mut statement = self.prepare_cached(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map(rusqlite::params_from_iter(parameters.iter().map(Parameter)), |row| {
                (0..columns).map(|at| Ok(value(row.get_ref(at)?))).collect::<Result<Vec<_>, _>>()
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|cause| failed("reading the panel's tables", &cause))
    }

    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<usize, StorageError> {
        self.prepare_cached(sql)
            .and_then(|mut statement| statement.execute(rusqlite::params_from_iter(parameters.iter().map(Parameter))))
            .map_err(|cause| failed("writing the panel's tables", &cause))
    }
}

fn value(read: ValueRef<'_>) -> Value {
    match read {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.to_owned()),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    }
}

struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
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
        run(db, "BEGIN")?;
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
        let ended = self.db.take().filter(|db| db.is_autocommit() || run(db, "ROLLBACK").is_ok());
        let mut pool = self.readers.state.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Some(db) => pool.idle.push(db),
            None => pool.open -= 1,
        }
        self.readers.back.notify_one();
    }
}

/// One statement without parameters and rows.
pub(super) fn run(db: &Db, sql: &str) -> Result<(), StorageError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(|cause| failed(sql, &cause))
}
