//! Everything of the host's, from one database to another, once: a mark on each side says which of the two hosts may use.
//!
//! The source is in service until all of it was read back from the target. Then, in one transaction, it is read once more and
//! retired. Only after that is the target in service. So a copy that ends early leaves one of the two at most, and is run again.

use std::ops::ControlFlow;

use keyturn_core::seal::{Keys, hex, random};
use sha2::{Digest as _, Sha256};

use super::database::{Bind, Connection, Value, params};
use super::error::StorageError;
use super::schema;
use super::tables::{Own, own};

/// A database that is copied, or copied to: a connection that nobody else has.
pub trait Side {
    /// Inside a transaction.
    fn connection(&self) -> &dyn Connection;

    /// Begins a transaction; one that does not write sees one moment.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn begin(&self, writes: bool) -> Result<(), StorageError>;

    /// Commits it.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn commit(&self) -> Result<(), StorageError>;

    /// Takes it back.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn rollback(&self) -> Result<(), StorageError>;

    /// The number that a table gives its next row, if it is known.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn next_number(&self, table: &str, column: &str) -> Result<Option<i64>, StorageError>;

    /// Sets it. An engine may commit what the transaction did before.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn set_next_number(&self, table: &str, column: &str, next: i64) -> Result<(), StorageError>;

    /// Whether no host works on it.
    ///
    /// # Errors
    /// [`StorageError::Served`].
    fn unserved(&self) -> Result<(), StorageError> {
        schema::unserved(self.connection())
    }

    /// Why a column of this type can't hold a text, if it can't.
    fn refuses(&self, kind: &str, text: &str) -> Option<&'static str> {
        let _ = (kind, text);
        None
    }
}

/// One of the two, as people know it.
#[derive(Clone, Copy)]
pub struct End<'a> {
    /// The database.
    pub side: &'a dyn Side,
    /// Its path, or its name and server.
    pub place: &'a str,
}

/// Which of the two it was.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The one that is copied.
    #[error("{0}")]
    Source(StorageError),
    /// The other one.
    #[error("{0}")]
    Target(StorageError),
}

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 over all of them, in the order of their keys.
    pub digest: [u8; 32],
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were read, on either side.
    pub done: u64,
    /// Rows to read: each is read from the source, from the target, and from the source again.
    pub total: u64,
    /// The table that is read now.
    pub table: &'static str,
}

/// Whether hosts may use this database.
///
/// # Errors
/// [`StorageError::Moved`].
pub fn in_service(db: &dyn Connection) -> Result<(), StorageError> {
    let Some(Mark { state, place, .. }) = mark(db)? else { return Ok(()) };
    Err(StorageError::Moved(match state {
        State::Incomplete => {
            format!(
                "the copy of Keyturn's tables from {place} to here is not complete; run `keyturn database copy` again"
            )
        }
        State::Retired => format!(
            "Keyturn's tables were copied to {place}, and this database is retired; use the configuration that names the \
             other one"
        ),
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Incomplete,
    Retired,
}

/// What a database has to do with a copy.
struct Mark {
    state: State,
    /// Which copy.
    copy: String,
    /// The other database.
    place: String,
}

fn mark(db: &dyn Connection) -> Result<Option<Mark>, StorageError> {
    db.one("SELECT state, copy, place FROM keyturnhost_moves WHERE id = 1", &[], |row| {
        // A word that this program does not know keeps hosts away, too.
        let state = if row.get::<String>(0)? == INCOMPLETE { State::Incomplete } else { State::Retired };
        Ok(Mark { state, copy: row.get(1)?, place: row.get(2)? })
    })
}

const INCOMPLETE: &str = "incomplete";
const RETIRED: &str = "retired";

fn set_mark(db: &dyn Connection, state: &str, copy: &str, place: &str) -> Result<(), StorageError> {
    let set = "INSERT INTO keyturnhost_moves (id, state, copy, place, at) VALUES (1, ?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, copy = excluded.copy, place = excluded.place, at = excluded.at";
    db.change(set, params![state, copy, place, db.now()?])
}

/// Copies all rows, reads them back, retires the source and puts the target into service. `told` is called now and then.
///
/// # Errors
/// [`CopyError`]: the target is not in service. The source is, unless it was already retired for this copy; then only the same
/// copy, run again, goes on.
pub fn copy(from: End<'_>, to: End<'_>, keys: &Keys, told: &mut dyn FnMut(Progress)) -> Result<Vec<Copied>, CopyError> {
    let (source, target) = (from.side, to.side);
    let retired = within(source, false, |db| {
        schema::has_key(db, keys)?;
        source.unserved()?;
        match mark(db)? {
            Some(Mark { state: State::Incomplete, .. }) => in_service(db).map(|()| None),
            mark => Ok(mark.map(|mark| mark.copy)),
        }
    })
    .map_err(CopyError::Source)?;
    // Whoever may not leave the mark at the end is told before anything is copied.
    within(source, true, |db| db.change("DELETE FROM keyturnhost_moves WHERE id = 2", &[]))
        .map_err(CopyError::Source)?;
    same_time(source, target)?;
    let id = begin(from, to, keys, retired)?;
    let mut progress = Watched { told, done: 0, total: 0 };
    let copied = rows(source, target, &mut progress)?;
    within(target, false, |db| {
        compare(db, &copied, &mut progress, "what was written was read back differently; run this again")
    })
    .map_err(CopyError::Target)?;
    within(source, true, |db| {
        source.unserved()?;
        let changed =
            "rows have changed since they were copied; stop every host and every command on it, and run this again";
        compare(db, &copied, &mut progress, changed)?;
        set_mark(db, RETIRED, &id, to.place)
    })
    .map_err(CopyError::Source)?;
    within(target, true, |db| db.change("DELETE FROM keyturnhost_moves", &[])).map_err(CopyError::Target)?;
    Ok(copied)
}

/// Makes the target ready, and answers which copy this is. `retired`: the copy for which the source was retired already.
fn begin(from: End<'_>, to: End<'_>, keys: &Keys, retired: Option<String>) -> Result<String, CopyError> {
    let fresh = || hex(&random::<16>());
    let id = within(to.side, true, |db| {
        to.side.unserved()?;
        schema::has_key(db, keys)?;
        let before = mark(db)?;
        let id = match (&before, &retired) {
            (Some(Mark { state: State::Incomplete, copy, .. }), Some(id)) if copy == id => copy.clone(),
            (_, Some(_)) => return Ok(None),
            (Some(Mark { state: State::Retired, .. }), None) => return in_service(db).map(|()| None),
            (_, None) => fresh(),
        };
        for table in own().iter().filter(|table| is_copied(table)) {
            if before.is_some() {
                db.change(&format!("DELETE FROM {}", table.name), &[])?;
            } else if table.name != KEY
                && db.one(&format!("SELECT 1 FROM {} LIMIT 1", table.name), &[], |_| Ok(()))?.is_some()
            {
                let cause = format!(
                    "{} has rows already; drop its tables keyturnhost_… first, if nobody needs them",
                    table.name
                );
                return Err(StorageError::Failed { doing: "copying to this database".to_owned(), cause });
            }
        }
        if before.is_none() {
            db.change(&format!("DELETE FROM {KEY}"), &[])?;
        }
        set_mark(db, INCOMPLETE, &id, from.place)?;
        Ok(Some(id))
    });
    let id = match id.map_err(CopyError::Target)? {
        Some(id) => id,
        None => {
            return Err(CopyError::Source(within(from.side, false, in_service).err().unwrap_or(StorageError::Changed)));
        }
    };
    let ours = |mark: Option<Mark>| mark.is_some_and(|mark| mark.state == State::Incomplete && mark.copy == id);
    if within(from.side, false, |db| mark(db).map(ours)).map_err(CopyError::Source)? {
        within(to.side, true, |db| db.change("DELETE FROM keyturnhost_moves", &[])).map_err(CopyError::Target)?;
        let cause = "source and target are the same database".to_owned();
        return Err(CopyError::Source(StorageError::Failed { doing: "copying".to_owned(), cause }));
    }
    Ok(id)
}

const KEY: &str = "keyturnhost_key";

/// All but what each database says of itself.
fn is_copied(table: &Own) -> bool {
    !matches!(table.name, "keyturnhost_migrations" | "keyturnhost_moves")
}

/// Leases, pauses and ends are times of the database's clock.
const APART: i64 = 10_000;

fn same_time(source: &dyn Side, target: &dyn Side) -> Result<(), CopyError> {
    let here = within(source, false, |db| db.now()).map_err(CopyError::Source)?;
    let there = within(target, false, |db| db.now()).map_err(CopyError::Target)?;
    together(here, there).map_err(CopyError::Target)
}

fn together(here: i64, there: i64) -> Result<(), StorageError> {
    let apart = (here - there).abs();
    if apart <= APART {
        return Ok(());
    }
    let cause = format!(
        "its clock and that of the source are {} s apart, and {} s are allowed; set both, for example with NTP",
        apart / 1000,
        APART / 1000
    );
    Err(StorageError::Failed { doing: "copying to this database".to_owned(), cause })
}

struct Watched<'a> {
    told: &'a mut dyn FnMut(Progress),
    done: u64,
    total: u64,
}

impl Watched<'_> {
    fn row(&mut self, table: &'static str) {
        self.done += 1;
        if self.done.is_multiple_of(100) || self.done == self.total {
            (self.told)(Progress { done: self.done, total: self.total, table });
        }
    }
}

/// Writes all rows; and what their numbers go on with.
fn rows(source: &dyn Side, target: &dyn Side, progress: &mut Watched<'_>) -> Result<Vec<Copied>, CopyError> {
    source.begin(false).map_err(CopyError::Source)?;
    let mut read = || {
        let db = source.connection();
        for table in own().iter().filter(|table| is_copied(table)) {
            let count = db.one(&format!("SELECT count(*) FROM {}", table.name), &[], |row| row.get::<u64>(0));
            progress.total += 3 * count.map_err(CopyError::Source)?.unwrap_or(0);
        }
        let mut copied = Vec::new();
        for table in own().iter().filter(|table| is_copied(table)) {
            copied.push(one_table(db, target, table, progress)?);
            let Some(column) = table.number() else { continue };
            if let Some(next) = source.next_number(table.name, column).map_err(CopyError::Source)? {
                within(target, true, |_| target.set_next_number(table.name, column, next))
                    .map_err(CopyError::Target)?;
            }
        }
        Ok(copied)
    };
    let read = read();
    // Nothing was written there.
    let _ = source.rollback();
    read
}

/// Rows that are written together, and bytes.
const ROWS: usize = 200;
const BYTES: usize = 1 << 20;

fn one_table(
    db: &dyn Connection,
    target: &dyn Side,
    table: &'static Own,
    progress: &mut Watched<'_>,
) -> Result<Copied, CopyError> {
    let (mut waiting, mut bytes, mut refused) = (Vec::new(), 0, None);
    let copied = walk(db, table, &mut |row| {
        progress.row(table.name);
        bytes += row.iter().map(size).sum::<usize>();
        waiting.extend(row);
        if bytes < BYTES && waiting.len() < ROWS * table.columns.len() {
            return ControlFlow::Continue(());
        }
        bytes = 0;
        refused = write(target, table, &std::mem::take(&mut waiting)).err();
        if refused.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let copied = copied.map_err(CopyError::Source)?;
    refused.map_or(Ok(()), Err).and_then(|()| write(target, table, &waiting)).map_err(CopyError::Target)?;
    Ok(copied)
}

/// Writes rows, one after another in `values`, in a transaction of their own.
fn write(target: &dyn Side, table: &Own, values: &[Value]) -> Result<(), StorageError> {
    let wide = table.columns.len();
    for row in values.chunks(wide) {
        for ((name, kind), value) in table.columns.iter().zip(row) {
            if let Value::Text(text) = value
                && let Some(why) = target.refuses(kind, text)
            {
                let (doing, cause) = (format!("writing {}", table.name), format!("a text in the column {name} {why}"));
                return Err(StorageError::Failed { doing, cause });
            }
        }
    }
    if values.is_empty() {
        return Ok(());
    }
    let row = |at: usize| {
        let marks: Vec<String> = (1..=wide).map(|column| format!("?{}", at * wide + column)).collect();
        format!("({})", marks.join(", "))
    };
    let rows: Vec<String> = (0..values.len() / wide).map(row).collect();
    let insert = format!("INSERT INTO {} ({}) VALUES {}", table.name, names(table), rows.join(", "));
    let values: Vec<_> = values.iter().map(Bind::bind).collect();
    within(target, true, |db| db.change(&insert, &values))
}

fn names(table: &Own) -> String {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// Reads all rows again, and says `differ` of the first table that has others.
fn compare(
    db: &dyn Connection,
    copied: &[Copied],
    progress: &mut Watched<'_>,
    differ: &str,
) -> Result<(), StorageError> {
    for table in own().iter().filter(|table| is_copied(table)) {
        let found = walk(db, table, &mut |_| {
            progress.row(table.name);
            ControlFlow::Continue(())
        })?;
        if !copied.contains(&found) {
            return Err(StorageError::Failed { doing: format!("comparing {}", table.name), cause: differ.to_owned() });
        }
    }
    Ok(())
}

/// Reads a table in the order of its keys, which is the same on every engine.
fn walk(
    db: &dyn Connection,
    table: &'static Own,
    each: &mut dyn FnMut(Vec<Value>) -> ControlFlow<()>,
) -> Result<Copied, StorageError> {
    let (mut rows, mut digest) = (0, Sha256::new());
    let sql = format!("SELECT {} FROM {} ORDER BY {}", names(table), table.name, table.key.join(", "));
    db.query(&sql, &[], &mut |row| {
        let row = (0..row.columns()).map(|at| row.column(at).map(|value| value.to_owned()));
        let row = row.collect::<Result<Vec<_>, _>>()?;
        row.iter().for_each(|value| add(&mut digest, value));
        rows += 1;
        Ok(each(row))
    })?;
    Ok(Copied { table: table.name, rows, digest: digest.finalize().into() })
}

/// Each value with its kind and its length, so that no two rows look alike.
fn add(digest: &mut Sha256, value: &Value) {
    let (kind, bytes): (u8, &[u8]) = match value {
        Value::Null => (0, &[]),
        Value::Integer(number) => (1, &number.to_be_bytes()),
        Value::Real(number) => (2, &number.to_be_bytes()),
        Value::Text(text) => (3, text.as_bytes()),
        Value::Blob(bytes) => (4, bytes),
    };
    digest.update([kind]);
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 8,
    }
}

/// In a transaction of its own.
fn within<T>(
    side: &dyn Side,
    writes: bool,
    work: impl FnOnce(&dyn Connection) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    side.begin(writes)?;
    match work(side.connection()) {
        Ok(done) => side.commit().map(|()| done),
        Err(error) => {
            // A connection on which that fails is not used again.
            let _ = side.rollback();
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_apart_are_refused_with_how_far() {
        assert_eq!(together(5_000, 15_000), Ok(()));
        let refused = together(1_000_000, 988_000).expect_err("apart").to_string();
        assert!(refused.contains("12 s apart"), "{refused}");
    }
}
