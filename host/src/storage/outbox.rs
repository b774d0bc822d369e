//! Mail in the outbox: what a call queues, what a worker leases and settles, what a page shows. A mail is delivered at least
//! once: its row is leased, tried, and settled, and a lease that nobody settles in time is given to the next worker, who
//! sends under the same Message-ID.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::StorageError;
use super::tasks::Lease;
use crate::accounts::{Account, AccountId};
use crate::mail::template::{Template, Value};
use crate::mail::transport::Attempt;
use crate::seal::{self, Keys};

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

/// To whom. An address on file is never kept: it is looked up anew at each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The address of that account.
    Account(AccountId),
    /// The address that the account had before, as the host has seen it: kept with the mail, since nobody else has it any more.
    Previous(AccountId),
    /// The address in the operator's configuration.
    Operators,
}

/// What stands before the account in a row. No account has a space.
const PREVIOUS: &str = "previous ";

impl Recipient {
    /// As it stands in a row. An account has a colon.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Recipient::Account(id) => id.as_str().into(),
            Recipient::Previous(id) => format!("{PREVIOUS}{id}").into(),
            Recipient::Operators => "operators".into(),
        }
    }

    /// Back from a row.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        match (text, text.strip_prefix(PREVIOUS)) {
            ("operators", _) => Some(Recipient::Operators),
            (_, Some(account)) => account.parse().ok().map(Recipient::Previous),
            (account, None) => account.parse().ok().map(Recipient::Account),
        }
    }

    /// The account, if it is one.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Recipient::Account(id) | Recipient::Previous(id) => Some(id),
            Recipient::Operators => None,
        }
    }

    /// What tells later whether an attempt went to this address; the address itself is not kept.
    #[must_use]
    pub fn address_mac(&self, keys: &Keys, address: &str) -> [u8; 32] {
        keys.mac("mail address", &[self.text().as_bytes(), address.as_bytes()])
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

/// An attempt that a transport has told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When, Unix milliseconds.
    pub at: i64,
    /// The transport, in words.
    pub server: String,
    /// How it went.
    pub attempt: Attempt,
}

/// A template as a mail takes it along: what a later version of the plugin says does not change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// As the manifest names it.
    pub name: String,
    /// Tells this text from every other.
    pub id: [u8; 32],
    /// The template as JSON.
    pub json: Vec<u8>,
}

impl Kept {
    /// Of a manifest's template.
    #[must_use]
    pub fn new(keys: &Keys, name: &str, template: &Template) -> Self {
        let json = serde_json::to_vec(template).unwrap_or_default();
        Self { name: name.to_owned(), id: keys.mac("template", &[&json]), json }
    }
}

/// A mail that a call queues.
#[derive(Clone)]
pub struct NewMail {
    /// Its name.
    pub id: MailId,
    /// To whom.
    pub to: Recipient,
    /// Its template.
    pub template: Arc<Kept>,
    /// Each variable of the template.
    pub variables: Vec<(String, Value)>,
    /// When what it carries is of no use any more, Unix milliseconds.
    pub expires: i64,
    /// Mails that the plugin may ask for within a minute.
    pub per_minute: u32,
    /// The client's address, for `request.origin`.
    pub origin: Option<String>,
    /// Without brackets: the same in every attempt, whatever is configured meanwhile.
    pub message_id: String,
    /// The address itself, of [`Recipient::Previous`] alone.
    pub address: Option<String>,
}

// The variables may be secret.
impl fmt::Debug for NewMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, to, template, expires, .. } = self;
        f.debug_struct("NewMail")
            .field("id", id)
            .field("to", to)
            .field("template", &template.name)
            .field("expires", expires)
            .finish_non_exhaustive()
    }
}

/// What a mail is filled with, from its row.
#[derive(Clone)]
pub struct Filling {
    /// The template.
    pub template: Template,
    /// Its variables, as far as they are still there.
    pub variables: BTreeMap<String, Value>,
    /// The client's address.
    pub origin: Option<String>,
    /// Without brackets.
    pub message_id: String,
    /// The address itself, of [`Recipient::Previous`] alone.
    pub address: Option<String>,
}

/// A mail in the outbox, without what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its name.
    pub id: MailId,
    /// Its number: later ones are greater.
    pub number: i64,
    /// Who asked for it.
    pub plugin: String,
    /// To whom.
    pub to: Recipient,
    /// The template's name.
    pub template: String,
    /// How it stands.
    pub state: MailState,
    /// Attempts so far, the one under way included; since the last retry by hand.
    pub attempts: u32,
    /// Unix milliseconds.
    pub asked_at: i64,
    /// When it is tried next, if it is: Unix milliseconds. While it is being sent: when the attempt is taken for lost.
    pub due: Option<i64>,
    /// When what it carries runs out, Unix milliseconds.
    pub expires: i64,
    /// When it came to its state, Unix milliseconds.
    pub changed_at: i64,
    /// The latest attempt that a transport has told of.
    pub last: Option<Told>,
    /// What stood in the way last, where it was no server.
    pub obstacle: Option<Obstacle>,
    /// Whether what it carries is still there, so that it can go at all.
    pub whole: bool,
    /// MAC of the address of the latest attempt; none: none was made.
    pub address: Option<Vec<u8>>,
}

/// A mail that one worker has to itself for a while.
#[derive(Clone)]
pub struct LeasedMail {
    /// To settle it.
    pub lease: Lease,
    /// The row, as it is now.
    pub mail: Mail,
    /// The account as it is on file; none: for operators, or it is gone.
    pub account: Option<Account>,
    /// What it is filled with; a sentence if its row is not one that this host wrote.
    pub filling: Result<Filling, String>,
}

/// How an attempt came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// How the mail stands now. What it carries is wiped with [`MailState::Accepted`] and [`MailState::Ended`].
    pub state: MailState,
    /// Milliseconds until it is tried again; none: it is not.
    pub again_in: Option<i64>,
    /// What the transport told, and its name.
    pub told: Option<(String, Attempt)>,
    /// What stood in the way, where it was no server. What was forged is wiped.
    pub obstacle: Option<Obstacle>,
}

/// Which mails to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct MailFilter {
    /// Only in these states; empty: in any.
    pub states: Vec<MailState>,
    /// Only to accounts with this login or address, folded.
    pub search: Option<String>,
    /// Only to this account.
    pub account: Option<AccountId>,
    /// Only of this plugin.
    pub plugin: Option<String>,
    /// Only those older than this number.
    pub before: Option<i64>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}

/// What an operator does to a mail by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Tries it again at once, with all its attempts before it.
    Retry,
    /// Ends it and wipes what it carries.
    Withdraw,
}

/// The outbox of a storage.
pub trait Outbox {
    /// One mail; none if there is none of that name.
    ///
    /// # Errors
    /// [`StorageError`].
    fn mail(&self, id: &MailId) -> Result<Option<Mail>, StorageError>;

    /// What one mail is filled with; what was secret is absent once it is wiped. None if there is no such mail.
    ///
    /// # Errors
    /// [`StorageError`]; a row that was not sealed by this host for its place is one.
    fn filling(&self, id: &MailId) -> Result<Option<Filling>, StorageError>;

    /// Mails, newest first.
    ///
    /// # Errors
    /// [`StorageError`].
    fn mails(&self, filter: &MailFilter) -> Result<Vec<Mail>, StorageError>;

    /// How many there are in each state, by the realm of the accounts that they go to; those to the operators have none.
    ///
    /// # Errors
    /// [`StorageError`].
    fn mail_counts(&self) -> Result<Vec<(String, MailState, u64)>, StorageError>;

    /// How many mails a plugin has asked for within the minute before `now`, Unix milliseconds, and the rest of its first second.
    ///
    /// # Errors
    /// [`StorageError`].
    fn mails_lately(&self, plugin: &str, now: i64) -> Result<u64, StorageError>;

    /// Takes mails that are due, longest waiting first, at most `most`, for `lease_ms` milliseconds of the database's clock.
    /// Notes the address on file as that of the attempt. `operators` is the address of the operators.
    ///
    /// # Errors
    /// [`StorageError`].
    fn lease_mail(&self, most: u32, lease_ms: i64, operators: Option<&str>) -> Result<Vec<LeasedMail>, StorageError>;

    /// Says how an attempt came out. Answers whether the lease still held: if not, another worker has the mail, or
    /// somebody has withdrawn it, and nothing is written.
    ///
    /// # Errors
    /// [`StorageError`].
    fn settle_mail(&self, lease: &Lease, settled: &Settled) -> Result<bool, StorageError>;

    /// As [`Outbox::settle_mail`], and takes the mail that has waited longest, as [`Outbox::lease_mail`], in one write.
    ///
    /// # Errors
    /// [`StorageError`].
    fn settle_and_lease_mail(
        &self,
        lease: &Lease,
        settled: &Settled,
        lease_ms: i64,
        operators: Option<&str>,
    ) -> Result<(bool, Option<LeasedMail>), StorageError>;
}
