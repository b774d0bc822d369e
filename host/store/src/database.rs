//! What the store asks of an engine. Everything that it writes, it writes once, in the SQL that SQLite and PostgreSQL share;
//! an engine may translate a statement when it first meets its text.
//!
//! What the text may hold: parameters `?1`, `?2`, …; `ON CONFLICT (…) DO UPDATE` with columns named by their table;
//! `INSERT … RETURNING` and `DELETE … RETURNING`, but no `UPDATE … RETURNING`; a `LIMIT` inside `IN` in a named query of its
//! own; `CASE` and `IS NOT DISTINCT FROM` where engines have words of their own; sums of integers, which are read as integers. A row is claimed by an `UPDATE` that names
//! what it was, and whoever changed one row has it: so no engine needs row locks for a queue.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::error::StorageError;

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A float.
    Real(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// NULL.
    Null,
    /// A 64-bit integer; where a column is a boolean, 0 and 1.
    Integer(i64),
    /// A float.
    Real(f64),
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes, and text that is not UTF-8.
    Blob(&'a [u8]),
}

impl ValueRef<'_> {
    /// A copy that stays.
    #[must_use]
    pub fn to_owned(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(text.to_owned()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
        }
    }
}

/// What can be a parameter of a statement.
pub trait Bind {
    /// As the engine gets it.
    fn bind(&self) -> ValueRef<'_>;
}

macro_rules! bind {
    ($($type:ty, $value:ident => $bound:expr;)*) => {$(
        impl Bind for $type {
            fn bind(&self) -> ValueRef<'_> {
                let $value = self;
                $bound
            }
        }
    )*};
}

bind! {
    i64, number => ValueRef::Integer(*number);
    u32, number => ValueRef::Integer((*number).into());
    bool, truth => ValueRef::Integer((*truth).into());
    str, text => ValueRef::Text(text);
    String, text => ValueRef::Text(text);
    Cow<'_, str>, text => ValueRef::Text(text);
    [u8], bytes => ValueRef::Blob(bytes);
    Vec<u8>, bytes => ValueRef::Blob(bytes);
}

impl<const N: usize> Bind for [u8; N] {
    fn bind(&self) -> ValueRef<'_> {
        ValueRef::Blob(self)
    }
}

impl Bind for Value {
    fn bind(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, Bind::bind)
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    fn bind(&self) -> ValueRef<'_> {
        (*self).bind()
    }
}

/// The parameters of a statement.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::database::Bind::bind(&$value)),*] };
}
pub(crate) use params;

/// What a column can be read as.
pub trait Column: Sized {
    /// None: it is something else.
    fn read(value: ValueRef<'_>) -> Option<Self>;
}

macro_rules! column {
    ($($type:ty: $pattern:pat => $read:expr;)*) => {$(
        impl Column for $type {
            fn read(value: ValueRef<'_>) -> Option<Self> {
                match value { $pattern => $read, _ => None }
            }
        }
    )*};
}

column! {
    i64: ValueRef::Integer(number) => Some(number);
    u32: ValueRef::Integer(number) => number.try_into().ok();
    u64: ValueRef::Integer(number) => number.try_into().ok();
    bool: ValueRef::Integer(number) => Some(number != 0);
    String: ValueRef::Text(text) => Some(text.to_owned());
    Vec<u8>: ValueRef::Blob(bytes) => Some(bytes.to_owned());
}

impl<T: Column> Column for Option<T> {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

/// A row of an answer.
pub trait Row {
    /// How many columns it has.
    fn columns(&self) -> usize;

    /// The column at a place, from 0.
    ///
    /// # Errors
    /// [`StorageError::Failed`] where there is none.
    fn column(&self, at: usize) -> Result<ValueRef<'_>, StorageError>;
}

/// A row that was copied.
impl Row for Vec<Value> {
    fn columns(&self) -> usize {
        self.len()
    }

    fn column(&self, at: usize) -> Result<ValueRef<'_>, StorageError> {
        self.get(at).map(Bind::bind).ok_or_else(|| StorageError::Failed {
            doing: "reading a row".to_owned(),
            cause: format!("it has no column {at}"),
        })
    }
}

impl dyn Row + '_ {
    /// The column at a place, from 0, as what it is to be.
    ///
    /// # Errors
    /// [`StorageError::Failed`] where it is something else.
    pub fn get<T: Column>(&self, at: usize) -> Result<T, StorageError> {
        T::read(self.column(at)?).ok_or_else(|| StorageError::Failed {
            doing: "reading a row".to_owned(),
            cause: format!("column {at} is not of the type that the host has written"),
        })
    }
}

/// What a query does with a row, and whether it goes on.
pub type Each<'a> = dyn FnMut(&dyn Row) -> Result<ControlFlow<()>, StorageError> + 'a;

/// One connection, inside a snapshot or a transaction.
pub trait Connection {
    /// Hands the rows of an answer to `each`, until it breaks off.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it, and what `each` answers.
    fn query(&self, sql: &str, parameters: &[ValueRef<'_>], each: &mut Each<'_>) -> Result<(), StorageError>;

    /// How many rows a statement found to change, whether their values are others afterwards or not.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn execute(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<u64, StorageError>;

    /// Inserts one row, and answers its number: that of the column that numbers itself.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn insert(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<i64, StorageError>;

    /// Unix milliseconds by the database's clock, which all workers on one database share.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn now(&self) -> Result<i64, StorageError>;

    /// Whether there is a table of that name.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn has_table(&self, name: &str) -> Result<bool, StorageError>;

    /// Whether the snapshot or transaction goes on: a trigger may end it under us.
    fn goes_on(&self) -> bool;

    /// Whether what a transaction locks is locked for all others. On a node of a cluster it is not for those on other nodes.
    fn locks_for_all(&self) -> bool {
        true
    }
}

impl dyn Connection + '_ {
    /// All rows of an answer.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it, and what `read` answers.
    pub fn all<T>(
        &self,
        sql: &str,
        parameters: &[ValueRef<'_>],
        mut read: impl FnMut(&dyn Row) -> Result<T, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        let mut rows = Vec::new();
        self.query(sql, parameters, &mut |row| {
            rows.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// The first row of an answer, if there is one.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it, and what `read` answers.
    pub fn one<T>(
        &self,
        sql: &str,
        parameters: &[ValueRef<'_>],
        mut read: impl FnMut(&dyn Row) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        let mut first = None;
        self.query(sql, parameters, &mut |row| {
            first = Some(read(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// As [`Connection::execute`], of however many rows.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    pub fn change(&self, sql: &str, parameters: &[ValueRef<'_>]) -> Result<(), StorageError> {
        self.execute(sql, parameters).map(drop)
    }

    /// All rows of an answer, whatever they hold.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    pub fn rows(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, StorageError> {
        let parameters: Vec<ValueRef<'_>> = parameters.iter().map(Bind::bind).collect();
        self.all(sql, &parameters, |row| (0..row.columns()).map(|at| Ok(row.column(at)?.to_owned())).collect())
    }

    /// As [`Connection::execute`], with values that were kept.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    pub fn run(&self, sql: &str, parameters: &[Value]) -> Result<u64, StorageError> {
        let parameters: Vec<ValueRef<'_>> = parameters.iter().map(Bind::bind).collect();
        self.execute(sql, &parameters)
    }
}

/// What is done on a connection.
pub type Work<'a> = dyn Fn(&dyn Connection) -> Result<(), StorageError> + 'a;

/// The same, for another thread.
pub type OwnedWork = Box<dyn Fn(&dyn Connection) -> Result<(), StorageError> + Send>;

/// What is written together or not at all.
pub struct Write {
    /// May run more than once, and the last time counts.
    pub work: OwnedWork,
    /// Done when it is on the disk, before anybody hears of it.
    pub done: Option<Box<dyn Fn() + Send>>,
    /// Whether it touches the panel's own tables, and so shares its transaction with nothing else: a trigger there may roll
    /// back everything.
    pub alone: bool,
    /// Whether the work, run once more after it was committed, writes nothing and says so: then an engine may run it again to
    /// find out whether it was.
    pub tells_twice: bool,
}

/// The panel's database, as an engine opens it. Every method may block on the disk or the network.
pub trait Database: Send + Sync {
    /// Runs `read` on one snapshot. It cannot write.
    ///
    /// # Errors
    /// [`StorageError`], also what `read` returns.
    fn read(&self, read: &mut dyn FnMut(&dyn Connection) -> Result<(), StorageError>) -> Result<(), StorageError>;

    /// Runs `read`, which asks one statement and no more, and which may be run again: a server need not begin a transaction for it.
    ///
    /// # Errors
    /// As [`Database::read`].
    fn ask(&self, read: &dyn Fn(&dyn Connection) -> Result<(), StorageError>) -> Result<(), StorageError> {
        self.read(&mut |db| read(db))
    }

    /// Writes, and answers when it is on the disk. A busy database, and a transaction that lost against another, are tried
    /// again.
    ///
    /// # Errors
    /// [`StorageError`], also what the work returns: then nothing of it was written. [`StorageError::Busy`] after all tries.
    /// [`StorageError::Indeterminate`] if the engine went away in the commit.
    fn write(&self, write: Write) -> Result<(), StorageError>;

    /// Whether what is written goes where the panel reads it.
    ///
    /// # Errors
    /// [`StorageError::Replaced`].
    fn in_place(&self) -> Result<(), StorageError>;

    /// Whether other hosts may write to it at the same time.
    fn is_shared(&self) -> bool;

    /// Commits what waits. Later writes fail; reads go on.
    fn close(&self);
}

/// What the store does beside all calls. An engine lets it about each second, and once more before it closes.
pub trait Upkeep: Send + Sync {
    /// Writes what was only kept in memory. `transaction` runs work in a transaction of its own.
    fn write_behind(&self, transaction: &dyn Fn(&Work<'_>) -> Result<(), StorageError>);

    /// Removes rows whose time is over; answers whether more of them wait.
    fn tidy(&self, transaction: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) -> bool;

    /// Reads what later calls will need. `read` reads on a snapshot.
    fn look_ahead(&self, read: &dyn Fn(&Work<'_>) -> Result<(), StorageError>) {
        let _ = read;
    }
}

/// What a statement does, for an error: `reading keyturnhost_data`.
#[must_use]
pub fn doing(sql: &str) -> String {
    let word = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(str::to_owned);
    let verb = match word(sql.trim_start()).as_deref() {
        Some("SELECT") => "reading",
        _ => "writing",
    };
    match sql.find("keyturnhost_").and_then(|at| word(&sql[at..])) {
        Some(table) => format!("{verb} {table}"),
        None => format!("{verb} the panel's tables"),
    }
}
