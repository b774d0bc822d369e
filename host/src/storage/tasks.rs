//! Work for later: jobs, and deliveries of events to those who listen. Both are tasks of one plugin, leased and run one by
//! one; a task ends in the commit of its own effects, so these happen once.

use zeroize::Zeroizing;

use super::database::{Row, params};
use super::outbox::ATTEMPTS;
use super::store::{Rows, Store, forged};
use super::{AuditEntry, Quotas, StorageError};
use crate::seal;

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

/// What kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// What the plugin has queued itself.
    Job,
    /// An event that it listens to.
    Event,
}

impl TaskKind {
    /// As it stands in a row.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Job => "job",
            TaskKind::Event => "event",
        }
    }

    /// Back from a row.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [TaskKind::Job, TaskKind::Event].into_iter().find(|kind| kind.name() == name)
    }
}

/// A task that a call leaves behind.
#[derive(Clone)]
pub struct NewTask {
    /// What it is.
    pub kind: TaskKind,
    /// Whose: the plugin that is to run it.
    pub plugin: String,
    /// The job's or the event's name.
    pub name: String,
    /// A job's payload; an event as JSON. Sealed by the storage.
    pub payload: Zeroizing<String>,
    /// Unix milliseconds before which it does not run.
    pub not_before: i64,
    /// While one of this plugin, name and key waits, another is dropped and the waiting one brought forward.
    pub key: Option<String>,
    /// The client's address in the call that left it behind.
    pub address: Option<String>,
    /// How many events have led to it.
    pub depth: u32,
}

// A payload may be secret.
impl std::fmt::Debug for NewTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTask")
            .field("kind", &self.kind)
            .field("plugin", &self.plugin)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A task that one worker has to itself for a while.
#[derive(Clone)]
pub struct LeasedTask {
    /// To settle it, or to end it in a commit.
    pub lease: Lease,
    /// What it is.
    pub kind: TaskKind,
    /// Whose.
    pub plugin: String,
    /// The job's or the event's name.
    pub name: String,
    /// The payload; a sentence if its row is not one that this host wrote.
    pub payload: Result<Zeroizing<String>, String>,
    /// The client's address in the call that left it behind.
    pub address: Option<String>,
    /// How many events have led to it.
    pub depth: u32,
    /// Attempts, this one included.
    pub attempts: u32,
}

/// A task, without what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number: later ones are greater.
    pub number: i64,
    /// Its name: 32 hexadecimal digits.
    pub id: String,
    /// What it is.
    pub kind: TaskKind,
    /// Whose.
    pub plugin: String,
    /// The job's or the event's name.
    pub name: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Unix milliseconds.
    pub asked_at: i64,
    /// When it runs next, Unix milliseconds; none: it has failed for good.
    pub due: Option<i64>,
    /// How the latest attempt ended, in one or a few words.
    pub outcome: Option<String>,
    /// Whether what it carries is still there, so that it can run at all.
    pub whole: bool,
}

/// How many tasks a plugin has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskCount {
    /// Whose call has left them behind, and is held to `waiting-jobs` for them.
    pub plugin: String,
    /// Those that wait or run.
    pub waiting: u64,
    /// Those that have failed for good, within the last 30 days.
    pub failed: u64,
}

/// What is due, by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// A mail can be leased.
    pub mail: bool,
    /// A task can be leased.
    pub task: bool,
}

/// When a worker was last there, by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Its last sign of life, Unix milliseconds; none: there never was one.
    pub at: Option<i64>,
    /// Now, Unix milliseconds.
    pub now: i64,
}

impl Store {
    /// Whether a worker has anything to do.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn due(&self) -> Result<Due, StorageError> {
        self.rows(|rows| rows.due())
    }

    /// Takes tasks that are due, longest waiting first, at most `most`, for `lease_ms` milliseconds of the database's clock. One
    /// that came to nothing before is taken alone.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn lease_tasks(&self, most: u32, lease_ms: i64) -> Result<Vec<LeasedTask>, StorageError> {
        if !self.due()?.task {
            return Ok(Vec::new());
        }
        self.write(move |rows| rows.lease_tasks(most, lease_ms))
    }

    /// Says that a task came to nothing: it runs again in so many milliseconds, or, without them, only when somebody wants it:
    /// it is kept to be listed, and what it carries for seven days, sealed. Answers whether the lease still held.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn settle_task(&self, lease: &Lease, again_in: Option<i64>, outcome: &str) -> Result<bool, StorageError> {
        let (lease, outcome) = (lease.clone(), outcome.to_owned());
        self.write(move |rows| rows.settle_task(&lease, again_in, &outcome))
    }

    /// Tasks, newest first; `failed`: only those that have failed for good.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn tasks(&self, failed: bool, limit: u32) -> Result<Vec<Task>, StorageError> {
        self.rows(|rows| rows.tasks(failed, limit))
    }

    /// How many there are of each plugin.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn task_counts(&self) -> Result<Vec<TaskCount>, StorageError> {
        self.rows(|rows| rows.task_counts())
    }

    /// Has tasks that failed for good run again, from the first attempt on, and writes it down. Answers which: those that carry
    /// something still. One whose like waits meanwhile is done by that.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn run_again(&self, ids: &[String], audit: AuditEntry) -> Result<Vec<String>, StorageError> {
        let ids = ids.to_vec();
        self.write(move |rows| rows.run_again(&ids, &audit))
    }

    /// A worker's sign of life, which also prolongs its leases by `lease_ms` from now on. Time goes on with it, to `now`, Unix
    /// milliseconds: what ran out is wiped although nobody calls.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn beat(&self, leases: &[Lease], lease_ms: i64, now: i64) -> Result<(), StorageError> {
        let leases = leases.to_vec();
        self.time_goes_on(now);
        self.write(move |rows| rows.beat(&leases, lease_ms))
    }

    /// When a worker was last there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn last_beat(&self) -> Result<Beat, StorageError> {
        self.rows(|rows| rows.last_beat())
    }
}

/// How long a task that failed for good stays to be seen, in milliseconds: 30 days.
const FAILED_STAYS: i64 = 30 * 24 * 3600 * 1000;
/// How many of a plugin's that have failed stay to be seen: the newest ones.
const FAILED_MOST: u32 = 5_000;
/// How long what it carries stays, so that it can be run again, in milliseconds: 7 days.
const PAYLOAD_STAYS: i64 = 7 * 24 * 3600 * 1000;
/// How many of a plugin's that have failed keep what they carry: the newest ones.
const PAYLOADS: u32 = 1_000;
/// The plugin's total of waiting tasks in keyturnhost_usage.
const USAGE: &str = "tasks";

/// What a payload is bound to.
fn place(id: &str, plugin: &str, kind: TaskKind, name: &str, address: Option<&str>, depth: u32) -> [String; 7] {
    [
        "keyturnhost_tasks".to_owned(),
        id.to_owned(),
        plugin.to_owned(),
        kind.name().to_owned(),
        name.to_owned(),
        address.unwrap_or_default().to_owned(),
        depth.to_string(),
    ]
}

struct Waiting {
    id: String,
    kind: String,
    plugin: String,
    charged: String,
    name: String,
    payload: Option<Vec<u8>>,
    address: Option<String>,
    depth: u32,
    attempts: u32,
    key: Option<String>,
}

const COLUMNS: &str = "id, kind, plugin, charged, name, payload, address, depth, attempts, key";

fn waiting(row: &dyn Row) -> Result<Waiting, StorageError> {
    Ok(Waiting {
        id: row.get(0)?,
        kind: row.get(1)?,
        plugin: row.get(2)?,
        charged: row.get(3)?,
        name: row.get(4)?,
        payload: row.get(5)?,
        address: row.get(6)?,
        depth: row.get(7)?,
        attempts: row.get(8)?,
        key: row.get(9)?,
    })
}

impl Rows<'_> {
    /// Adds to one of a plugin's totals, and answers it.
    pub fn usage(&self, plugin: &str, kind: &str, growth: i64) -> Result<u64, StorageError> {
        let total = self.one(
            "INSERT INTO keyturnhost_usage (plugin, kind, amount) VALUES (?1, ?2, ?3)
             ON CONFLICT (plugin, kind) DO UPDATE SET amount = keyturnhost_usage.amount + excluded.amount RETURNING amount",
            params![plugin, kind, growth],
            |row| row.get::<i64>(0),
        )?;
        Ok(total.and_then(|total| u64::try_from(total).ok()).unwrap_or(0))
    }

    /// Leaves a task behind, charged to `plugin`, or brings the one that waits under its key forward.
    pub fn enqueue(&self, plugin: &str, task: &NewTask, quotas: &Quotas, now: i64) -> Result<(), StorageError> {
        let id = Lease::fresh("").token;
        let place = place(&id, &task.plugin, task.kind, &task.name, task.address.as_deref(), task.depth);
        let sealed = self.keys.seal(&place.each_ref().map(String::as_str), task.payload.as_bytes());
        let stands = self.one(
            "INSERT INTO keyturnhost_tasks (id, kind, plugin, charged, name, key, payload, address, depth, attempts, due,
                asked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11)
             ON CONFLICT (plugin, name, key) WHERE key IS NOT NULL AND lease IS NULL AND due IS NOT NULL
                DO UPDATE SET due = min(due, excluded.due)
             RETURNING id",
            params![
                id,
                task.kind.name(),
                task.plugin,
                plugin,
                task.name,
                task.key,
                sealed,
                task.address,
                task.depth,
                task.not_before,
                now
            ],
            |row| row.get::<String>(0),
        )?;
        let fresh = stands.as_deref() == Some(&id);
        let waiting = self.usage(plugin, USAGE, i64::from(fresh))?;
        // Where there is no room, one that would be dropped is refused too: taking it would tell that its like waits.
        match waiting > quotas.waiting_jobs || (!fresh && waiting == quotas.waiting_jobs) {
            true => Err(StorageError::Limit("waiting-jobs")),
            false => Ok(()),
        }
    }

    /// The task of a call that succeeds goes with the call's effects.
    pub fn end_task(&self, lease: &Lease) -> Result<(), StorageError> {
        let charged = self.one(
            "DELETE FROM keyturnhost_tasks WHERE id = ?1 AND lease = ?2 RETURNING charged",
            params![lease.row, lease.token],
            |row| row.get::<String>(0),
        )?;
        let charged = charged.ok_or(StorageError::LeaseLost)?;
        self.usage(&charged, USAGE, -1).map(drop)
    }

    pub fn lease_tasks(&self, most: u32, lease_ms: i64) -> Result<Vec<LeasedTask>, StorageError> {
        let now = self.db.now()?;
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_tasks WHERE due <= ?1 ORDER BY due LIMIT ?2");
        let mut leased = Vec::new();
        // Each round leaves fewer that are due: what is not leased has failed.
        while leased.len() < most as usize {
            let rows = self.all(&sql, params![now, most - leased.len() as u32], waiting)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if row.attempts >= ATTEMPTS {
                    // Each of its workers went away while it ran.
                    self.fail(&row.id, &row.charged, "lost")?;
                    continue;
                }
                // One that came to nothing before goes alone: what it does to its worker it does to no other.
                let alone = row.attempts > 0;
                if alone && !leased.is_empty() {
                    return Ok(leased);
                }
                let lease = Lease::fresh(&row.id);
                self.change(
                    "UPDATE keyturnhost_tasks SET lease = ?2, due = ?3, attempts = attempts + 1 WHERE id = ?1",
                    params![row.id, lease.token, now + lease_ms],
                )?;
                leased.push(self.leased(row, lease));
                if alone {
                    return Ok(leased);
                }
            }
        }
        Ok(leased)
    }

    fn leased(&self, row: Waiting, lease: Lease) -> LeasedTask {
        let kind = TaskKind::named(&row.kind).unwrap_or(TaskKind::Job);
        let place = place(&row.id, &row.plugin, kind, &row.name, row.address.as_deref(), row.depth);
        let plain = row
            .payload
            .and_then(|sealed| self.keys.open_sealed(&place.each_ref().map(String::as_str), &sealed).ok())
            .and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        let payload = plain.map(Into::into).ok_or_else(|| forged("keyturnhost_tasks", &row.plugin).to_string());
        LeasedTask {
            lease,
            kind,
            plugin: row.plugin,
            name: row.name,
            payload,
            address: row.address,
            depth: row.depth,
            attempts: row.attempts + 1,
        }
    }

    pub fn settle_task(&self, lease: &Lease, again_in: Option<i64>, outcome: &str) -> Result<bool, StorageError> {
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_tasks WHERE id = ?1 AND lease = ?2");
        let Some(row) = self.one(&sql, params![lease.row, lease.token], waiting)? else {
            return Ok(false);
        };
        let Some(pause) = again_in else {
            return self.fail(&row.id, &row.charged, outcome).map(|()| true);
        };
        if self.waits(&row)? {
            // A newer one of its key came while it ran, and does what it would have done.
            return self.end_task(lease).map(|()| true);
        }
        let due = self.db.now()?.saturating_add(pause);
        self.change(
            "UPDATE keyturnhost_tasks SET lease = NULL, due = ?2, outcome = ?3 WHERE id = ?1",
            params![row.id, due, outcome],
        )?;
        Ok(true)
    }

    fn fail(&self, id: &str, charged: &str, outcome: &str) -> Result<(), StorageError> {
        self.change(
            "UPDATE keyturnhost_tasks SET lease = NULL, due = NULL, outcome = ?2 WHERE id = ?1",
            params![id, outcome],
        )?;
        self.usage(charged, USAGE, -1).map(drop)
    }

    /// Has tasks that failed for good run again, from the first attempt on; answers which of them.
    pub fn run_again(&self, ids: &[String], audit: &AuditEntry) -> Result<Vec<String>, StorageError> {
        let now = self.db.now()?;
        let mut done = Vec::new();
        for id in ids {
            let sql = format!("SELECT {COLUMNS} FROM keyturnhost_tasks WHERE id = ?1 AND due IS NULL");
            let Some(row) = self.one(&sql, params![id], waiting)?.filter(|row| row.payload.is_some()) else { continue };
            if self.waits(&row)? {
                // It does what this one would do.
                self.change("DELETE FROM keyturnhost_tasks WHERE id = ?1", params![id])?;
            } else {
                let again = "UPDATE keyturnhost_tasks SET due = ?2, attempts = 0 WHERE id = ?1";
                self.change(again, params![id, now])?;
                self.usage(&row.charged, USAGE, 1)?;
            }
            done.push(id.clone());
        }
        if !done.is_empty() {
            self.insert_audit(audit)?;
        }
        Ok(done)
    }

    /// Whether another task of this one's key waits.
    fn waits(&self, row: &Waiting) -> Result<bool, StorageError> {
        let another = self.one(
            "SELECT 1 FROM keyturnhost_tasks
             WHERE plugin = ?1 AND name = ?2 AND key = ?3 AND lease IS NULL AND due IS NOT NULL",
            params![row.plugin, row.name, row.key],
            |_| Ok(()),
        )?;
        Ok(another.is_some())
    }

    pub fn tasks(&self, failed: bool, limit: u32) -> Result<Vec<Task>, StorageError> {
        self.all(
            "SELECT number, kind, plugin, name, attempts, asked_at, due, outcome, id, payload IS NOT NULL
             FROM keyturnhost_tasks WHERE NOT ?1 OR due IS NULL ORDER BY number DESC LIMIT ?2",
            params![failed, limit.clamp(1, 1000)],
            |row| {
                Ok(Task {
                    number: row.get(0)?,
                    kind: TaskKind::named(&row.get::<String>(1)?).unwrap_or(TaskKind::Job),
                    plugin: row.get(2)?,
                    name: row.get(3)?,
                    attempts: row.get(4)?,
                    asked_at: row.get(5)?,
                    due: row.get(6)?,
                    outcome: row.get(7)?,
                    id: row.get(8)?,
                    whole: row.get(9)?,
                })
            },
        )
    }

    pub fn task_counts(&self) -> Result<Vec<TaskCount>, StorageError> {
        self.all(
            "SELECT charged, count(due), count(*) - count(due) FROM keyturnhost_tasks GROUP BY charged",
            &[],
            |row| {
                let count = |at| row.get::<i64>(at).map(i64::unsigned_abs);
                Ok(TaskCount { plugin: row.get(0)?, waiting: count(1)?, failed: count(2)? })
            },
        )
    }

    pub fn due(&self) -> Result<Due, StorageError> {
        let due = self.one(
            "SELECT EXISTS (SELECT 1 FROM keyturnhost_outbox WHERE due <= ?1),
                    EXISTS (SELECT 1 FROM keyturnhost_tasks WHERE due <= ?1)",
            params![self.db.now()?],
            |row| Ok(Due { mail: row.get(0)?, task: row.get(1)? }),
        )?;
        Ok(due.unwrap_or_default())
    }

    pub fn beat(&self, leases: &[Lease], lease_ms: i64) -> Result<(), StorageError> {
        let now = self.db.now()?;
        self.change(
            "INSERT INTO keyturnhost_workers (id, beat) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET beat = excluded.beat",
            params![now],
        )?;
        for lease in leases {
            for sql in [
                "UPDATE keyturnhost_outbox SET due = ?3 WHERE id = ?1 AND lease = ?2 AND due IS NOT NULL",
                "UPDATE keyturnhost_tasks SET due = ?3 WHERE id = ?1 AND lease = ?2 AND due IS NOT NULL",
                "UPDATE keyturnhost_deliveries SET due = ?3 WHERE id = ?1 AND lease = ?2 AND due IS NOT NULL",
            ] {
                self.change(sql, params![lease.row, lease.token, now + lease_ms])?;
            }
        }
        Ok(())
    }

    pub fn last_beat(&self) -> Result<Beat, StorageError> {
        let sql = "SELECT beat FROM keyturnhost_workers WHERE id = 1";
        let at = self.one(sql, &[], |row| row.get(0))?;
        Ok(Beat { at, now: self.db.now()? })
    }

    /// Removes at most `most` of those that failed long ago, and wipes what those before carry.
    pub fn tidy_tasks(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        self.change(
            "UPDATE keyturnhost_tasks SET payload = NULL WHERE number IN (SELECT number FROM (
                SELECT number, asked_at, row_number() OVER (PARTITION BY charged ORDER BY number DESC) AS newer
                FROM keyturnhost_tasks WHERE due IS NULL AND payload IS NOT NULL)
             WHERE newer > ?2 OR asked_at <= ?1)",
            params![now.saturating_sub(PAYLOAD_STAYS), PAYLOADS],
        )?;
        let gone = self.all(
            "DELETE FROM keyturnhost_tasks WHERE number IN (SELECT number FROM keyturnhost_tasks
             WHERE due IS NULL AND asked_at <= ?1 ORDER BY asked_at LIMIT ?2) RETURNING number",
            params![now.saturating_sub(FAILED_STAYS), most],
            |row| row.get::<i64>(0),
        )?;
        let too_many = self.all(
            "DELETE FROM keyturnhost_tasks WHERE number IN (SELECT number FROM (
                SELECT number, row_number() OVER (PARTITION BY charged ORDER BY number DESC) AS newer
                FROM keyturnhost_tasks WHERE due IS NULL)
             WHERE newer > ?1 ORDER BY number LIMIT ?2) RETURNING number",
            params![FAILED_MOST, most],
            |row| row.get::<i64>(0),
        )?;
        Ok(gone.len().max(too_many.len()))
    }
}
