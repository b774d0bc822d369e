//! The queue: what is done later, once at least. A mail, a task and a delivery are rows that wait, are leased to one worker,
//! and are settled by it; a lease that nobody settles in time is the next worker's. What the three have in common is done
//! here. Each has a table of its own, since each is looked up in its own order: a mail by its recipient, a task by its key, a
//! delivery by its destination and the turn of its plugin.

use keyturn_core::mail::MailState;
use keyturn_core::seal;

use super::database::{Bind, Row, ValueRef, params};
use super::error::StorageError;
use super::moves;
use super::store::{Rows, Store};

/// One worker's hold on a row. Whoever settles shows it, so that of two that believe to have a row one is right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The row.
    pub row: String,
    /// Random; another at each leasing.
    pub token: String,
}

impl Lease {
    /// A lease on a row that nobody else can show.
    #[must_use]
    pub fn fresh(row: &str) -> Self {
        Self { row: row.to_owned(), token: seal::hex(&seal::random::<16>()) }
    }
}

/// What is due, by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// A mail can be leased.
    pub mail: bool,
    /// A task can be leased.
    pub task: bool,
}

/// A row as a list shows it, whatever its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as commands take it.
    pub id: String,
    /// Its number: later ones are greater.
    pub number: i64,
    /// The plugin whose call has left it behind, or that runs it.
    pub plugin: String,
    /// The template, job or event.
    pub what: String,
    /// The recipient or destination; none: its plugin has it.
    pub to: Option<String>,
    /// How it stands. A task that has ended has no row any more.
    pub state: MailState,
    /// Attempts so far.
    pub attempts: u32,
    /// And at most.
    pub most: u32,
    /// Unix milliseconds.
    pub asked_at: i64,
    /// When it is tried next, Unix milliseconds; while it is under way: when the attempt is taken for lost.
    pub due: Option<i64>,
    /// What came of the latest attempt, in a line.
    pub said: Option<String>,
    /// Whether what it carries is still there, so that it can be tried again.
    pub whole: bool,
}

/// The table of one kind.
pub(super) struct Table {
    pub name: &'static str,
    /// The column that keeps what came of the latest attempts.
    pub outcome: &'static str,
    /// Attempts of a row at most.
    pub attempts: u32,
}

/// Emails.
pub(super) const MAILS_QUEUE: Table =
    Table { name: "keyturnhost_outbox", outcome: "obstacle", attempts: keyturn_core::mail::ATTEMPTS };
/// Jobs and events.
pub(super) const TASKS_QUEUE: Table =
    Table { name: "keyturnhost_tasks", outcome: "outcome", attempts: keyturn_core::mail::ATTEMPTS };
/// Webhook deliveries.
pub(super) const DELIVERIES_QUEUE: Table = Table { name: "keyturnhost_deliveries", outcome: "tried", attempts: 10 };

const TABLES: [Table; 3] = [MAILS_QUEUE, TASKS_QUEUE, DELIVERIES_QUEUE];

/// A row that is due, as far as it matters whether it is leased.
pub(super) struct Waiting {
    pub number: i64,
    id: String,
    state: String,
    attempts: u32,
    due: i64,
    /// What it carries is of no use from then on, Unix milliseconds.
    expires: i64,
}

/// The columns of one; a kind without an end has a number that is far away.
pub(super) const WAITING: &str = "number, id, state, attempts, due";

pub(super) fn waiting(row: &dyn Row) -> Result<Waiting, StorageError> {
    let expires = if row.columns() > 5 { row.get(5)? } else { i64::MAX };
    Ok(Waiting {
        number: row.get(0)?,
        id: row.get(1)?,
        state: row.get(2)?,
        attempts: row.get(3)?,
        due: row.get(4)?,
        expires,
    })
}

/// Why a row that is due is not leased.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Each of its workers went away while it had it.
    Lost,
    /// What it carries ran out.
    Ended,
    /// Somebody else has written it: what is in it is none of what the host writes.
    Unreadable,
}

impl Rows<'_> {
    /// Takes rows that are due, at most `most`. `next` reads so many of them, the first ones first; `read` reads one whole, if it
    /// can be read. What is over is handed to `over`, which sees to it that it is due no more, so that it holds up no other. None,
    /// while this host's clock is off.
    /// Where they go `alone`, one that was tried before is taken with no other: what it did to its worker, it does to no other.
    pub fn claim<T>(
        &self,
        table: &Table,
        (most, lease_ms, alone): (u32, i64, bool),
        next: impl Fn(i64, u32) -> Result<Vec<Waiting>, StorageError>,
        read: impl Fn(i64) -> Result<Option<T>, StorageError>,
        over: impl Fn(i64, Over, i64) -> Result<(), StorageError>,
    ) -> Result<Vec<(T, Lease)>, StorageError> {
        let clock = self.clock()?;
        if clock.is_off() {
            return Ok(Vec::new());
        }
        let now = clock.now;
        let claim = format!(
            "UPDATE {} SET state = 'sending', attempts = attempts + 1, due = ?3, lease = ?4, changed_at = ?5
             WHERE number = ?1 AND due = ?2",
            table.name
        );
        let mut claimed = Vec::new();
        // Each round leaves fewer that are due: what is not leased is over.
        while claimed.len() < most as usize {
            let rows = next(now, most - claimed.len() as u32)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let why = match MailState::named(&row.state) {
                    None => Some(Over::Unreadable),
                    Some(_) if row.expires <= now => Some(Over::Ended),
                    Some(MailState::Sending) if row.attempts >= table.attempts => Some(Over::Lost),
                    Some(_) => None,
                };
                if let Some(why) = why {
                    over(row.number, why, now)?;
                    continue;
                }
                let alone = alone && row.attempts > 0;
                if alone && !claimed.is_empty() {
                    return Ok(claimed);
                }
                let (lease, until) = (Lease::fresh(&row.id), now + lease_ms);
                // On an engine where two may look at once, one of them changes it.
                if self.execute(&claim, params![row.number, row.due, until, lease.token, now])? > 0 {
                    match read(row.number)? {
                        Some(row) => claimed.push((row, lease)),
                        None => over(row.number, Over::Unreadable, now)?,
                    }
                }
                if alone {
                    return Ok(claimed);
                }
            }
        }
        Ok(claimed)
    }

    /// How a row stands after an attempt, or at its end; nobody has it from then on.
    pub fn settle(
        &self,
        table: &Table,
        number: i64,
        state: MailState,
        due: Option<i64>,
        outcome: Option<&str>,
        now: i64,
    ) -> Result<(), StorageError> {
        let Table { name, outcome: column, .. } = table;
        let settle = format!(
            "UPDATE {name} SET state = ?2, due = ?3, lease = NULL, changed_at = ?4, {column} = ?5 WHERE number = ?1"
        );
        self.change(&settle, params![number, state.name(), due, now, outcome])
    }

    /// A row is tried again, with all its attempts before it.
    pub fn again(&self, table: &Table, number: i64, now: i64) -> Result<(), StorageError> {
        let again = "SET state = 'queued', attempts = 0, due = ?2, lease = NULL, changed_at = ?2 WHERE number = ?1";
        self.change(&format!("UPDATE {} {again}", table.name), params![number, now])
    }

    pub fn is_due(&self, table: &Table) -> Result<bool, StorageError> {
        let due = format!("SELECT 1 FROM {} WHERE due <= ?1 LIMIT 1", table.name);
        Ok(self.one(&due, params![self.now()?], |_| Ok(()))?.is_some())
    }

    /// Rows of a list, newest first: those of the statement that satisfy each condition, `column IN (values)`, of which one
    /// without values is none; older than one, at most so many.
    pub fn list<T>(
        &self,
        select: &str,
        conditions: &[(&str, Vec<&str>)],
        before: Option<i64>,
        limit: u32,
        read: fn(&dyn Row) -> Result<Option<T>, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        let before = before.unwrap_or(i64::MAX);
        let mut parameters: Vec<ValueRef<'_>> = vec![before.bind()];
        let mut sql = format!("{select} WHERE number < ?1");
        for (column, values) in conditions.iter().filter(|(_, values)| !values.is_empty()) {
            let first = parameters.len() + 1;
            parameters.extend(values.iter().map(Bind::bind));
            let marks: Vec<String> = (first..=parameters.len()).map(|at| format!("?{at}")).collect();
            sql.push_str(&format!(" AND {column} IN ({})", marks.join(", ")));
        }
        sql.push_str(&format!(" ORDER BY number DESC LIMIT {}", limit.clamp(1, 1000)));
        Ok(self.all(&sql, &parameters, read)?.into_iter().flatten().collect())
    }
}

impl Store {
    /// Looks before it leases: whoever has nothing to do does not make the writer wait for the disk.
    pub(super) fn leases<T: Send + 'static>(
        &self,
        table: &Table,
        lease: impl Fn(Rows<'_>) -> Result<Vec<T>, StorageError> + Send + 'static,
    ) -> Result<Vec<T>, StorageError> {
        if !self.rows(|rows| rows.is_due(table))? {
            return Ok(Vec::new());
        }
        // Of a database that was copied elsewhere, nothing is done a second time.
        self.write(move |rows| moves::in_service(rows.db).and_then(|()| lease(rows)))
    }

    /// Whether a worker has anything to do.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn due(&self) -> Result<Due, StorageError> {
        self.rows(|rows| Ok(Due { mail: rows.is_due(&MAILS_QUEUE)?, task: rows.is_due(&TASKS_QUEUE)? }))
    }

    /// A worker's sign of life, which also prolongs its leases by `lease_ms` from now on. Time goes on with it, to `now`, Unix
    /// milliseconds: what ran out is wiped although nobody calls.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn beat(&self, leases: &[Lease], lease_ms: i64, now: i64) -> Result<(), StorageError> {
        let leases = leases.to_vec();
        self.time_goes_on(now);
        self.sign_of_workers(move |rows, now| {
            for Table { name, .. } in &TABLES {
                let prolong = format!("UPDATE {name} SET due = ?3 WHERE id = ?1 AND lease = ?2 AND due IS NOT NULL");
                for lease in &leases {
                    rows.change(&prolong, params![lease.row, lease.token, now + lease_ms])?;
                }
            }
            Ok(())
        })
    }
}

impl Rows<'_> {
    /// Adds to one of a plugin's totals, and answers it.
    pub fn usage(&self, plugin: &str, total: &str, growth: i64) -> Result<u64, StorageError> {
        let total = self.one(
            "INSERT INTO keyturnhost_usage (plugin, kind, amount) VALUES (?1, ?2, ?3)
             ON CONFLICT (plugin, kind) DO UPDATE SET amount = keyturnhost_usage.amount + excluded.amount
             RETURNING amount",
            params![plugin, total, growth],
            |row| row.get::<i64>(0),
        )?;
        Ok(total.and_then(|total| u64::try_from(total).ok()).unwrap_or(0))
    }
}
