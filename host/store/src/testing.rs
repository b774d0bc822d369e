//! What tests of the store and of its engines commit.

use std::time::Duration;

use std::sync::Arc;

use keyturn_core::accounts::{AccountId, Why};
use keyturn_core::seal::Keys;
use keyturn_mail::template::{Block, Kind, Template, Text, Value};
use zeroize::Zeroizing;

use super::outbox::{Kept, MailId, NewMail, Recipient};
use super::{AuditEntry, AuditFilter, Commit, Effect, Quotas, Read, Record, RecordKey, Role, Store};

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

/// The text of an email with a password.
#[must_use]
pub fn template() -> Template {
    let text = |subject: &str| Text {
        subject: subject.to_owned(),
        preheader: "It ends soon.".to_owned(),
        body: vec![Block::Secret("password".to_owned())],
    };
    Template {
        variables: [("password".to_owned(), Kind::Secret), ("until".to_owned(), Kind::Time)].into(),
        texts: [("en".to_owned(), text("Your password"))].into(),
    }
}

/// An email to a customer, with this password; it is of use for an hour.
#[must_use]
pub fn mail_to(keys: &Keys, account: &str, secret: &str) -> NewMail {
    NewMail {
        id: MailId::random(),
        to: Recipient::Account(id(account)),
        template: Arc::new(Kept::new(keys, "temporary", &template())),
        variables: vec![
            ("password".to_owned(), Value::Secret(Zeroizing::new(secret.to_owned()))),
            ("until".to_owned(), Value::Time(5)),
        ],
        expires: keyturn_core::time::now() + 3_600_000,
        per_minute: 1_000,
        origin: Some("192.0.2.7".to_owned()),
        message_id: "one@panel.example".to_owned(),
        address: None,
    }
}

/// Queues an email now.
pub fn send(store: &Store, mail: NewMail) -> MailId {
    let id = mail.id.clone();
    let now = keyturn_core::time::now();
    store.commit(Commit { now, ..commit(vec![Effect::Send(Box::new(mail))]) }).expect("queued");
    id
}
