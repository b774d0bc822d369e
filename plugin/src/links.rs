//! One-time links that choose a password.

use crate::bindings::accounts::Error;
use crate::bindings::password::{GoodLink, LinkState, MadeLink};
use crate::bindings::types::{Failure, Link};
use crate::failure;
use crate::ports::Ports;
use crate::settings;
use crate::store::{self, LinkRecord, NewestLink, Purpose};
use crate::token::{Token, TokenDigest};
use crate::words::{Word, Words};

/// The link page of the manifest.
pub(crate) const PAGE: &str = "choose";

/// How a link stands.
pub(crate) enum Standing {
    Good(Good),
    /// It ended then.
    Expired {
        until: i64,
        purpose: Purpose,
    },
    /// It chose a password then.
    Used(i64),
    /// A newer one was made then.
    Replaced(i64),
    /// The password was changed another way after it was made; when, if this plugin did it.
    Overtaken(Option<i64>),
    Unknown,
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
    if let Some(used) = record.used {
        return Ok(Standing::Used(used));
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
        return Ok(Standing::Overtaken(changed));
    }
    if let (Purpose::Reset, Some(newest)) = (record.purpose, account.newest_link)
        && newest.digest != digest.0
    {
        return Ok(Standing::Replaced(newest.made));
    }
    if record.until <= ports.now() {
        return Ok(Standing::Expired { until: record.until, purpose: record.purpose });
    }
    Ok(Standing::Good(Good { record, digest }))
}

/// Whether a link still works, before anybody types into its page.
///
/// # Errors
/// `unavailable`; a link that does not work is no error.
pub fn inspect(ports: &dyn Ports, token: &str) -> Result<LinkState, Failure> {
    Ok(match standing(ports, token)? {
        Standing::Good(good) => LinkState::Good(GoodLink { account: good.record.account, until: good.record.until }),
        Standing::Expired { until, .. } => LinkState::Expired(until),
        Standing::Used(at) => LinkState::Used(at),
        Standing::Replaced(at) => LinkState::Replaced(at),
        // The contract has no case of its own for it. Without a time of ours, it is known since now.
        Standing::Overtaken(at) => LinkState::Replaced(at.unwrap_or_else(|| ports.now())),
        Standing::Unknown => LinkState::Unknown,
    })
}

/// The link, or how completing with it fails.
pub(crate) fn good(ports: &dyn Ports, token: &str) -> Result<Good, Failure> {
    let words = Words::of(ports);
    match standing(ports, token)? {
        Standing::Good(good) => Ok(good),
        Standing::Expired { .. } => Err(Failure::Expired),
        Standing::Used(_) => Err(failure::refused(words, "link-used", Word::LinkUsedRefusal)),
        Standing::Replaced(_) => Err(failure::refused(words, "link-replaced", Word::LinkReplacedRefusal)),
        Standing::Overtaken(_) => Err(failure::refused(words, "link-replaced", Word::LinkOvertakenRefusal)),
        Standing::Unknown => Err(Failure::NotFound),
    }
}

/// A one-time link for the caller to hand on. It replaces those made before.
///
/// # Errors
/// `not-found` for an account that does not exist or is out of reach.
pub fn make(ports: &dyn Ports, account: &str) -> Result<MadeLink, Failure> {
    let epoch = ports.credential(account)?.session_epoch;
    let until = ports.now() + i64::from(settings::LINK_MINUTES.of(ports)) * 60_000;
    let link = issue(ports, account, Purpose::Reset, &epoch, until)?;
    Ok(MadeLink { link, until })
}

/// Stores a new link. Only the answer ever holds its token.
pub(crate) fn issue(
    ports: &dyn Ports,
    account: &str,
    purpose: Purpose,
    epoch: &str,
    until: i64,
) -> Result<Link, Failure> {
    let token = Token::random();
    let digest = token.digest(ports);
    let made = ports.now();
    let record = LinkRecord { account: account.to_owned(), purpose, epoch: epoch.to_owned(), made, until, used: None };
    store::put_link(ports, &digest, &record)?;
    if purpose == Purpose::Reset {
        let mut known = store::account(ports, account)?;
        known.newest_link = Some(NewestLink { digest: digest.0, made });
        store::put_account(ports, account, &known)?;
    }
    Ok(Link { page: PAGE.to_owned(), token: token.reveal() })
}
