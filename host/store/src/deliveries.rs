//! Webhooks' deliveries: an event on its way to a destination of the operator's. Like a mail, one is made at least once: its
//! row is leased, tried, and settled, and a lease that nobody settles in time is given to the next worker, who sends the same
//! under the same id.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::tasks::Lease;
use super::{AuditEntry, StorageError};
use keyturn_core::accounts::AccountId;
use keyturn_core::seal;

/// Attempts of a delivery at most.
pub const ATTEMPTS: u32 = 10;
/// Attempts whose outcome is kept.
pub const TOLD: usize = 20;

/// A delivery: `msg_` and 128 random bits, hexadecimal. Its receiver sees it as `webhook-id`, the same in every attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

impl DeliveryId {
    /// A fresh one.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("msg_{}", seal::hex(&seal::random::<16>())))
    }

    /// As receivers and addresses have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not the name of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a delivery's id must be msg_ and 32 hexadecimal digits")]
pub struct BadDeliveryId;

impl TryFrom<String> for DeliveryId {
    type Error = BadDeliveryId;

    fn try_from(text: String) -> Result<Self, BadDeliveryId> {
        let digits = text.strip_prefix("msg_").unwrap_or_default();
        let good = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(Self(text)) } else { Err(BadDeliveryId) }
    }
}

impl std::str::FromStr for DeliveryId {
    type Err = BadDeliveryId;

    fn from_str(text: &str) -> Result<Self, BadDeliveryId> {
        Self::try_from(text.to_owned())
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> String {
        id.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// It waits for its first attempt.
    Queued,
    /// An attempt is under way.
    Sending,
    /// The destination answered 2xx.
    Accepted,
    /// Not accepted yet: it is tried again.
    Delayed,
    /// Out of attempts, or the destination wants no more.
    GaveUp,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [DeliveryState; 5] = [
        DeliveryState::Queued,
        DeliveryState::Sending,
        DeliveryState::Accepted,
        DeliveryState::Delayed,
        DeliveryState::GaveUp,
    ];
    /// Those of deliveries that go by themselves.
    pub const WAITING: [DeliveryState; 3] = [DeliveryState::Queued, DeliveryState::Sending, DeliveryState::Delayed];

    /// As it stands in rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DeliveryState::Queued => "queued",
            DeliveryState::Sending => "sending",
            DeliveryState::Accepted => "accepted",
            DeliveryState::Delayed => "delayed",
            DeliveryState::GaveUp => "gave-up",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A delivery that a call leaves behind.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its name.
    pub id: DeliveryId,
    /// The destination, as the configuration names it.
    pub destination: String,
    /// The event's name.
    pub event: String,
    /// Whom the event is about.
    pub account: Option<AccountId>,
    /// The body, the same in every attempt. Sealed by the storage.
    pub body: String,
}

/// An attempt, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When it was over, Unix milliseconds.
    pub at: i64,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// The answer's status; none: there was no answer.
    pub status: Option<u16>,
    /// In one line: the answer, or what stood in its way.
    pub said: String,
}

/// A delivery, without what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// Its number: later ones are greater.
    pub number: i64,
    /// The destination, as the configuration named it.
    pub destination: String,
    /// The plugin that emitted the event.
    pub plugin: String,
    /// The event's name.
    pub event: String,
    /// Whom the event is about.
    pub account: Option<AccountId>,
    /// How it stands.
    pub state: DeliveryState,
    /// Attempts so far, the one under way included; since it was last sent again by hand.
    pub attempts: u32,
    /// Unix milliseconds.
    pub asked_at: i64,
    /// When it got its current state, Unix milliseconds.
    pub changed_at: i64,
    /// When it is tried next, if it is: Unix milliseconds. While it is being sent: when the attempt is taken for lost.
    pub due: Option<i64>,
    /// The latest attempts, [`TOLD`] at most, the latest last.
    pub tried: Vec<Tried>,
}

impl Delivery {
    /// Whether it waits, so that it may be on hold: an attempt that is under way is ended whatever happens.
    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self.state, DeliveryState::Queued | DeliveryState::Delayed)
    }
}

/// A delivery that one worker has to itself for a while.
#[derive(Debug, Clone)]
pub struct LeasedDelivery {
    /// To settle it.
    pub lease: Lease,
    /// The row, as it is now.
    pub delivery: Delivery,
    /// The body; a sentence if its row is not one that this host wrote.
    pub body: Result<Zeroizing<String>, String>,
}

/// How an attempt came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledDelivery {
    /// How the delivery stands now.
    pub state: DeliveryState,
    /// Milliseconds until it is tried again; none: it is not.
    pub again_in: Option<i64>,
    /// What came of the attempt.
    pub tried: Tried,
    /// Whether its destination wants no more: nothing is sent there until an operator says so.
    pub gone: bool,
}

/// Which deliveries to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only in these states; empty: in any.
    pub states: Vec<DeliveryState>,
    /// Only to this destination.
    pub destination: Option<String>,
    /// Only those older than this number.
    pub before: Option<i64>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}

/// What is noted of a destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Noted {
    /// Since when nothing is sent there, because it answered that it is gone: Unix milliseconds.
    pub disabled_at: Option<i64>,
    /// Events that were not kept for it, because too many waited already.
    pub missed: u64,
    /// When the last of these was, Unix milliseconds.
    pub missed_at: Option<i64>,
}

/// The deliveries of a storage.
pub trait Deliveries {
    /// Whether there is something to send to any of these destinations.
    ///
    /// # Errors
    /// [`StorageError`].
    fn deliveries_due(&self, destinations: &[&str]) -> Result<bool, StorageError>;

    /// Takes a delivery to this destination that is due, for `lease_ms` milliseconds of the database's clock; none while the
    /// destination is disabled. Plugins take turns: it is the longest waiting one of the plugin that comes after `after` by its
    /// name, or of the first one after the last, so that a plugin that tells much delays none that tells little.
    ///
    /// # Errors
    /// [`StorageError`].
    fn lease_delivery(
        &self,
        destination: &str,
        after: &str,
        lease_ms: i64,
    ) -> Result<Option<LeasedDelivery>, StorageError>;

    /// Says how an attempt came out. Answers whether the lease still held: if not, another worker has the delivery, and
    /// nothing is written.
    ///
    /// # Errors
    /// [`StorageError`].
    fn settle_delivery(&self, lease: &Lease, settled: &SettledDelivery) -> Result<bool, StorageError>;

    /// One delivery; none if there is none of that name.
    ///
    /// # Errors
    /// [`StorageError`].
    fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, StorageError>;

    /// What one delivery carries. None if there is no such delivery.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host for its place is one.
    fn delivery_body(&self, id: &DeliveryId) -> Result<Option<String>, StorageError>;

    /// Deliveries, newest first.
    ///
    /// # Errors
    /// [`StorageError`].
    fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StorageError>;

    /// How many there are in each state, by destination.
    ///
    /// # Errors
    /// [`StorageError`].
    fn delivery_counts(&self) -> Result<Vec<(String, DeliveryState, u64)>, StorageError>;

    /// What is noted of destinations, by their names. Of most of them nothing is.
    ///
    /// # Errors
    /// [`StorageError`].
    fn noted_destinations(&self) -> Result<Vec<(String, Noted)>, StorageError>;

    /// Sends deliveries again, with all their attempts before them, and writes it down. Answers which: one that is being sent
    /// just now is left alone.
    ///
    /// # Errors
    /// [`StorageError`].
    fn send_again(&self, ids: &[DeliveryId], audit: AuditEntry) -> Result<Vec<DeliveryId>, StorageError>;

    /// Lets a disabled destination have its deliveries again, and writes it down. Answers whether it was disabled.
    ///
    /// # Errors
    /// [`StorageError`].
    fn enable_destination(&self, destination: &str, audit: AuditEntry) -> Result<bool, StorageError>;
}
