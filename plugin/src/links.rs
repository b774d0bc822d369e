//! One-time links that choose a password.

use crate::bindings::accounts::Error;
use crate::bindings::mail;
use crate::bindings::password::{GoodLink, LinkState, MadeLink};
use crate::bindings::types::{Failure, Link};
use crate::failure;
use crate::letter::{self, Letter};
use crate::ports::Ports;
use crate::settings;
use crate::store::{self, AccountRecord, AskedBy, Carries, LinkRecord, NewestLink, Origin, SecretMail};
use crate::token::{Token, TokenDigest};
use crate::words::{Word, Words};

/// The manifest's link page.
pub(crate) const PAGE: &str = "choose";

/// The state of a link.
pub(crate) enum Standing {
    Good(Good),
    Over(Over),
    Unknown,
}

/// A link that no longer works.
pub(crate) struct Over {
    pub(crate) record: LinkRecord,
    pub(crate) why: Why,
}

/// Why a link no longer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It has expired.
    Expired,
    /// It was used at this time.
    Used(i64),
    /// A newer link of the same origin was created; `mailed`: and emailed.
    Replaced { at: i64, mailed: bool },
    /// The password was changed in another way after the link was created; when, if this plugin did it.
    Overtaken(Option<i64>),
    /// It was emailed to an address that the account no longer has.
    Readdressed,
}

impl Over {
    /// Whether its holder may get a new link, at the same address. Not if it was never emailed, or if the account no longer has
    /// that address: somebody else would get the email.
    pub(crate) fn can_be_mailed_anew(&self, ports: &dyn Ports) -> Result<bool, Failure> {
        match &self.record.mail {
            Some(mail) => is_current(ports, mail),
            None => Ok(false),
        }
    }
}

/// A valid link, and what is needed to use it up.
pub(crate) struct Good {
    pub(crate) record: LinkRecord,
    digest: TokenDigest,
}

impl Good {
    /// Marks it as used.
    pub(crate) fn use_up(mut self, ports: &dyn Ports) -> Result<(), Failure> {
        self.record.used = Some(ports.now());
        store::put_link(ports, &self.digest, &self.record)
    }
}

/// No effects.
pub(crate) fn standing(ports: &dyn Ports, token: &str) -> Result<Standing, Failure> {
    let Some(token) = Token::read(token) else {
        return Ok(Standing::Unknown);
    };
    let digest = token.digest(ports);
    let Some(record) = store::link(ports, &digest)? else {
        return Ok(Standing::Unknown);
    };
    let over = |record, why| Ok(Standing::Over(Over { record, why }));
    if let Some(used) = record.used {
        return over(record, Why::Used(used));
    }
    let epoch = match ports.credential(&record.account) {
        Ok(credential) => credential.session_epoch,
        Err(Error::NotFound) => return Ok(Standing::Unknown),
        Err(error) => return Err(error.into()),
    };
    let account = store::account(ports, &record.account)?;
    // The truest reason first: for a link that has expired and was overtaken, "your password has not changed" would be wrong.
    if record.epoch != epoch {
        let changed = account.password.filter(|password| password.epoch == epoch).map(|password| password.changed);
        return over(record, Why::Overtaken(changed));
    }
    let works = account.newest_links.iter().any(|link| link.digest == digest.0);
    if let Some(newest) = account.newest_of(record.origin).filter(|_| !works) {
        let is_its_mail = |mail: &SecretMail| mail.carries.is_link() && mail.queued == newest.made;
        return over(record, Why::Replaced { at: newest.made, mailed: account.mails.iter().any(is_its_mail) });
    }
    if record.until <= ports.now() {
        return over(record, Why::Expired);
    }
    // Last: the address matters only if the link would work otherwise.
    if let Some(mail) = &record.mail
        && !is_current(ports, mail)?
    {
        return over(record, Why::Readdressed);
    }
    Ok(Standing::Good(Good { record, digest }))
}

/// Whether the link's email went to the address that is now on file. If the outbox has forgotten the email, the answer is no.
fn is_current(ports: &dyn Ports, mail: &str) -> Result<bool, Failure> {
    match ports.current(mail) {
        Err(mail::Error::NotFound) => Ok(false),
        other => other.map_err(|error| failure::of_mail(Words::of(ports), error)),
    }
}

/// Reads whether a link still works, before anybody types into its page.
///
/// # Errors
/// `unavailable`. An invalid link is not an error.
pub fn inspect(ports: &dyn Ports, token: &str) -> Result<LinkState, Failure> {
    Ok(match standing(ports, token)? {
        Standing::Good(good) => LinkState::Good(GoodLink { account: good.record.account, until: good.record.until }),
        Standing::Over(Over { record, why }) => match why {
            Why::Expired => LinkState::Expired(record.until),
            Why::Used(at) => LinkState::Used(at),
            Why::Replaced { at, .. } => LinkState::Replaced(at),
            Why::Overtaken(_) | Why::Readdressed => LinkState::Void,
        },
        Standing::Unknown => LinkState::Unknown,
    })
}

/// A valid link, or the failure of `complete_reset`.
pub(crate) fn good(ports: &dyn Ports, token: &str) -> Result<Good, Failure> {
    let refused = |code, why| failure::refused(Words::of(ports), code, why);
    Err(match standing(ports, token)? {
        Standing::Good(good) => return Ok(good),
        Standing::Over(Over { why, .. }) => match why {
            Why::Expired => Failure::Expired,
            Why::Used(_) => refused("link-used", Word::LinkUsedRefusal),
            Why::Replaced { .. } => refused("link-replaced", Word::LinkReplacedRefusal),
            // The contract has no code of its own for these two.
            Why::Overtaken(_) => refused("link-replaced", Word::LinkOvertakenRefusal),
            Why::Readdressed => refused("link-replaced", Word::LinkReaddressedRefusal),
        },
        Standing::Unknown => Failure::NotFound,
    })
}

/// Creates a one-time link for the caller to hand over. It replaces the one that was handed over before; emailed ones keep
/// working.
///
/// # Errors
/// `not-found` for an account that doesn't exist or is out of reach.
pub fn make(ports: &dyn Ports, account: &str) -> Result<MadeLink, Failure> {
    let epoch = ports.credential(account)?.session_epoch;
    let until = end(ports);
    let link = issue(ports, account, Origin::HandedOn, &epoch, until)?;
    Ok(MadeLink { link, until })
}

/// Stores a new link that is not emailed. Only the answer has its token.
pub(crate) fn issue(
    ports: &dyn Ports,
    account: &str,
    origin: Origin,
    epoch: &str,
    until: i64,
) -> Result<Link, Failure> {
    let token = Token::random();
    let (account, epoch) = (account.to_owned(), epoch.to_owned());
    let record = LinkRecord { account, origin, epoch, made: ports.now(), until, used: None, mail: None };
    replace_older(ports, store::account(ports, &record.account)?, &token, &record)?;
    Ok(to(&token))
}

/// Emails a new link, which replaces the earlier one of the same origin. The password doesn't change.
///
/// # Errors
/// `refused` with `mail-not-configured`, `no-address` or `address-unusable`; `not-found` for an account that doesn't exist or
/// is out of reach.
pub(crate) fn mail(ports: &dyn Ports, account: &str, asked_by: AskedBy) -> Result<SecretMail, Failure> {
    queue(ports, account, asked_by)?.map_err(|error| failure::of_mail(Words::of(ports), error))
}

/// The same. The inner error: why no email can be queued; then nothing was asked for.
pub(crate) fn queue(
    ports: &dyn Ports,
    account: &str,
    asked_by: AskedBy,
) -> Result<Result<SecretMail, mail::Error>, Failure> {
    let epoch = ports.credential(account)?.session_epoch;
    // Read before anything is sent: an email is useless if its link can't be stored.
    let mut known = store::account(ports, account)?;
    let (token, made, until) = (Token::random(), ports.now(), end(ports));
    let letter = match asked_by {
        AskedBy::Owner => Letter::AskedLink { link: to(&token), until },
        AskedBy::Support => Letter::SentLink { link: to(&token), until },
    };
    let mail = match letter::send(ports, account, &letter) {
        Ok(mail) => mail,
        Err(error) => return Ok(Err(error)),
    };
    let carries = Carries::Link(asked_by);
    let sent = SecretMail {
        mail: mail.clone(),
        carries,
        epoch: epoch.clone(),
        queued: made,
        until: Some(until),
        sessions_ended: None,
    };
    let account = account.to_owned();
    let record = LinkRecord { account, origin: asked_by.into(), epoch, made, until, used: None, mail: Some(mail) };
    // An email with the replaced link need not be sent. All others must be: requesting a link must not stop what support has
    // sent.
    letter::withdraw(ports, known.mails.iter().filter(|mail| mail.carries == carries))?;
    known.mails.retain(|mail| mail.carries != carries);
    known.mails.push(sent.clone());
    replace_older(ports, known, &token, &record)?;
    Ok(Ok(sent))
}

/// Stores the link as the newest of its origin.
fn replace_older(
    ports: &dyn Ports,
    mut known: AccountRecord,
    token: &Token,
    record: &LinkRecord,
) -> Result<(), Failure> {
    let digest = token.digest(ports);
    store::put_link(ports, &digest, record)?;
    known.note_link(NewestLink { origin: record.origin, digest: digest.0, made: record.made });
    store::put_account(ports, &record.account, &known)
}

fn to(token: &Token) -> Link {
    Link { page: PAGE.to_owned(), token: token.reveal() }
}

/// The expiry of a link that is created now.
fn end(ports: &dyn Ports) -> i64 {
    ports.now() + i64::from(settings::LINK_MINUTES.of(ports)) * 60_000
}
