//! What every part of the host knows about an email: its id, its state, its obstacles.

use serde::{Deserialize, Serialize};

/// The most attempts for an email or a task.
pub const ATTEMPTS: u32 = 8;

crate::random_id! {
    /// A row of the outbox: 128 random bits, hexadecimal.
    MailId, "", "an email's id must have 32 hexadecimal digits"
}

crate::named! {
    /// The state of an email. None is called delivered: a server may lose what it accepted.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum MailState {
        /// It waits for its first attempt.
        Queued = "queued",
        /// An attempt is running.
        Sending = "sending",
        /// The recipient's server accepted it, or the server that sends everything for us.
        Accepted = "accepted",
        /// Not now: it is retried.
        Delayed = "delayed",
        /// The server refused it for good, or there is no address. A corrected address can still fix it.
        Refused = "refused",
        /// All attempts failed.
        GaveUp = "gave-up",
        /// Its link or password expired before it was sent.
        Ended = "ended",
        /// Somebody cancelled it, or something newer replaced it.
        Withdrawn = "withdrawn",
    }
}

impl MailState {
    /// Emails that will be sent without anybody's help.
    pub const WAITING: [MailState; 3] = [MailState::Queued, MailState::Sending, MailState::Delayed];

    /// Emails that were not sent.
    pub const FAILED: [MailState; 3] = [MailState::Refused, MailState::GaveUp, MailState::Ended];
}

crate::named! {
    /// What keeps an email from being sent, if it isn't a server.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Obstacle {
        /// No usable address is on file.
        NoAddress = "no-address",
        /// The account no longer exists.
        NoAccount = "no-account",
        /// The template can't be filled in.
        Template = "template",
        /// This host did not write the row.
        Forged = "forged",
        /// The mail transport failed.
        Broken = "broken",
    }
}
