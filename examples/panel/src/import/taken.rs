//! Which logins and addresses are already taken, by the fold that the host's look-up uses. It asks within the transaction that
//! writes, so nobody can take a name in between. Only SQLite's own temporary tables, which go to the disk, grow with the file.

use std::cell::Cell;

use keyturn_host::accounts::fold::{fold, is_plain};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::file::Column;
use super::row::{Problem, shown};
use crate::people::NewPerson;
use crate::terminal::number;

/// Which line created or named whom; a dry run creates nobody, and uses numbers below zero. And the folded names that no index
/// of the table finds, because SQLite's `lower` handles ASCII only, and neither spaces nor invisible characters. Without them,
/// each such look-up would read all people.
const TABLES: &str = "
CREATE TEMP TABLE import_lines (person INTEGER PRIMARY KEY, line INTEGER NOT NULL);
CREATE TEMP TABLE import_names (
  name TEXT NOT NULL, person INTEGER NOT NULL, login TEXT NOT NULL, email TEXT, customer INTEGER NOT NULL,
  PRIMARY KEY (name, person)
) WITHOUT ROWID;
";

const HOLDER: &str = "SELECT id, login, email, kind = 'customer' FROM people";
const KEPT: &str = "SELECT person, login, email, customer FROM import_names WHERE name = ?1";

/// Somebody with a login or an address.
struct Holder {
    person: i64,
    login: String,
    email: Option<String>,
    customer: bool,
}

impl Holder {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let email: Option<String> = row.get(2)?;
        let email = email.filter(|email| !email.is_empty());
        Ok(Self { person: row.get(0)?, login: row.get(1)?, email, customer: row.get(3)? })
    }

    fn has_login(&self, folded: &str) -> bool {
        fold(&self.login) == folded
    }

    fn has_email(&self, folded: &str) -> bool {
        self.email.as_ref().is_some_and(|email| fold(email) == folded)
    }
}

/// How a row relates to existing people.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    New,
    /// The customer already exists, with that login and address.
    There,
    /// Somebody else has the login or the address.
    Taken(Vec<Problem>),
}

/// The look-up of existing people.
pub struct Taken {
    /// A dry run.
    dry: bool,
    /// Customers may share an address.
    shared: bool,
    /// SQLite's count of commits by others; none: the names were not read yet.
    read_at: Cell<Option<i64>>,
}

impl Taken {
    /// On this connection, for one run.
    pub fn new(db: &Connection, dry: bool, shared: bool) -> rusqlite::Result<Self> {
        db.execute_batch(TABLES)?;
        Ok(Self { dry, shared, read_at: Cell::default() })
    }

    /// Looks up the row of `line`. If the customer exists, notes that this line is theirs, unless another line was before.
    pub fn standing(&self, db: &Connection, new: &NewPerson<'_>, line: i64) -> rusqlite::Result<Standing> {
        let mut problems = Vec::new();
        if let Some(holder) = self.with_login(db, new.login)? {
            let same = holder.customer && holder.email.as_deref().map(fold) == new.email.map(fold);
            if same && earlier_line(db, holder.person)?.is_none() {
                note_line(db, holder.person, line)?;
                return Ok(Standing::There);
            }
            problems.push(taken(db, Column::Login, new.login, "used by", &holder)?);
        } else if let Some(holder) = self.with_email(db, new.login, true)? {
            // At sign-in a login outranks an address: the address's owner could no longer sign in with it.
            problems.push(taken(db, Column::Login, new.login, "the address of", &holder)?);
        }
        if let Some(email) = new.email {
            if let Some(holder) = self.with_email(db, email, !self.shared)? {
                problems.push(taken(db, Column::Email, email, "used by", &holder)?);
            } else if let Some(holder) = self.with_login(db, email)? {
                problems.push(taken(db, Column::Email, email, "the login of", &holder)?);
            }
        }
        Ok(if problems.is_empty() { Standing::New } else { Standing::Taken(problems) })
    }

    /// Stores whom the row of `line` created; in a dry run `person` is nobody yet.
    pub fn made(&self, db: &Connection, new: &NewPerson<'_>, person: Option<i64>, line: i64) -> rusqlite::Result<()> {
        let (login, email) = (new.login.to_owned(), new.email.map(str::to_owned));
        let holder = Holder { person: person.unwrap_or(-line), login, email, customer: true };
        note_line(db, holder.person, line)?;
        for name in [Some(new.login), new.email].into_iter().flatten().filter(|name| self.dry || !is_plain(name)) {
            keep(db, name, &holder)?;
        }
        Ok(())
    }

    fn with_login(&self, db: &Connection, typed: &str) -> rusqlite::Result<Option<Holder>> {
        self.holder(db, typed, "lower(login) = ?1", Holder::has_login)
    }

    /// `customers`: also among customers.
    fn with_email(&self, db: &Connection, typed: &str, customers: bool) -> rusqlite::Result<Option<Holder>> {
        let others = if customers { "lower(email) = ?1" } else { "lower(email) = ?1 AND kind <> 'customer'" };
        self.holder(db, typed, others, |holder, folded| holder.has_email(folded) && (customers || !holder.customer))
    }

    /// Somebody who matches `condition`, by an index of the table; otherwise by the stored names.
    fn holder(
        &self,
        db: &Connection,
        typed: &str,
        condition: &str,
        is_he: impl Fn(&Holder, &str) -> bool,
    ) -> rusqlite::Result<Option<Holder>> {
        let folded = fold(typed);
        self.read_names(db, !is_plain(typed))?;
        for sql in [&format!("{HOLDER} WHERE {condition}"), KEPT] {
            let mut statement = db.prepare_cached(sql)?;
            for holder in statement.query_map([&folded], Holder::of)? {
                let holder = holder?;
                if is_he(&holder, &folded) {
                    return Ok(Some(holder));
                }
            }
        }
        Ok(None)
    }

    /// Reads the names that are not plain: once, and with `again` if somebody else has written to the database since.
    fn read_names(&self, db: &Connection, again: bool) -> rusqlite::Result<()> {
        if self.read_at.get().is_some() && !again {
            return Ok(());
        }
        let version = db.query_row("PRAGMA main.data_version", [], |row| row.get(0))?;
        if self.read_at.replace(Some(version)) == Some(version) {
            return Ok(());
        }
        let other = |column| format!("{column} GLOB '*[^!-~]*'");
        let sql = format!("{HOLDER} WHERE {} OR {}", other("login"), other("email"));
        db.execute("DELETE FROM import_names WHERE person >= 0", [])?;
        for holder in db.prepare_cached(&sql)?.query_map([], Holder::of)? {
            let holder = holder?;
            for name in
                [Some(&holder.login), holder.email.as_ref()].into_iter().flatten().filter(|name| !is_plain(name))
            {
                keep(db, name, &holder)?;
            }
        }
        Ok(())
    }
}

fn keep(db: &Connection, name: &str, holder: &Holder) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO import_names (name, person, login, email, customer) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![fold(name), holder.person, holder.login, holder.email, holder.customer])?;
    Ok(())
}

fn earlier_line(db: &Connection, person: i64) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT line FROM import_lines WHERE person = ?1")?
        .query_row([person], |row| row.get(0))
        .optional()
}

fn note_line(db: &Connection, person: i64, line: i64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO import_lines (person, line) VALUES (?1, ?2)")?.execute(params![person, line])?;
    Ok(())
}

/// Names an earlier line of the file, or somebody's login.
fn taken(db: &Connection, column: Column, value: &str, how: &str, holder: &Holder) -> rusqlite::Result<Problem> {
    let line = earlier_line(db, holder.person)?.map(|line| format!("line {}", number(line)));
    Ok(Problem::about(column, value, format!("already {how} {}", line.unwrap_or_else(|| shown(&holder.login)))))
}
