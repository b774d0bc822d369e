//! A row of the audit as it is kept, and the MACs over it. Both are over what the columns hold, whatever that is, so nothing that
//! somebody else wrote into one makes a row unreadable.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::chain::Chain;
use super::role_name;
use crate::database::{Value, ValueRef, params};
use crate::entry::AuditEntry;
use crate::error::StorageError;
use crate::store::Rows;
use keyturn_core::seal::{Keys, random};

/// The columns that [`Content`] has, in its order.
pub(super) const CONTENT: &str = "mark, at, plugin, operation, actor, outcome, address, request, service_key, times";
/// Where `times` is among them.
const TIMES: usize = 9;
/// Subjects of a row that are read: no call has as many.
const SUBJECTS: usize = 10_000;

/// What a row says, with its subjects: account, place, role.
#[derive(Clone)]
pub(super) struct Content {
    pub columns: Vec<Value>,
    pub subjects: Vec<[Value; 3]>,
}

impl Content {
    /// Of an entry that is to be written. The mark tells it from another one that says the same.
    pub fn of(entry: &AuditEntry) -> Self {
        let text = |text: &str| Value::Text(text.to_owned());
        let maybe = |value: &Option<String>| value.as_deref().map_or(Value::Null, text);
        let times = entry.times.map_or(Value::Null, |times| Value::Integer(i64::try_from(times).unwrap_or(i64::MAX)));
        let subject = |(place, (account, role)): (usize, &(keyturn_core::accounts::AccountId, crate::entry::Role))| {
            [text(account.as_str()), Value::Integer(place as i64), text(role_name(*role))]
        };
        Self {
            columns: vec![
                Value::Integer(i64::from_be_bytes(random())),
                Value::Integer(entry.at),
                text(&entry.plugin),
                text(&entry.operation),
                text(&entry.actor),
                text(&entry.outcome),
                maybe(&entry.address),
                text(&entry.request),
                maybe(&entry.key),
                times,
            ],
            subjects: entry.subjects.iter().enumerate().map(subject).collect(),
        }
    }

    /// How often, of a row that counts.
    pub fn times(&self) -> Option<i64> {
        match self.columns.get(TIMES) {
            Some(Value::Integer(times)) => Some(*times),
            _ => None,
        }
    }

    pub fn with_times(&self, times: i64) -> Self {
        let mut other = self.clone();
        other.columns[TIMES] = Value::Integer(times);
        other
    }

    /// What shows that a host has written the row. Its number is not in it: an INSERT that also had to read its row would stand in
    /// the way of every other call's.
    pub fn seal(&self, keys: &Keys) -> [u8; 32] {
        self.mac(keys, "audit row", Vec::new())
    }

    /// The row's MAC in the chain.
    pub fn link(&self, keys: &Keys, chain: Chain, sequence: i64, before: &[u8], id: i64) -> [u8; 32] {
        let place = [sequence.to_be_bytes().to_vec(), before.to_vec(), id.to_be_bytes().to_vec()];
        self.mac(keys, "audit chain", [chain.name().as_bytes().to_vec()].into_iter().chain(place).collect())
    }

    fn mac(&self, keys: &Keys, purpose: &str, mut parts: Vec<Vec<u8>>) -> [u8; 32] {
        parts.extend(self.columns.iter().chain(self.subjects.iter().flatten()).map(part));
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        keys.mac(purpose, &parts)
    }
}

/// Text and bytes are the same: engines differ in what they call them.
fn part(value: &Value) -> Vec<u8> {
    let (kind, bytes): (u8, &[u8]) = match value {
        Value::Null => (0, &[]),
        Value::Integer(number) => (1, &number.to_be_bytes()),
        Value::Real(number) => (2, &number.to_be_bytes()),
        Value::Text(text) => (3, text.as_bytes()),
        Value::Blob(bytes) => (3, bytes),
    };
    [&[kind], bytes].concat()
}

/// A row as it stands.
#[derive(Clone)]
pub(super) struct Stored {
    pub id: i64,
    /// Its place in the chain, from 1; none: it has none yet.
    pub sequence: Option<i64>,
    /// Before it is chained its seal, and its link then; none: a host of an earlier version wrote it.
    pub mac: Option<Vec<u8>>,
    pub content: Content,
}

impl Stored {
    /// When it was, Unix milliseconds.
    pub fn at(&self) -> i64 {
        match self.content.columns.get(1) {
            Some(Value::Integer(at)) => *at,
            _ => i64::MAX,
        }
    }

    pub fn is_sealed(&self, keys: &Keys) -> bool {
        self.mac.as_ref().is_some_and(|mac| *mac == self.content.seal(keys))
    }

    pub fn fits(&self, keys: &Keys, chain: Chain, before: &[u8]) -> bool {
        let (Some(sequence), Some(mac)) = (self.sequence, &self.mac) else { return false };
        *mac == self.content.link(keys, chain, sequence, before, self.id)
    }
}

impl Rows<'_> {
    /// Rows without a place in the chain, by their numbers; of those that count the ones whose minute began by `closed`.
    pub(super) fn unchained(
        &self,
        chain: Chain,
        after: i64,
        closed: i64,
        most: u32,
    ) -> Result<Vec<Stored>, StorageError> {
        let rows = format!("sequence IS NULL AND id > ?1 AND at <= ?2 AND {} ORDER BY sequence, id", chain.rows());
        let found = self.audit_rows(&rows, params![after, closed], most)?;
        let subjects = "a.sequence IS NULL AND a.id >= ?1 AND a.id <= ?2";
        self.with_subjects(found, subjects, |row| row.id)
    }

    /// Rows with a place in the chain from `from` on, in its order; after `id`, if several have that place.
    pub(super) fn chained(&self, chain: Chain, from: i64, id: i64, most: u32) -> Result<Vec<Stored>, StorageError> {
        let after = "sequence >= ?1 AND (sequence > ?1 OR id > ?2)";
        let rows = format!("{after} AND {} ORDER BY sequence, id", chain.rows());
        let found = self.audit_rows(&rows, params![from, id], most)?;
        let subjects = format!("a.sequence >= ?1 AND a.sequence <= ?2 AND a.{}", chain.rows());
        self.with_subjects(found, &subjects, |row| row.sequence.unwrap_or_default())
    }

    /// Rows without their subjects.
    pub(super) fn audit_rows(
        &self,
        which: &str,
        parameters: &[ValueRef<'_>],
        most: u32,
    ) -> Result<Vec<Stored>, StorageError> {
        let sql = format!("SELECT id, sequence, mac, {CONTENT} FROM keyturnhost_audit WHERE {which} LIMIT {most}");
        self.all(&sql, parameters, |row| {
            let columns = (3..row.columns()).map(|at| Ok(row.column(at)?.to_owned())).collect::<Result<_, _>>()?;
            let content = Content { columns, subjects: Vec::new() };
            Ok(Stored { id: row.get(0)?, sequence: row.get(1)?, mac: row.get(2)?, content })
        })
    }

    /// The same rows with their subjects, which are read at once: `which` are those of the rows from the first to the last one.
    fn with_subjects(
        &self,
        mut found: Vec<Stored>,
        which: &str,
        place: fn(&Stored) -> i64,
    ) -> Result<Vec<Stored>, StorageError> {
        let (Some(first), Some(last)) = (found.first().map(place), found.last().map(place)) else { return Ok(found) };
        let places: HashMap<i64, usize> = found.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
        let sql = format!(
            "SELECT s.entry, s.account, s.place, s.role
             FROM keyturnhost_audit AS a JOIN keyturnhost_audit_subjects AS s ON s.entry = a.id
             WHERE {which} ORDER BY s.entry, s.place, s.account"
        );
        self.query(&sql, params![first, last], &mut |row| {
            if let Some(at) = places.get(&row.get(0)?) {
                let subjects = &mut found[*at].content.subjects;
                if subjects.len() < SUBJECTS {
                    subjects.push([row.column(1)?.to_owned(), row.column(2)?.to_owned(), row.column(3)?.to_owned()]);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}
