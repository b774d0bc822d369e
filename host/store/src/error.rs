//! What can go wrong in the database.

/// What an idempotency key has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// HMAC of what was asked.
    pub body: [u8; 32],
    /// The answer, in the clear here, sealed at rest.
    pub answer: Vec<u8>,
}

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
    /// What the caller may use only once was used before. Nothing was written.
    #[error("the request was already used")]
    Replayed,
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
    /// Everything was copied to another database, or a copy to this one was not finished: no host may use it.
    #[error("{0}")]
    Moved(String),
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
