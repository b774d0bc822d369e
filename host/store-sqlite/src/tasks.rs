//! The tasks' rows, the totals that limits are held against, and the workers' signs of life.

use rusqlite::{Row, params};

use super::rows::{Rows, forged};
use keyturn_store::outbox::ATTEMPTS;
use keyturn_store::tasks::{Beat, Due, Lease, LeasedTask, NewTask, Task, TaskCount, TaskKind};
use keyturn_store::{AuditEntry, Quotas, StorageError};

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

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
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
    /// Milliseconds since 1970, by the database.
    pub fn clock(&self) -> Result<i64, StorageError> {
        let sql = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
        Ok(self.one("reading the clock", sql, [], |row| row.get(0))?.unwrap_or(0))
    }

    /// Adds to one of a plugin's totals, and answers it.
    pub fn usage(&self, plugin: &str, kind: &str, growth: i64) -> Result<u64, StorageError> {
        let total = self.one(
            "writing keyturnhost_usage",
            "INSERT INTO keyturnhost_usage (plugin, kind, amount) VALUES (?1, ?2, ?3)
             ON CONFLICT (plugin, kind) DO UPDATE SET amount = amount + excluded.amount RETURNING amount",
            params![plugin, kind, growth],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(total.and_then(|total| u64::try_from(total).ok()).unwrap_or(0))
    }

    /// Leaves a task behind, charged to `plugin`, or brings the one that waits under its key forward.
    pub fn enqueue(&self, plugin: &str, task: &NewTask, quotas: &Quotas, now: i64) -> Result<(), StorageError> {
        let id = Lease::fresh("").token;
        let place = place(&id, &task.plugin, task.kind, &task.name, task.address.as_deref(), task.depth);
        let sealed = self.keys.seal(&place.each_ref().map(String::as_str), task.payload.as_bytes());
        let stands = self.one(
            "writing keyturnhost_tasks",
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
            |row| row.get::<_, String>(0),
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
            "ending a row of keyturnhost_tasks",
            "DELETE FROM keyturnhost_tasks WHERE id = ?1 AND lease = ?2 RETURNING charged",
            params![lease.row, lease.token],
            |row| row.get::<_, String>(0),
        )?;
        let charged = charged.ok_or(StorageError::LeaseLost)?;
        self.usage(&charged, USAGE, -1).map(drop)
    }

    pub fn lease_tasks(&self, most: u32, lease_ms: i64) -> Result<Vec<LeasedTask>, StorageError> {
        let now = self.clock()?;
        let doing = "leasing from keyturnhost_tasks";
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_tasks WHERE due <= ?1 ORDER BY due LIMIT ?2");
        let mut leased = Vec::new();
        // Each round leaves fewer that are due: what is not leased has failed.
        while leased.len() < most as usize {
            let rows = self.all(doing, &sql, params![now, most - leased.len() as u32], waiting)?;
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
                    doing,
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
        let doing = "settling keyturnhost_tasks";
        let sql = format!("SELECT {COLUMNS} FROM keyturnhost_tasks WHERE id = ?1 AND lease = ?2");
        let Some(row) = self.one(doing, &sql, params![lease.row, lease.token], waiting)? else {
            return Ok(false);
        };
        let Some(pause) = again_in else {
            return self.fail(&row.id, &row.charged, outcome).map(|()| true);
        };
        if self.waits(&row)? {
            // A newer one of its key came while it ran, and does what it would have done.
            return self.end_task(lease).map(|()| true);
        }
        let due = self.clock()?.saturating_add(pause);
        self.change(
            doing,
            "UPDATE keyturnhost_tasks SET lease = NULL, due = ?2, outcome = ?3 WHERE id = ?1",
            params![row.id, due, outcome],
        )?;
        Ok(true)
    }

    fn fail(&self, id: &str, charged: &str, outcome: &str) -> Result<(), StorageError> {
        self.change(
            "settling keyturnhost_tasks",
            "UPDATE keyturnhost_tasks SET lease = NULL, due = NULL, outcome = ?2 WHERE id = ?1",
            params![id, outcome],
        )?;
        self.usage(charged, USAGE, -1).map(drop)
    }

    /// Has tasks that failed for good run again, from the first attempt on; answers which of them.
    pub fn run_again(&self, ids: &[String], audit: &AuditEntry) -> Result<Vec<String>, StorageError> {
        let doing = "running rows of keyturnhost_tasks again";
        let now = self.clock()?;
        let mut done = Vec::new();
        for id in ids {
            let sql = format!("SELECT {COLUMNS} FROM keyturnhost_tasks WHERE id = ?1 AND due IS NULL");
            let Some(row) = self.one(doing, &sql, [id], waiting)?.filter(|row| row.payload.is_some()) else { continue };
            if self.waits(&row)? {
                // It does what this one would do.
                self.change(doing, "DELETE FROM keyturnhost_tasks WHERE id = ?1", [id])?;
            } else {
                let again = "UPDATE keyturnhost_tasks SET due = ?2, attempts = 0 WHERE id = ?1";
                self.change(doing, again, params![id, now])?;
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
            "reading keyturnhost_tasks",
            "SELECT 1 FROM keyturnhost_tasks
             WHERE plugin = ?1 AND name = ?2 AND key = ?3 AND lease IS NULL AND due IS NOT NULL",
            params![row.plugin, row.name, row.key],
            |_| Ok(()),
        )?;
        Ok(another.is_some())
    }

    pub fn tasks(&self, failed: bool, limit: u32) -> Result<Vec<Task>, StorageError> {
        self.all(
            "reading keyturnhost_tasks",
            "SELECT number, kind, plugin, name, attempts, asked_at, due, outcome, id, payload IS NOT NULL
             FROM keyturnhost_tasks WHERE NOT ?1 OR due IS NULL ORDER BY number DESC LIMIT ?2",
            params![failed, limit.clamp(1, 1000)],
            |row| {
                Ok(Task {
                    number: row.get(0)?,
                    kind: TaskKind::named(&row.get::<_, String>(1)?).unwrap_or(TaskKind::Job),
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
            "reading keyturnhost_tasks",
            "SELECT charged, count(due), count(*) - count(due) FROM keyturnhost_tasks GROUP BY charged",
            [],
            |row| {
                let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                Ok(TaskCount { plugin: row.get(0)?, waiting: count(1)?, failed: count(2)? })
            },
        )
    }

    pub fn due(&self) -> Result<Due, StorageError> {
        let due = self.one(
            "looking for what is due",
            "SELECT EXISTS (SELECT 1 FROM keyturnhost_outbox WHERE due <= ?1),
                    EXISTS (SELECT 1 FROM keyturnhost_tasks WHERE due <= ?1)",
            [self.clock()?],
            |row| Ok(Due { mail: row.get(0)?, task: row.get(1)? }),
        )?;
        Ok(due.unwrap_or_default())
    }

    pub fn beat(&self, leases: &[Lease], lease_ms: i64) -> Result<(), StorageError> {
        let now = self.clock()?;
        self.change(
            "writing keyturnhost_workers",
            "INSERT INTO keyturnhost_workers (id, beat) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET beat = excluded.beat",
            [now],
        )?;
        for lease in leases {
            for sql in [
                "UPDATE keyturnhost_outbox SET due = ?3 WHERE id = ?1 AND lease = ?2 AND due IS NOT NULL",
                "UPDATE keyturnhost_tasks SET due = ?3 WHERE id = ?1 AND lease = ?2 AND due IS NOT NULL",
                "UPDATE keyturnhost_deliveries SET due = ?3 WHERE id = ?1 AND lease = ?2 AND due IS NOT NULL",
            ] {
                self.change("prolonging a lease", sql, params![lease.row, lease.token, now + lease_ms])?;
            }
        }
        Ok(())
    }

    pub fn last_beat(&self) -> Result<Beat, StorageError> {
        let sql = "SELECT beat FROM keyturnhost_workers WHERE id = 1";
        let at = self.one("reading keyturnhost_workers", sql, [], |row| row.get(0))?;
        Ok(Beat { at, now: self.clock()? })
    }

    /// Removes at most `most` of those that failed long ago, and wipes what those before carry.
    pub fn tidy_tasks(&self, now: i64, most: u32) -> Result<usize, StorageError> {
        self.change(
            "tidying keyturnhost_tasks",
            "UPDATE keyturnhost_tasks SET payload = NULL WHERE number IN (SELECT number FROM (
                SELECT number, asked_at, row_number() OVER (PARTITION BY charged ORDER BY number DESC) AS newer
                FROM keyturnhost_tasks WHERE due IS NULL AND payload IS NOT NULL)
             WHERE newer > ?2 OR asked_at <= ?1)",
            params![now.saturating_sub(PAYLOAD_STAYS), PAYLOADS],
        )?;
        let gone = self.all(
            "tidying keyturnhost_tasks",
            "DELETE FROM keyturnhost_tasks WHERE number IN (SELECT number FROM keyturnhost_tasks
             WHERE due IS NULL AND asked_at <= ?1 ORDER BY asked_at LIMIT ?2) RETURNING number",
            params![now.saturating_sub(FAILED_STAYS), most],
            |row| row.get::<_, i64>(0),
        )?;
        let too_many = self.all(
            "tidying keyturnhost_tasks",
            "DELETE FROM keyturnhost_tasks WHERE number IN (SELECT number FROM (
                SELECT number, row_number() OVER (PARTITION BY charged ORDER BY number DESC) AS newer
                FROM keyturnhost_tasks WHERE due IS NULL)
             WHERE newer > ?1 ORDER BY number LIMIT ?2) RETURNING number",
            params![FAILED_MOST, most],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(gone.len().max(too_many.len()))
    }
}
