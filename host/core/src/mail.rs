//! What every part of the host knows about an email: its id, its state, its obstacles.

use serde::{Deserialize, Serialize};

/// The most attempts for an email or a task.
pub const ATTEMPTS: u32 = 8;

crate::random_id! {
    /// A row of the outbox: 128 random bits, hexadecimal.
    MailId, "", "an email's id must have 32 hexadecimal digits"
}

/// The state of an email. None is called delivered: a server may lose what it accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailState {
    /// It waits for its first attempt.
    Queued,
    /// An attempt is running.
    Sending,
    /// The recipient's server accepted it, or the server that sends everything for us.
    Accepted,
    /// Not now: it is retried.
    Delayed,
    /// The server refused it for good, or there is no address. A corrected address can still fix it.
    Refused,
    /// All attempts failed.
    GaveUp,
    /// Its link or password expired before it was sent.
    Ended,
    /// Somebody cancelled it, or something newer replaced it.
    Withdrawn,
}

impl MailState {
    /// All of them.
    pub const ALL: [MailState; 8] = [
        MailState::Queued,
        MailState::Sending,
        MailState::Accepted,
        MailState::Delayed,
        MailState::Refused,
        MailState::GaveUp,
        MailState::Ended,
        MailState::Withdrawn,
    ];

    /// Emails that will be sent without anybody's help.
    pub const WAITING: [MailState; 3] = [MailState::Queued, MailState::Sending, MailState::Delayed];

    /// Emails that were not sent.
    pub const FAILED: [MailState; 3] = [MailState::Refused, MailState::GaveUp, MailState::Ended];

    /// The name in rows and in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MailState::Queued => "queued",
            MailState::Sending => "sending",
            MailState::Accepted => "accepted",
            MailState::Delayed => "delayed",
            MailState::Refused => "refused",
            MailState::GaveUp => "gave-up",
            MailState::Ended => "ended",
            MailState::Withdrawn => "withdrawn",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What keeps an email from being sent, if it isn't a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// No usable address is on file.
    NoAddress,
    /// The account no longer exists.
    NoAccount,
    /// The template can't be filled in.
    Template,
    /// This host did not write the row.
    Forged,
    /// The mail transport failed.
    Broken,
}

impl Obstacle {
    /// All of them.
    pub const ALL: [Obstacle; 5] =
        [Obstacle::NoAddress, Obstacle::NoAccount, Obstacle::Template, Obstacle::Forged, Obstacle::Broken];

    /// The name in rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Obstacle::NoAddress => "no-address",
            Obstacle::NoAccount => "no-account",
            Obstacle::Template => "template",
            Obstacle::Forged => "forged",
            Obstacle::Broken => "broken",
        }
    }

    /// The obstacle of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|obstacle| obstacle.name() == name)
    }
}
