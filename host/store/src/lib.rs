//! What a call reads and what it commits: all SQL of the host's own tables, written once over what an engine offers
//! ([`database`]). The panel's own tables are its [`Provider`]'s.

mod accounts;
mod addresses;
pub mod audit;
mod commit;
mod counters;
mod data;
pub mod database;
pub mod deliveries;
mod entry;
pub mod epoch;
pub mod keys;
pub mod outbox;
mod provider;
pub mod queue;
mod records;
pub mod schema;
pub mod settings;
pub mod store;
mod tally;
pub mod tasks;

pub use addresses::SeenAddress;
pub use database::Value;
pub use entry::{AuditEntry, AuditFilter, Outdated, Role};
pub use provider::Provider;
pub use store::Store;

use zeroize::Zeroizing;

use deliveries::NewDelivery;
use keyturn_core::accounts::{Account, AccountId, Why};
use outbox::{MailId, NewMail};
use tasks::{Lease, NewTask};

/// What went wrong in the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// What the call read is no longer so: run it again.
    #[error("something that the call read has changed since")]
    Changed,
    /// The database is locked by somebody else, or out of reach for now.
    #[error("the database is busy")]
    Busy,
    /// The idempotency key was met: here is what it has answered.
    #[error("the idempotency key was already used")]
    Recorded(Record),
    /// The task was taken from us: it took too long, and another worker has it. Nothing was written.
    #[error("the task took longer than its lease and was given to another worker")]
    LeaseLost,
    /// A limit of the plugin's, by its setting's name.
    #[error("the limit {0} was reached")]
    Limit(&'static str),
    /// What stands in the database was sealed with other keys.
    #[error(
        "it is sealed with another key file: restore that file from the backup. If it is lost for good, `keyturn key replace` \
         voids what it sealed, and passwords stay"
    )]
    OtherKey,
    /// A file of the database is another one than was opened. Nothing is read or written until the next start.
    #[error("{0}; nothing is read or written until the server restarts")]
    Replaced(String),
    /// Another server has it.
    #[error("{0}")]
    Served(String),
    /// Anything else, with what was tried.
    #[error("{doing}: {cause}")]
    Failed {
        /// What was tried, in words: `reading accounts from customers`.
        doing: String,
        /// What the engine said.
        cause: String,
    },
    /// It may or may not have been done: the connection was lost in the commit.
    #[error("the commit was not confirmed")]
    Indeterminate,
}

/// A counter, and how much it lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its name among the plugin's.
    pub key: String,
    /// Seconds.
    pub window: u32,
    /// How many within each window.
    pub limit: u64,
}

/// What became of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// One was added to each.
    Within,
    /// One or more are full, and nothing was added to any. All have room after so many seconds, if nothing is added before.
    Full(u32),
}

/// An account and the epoch of its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The account.
    pub account: Account,
    /// Its session epoch: opaque, changes with each new password, whoever set it.
    pub epoch: String,
}

/// Tells one writing of a data row from another: the nonce of its sealed value, which no two writings share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub [u8; 24]);

/// What a call saw, to be still so when it commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A key of the plugin's data; none: absent. Judged by the call's own `now`, so that an end in between is no change.
    Data {
        /// The key.
        key: String,
        /// What was there.
        version: Option<Version>,
    },
    /// An account, whole: fields, manager, hash and epoch. None: there was none.
    Account {
        /// Its name.
        id: AccountId,
        /// What was seen.
        seen: Option<Box<Known>>,
    },
    /// Where the latest attempt of a mail went.
    Mail {
        /// The mail.
        id: MailId,
        /// MAC of the address; none: no attempt was made.
        address: Option<Vec<u8>>,
    },
}

/// What a call asks for.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Writes a key of the plugin's data.
    Put {
        /// 1 to 200 bytes.
        key: String,
        /// At most 64 KiB, sealed by the storage.
        value: Zeroizing<Vec<u8>>,
        /// Unix milliseconds from which it reads as absent.
        expires: Option<i64>,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: String,
    },
    /// Lets a counter begin anew, under every window.
    Forget {
        /// The counter's key.
        key: String,
    },
    /// Writes an account's hash.
    Replace {
        /// The account.
        id: AccountId,
        /// The PHC or crypt(3) string.
        hash: String,
        /// New password or new form.
        why: Why,
        /// The session epoch that holds afterwards.
        epoch: String,
    },
    /// Queues a mail.
    Send(Box<NewMail>),
    /// Ends a mail that has not gone, and wipes what it carries.
    Withdraw {
        /// Which; of this plugin.
        id: MailId,
    },
    /// Leaves a task behind: a job, or an event for one who listens.
    Enqueue(Box<NewTask>),
    /// Leaves an event behind for a destination of the operator's.
    Deliver(Box<NewDelivery>),
}

/// An operation's caller, name and idempotency key: what a record is unique by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey {
    /// Who, as in the audit; for forms, with the session.
    pub caller: String,
    /// The plugin and the operation.
    pub operation: String,
    /// The idempotency key, 1 to 255 bytes.
    pub key: String,
}

/// What an idempotency key has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// HMAC of what was asked.
    pub body: [u8; 32],
    /// The answer, in the clear here, sealed at rest.
    pub answer: Vec<u8>,
}

/// Everything that is written when a call has succeeded, together or not at all.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The plugin, as the operator named it.
    pub plugin: String,
    /// The call's one instant, Unix milliseconds.
    pub now: i64,
    /// What must still be so.
    pub reads: Vec<Read>,
    /// What to write, in order.
    pub effects: Vec<Effect>,
    /// The audit entry.
    pub audit: Option<AuditEntry>,
    /// The idempotency record, with its key.
    pub record: Option<(RecordKey, Record)>,
    /// What the plugin may keep.
    pub quotas: Quotas,
    /// The task that this ends, if it is one's.
    pub task: Option<Lease>,
}

impl Commit {
    /// These effects and nothing else: nothing is checked, written down or bounded.
    #[must_use]
    pub fn bare(plugin: &str, now: i64, effects: Vec<Effect>) -> Self {
        Self {
            plugin: plugin.to_owned(),
            now,
            reads: Vec::new(),
            effects,
            audit: None,
            record: None,
            quotas: Quotas::NONE,
            task: None,
        }
    }
}

/// What a plugin may keep, over all its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Bytes of its data, keys and sealed values together.
    pub stored_bytes: u64,
    /// Bytes of its mails in the outbox.
    pub outbox_bytes: u64,
    /// Its jobs, and deliveries of its events, that wait.
    pub waiting_jobs: u64,
    /// Its events that wait for one webhook; of more it is only counted how many they were.
    pub waiting_deliveries: u64,
}

impl Quotas {
    /// No limit at all.
    pub const NONE: Quotas =
        Quotas { stored_bytes: u64::MAX, outbox_bytes: u64::MAX, waiting_jobs: u64::MAX, waiting_deliveries: u64::MAX };
}
