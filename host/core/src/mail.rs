//! What every part of the host says of a mail: its name, how it stands, what keeps it from going.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::seal;

/// Attempts of a mail or a task at most.
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

    /// As plugins and addresses have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not the name of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mail is named by 32 hexadecimal digits")]
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

/// How a mail stands. Nothing is called delivered: what a server accepts, it may still lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailState {
    /// It waits for its first attempt.
    Queued,
    /// An attempt is under way.
    Sending,
    /// The recipient's side, or the server that we hand everything to, took it.
    Accepted,
    /// Not now: it is tried again.
    Delayed,
    /// The server said no for good, or there is no address. A corrected address can still mend it.
    Refused,
    /// Out of attempts.
    GaveUp,
    /// What it carries ran out before it could go.
    Ended,
    /// Cancelled, or something newer took its place.
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

    /// Those of mails that go by themselves.
    pub const WAITING: [MailState; 3] = [MailState::Queued, MailState::Sending, MailState::Delayed];

    /// Those of mails that did not go.
    pub const FAILED: [MailState; 3] = [MailState::Refused, MailState::GaveUp, MailState::Ended];

    /// As it stands in rows and in the contract.
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

/// What keeps a mail from going, where it is no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// No usable address is on file.
    NoAddress,
    /// The account is gone.
    NoAccount,
    /// The template does not draw.
    Template,
    /// The row was not written by this host.
    Forged,
    /// What carries the mail broke down.
    Broken,
}

impl Obstacle {
    /// All of them.
    pub const ALL: [Obstacle; 5] =
        [Obstacle::NoAddress, Obstacle::NoAccount, Obstacle::Template, Obstacle::Forged, Obstacle::Broken];

    /// As it stands in rows.
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
