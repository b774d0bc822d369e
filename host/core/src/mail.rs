//! What every part of the host knows about an email: its id, its state, its obstacles.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::seal;

/// The most attempts for an email or a task.
pub const ATTEMPTS: u32 = 8;

/// A row of the outbox: 128 random bits, hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailId(String);

impl MailId {
    /// A fresh one.
    #[must_use]
    pub fn random() -> Self {
        Self(seal::hex(&seal::random::<16>()))
    }

    /// The id in plugins and addresses.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not the id of an email.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an email's id must have 32 hexadecimal digits")]
pub struct BadMailId;

impl TryFrom<String> for MailId {
    type Error = BadMailId;

    fn try_from(text: String) -> Result<Self, BadMailId> {
        let good = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text)) } else { Err(BadMailId) }
    }
}

impl std::str::FromStr for MailId {
    type Err = BadMailId;

    fn from_str(text: &str) -> Result<Self, BadMailId> {
        Self::try_from(text.to_owned())
    }
}

impl From<MailId> for String {
    fn from(id: MailId) -> String {
        id.0
    }
}

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
