//! What became of a mail, as a reader may know it.

use keyturn_core::accounts::AccountId;
use keyturn_core::mail::{ATTEMPTS, MailState, Obstacle};

/// The life of one mail so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// How it stands.
    pub state: MailState,
    /// Whose it is; none: the operators'.
    pub account: Option<AccountId>,
    /// The address on file; none: there is none, or this reader may not know it.
    pub to: Option<String>,
    /// When it was asked for, Unix milliseconds.
    pub asked_at: i64,
    /// When it came to its state, Unix milliseconds.
    pub changed_at: i64,
    /// When it is tried next, Unix milliseconds; none while it is tried, and when it is over.
    pub due: Option<i64>,
    /// Attempts so far.
    pub attempts: u32,
    /// The server of the latest attempt, in words.
    pub server: Option<String>,
    /// What was said last, by the server or the system.
    pub said: Option<String>,
    /// What stood in the way, where it was no server.
    pub obstacle: Option<Obstacle>,
    /// Whether what it carries is still there, so that it can be tried again.
    pub whole: bool,
    /// Whether another address is on file than the latest attempt went to.
    pub moved: bool,
    /// Whether the reader may do something about it.
    pub may_mend: bool,
    /// The folder of this machine that the latest attempt wrote it into, if that is how it went: it goes nowhere from there.
    pub folder: Option<String>,
    /// Nobody sends mail, though this one waits: since when, Unix milliseconds, if ever somebody did.
    pub stopped: Option<Option<i64>>,
}

impl Delivery {
    /// Attempts of a mail at most.
    pub const ATTEMPTS: u32 = ATTEMPTS;

    /// Whether it may still change by itself.
    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self.state, MailState::Queued | MailState::Sending | MailState::Delayed)
    }

    /// Whether it does not go as it should: nobody may call it a success.
    #[must_use]
    pub fn troubled(&self) -> bool {
        self.failed() || self.state == MailState::Delayed
    }

    /// Whether somebody has to do something before it can go.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.state, MailState::Refused | MailState::GaveUp | MailState::Ended)
    }
}
