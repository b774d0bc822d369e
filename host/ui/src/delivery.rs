//! The state of an email, as far as a reader may know it.

use keyturn_core::accounts::AccountId;
use keyturn_core::mail::{MailState, Obstacle};

/// The life of one email so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its state.
    pub state: MailState,
    /// The account that it goes to; none: the operators.
    pub account: Option<AccountId>,
    /// The address on file; none: there is none, or this reader may not see it.
    pub to: Option<String>,
    /// When it was queued, Unix milliseconds.
    pub asked_at: i64,
    /// When it got its current state, Unix milliseconds.
    pub changed_at: i64,
    /// The next attempt, Unix milliseconds; none while one is running, and when it is over.
    pub due: Option<i64>,
    /// Attempts so far.
    pub attempts: u32,
    /// The server of the last attempt.
    pub server: Option<String>,
    /// The last answer, of the server or the system.
    pub said: Option<String>,
    /// The obstacle, if it was not a server.
    pub obstacle: Option<Obstacle>,
    /// Whether its contents are still stored, so that it can be retried.
    pub whole: bool,
    /// Whether the account's address has changed since the last attempt.
    pub moved: bool,
    /// Whether the reader may retry or withdraw it.
    pub may_mend: bool,
    /// The folder on this machine that the last attempt wrote it to, if that is the transport. It isn't sent anywhere from
    /// there.
    pub folder: Option<String>,
    /// No worker sends email while this one waits: since when, Unix milliseconds, if one ever did.
    pub stopped: Option<Option<i64>>,
}

impl Delivery {
    /// Whether its state may still change without anybody's help.
    pub fn waits(&self) -> bool {
        matches!(self.state, MailState::Queued | MailState::Sending | MailState::Delayed)
    }

    /// Whether something is wrong, so that nobody may call it a success.
    pub fn troubled(&self) -> bool {
        self.failed() || self.state == MailState::Delayed
    }

    /// Whether somebody has to do something before it can be sent.
    pub fn failed(&self) -> bool {
        matches!(self.state, MailState::Refused | MailState::GaveUp | MailState::Ended)
    }
}
