//! What a call reads and what it commits. One trait, one file per engine; all SQL of the host stands here and, for the
//! panel's own tables, in [`keyturn_accounts`].

pub mod counters;
pub mod deliveries;
pub mod epoch;
pub mod keys;
pub mod outbox;
pub mod provider;
pub mod settings;
pub mod tally;
pub mod tasks;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use deliveries::{Deliveries, NewDelivery};
use keys::ServiceKeys;
use keyturn_core::accounts::{Account, AccountId, Matched, Why};
use keyturn_core::caller::Caller;
use keyturn_core::network::Network;
use outbox::{MailId, Mend, NewMail, Outbox};
pub use provider::Provider;
use settings::Settings;
use tasks::{Lease, NewTask, Tasks};

/// Milliseconds.
const MINUTE: i64 = 60_000;

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

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A float.
    Real(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One connection, inside a snapshot or a transaction, as a provider sees it.
pub trait Sql {
    /// All rows of a query. Parameters are `?1`, `?2`, …
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, StorageError>;

    /// How many rows a statement changed.
    ///
    /// # Errors
    /// [`StorageError`] as the engine has it.
    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<usize, StorageError>;
}

/// An account and the epoch of its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The account.
    pub account: Account,
    /// Its session epoch: opaque, changes with each new password, whoever set it.
    pub epoch: String,
}

/// The addresses of an account that the host has seen on file. Each may be empty: there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAddress {
    /// The one that it saw last.
    pub seen: Zeroizing<String>,
    /// The one before that, for 30 days, and until its holder is told.
    pub before: Option<Zeroizing<String>>,
}

impl SeenAddress {
    /// Whom to tell as the holder of the address before, if this one is on file now (empty: none that can be used). One who was
    /// not told of an earlier change comes first: nobody may be skipped by an address in between.
    #[must_use]
    pub fn before_if(&self, on_file: &str) -> Option<&str> {
        let other = |address: &&str| !address.is_empty() && *address != on_file;
        let untold = self.before.as_ref().map(|before| before.as_str()).filter(other);
        untold.or_else(|| Some(self.seen.as_str()).filter(other))
    }
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

/// Why an account stands in an audit entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The parameter that the manifest names.
    Subject,
    /// Its password was replaced.
    Password,
    /// Its hash was replaced by another form of the same password.
    Upgrade,
    /// Its stored hash was read: somebody's password may have been held against it.
    Checked,
}

/// One line of the audit: what ran, for whom, how it ended; or how often within a minute something came to nothing. Never a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Unix milliseconds; of what was counted, the beginning of its minute.
    pub at: i64,
    /// The plugin, as the operator named it.
    pub plugin: String,
    /// The operation.
    pub operation: String,
    /// `anonymous`, an account, `service-key:NAME`, `console` or `system`; of what was counted also `several`.
    pub actor: String,
    /// The service key that carried the request, by name.
    pub key: Option<String>,
    /// Whom it concerned, and how.
    pub subjects: Vec<(AccountId, Role)>,
    /// `done`, the failure's case, the answer variant's case, or `trap`, `deadline`; `no-effect` where it answered `done` and
    /// asked for nothing.
    pub outcome: String,
    /// The client's address; of what was counted, its network, and none for those that are not told apart.
    pub address: Option<String>,
    /// The request's id, as in the log; empty for what was counted.
    pub request: String,
    /// How often, for what was only counted; none: this one call.
    pub times: Option<u64>,
}

impl AuditEntry {
    /// What `caller` has done at `at`, Unix milliseconds; about nobody in particular.
    pub fn of(caller: &Caller, at: i64, plugin: &str, operation: &str, outcome: String) -> Self {
        Self {
            at,
            plugin: plugin.to_owned(),
            operation: operation.to_owned(),
            actor: caller.actor.name(),
            key: caller.key.clone(),
            subjects: Vec::new(),
            outcome,
            address: caller.address.map(|address| address.to_canonical().to_string()),
            request: caller.request.clone(),
            times: None,
        }
    }

    /// The same as one of many: what all calls of that kind, from that network, in that minute have in common.
    pub fn counted(caller: &Caller, at: i64, plugin: &str, operation: &str, outcome: String) -> Self {
        Self {
            address: caller.address.map(|address| Network::neighbourhood(address).to_string()),
            request: String::new(),
            ..Self::of(caller, at - at.rem_euclid(MINUTE), plugin, operation, outcome)
        }
    }
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

/// Which audit entries to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only those that concern this account.
    pub subject: Option<AccountId>,
    /// Only this operation.
    pub operation: Option<String>,
    /// Only those older than this entry.
    pub before: Option<i64>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
    /// Also what was only counted; it concerns no account, so none of it with [`AuditFilter::subject`].
    pub counted: bool,
}

/// What of the audit is older than an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Entries of one call.
    pub entries: u64,
    /// Lines that count calls.
    pub counted: u64,
    /// The oldest of both, Unix milliseconds.
    pub oldest: Option<i64>,
}

/// The database beside the panel. Every method may block on the disk.
pub trait Storage: Outbox + Tasks + Deliveries + ServiceKeys + Settings + Send + Sync {
    /// The realms of the panel's accounts.
    fn realms(&self) -> Vec<String>;

    /// Whether what is written goes where the panel reads it. To be asked before something is done outside that cannot be
    /// taken back.
    ///
    /// # Errors
    /// [`StorageError::Replaced`].
    fn in_place(&self) -> Result<(), StorageError>;

    /// See [`keyturn_store::Provider::knows_managers`].
    fn knows_managers(&self, realm: &str) -> bool;

    /// See [`keyturn_store::Provider::find`].
    ///
    /// # Errors
    /// [`StorageError`].
    fn find(&self, typed: &str, realms: &[&str], limit: usize) -> Result<Vec<(AccountId, Matched)>, StorageError>;

    /// One account with its epoch; none if there is none.
    ///
    /// # Errors
    /// [`StorageError`].
    fn account(&self, id: &AccountId) -> Result<Option<Known>, StorageError>;

    /// What was seen of an account's address; none: nothing so far. A commit sees those of the accounts that it has read.
    ///
    /// # Errors
    /// [`StorageError`].
    fn seen_address(&self, id: &AccountId) -> Result<Option<SeenAddress>, StorageError>;

    /// Open sessions; none where the panel cannot say.
    ///
    /// # Errors
    /// [`StorageError`].
    fn sessions(&self, id: &AccountId) -> Result<Option<u32>, StorageError>;

    /// Whether the provider takes this hash; the sentence says what not.
    ///
    /// # Errors
    /// One sentence.
    fn accepts(&self, realm: &str, hash: &str) -> Result<(), String>;

    /// A value of a plugin's data, and which writing of it.
    ///
    /// # Errors
    /// [`StorageError`]; a value that was not sealed by this host for this plugin and key is one.
    fn get(&self, plugin: &str, key: &str, now: i64) -> Result<Option<(Vec<u8>, Version)>, StorageError>;

    /// Values in key order, with that prefix, after that key, at most `limit`.
    ///
    /// # Errors
    /// [`StorageError`].
    fn scan(
        &self,
        plugin: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        now: i64,
    ) -> Result<Vec<(String, Vec<u8>)>, StorageError>;

    /// Adds one to each counter at once, if all have room; else to none.
    ///
    /// # Errors
    /// [`StorageError`].
    fn count(&self, plugin: &str, bounds: &[Bound], now: i64) -> Result<Counted, StorageError>;

    /// What this idempotency key has answered.
    ///
    /// # Errors
    /// [`StorageError`].
    fn record(&self, key: &RecordKey, now: i64) -> Result<Option<Record>, StorageError>;

    /// Whether all of it is still so.
    ///
    /// # Errors
    /// [`StorageError`].
    fn still(&self, plugin: &str, reads: &[Read], now: i64) -> Result<bool, StorageError>;

    /// Checks the reads, writes everything, and answers when it is on the disk. A busy database is tried again, the
    /// guest is not.
    ///
    /// # Errors
    /// [`StorageError::Changed`], [`StorageError::Recorded`], [`StorageError::LeaseLost`], [`StorageError::Limit`],
    /// [`StorageError::Busy`] after all tries; in these nothing was written. [`StorageError::Indeterminate`] if the engine
    /// went away in the commit.
    fn commit(&self, commit: Commit) -> Result<(), StorageError>;

    /// Does something to mails by hand, and writes it down. Answers which of them it was done to: one whose content is
    /// wiped cannot be retried, one that is being sent or has gone can neither be retried nor withdrawn.
    ///
    /// # Errors
    /// [`StorageError`].
    fn mend(&self, mend: Mend, ids: &[MailId], audit: AuditEntry) -> Result<Vec<MailId>, StorageError>;

    /// Audit entries, newest first, with their numbers.
    ///
    /// # Errors
    /// [`StorageError`].
    fn audit(&self, filter: &AuditFilter) -> Result<Vec<(i64, AuditEntry)>, StorageError>;

    /// Counts one more of an entry as [`AuditEntry::counted`] makes it, in memory; it is written behind, as counters are.
    fn tally(&self, counted: AuditEntry);

    /// What of the audit is older than `before`, Unix milliseconds.
    ///
    /// # Errors
    /// [`StorageError`].
    fn audit_before(&self, before: i64) -> Result<Outdated, StorageError>;

    /// Removes the oldest of it, at most `most` lines; answers how many.
    ///
    /// # Errors
    /// [`StorageError`].
    fn prune_audit(&self, before: i64, most: u32) -> Result<u64, StorageError>;
}
