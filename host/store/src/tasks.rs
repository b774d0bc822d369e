//! Work for later: jobs, and deliveries of events to those who listen. Both are tasks of one plugin, leased and run one by
//! one; a task ends in the commit of its own effects, so these happen once.

use zeroize::Zeroizing;

use super::{AuditEntry, StorageError};
use keyturn_core::seal;

/// One worker's hold on a row. Whoever settles shows it, so that of two that believe to have a row one is right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The row.
    pub row: String,
    /// Random; another at each leasing.
    pub token: String,
}

impl Lease {
    /// A lease on a row that nobody else can show.
    #[must_use]
    pub fn fresh(row: &str) -> Self {
        Self { row: row.to_owned(), token: seal::hex(&seal::random::<16>()) }
    }
}

/// What kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// What the plugin has queued itself.
    Job,
    /// An event that it listens to.
    Event,
}

impl TaskKind {
    /// As it stands in a row.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Job => "job",
            TaskKind::Event => "event",
        }
    }

    /// Back from a row.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [TaskKind::Job, TaskKind::Event].into_iter().find(|kind| kind.name() == name)
    }
}

/// A task that a call leaves behind.
#[derive(Clone)]
pub struct NewTask {
    /// What it is.
    pub kind: TaskKind,
    /// Whose: the plugin that is to run it.
    pub plugin: String,
    /// The job's or the event's name.
    pub name: String,
    /// A job's payload; an event as JSON. Sealed by the storage.
    pub payload: Zeroizing<String>,
    /// Unix milliseconds before which it does not run.
    pub not_before: i64,
    /// While one of this plugin, name and key waits, another is dropped and the waiting one brought forward.
    pub key: Option<String>,
    /// The client's address in the call that left it behind.
    pub address: Option<String>,
    /// How many events have led to it.
    pub depth: u32,
}

// A payload may be secret.
impl std::fmt::Debug for NewTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTask")
            .field("kind", &self.kind)
            .field("plugin", &self.plugin)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A task that one worker has to itself for a while.
#[derive(Clone)]
pub struct LeasedTask {
    /// To settle it, or to end it in a commit.
    pub lease: Lease,
    /// What it is.
    pub kind: TaskKind,
    /// Whose.
    pub plugin: String,
    /// The job's or the event's name.
    pub name: String,
    /// The payload; a sentence if its row is not one that this host wrote.
    pub payload: Result<Zeroizing<String>, String>,
    /// The client's address in the call that left it behind.
    pub address: Option<String>,
    /// How many events have led to it.
    pub depth: u32,
    /// Attempts, this one included.
    pub attempts: u32,
}

/// A task, without what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number: later ones are greater.
    pub number: i64,
    /// Its name: 32 hexadecimal digits.
    pub id: String,
    /// What it is.
    pub kind: TaskKind,
    /// Whose.
    pub plugin: String,
    /// The job's or the event's name.
    pub name: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Unix milliseconds.
    pub asked_at: i64,
    /// When it runs next, Unix milliseconds; none: it has failed for good.
    pub due: Option<i64>,
    /// How the latest attempt ended, in one or a few words.
    pub outcome: Option<String>,
    /// Whether what it carries is still there, so that it can run at all.
    pub whole: bool,
}

/// How many tasks a plugin has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskCount {
    /// Whose call has left them behind, and is held to `waiting-jobs` for them.
    pub plugin: String,
    /// Those that wait or run.
    pub waiting: u64,
    /// Those that have failed for good, within the last 30 days.
    pub failed: u64,
}

/// What is due, by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// A mail can be leased.
    pub mail: bool,
    /// A task can be leased.
    pub task: bool,
}

/// When a worker was last there, by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Its last sign of life, Unix milliseconds; none: there never was one.
    pub at: Option<i64>,
    /// Now, Unix milliseconds.
    pub now: i64,
}

/// The tasks of a storage, and its workers' signs of life.
pub trait Tasks {
    /// Whether a worker has anything to do.
    ///
    /// # Errors
    /// [`StorageError`].
    fn due(&self) -> Result<Due, StorageError>;

    /// Takes tasks that are due, longest waiting first, at most `most`, for `lease_ms` milliseconds of the database's clock. One
    /// that came to nothing before is taken alone.
    ///
    /// # Errors
    /// [`StorageError`].
    fn lease_tasks(&self, most: u32, lease_ms: i64) -> Result<Vec<LeasedTask>, StorageError>;

    /// Says that a task came to nothing: it runs again in so many milliseconds, or, without them, only when somebody wants it:
    /// it is kept to be listed, and what it carries for seven days, sealed. Answers whether the lease still held.
    ///
    /// # Errors
    /// [`StorageError`].
    fn settle_task(&self, lease: &Lease, again_in: Option<i64>, outcome: &str) -> Result<bool, StorageError>;

    /// Tasks, newest first; `failed`: only those that have failed for good.
    ///
    /// # Errors
    /// [`StorageError`].
    fn tasks(&self, failed: bool, limit: u32) -> Result<Vec<Task>, StorageError>;

    /// How many there are of each plugin.
    ///
    /// # Errors
    /// [`StorageError`].
    fn task_counts(&self) -> Result<Vec<TaskCount>, StorageError>;

    /// Has tasks that failed for good run again, from the first attempt on, and writes it down. Answers which: those that carry
    /// something still. One whose like waits meanwhile is done by that.
    ///
    /// # Errors
    /// [`StorageError`].
    fn run_again(&self, ids: &[String], audit: AuditEntry) -> Result<Vec<String>, StorageError>;

    /// A worker's sign of life, which also prolongs its leases by `lease_ms` from now on. Time goes on with it, to `now`, Unix
    /// milliseconds: what ran out is wiped although nobody calls.
    ///
    /// # Errors
    /// [`StorageError`].
    fn beat(&self, leases: &[Lease], lease_ms: i64, now: i64) -> Result<(), StorageError>;

    /// When a worker was last there.
    ///
    /// # Errors
    /// [`StorageError`].
    fn last_beat(&self) -> Result<Beat, StorageError>;
}
