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

/// The link page of the manifest.
pub(crate) const PAGE: &str = "choose";

/// How a link stands.
pub(crate) enum Standing {
    Good(Good),
    Over(Over),
    Unknown,
}

/// A link that works no more.
pub(crate) struct Over {
    pub(crate) record: LinkRecord,
    pub(crate) why: Why,
}

/// Why a link works no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its time is over.
    Expired,
    /// It chose a password then.
    Used(i64),
    /// A newer one was made in the same way, and mailed or handed on.
    Replaced { at: i64, mailed: bool },
    /// The password was changed another way after it was made; when, if this plugin did it.
    Overtaken(Option<i64>),
    /// It was mailed to an address that is not the account's any more.
    Readdressed,
}

impl Over {
    /// Whether its holder may be sent another one, to the same address. Not where it was never mailed, and not where that
    /// address is no longer the account's: its holder is not who would get the mail.
    pub(crate) fn can_be_mailed_anew(&self, ports: &dyn Ports) -> Result<bool, Failure> {
        match &self.record.mail {
            Some(mail) => is_current(ports, mail),
            None => Ok(false),
        }
    }
}

/// A link that works, and what it takes to use it up.
pub(crate) struct Good {
    pub(crate) record: LinkRecord,
    digest: TokenDigest,
}

impl Good {
    /// Used, from now on.
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
    // First what is most true: of a link that has ended and was overtaken, "your password has not changed" would be wrong.
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
    // Last: where a link went matters only if it would work otherwise.
    if let Some(mail) = &record.mail
        && !is_current(ports, mail)?
    {
        return over(record, Why::Readdressed);
    }
    Ok(Standing::Good(Good { record, digest }))
}

/// Whether the link's mail went to the address now on file. What the outbox no longer knows cannot be proved, so it is not.
fn is_current(ports: &dyn Ports, mail: &str) -> Result<bool, Failure> {
    match ports.current(mail) {
        Err(mail::Error::NotFound) => Ok(false),
        other => other.map_err(|error| failure::of_mail(Words::of(ports), error)),
    }
}

/// Whether a link still works, before anybody types into its page.
///
/// # Errors
/// `unavailable`; a link that does not work is no error.
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

/// The link, or how completing with it fails.
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

/// A one-time link for the caller to hand on. It replaces the one that was handed on before; mailed ones work beside it.
///
/// # Errors
/// `not-found` for an account that does not exist or is out of reach.
pub fn make(ports: &dyn Ports, account: &str) -> Result<MadeLink, Failure> {
    let epoch = ports.credential(account)?.session_epoch;
    let until = end(ports);
    let link = issue(ports, account, Origin::HandedOn, &epoch, until)?;
    Ok(MadeLink { link, until })
}

/// Stores a new link that is not mailed. Only the answer ever holds its token.
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

/// Mails a new link, which replaces the one that was mailed before at the wish of the same side. The password is untouched.
///
/// # Errors
/// `refused` with `mail-not-configured`, `no-address` or `address-unusable`; `not-found` for an account that does not exist or is out of reach.
pub(crate) fn mail(ports: &dyn Ports, account: &str, asked_by: AskedBy) -> Result<SecretMail, Failure> {
    queue(ports, account, asked_by)?.map_err(|error| failure::of_mail(Words::of(ports), error))
}

/// The same. The inner error: why no mail can be queued; then nothing was asked for.
pub(crate) fn queue(
    ports: &dyn Ports,
    account: &str,
    asked_by: AskedBy,
) -> Result<Result<SecretMail, mail::Error>, Failure> {
    let epoch = ports.credential(account)?.session_epoch;
    // Read before anything is sent: nobody would have any use of a mail whose link cannot be stored.
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
    // A mail with the link that this one replaces need not go. Any other does: whoever asks for a link must not be able to
    // stop what support has sent.
    letter::withdraw(ports, known.mails.iter().filter(|mail| mail.carries == carries))?;
    known.mails.retain(|mail| mail.carries != carries);
    known.mails.push(sent.clone());
    replace_older(ports, known, &token, &record)?;
    Ok(Ok(sent))
}

/// Stores the link as its origin's newest.
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

/// When a link that is made now ends.
fn end(ports: &dyn Ports) -> i64 {
    ports.now() + i64::from(settings::LINK_MINUTES.of(ports)) * 60_000
}
