//! Email: plugins' templates, messages drawn from them, and the transports that send these.

#![deny(missing_docs)]

pub mod address;
pub mod config;
pub mod draw;
pub mod message;
pub mod setup;
pub mod template;
pub mod transport;
pub mod trial;

/// A person or desk with an email address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The shown name; empty: none.
    pub name: String,
    /// The address, as in the envelope.
    pub address: String,
}

/// An email, ready to send.
#[derive(Clone)]
pub struct Message {
    /// Without brackets: `mail-id@host`. The same in every attempt.
    pub message_id: String,
    /// The brand's sender.
    pub from: Mailbox,
    /// Where replies go; none: to the sender.
    pub reply_to: Option<Mailbox>,
    /// The recipient.
    pub to: Mailbox,
    /// When it was queued, Unix milliseconds.
    pub date: i64,
    /// What it says.
    pub drawn: draw::Drawn,
}

pub use keyturn_core::text::{invisible, line};
