//! What carries a mail away. One file for each way.

mod said;
pub mod smtp;

use std::time::Duration;

use super::Message;

/// A way for mail to go.
pub trait Transport: Send + Sync {
    /// In words, without secrets: `smtp.example:587`.
    fn name(&self) -> String;

    /// A session of one worker; it connects when it has something to send, and again when it has to.
    fn session(&self) -> Box<dyn Session>;

    /// Goes as far as it can without sending anything, to see whether it would work. Blocks.
    fn probe(&self) -> Attempt {
        Attempt { steps: Vec::new(), verdict: Verdict::Accepted }
    }
}

/// Carries one mail after another. Blocks.
pub trait Session: Send {
    /// Tries once, within the transport's time limits.
    fn send(&mut self, message: &Message) -> Attempt;
}

/// What one attempt was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// Each step as it went; the last one is what failed, if anything did.
    pub steps: Vec<Step>,
    /// What came of it.
    pub verdict: Verdict,
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
