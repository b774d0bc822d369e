//! The transports. One file for each.

pub mod folder;
mod said;
pub mod sendmail;
pub mod smtp;

use std::path::Path;
use std::time::{Duration, Instant};

use super::Message;

/// A way to send email.
pub trait Transport: Send + Sync {
    /// Its name, without secrets: `smtp.example:587`.
    fn name(&self) -> String;

    /// A session of one worker. It connects when it has something to send, and reconnects if needed.
    fn session(&self) -> Box<dyn Session>;

    /// The folder that it writes emails to, if it does.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Tests as much as possible without sending anything. Blocks.
    fn probe(&self) -> Attempt {
        Attempt { steps: Vec::new(), verdict: Verdict::Accepted }
    }
}

/// Sends one email after another. Blocks.
pub trait Session: Send {
    /// Tries once, within the transport's time limits.
    fn send(&mut self, message: &Message) -> Attempt;

    /// The same; ends as delayed once it is `stopped`, unless some of the email's text was sent.
    fn send_unless(&mut self, message: &Message, _stopped: &(dyn Fn() -> bool + Sync)) -> Attempt {
        self.send(message)
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// Each step; if one failed, it is the last.
    pub steps: Vec<Step>,
    /// The result.
    pub verdict: Verdict,
}

impl Attempt {
    /// An attempt with one step: what it says when it is done, or why it isn't.
    fn one(kind: StepKind, work: impl FnOnce() -> Result<String, Unsent>) -> Self {
        let started = Instant::now();
        let done = work().map(|said| (Verdict::Accepted, said));
        let (verdict, said) = done.unwrap_or_else(|unsent| (unsent.verdict, unsent.said));
        Self { steps: vec![Step { kind, took: started.elapsed(), said }], verdict }
    }
}

/// Why an email was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Whether it may be sent later.
    pub verdict: Verdict,
    /// In a sentence.
    pub said: String,
}

impl Unsent {
    /// For a reason of ours, which can be fixed.
    pub(super) fn ours(what: &str, cause: impl std::fmt::Display) -> Self {
        Self { verdict: Verdict::Delayed, said: format!("{what} {cause}") }
    }
}

impl From<std::io::Error> for Unsent {
    fn from(cause: std::io::Error) -> Self {
        Self { verdict: Verdict::Delayed, said: cause.to_string() }
    }
}

/// One step of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Which.
    pub kind: StepKind,
    /// How long it took.
    pub took: Duration,
    /// The answer of the other side or the system; one line, at most 400 characters, never a secret.
    pub said: String,
}

keyturn_core::named! {
    /// The steps of an attempt, in their order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum StepKind {
        /// The server's name was looked up.
        LookUp = "look-up",
        /// A connection was made.
        Connect = "connect",
        /// It was encrypted, and the certificate checked.
        Tls = "tls",
        /// User name and password.
        Login = "login",
        /// Sender, recipient and text were sent.
        Handover = "handover",
    }
}

/// The result of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The server accepted it.
    Accepted,
    /// The server refused this email for good (RFC 5321, 5yz), or can't handle the address.
    Refused,
    /// Not now: 4yz, out of reach, a lost connection, or a server that refuses the login. The email itself may be fine.
    Delayed,
}

/// The verdict of a mail server's refusal.
fn of_answer(code: u16) -> Verdict {
    match code {
        // It needs a login: that says nothing about the email. (RFC 4954)
        530 | 534 | 535 | 538 => Verdict::Delayed,
        500.. => Verdict::Refused,
        _ => Verdict::Delayed,
    }
}

#[cfg(test)]
mod tests {
    use crate::draw::Drawn;
    use crate::{Mailbox, Message};

    /// A mail to somebody.
    pub(super) fn message(to: &str) -> Message {
        let mailbox = |name: &str, address: &str| Mailbox { name: name.to_owned(), address: address.to_owned() };
        Message {
            message_id: "m-1@panel.example".to_owned(),
            from: mailbox("Northwind Hosting", "accounts@northwind.example"),
            reply_to: None,
            to: mailbox("Marta Vidal", to),
            date: 1_795_525_331_000,
            drawn: Drawn {
                subject: "Choose a new password".to_owned(),
                text: "Hello Marta,\n\nhttps://panel.example/reset/7RkTqWx\n".to_owned().into(),
                html: "<p>Hello Marta</p>\n".to_owned().into(),
            },
        }
    }
}
