//! The audit's rows: what was done, and whom it concerned in a table beside it, so that an account's entries are found. What was
//! only counted has its row of each minute among them, and concerns nobody.

use rusqlite::{Row, params};

use super::rows::Rows;
use keyturn_core::accounts::AccountId;
use keyturn_store::tally::Tallied;
use keyturn_store::{AuditEntry, AuditFilter, Outdated, Role, StorageError};

/// Rows of what was only counted that stay, the newest; so a flood takes no more room than these, and no entry's.
pub(super) const COUNTED_MOST: u32 = 100_000;

const COLUMNS: &str = "id, at, plugin, operation, actor, outcome, address, request, service_key, times";

impl Rows<'_> {
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, AuditEntry)>, StorageError> {
        let limit = filter.limit.clamp(1, 1000);
        let before = filter.before.unwrap_or(i64::MAX);
        let operation = filter.operation.as_deref();
        let entry = |row: &Row<'_>| {
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
                times: row.get::<_, Option<i64>>(9)?.map(i64::unsigned_abs),
            };
            Ok((row.get(0)?, entry))
        };
        let doing = "reading keyturnhost_audit";
        let counted = filter.counted;
        let mut entries: Vec<(i64, AuditEntry)> = match (&filter.subject, operation) {
            (Some(subject), operation) => self.all(
                doing,
                &format!(
                    "SELECT {COLUMNS} FROM keyturnhost_audit
                     WHERE id IN (SELECT entry FROM keyturnhost_audit_subjects WHERE account = ?1 AND entry < ?2)
                       AND (?3 IS NULL OR operation = ?3)
                     ORDER BY id DESC LIMIT ?4"
                ),
                params![subject.as_str(), before, operation, limit],
                entry,
            )?,
            (None, Some(operation)) => self.all(
                doing,
                &format!(
                    "SELECT {COLUMNS} FROM keyturnhost_audit
                     WHERE operation = ?1 AND id < ?2 AND (?4 OR times IS NULL) ORDER BY id DESC LIMIT ?3"
                ),
                params![operation, before, limit, counted],
                entry,
            )?,
            (None, None) => self.all(
                doing,
                &format!(
                    "SELECT {COLUMNS} FROM keyturnhost_audit
                     WHERE id < ?1 AND (?3 OR times IS NULL) ORDER BY id DESC LIMIT ?2"
                ),
                params![before, limit, counted],
                entry,
            )?,
        };
        for (id, entry) in &mut entries {
            let subjects = self.all(
                "reading keyturnhost_audit_subjects",
                "SELECT account, role FROM keyturnhost_audit_subjects WHERE entry = ?1 ORDER BY place",
                [*id],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
            )?;
            entry.subjects = subjects
                .into_iter()
                .filter_map(|(account, role)| Some((AccountId::try_from(account).ok()?, role_named(&role)?)))
                .collect();
        }
        Ok(entries)
    }

    pub fn insert_audit(&self, entry: &AuditEntry) -> Result<(), StorageError> {
        self.change(
            "writing keyturnhost_audit",
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
        let id = self.db.last_insert_rowid();
        for (place, (account, role)) in entry.subjects.iter().enumerate() {
            self.change(
                "writing keyturnhost_audit_subjects",
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
            let stands = self.one(
                "writing keyturnhost_audit",
                "UPDATE keyturnhost_audit INDEXED BY keyturnhost_audit_counted SET times = times + ?7
                 WHERE times IS NOT NULL AND at = ?1 AND plugin = ?2 AND operation = ?3 AND actor = ?4 AND outcome = ?5 AND address IS ?6 AND service_key IS ?8 RETURNING id",
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
                |_| Ok(()),
            )?;
            if stands.is_none() {
                self.insert_audit(&AuditEntry { times: Some(*times), ..entry.clone() })?;
            }
        }
        Ok(())
    }

    pub fn audit_before(&self, before: i64) -> Result<Outdated, StorageError> {
        let outdated = self.one(
            "reading keyturnhost_audit",
            "SELECT count(*) - count(times), count(times), min(at) FROM keyturnhost_audit WHERE at < ?1",
            [before],
            |row| {
                let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                Ok(Outdated { entries: count(0)?, counted: count(1)?, oldest: row.get(2)? })
            },
        )?;
        Ok(outdated.unwrap_or_default())
    }

    /// Removes the oldest lines from before an instant, at most `most`.
    pub fn prune_audit(&self, before: i64, most: u32) -> Result<u64, StorageError> {
        let old = self.all(
            "pruning keyturnhost_audit",
            "SELECT id FROM keyturnhost_audit WHERE at < ?1 ORDER BY at LIMIT ?2",
            params![before, most],
            |row| row.get::<_, i64>(0),
        )?;
        for id in &old {
            for (doing, sql) in [
                ("pruning keyturnhost_audit_subjects", "DELETE FROM keyturnhost_audit_subjects WHERE entry = ?1"),
                ("pruning keyturnhost_audit", "DELETE FROM keyturnhost_audit WHERE id = ?1"),
            ] {
                self.change(doing, sql, [id])?;
            }
        }
        Ok(old.len() as u64)
    }

    /// Removes the oldest of what was only counted beyond [`COUNTED_MOST`], at most `most`.
    pub fn prune_counted(&self, most: u32) -> Result<usize, StorageError> {
        let gone = self.all(
            "pruning keyturnhost_audit",
            "DELETE FROM keyturnhost_audit WHERE id IN (SELECT id FROM keyturnhost_audit WHERE times IS NOT NULL
             ORDER BY at LIMIT max(0, min(?2, (SELECT count(*) FROM keyturnhost_audit WHERE times IS NOT NULL) - ?1)))
             RETURNING id",
            params![COUNTED_MOST, most],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(gone.len())
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
