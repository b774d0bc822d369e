//! Mail: templates that plugins bring, messages drawn from them, and the transports that carry these away.

pub mod address;
pub mod config;
pub mod draw;
pub mod message;
pub mod setup;
pub mod template;
pub mod transport;
pub mod trial;

/// One person or desk with a mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Shown name; empty: none.
    pub name: String,
    /// The address, as it stands in the envelope.
    pub address: String,
}

/// A mail, drawn and ready to go. Its body may hold secrets.
#[derive(Clone)]
pub struct Message {
    /// Without brackets: `mail-id@host`. The same in every attempt.
    pub message_id: String,
    /// The brand's sender.
    pub from: Mailbox,
    /// Where answers go; none: to the sender.
    pub reply_to: Option<Mailbox>,
    /// To whom.
    pub to: Mailbox,
    /// When it was asked for, Unix milliseconds.
    pub date: i64,
    /// BCP 47.
    pub locale: String,
    /// One line.
    pub subject: String,
    /// Plain text, lines ended by `\n`.
    pub text: zeroize::Zeroizing<String>,
    /// The same as HTML.
    pub html: zeroize::Zeroizing<String>,
}

pub use keyturn_core::text::{invisible, line};
