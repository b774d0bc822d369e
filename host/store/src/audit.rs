//! The audit's rows: what was done, and whom it concerned in a table beside it, so that an account's entries are found. What was
//! only counted has its row of each minute among them, and concerns nobody.

pub mod chain;
mod row;
pub mod verify;

use super::database::{Bind, Row, ValueRef, params};
use super::entry::{AuditEntry, AuditFilter, Outdated, Role};
use super::error::StorageError;
use super::store::{Rows, Store};
use super::tally::Tallied;
use chain::Chain;
use keyturn_core::accounts::AccountId;
use row::{CONTENT, Content};

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

    /// Removes the oldest of it, at most `most` lines and 500 of each kind; answers how many. Only what has its place in a chain is
    /// removed ([`Store::chain_audit`]), and nothing that came into it after a line that stays.
    ///
    /// # Errors
    /// [`StorageError::Failed`] where the oldest line that is to go is not as a host has written it. [`StorageError`].
    pub fn prune_audit(&self, before: i64, most: u32) -> Result<u64, StorageError> {
        let entries = self.cut_audit(Chain::Entries, most, |at| at < before)?;
        let counts = self.cut_audit(Chain::Counts, most - entries as u32, |at| at < before)?;
        Ok(entries + counts)
    }

    /// Removes what is older by `now`, Unix milliseconds, than the audit's rows stay, and the oldest of what was only counted beyond
    /// so many, in commits of at most 500 rows, as long as it `goes_on`.
    ///
    /// # Errors
    /// As [`Store::prune_audit`]: the other chain was cut nevertheless.
    pub fn tidy_audit(&self, now: i64, goes_on: impl Fn() -> bool) -> Result<(), StorageError> {
        // By a clock that is ahead, everything would be old.
        if self.clock()?.is_off() {
            return Ok(());
        }
        let before = now.saturating_sub(self.own.audit_stays);
        let tidied = Chain::ALL.map(|chain| -> Result<(), StorageError> {
            while self.cut_audit(chain, u32::MAX, |at| at < before)? > 0 && goes_on() {}
            Ok(())
        });
        let beyond = |store: &Self| {
            let counts = store.rows(|rows| rows.state(Chain::Counts))?;
            Ok::<_, StorageError>((counts.last - counts.first + 1).saturating_sub(store.own.counted_stay.into()))
        };
        while let beyond @ 1.. = beyond(self)?
            && self.cut_audit(Chain::Counts, u32::try_from(beyond).unwrap_or(u32::MAX), |_| true)? > 0
            && goes_on()
        {}
        tidied.into_iter().collect()
    }
}

impl Rows<'_> {
    pub fn insert_audit(&self, entry: &AuditEntry) -> Result<(), StorageError> {
        let content = Content::of(entry);
        let mac = content.seal(self.keys);
        let parameters: Vec<ValueRef<'_>> = content.columns.iter().map(Bind::bind).chain([mac.bind()]).collect();
        let insert = format!(
            "INSERT INTO keyturnhost_audit ({CONTENT}, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        );
        let id = self.insert(&insert, &parameters)?;
        for [account, place, role] in &content.subjects {
            self.change(
                "INSERT INTO keyturnhost_audit_subjects (account, entry, place, role) VALUES (?1, ?2, ?3, ?4)",
                params![account, id, place, role],
            )?;
        }
        Ok(())
    }

    /// Adds to the rows of what was counted, each in its minute. A row that has its place in the chain never changes: then the
    /// minute gets one more.
    pub fn add_tallied(&self, tallied: &[Tallied]) -> Result<(), StorageError> {
        for (entry, times) in tallied {
            let stand = self.audit_rows(
                "sequence IS NULL AND times IS NOT NULL AND at = ?1 AND plugin = ?2 AND operation = ?3 AND actor = ?4
                    AND outcome = ?5 AND address IS NOT DISTINCT FROM ?6 AND service_key IS NOT DISTINCT FROM ?7",
                params![entry.at, entry.plugin, entry.operation, entry.actor, entry.outcome, entry.address, entry.key],
                10,
            )?;
            let Some(row) = stand.into_iter().find(|row| row.is_sealed(self.keys)) else {
                self.insert_audit(&AuditEntry { times: Some(*times), ..entry.clone() })?;
                continue;
            };
            let more = i64::try_from(*times).unwrap_or(i64::MAX);
            let content = row.content.with_times(row.content.times().unwrap_or(0).saturating_add(more));
            self.change(
                "UPDATE keyturnhost_audit SET times = ?2, mac = ?3 WHERE id = ?1",
                params![row.id, content.times(), content.seal(self.keys)],
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
