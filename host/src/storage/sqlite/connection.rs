//! Connections: how they are opened, what a provider sees of one, and the pool that reads come from.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use crate::accounts::fold::fold;
use crate::accounts::sql::kind;
use crate::storage::{Sql, StorageError, Value};

/// How long one waits for another.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the engine said, in our terms.
pub(super) fn failed(doing: &str, cause: &rusqlite::Error) -> StorageError {
    match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageError::Busy,
        _ => StorageError::Failed { doing: doing.to_owned(), cause: cause.to_string() },
    }
}

/// Opens the file for writing. WAL stays with the file; that each commit waits for the disk is the connection's.
/// Foreign keys are left as the engine has them, since the panel's tables are written too.
pub(super) fn open_writer(path: &Path, create: bool) -> Result<Connection, StorageError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let doing = || format!("opening the database {}", path.display());
    let db = open(path, flags)?;
    db.busy_timeout(PATIENCE).map_err(|cause| failed(&doing(), &cause))?;
    let mode = write_ahead(&db).map_err(|cause| failed(&doing(), &cause))?;
    if mode != "wal" {
        let cause = format!("its journal mode stays {mode}, and WAL is needed; it must be a file on a local disk");
        return Err(StorageError::Failed { doing: doing(), cause });
    }
    db.pragma_update(None, "synchronous", "FULL").map_err(|cause| failed(&doing(), &cause))?;
    // What is wiped is overwritten, and not only forgotten: a mail's secrets do not stay in free pages.
    db.pragma_update(None, "secure_delete", true).map_err(|cause| failed(&doing(), &cause))?;
    Ok(db)
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

fn open_reader(path: &Path) -> Result<Connection, StorageError> {
    let doing = || format!("opening the database {} to read", path.display());
    // Opened for writing, since a reader takes part in the WAL's index; it is the pragma that keeps it from writing.
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(PATIENCE).map_err(|cause| failed(&doing(), &cause))?;
    db.pragma_update(None, "query_only", true).map_err(|cause| failed(&doing(), &cause))?;
    Ok(db)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StorageError> {
    let doing = || format!("opening the database {}", path.display());
    let db = Connection::open_with_flags(path, flags).map_err(|cause| failed(&doing(), &cause))?;
    db.set_prepared_statement_cache_capacity(64);
    functions(&db).map_err(|cause| failed(&doing(), &cause))?;
    Ok(db)
}

/// What the provider's statements call: `keyturn_fold`, of a login or an address, and `keyturn_kind`, of a stored hash.
pub(crate) fn functions(db: &Connection) -> rusqlite::Result<()> {
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

impl Sql for Connection {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, StorageError> {
        let read = || {
            let mut statement = self.prepare_cached(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map(rusqlite::params_from_iter(parameters), |row| {
                (0..columns).map(|at| Ok(Value::from(row.get_ref(at)?))).collect::<Result<Vec<_>, _>>()
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|cause| failed("reading the panel's tables", &cause))
    }

    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<usize, StorageError> {
        self.prepare_cached(sql)
            .and_then(|mut statement| statement.execute(rusqlite::params_from_iter(parameters)))
            .map_err(|cause| failed("writing the panel's tables", &cause))
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
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
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
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
    most: usize,
    state: Mutex<Pool>,
    back: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl Readers {
    pub fn new(path: &Path, most: usize) -> Self {
        Self { path: path.to_owned(), most: most.max(1), state: Mutex::default(), back: Condvar::new() }
    }

    /// Runs `read` on one snapshot.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StorageError>) -> Result<T, StorageError> {
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
                lent.db = Some(open_reader(&self.path)?);
                return Ok(lent);
            }
            pool = self.back.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Goes back to the pool when it is dropped, its snapshot ended.
struct Lent<'a> {
    db: Option<Connection>,
    readers: &'a Readers,
}

impl Lent<'_> {
    fn connection(&self) -> Result<&Connection, StorageError> {
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
pub(super) fn run(db: &Connection, sql: &str) -> Result<(), StorageError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(|cause| failed(sql, &cause))
}
