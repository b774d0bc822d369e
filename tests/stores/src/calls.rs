//! What calls commit.

use std::time::Duration;

use keyturn_core::accounts::{AccountId, Why};
use keyturn_store::{
    AuditEntry, AuditFilter, Commit, Effect, Quotas, Read, Record, RecordKey, Role, StorageError, Store,
};
use zeroize::Zeroizing;

/// A call's instant, where it matters to nothing.
pub const NOW: i64 = 1_764_000_000_000;
/// A day, in milliseconds.
pub const DAY: i64 = 24 * 3600 * 1000;

/// A customer's name.
#[must_use]
pub fn id(key: &str) -> AccountId {
    AccountId::new("customer", key).expect("a name")
}

/// A call of the plugin `p`.
#[must_use]
pub fn commit(effects: Vec<Effect>) -> Commit {
    Commit { quotas: Quotas { stored_bytes: 1_000_000, ..Quotas::NONE }, ..Commit::bare("p", NOW, effects) }
}

/// Writes data.
#[must_use]
pub fn put(key: &str, value: &str) -> Effect {
    put_until(key, value, None)
}

/// Likewise, for so long.
#[must_use]
pub fn put_until(key: &str, value: &str, expires: Option<i64>) -> Effect {
    Effect::Put { key: key.to_owned(), value: Zeroizing::new(value.as_bytes().to_vec()), expires }
}

/// Writes a customer's hash.
#[must_use]
pub fn replace(key: &str, hash: &str, why: Why, epoch: &str) -> Effect {
    Effect::Replace { id: id(key), hash: hash.to_owned(), why, epoch: epoch.to_owned() }
}

/// What is read of a key now.
#[must_use]
pub fn read(store: &Store, key: &str) -> Read {
    let version = store.get("p", key, NOW).expect("read").map(|(_, version)| version);
    Read::Data { key: key.to_owned(), version }
}

/// The same of a key that is not there.
#[must_use]
pub fn absent(key: &str) -> Read {
    Read::Data { key: key.to_owned(), version: None }
}

/// The value of a key.
#[must_use]
pub fn value(store: &Store, key: &str) -> Option<String> {
    store.get("p", key, NOW).expect("read").map(|(value, _)| String::from_utf8(value).expect("text"))
}

/// An audit entry about a customer.
#[must_use]
pub fn entry(operation: &str, subject: &str) -> AuditEntry {
    AuditEntry {
        at: NOW,
        plugin: "p".to_owned(),
        operation: operation.to_owned(),
        actor: "console".to_owned(),
        key: Some("panel".to_owned()),
        subjects: vec![(id(subject), Role::Subject), (id(subject), Role::Password)],
        outcome: "done".to_owned(),
        address: Some("192.0.2.1".to_owned()),
        request: "r".to_owned(),
        times: None,
    }
}

/// Whose idempotency key it is.
#[must_use]
pub fn record_key(key: &str) -> RecordKey {
    RecordKey { caller: "customer:1 session".to_owned(), operation: "p/set".to_owned(), key: key.to_owned() }
}

/// What is kept under one.
#[must_use]
pub fn record(answer: &str) -> Record {
    Record { body: [7; 32], answer: answer.as_bytes().to_vec() }
}

/// The newest audit entries.
#[must_use]
pub fn audit(store: &Store) -> Vec<AuditEntry> {
    let newest = AuditFilter { limit: 1_000, ..AuditFilter::default() };
    store.audit(&newest).expect("read").into_iter().map(|(_, entry)| entry).collect()
}

/// Whether something is so before long.
pub fn settled(mut so: impl FnMut() -> bool) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        so()
    })
}

/// Whether a commit failed for what the panel's tables did.
#[must_use]
pub fn is_failed(done: &Result<(), StorageError>) -> bool {
    matches!(done, Err(StorageError::Failed { .. }))
}
