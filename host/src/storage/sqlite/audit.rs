//! The audit's rows: what was done, and whom it concerned in a table beside it, so that an account's entries are found.

use rusqlite::{Row, params};

use super::rows::Rows;
use crate::accounts::AccountId;
use crate::storage::{AuditEntry, AuditFilter, Role, StorageError};

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
            };
            Ok((row.get(0)?, entry))
        };
        let doing = "reading keyturnhost_audit";
        let mut entries: Vec<(i64, AuditEntry)> = match (&filter.subject, operation) {
            (Some(subject), operation) => self.all(
                doing,
                "SELECT id, at, plugin, operation, actor, outcome, address, request FROM keyturnhost_audit
                 WHERE id IN (SELECT entry FROM keyturnhost_audit_subjects WHERE account = ?1 AND entry < ?2)
                   AND (?3 IS NULL OR operation = ?3)
                 ORDER BY id DESC LIMIT ?4",
                params![subject.as_str(), before, operation, limit],
                entry,
            )?,
            (None, Some(operation)) => self.all(
                doing,
                "SELECT id, at, plugin, operation, actor, outcome, address, request FROM keyturnhost_audit
                 WHERE operation = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
                params![operation, before, limit],
                entry,
            )?,
            (None, None) => self.all(
                doing,
                "SELECT id, at, plugin, operation, actor, outcome, address, request FROM keyturnhost_audit
                 WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
                params![before, limit],
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
            "INSERT INTO keyturnhost_audit (at, plugin, operation, actor, outcome, address, request)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![entry.at, entry.plugin, entry.operation, entry.actor, entry.outcome, entry.address, entry.request],
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
