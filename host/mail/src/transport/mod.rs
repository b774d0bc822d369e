//! What carries a mail away. One file for each way.

pub mod folder;
mod said;
pub mod sendmail;
pub mod smtp;

use std::path::Path;
use std::time::{Duration, Instant};

use super::Message;
use super::message::MessageError;

/// A way for mail to go.
pub trait Transport: Send + Sync {
    /// In words, without secrets: `smtp.example:587`.
    fn name(&self) -> String;

    /// A session of one worker; it connects when it has something to send, and again when it has to.
    fn session(&self) -> Box<dyn Session>;

    /// The folder that it writes mails into, if that is its way.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Goes as far as it can without sending anything, to see whether it would work. Blocks.
    fn probe(&self) -> Attempt {
        Attempt { steps: Vec::new(), verdict: Verdict::Accepted }
    }
}

/// Carries one mail after another. Blocks.
pub trait Session: Send {
    /// Tries once, within the transport's time limits.
    fn send(&mut self, message: &Message) -> Attempt;

    /// The same; ends as delayed once it is `stopped`, as long as nothing of the mail's text has gone out.
    fn send_unless(&mut self, message: &Message, _stopped: &(dyn Fn() -> bool + Sync)) -> Attempt {
        self.send(message)
    }
}

/// What one attempt was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// Each step as it went; the last one is what failed, if anything did.
    pub steps: Vec<Step>,
    /// What came of it.
    pub verdict: Verdict,
}

impl Attempt {
    /// A message that cannot be written: the fault is the recipient's address, and that is final, or ours, and can be mended.
    fn unwritten(cause: &MessageError, started: Instant) -> Self {
        let verdict = if matches!(cause, MessageError::To(_)) { Verdict::Refused } else { Verdict::Delayed };
        let step = Step { kind: StepKind::Handover, took: started.elapsed(), said: cause.to_string() };
        Self { steps: vec![step], verdict }
    }
}

/// One step of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Which.
    pub kind: StepKind,
    /// How long it took.
    pub took: Duration,
    /// What the other side said, or the system; one line, at most 400 characters, never a secret.
    pub said: String,
}

/// The steps of an attempt, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// The server's name was looked up.
    LookUp,
    /// A connection was made.
    Connect,
    /// It was secured, and the certificate checked.
    Tls,
    /// User name and password.
    Login,
    /// Sender, recipient and text were handed over.
    Handover,
}

impl StepKind {
    /// Its name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StepKind::LookUp => "look-up",
            StepKind::Connect => "connect",
            StepKind::Tls => "tls",
            StepKind::Login => "login",
            StepKind::Handover => "handover",
        }
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The server took it.
    Accepted,
    /// The server said no to this mail for good (RFC 5321, 5yz), or it cannot take the address at all.
    Refused,
    /// Not now: 4yz, out of reach, a lost connection, or a server that lets nobody in. The mail itself may be fine.
    Delayed,
}

/// What a mail server's no says of a mail that it was asked to take.
fn of_answer(code: u16) -> Verdict {
    match code {
        // It lets nobody in who has not logged in: that says nothing of the mail. (RFC 4954)
        530 | 534 | 535 | 538 => Verdict::Delayed,
        500.. => Verdict::Refused,
        _ => Verdict::Delayed,
    }
}

#[cfg(test)]
mod tests {
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
            locale: "en".to_owned(),
            subject: "Choose a new password".to_owned(),
            text: "Hello Marta,\n\nhttps://panel.example/reset/7RkTqWx\n".to_owned().into(),
            html: "<p>Hello Marta</p>\n".to_owned().into(),
        }
    }
}
