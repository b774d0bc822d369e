//! Mail in the outbox: what a call queues, what a worker leases and settles, what a page shows. A mail is delivered at least
//! once: its row is leased, tried, and settled, and a lease that nobody settles in time is given to the next worker, who
//! sends under the same Message-ID.

mod rows;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::queue::{Entry, Lease};
use keyturn_core::accounts::{Account, AccountId};
pub use keyturn_core::mail::*;
use keyturn_core::seal::Keys;
use keyturn_mail::template::{Template, Value};
use keyturn_mail::transport::Attempt;

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
    /// When it got its current state, Unix milliseconds.
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

impl From<&Mail> for Entry {
    fn from(mail: &Mail) -> Self {
        let step = mail.last.as_ref().and_then(|told| told.attempt.steps.last());
        let obstacle = mail.obstacle.map(|obstacle| obstacle.name().to_owned());
        Self {
            id: mail.id.to_string(),
            number: mail.number,
            plugin: mail.plugin.clone(),
            what: mail.template.clone(),
            to: Some(mail.to.text().into_owned()),
            state: mail.state,
            attempts: mail.attempts,
            most: ATTEMPTS,
            asked_at: mail.asked_at,
            due: mail.due,
            said: obstacle.or_else(|| step.map(|step| step.said.clone())),
            whole: mail.whole,
        }
    }
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
