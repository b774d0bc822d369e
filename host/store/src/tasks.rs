//! Work for later: jobs, and deliveries of events to those who listen. Both are tasks of one plugin, leased and run one by
//! one; a task ends in the commit of its own effects, so these happen once.

use zeroize::Zeroizing;

use super::database::{Row, params};
pub use super::queue::{Due, Lease};
use super::queue::{Entry, TASKS_QUEUE, WAITING, waiting};
use super::store::{Rows, Store, forged};
use super::{AuditEntry, Quotas, StorageError};
use keyturn_core::mail::{ATTEMPTS, MailState};

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
    /// How it stands: never accepted, since it is gone then.
    pub state: MailState,
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

impl From<&Task> for Entry {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id.clone(),
            number: task.number,
            plugin: task.plugin.clone(),
            what: task.name.clone(),
            to: None,
            state: task.state,
            attempts: task.attempts,
            most: ATTEMPTS,
            asked_at: task.asked_at,
            due: task.due,
            said: task.outcome.clone(),
            whole: task.whole,
        }
    }
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

impl Store {
    /// Takes tasks that are due, longest waiting first, at most `most`, for `lease_ms` milliseconds of the database's clock. One
    /// that came to nothing before is taken alone.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn lease_tasks(&self, most: u32, lease_ms: i64) -> Result<Vec<LeasedTask>, StorageError> {
        self.leases(&TASKS_QUEUE, move |rows| {
            let due = format!("SELECT {WAITING} FROM keyturnhost_tasks WHERE due <= ?1 ORDER BY due LIMIT ?2");
            let one = format!("{TASKS} WHERE number = ?1");
            let numbered = |number: i64| rows.one(&one, params![number], carrying);
            let claimed = rows.claim(
                &TASKS_QUEUE,
                (most, lease_ms, true),
                |now, left| rows.all(&due, params![now, left], waiting),
                numbered,
                |number, _, now| numbered(number)?.map_or(Ok(()), |row| rows.fail(&row, "lost", now)),
            )?;
            Ok(claimed.into_iter().map(|(row, lease)| rows.leased_task(row, lease)).collect())
        })
    }

    /// Says that a task came to nothing: it runs again in so many milliseconds, or, without them, only when somebody wants it:
    /// it is kept to be listed, and what it carries for seven days, sealed. Answers whether the lease still held.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn settle_task(&self, lease: &Lease, again_in: Option<i64>, outcome: &str) -> Result<bool, StorageError> {
        let (lease, outcome) = (lease.clone(), outcome.to_owned());
        self.write(move |rows| {
            let sql = format!("{TASKS} WHERE id = ?1 AND lease = ?2");
            let Some(row) = rows.one(&sql, params![lease.row, lease.token], carrying)? else {
                return Ok(false);
            };
            let now = rows.now()?;
            match again_in {
                None => rows.fail(&row, &outcome, now)?,
                // A newer one of its key came while it ran, and does what it would have done.
                Some(_) if rows.waits(&row)? => rows.end_task(&lease)?,
                Some(pause) => {
                    let due = Some(now.saturating_add(pause));
                    rows.settle(&TASKS_QUEUE, row.number, MailState::Delayed, due, Some(&outcome), now)?;
                }
            }
            Ok(true)
        })
    }

    /// Tasks, newest first; `failed`: only those that have failed for good.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn tasks(&self, failed: bool, limit: u32) -> Result<Vec<Task>, StorageError> {
        let failures = vec![MailState::GaveUp.name()];
        let conditions = [("state", failures)];
        self.ask(|rows| rows.list(TASKS, if failed { &conditions } else { &[] }, None, limit, task))
    }

    /// How many there are of each plugin.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn task_counts(&self) -> Result<Vec<TaskCount>, StorageError> {
        self.rows(|rows| {
            rows.all(
                "SELECT charged, count(due), count(*) - count(due) FROM keyturnhost_tasks GROUP BY charged",
                &[],
                |row| Ok(TaskCount { plugin: row.get(0)?, waiting: row.get(1)?, failed: row.get(2)? }),
            )
        })
    }

    /// Has tasks that failed for good run again, from the first attempt on, and writes it down. Answers which: those that carry
    /// something still. One whose like waits by now is done by that.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn run_again(&self, ids: &[String], audit: AuditEntry) -> Result<Vec<String>, StorageError> {
        let ids = ids.to_vec();
        self.write(move |rows| {
            let now = rows.now()?;
            let sql = format!("{TASKS} WHERE id = ?1 AND due IS NULL");
            let mut done = Vec::new();
            for id in &ids {
                let row = rows.one(&sql, params![id], carrying)?;
                let Some(row) = row.filter(|row| row.payload.is_some()) else { continue };
                if rows.waits(&row)? {
                    // It does what this one would do.
                    rows.change("DELETE FROM keyturnhost_tasks WHERE number = ?1", params![row.number])?;
                } else {
                    rows.again(&TASKS_QUEUE, row.number, now)?;
                    rows.usage(&row.charged, USAGE, 1)?;
                }
                done.push(id.clone());
            }
            if !done.is_empty() {
                rows.insert_audit(&audit)?;
            }
            Ok(done)
        })
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

const TASKS: &str =
    "SELECT number, id, kind, plugin, charged, name, payload, address, depth, attempts, key, due, asked_at,
    outcome, state FROM keyturnhost_tasks";

/// A row with what it carries, sealed.
struct Carrying {
    number: i64,
    id: String,
    kind: TaskKind,
    plugin: String,
    charged: String,
    name: String,
    payload: Option<Vec<u8>>,
    address: Option<String>,
    depth: u32,
    attempts: u32,
    key: Option<String>,
}

fn carrying(row: &dyn Row) -> Result<Carrying, StorageError> {
    Ok(Carrying {
        number: row.get(0)?,
        id: row.get(1)?,
        kind: TaskKind::named(&row.get::<String>(2)?).unwrap_or(TaskKind::Job),
        plugin: row.get(3)?,
        charged: row.get(4)?,
        name: row.get(5)?,
        payload: row.get(6)?,
        address: row.get(7)?,
        depth: row.get(8)?,
        attempts: row.get(9)?,
        key: row.get(10)?,
    })
}

fn task(row: &dyn Row) -> Result<Option<Task>, StorageError> {
    let (due, asked_at, outcome) = (row.get(11)?, row.get(12)?, row.get(13)?);
    let Some(state) = MailState::named(&row.get::<String>(14)?) else { return Ok(None) };
    let Carrying { number, id, kind, plugin, name, attempts, payload, .. } = carrying(row)?;
    let whole = payload.is_some();
    Ok(Some(Task { number, id, kind, plugin, name, state, attempts, asked_at, due, outcome, whole }))
}

impl Rows<'_> {
    /// Leaves a task behind, charged to `plugin`, or brings the one that waits under its key forward.
    pub fn enqueue(&self, plugin: &str, task: &NewTask, quotas: &Quotas, now: i64) -> Result<(), StorageError> {
        let id = Lease::fresh("").token;
        let place = place(&id, &task.plugin, task.kind, &task.name, task.address.as_deref(), task.depth);
        let sealed = self.keys.seal(&place.each_ref().map(String::as_str), task.payload.as_bytes());
        let stands = self.one(
            "INSERT INTO keyturnhost_tasks (id, kind, plugin, charged, name, key, payload, address, depth, attempts, due,
                asked_at, state, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, 'queued', ?11)
             ON CONFLICT (plugin, name, key) WHERE key IS NOT NULL AND lease IS NULL AND due IS NOT NULL
                DO UPDATE SET due =
                    CASE WHEN keyturnhost_tasks.due <= excluded.due THEN keyturnhost_tasks.due ELSE excluded.due END
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

    fn leased_task(&self, row: Carrying, lease: Lease) -> LeasedTask {
        let place = place(&row.id, &row.plugin, row.kind, &row.name, row.address.as_deref(), row.depth);
        let plain = row
            .payload
            .and_then(|sealed| self.keys.open_sealed(&place.each_ref().map(String::as_str), &sealed).ok())
            .and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        let payload = plain.map(Into::into).ok_or_else(|| forged("keyturnhost_tasks", &row.plugin).to_string());
        LeasedTask {
            lease,
            kind: row.kind,
            plugin: row.plugin,
            name: row.name,
            payload,
            address: row.address,
            depth: row.depth,
            attempts: row.attempts,
        }
    }

    fn fail(&self, row: &Carrying, outcome: &str, now: i64) -> Result<(), StorageError> {
        self.settle(&TASKS_QUEUE, row.number, MailState::GaveUp, None, Some(outcome), now)?;
        self.usage(&row.charged, USAGE, -1).map(drop)
    }

    /// Whether another task of this one's key waits.
    fn waits(&self, row: &Carrying) -> Result<bool, StorageError> {
        let another = "SELECT 1 FROM keyturnhost_tasks
            WHERE plugin = ?1 AND name = ?2 AND key = ?3 AND lease IS NULL AND due IS NOT NULL";
        Ok(self.one(another, params![row.plugin, row.name, row.key], |_| Ok(()))?.is_some())
    }

    /// Removes at most `most` of those that failed long ago, and wipes what those before carry.
    pub fn tidy_tasks(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        self.change(
            "UPDATE keyturnhost_tasks SET payload = NULL WHERE number IN (SELECT number FROM (
                SELECT number, asked_at, row_number() OVER (PARTITION BY charged ORDER BY number DESC) AS newer
                FROM keyturnhost_tasks WHERE due IS NULL AND payload IS NOT NULL) AS failed
             WHERE newer > ?2 OR asked_at <= ?1)",
            params![now.saturating_sub(PAYLOAD_STAYS), PAYLOADS],
        )?;
        let gone = self.execute(
            "DELETE FROM keyturnhost_tasks WHERE number IN (SELECT number FROM (SELECT number FROM keyturnhost_tasks
                WHERE due IS NULL AND asked_at <= ?1 ORDER BY asked_at LIMIT ?2) AS old)",
            params![now.saturating_sub(FAILED_STAYS), most],
        )?;
        let too_many = self.execute(
            "DELETE FROM keyturnhost_tasks WHERE number IN (SELECT number FROM (SELECT number FROM (
                SELECT number, row_number() OVER (PARTITION BY charged ORDER BY number DESC) AS newer
                FROM keyturnhost_tasks WHERE due IS NULL) AS failed
             WHERE newer > ?1 ORDER BY number LIMIT ?2) AS old)",
            params![FAILED_MOST, most],
        )?;
        Ok(gone.max(too_many) as usize)
    }
}
