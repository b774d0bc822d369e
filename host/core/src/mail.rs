//! What every part of the host says of a mail: its name, how it stands, what keeps it from going.

use serde::{Deserialize, Serialize};

/// Attempts of a mail or a task at most.
pub const ATTEMPTS: u32 = 8;

crate::random_id! {
    /// A row of the outbox: 128 random bits, hexadecimal.
    MailId, "", "a mail is named by 32 hexadecimal digits"
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
