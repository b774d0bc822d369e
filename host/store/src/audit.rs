//! The audit's rows: what was done, and whom it concerned in a table beside it, so that an account's entries are found. What was
//! only counted has its row of each minute among them, and concerns nobody.

use super::database::{Row, params};
use super::entry::{AuditEntry, AuditFilter, Outdated, Role};
use super::error::StorageError;
use super::store::{Rows, Store};
use super::tally::Tallied;
use keyturn_core::accounts::AccountId;

/// Rows of what was only counted that stay, the newest; so a flood takes no more room than these, and no entry's.
pub const COUNTED_MOST: u32 = 100_000;

const COLUMNS: &str = "id, at, plugin, operation, actor, outcome, address, request, service_key, times";

impl Store {
    /// Audit entries, newest first, with their numbers.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, AuditEntry)>, StorageError> {
        self.rows(|rows| {
            let limit = filter.limit.clamp(1, 1000);
            let before = filter.before.unwrap_or(i64::MAX);
            let operation = filter.operation.as_deref();
            let entry = |row: &dyn Row| {
                let entry = AuditEntry {
                    at: row.get(1)?,
                    plugin: row.get(2)?,
                    operation: row.get(3)?,
                    actor: row.get(4)?,
                    subjects: Vec::new(),
                    outcome: row.get(5)?,
                    address: row.get(6)?,
                    request: row.get(7)?,
                    key: row.get(8)?,
                    times: row.get::<Option<i64>>(9)?.map(i64::unsigned_abs),
                };
                Ok((row.get(0)?, entry))
            };
            let counted = filter.counted;
            let mut entries: Vec<(i64, AuditEntry)> = match (&filter.subject, operation) {
                (Some(subject), operation) => rows.all(
                    &format!(
                        "SELECT {COLUMNS} FROM keyturnhost_audit
                         WHERE id IN (SELECT entry FROM keyturnhost_audit_subjects WHERE account = ?1 AND entry < ?2)
                           AND operation = coalesce(?3, operation)
                         ORDER BY id DESC LIMIT ?4"
                    ),
                    params![subject.as_str(), before, operation, limit],
                    entry,
                )?,
                (None, Some(operation)) => rows.all(
                    &format!(
                        "SELECT {COLUMNS} FROM keyturnhost_audit
                         WHERE operation = ?1 AND id < ?2 AND (?4 OR times IS NULL) ORDER BY id DESC LIMIT ?3"
                    ),
                    params![operation, before, limit, counted],
                    entry,
                )?,
                (None, None) => rows.all(
                    &format!(
                        "SELECT {COLUMNS} FROM keyturnhost_audit
                         WHERE id < ?1 AND (?3 OR times IS NULL) ORDER BY id DESC LIMIT ?2"
                    ),
                    params![before, limit, counted],
                    entry,
                )?,
            };
            for (id, entry) in &mut entries {
                let subjects = rows.all(
                    "SELECT account, role FROM keyturnhost_audit_subjects WHERE entry = ?1 ORDER BY place",
                    params![*id],
                    |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
                )?;
                entry.subjects = subjects
                    .into_iter()
                    .filter_map(|(account, role)| Some((AccountId::try_from(account).ok()?, role_named(&role)?)))
                    .collect();
            }
            Ok(entries)
        })
    }

    /// The number of entries older than `before`, Unix milliseconds.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit_before(&self, before: i64) -> Result<Outdated, StorageError> {
        self.rows(|rows| {
            let outdated = rows.one(
                "SELECT count(*) - count(times), count(times), min(at) FROM keyturnhost_audit WHERE at < ?1",
                params![before],
                |row| {
                    let count = |at| row.get::<i64>(at).map(i64::unsigned_abs);
                    Ok(Outdated { entries: count(0)?, counted: count(1)?, oldest: row.get(2)? })
                },
            )?;
            Ok(outdated.unwrap_or_default())
        })
    }

    /// Removes the oldest of it, at most `most` lines; answers how many.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn prune_audit(&self, before: i64, most: u32) -> Result<u64, StorageError> {
        self.write(move |rows| rows.prune_audit(before, most))
    }
}

impl Rows<'_> {
    pub fn insert_audit(&self, entry: &AuditEntry) -> Result<(), StorageError> {
        let id = self.insert(
            "INSERT INTO keyturnhost_audit (at, plugin, operation, actor, outcome, address, request, service_key, times)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                entry.at,
                entry.plugin,
                entry.operation,
                entry.actor,
                entry.outcome,
                entry.address,
                entry.request,
                entry.key,
                entry.times.map(|times| i64::try_from(times).unwrap_or(i64::MAX)),
            ],
        )?;
        for (place, (account, role)) in entry.subjects.iter().enumerate() {
            self.change(
                "INSERT INTO keyturnhost_audit_subjects (account, entry, place, role) VALUES (?1, ?2, ?3, ?4)",
                params![account.as_str(), id, place as i64, role_name(*role)],
            )?;
        }
        Ok(())
    }

    /// Adds to the rows of what was counted, each in its minute.
    pub fn add_tallied(&self, tallied: &[Tallied]) -> Result<(), StorageError> {
        for (entry, times) in tallied {
            let more = i64::try_from(*times).unwrap_or(i64::MAX);
            let stands = self.execute(
                "UPDATE keyturnhost_audit SET times = times + ?7
                 WHERE times IS NOT NULL AND at = ?1 AND plugin = ?2 AND operation = ?3 AND actor = ?4 AND outcome = ?5
                    AND address IS NOT DISTINCT FROM ?6 AND service_key IS NOT DISTINCT FROM ?8",
                params![
                    entry.at,
                    entry.plugin,
                    entry.operation,
                    entry.actor,
                    entry.outcome,
                    entry.address,
                    more,
                    entry.key
                ],
            )?;
            if stands == 0 {
                self.insert_audit(&AuditEntry { times: Some(*times), ..entry.clone() })?;
            }
        }
        Ok(())
    }

    /// Removes the oldest lines from before an instant, at most `most`.
    pub fn prune_audit(&self, before: i64, most: u32) -> Result<u64, StorageError> {
        let old = self.all(
            "SELECT id FROM keyturnhost_audit WHERE at < ?1 ORDER BY at LIMIT ?2",
            params![before, most],
            |row| row.get::<i64>(0),
        )?;
        for id in &old {
            self.change("DELETE FROM keyturnhost_audit_subjects WHERE entry = ?1", params![id])?;
            self.change("DELETE FROM keyturnhost_audit WHERE id = ?1", params![id])?;
        }
        Ok(old.len() as u64)
    }

    /// Removes the oldest of what was only counted beyond [`COUNTED_MOST`], at most `most`.
    pub fn prune_counted(&self, most: u32) -> Result<usize, StorageError> {
        let counted = "SELECT count(*) FROM keyturnhost_audit WHERE times IS NOT NULL";
        let counted = self.one(counted, &[], |row| row.get::<i64>(0))?.unwrap_or(0);
        let gone = counted.saturating_sub(COUNTED_MOST.into()).clamp(0, most.into());
        if gone > 0 {
            self.change(
                "DELETE FROM keyturnhost_audit WHERE id IN (SELECT id FROM (
                    SELECT id FROM keyturnhost_audit WHERE times IS NOT NULL ORDER BY at LIMIT ?1) AS oldest)",
                params![gone],
            )?;
        }
        Ok(gone as usize)
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Subject => "subject",
        Role::Password => "password",
        Role::Upgrade => "upgrade",
        Role::Checked => "checked",
    }
}

fn role_named(name: &str) -> Option<Role> {
    [Role::Subject, Role::Password, Role::Upgrade, Role::Checked].into_iter().find(|role| role_name(*role) == name)
}
